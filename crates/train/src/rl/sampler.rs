//! Samples from a server that holds a copy of the policy. What it holds may lag behind, round otherwise and add in
//! another order, so its log-probabilities are corrected by importance; how far they are off is measured every step.

use std::path::Path;

use firsthand_base::{Conversation, SamplingOptions, StopRules};

use super::rollout::Rollout;

/// Whoever samples instead of the model in memory.
pub trait Sampler: Send + Sync {
    /// Takes the weights as they are after `step` steps: a checkpoint folder, or a PEFT adapter where one is trained.
    fn take(&self, weights: &Path, step: u64) -> Result<(), String>;

    /// Completions of each conversation, one for each of its seeds, in order.
    fn sample(
        &self,
        prompts: &[(Conversation, Vec<SamplingOptions>)],
        stop: &StopRules,
    ) -> Result<Vec<Vec<Rollout>>, String>;
}

/// Largest weight of a token (truncated importance sampling, Yao et al. 2025).
pub const MOST_WEIGHT: f64 = 2.0;

/// Weights of tokens that were sampled with log-probability `sampled` and have `now`: their ratio, bounded above.
pub fn importance(now: &[f32], sampled: &[f32]) -> Vec<f64> {
    let ratio = |(now, then): (&f32, &f32)| (f64::from(*now) - f64::from(*then)).exp().min(MOST_WEIGHT);
    now.iter().zip(sampled).map(ratio).collect()
}
