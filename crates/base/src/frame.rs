//! The identity of what was looked at: enough to prove it, not enough to see it. Pixels stay in `media`.

use serde::{Deserialize, Serialize};

use crate::{Digest, MediaTime};

/// One decoded picture, identified.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameId {
    /// Position in decode order from the start of the stream (0 for an image).
    pub index: usize,
    /// Presentation timestamp, relative to the first frame of the stream.
    pub time: MediaTime,
    /// BLAKE3 of width, height (u32 little-endian) and the decoded RGB8 pixels at full size, after rotation.
    pub hash: Digest,
    /// Whether the file is damaged there and the decoder made up what was shown ([`crate::Damaged::Show`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub damaged: bool,
}

/// One image or video as the model saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MediumId {
    /// The location as the user wrote it; a `data:` URI is shortened to its hash.
    pub location: String,
    /// Chosen frames in order: one for an image.
    pub frames: Vec<FrameId>,
    /// Sides of the pictures given to the patcher, `[height, width]` in pixels.
    pub size: [usize; 2],
    /// Patch grid `[t, h, w]`.
    pub grid: [usize; 3],
    /// Sampled frames per second, for videos: chosen frames over the span they cover.
    pub sample_fps: Option<f64>,
}
