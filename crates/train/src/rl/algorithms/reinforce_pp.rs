//! REINFORCE++ (Hu 2025): no critic and no group: the discounted sum of the token rewards from each token on, the price
//! of the distance to the reference among them, whitened over all tokens of the step.

use super::{KlPlace, Objective, Preference, Sample, grpo, token_rewards, whiten};

pub(super) fn preference() -> Preference {
    Preference { place: KlPlace::Reward, divides: false, ..grpo::preference() }
}

pub(super) fn advantages(samples: &[Sample], objective: &Objective) -> Vec<Vec<f64>> {
    let mut all: Vec<Vec<f64>> = samples
        .iter()
        .map(|sample| {
            let mut rewards = token_rewards(sample, objective);
            for t in (1..rewards.len()).rev() {
                rewards[t - 1] += objective.gamma * rewards[t];
            }
            rewards
        })
        .collect();
    whiten(samples, &mut all);
    all
}
