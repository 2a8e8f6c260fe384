//! What a recipe says about a phase of reinforcement learning, and what it can get wrong by itself. Values only.

use std::path::{Path, PathBuf};

use firsthand_agent::{Budgets, Prompt};
use firsthand_base::SamplingOptions;
use firsthand_tasks::Kind;
use firsthand_tasks::reward::{self, Mode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::algorithms::Algorithm;
use super::objective::{Averaging, Clip, Estimator, KlPlace, KlRecipe, Objective};

/// A phase of reinforcement learning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RlRecipe {
    /// How rewards become advantages.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// Samples of each prompt.
    #[serde(default = "eight")]
    pub group: usize,
    /// Most tokens of a sample; with tools, of one turn.
    #[serde(default = "most_tokens")]
    pub max_tokens: usize,
    /// Most tokens of a prompt; a longer one is refused, never cut. 0: as many as leave room for `max_tokens`.
    #[serde(default)]
    pub max_prompt: usize,
    /// Sampling temperature. Log-probabilities are those of temperature 1, as in the published trainers.
    #[serde(default = "one")]
    pub temperature: f32,
    /// Smallest set of likeliest tokens that has this probability; 1 keeps all.
    #[serde(default = "one")]
    pub top_p: f32,
    /// Likeliest tokens that are kept; 0 keeps all. Hugging Face's silent default, and so Video-R1's, is 50.
    #[serde(default)]
    pub top_k: usize,
    /// Samples generated at the same time.
    #[serde(default = "parallel")]
    pub parallel: usize,
    /// Passes over the samples of one step.
    #[serde(default = "once")]
    pub updates: usize,
    /// Optimizer steps of one pass, each on its share of the prompts.
    #[serde(default = "once")]
    pub minibatches: usize,
    /// Bounds of the ratio; the algorithm's own where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Clip>,
    /// How tokens are averaged; the algorithm's own where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub averaging: Option<Averaging>,
    /// Whether advantages are divided by the deviation of their group; the algorithm's own where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divide: Option<bool>,
    /// Added to that deviation.
    #[serde(default = "divide_epsilon")]
    pub divide_epsilon: f64,
    /// Discount from a token to the one before.
    #[serde(default = "one_f64")]
    pub gamma: f64,
    /// Decay of the critic's errors from a token to the one before (PPO).
    #[serde(default = "one_f64")]
    pub lambda: f64,
    /// Learning rate of the critic (PPO).
    #[serde(default = "critic_rate")]
    pub critic_rate: f64,
    /// Steps in which the critic learns alone (PPO).
    #[serde(default)]
    pub critic_warm_up: u64,
    /// Distance to the reference, which is the checkpoint the run starts from.
    #[serde(default)]
    pub kl: KlRecipe,
    /// Batches of prompts that a step may draw in place of groups without variance; 0 replaces none.
    #[serde(default)]
    pub refill: usize,
    /// Tokens before `max_tokens` over which an answer's length begins to cost, up to 1; 0 for no price (DAPO).
    #[serde(default)]
    pub overlong: usize,
    /// Rollouts over shuffled frames beside those in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temporal: Option<TemporalRecipe>,
    /// Tools that samples may call, turn by turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<ToolsRecipe>,
    /// What samples earn: the weighted sum.
    #[serde(default, rename = "reward")]
    pub rewards: Vec<RewardRecipe>,
    /// Questions that are asked before the phase, during it and after it, and never learned from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out: Option<HeldOutRecipe>,
    /// Steps between groups of samples written as text; 0 writes none.
    #[serde(default = "ten")]
    pub show_every: u64,
}

/// One reward of `firsthand score --list`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardRecipe {
    /// Its name.
    pub name: String,
    /// Whether published faults count.
    #[serde(default)]
    pub mode: Mode,
    /// Its weight in the sum.
    #[serde(default = "one_f64")]
    pub weight: f64,
    /// Kinds of answer it judges; all if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<Kind>>,
    /// Published constants to be replaced.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
}

/// T-GRPO: what order is worth is learned from samples over shuffled frames.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemporalRecipe {
    /// What the shuffled samples are compared for.
    #[serde(default)]
    pub form: Temporal,
    /// Samples over shuffled frames. Left out: as many as in order, so that the two means are as sure as each other.
    /// Video-R1: half of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// What is shuffled. Every prompt of every step gets an order of its own, never the true one.
    #[serde(default)]
    pub level: Level,
    /// `contrast`: what a group is worth more whose accuracy falls with the order, at most.
    #[serde(default = "bonus")]
    pub bonus: f64,
}

/// What of a video changes its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Frames.
    #[default]
    Frame,
    /// Temporal patches: the two frames of one stay together, so that motion within it is still seen.
    Patch,
}

