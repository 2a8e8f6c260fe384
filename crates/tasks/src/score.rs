//! How many answers were right, and how sure that is.

use serde::Serialize;

/// Right answers of some.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Score {
    /// Answers.
    pub items: usize,
    /// Right ones.
    pub right: usize,
}

impl Score {
    /// Counts one answer.
    pub fn add(&mut self, right: bool) {
        self.items += 1;
        self.right += usize::from(right);
    }

    /// Share of right ones; `None` of none.
    pub fn accuracy(self) -> Option<f64> {
        (self.items > 0).then(|| self.right as f64 / self.items as f64)
    }

    /// 95% interval of the true share (Wilson 1927), which does not leave 0 to 1.
    pub fn interval(self) -> Option<[f64; 2]> {
        Some(wilson(self.accuracy()?, self.items as f64))
    }
}

/// Wilson's 95% interval of a share of `n` answers; `n` may be the worth of a sample instead of its size.
pub(crate) fn wilson(share: f64, n: f64) -> [f64; 2] {
    const Z: f64 = 1.959_964;
    let middle = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_wilsons() {
        let check = |right, items, low: f64, high: f64| {
            let [a, b] = Score { items, right }.interval().unwrap();
            assert!((a - low).abs() < 5e-4 && (b - high).abs() < 5e-4, "{right}/{items}: {a} {b}");
        };
        check(8, 10, 0.4902, 0.9433);
        check(0, 20, 0.0, 0.1611);
        check(200, 200, 0.9811, 1.0);
        assert_eq!(Score::default().interval(), None);
    }
}
