//! A loaded checkpoint and its whole-sequence passes: logits of every position, and a loss with the gradients of
//! chosen parameters. Serving with a cache is `runner`'s; this file has no cache and no scheduling.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;

use candle_core::Tensor;
use firsthand_base::{Digest, ModelInput, VisionItem};

use crate::backend;
use crate::config::Config;
use crate::decoder::config::DecoderConfig;
use crate::decoder::{Decoder, Keep};
use crate::error::{ModelError, Result};
use crate::layers::{LossRow, add_rows, gather_rows, place_rows};
use crate::parts::Gradients;
use crate::plan::{Plan, Workload};
use crate::tower::{Tower, TowerTrail};
use crate::weights::{Dtype, Loader, Quantize, Weights, check_all};
use crate::{qwen2_5_vl, qwen2_vl};

/// How a checkpoint is held in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Number type of matrices.
    pub dtype: Dtype,
    /// Block format of the decoder's matrices; the rest keeps `dtype`.
    pub quantize: Option<Quantize>,
    /// `cpu` or `cuda`.
    pub device: String,
}

impl Default for LoadOptions {
    fn default() -> Self {
        LoadOptions { dtype: Dtype::Auto, quantize: None, device: "cpu".into() }
    }
}

/// A checkpoint directory that was opened and not yet loaded: sizes and names are known, no weight was read.
pub struct Checkpoint {
    /// Sizes.
    pub config: Config,
    /// Mapped files.
    pub weights: Weights,
}

impl Checkpoint {
    /// Reads config.json and maps the weight files.
    pub fn open(dir: &Path) -> Result<Checkpoint> {
        Ok(Checkpoint { config: Config::read(dir)?, weights: Weights::open(dir)? })
    }

    /// What running this checkpoint takes.
    pub fn plan(&self, options: &LoadOptions, workload: &Workload) -> Plan {
        Plan::new(&self.config, &self.weights, options, workload)
    }

    /// Makes the model, after checking that its weights fit.
    pub fn load(self, options: &LoadOptions) -> Result<Model> {
        backend::device(&options.device)?;
        self.plan(options, &Workload::default()).check()?;
        let mut loader = Loader::new(&self.weights, options.dtype, options.quantize);
        let decoder = Decoder::load(self.config.decoder(), &mut loader)?;
        let tower = match &self.config {
            Config::Qwen2(_) => None,
            Config::Qwen2Vl(config) => {
                Some(Tower::Qwen2(qwen2_vl::vision::Vision::load(config, &mut loader)?))
            }
            Config::Qwen2_5Vl(config) => {
                Some(Tower::Qwen2_5(qwen2_5_vl::vision::Vision::load(config, &mut loader)?))
            }
        };
        let unquantised = std::mem::take(&mut loader.unquantised);
        Ok(Model { config: self.config, decoder, tower, unquantised, weights: self.weights })
    }
}

/// A loaded checkpoint.
pub struct Model {
    /// Sizes.
    pub config: Config,
    /// The decoder.
    pub decoder: Decoder,
    /// The vision tower, where the checkpoint has one.
    pub tower: Option<Tower>,
    /// Matrices left unquantised although quantising was asked for: their sides do not suit ([`Quantize::takes`]).
    pub unquantised: Vec<String>,
    weights: Weights,
}

/// One sequence to learn from. A row's `target` is the token that should follow that row.
#[derive(Clone, Copy)]
pub struct Example<'a> {
    /// The sequence.
    pub input: &'a ModelInput,
    /// What is scored.
    pub targets: &'a [LossRow],
}

/// How a gradient is computed.
#[derive(Clone, Copy)]
pub struct Training<'a> {
    /// Which parameters, by checkpoint key. All others are frozen and cost nothing.
    pub wanted: &'a dyn Fn(&str) -> bool,
    /// Keep only each block's input and compute the rest again: slower by a third, 12 times less memory.
    pub recompute: bool,
}

/// Several inputs as one pack of rows.
struct Pack {
    embeds: Tensor,
    ids: Vec<u32>,
    positions: Vec<firsthand_base::Position>,
    segments: Vec<Range<usize>>,
    /// Rows of the pack that a vision item's features fill.
    slots: Vec<(Digest, Range<usize>)>,
    /// What each item's tower pass left. In order of keys, so that sums do not depend on the run.
    trails: BTreeMap<Digest, (TowerTrail, [usize; 2])>,
}

impl Model {
    /// Opens and loads a checkpoint directory.
    pub fn load(dir: &Path, options: &LoadOptions) -> Result<Model> {
        Checkpoint::open(dir)?.load(options)
    }

