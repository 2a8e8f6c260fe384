//! The TOML that fixes a run. Everything a recipe can get wrong by itself is found here, before anything is opened;
//! an unknown key is an error that names the nearest known one. Paths are relative to where the program runs.

mod check;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use firsthand_input::{RenderOptions, TextAfter, VideoTime};
use serde::{Deserialize, Serialize};

use crate::data::SourceConfig;
use crate::error::{Result, TrainError};
use crate::init::NewModel;
use crate::optimizer::AdamW;
use crate::rl::RlRecipe;
use crate::schedule::{Decay, Schedule};
use crate::vision_words::WorldPairs;
use text::{explain, flatten};

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Folder of checkpoints, metrics and the final model.
    pub output: PathBuf,
    /// Fixes the order of the data and whatever else is drawn.
    #[serde(default)]
    pub seed: u64,
    /// What is trained.
    pub model: ModelRecipe,
    /// Train a low-rank adapter instead of the weights.
    pub adapter: Option<AdapterRecipe>,
    /// Where rows come from.
    #[serde(default, rename = "source")]
    pub sources: Vec<SourceConfig>,
    /// How rows are treated.
    #[serde(default)]
    pub data: DataRecipe,
    /// The only phase of a recipe without `[[phase]]`.
    pub train: Option<PhaseRecipe>,
    /// The phases in order.
    #[serde(default, rename = "phase")]
    pub phases: Vec<PhaseRecipe>,
    /// Checkpoints.
    #[serde(default)]
    pub save: SaveRecipe,
    /// Metrics.
    #[serde(default)]
    pub log: LogRecipe,
}

/// What is trained: an existing checkpoint, or a new one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecipe {
    /// A checkpoint directory, or `owner/name` of one that was downloaded.
    pub start: Option<String>,
    /// Sizes of a checkpoint to be made.
    pub new: Option<NewModel>,
    /// How weights are stored during training.
    #[serde(default)]
    pub dtype: DtypeRecipe,
    /// Holds the decoder's matrices quantised under an adapter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantize: Option<QuantizeRecipe>,
    /// What matrix products round their inputs to.
    #[serde(default)]
    pub matmul: MatmulRecipe,
    /// How Qwen2.5-VL is told the time between frames.
    #[serde(default)]
    pub time: TimeRecipe,
    /// Where text continues after a medium.
    #[serde(default)]
    pub text_after: TextAfter,
}

/// Seconds between frame pairs in the positions of Qwen2.5-VL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeRecipe {
    /// The true time.
    #[default]
    Absolute,
    /// One second, with which Video-R1 was trained.
    Constant,
}

/// Storage of weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DtypeRecipe {
    /// As in the checkpoint's files.
    #[default]
    Auto,
    /// Single precision.
    F32,
    /// Half the memory in the passes; the optimizer keeps f32 masters of what is trained.
    Bf16,
}

/// Block format of the weights under an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QuantizeRecipe {
    /// 8 bits.
    #[serde(rename = "q8_0")]
    Q8_0,
    /// 4.5 bits.
    #[serde(rename = "q4_k")]
    Q4K,
}

/// Arithmetic of matrix products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatmulRecipe {
    /// bf16 where the processor multiplies it, f32 elsewhere. The bits of a run then depend on the processor.
    #[default]
    Auto,
    /// Single precision.
    F32,
    /// Inputs rounded to bf16, sums in f32; as f32 where the processor has no bf16 products.
    Bf16,
}

/// A low-rank adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterRecipe {
    /// Rank of the update of each matrix.
    #[serde(default = "eight")]
    pub rank: usize,
    /// Its scale is `alpha / rank`.
    #[serde(default = "sixteen")]
    pub alpha: f64,
    /// Last part of the names of the matrices that get one.
    #[serde(default = "projections")]
    pub targets: Vec<String>,
    /// A PEFT adapter folder to continue from, instead of a fresh one.
    pub start: Option<PathBuf>,
}

/// How rows are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataRecipe {
    /// What a row that cannot be used does.
    pub on_bad_row: OnBadRow,
}

/// What a row that cannot be used does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnBadRow {
    /// It is named, counted and left out.
    #[default]
    Skip,
    /// It ends the run before it begins.
    Stop,
}

