//! WebP animations, which FFmpeg before 8 does not decode: their frames in order, each laid on those before it, on white
//! where nothing covers. GIF and APNG are films to FFmpeg and do not come here.

use std::io::Cursor;
use std::path::Path;

use firsthand_base::MediaTime;
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder, ImageDecoder};

use crate::still::{check_pixels, fault, flatten};
use crate::video::{Budget, Decoded};
use crate::{Picture, Probe, Result, Timeline, bytes, moving};

/// Browsers show frames of up to 10 ms for 100: nobody means them.
const SHORTEST_MS: u32 = 10;
const INSTEAD_MS: u32 = 100;

/// An opened animation.
#[derive(Debug)]
pub(crate) struct Animation {
    name: String,
    bytes: Vec<u8>,
    /// When each frame begins, in milliseconds.
    starts: Vec<i64>,
    end: i64,
    /// `[height, width]`.
    size: [usize; 2],
}

impl Animation {
    /// Reads a file of at most `most_bytes` and its times.
    pub(crate) fn open(path: &Path, name: &str, most_bytes: u64) -> Result<Animation> {
        let bytes = bytes::read(path, name, most_bytes)?;
        let durations = moving::webp_durations(&mut Cursor::new(&bytes));
        let durations =
            durations.map_err(|error| fault(name, format!("its frames cannot be counted: {error}")))?;
        let mut end = 0;
        let start = |ms: u32| {
            let start = end;
            end += i64::from(if ms <= SHORTEST_MS { INSTEAD_MS } else { ms });
            start
        };
        let starts = durations.into_iter().map(start).collect();
        let (width, height) = decoder(&bytes, name)?.dimensions();
        Ok(Animation { name: name.to_owned(), bytes, starts, end, size: [height as usize, width as usize] })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&self.starts[..])
    }

    pub(crate) fn size(&self) -> [usize; 2] {
        self.size
    }

    fn fps(&self) -> f64 {
        self.starts.len() as f64 / (self.end as f64 / 1e3)
    }

    pub(crate) fn timeline(&self) -> Timeline {
        Timeline {
            frames: self.starts.len(),
            fps: self.fps(),
            seconds: self.starts.iter().map(|ms| *ms as f64 / 1e3).collect(),
            end_s: self.end as f64 / 1e3,
        }
    }

    pub(crate) fn time(&self, frame: usize) -> MediaTime {
        MediaTime::new(self.starts[frame], 1, 1000)
    }

    pub(crate) fn probe(&self) -> Probe {
        let steps: Vec<i64> = self.starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        Probe {
            container: "webp".into(),
            codec: "webp".into(),
            size: self.size,
            rotation: 0,
            duration_s: self.end as f64 / 1e3,
            frames: self.starts.len(),
            average_fps: self.fps(),
            variable_rate: steps.windows(2).any(|pair| pair[0] != pair[1]),
            has_audio: false,
            created: None,
        }
    }

    /// Frames depend on those before them, so that all are decoded up to the last that is wanted.
    pub(crate) fn decode<T>(
        &self,
        wanted: &[usize],
        budget: Budget,
        finish: &dyn Fn(Decoded) -> T,
    ) -> Result<Vec<T>> {
        check_pixels(&self.name, self.size, budget.max_pixels)?;
        let mut frames = decoder(&self.bytes, &self.name)?.into_frames().enumerate();
        let mut done = Vec::with_capacity(wanted.len());
        for &frame in wanted {
            let (_, decoded) = frames
                .find(|(index, decoded)| *index == frame || decoded.is_err())
                .ok_or_else(|| fault(&self.name, format!("it has no frame {frame}")))?;
            let decoded = decoded.map_err(|error| fault(&self.name, error.to_string()))?.into_buffer();
            let (width, height) = (decoded.width() as usize, decoded.height() as usize);
            let rgb = decoded.pixels().flat_map(|pixel| flatten(pixel.0)).collect();
            let picture = Picture::new(height, width, rgb);
            done.push(finish(Decoded { frame, picture, is_damaged: false }));
        }
        Ok(done)
    }
}

fn decoder<'a>(bytes: &'a [u8], name: &str) -> Result<WebPDecoder<Cursor<&'a [u8]>>> {
    WebPDecoder::new(Cursor::new(bytes)).map_err(|error| fault(name, error.to_string()))
}