    /// Logits of every position, `[n, vocab]`.
    pub fn logits(&self, input: &ModelInput) -> Result<Tensor> {
        let mut all = self.logits_batch(&[input])?;
        Ok(all.pop().expect("one answer per input"))
    }

    /// Logits of every position of every input, computed in one pass.
    pub fn logits_batch(&self, inputs: &[&ModelInput]) -> Result<Vec<Tensor>> {
        let pack = self.pack(inputs, Keep::Nothing)?;
        let sequences = self.decoder.sequences(&pack.positions, pack.segments.clone());
        let (normed, _) = self.decoder.forward(pack.embeds, &sequences, Keep::Nothing, 0)?;
        pack.segments
            .iter()
            .map(|rows| self.decoder.logits(&normed.narrow(0, rows.start, rows.len())?))
            .collect()
    }

    /// Log-probability of every target, in order, without a gradient.
    pub fn log_probabilities(&self, examples: &[Example<'_>]) -> Result<Vec<f32>> {
        let inputs: Vec<_> = examples.iter().map(|example| example.input).collect();
        let pack = self.pack(&inputs, Keep::Nothing)?;
        let targets = self.targets(examples, &pack.segments)?;
        let sequences = self.decoder.sequences(&pack.positions, pack.segments);
        let (normed, _) = self.decoder.forward(pack.embeds, &sequences, Keep::Nothing, 0)?;
        self.decoder.log_probabilities(&normed, &targets)
    }

    /// The weighted cross-entropy of all targets, and the gradients of the wanted parameters by checkpoint key.
    /// A vision item that several examples share runs through the tower once.
    pub fn loss_and_gradients(
        &self,
        examples: &[Example<'_>],
        training: &Training<'_>,
    ) -> Result<(f64, BTreeMap<String, Tensor>)> {
        let mut grads = Gradients::new(training.wanted);
        let keep = if training.recompute { Keep::Inputs } else { Keep::All };
        let tower_wanted = self.tower.as_ref().is_some_and(|tower| tower.wanted(&grads));
        let inputs: Vec<_> = examples.iter().map(|example| example.input).collect();
        let mut pack = self.pack(&inputs, if tower_wanted { keep } else { Keep::Nothing })?;
        let targets = self.targets(examples, &pack.segments)?;
        let embeds_wanted = tower_wanted || self.decoder.embed.wanted(&grads);
        let from = self.decoder.first_wanted(embeds_wanted, &grads);
        let sequences = self.decoder.sequences(&pack.positions, pack.segments.clone());
        // Forward, the loss, and back.
        let embeds = pack.embeds.clone();
        let (normed, trail) = self.decoder.forward(embeds, &sequences, keep, from)?;
        let (loss, dnormed) = self.decoder.loss(&normed, &targets, &mut grads)?;
        let dx = self.decoder.backward(trail, &dnormed, &sequences, from, &mut grads)?;
        if embeds_wanted {
            self.backward_embeds(&mut pack, &dx, tower_wanted, &mut grads)?;
        }
        Ok((loss, grads.into_map()))
    }

    /// Reads every weight and reports the first that is not finite. Loading only samples.
    pub fn check_weights(&self) -> Result<()> {
        check_all(&self.weights)
    }

    /// The mapped files.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Features of one item, `[t*h*w / merge², width]`.
    pub fn features(&self, item: &VisionItem) -> Result<Tensor> {
        Ok(self.tower()?.forward(item, Keep::Nothing)?.0)
    }

    fn tower(&self) -> Result<&Tower> {
        self.tower.as_ref().ok_or_else(|| {
            ModelError::Input(
                "the prompt shows an image or video to a text-only checkpoint; use a Qwen2-VL or Qwen2.5-VL one".into(),
            )
        })
    }

    /// Embeds inputs one after another and puts vision features in their places.
    fn pack(&self, inputs: &[&ModelInput], keep: Keep) -> Result<Pack> {
        let (mut ids, mut positions, mut segments) = (Vec::new(), Vec::new(), Vec::new());
        for input in inputs {
            self.check(input)?;
            segments.push(ids.len()..ids.len() + input.ids.len());
            ids.extend_from_slice(&input.ids);
            positions.extend_from_slice(&input.positions);
        }
        let mut embeds = self.decoder.embed.layer.forward(&ids)?;
        let (mut slots, mut trails, mut features) = (Vec::new(), BTreeMap::new(), HashMap::new());
        for (input, segment) in inputs.iter().zip(&segments) {
            for item in &input.vision {
                let made = match features.entry(item.key) {
                    Entry::Occupied(made) => made.into_mut(),
                    Entry::Vacant(place) => {
                        let (made, trail) = self.tower()?.forward(item, keep)?;
                        if keep != Keep::Nothing {
                            trails.insert(item.key, (trail, made.dims2()?.into()));
                        }
                        place.insert(made)
                    }
                };
                let rows = segment.start + item.span.start..segment.start + item.span.end;
                let index: Vec<usize> = rows.clone().collect();
                place_rows(&mut embeds, &index, made)?;
                slots.push((item.key, rows));
            }
        }
        Ok(Pack { embeds, ids, positions, segments, slots, trails })
    }

    /// Refuses inputs whose parts disagree, before a kernel would panic on them.
    fn check(&self, input: &ModelInput) -> Result<()> {
        let n = input.ids.len();
        let refuse = |reason: String| Err(ModelError::Input(reason));
        if n == 0 {
            return refuse("an input without tokens".into());
        }
        if input.positions.len() != n {
            return refuse(format!("{n} tokens with {} positions", input.positions.len()));
        }
        let DecoderConfig { max_context, vocab_size: vocab, .. } = *self.config.decoder();
        if n > max_context {
            return refuse(format!(
                "{n} tokens are more than the checkpoint's context of {max_context}; use fewer frames or smaller pictures"
            ));
        }
        if let Some(id) = input.ids.iter().find(|&&id| id as usize >= vocab) {
            return refuse(format!(
                "token id {id} is outside the vocabulary of {vocab}; is the tokenizer of another checkpoint?"
            ));
        }
        for item in &input.vision {
            let expected = item.patch_count() / self.tower()?.sizes().merge_unit();
            let Range { start, end } = item.span;
            if start > end || end > n || end - start != expected {
                return refuse(format!("{expected} vision features for tokens {start}..{end} of {n}"));
            }
        }
        Ok(())
    }

    /// Targets of all examples as rows of the pack.
    fn targets(&self, examples: &[Example<'_>], segments: &[Range<usize>]) -> Result<Vec<LossRow>> {
        let vocab = self.config.decoder().vocab_size;
        let mut all = Vec::new();
        for (example, segment) in examples.iter().zip(segments) {
            for target in example.targets {
                if target.row >= segment.len() || target.target as usize >= vocab {
                    return Err(ModelError::Input(format!(
                        "target {} at row {} of {} tokens and a vocabulary of {vocab}",
                        target.target,
                        target.row,
                        segment.len()
                    )));
                }
                all.push(LossRow { row: segment.start + target.row, ..*target });
            }
        }
        Ok(all)
    }

    /// From the gradient of the embedded rows to the token table and the tower.
    fn backward_embeds(
        &self,
        pack: &mut Pack,
        dx: &Tensor,
        tower_wanted: bool,
        grads: &mut Gradients<'_>,
    ) -> Result<()> {
        let mut is_text = vec![true; pack.ids.len()];
        for (_, rows) in &pack.slots {
            is_text[rows.clone()].fill(false);
        }
        if self.decoder.embed.wanted(grads) {
            let rows: Vec<usize> = (0..is_text.len()).filter(|&row| is_text[row]).collect();
            let ids: Vec<u32> = rows.iter().map(|&row| pack.ids[row]).collect();
            self.decoder.embed.collect(&ids, &gather_rows(dx, &rows)?, grads)?;
        }
        if !tower_wanted {
            return Ok(());
        }
        for (key, (trail, shape)) in std::mem::take(&mut pack.trails) {
            let mut dfeatures = Tensor::zeros(&shape, candle_core::DType::F32, dx.device())?;
            let index: Vec<usize> = (0..shape[0]).collect();
            for (_, rows) in pack.slots.iter().filter(|(slot, _)| *slot == key) {
                add_rows(&mut dfeatures, &index, &dx.narrow(0, rows.start, rows.len())?)?;
            }
            self.tower()?.backward(trail, &dfeatures, grads)?;
        }
        Ok(())
    }
}

/// Targets of next-token prediction: each token of `scored` from the row before it, weighted to a mean.
/// The token at 0 follows nothing and is left out.
pub fn next_tokens(ids: &[u32], scored: Range<usize>) -> Vec<LossRow> {
    let scored = scored.start.max(1)..scored.end.min(ids.len());
    let weight = 1.0 / scored.len().max(1) as f32;
    scored.map(|i| LossRow { row: i - 1, target: ids[i], weight }).collect()
}
