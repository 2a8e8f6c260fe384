//! What a training run takes in memory, stated before it starts and compared with what the machine has. An upper
//! estimate from sizes alone: nothing is loaded for it.

use std::fmt;

use firsthand_model::plan::available;
use firsthand_model::weights::published;
use firsthand_model::{Checkpoint, Dtype, LoadOptions, Part, Workload};

use crate::error::{Result, TrainError};
use crate::phase::rate_of;
use crate::recipe::{PhaseKind, Recipe};

/// Tokens of one of the model's packs; only longer rows make larger ones.
const PACK_TOKENS: usize = 1024;

/// Bytes by purpose, of the phase that takes most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Weights.
    pub weights: u64,
    /// Gradients of what is trained.
    pub gradients: u64,
    /// Two moments of what is trained.
    pub moments: u64,
    /// f32 masters of trained weights that are stored in bf16.
    pub masters: u64,
    /// Activations kept for the backward pass.
    pub activations: u64,
    /// Pictures of the batches that are prepared ahead.
    pub pictures: u64,
    /// The checkpoint that the distance of a policy is measured to.
    pub reference: u64,
    /// Keys and values of the samples that are generated together.
    pub cache: u64,
    /// Features of frozen towers that may be kept in memory.
    pub features: u64,
    /// What the machine has left, if that can be told.
    pub available: Option<u64>,
}

impl MemoryPlan {
    /// The needs of a recipe on a checkpoint.
    pub fn new(checkpoint: &Checkpoint, recipe: &Recipe, load: &LoadOptions) -> MemoryPlan {
        let plan = checkpoint.plan(load, &Workload::default());
        let base =
            MemoryPlan { weights: plan.mapped + plan.owned, available: available(), ..MemoryPlan::default() };
        let phases = (0..recipe.phases.len()).map(|at| base.with_phase(checkpoint, recipe, load, at));
        let mut most = phases.max_by_key(MemoryPlan::total).unwrap_or(base);
        if recipe.phases.iter().any(|phase| phase.cache_features) {
            // A quarter of what is left; the rest goes to disk.
            most.features = most.available.unwrap_or(4 << 30).saturating_sub(most.total()) / 4;
        }
        most
    }

