//! One step of reinforcement learning: prompts become judged groups of samples, and these a loss with its gradients.
//! The loop around steps and the update of weights are `run`'s.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use candle_core::Tensor;
use firsthand_base::{Digest, ModelInput, Render, SamplingOptions, StopRules};
use firsthand_input::Renderer;
use firsthand_model::layers::LossRow;
use firsthand_model::{Example, Model, Order, Precision, Training};

use super::algorithms::{Algorithm, Sample, moments, overlong};
use super::judge::{Earned, Judge, Reply};
use super::objective::Objective;
use super::recipe::{RlRecipe, Temporal};
use super::rollout::{Roller, Rollout, Wanted};
use crate::error::Result;
use crate::feed::Prepared;
use crate::pack::pack;
use crate::phase::Made;

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

/// What a phase needs beside the model that learns.
pub struct Learner {
    recipe: RlRecipe,
    objective: Objective,
    judge: Judge,
    /// The checkpoint the run started from, where the distance to it counts and no adapter can be taken off instead.
    reference: Option<Model>,
    stop: StopRules,
    seed: u64,
    precision: Precision,
    /// Whether the vision tower stays as it is.
    tower_rests: bool,
}

/// The samples of a step and what was computed of them once.
#[derive(Default)]
pub struct Round {
    /// Groups that are learned from.
    pub groups: Vec<Group>,
    samples: Vec<Sample>,
    features: HashMap<Digest, Tensor>,
    more: BTreeMap<String, f64>,
    tokens: u64,
}

/// What is drawn and judged before anything is left out.
pub struct Drawn {
    /// Groups that rewards could judge.
    pub groups: Vec<Group>,
    /// Why others could not be.
    pub failures: Vec<String>,
    features: HashMap<Digest, Tensor>,
    tokens: u64,
}

impl Round {
    fn learned(&mut self) -> impl Iterator<Item = &mut Sample> {
        self.samples.iter_mut().filter(|sample| !sample.is_baseline)
    }
}

impl Learner {
    /// Of a recipe, for a checkpoint's stop tokens.
    pub fn new(
        recipe: &RlRecipe,
        renderer: &Renderer,
        reference: Option<Model>,
        seed: u64,
        precision: Precision,
        tower_rests: bool,
    ) -> Result<Learner> {
        let tokens = renderer.generation_defaults().stop.tokens.clone();
        Ok(Learner {
            recipe: recipe.clone(),
            objective: recipe.objective(),
            judge: Judge::new(recipe)?,
            reference,
            stop: StopRules { max_tokens: recipe.max_tokens, tokens, strings: Vec::new() },
            seed,
            precision,
            tower_rests,
        })
    }

    /// Samples prompts and judges the samples; `draw` makes the seeds differ between draws.
    pub fn draw(
        &self,
        model: &Model,
        renderer: &Renderer,
        prompts: &[Arc<Prepared>],
        draw: u64,
    ) -> Result<Drawn> {
        let inputs: Vec<(&ModelInput, Option<&ModelInput>)> = prompts
            .iter()
            .map(|prompt| (&prompt.input, prompt.asked.as_ref().and_then(|asked| asked.shuffled.as_ref())))
            .collect();
        let features =
            self.features(model, inputs.iter().flat_map(|(one, two)| Some(*one).into_iter().chain(*two)))?;
        let seeds = |prompt: usize, from: usize, count: usize| -> Vec<SamplingOptions> {
            let seed = |sample| mix(&[self.seed, draw, prompt as u64, sample as u64]);
            (from..from + count)
                .map(|i| SamplingOptions { seed: seed(i), ..self.recipe.sampling() })
                .collect()
        };
        let group = self.recipe.group;
        let mut wanted = Vec::new();
        for (number, (input, shuffled)) in inputs.iter().enumerate() {
            let mut samplings = seeds(number, 0, group);
            if self.recipe.algorithm == Algorithm::Remax {
                samplings.push(SamplingOptions::default());
            }
            wanted.push(Wanted { input, samplings });
            if let (Some(shuffled), Some(temporal)) = (shuffled, &self.recipe.temporal) {
                wanted.push(Wanted { input: shuffled, samplings: seeds(number, group, temporal.samples) });
            }
        }
        let mut rolled = self.roller(&features).roll(model, &wanted)?.into_iter();
        let tokens = prompts.iter().map(|prompt| prompt.input.ids.len() as u64).sum::<u64>();
        let mut drawn = Drawn { groups: Vec::new(), failures: Vec::new(), features, tokens };
        for (prompt, (_, shuffled)) in prompts.iter().zip(&inputs) {
            let mut rollouts = rolled.next().expect("an answer for every prompt");
            let in_order = rollouts.len();
            if shuffled.is_some() && self.recipe.temporal.is_some() {
                rollouts.extend(rolled.next().expect("an answer for every shuffled prompt"));
            }
            drawn.tokens += rollouts.iter().map(|rollout| rollout.ids.len() as u64).sum::<u64>();
            match self.group(renderer, prompt, rollouts, in_order) {
                Ok(group) => drawn.groups.push(group),
                Err(reason) => drawn.failures.push(reason),
            }
        }
        Ok(drawn)
    }