/// Tools, and what a dialogue with them may cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolsRecipe {
    /// The memory that the tool `rag` looks into, or a folder of memories with somebody's days in each. Published
    /// databases become one by `firsthand memory import`.
    pub memory: PathBuf,
    /// Records that one search shows.
    #[serde(default = "top")]
    pub top: usize,
    /// Turns, tokens and seconds of a dialogue; the defaults are the published evaluation's.
    #[serde(default)]
    pub budgets: Budgets,
    /// Which words come before the question.
    #[serde(default)]
    pub prompt: Prompt,
    /// Most tokens of an observation; a longer one is cut, its closing mark kept.
    #[serde(default = "observation_tokens")]
    pub observation_tokens: usize,
    /// Most tokens of a dialogue; the oldest observations make room for more. 0: as many as the model takes.
    #[serde(default)]
    pub context: usize,
    /// Seconds after which tools that do not answer have failed.
    #[serde(default = "wait_s")]
    pub wait_s: f64,
}

/// Forms of T-GRPO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Temporal {
    /// As published: right answers earn a bonus when the group is at least as accurate in order; it is paid by the
    /// reward `video-r1`. Where all right answers earn the same, normalisation over the group takes it out again.
    #[default]
    Compatible,
    /// After normalisation, the advantages of a group's right answers grow by `bonus` times what its accuracy loses
    /// when frames are shuffled: it lasts whatever else the group earned.
    Contrast,
}

/// Questions for periodic evaluation, greedily answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldOutRecipe {
    /// Name of a source; phases that name no sources leave it out.
    pub source: String,
    /// Steps between evaluations; 0 asks before and after the phase only.
    #[serde(default)]
    pub every: u64,
    /// An answer is right from this accuracy (overlap, for boxes and spans) on.
    #[serde(default = "half")]
    pub right_from: f64,
    /// Where the results go; default: `results.json` in the output folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results: Option<PathBuf>,
}

impl HeldOutRecipe {
    /// Where the results of a run go.
    pub fn path(&self, output: &Path) -> PathBuf {
        self.results.clone().unwrap_or_else(|| output.join("results.json"))
    }
}

fn top() -> usize {
    3
}
fn observation_tokens() -> usize {
    2048
}
fn wait_s() -> f64 {
    420.0
}
fn eight() -> usize {
    8
}
fn once() -> usize {
    1
}
fn ten() -> u64 {
    10
}
fn parallel() -> usize {
    64
}
fn most_tokens() -> usize {
    768
}
fn one() -> f32 {
    1.0
}
fn one_f64() -> f64 {
    1.0
}
fn half() -> f64 {
    0.5
}
fn divide_epsilon() -> f64 {
    1e-4
}
fn critic_rate() -> f64 {
    1e-2
}
fn bonus() -> f64 {
    0.3
}

impl RlRecipe {
    /// The loss this phase minimises.
    pub fn objective(&self) -> Objective {
        let own = Objective::new(self.algorithm, self.most_tokens());
        Objective {
            clip: self.ratio.unwrap_or(own.clip),
            averaging: self.averaging.unwrap_or(own.averaging),
            divides: self.divide.unwrap_or(own.divides),
            divide_epsilon: self.divide_epsilon,
            gamma: self.gamma,
            lambda: self.lambda,
            kl: self.kl,
            place: self.kl.place.unwrap_or(own.place),
            ..own
        }
    }

    /// Most tokens of a whole sample.
    pub fn most_tokens(&self) -> usize {
        match &self.tools {
            None => self.max_tokens,
            Some(ToolsRecipe { budgets: Budgets { tokens: 0, turns, .. }, .. }) => self.max_tokens * turns,
            Some(tools) => tools.budgets.tokens,
        }
    }

    /// Most tokens of a prompt for a model that takes `context`.
    pub fn most_prompt(&self, context: usize) -> Result<usize, String> {
        let context = self.context(context);
        let room = context.saturating_sub(self.max_tokens);
        if room == 0 {
            return Err(format!(
                "rl.max_tokens: {} leave no room for a prompt in a context of {context}; give fewer",
                self.max_tokens
            ));
        }
        Ok(if self.max_prompt > 0 { room.min(self.max_prompt) } else { room })
    }

    /// Most tokens of prompt and sample together for a model that takes `most`.
    pub fn context(&self, most: usize) -> usize {
        match self.tools.as_ref().map_or(0, |tools| tools.context) {
            0 => most,
            context => context.min(most),
        }
    }

