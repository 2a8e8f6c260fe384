//! ReMax (Li et al. 2023): each sample against the greedy answer to the same prompt, which is generated beside them and
//! not learned from. Needs no group.

use super::{KlPlace, Objective, Preference, Sample, grpo, spread, total};

pub(super) fn preference() -> Preference {
    Preference { place: KlPlace::Reward, divides: false, ..grpo::preference() }
}

pub(super) fn advantages(samples: &[Sample], objective: &Objective) -> Vec<Vec<f64>> {
    spread(samples, |i| {
        let greedy = samples.iter().find(|other| other.group == samples[i].group && other.is_baseline);
        let greedy = greedy.expect("a step of ReMax has a greedy sample in every group");
        total(&samples[i], objective) - greedy.reward
    })
}