    fn roller<'a>(&self, features: &'a HashMap<Digest, Tensor>) -> Roller<'a> {
        Roller {
            parallel: self.recipe.parallel,
            stop: self.stop.clone(),
            precision: self.precision,
            features,
        }
    }

    /// Features of the items of some inputs, each computed once.
    fn features<'a>(
        &self,
        model: &Model,
        inputs: impl Iterator<Item = &'a ModelInput>,
    ) -> Result<HashMap<Digest, Tensor>> {
        let mut features = HashMap::new();
        for item in inputs.flat_map(|input| &input.vision) {
            if let Entry::Vacant(free) = features.entry(item.key) {
                free.insert(self.precision.scope(|| model.features(item))?);
            }
        }
        Ok(features)
    }

    /// Judges the samples of a prompt, of which the first `in_order` saw it as it is.
    fn group(
        &self,
        renderer: &Renderer,
        prompt: &Arc<Prepared>,
        rollouts: Vec<Rollout>,
        in_order: usize,
    ) -> Result<Group, String> {
        let asked = prompt.asked.as_ref().expect("rows of this phase are prepared with what was asked");
        let reply = |(i, rollout): (usize, &Rollout)| {
            let words = rollout.ids.len() - usize::from(rollout.is_finished);
            Reply {
                text: renderer.text(&rollout.ids[..words]),
                tokens: rollout.is_finished.then_some(rollout.ids.len()),
                is_shuffled: i >= in_order,
            }
        };
        let replies: Vec<Reply> = rollouts.iter().enumerate().map(reply).collect();
        let mut earned = self.judge.group(&asked.row, &replies)?;
        if self.recipe.overlong > 0 {
            for (earned, rollout) in earned.iter_mut().zip(&rollouts) {
                // An answer that was cut is longer than what was kept of it.
                let tokens = rollout.ids.len() + usize::from(!rollout.is_finished);
                let price = overlong(tokens, self.recipe.max_tokens, self.recipe.overlong);
                earned.reward += price;
                earned.parts.insert("overlong".into(), price);
            }
        }
        let mean = |of: &[Earned]| of.iter().map(|e| e.accuracy).sum::<f64>() / of.len().max(1) as f64;
        let (plain, shuffled) = earned.split_at(in_order);
        let bonus = match &self.recipe.temporal {
            Some(temporal) if temporal.form == Temporal::Contrast && !shuffled.is_empty() => {
                temporal.bonus * (mean(plain) - mean(shuffled)).max(0.0)
            }
            _ => 0.0,
        };
        Ok(Group { prompt: prompt.clone(), rollouts, replies, earned, learned: self.recipe.group, bonus })
    }

    /// Whether something can be learned from a group: its samples differ in what they earned, or nobody compares them.
    pub fn teaches(&self, group: &Group) -> bool {
        let learned = &group.earned[..group.learned];
        let differ = learned.iter().any(|earned| (earned.reward - learned[0].reward).abs() > 1e-9);
        let rewarded = group.bonus > 0.0 && learned.iter().any(|earned| earned.accuracy > 0.5);
        differ || rewarded || !self.recipe.algorithm.compares() || self.recipe.kl.weight > 0.0
    }

    /// Everything the updates of a step need, of judged groups. `left_out` counts groups without variance.
    pub fn round(&self, model: &mut Model, drawn: Vec<Drawn>, most: usize) -> Result<Round> {
        let mut round = Round::default();
        let (mut judged, mut failed, mut silent) = (Vec::new(), 0, 0);
        for drawn in drawn {
            round.features.extend(drawn.features);
            round.tokens += drawn.tokens;
            failed += drawn.failures.len();
            judged.extend(drawn.groups);
        }
        round.more = self.describe(&judged);
        let all = judged.len() + failed;
        for group in judged {
            match self.teaches(&group) {
                true if round.groups.len() < most => round.groups.push(group),
                true => {}
                false => silent += 1,
            }
        }
        round.more.insert("zero_variance".into(), f64::from(silent) / all.max(1) as f64);
        round.more.insert("reward_failures".into(), failed as f64);
        round.samples = samples(&round.groups);
        self.refer(model, &mut round)?;
        Ok(round)
    }

    /// Log-probabilities of all samples under the reference.
    fn refer(&self, model: &mut Model, round: &mut Round) -> Result<()> {
        if self.recipe.kl.weight == 0.0 {
            return Ok(());
        }
        let known = self.tower_rests.then_some(&round.features);
        let logs = match &self.reference {
            Some(reference) => self.logs(reference, &round.groups, known)?,
            None => model.beneath_adapter(|model| self.logs(model, &round.groups, known))?,
        };
        round.learned().zip(logs).for_each(|(sample, logs)| sample.reference = logs);
        Ok(())
    }

    /// Log-probability of every token of every learned sample of the groups.
    fn logs(
        &self,
        model: &Model,
        groups: &[Group],
        features: Option<&HashMap<Digest, Tensor>>,
    ) -> Result<Vec<Vec<f32>>> {
        let whole = wholes(groups, None);
        let examples: Vec<Example<'_>> =
            whole.iter().map(|(input, targets)| Example { input, targets }).collect();
        let find = |key: &Digest| features.and_then(|known| known.get(key).cloned());
        let training = Training {
            share_prefix: true,
            features: features.is_some().then_some(&find),
            matmul: self.precision,
            order: Order::One,
            ..Training::new(&|_| false)
        };
        let mut flat = model.log_probabilities(&examples, &training)?.into_iter();
        Ok(whole.iter().map(|(_, targets)| flat.by_ref().take(targets.len()).collect()).collect())
    }

    /// Loss and gradients of an update, the first of which finds the weights that sampled.
    pub fn update(
        &self,
        model: &Model,
        round: &mut Round,
        number: usize,
        (wanted, pass_tokens, recompute): (&HashSet<String>, usize, bool),
    ) -> Result<Made> {
        if number > 0 {
            let logs = self.logs(model, &round.groups, self.tower_rests.then_some(&round.features))?;
            round.learned().zip(logs).for_each(|(sample, logs)| sample.new = logs);
        }
        let features = self.tower_rests.then_some(&round.features);
        let judged = self.objective.judge(&round.samples);
        let learned = |(_, sample): &(&Vec<f32>, &Sample)| !sample.is_baseline;
        let slopes = judged.slopes.iter().zip(&round.samples).filter(learned).map(|(slopes, _)| slopes);
        let whole = wholes(&round.groups, Some(&mut slopes.into_iter()));
        let examples: Vec<Example<'_>> =
            whole.iter().map(|(input, targets)| Example { input, targets }).collect();
        let find = |key: &Digest| features.and_then(|known| known.get(key).cloned());
        let wanted = |key: &str| wanted.contains(key);
        let training = Training {
            recompute,
            features: features.is_some().then_some(&find),
            share_prefix: true,
            matmul: self.precision,
            order: Order::One,
            ..Training::new(&wanted)
        };
        let inputs: Vec<&ModelInput> = whole.iter().map(|(input, _)| input).collect();
        let (mut logs, mut gradients) = (Vec::new(), BTreeMap::new());
        for pass in pack(&inputs, pass_tokens, true) {
            logs.extend(model.loss_and_gradients_into(&examples[pass], &training, &mut gradients)?.logs);
        }
        let expected = round.samples.iter().filter(|s| !s.is_baseline).flat_map(|sample| &sample.new);
        let mismatch = logs.iter().zip(expected).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
        let mut more = round.more.clone();
        more.insert("mismatch".into(), mismatch);
        more.insert("kl".into(), judged.kl);
        more.insert("clipped".into(), judged.clipped);
        let scored = logs.len() as u64;
        Ok(Made { loss: judged.loss, gradients, tokens: round.tokens, scored, more })
    }

    /// What a step's samples are like, before any is left out.
    fn describe(&self, groups: &[Group]) -> BTreeMap<String, f64> {
        let learned = || groups.iter().flat_map(|group| (0..group.learned).map(move |i| (group, i)));
        let mean = |of: &dyn Fn(&Group, usize) -> f64| {
            learned().map(|(group, i)| of(group, i)).sum::<f64>() / learned().count().max(1) as f64
        };
        let mut more = BTreeMap::from([
            ("reward".to_owned(), mean(&|group, i| group.earned[i].reward)),
            ("accuracy".to_owned(), mean(&|group, i| group.earned[i].accuracy)),
            ("length".to_owned(), mean(&|group, i| group.rollouts[i].ids.len() as f64)),
            ("cut".to_owned(), mean(&|group, i| f64::from(u8::from(!group.rollouts[i].is_finished)))),
        ]);
        let deviations = groups.iter().map(|group| {
            let rewards: Vec<f64> = group.earned[..group.learned].iter().map(|e| e.reward).collect();
            moments(&rewards).1
        });
        more.insert("reward_deviation".into(), deviations.sum::<f64>() / groups.len().max(1) as f64);
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
        if self.recipe.temporal.is_some() {
            let bonuses = groups.iter().map(|group| group.bonus).sum::<f64>();
            more.insert("temporal_bonus".into(), bonuses / groups.len().max(1) as f64);
        }
        more
    }

    /// Greedy answers to prompts, judged: right or not from an accuracy on, with their rewards. `None` where no reward
    /// could judge.
    pub fn answer(
        &self,
        model: &Model,
        renderer: &Renderer,
        prompts: &[Arc<Prepared>],
    ) -> Result<Vec<Option<Earned>>> {
        let features = self.features(model, prompts.iter().map(|prompt| &prompt.input))?;
        let greedy = || vec![SamplingOptions::default()];
        let wanted: Vec<_> =
            prompts.iter().map(|prompt| Wanted { input: &prompt.input, samplings: greedy() }).collect();
        let rolled = self.roller(&features).roll(model, &wanted)?;
        let judge = |(prompt, rollouts): (&Arc<Prepared>, Vec<Rollout>)| {
            let rollout = rollouts.into_iter().next().expect("one sample was asked for");
            let words = rollout.ids.len() - usize::from(rollout.is_finished);
            let tokens = rollout.is_finished.then_some(rollout.ids.len());
            let reply = Reply { text: renderer.text(&rollout.ids[..words]), tokens, is_shuffled: false };
            let asked = prompt.asked.as_ref().expect("prepared with what was asked");
            self.judge.group(&asked.row, &[reply]).ok().and_then(|mut earned| earned.pop())
        };
        Ok(prompts.iter().zip(rolled).map(judge).collect())
    }
}

