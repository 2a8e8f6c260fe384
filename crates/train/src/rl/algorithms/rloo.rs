//! RLOO (Ahmadian et al. 2024): each sample against the mean of the others of its prompt; the distance to the reference
//! is part of the reward.

use super::{Clip, KlPlace, Objective, Preference, Sample, group_of, grpo, spread, total};

pub(super) fn preference() -> Preference {
    let clip = Clip { low: 0.2, high: 0.2, dual: 0.0 };
    Preference { clip, place: KlPlace::Reward, divides: false, ..grpo::preference() }
}

pub(super) fn advantages(samples: &[Sample], objective: &Objective) -> Vec<Vec<f64>> {
    spread(samples, |i| {
        let (mut sum, mut count) = (0.0, 0.0);
        for sample in group_of(samples, samples[i].group) {
            sum += total(sample, objective);
            count += 1.0;
        }
        let own = total(&samples[i], objective);
        own - (sum - own) / (count - 1.0)
    })
}
