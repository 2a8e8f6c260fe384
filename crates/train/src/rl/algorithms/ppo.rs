//! PPO (Schulman et al. 2017) with generalised advantage estimation (2015): a critic says what each token's state is
//! worth; advantages are discounted sums of its errors, whitened over the step. The critic's own loss is here too.

use super::{Averaging, KlPlace, Objective, Preference, Sample, grpo, token_rewards, whiten};

pub(super) fn preference() -> Preference {
    let place = KlPlace::Reward;
    Preference { place, averaging: Averaging::Token, divides: false, ..grpo::preference() }
}

/// Not whitened.
fn estimates(sample: &Sample, objective: &Objective) -> Vec<f64> {
    let rewards = token_rewards(sample, objective);
    let value = |t: usize| sample.values.get(t).map_or(0.0, |&value| f64::from(value));
    let (mut all, mut next) = (vec![0.0; rewards.len()], 0.0);
    for t in (0..rewards.len()).rev() {
        let error = rewards[t] + objective.gamma * value(t + 1) - value(t);
        next = error + objective.gamma * objective.lambda * next;
        all[t] = next;
    }
    all
}

pub(super) fn advantages(samples: &[Sample], objective: &Objective) -> Vec<Vec<f64>> {
    let mut all: Vec<Vec<f64>> = samples.iter().map(|sample| estimates(sample, objective)).collect();
    whiten(samples, &mut all);
    all
}

/// Loss of the critic and its slope at each value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Critique {
    /// Mean over all tokens.
    pub loss: f64,
    /// By sample and token.
    pub slopes: Vec<Vec<f32>>,
}

/// Half the squared error of `now`, the critic's values at this moment, against advantage plus value when sampled; the
/// larger one where moving from the value when sampled by more than `clip` looks better. Mean over tokens.
pub fn critique(samples: &[Sample], now: &[Vec<f32>], objective: &Objective, clip: f64) -> Critique {
    let tokens: usize = samples.iter().filter(|s| !s.is_baseline).map(|s| s.old.len()).sum();
    let weight = 1.0 / tokens.max(1) as f64;
    let mut critique = Critique::default();
    for (sample, now) in samples.iter().zip(now) {
        if sample.is_baseline {
            critique.slopes.push(vec![0.0; now.len()]);
            continue;
        }
        let aims = estimates(sample, objective);
        let mut slopes = Vec::with_capacity(now.len());
        for ((&now, &then), estimate) in now.iter().zip(&sample.values).zip(aims) {
            let (now, then) = (f64::from(now), f64::from(then));
            let aim = estimate + then;
            let near = now.clamp(then - clip, then + clip);
            let (free, held) = ((now - aim).powi(2), (near - aim).powi(2));
            critique.loss += 0.5 * weight * free.max(held);
            // A held value has no slope.
            let slope = if free >= held { now - aim } else { 0.0 };
            slopes.push((weight * slope) as f32);
        }
        critique.slopes.push(slopes);
    }
    critique
}
