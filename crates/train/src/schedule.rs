//! Learning rate over the steps of a phase: a linear warm-up, then constant, linear or cosine. Only factors;
//! what they multiply is the recipe's.

use serde::{Deserialize, Serialize};

/// What happens after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// The rate stays.
    Constant,
    /// A straight line.
    Linear,
    /// Half a cosine wave.
    #[default]
    Cosine,
}

/// The factor of every step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Steps of the phase.
    pub steps: u64,
    /// Steps in which the factor rises to 1.
    pub warm_up: u64,
    /// What follows.
    pub decay: Decay,
    /// Share of the phase after which the decay begins.
    pub decay_from: f64,
    /// Factor of the last steps.
    pub min_ratio: f64,
}

impl Schedule {
    /// The factor of step `step`, counted from 0. The first is above zero: a step without a rate teaches nothing.
    pub fn factor(&self, step: u64) -> f64 {
        if step < self.warm_up {
            return (step + 1) as f64 / self.warm_up as f64;
        }
        let from = self.warm_up.max((self.decay_from * self.steps as f64).round() as u64);
        let progress = step.saturating_sub(from) as f64 / self.steps.saturating_sub(from).max(1) as f64;
        let progress = progress.min(1.0);
        let left = match self.decay {
            Decay::Constant => 1.0,
            Decay::Linear => 1.0 - progress,
            Decay::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
        };
        self.min_ratio + (1.0 - self.min_ratio) * left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_those_of_a_hand_count() {
        let check = |decay, warm_up, decay_from, min_ratio, expected: &[(u64, f64)]| {
            let schedule = Schedule { steps: 100, warm_up, decay, decay_from, min_ratio };
            for &(step, factor) in expected {
                let got = schedule.factor(step);
                assert!((got - factor).abs() < 1e-12, "{schedule:?} at {step}: {got}, expected {factor}");
            }
        };
        check(Decay::Constant, 4, 0.0, 0.0, &[(0, 0.25), (3, 1.0), (4, 1.0), (99, 1.0)]);
        check(Decay::Linear, 0, 0.0, 0.0, &[(0, 1.0), (50, 0.5), (99, 0.01), (100, 0.0), (200, 0.0)]);
        check(Decay::Linear, 20, 0.6, 0.0, &[(19, 1.0), (20, 1.0), (59, 1.0), (60, 1.0), (80, 0.5)]);
        check(Decay::Cosine, 20, 0.0, 0.1, &[(20, 1.0), (60, 0.55), (100, 0.1)]);
        check(Decay::Cosine, 100, 0.0, 0.0, &[(0, 0.01), (99, 1.0), (100, 1.0)]);
    }
}
