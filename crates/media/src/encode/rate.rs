//! Frames per second as a fraction, so that the time of a frame is exact.

use crate::{Error, Result};

/// Largest denominator that is looked for before a rate is rounded; NTSC rates have 1001.
const PLAIN: u32 = 1001;
/// Denominator of rates that are no plain fraction.
const FINE: u32 = 1_000_000;
const FASTEST: f64 = 1000.0;

/// `frames` in `seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub(super) frames: u32,
    pub(super) seconds: u32,
}

impl Rate {
    /// The fraction that a number means: 20 is 20/1, 29.97 is 2997/100 and 30000.0 / 1001.0 is just that. What is no
    /// fraction with a denominator up to 1001 is rounded to a millionth. Rates go from one frame in 1000 seconds to
    /// 1000 frames per second.
    pub fn new(per_second: f64) -> Result<Rate> {
        if !(1.0 / FASTEST..=FASTEST).contains(&per_second) {
            return Err(Error::Encode {
                location: "video".into(),
                reason: format!("{per_second} frames per second cannot be stored"),
                remedy: "choose 0.001 to 1000 frames per second",
            });
        }
        let exact = |seconds: &u32| {
            let frames = per_second * f64::from(*seconds);
            frames.round() >= 1.0 && (frames - frames.round()).abs() <= 1e-12 * frames
        };
        let seconds = (1..=PLAIN).find(exact).unwrap_or(FINE);
        Ok(Rate { frames: (per_second * f64::from(seconds)).round() as u32, seconds })
    }

    /// Frames per second.
    pub fn per_second(self) -> f64 {
        f64::from(self.frames) / f64::from(self.seconds)
    }
}
