//! The samples of a step: groups as they were drawn and judged, what they are like, and the sequences that are learned.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use candle_core::Tensor;
use firsthand_base::{Digest, ModelInput};
use firsthand_model::layers::LossRow;

use super::algorithms::{Sample, moments};
use super::judge::{Earned, Reply};
use super::rollout::{Dialogue, End, Rollout};
use crate::data::BadRow;
use crate::feed::Prepared;

/// The samples of one prompt, judged.
pub struct Group {
    /// The prompt with its row.
    pub prompt: Arc<Prepared>,
    /// Those in order first, then the greedy one of ReMax, then those over shuffled frames.
    pub rollouts: Vec<Rollout>,
    /// What each says.
    pub replies: Vec<Reply>,
    /// What each earned.
    pub earned: Vec<Earned>,
    /// How many are learned from: the first ones.
    pub learned: usize,
    /// What a right answer's advantage grows by after normalisation.
    pub bonus: f64,
}

/// Rewards of a group that differ by less are the same.
pub(super) const NO_DEVIATION: f64 = 1e-9;

impl Group {
    /// How much what its learned samples earned differs: the unbiased standard deviation.
    pub(super) fn deviation(&self) -> f64 {
        let rewards: Vec<f64> = self.earned[..self.learned].iter().map(|earned| earned.reward).collect();
        moments(&rewards).1
    }
}

/// The samples of a step and what was computed of them once.
#[derive(Default)]
pub struct Round {
    /// Groups that are learned from.
    pub groups: Vec<Group>,
    pub(super) samples: Vec<Sample>,
    /// Of every token of every sample.
    pub(super) advantages: Vec<Vec<f64>>,
    pub(super) features: HashMap<Digest, Tensor>,
    /// The reference's hidden states of every learned sample's tokens, where distances are over the whole vocabulary.
    pub(super) beside: Vec<Vec<f32>>,
    pub(super) more: BTreeMap<String, f64>,
    pub(super) tokens: u64,
}

impl Round {
    /// Tokens of all learned samples.
    pub(super) fn learned_tokens(&self) -> usize {
        self.samples.iter().filter(|sample| !sample.is_baseline).map(|sample| sample.old.len()).sum()
    }
}

/// What is drawn and judged before anything is left out.
#[derive(Default)]
pub struct Drawn {
    /// Groups that rewards could judge.
    pub groups: Vec<Group>,
    /// Rows whose samples could not be judged, and why.
    pub failures: Vec<BadRow>,
    /// Why samples have no worth: their environments failed.
    pub broken: Vec<String>,
    pub(super) features: HashMap<Digest, Tensor>,
    pub(super) tokens: u64,
}

/// What a step's samples are like, before any is left out.
pub(super) fn describe(groups: &[Group]) -> BTreeMap<String, f64> {
    let learned = || groups.iter().flat_map(|group| (0..group.learned).map(move |i| (group, i)));
    let mean = |of: &dyn Fn(&Group, usize) -> f64| {
        learned().map(|(group, i)| of(group, i)).sum::<f64>() / learned().count().max(1) as f64
    };
    let mut more = BTreeMap::from([
        ("reward".to_owned(), mean(&|group, i| group.earned[i].reward)),
        ("accuracy".to_owned(), mean(&|group, i| group.earned[i].accuracy)),
        ("length".to_owned(), mean(&|group, i| group.rollouts[i].len() as f64)),
        ("cut".to_owned(), mean(&|group, i| f64::from(u8::from(!group.rollouts[i].is_finished)))),
    ]);
    let deviations: Vec<f64> = groups.iter().map(Group::deviation).collect();
    let share = |count: usize| count as f64 / groups.len().max(1) as f64;
    more.insert("reward_deviation".into(), deviations.iter().sum::<f64>() / groups.len().max(1) as f64);
    more.insert("zero_variance".into(), share(deviations.iter().filter(|&&d| d <= NO_DEVIATION).count()));
    let logs: Vec<f64> =
        learned().flat_map(|(g, i)| &g.rollouts[i].logs).map(|log| -f64::from(*log)).collect();
    // The mean over samples of -log p is an estimate of the entropy without bias.
    more.insert("entropy".into(), logs.iter().sum::<f64>() / logs.len().max(1) as f64);
    let mut parts: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (group, i) in learned() {
        for (part, value) in &group.earned[i].parts {
            parts.entry(part).or_default().push(*value);
        }
    }
    for (part, values) in parts {
        more.insert(part.replace('/', "."), values.iter().sum::<f64>() / values.len() as f64);
    }
    more.extend(temporal(groups));
    more.extend(dialogues(groups));
    more
}

