//! The critic of PPO: what a token's state is worth, read linearly off the policy's own last hidden state. It learns
//! from the critic's loss alone and moves nothing of the policy, so it costs no second model. Part of a checkpoint.

use serde::{Deserialize, Serialize};

use super::algorithms::{Critique, Sample, critique};
use super::objective::Objective;

/// A moved value may differ so far from the one when it was sampled (EasyR1's default).
const CLIP: f64 = 0.5;
const BETAS: [f32; 2] = [0.9, 0.999];
const EPSILON: f32 = 1e-8;

/// A linear map from hidden states to values, with the moments of its optimizer (Adam).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Critic {
    /// `[width + 1]`, the bias last; bits, so that a checkpoint holds them exactly.
    weights: Vec<u32>,
    moments: [Vec<u32>; 2],
    steps: i32,
}

impl Critic {
    /// One that says 0 of everything.
    pub fn new(width: usize) -> Critic {
        let zeros = vec![0; width + 1];
        Critic { weights: zeros.clone(), moments: [zeros.clone(), zeros], steps: 0 }
    }

    /// Values of hidden states `[n, width]`.
    pub fn values(&self, hidden: &[f32]) -> Vec<f32> {
        let weights: Vec<f32> = self.weights.iter().copied().map(f32::from_bits).collect();
        let (weights, bias) = weights.split_at(weights.len() - 1);
        let value = |row: &[f32]| bias[0] + row.iter().zip(weights).map(|(x, w)| x * w).sum::<f32>();
        hidden.chunks_exact(weights.len()).map(value).collect()
    }

    /// One step towards what the samples were worth; gives the loss before it. `hidden` holds the states of every
    /// learned sample's tokens, in order.
    pub fn learn(&mut self, samples: &[Sample], hidden: &[f32], objective: &Objective, rate: f64) -> f64 {
        let mut all = self.values(hidden).into_iter();
        let now: Vec<Vec<f32>> = samples
            .iter()
            .map(|sample| match sample.is_baseline {
                true => vec![0.0; sample.old.len()],
                false => all.by_ref().take(sample.old.len()).collect(),
            })
            .collect();
        let Critique { loss, slopes } = critique(samples, &now, objective, CLIP);
        let learned = slopes.iter().zip(samples).filter(|(_, sample)| !sample.is_baseline);
        let slopes = learned.flat_map(|(slopes, _)| slopes);
        let width = self.weights.len() - 1;
        let mut gradient = vec![0f32; width + 1];
        for (row, slope) in hidden.chunks_exact(width).zip(slopes) {
            gradient.iter_mut().zip(row).for_each(|(sum, x)| *sum += slope * x);
            gradient[width] += slope;
        }
        self.step(&gradient, rate as f32);
        loss
    }

    fn step(&mut self, gradient: &[f32], rate: f32) {
        self.steps += 1;
        let [first, second] = &mut self.moments;
        let unbias = BETAS.map(|beta| 1.0 / (1.0 - beta.powi(self.steps)));
        for (i, &slope) in gradient.iter().enumerate() {
            let m = BETAS[0] * f32::from_bits(first[i]) + (1.0 - BETAS[0]) * slope;
            let v = BETAS[1] * f32::from_bits(second[i]) + (1.0 - BETAS[1]) * slope * slope;
            let moved = rate * m * unbias[0] / ((v * unbias[1]).sqrt() + EPSILON);
            self.weights[i] = (f32::from_bits(self.weights[i]) - moved).to_bits();
            (first[i], second[i]) = (m.to_bits(), v.to_bits());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rl::Algorithm;

    #[test]
    fn it_learns_what_states_are_worth() {
        // States of two kinds: one leads to a reward of 1, the other to none.
        let objective = Objective::new(Algorithm::Ppo, 4);
        let sample =
            |reward: f64| Sample { reward, old: vec![-1.0; 2], new: vec![-1.0; 2], ..Sample::default() };
        let hidden = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0];
        let mut critic = Critic::new(2);
        let mut losses = Vec::new();
        for _ in 0..200 {
            let mut samples = [sample(1.0), sample(0.0)];
            let values = critic.values(&hidden);
            samples[0].values = values[..2].to_vec();
            samples[1].values = values[2..].to_vec();
            losses.push(critic.learn(&samples, &hidden, &objective, 0.05));
        }
        let values = critic.values(&hidden);
        assert!((values[0] - 1.0).abs() < 0.05 && values[3].abs() < 0.05, "{values:?}");
        assert!(losses[199] < 0.01 * losses[0], "{} to {}", losses[0], losses[199]);
        let text = serde_json::to_string(&critic).unwrap();
        assert_eq!(serde_json::from_str::<Critic>(&text).unwrap(), critic);
    }
}