    /// How tokens are drawn, but for the seed.
    pub fn sampling(&self) -> SamplingOptions {
        let SamplingOptions { repetition_penalty, .. } = SamplingOptions::default();
        let RlRecipe { temperature, top_k, top_p, .. } = *self;
        SamplingOptions { temperature, top_k, top_p, repetition_penalty, seed: 0 }
    }

    /// Refuses what no data could make right.
    pub fn check(&self) -> Result<(), String> {
        if self.algorithm.compares() && self.group < 2 {
            let name = serde_json::to_value(self.algorithm).expect("a name");
            return Err(format!(
                "rl.group: {}: {name} compares the samples of a prompt; give at least 2",
                self.group
            ));
        }
        for (name, share) in [("gamma", self.gamma), ("lambda", self.lambda)] {
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("rl.{name}: {share}; give 0 to 1"));
            }
        }
        let counts = [("group", self.group), ("max_tokens", self.max_tokens), ("parallel", self.parallel)];
        for (name, count) in
            counts.into_iter().chain([("updates", self.updates), ("minibatches", self.minibatches)])
        {
            if count == 0 {
                return Err(format!("rl.{name}: 0; give at least 1"));
            }
        }
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err(format!(
                "rl.temperature: {}; samples of a prompt must differ, give a number above 0",
                self.temperature
            ));
        }
        if self.overlong > 0 && self.overlong >= self.most_tokens() {
            return Err(format!(
                "rl.overlong: {} tokens of at most {}; give fewer",
                self.overlong,
                self.most_tokens()
            ));
        }
        self.check_tools()?;
        if !(self.kl.weight.is_finite() && self.kl.weight >= 0.0) {
            return Err(format!("rl.kl.weight: {}; give 0 or more", self.kl.weight));
        }
        if self.kl.weight == 0.0 && self.kl != KlRecipe::default() {
            return Err(
                "rl.kl: its weight is 0, so nothing of it counts; give a weight or leave kl out".into()
            );
        }
        if self.kl.estimator == Estimator::Full && self.kl.clamp != 0.0 {
            return Err("rl.kl.clamp: the estimator full compares whole distributions and has no single q - p to hold; leave clamp out, or bound the distance with most".into());
        }
        if self.kl.place == Some(KlPlace::Loss) && self.algorithm == Algorithm::ReinforcePp {
            return Err("rl.kl.place: reinforce++ prices the distance in the reward; leave place out".into());
        }
        self.check_rewards()
    }

    fn check_tools(&self) -> Result<(), String> {
        let Some(tools) = &self.tools else { return Ok(()) };
        if self.temporal.is_some() {
            return Err("rl.temporal: frames are shuffled in prompts that show a video, and prompts with tools show none; leave temporal or tools out".into());
        }
        if tools.memory.as_os_str().is_empty() || tools.top == 0 {
            return Err("rl.tools: nothing to look into; name a memory, and a top of at least 1".into());
        }
        if tools.budgets.turns == 0 {
            return Err("rl.tools.budgets.turns: 0; give at least 1, the answer included".into());
        }
        for (name, seconds) in [("wait_s", tools.wait_s), ("budgets.seconds", tools.budgets.seconds)] {
            if !(seconds.is_finite() && seconds >= 0.0) {
                return Err(format!("rl.tools.{name}: {seconds}; give seconds"));
            }
        }
        if tools.wait_s == 0.0 {
            return Err("rl.tools.wait_s: 0; give the seconds after which a tool has failed".into());
        }
        if tools.context > 0 && tools.context <= self.max_tokens {
            return Err(format!(
                "rl.tools.context: {} tokens leave no room beside a turn of {}; give more, or lower max_tokens",
                tools.context, self.max_tokens
            ));
        }
        Ok(())
    }

    fn check_rewards(&self) -> Result<(), String> {
        if self.rewards.is_empty() {
            return Err("rl.reward: samples earn nothing; add [[train.rl.reward]] with a name of `firsthand score --list`".into());
        }
        for entry in &self.rewards {
            reward::named(&entry.name, entry.mode, &entry.settings)
                .map_err(|error| format!("rl.reward: {error}"))?;
            if !entry.weight.is_finite() {
                return Err(format!("rl.reward {}: weight {}; give a number", entry.name, entry.weight));
            }
        }
        if let Some(temporal) = &self.temporal {
            if temporal.samples == Some(0) {
                return Err(
                    "rl.temporal.samples: 0; give at least 1, or leave samples out for as many as the group"
                        .into(),
                );
            }
            let published = self.rewards.iter().any(|entry| entry.name == "video-r1");
            if temporal.form == Temporal::Compatible && !published {
                return Err("rl.temporal: the published bonus is paid by the reward video-r1; add it, or set form = \"contrast\"".into());
            }
        }
        Ok(())
    }
}
