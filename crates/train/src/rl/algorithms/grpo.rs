//! GRPO (Shao et al. 2024, DeepSeekMath, section 4.1): a sample's advantage is its reward against the mean of its
//! group, in units of the group's deviation. The deviation is the unbiased one with 1e-4 added, as in TRL, Video-R1,
//! ST-R1 and EgoThinker; SpatialThinker adds 1e-6.

use super::{
    Averaging, Clip, KlPlace, Objective, Preference, Ratio, Sample, group_of, moments, spread, total,
};

pub(super) fn preference() -> Preference {
    Preference {
        ratio: Ratio::Token,
        clip: Clip { low: 0.2, high: 0.2, dual: 0.0 },
        averaging: Averaging::Sequence,
        place: KlPlace::Loss,
        divides: true,
    }
}

/// Those of every algorithm that compares with the mean of the group.
pub(super) fn advantages(samples: &[Sample], objective: &Objective) -> Vec<Vec<f64>> {
    spread(samples, |i| {
        let rewards: Vec<f64> =
            group_of(samples, samples[i].group).map(|sample| total(sample, objective)).collect();
        let (mean, deviation) = moments(&rewards);
        let scale = if objective.divides { 1.0 / (deviation + objective.divide_epsilon) } else { 1.0 };
        (total(&samples[i], objective) - mean) * scale
    })
}