/// What a phase does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseKind {
    /// Supervised fine-tuning on rows.
    #[default]
    Sft,
    /// Dense word labels on every patch of frames of simulated homes.
    VisionWords,
    /// Reinforcement learning on what the model itself says.
    Rl,
}

/// Learning rates of the three parts; 0 freezes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// The vision tower without its merger.
    pub vision: f64,
    /// From the tower to the decoder.
    pub merger: f64,
    /// The decoder, token table and head among it.
    pub language: f64,
    /// Whether the recipe named the parts one by one; a part that the checkpoint lacks is then an error.
    #[serde(skip)]
    pub named: bool,
}

/// One phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseRecipe {
    /// For messages and metrics.
    #[serde(default)]
    pub name: String,
    /// What it does.
    #[serde(default)]
    pub kind: PhaseKind,
    /// Optimizer steps; or `epochs`.
    pub steps: Option<u64>,
    /// Passes over the rows of the sources.
    pub epochs: Option<f64>,
    /// Items of one optimizer step before `accumulate`: rows; media with `questions`; frame pairs of `vision-words`;
    /// prompts of `rl`.
    #[serde(default = "one")]
    pub batch: usize,
    /// A step sums the gradients of this many batches.
    #[serde(default = "one")]
    pub accumulate: usize,
    /// Most tokens of one forward and backward pass; longer rows pass alone. Bounds memory. No row sees another of its
    /// pass, but which rows share one decides in what order their gradients are added, and how many rows a product has
    /// decides its kernel: losses of two settings agree to about 1e-7 with `matmul = "f32"` and 1e-3 with bf16 products,
    /// and runs drift apart from there. So it is one of the settings by which runs are told apart.
    #[serde(default = "pass_tokens")]
    pub pass_tokens: usize,
    /// Names of the sources; all if left out.
    pub sources: Option<Vec<String>>,
    /// One rate for all that is trained, or `{ vision, merger, language }`.
    pub learning_rate: Rates,
    /// Pulls matrices towards zero; norms and biases are exempt.
    #[serde(default)]
    pub weight_decay: f64,
    /// Decay of AdamW's first and second moment.
    #[serde(default = "betas")]
    pub betas: [f64; 2],
    /// AdamW's epsilon.
    #[serde(default = "epsilon")]
    pub epsilon: f64,
    /// Steps of the linear warm-up; or `warm_up_ratio`.
    pub warm_up_steps: Option<u64>,
    /// Warm-up as a share of the phase.
    pub warm_up_ratio: Option<f64>,
    /// What follows the warm-up.
    #[serde(default)]
    pub schedule: Decay,
    /// Share of the phase after which the decay begins.
    #[serde(default)]
    pub decay_from: f64,
    /// The last learning rate as a share of the highest.
    #[serde(default)]
    pub min_ratio: f64,
    /// Longest gradient over all parameters; longer ones are shortened.
    pub clip: Option<f64>,
    /// Compute the inside of blocks again in the backward pass: a third slower, a twelfth of the memory.
    #[serde(default = "yes")]
    pub recompute: bool,
    /// Encode each medium once and keep its features; for phases whose vision tower and merger are frozen.
    #[serde(default)]
    pub cache_features: bool,
    /// Most rows about one medium that stand side by side and share the work on it.
    pub questions: Option<usize>,
    /// Parameters that stay as they are whatever their part's rate: beginnings of checkpoint keys, as in
    /// `["model.embed_tokens"]`.
    #[serde(default)]
    pub freeze: Vec<String>,
    /// Steps in a row without a finite gradient that end the run; fewer are skipped.
    #[serde(default = "max_skipped")]
    pub max_skipped: u32,
    /// Frames of a `vision-words` phase.
    pub pairs: Option<WorldPairs>,
    /// Samples, rewards and algorithm of an `rl` phase.
    pub rl: Option<RlRecipe>,
}

/// Checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SaveRecipe {
    /// Steps between checkpoints, counted over all phases; one is written at the end of each phase too.
    pub every: u64,
    /// Checkpoints kept; the oldest go.
    pub keep: usize,
    /// Number type of the final model.
    pub dtype: DtypeRecipe,
}

/// Metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogRecipe {
    /// Steps between lines of metrics.
    pub every: u64,
    /// Write TensorBoard events beside metrics.jsonl.
    pub tensorboard: bool,
}