/// All samples of groups as algorithms see them.
fn samples(groups: &[Group]) -> Vec<Sample> {
    let mut all = Vec::new();
    for (number, group) in groups.iter().enumerate() {
        for (i, (rollout, earned)) in group.rollouts.iter().zip(&group.earned).enumerate() {
            all.push(Sample {
                group: number,
                reward: earned.reward,
                old: rollout.logs.clone(),
                new: rollout.logs.clone(),
                reference: Vec::new(),
                values: Vec::new(),
                bonus: if earned.accuracy > 0.5 { group.bonus } else { 0.0 },
                is_baseline: i >= group.learned,
            });
        }
    }
    all
}

/// Prompt and completion of the learned samples of groups, with a target for every sampled token. The gradient of a
/// target of weight `w` is that of `-w log p`, so a slope is a weight of the other sign.
fn wholes(
    groups: &[Group],
    mut slopes: Option<&mut dyn Iterator<Item = &Vec<f32>>>,
) -> Vec<(ModelInput, Vec<LossRow>)> {
    let mut all = Vec::new();
    for group in groups {
        let prompt = &group.prompt.input;
        for rollout in &group.rollouts[..group.learned] {
            let slopes = slopes.as_mut().map(|all| all.next().expect("slopes of every sample"));
            let (mut input, next) = (prompt.clone(), prompt.next_position());
            let row = |(i, &target): (usize, &u32)| {
                let weight = slopes.map_or(1.0, |slopes| -slopes[i]);
                LossRow { row: prompt.ids.len() - 1 + i, target, weight }
            };
            let targets = rollout.ids.iter().enumerate().map(row).collect();
            // The last token is only a target.
            let seen = &rollout.ids[..rollout.ids.len().saturating_sub(1)];
            input.ids.extend(seen);
            input.positions.extend((0..seen.len() as i32).map(|i| [next + i; 3]));
            all.push((input, targets));
        }
    }
    all
}

/// One seed of several numbers.
fn mix(parts: &[u64]) -> u64 {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_le_bytes()).collect();
    let hash = blake3::hash(&bytes);
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("a hash is longer"))
}