/// What order was worth, over groups that have samples out of order too: the bonus that the form `contrast` offers, what
/// answers were paid on average in either form, the share of groups in which any was, and accuracy out of order.
fn temporal(groups: &[Group]) -> Vec<(String, f64)> {
    let (mut bonuses, mut paid, mut any, mut disordered) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for group in groups {
        let out_of_order = group.replies.iter().zip(&group.earned).filter(|(reply, _)| reply.is_shuffled);
        let accuracies: Vec<f64> = out_of_order.map(|(_, earned)| earned.accuracy).collect();
        if accuracies.is_empty() {
            continue;
        }
        let pay = |earned: &Earned| match earned.parts.get("video-r1/temporal") {
            _ if group.bonus > 0.0 && earned.is_right() => group.bonus,
            amount => amount.copied().unwrap_or(0.0),
        };
        let pays: Vec<f64> = group.earned[..group.learned].iter().map(pay).collect();
        any.push(f64::from(u8::from(pays.iter().any(|pay| *pay > 0.0))));
        paid.extend(pays);
        bonuses.push(group.bonus);
        disordered.extend(accuracies);
    }
    means(&[
        ("temporal_bonus", bonuses),
        ("temporal_payout", paid),
        ("temporal_paid", any),
        ("temporal_accuracy", disordered),
    ])
}

/// How dialogues with tools went.
fn dialogues(groups: &[Group]) -> Vec<(String, f64)> {
    let learned = groups.iter().flat_map(|group| &group.rollouts[..group.learned]);
    let all: Vec<_> = learned.filter_map(|rollout| rollout.dialogue.as_ref()).collect();
    let of =
        |value: &dyn Fn(&Dialogue) -> f64| all.iter().map(|dialogue| value(dialogue)).collect::<Vec<_>>();
    let share = |is: bool| f64::from(u8::from(is));
    let context = |at: usize| all.iter().map(|dialogue| dialogue.context_tokens[at]).sum::<usize>() as f64;
    let reused = if context(0) > 0.0 { vec![context(1) / context(0)] } else { Vec::new() };
    means(&[
        ("turns", of(&|dialogue| dialogue.turns.len() as f64)),
        ("heard_tokens", of(&|dialogue| dialogue.heard_tokens as f64)),
        ("shortened", of(&|dialogue| dialogue.shortened as f64)),
        ("answered", of(&|dialogue| share(matches!(dialogue.end, End::Answered(_))))),
        ("over", of(&|dialogue| share(matches!(dialogue.end, End::Over(_) | End::Full)))),
        ("reused_context", reused),
    ])
}

/// The mean of each that has any.
fn means(all: &[(&str, Vec<f64>)]) -> Vec<(String, f64)> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let some = all.iter().filter(|(_, values)| !values.is_empty());
    some.map(|(name, values)| ((*name).to_owned(), mean(values))).collect()
}

/// All samples of groups as algorithms see them.
pub(super) fn samples(groups: &[Group]) -> Vec<Sample> {
    let mut all = Vec::new();
    for (number, group) in groups.iter().enumerate() {
        for (i, (rollout, earned)) in group.rollouts.iter().zip(&group.earned).enumerate() {
            all.push(Sample {
                group: number,
                reward: earned.reward,
                old: rollout.logs.clone(),
                weights: Vec::new(),
                new: rollout.logs.clone(),
                reference: Vec::new(),
                distances: Vec::new(),
                values: Vec::new(),
                bonus: if earned.is_right() { group.bonus } else { 0.0 },
                is_baseline: i >= group.learned,
            });
        }
    }
    all
}

/// Prompt and completion of the learned samples of groups, with a target for every sampled token; one for each stretch
/// of a sample. The gradient of a target of weight `w` is that of `-w log p`, so a slope is a weight of the other sign.
pub(super) fn wholes(
    groups: &[Group],
    mut slopes: Option<&mut dyn Iterator<Item = &Vec<f32>>>,
) -> Vec<(ModelInput, Vec<LossRow>)> {
    let mut all = Vec::new();
    for group in groups {
        let prompt = &group.prompt.input;
        for rollout in &group.rollouts[..group.learned] {
            let slopes = slopes.as_mut().map(|all| all.next().expect("slopes of every sample"));
            let mut number = 0;
            for stretch in &rollout.stretches {
                let (mut input, next) = (prompt.clone(), prompt.next_position());
                let mut targets = Vec::new();
                for at in stretch.sampled.iter().cloned().flatten() {
                    let weight = slopes.map_or(1.0, |slopes| -slopes[number]);
                    targets.push(LossRow { row: prompt.ids.len() - 1 + at, target: stretch.ids[at], weight });
                    number += 1;
                }
                // The last token is only a target, and what was said after it was never answered.
                let end = stretch.sampled.last().map_or(0, |range| range.end.saturating_sub(1));
                let seen = &stretch.ids[..end];
                input.ids.extend(seen);
                input.positions.extend((0..seen.len() as i32).map(|i| [next + i; 3]));
                all.push((input, targets));
            }
        }
    }
    all
}