impl Default for SaveRecipe {
    fn default() -> Self {
        SaveRecipe { every: 500, keep: 2, dtype: DtypeRecipe::Auto }
    }
}

impl Default for LogRecipe {
    fn default() -> Self {
        LogRecipe { every: 1, tensorboard: true }
    }
}

fn one() -> usize {
    1
}
fn eight() -> usize {
    8
}
fn sixteen() -> f64 {
    16.0
}
fn projections() -> Vec<String> {
    ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"].map(str::to_owned).to_vec()
}
fn pass_tokens() -> usize {
    8192
}
fn betas() -> [f64; 2] {
    [0.9, 0.999]
}
fn epsilon() -> f64 {
    1e-8
}
fn yes() -> bool {
    true
}
fn max_skipped() -> u32 {
    10
}

impl Recipe {
    /// Reads and checks a recipe file.
    pub fn read(file: &Path) -> Result<Recipe> {
        let text = firsthand_base::json::text(fs_err::read(file)?);
        let recipe = text.and_then(|text| Recipe::parse(&text));
        recipe.map_err(|reason| TrainError::Recipe { file: file.to_owned(), reason })
    }

    /// Reads and checks a recipe; the error is one line.
    pub fn parse(text: &str) -> Result<Recipe, String> {
        let mut recipe: Recipe = toml::from_str(text).map_err(|error| explain(text, &error))?;
        recipe.settle()?;
        recipe.check()?;
        Ok(recipe)
    }

    /// One way to say each thing: `[train]` becomes the only phase, every phase has a name.
    fn settle(&mut self) -> Result<(), String> {
        match (self.train.take(), self.phases.is_empty()) {
            (Some(only), true) => self.phases.push(only),
            (None, false) => {}
            (Some(_), false) => {
                return Err("[train] and [[phase]] are both given; [train] is the only phase of a recipe without [[phase]]".into());
            }
            (None, true) => return Err("no [train] and no [[phase]]: nothing is trained; add one".into()),
        }
        let single = self.phases.len() == 1;
        for (at, phase) in self.phases.iter_mut().enumerate() {
            if phase.name.is_empty() {
                phase.name = if single { "train".to_owned() } else { format!("phase {}", at + 1) };
            }
        }
        Ok(())
    }

    /// How prompts are built.
    pub fn render_options(&self) -> RenderOptions {
        let time = match self.model.time {
            TimeRecipe::Absolute => VideoTime::Absolute,
            TimeRecipe::Constant => VideoTime::Constant(1.0),
        };
        RenderOptions { time, text_after: self.model.text_after, ..RenderOptions::default() }
    }

    /// Every setting that shapes the result, by name. Where it is written and what is logged is not among them.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        flatten(String::new(), &serde_json::to_value(self).expect("a recipe is plain data"), &mut all);
        all.retain(|key, _| key != "output" && !key.starts_with("save.") && !key.starts_with("log."));
        all
    }

    /// The sources of a phase, in the recipe's order.
    pub fn sources_of(&self, phase: &PhaseRecipe) -> Vec<SourceConfig> {
        let held_out = |source: &SourceConfig| {
            let mut all = self.phases.iter().filter_map(|phase| phase.rl.as_ref()?.held_out.as_ref());
            all.any(|held_out| held_out.source == source.name)
        };
        let named = |source: &&SourceConfig| match &phase.sources {
            Some(names) => names.contains(&source.name),
            None => !held_out(source),
        };
        self.sources.iter().filter(named).cloned().collect()
    }
}

impl PhaseRecipe {
    /// The optimizer's constants.
    pub fn adam_w(&self) -> AdamW {
        AdamW { beta1: self.betas[0], beta2: self.betas[1], epsilon: self.epsilon }
    }

    /// Learning rate factors of a phase of `steps` steps.
    pub fn schedule_of(&self, steps: u64) -> Schedule {
        let ratio = self.warm_up_ratio.map(|ratio| (ratio * steps as f64).ceil() as u64);
        let warm_up = self.warm_up_steps.or(ratio).unwrap_or(0);
        Schedule {
            steps,
            warm_up,
            decay: self.schedule,
            decay_from: self.decay_from,
            min_ratio: self.min_ratio,
        }
    }

    /// Items of one optimizer step.
    pub fn step_items(&self) -> usize {
        self.batch * self.accumulate
    }
}

#[cfg(test)]
#[path = "recipe_tests.rs"]
mod tests;
