//! Time inside a medium, kept as the container states it: an integer count of a rational unit.
//! Never a frame index divided by a rate, which is wrong for every variable-rate file.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// `ticks * numerator / denominator` seconds from the start of the medium's clock.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct MediaTime {
    /// Count of time-base units (a presentation timestamp).
    pub ticks: i64,
    /// Numerator of the time base, in seconds.
    pub numerator: i32,
    /// Denominator of the time base; never zero.
    pub denominator: i32,
}

impl MediaTime {
    /// A timestamp in a container's time base. Panics when `denominator` is not positive.
    pub fn new(ticks: i64, numerator: i32, denominator: i32) -> Self {
        assert!(denominator > 0 && numerator > 0, "time base {numerator}/{denominator} is not positive");
        MediaTime { ticks, numerator, denominator }
    }

    /// The time in seconds.
    pub fn seconds(&self) -> f64 {
        self.ticks as f64 * f64::from(self.numerator) / f64::from(self.denominator)
    }

    /// `ticks * numerator * other.denominator`: both sides of a comparison on one scale, without rounding.
    fn scaled(&self, other: &MediaTime) -> i128 {
        i128::from(self.ticks) * i128::from(self.numerator) * i128::from(other.denominator)
    }
}

impl PartialEq for MediaTime {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for MediaTime {}
impl PartialOrd for MediaTime {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for MediaTime {
    fn cmp(&self, other: &Self) -> Ordering {
        self.scaled(other).cmp(&other.scaled(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_different_bases_compare_exactly() {
        let a = MediaTime::new(1, 1, 3);
        let b = MediaTime::new(30_000, 1, 90_000);
        assert_eq!(a, b);
        assert!(MediaTime::new(30_001, 1, 90_000) > a);
        assert!(MediaTime::new(-1, 1, 1_000_000) < MediaTime::new(0, 1, 25));
        assert_eq!(MediaTime::new(512, 1, 12_800).seconds(), 0.04);
    }
}
