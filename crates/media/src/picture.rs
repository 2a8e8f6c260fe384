//! The values this room hands out: pictures, prepared media and what a probe found. No behaviour beyond building
//! them.

use std::fmt;
use std::sync::Arc;

use firsthand_base::{Digest, FrameId};
use serde::Serialize;

/// Pixels of one picture, rows from the top, `[height, width, 3]` RGB8. Cloning shares the pixels.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// `height * width * 3` bytes.
    pub rgb: Arc<Vec<u8>>,
}

impl fmt::Debug for Picture {
    /// Says the size, not the pixels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}x{})", self.height, self.width)
    }
}

impl Picture {
    /// A picture of the given pixels. Panics when their number is not `height * width * 3`.
    pub fn new(height: usize, width: usize, rgb: Vec<u8>) -> Self {
        assert_eq!(rgb.len(), height * width * 3, "pixels of a {height}x{width} picture");
        Picture { height, width, rgb: Arc::new(rgb) }
    }

    /// BLAKE3 of width, height (u32 little-endian) and the pixels: the hash of [`FrameId`].
    pub fn hash(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.width as u32).to_le_bytes());
        hasher.update(&(self.height as u32).to_le_bytes());
        hasher.update(&self.rgb);
        Digest(*hasher.finalize().as_bytes())
    }
}

/// One image or video, ready to be cut into patches.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The chosen frames in order; one for an image.
    pub frames: Vec<FrameId>,
    /// The resized pictures, one per frame, all of one size.
    pub pictures: Vec<Picture>,
    /// The same pictures before resizing; empty unless [`crate::OpenerOptions::keep_originals`] is set.
    pub originals: Vec<Picture>,
    /// Chosen frames a second as the reference computes it (chosen frames over the frames of the span, times the
    /// average rate). `None` for an image.
    pub sample_fps: Option<f64>,
    /// `[height, width]` after rotation, before resizing.
    pub original_size: [usize; 2],
}

/// What a model would see of one image or video, without its pixels.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The chosen frames in order; one for an image.
    pub frames: Vec<FrameId>,
    /// `[height, width]` of every frame after resizing.
    pub resized: [usize; 2],
    /// As [`Prepared::sample_fps`].
    pub sample_fps: Option<f64>,
    /// `[height, width]` after rotation, before resizing.
    pub original_size: [usize; 2],
}

impl Survey {
    /// What is said of a medium whose pictures are there.
    pub fn of(prepared: &Prepared) -> Survey {
        let first = &prepared.pictures[0];
        Survey {
            frames: prepared.frames.clone(),
            resized: [first.height, first.width],
            sample_fps: prepared.sample_fps,
            original_size: prepared.original_size,
        }
    }
}

/// What a file is, found without decoding pictures beyond what opening it takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Probe {
    /// Container or image format, e.g. `mov,mp4,m4a,3gp,3g2,mj2` or `jpeg`.
    pub container: String,
    /// Codec of the pictures, e.g. `h264`.
    pub codec: String,
    /// `[height, width]` as shown, after rotation.
    pub size: [usize; 2],
    /// Clockwise quarter turns applied to show the picture upright, in degrees: 0, 90, 180 or 270.
    pub rotation: u32,
    /// Seconds from the first frame's start to the last frame's end; 0 for an image.
    pub duration_s: f64,
    /// Frames in the stream.
    pub frames: usize,
    /// Frames over duration; 0 for an image.
    pub average_fps: f64,
    /// Whether frames are shown for different lengths of time.
    pub variable_rate: bool,
    /// Whether there is a sound track.
    pub has_audio: bool,
    /// When it was made, as the container writes it, e.g. `2026-03-01T08:00:00.000000Z`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
}
