//! Watches loss and gradients: a step that is not finite, or dead, is skipped and counted, too many in a row end the run,
//! and so does a loss that rises and stays up. Its state is part of a checkpoint.

use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// Share of the newest loss in the smoothed one.
const SMOOTHING: f64 = 0.1;
/// The smoothed loss counts as risen above this multiple of its lowest value...
const RISE: f64 = 3.0;
/// ...and this much beside, so that a loss near zero may move.
const SLACK: f64 = 1.0;
/// Steps for which it must stay up.
const PATIENCE: u32 = 20;

/// What the guard knows of a phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// Steps skipped so far.
    pub skipped: u64,
    /// Of these, the last ones in a row.
    in_a_row: u32,
    smooth: Option<f64>,
    best: Option<f64>,
    /// Steps in a row with a loss that has risen.
    risen: u32,
}

/// What to do with a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Take it.
    Take,
    /// Leave the weights as they are.
    Skip,
}

impl Guard {
    /// Judges one step by its loss and the length of its gradient.
    pub fn judge(
        &mut self,
        (phase, step): (&str, u64),
        loss: f64,
        norm: f64,
        most_in_a_row: u32,
    ) -> Result<Verdict, TrainError> {
        // A gradient of nothing but zeros at a loss above zero: the model is dead and will not come back.
        let is_dead = norm == 0.0 && loss > 0.0;
        if !loss.is_finite() || !norm.is_finite() || is_dead {
            self.skipped += 1;
            self.in_a_row += 1;
            if self.in_a_row >= most_in_a_row {
                let (phase, count) = (phase.to_owned(), self.in_a_row);
                return Err(TrainError::NotFinite { phase, step, count, loss });
            }
            return Ok(Verdict::Skip);
        }
        self.in_a_row = 0;
        let smooth = self.smooth.map_or(loss, |known| known + SMOOTHING * (loss - known));
        let best = self.best.map_or(smooth, |known| known.min(smooth));
        // The smoothed loss falls slowly after a peak; the newest one tells that it was only that.
        let risen = smooth.min(loss) > best * RISE + SLACK;
        self.risen = if risen { self.risen + 1 } else { 0 };
        (self.smooth, self.best) = (Some(smooth), Some(best));
        if self.risen >= PATIENCE {
            return Err(TrainError::Diverged { phase: phase.to_owned(), step, best, now: smooth });
        }
        Ok(Verdict::Take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges losses in order; the step at which it ended, or `None`.
    fn ends(losses: impl IntoIterator<Item = f64>) -> (Guard, Option<TrainError>) {
        let mut guard = Guard::default();
        for (step, loss) in losses.into_iter().enumerate() {
            if let Err(error) = guard.judge(("p", step as u64), loss, 1.0, 3) {
                return (guard, Some(error));
            }
        }
        (guard, None)
    }

    #[test]
    fn a_few_bad_steps_are_skipped_and_counted() {
        let (guard, end) = ends([1.0, f64::NAN, f64::INFINITY, 1.0, f64::NAN, 0.9]);
        assert!(end.is_none());
        assert_eq!(guard.skipped, 3);
        let mut guard = Guard::default();
        assert_eq!(guard.judge(("p", 0), 1.0, f64::NAN, 3).unwrap(), Verdict::Skip);
        assert_eq!(guard.judge(("p", 1), 1.0, 0.0, 3).unwrap(), Verdict::Skip);
        assert_eq!(guard.judge(("p", 2), 0.0, 0.0, 3).unwrap(), Verdict::Take);
        assert_eq!(guard.judge(("p", 3), 1.0, 1.0, 3).unwrap(), Verdict::Take);
    }

    #[test]
    fn too_many_in_a_row_end_the_run() {
        let (_, end) = ends([1.0, f64::NAN, f64::NAN, f64::NAN]);
        assert!(matches!(end, Some(TrainError::NotFinite { step: 3, count: 3, .. })), "{end:?}");
    }

    #[test]
    fn a_loss_that_stays_up_ends_the_run_and_a_peak_does_not() {
        let falling = (0..50).map(|i| 4.0 / (1.0 + f64::from(i)));
        let (_, end) = ends(falling.clone().chain(std::iter::repeat_n(9.0, 100)));
        assert!(matches!(end, Some(TrainError::Diverged { .. })), "{end:?}");
        let (_, end) = ends(falling.clone().chain(std::iter::repeat_n(9.0, 10)).chain(falling));
        assert!(end.is_none(), "{end:?}");
        // Text models start near ln(vocabulary) and may rise a little first.
        let (_, end) = ends((0..200).map(|i| 11.0 + f64::from(i % 7)));
        assert!(end.is_none(), "{end:?}");
    }
}
