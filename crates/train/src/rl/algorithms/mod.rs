//! How the rewards of a step's samples become an advantage for every token. One file for each algorithm: what it
//! prefers where a recipe says nothing, and its advantages; the loss that takes them is `objective`'s. Knows no text
//! and no model.

mod cispo;
mod dapo;
mod dr_grpo;
mod grpo;
mod gspo;
mod ppo;
mod reinforce_pp;
mod remax;
mod rloo;

pub use dapo::overlong;
pub use ppo::{Critique, critique};

use serde::{Deserialize, Serialize};

use super::objective::{Averaging, Clip, KlPlace, Objective, Ratio};

/// One completion, in numbers. Tokens that the policy did not choose, as a tool's output, are not among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// Samples of one prompt have the same number and stand side by side.
    pub group: usize,
    /// What it earned.
    pub reward: f64,
    /// Log-probability of each token when it was sampled.
    pub old: Vec<f32>,
    /// Weight of each token where another policy sampled it; empty where this one did.
    pub weights: Vec<f64>,
    /// Under the weights as they are now.
    pub new: Vec<f32>,
    /// Under the reference policy; empty without one.
    pub reference: Vec<f32>,
    /// Distance of each token's whole distribution to the reference's, as it was when last computed; empty unless asked for.
    pub distances: Vec<f32>,
    /// The critic's values when it was sampled; empty without a critic.
    pub values: Vec<f32>,
    /// What its advantage grows by after all normalisation.
    pub bonus: f64,
    /// Compared with and not learned from: the greedy completion of ReMax, those over shuffled frames.
    pub is_baseline: bool,
}

/// Name of an algorithm in recipes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Group relative policy optimization.
    #[default]
    Grpo,
    /// GRPO without its two biases.
    DrGrpo,
    /// Decoupled clip and dynamic sampling.
    Dapo,
    /// Group sequence policy optimization.
    Gspo,
    /// Clipped importance sampling weights.
    Cispo,
    /// REINFORCE, leave one out.
    Rloo,
    /// REINFORCE++.
    #[serde(rename = "reinforce++")]
    ReinforcePp,
    /// REINFORCE against the greedy answer.
    Remax,
    /// Proximal policy optimization with a critic.
    Ppo,
}

/// What an algorithm prefers where the recipe says nothing.
pub struct Preference {
    /// Which ratio of probabilities is clipped.
    pub ratio: Ratio,
    /// Its clipping.
    pub clip: Clip,
    /// How tokens are averaged.
    pub averaging: Averaging,
    /// Where the distance to the reference counts.
    pub place: KlPlace,
    /// Whether advantages are divided by the deviation of their group.
    pub divides: bool,
}

impl Algorithm {
    /// What it prefers.
    pub fn preference(self) -> Preference {
        match self {
            Algorithm::Grpo => grpo::preference(),
            Algorithm::DrGrpo => dr_grpo::preference(),
            Algorithm::Dapo => dapo::preference(),
            Algorithm::Gspo => gspo::preference(),
            Algorithm::Cispo => cispo::preference(),
            Algorithm::Rloo => rloo::preference(),
            Algorithm::ReinforcePp => reinforce_pp::preference(),
            Algorithm::Remax => remax::preference(),
            Algorithm::Ppo => ppo::preference(),
        }
    }

    /// Whether it compares the samples of a prompt, so that a group needs at least two.
    pub fn compares(self) -> bool {
        !matches!(self, Algorithm::ReinforcePp | Algorithm::Remax | Algorithm::Ppo)
    }
}

/// The advantage of every token of every sample; zeros for baselines.
pub fn advantages(samples: &[Sample], objective: &Objective) -> Vec<Vec<f64>> {
    let mut all = match objective.algorithm {
        Algorithm::Grpo | Algorithm::DrGrpo | Algorithm::Dapo | Algorithm::Gspo | Algorithm::Cispo => {
            grpo::advantages(samples, objective)
        }
        Algorithm::Rloo => rloo::advantages(samples, objective),
        Algorithm::ReinforcePp => reinforce_pp::advantages(samples, objective),
        Algorithm::Remax => remax::advantages(samples, objective),
        Algorithm::Ppo => ppo::advantages(samples, objective),
    };
    for (sample, row) in samples.iter().zip(&mut all).filter(|(sample, _)| !sample.is_baseline) {
        row.iter_mut().for_each(|advantage| *advantage += sample.bonus);
    }
    all
}

/// The same advantage for every token of a sample.
fn spread(samples: &[Sample], of: impl Fn(usize) -> f64) -> Vec<Vec<f64>> {
    let one =
        |(i, sample): (usize, &Sample)| vec![if sample.is_baseline { 0.0 } else { of(i) }; sample.old.len()];
    samples.iter().enumerate().map(one).collect()
}

/// Rewards of the other learned samples of the same prompt, and its own among them.
fn group_of(samples: &[Sample], group: usize) -> impl Iterator<Item = &Sample> {
    samples.iter().filter(move |sample| sample.group == group && !sample.is_baseline)
}

/// What a sample earned with the price of its distance to the reference, where that counts in the reward.
fn total(sample: &Sample, objective: &Objective) -> f64 {
    sample.reward - objective.token_prices(sample).iter().sum::<f64>()
}

/// Reward of each token: the price of its distance, and at the last one what the sample earned.
fn token_rewards(sample: &Sample, objective: &Objective) -> Vec<f64> {
    let mut rewards: Vec<f64> = objective.token_prices(sample).iter().map(|price| -price).collect();
    if let Some(last) = rewards.last_mut() {
        *last += sample.reward;
    }
    rewards
}

/// Mean and unbiased deviation 0 and 1 over all tokens of all samples that are learned from.
fn whiten(samples: &[Sample], advantages: &mut [Vec<f64>]) {
    let learned = |(sample, _): &(&Sample, &Vec<f64>)| !sample.is_baseline;
    let all: Vec<f64> =
        samples.iter().zip(&*advantages).filter(learned).flat_map(|(_, row)| row).copied().collect();
    let (mean, deviation) = moments(&all);
    let scale = 1.0 / (deviation * deviation + 1e-8).sqrt();
    for (sample, row) in samples.iter().zip(advantages) {
        row.iter_mut().for_each(|x| *x = if sample.is_baseline { 0.0 } else { (*x - mean) * scale });
    }
}

/// Mean and unbiased standard deviation; 0 of fewer than two.
pub(crate) fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    (mean, if values.len() < 2 { 0.0 } else { (squares / (n - 1.0)).sqrt() })
}
