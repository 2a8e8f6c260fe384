//! A loaded checkpoint and its whole-sequence forward pass, to the logits of every position. Serving with a cache
//! is `runner`'s, losses and gradients are `training`'s; this file has no cache and no scheduling.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::path::Path;

use candle_core::Tensor;
use firsthand_base::{Digest, ModelInput, VisionItem};

use crate::adapter::AdapterConfig;
use crate::backend;
use crate::config::Config;
use crate::decoder::config::DecoderConfig;
use crate::decoder::{Decoder, Keep};
use crate::error::{ModelError, Result};
use crate::layers::place_rows;
use crate::pack::{Group, Pack};
use crate::parts::parts;
use crate::plan::{Plan, Workload};
use crate::tower::Tower;
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
        Ok(Model { config: self.config, decoder, tower, unquantised, weights: self.weights, adapter: None })
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
    pub(crate) adapter: Option<AdapterConfig>,
}

parts!(Model { decoder, tower });

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
        let (pack, normed) = self.hidden(inputs)?;
        pack.segments
            .iter()
            .map(|segment| self.decoder.logits(&normed.narrow(0, segment.rows.start, segment.rows.len())?))
            .collect()
    }

    /// The normed hidden states of every position, and which row is whose.
    pub(crate) fn hidden(&self, inputs: &[&ModelInput]) -> Result<(Pack, Tensor)> {
        inputs.iter().try_for_each(|input| self.check(input))?;
        let pack = Pack::new(inputs, &Group::alone(inputs.len()));
        let embeds = self.embed(&pack, &self.all_features(inputs)?)?;
        let sequences = self.decoder.sequences(&pack.positions, pack.segments.clone());
        let (normed, _) = self.decoder.forward(embeds, &sequences, Keep::Nothing, 0)?;
        Ok((pack, normed))
    }

    /// The mean of the normed hidden states of every position, `[width]`.
    pub fn pooled(&self, input: &ModelInput) -> Result<Vec<f32>> {
        let (_, normed) = self.hidden(&[input])?;
        let rows = normed.to_vec2::<f32>()?;
        let mut mean = vec![0f64; rows[0].len()];
        for row in &rows {
            mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        Ok(mean.into_iter().map(|sum| (sum / rows.len() as f64) as f32).collect())
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

    pub(crate) fn tower(&self) -> Result<&Tower> {
        self.tower.as_ref().ok_or_else(|| {
            ModelError::Input(
                "the prompt shows an image or video to a text-only checkpoint; use a Qwen2-VL or Qwen2.5-VL one".into(),
            )
        })
    }

    /// Word embeddings of a pack, with features in their places.
    pub(crate) fn embed(&self, pack: &Pack, features: &BTreeMap<Digest, Tensor>) -> Result<Tensor> {
        let mut embeds = self.decoder.embed.layer.forward(&pack.ids)?;
        for (key, rows) in &pack.slots {
            let index: Vec<usize> = rows.clone().collect();
            place_rows(&mut embeds, &index, &features[key])?;
        }
        Ok(embeds)
    }

    /// Features of every item, by key.
    fn all_features(&self, inputs: &[&ModelInput]) -> Result<BTreeMap<Digest, Tensor>> {
        let mut features = BTreeMap::new();
        for item in inputs.iter().flat_map(|input| &input.vision) {
            if let Entry::Vacant(place) = features.entry(item.key) {
                place.insert(self.features(item)?);
            }
        }
        Ok(features)
    }

    /// Refuses inputs whose parts disagree, before a kernel would panic on them.
    pub(crate) fn check(&self, input: &ModelInput) -> Result<()> {
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
}
