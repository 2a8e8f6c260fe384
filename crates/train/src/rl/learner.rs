//! One step of reinforcement learning: prompts become judged groups of samples, and these a loss with its gradients.
//! The loop around steps and the update of weights are `run`'s.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use candle_core::Tensor;
use firsthand_base::{
    Begun, Conversation, Digest, ModelInput, Report, SamplingOptions, Silent, StopRules, Unit,
};
use firsthand_input::Renderer;
use firsthand_model::{Model, Precision, Training};

use super::algorithms::{Algorithm, Sample, advantages, overlong};
use super::critic::Critic;
use super::environment::Environments;
use super::judge::{Earned, Judge, Reply};
use super::objective::Objective;
use super::recipe::{RlRecipe, Temporal, ToolsRecipe};
use super::roller::{Roller, Wanted};
use super::rollout::Rollout;
use super::round::{Drawn, Group, NO_DEVIATION, Round, describe, samples, wholes};
use super::sampler::{Sampler, importance};
use super::trajectory::Tooling;
use super::views::{Known, examples};
use crate::error::{Result, TrainError};
use crate::example::question;
use crate::feed::{Asked, Prepared};
use crate::pack::pack;
use crate::phase::Made;

/// What a phase needs beside the model that learns.
pub struct Learner {
    pub(super) recipe: RlRecipe,
    objective: Objective,
    judge: Judge,
    /// The checkpoint the run started from, where the distance to it counts and no adapter can be taken off instead.
    pub(super) reference: Option<Model>,
    stop: StopRules,
    seed: u64,
    pub(super) precision: Precision,
    /// Whether the vision tower stays as it is.
    pub(super) tower_rests: bool,
    /// Of PPO.
    pub critic: Option<Critic>,
    /// Samples instead of the model in memory.
    pub sampler: Option<Arc<dyn Sampler>>,
    /// Whoever samples talk to.
    pub environments: Option<Arc<dyn Environments>>,
    /// Is told how far sampling is.
    pub report: Arc<dyn Report>,
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
            critic: None,
            sampler: None,
            environments: None,
            report: Arc::new(Silent),
        })
    }

    /// Samples prompts and judges the samples; `draw` makes the seeds differ between draws.
    pub fn draw(
        &self,
        model: &Model,
        renderer: &Renderer,
        prompts: &[Arc<Prepared>],
        draw: u64,
        stage: &mut dyn FnMut(Stage),
    ) -> Result<Drawn> {
        stage(Stage::Rollout);
        let inputs: Vec<(&ModelInput, Option<&ModelInput>)> =
            prompts.iter().map(|prompt| (&prompt.input, shuffled(prompt).map(|(_, input)| input))).collect();
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
            let row = &asked(&prompts[number]).row;
            let mut samplings = seeds(number, 0, group);
            if self.recipe.algorithm == Algorithm::Remax {
                samplings.push(SamplingOptions::default());
            }
            wanted.push(Wanted { input, row, samplings });
            if let (Some(input), Some(temporal)) = (shuffled, &self.recipe.temporal) {
                let count = temporal.samples.unwrap_or(group);
                wanted.push(Wanted { input, row, samplings: seeds(number, group, count) });
            }
        }
        let samples = wanted.iter().map(|want| want.samplings.len() as u64).sum();
        let sampling = Begun::new(&*self.report, "sampling", Some(samples), Unit::Things("samples"));
        let mut rolled = match &self.sampler {
            None => self.roller(&features, renderer).roll(model, &wanted)?.into_iter(),
            Some(sampler) => self.ask(sampler.as_ref(), prompts, &wanted)?.into_iter(),
        };
        drop(sampling);
        stage(Stage::Reward);
        let tokens = prompts.iter().map(|prompt| prompt.input.ids.len() as u64).sum::<u64>();
        let mut drawn = Drawn { features, tokens, ..Drawn::default() };
        for (prompt, (_, shuffled)) in prompts.iter().zip(&inputs) {
            let mut rollouts = rolled.next().expect("an answer for every prompt");
            let in_order = rollouts.len();
            if shuffled.is_some() && self.recipe.temporal.is_some() {
                rollouts.extend(rolled.next().expect("an answer for every shuffled prompt"));
            }
            drawn.tokens += rollouts.iter().map(|rollout| rollout.len() as u64).sum::<u64>();
            drawn.broken.extend(rollouts.iter().filter_map(Rollout::failure).map(str::to_owned));
            match self.group(renderer, prompt, rollouts, in_order) {
                Ok(group) => drawn.groups.push(group),
                Err(reason) => drawn.failures.push(asked(prompt).row.blame(reason)),
            }
        }
        if drawn.groups.is_empty() {
            // A step may draw many times until something can be judged.
            drawn.features.clear();
        }
        Ok(drawn)
    }

    /// Samples from elsewhere, for the prompts and shuffled prompts of `wanted`, in its order.
    fn ask(
        &self,
        sampler: &dyn Sampler,
        prompts: &[Arc<Prepared>],
        wanted: &[Wanted<'_>],
    ) -> Result<Vec<Vec<Rollout>>> {
        let mut samplings = wanted.iter().map(|want| want.samplings.clone());
        let mut all = Vec::new();
        for prompt in prompts {
            all.push((question(&asked(prompt).row), samplings.next().expect("one for each prompt")));
            if self.recipe.temporal.is_some()
                && let Some((shuffled, _)) = shuffled(prompt)
            {
                all.push((shuffled.clone(), samplings.next().expect("one for each shuffled prompt")));
            }
        }
        sampler.sample(&all, &self.stop).map_err(TrainError::Setup)
    }

    fn roller<'a>(&'a self, features: &'a HashMap<Digest, Tensor>, renderer: &'a Renderer) -> Roller<'a> {
        let tooling = |(environments, recipe): (&'a Arc<dyn Environments>, &ToolsRecipe)| Tooling {
            environments: environments.as_ref(),
            renderer,
            observation_tokens: recipe.observation_tokens,
            context: self.recipe.context(renderer.context_length()),
            wait_s: recipe.wait_s,
        };
        Roller {
            parallel: self.recipe.parallel,
            stop: self.stop.clone(),
            precision: self.precision,
            features,
            report: &*self.report,
            tooling: self.environments.as_ref().zip(self.recipe.tools.as_ref()).map(tooling),
        }
    }

    /// Judges the samples of a prompt, of which the first `in_order` saw it as it is. Samples whose environment failed
    /// are left out; where too few stay, the whole group is.
    fn group(
        &self,
        renderer: &Renderer,
        prompt: &Arc<Prepared>,
        mut rollouts: Vec<Rollout>,
        in_order: usize,
    ) -> Result<Group, String> {
        let works = |rollout: &Rollout| rollout.failure().is_none();
        let learned = rollouts[..self.recipe.group].iter().filter(|rollout| works(rollout)).count();
        let in_order = rollouts[..in_order].iter().filter(|rollout| works(rollout)).count();
        if let Some(reason) = rollouts.iter().find_map(Rollout::failure) {
            let least = if self.recipe.algorithm.compares() { 2 } else { 1 };
            if learned < least || !rollouts[self.recipe.group..].iter().all(works) {
                return Err(format!(
                    "of {} samples {learned} had tools that work: {reason}",
                    self.recipe.group
                ));
            }
            rollouts.retain(works);
        }
        let asked = asked(prompt);
        let reply = |(i, rollout)| Reply::new(renderer, rollout, i >= in_order);
        let replies: Vec<Reply> = rollouts.iter().enumerate().map(reply).collect();
        let mut earned = self.judge.group(&asked.row, &replies)?;
        if self.recipe.overlong > 0 {
            for (earned, rollout) in earned.iter_mut().zip(&rollouts) {
                // An answer that was cut is longer than what was kept of it.
                let tokens = rollout.len() + usize::from(!rollout.is_finished);
                let price = overlong(tokens, self.recipe.most_tokens(), self.recipe.overlong);
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
        Ok(Group { prompt: prompt.clone(), rollouts, replies, earned, learned, bonus })
    }

    /// Whether something can be learned from a group: its samples differ in what they earned, or nobody compares them.
    pub fn teaches(&self, group: &Group) -> bool {
        let learned = &group.earned[..group.learned];
        let rewarded = group.bonus > 0.0 && learned.iter().any(Earned::is_right);
        group.deviation() > NO_DEVIATION
            || rewarded
            || !self.recipe.algorithm.compares()
            || self.recipe.kl.weight > 0.0
    }

    /// Everything the updates of a step need, of at most so many of the judged groups.
    pub fn round(&self, model: &mut Model, drawn: Vec<Drawn>, most: usize) -> Result<Round> {
        let mut round = Round::default();
        let (mut judged, mut failed, mut broken) = (Vec::new(), 0, 0);
        for drawn in drawn {
            round.features.extend(drawn.features);
            round.tokens += drawn.tokens;
            failed += drawn.failures.len();
            broken += drawn.broken.len();
            judged.extend(drawn.groups);
        }
        round.more = describe(&judged);
        round.groups = judged.into_iter().filter(|group| self.teaches(group)).take(most).collect();
        round.more.insert("reward_failures".into(), failed as f64);
        if self.recipe.tools.is_some() {
            round.more.insert("environment_failures".into(), broken as f64);
        }
        round.samples = samples(&round.groups);
        self.correct(model, &mut round)?;
        self.refer(model, &mut round)?;
        self.value(model, &mut round)?;
        round.advantages = advantages(&round.samples, &self.objective);
        Ok(round)
    }

    /// Weighs samples from elsewhere by importance, and says how far they were off.
    fn correct(&self, model: &Model, round: &mut Round) -> Result<()> {
        if self.sampler.is_none() {
            return Ok(());
        }
        let logs = self.logs(model, &round.groups, self.tower_rests.then_some(&round.features))?;
        let (mut most, mut sum, mut count) = (0.0f64, 0.0, 0.0);
        for (sample, logs) in learned(&mut round.samples).zip(logs) {
            for (now, then) in logs.iter().zip(&sample.old) {
                let far = (f64::from(*now) - f64::from(*then)).abs();
                (most, sum, count) = (most.max(far), sum + far, count + 1.0);
            }
            sample.weights = importance(&logs, &sample.old);
            (sample.old, sample.new) = (logs.clone(), logs);
        }
        round.more.insert("sampler_mismatch".into(), most);
        round.more.insert("sampler_mismatch_mean".into(), sum / f64::max(count, 1.0));
        Ok(())
    }

    /// What the critic thinks of every token of the samples.
    fn value(&self, model: &Model, round: &mut Round) -> Result<()> {
        let Some(critic) = &self.critic else { return Ok(()) };
        let hidden = self.hidden(model, &round.groups, self.tower_rests.then_some(&round.features))?;
        let mut values = critic.values(&hidden).into_iter();
        for sample in learned(&mut round.samples) {
            sample.values = values.by_ref().take(sample.old.len()).collect();
        }
        Ok(())
    }

    /// The critic's step on some samples, before the policy's.
    fn teach_critic(
        &mut self,
        model: &Model,
        groups: &[Group],
        samples: &[Sample],
        known: Known<'_>,
    ) -> Result<f64> {
        let hidden = self.hidden(model, groups, known)?;
        let (objective, rate) = (&self.objective, self.recipe.critic_rate);
        Ok(self.critic.as_mut().map_or(0.0, |critic| critic.learn(samples, &hidden, objective, rate)))
    }

    /// Loss and gradients of an optimizer step, the first of which finds the weights that sampled.
    pub fn update(
        &mut self,
        model: &Model,
        round: &mut Round,
        number: usize,
        (wanted, pass_tokens, recompute): (&HashSet<String>, usize, bool),
    ) -> Result<Made> {
        // The share of the prompts that this step is on, and their samples.
        let (share, of) = (number % self.recipe.minibatches, self.recipe.minibatches);
        let count = round.groups.len();
        let groups = &round.groups[share * count / of..(share + 1) * count / of];
        let before: usize = round.groups[..share * count / of].iter().map(|g| g.rollouts.len()).sum();
        let within: usize = groups.iter().map(|group| group.rollouts.len()).sum();
        let samples = &mut round.samples[before..before + within];
        let features = self.tower_rests.then_some(&round.features);
        let beside = &round.beside[before..before + within];
        if number > 0 {
            let logs = self.logs(model, groups, features)?;
            learned(samples).zip(logs).for_each(|(sample, logs)| sample.new = logs);
            let far = self.distances(model, groups, features, beside)?;
            learned(samples).zip(far).for_each(|(sample, far)| sample.distances = far);
        }
        let critic_loss = match &self.critic {
            Some(_) => Some(self.teach_critic(model, groups, samples, features)?),
            None => None,
        };
        let judged = self.objective.judge(samples, &round.advantages[before..before + within]);
        let mut slopes =
            judged.slopes.iter().zip(&*samples).filter(|(_, s)| !s.is_baseline).map(|(slopes, _)| slopes);
        let whole = wholes(groups, Some(&mut slopes));
        let examples = examples(&whole);
        let find = |key: &Digest| features.and_then(|known| known.get(key).cloned());
        let wanted = |key: &str| wanted.contains(key);
        let training = Training { recompute, ..self.training(features.is_some().then_some(&find), &wanted) };
        let inputs: Vec<&ModelInput> = whole.iter().map(|(input, _)| input).collect();
        let (mut logs, mut gradients) = (Vec::new(), BTreeMap::new());
        let shares: Vec<f32> = judged
            .shares
            .into_iter()
            .zip(&*samples)
            .filter(|(_, s)| !s.is_baseline)
            .flat_map(|(shares, _)| shares)
            .collect();
        let beside = beside.concat();
        for pass in pack(&inputs, pass_tokens, true) {
            let distance =
                self.measures_all().then(|| self.distance(&beside, &shares).from(logs.len(), model));
            let training = Training { distance, ..training };
            logs.extend(model.loss_and_gradients_into(&examples[pass], &training, &mut gradients)?.logs);
        }
        let expected = samples.iter().filter(|sample| !sample.is_baseline).flat_map(|sample| &sample.new);
        let mismatch = logs.iter().zip(expected).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
        let mut more = round.more.clone();
        let found = [("mismatch", mismatch), ("kl", judged.kl), ("clipped", judged.clipped)];
        let found = found.into_iter().chain(critic_loss.map(|loss| ("critic_loss", loss)));
        more.extend(found.map(|(name, value)| (name.to_owned(), value)));
        let scored = logs.len() as u64;
        Ok(Made { loss: judged.loss, gradients, tokens: round.tokens, scored, more })
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
        fn greedy(prompt: &Arc<Prepared>) -> Wanted<'_> {
            Wanted {
                input: &prompt.input,
                row: &asked(prompt).row,
                samplings: vec![SamplingOptions::default()],
            }
        }
        let wanted: Vec<Wanted<'_>> = prompts.iter().map(greedy).collect();
        let rolled = self.roller(&features, renderer).roll(model, &wanted)?;
        let judge = |(prompt, rollouts): (&Arc<Prepared>, Vec<Rollout>)| {
            if rollouts[0].failure().is_some() {
                return None;
            }
            let reply = Reply::new(renderer, &rollouts[0], false);
            self.judge.group(&asked(prompt).row, &[reply]).ok().and_then(|mut earned| earned.pop())
        };
        Ok(prompts.iter().zip(rolled).map(judge).collect())
    }
}

/// What a step is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Sampling.
    Rollout,
    /// Judging samples.
    Reward,
    /// Log-probabilities and gradients.
    Backward,
    /// Moving the weights.
    Update,
    /// Writing a checkpoint, whose weights are on the disk under another name by now.
    Checkpoint,
}

fn asked(prompt: &Prepared) -> &Asked {
    prompt.asked.as_ref().expect("rows of this phase are prepared with what was asked")
}

/// The prompt with frames out of order, where there is one.
fn shuffled(prompt: &Prepared) -> Option<&(Conversation, ModelInput)> {
    asked(prompt).shuffled.as_ref()
}

pub(super) fn learned(samples: &mut [Sample]) -> impl Iterator<Item = &mut Sample> {
    samples.iter_mut().filter(|sample| !sample.is_baseline)
}

/// One seed of several numbers.
fn mix(parts: &[u64]) -> u64 {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_le_bytes()).collect();
    let hash = blake3::hash(&bytes);
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("a hash is longer"))
}
