//! Teaches a vision tower to speak the decoder's words before the decoder listens: pairs of frames of the simulated
//! home, where every merged patch should point at the token rows of what it shows (kind, colour, place in the
//! picture, depth, motion). The token table stays as it is. Knows no question and no answer.

mod label;
mod pairs;

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use firsthand_base::VisionKind;
use firsthand_input::Renderer;
use firsthand_model::Model;
use firsthand_model::decoder::Keep;
use firsthand_model::layers::{Buffer, Linear, RmsNorm, Weight};
use firsthand_model::parts::Gradients;
use serde::{Deserialize, Serialize};

use crate::error::{Result, TrainError};
pub use label::{GROUPS, Label, words};
pub use pairs::{Batch, Pairs};

/// How sharply a patch must point: logits are this times the dot product of a patch of unit mean square and a row.
const SHARPNESS: f32 = 2.0;

/// What a recipe says about the phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldPairs {
    /// Worlds `[first, end)`.
    pub seeds: [u64; 2],
    /// Frame width and height, pixels: multiples of 28.
    #[serde(default = "size")]
    pub size: [usize; 2],
}

fn size() -> [usize; 2] {
    [224, 168]
}

/// The words of all groups as rows of the token table.
pub struct VisionWords {
    /// `[words, width]`
    table: Linear,
    norm: RmsNorm,
    /// Columns of each group.
    groups: Vec<std::ops::Range<usize>>,
}

/// How a step went.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Sum over the groups of their mean cross-entropies.
    pub loss: f64,
    /// Share of the weight that points at the likeliest word, per group; `None` where a batch had none.
    pub hits: Vec<Option<f64>>,
}

impl VisionWords {
    /// Looks the words up in a checkpoint's tokenizer. An error names the first that is not one token.
    pub fn new(model: &Model, renderer: &Renderer) -> Result<VisionWords> {
        let table = model.read("model.embed_tokens.weight")?;
        let width = model.config.decoder().hidden_size;
        let (mut rows, mut groups) = (Vec::new(), Vec::new());
        for group in words() {
            let start = rows.len() / width;
            for word in group {
                // As a text spells it: words after a space, digits for themselves.
                let spaced = if word.parse::<u32>().is_ok() { word.clone() } else { format!(" {word}") };
                let ids = renderer.tokenizer().encode(&spaced)?;
                let &[id] = ids.as_slice() else {
                    return Err(TrainError::Setup(format!(
                        "the tokenizer has no token for {spaced:?}, which a vision-words phase points at; \
                         make the checkpoint with its words"
                    )));
                };
                rows.extend_from_slice(&table[id as usize * width..][..width]);
            }
            groups.push(start..rows.len() / width);
        }
        let count = rows.len() / width;
        let table = Linear::new(Weight::F32(Buffer::from(rows)), None, count, width)?;
        let weight = Tensor::full(SHARPNESS, width, &Device::Cpu)?;
        Ok(VisionWords { table, norm: RmsNorm { weight, epsilon: 1e-6 }, groups })
    }

    /// One pass over a batch: the loss, and the gradients of the wanted parameters of the tower.
    pub fn gradients(
        &self,
        model: &Model,
        renderer: &Renderer,
        batch: &Batch,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<(Outcome, BTreeMap<String, Tensor>)> {
        // All pairs as one video: slices of time do not see each other in this family's tower.
        let item = renderer.vision_item(VisionKind::Video, &batch.pictures)?;
        let tower = model.tower.as_ref().ok_or_else(|| {
            TrainError::Setup("a vision-words phase needs a checkpoint with a vision tower".into())
        })?;
        let (features, trail) = tower.forward(&item, Keep::All)?;
        let normed = self.norm.forward(&features)?;
        let logits = self.table.forward(&normed)?;
        let (outcome, dlogits) = self.score(&logits, &batch.labels)?;
        let back = || -> candle_core::Result<Tensor> {
            let dnormed = self.table.backward_input(&dlogits)?;
            self.norm.backward(&features, &dnormed, None)
        };
        let mut grads = Gradients::new(wanted);
        tower.backward(trail, &back()?, &mut grads)?;
        Ok((outcome, grads.into_map()))
    }

    /// Cross-entropy of each group against its shares, and the gradient of the sum, `[n, words]`.
    fn score(&self, logits: &Tensor, labels: &[Label]) -> Result<(Outcome, Tensor)> {
        let read = || logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
        let mut values = read()?;
        let columns = self.table.outputs();
        assert_eq!(values.len(), labels.len() * columns, "one label per merged patch");
        let mut outcome = Outcome { loss: 0.0, hits: Vec::new() };
        for (index, (group, columns_of)) in GROUPS.iter().zip(&self.groups).enumerate() {
            let total: f32 = labels.iter().map(|label| label.weight[index]).sum();
            let (mut loss, mut hit) = (0.0, 0.0);
            for (row, label) in values.chunks_exact_mut(columns).zip(labels) {
                let share = label.weight[index] / total.max(1e-9);
                let row = &mut row[columns_of.clone()];
                if share == 0.0 {
                    row.fill(0.0);
                    continue;
                }
                let (entropy, right) = cross_entropy(row, &label.shares[index], share * group.weight);
                loss += f64::from(entropy);
                hit += if right { f64::from(share) } else { 0.0 };
            }
            outcome.loss += loss;
            outcome.hits.push((total > 0.0).then_some(hit));
        }
        let shape = (labels.len(), columns);
        let gradient = Tensor::from_vec(values, shape, &Device::Cpu)?;
        Ok((outcome, gradient))
    }
}

/// Turns one row of logits into the gradient of `weight * -Σ share log p`; gives that loss, and whether the likeliest
/// column is the one with the largest share.
fn cross_entropy(row: &mut [f32], shares: &[(usize, f32)], weight: f32) -> (f32, bool) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let guess = row.iter().position(|&x| x == largest);
    let sum: f32 = row.iter().map(|x| (x - largest).exp()).sum();
    let log_sum = largest + sum.ln();
    let loss: f32 = shares.iter().map(|&(column, share)| share * (log_sum - row[column])).sum();
    row.iter_mut().for_each(|x| *x = weight * (*x - log_sum).exp());
    for &(column, share) in shares {
        row[column] -= weight * share;
    }
    let best = shares.iter().max_by(|a, b| a.1.total_cmp(&b.1)).map(|best| best.0);
    (weight * loss, guess.is_some() && guess == best)
}

#[cfg(test)]
mod tests;