    fn with_phase(
        mut self,
        checkpoint: &Checkpoint,
        recipe: &Recipe,
        load: &LoadOptions,
        at: usize,
    ) -> MemoryPlan {
        let phase = &recipe.phases[at];
        let (mut trained, mut rounded) = (0u64, 0u64);
        for (name, _, entry) in checkpoint.weights.tensors() {
            let part = Part::of(&published(&name));
            if rate_of(&phase.learning_rate, part) == 0.0 {
                continue;
            }
            let elements: u64 = entry.shape.iter().map(|&side| side as u64).product();
            let count = match &recipe.adapter {
                None => elements,
                Some(adapter) => {
                    let target = name.strip_suffix(".weight").and_then(|name| name.rsplit('.').next());
                    let is_target =
                        target.is_some_and(|target| adapter.targets.iter().any(|one| one == target));
                    let sides: usize = entry.shape.iter().sum();
                    if is_target { (adapter.rank * sides) as u64 } else { 0 }
                }
            };
            trained += count;
            let is_bf16 = match load.dtype {
                Dtype::Auto => format!("{:?}", entry.dtype) == "BF16",
                Dtype::F32 => false,
                Dtype::Bf16 => true,
            };
            rounded += if is_bf16 && entry.shape.len() > 1 && recipe.adapter.is_none() { count } else { 0 };
        }
        (self.gradients, self.moments, self.masters) = (4 * trained, 8 * trained, 4 * rounded);
        let decoder = checkpoint.config.decoder();
        let tokens = phase.pass_tokens.min(decoder.max_context).max(PACK_TOKENS.min(phase.pass_tokens));
        let (heads, kv) = (decoder.heads * decoder.head_dim, decoder.kv_heads * decoder.head_dim);
        // The stream, its middle, queries, attention, keys, values, gate, up and their product; all f32.
        let inside = 4 * (decoder.hidden_size + 2 * heads + 2 * kv + 3 * decoder.intermediate_size);
        let blocks = |count: usize, width: usize, inside: usize| match phase.recompute {
            // Twice the inside: the pass back through a block makes as much again.
            true => count * 4 * width + 2 * inside,
            false => count * (4 * width + inside) + inside,
        };
        let logits = 2 * 4 * 256 * decoder.vocab_size;
        let mut activations = logits;
        if let Some(rl) = &phase.rl {
            self.reference = if rl.kl.weight > 0.0 && recipe.adapter.is_none() { self.weights } else { 0 };
            // Samples of a prompt share it; keys and values are f32.
            let samples = match &rl.tools {
                Some(_) => rl.parallel * rl.context(decoder.max_context),
                None => rl.parallel * rl.max_tokens + phase.batch.min(rl.parallel) * tokens,
            };
            self.cache = (samples * decoder.layers * 2 * kv * 4) as u64;
        }
        if phase.kind != PhaseKind::VisionWords {
            activations +=
                tokens.min(phase.pass_tokens) * blocks(decoder.layers, decoder.hidden_size, inside);
        }
        if let Some(tower) = checkpoint.config.tower() {
            let unit = tower.merge_unit();
            let patches = match (&phase.pairs, phase.kind) {
                (Some(pairs), PhaseKind::VisionWords) => {
                    phase.batch * pairs.size[0] * pairs.size[1] / (14 * 14)
                }
                _ => tokens * unit,
            };
            let inside = 4 * (7 * tower.width + 3 * checkpoint.config.tower_inner());
            let rates = &phase.learning_rate;
            let is_trained = rates.vision.max(rates.merger) > 0.0;
            let layers = if is_trained { tower.depth } else { 1 };
            activations += patches * blocks(layers, tower.width, inside);
            self.pictures = (4 * 4 * patches * tower.patch_len()) as u64;
        }
        self.activations = activations as u64;
        self
    }

    /// Everything.
    pub fn total(&self) -> u64 {
        self.weights
            + self.gradients
            + self.moments
            + self.masters
            + self.activations
            + self.pictures
            + self.reference
            + self.cache
            + self.features
    }

    /// Refuses what does not fit.
    pub fn check(&self) -> Result<()> {
        match self.available {
            Some(available) if self.total() > available => Err(TrainError::Memory(format!(
                "not enough memory: {self}, but {:.2} GB is available; {}",
                available as f64 / 1e9,
                self.remedy()
            ))),
            _ => Ok(()),
        }
    }

    fn remedy(&self) -> &'static str {
        let state = self.gradients + self.moments + self.masters;
        if state >= self.activations.max(self.weights) {
            "train fewer parts (learning_rate), or an [adapter]"
        } else if self.cache >= self.activations.max(self.weights) {
            "lower parallel, max_tokens or pass_tokens"
        } else if self.activations + self.pictures >= self.weights {
            "set recompute = true and lower pass_tokens or the frames and pixels of the sources"
        } else {
            "use dtype = \"bf16\", a smaller checkpoint, or a machine with more memory"
        }
    }
}

impl fmt::Display for MemoryPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "weights {:.2} GB", self.weights as f64 / 1e9)?;
        for (name, bytes) in [
            ("gradients", self.gradients),
            ("moments", self.moments),
            ("masters", self.masters),
            ("activations", self.activations),
            ("pictures", self.pictures),
            ("reference", self.reference),
            ("cache", self.cache),
            ("features", self.features),
        ] {
            if bytes > 0 {
                write!(f, " + {name} {:.2}", bytes as f64 / 1e9)?;
            }
        }
        write!(f, " = {:.2} GB", self.total() as f64 / 1e9)
    }
}
