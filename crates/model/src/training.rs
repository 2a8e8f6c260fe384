//! The loss of examples and the gradients of chosen parameters. A batch is cut into packs of some rows, whose
//! gradients add up: the same sums as in one piece, in less memory and closer to the cache. Updates of
//! parameters are the caller's.

use std::collections::BTreeMap;
use std::ops::Range;

use candle_core::{DType, Device, Tensor};
use firsthand_base::{Digest, ModelInput, VisionItem};

use crate::backend::{Order, Precision};
use crate::decoder::Keep;
use crate::error::{ModelError, Result};
use crate::layers::{Beside, LossRow, Scores, add_rows, gather_rows};
use crate::model::Model;
use crate::pack::{Group, Pack};
use crate::parts::{Gradients, Parts};
use crate::tower::TowerTrail;

/// Rows of one pack, if a single group of examples is not longer.
const PACK_ROWS: usize = 1024;

/// One sequence to learn from. A row's `target` is the token that should follow that row.
#[derive(Clone, Copy)]
pub struct Example<'a> {
    /// The sequence.
    pub input: &'a ModelInput,
    /// What is scored.
    pub targets: &'a [LossRow],
}

/// What a pass found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loss {
    /// The weighted cross-entropy of all targets.
    pub total: f64,
    /// Log-probability of every target, in order.
    pub logs: Vec<f32>,
    /// Distance of every target's row to a reference, where one was asked for.
    pub distances: Vec<f32>,
}

/// A distance to a reference model over the whole vocabulary, `Σ p ln(p / q)` at each target's row. Neither matrix of
/// logits is ever whole.
#[derive(Clone, Copy)]
pub struct Distance<'a> {
    /// The reference; `None` for the model itself without its adapter.
    pub reference: Option<&'a Model>,
    /// [`Model::hidden_states`] of the same examples by the reference.
    pub hidden: &'a [f32],
    /// What each target's distance counts in the loss; ignored where only distances are asked for.
    pub shares: &'a [f32],
}

impl<'a> Distance<'a> {
    /// The same for the targets from `first` on.
    #[must_use]
    pub fn from(self, first: usize, model: &Model) -> Distance<'a> {
        let width = self.reference.unwrap_or(model).decoder.head.layer.inputs();
        Distance { hidden: &self.hidden[first * width..], shares: &self.shares[first..], ..self }
    }

    /// The targets from `first` on, under `model`.
    fn beside<'b>(&'b self, model: &'b Model, first: usize, count: usize) -> Result<Beside<'b>>
    where
        'a: 'b,
    {
        let head = &self.reference.unwrap_or(model).decoder.head.layer;
        let (width, of) = (head.inputs(), first..first + count);
        let (have, rows) = (self.hidden.len() / width, of.end);
        if have < rows || self.shares.len() < rows || head.outputs() != model.decoder.head.layer.outputs() {
            return Err(ModelError::Input(format!(
                "{have} hidden states of a reference with {} tokens and {} shares for {rows} targets of a model with {}; take them of the same examples, from a model of the same vocabulary",
                head.outputs(),
                self.shares.len(),
                model.decoder.head.layer.outputs()
            )));
        }
        let hidden = &self.hidden[of.start * width..of.end * width];
        Ok(Beside { head, hidden, shares: &self.shares[of] })
    }
}

/// Finds features by the key of their item.
pub type Known<'a> = &'a dyn Fn(&Digest) -> Option<Tensor>;

/// How a gradient is computed.
#[derive(Clone, Copy)]
pub struct Training<'a> {
    /// Which parameters, by checkpoint key. All others are frozen and cost nothing.
    pub wanted: &'a dyn Fn(&str) -> bool,
    /// Keep only each block's input and compute the rest again: slower by a third, 12 times less memory.
    pub recompute: bool,
    /// Features that were computed before, `[t*h*w / merge², width]` by the item's key, for a tower that does not
    /// learn: it does not run for an item found here, and its parameters get no gradient from it. Such an item's
    /// patches may be empty.
    pub features: Option<Known<'a>>,
    /// Compute what neighbouring examples begin with once. The result is the same.
    pub share_prefix: bool,
    /// Precision of all products, backward ones too. Weights, activations and sums stay f32.
    pub matmul: Precision,
    /// Order of the sums of the decoder's forward pass.
    pub order: Order,
    /// A distance that the loss counts too.
    pub distance: Option<Distance<'a>>,
}

impl<'a> Training<'a> {
    /// The gradients of `wanted` parameters, in the plainest way.
    pub fn new(wanted: &'a dyn Fn(&str) -> bool) -> Self {
        Training {
            wanted,
            recompute: false,
            features: None,
            share_prefix: false,
            matmul: Precision::F32,
            order: Order::Fastest,
            distance: None,
        }
    }

    fn keep(&self) -> Keep {
        if self.recompute { Keep::Inputs } else { Keep::All }
    }
}

/// The vision items of a batch, by key: in an order that does not depend on the run.
#[derive(Default)]
struct Items {
    features: BTreeMap<Digest, Tensor>,
    /// Tower passes to go back through, with the gradient of what they gave.
    trails: BTreeMap<Digest, (TowerTrail, Tensor)>,
}

impl Model {
    /// Log-probability of every target, in order, without a gradient: nothing is `wanted`, whatever `training` says.
    pub fn log_probabilities(&self, examples: &[Example<'_>], training: &Training<'_>) -> Result<Vec<f32>> {
        let mut logs = Vec::new();
        self.each_pack(examples, training, &mut |normed, targets| {
            logs.extend(self.decoder.log_probabilities(normed, targets)?);
            Ok(())
        })?;
        Ok(logs)
    }

    /// Distance of every target's row to the reference of `training`, in order, without a gradient.
    pub fn distances(&self, examples: &[Example<'_>], training: &Training<'_>) -> Result<Vec<f32>> {
        let Some(distance) = training.distance else { return Ok(Vec::new()) };
        let mut all = Vec::new();
        self.each_pack(examples, training, &mut |normed, targets| {
            let beside = distance.beside(self, all.len(), targets.len())?;
            all.extend(self.decoder.distances(normed, targets, &beside)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// The last hidden state, normed, that every target is predicted from, `[targets, width]` flat, without a gradient.
    pub fn hidden_states(&self, examples: &[Example<'_>], training: &Training<'_>) -> Result<Vec<f32>> {
        let mut states = Vec::new();
        self.each_pack(examples, training, &mut |normed, targets| {
            let rows: Vec<usize> = targets.iter().map(|target| target.row).collect();
            states.extend(gather_rows(normed, &rows)?.flatten_all()?.to_vec1::<f32>()?);
            Ok(())
        })?;
        Ok(states)
    }

    /// The decoder's forward pass over examples, pack by pack: the last hidden states of all rows, and the targets
    /// among them.
    fn each_pack(
        &self,
        examples: &[Example<'_>],
        training: &Training<'_>,
        see: &mut dyn FnMut(&Tensor, &[LossRow]) -> Result<()>,
    ) -> Result<()> {
        let work = || {
            let inputs: Vec<_> = examples.iter().map(|example| example.input).collect();
            inputs.iter().try_for_each(|input| self.check(input))?;
            let items = self.items(&inputs, training, &Gradients::new(&|_| false))?;
            for groups in packs(&groups(&inputs, training), &inputs) {
                let members = groups[0].inputs.start..groups[groups.len() - 1].inputs.end;
                let pack = Pack::new(&inputs, groups);
                let targets = self.targets(&examples[members], &pack)?;
                let embeds = self.embed(&pack, &items.features)?;
                let sequences = self.decoder.sequences(&pack.positions, pack.segments.clone());
                let (normed, _) = self.decoder.forward(embeds, &sequences, Keep::Nothing, 0)?;
                see(&normed, &targets)?;
            }
            Ok(())
        };
        training.matmul.scope(|| training.order.scope(work))
    }

    /// The weighted cross-entropy of all targets, and the gradients of the wanted parameters by checkpoint key.
    /// A vision item that several examples share runs through the tower once.
    pub fn loss_and_gradients(
        &self,
        examples: &[Example<'_>],
        training: &Training<'_>,
    ) -> Result<(Loss, BTreeMap<String, Tensor>)> {
        let mut gradients = BTreeMap::new();
        let loss = self.loss_and_gradients_into(examples, training, &mut gradients)?;
        Ok((loss, gradients))
    }

    /// [`Model::loss_and_gradients`] that adds to gradients which are there, in place. After an error they are
    /// partly added to.
    pub fn loss_and_gradients_into(
        &self,
        examples: &[Example<'_>],
        training: &Training<'_>,
        gradients: &mut BTreeMap<String, Tensor>,
    ) -> Result<Loss> {
        let mut grads = Gradients::over(training.wanted, std::mem::take(gradients));
        let add = || self.add_gradients(examples, training, &mut grads);
        let loss = training.matmul.scope(|| training.order.scope(add));
        *gradients = grads.into_map();
        loss
    }

    fn add_gradients(
        &self,
        examples: &[Example<'_>],
        training: &Training<'_>,
        grads: &mut Gradients<'_>,
    ) -> Result<Loss> {
        let inputs: Vec<_> = examples.iter().map(|example| example.input).collect();
        inputs.iter().try_for_each(|input| self.check(input))?;
        self.check_adapter()?;
        // 1. Features of every item
        let mut items = self.items(&inputs, training, grads)?;
        // 2. Decoder, forward and back, pack by pack
        let groups = groups(&inputs, training);
        let mut loss = Loss::default();
        for groups in packs(&groups, &inputs) {
            let members = groups[0].inputs.start..groups[groups.len() - 1].inputs.end;
            let pack = Pack::new(&inputs, groups);
            let targets = self.targets(&examples[members], &pack)?;
            let first = loss.logs.len();
            let beside = training.distance.as_ref();
            let beside = beside.map(|distance| distance.beside(self, first, targets.len())).transpose()?;
            let (logs, far) = self.add_pack(&pack, &targets, beside.as_ref(), training, &mut items, grads)?;
            let terms = targets.iter().zip(&logs);
            loss.total -= terms.map(|(row, log)| f64::from(row.weight) * f64::from(*log)).sum::<f64>();
            let shares = beside.iter().flat_map(|beside| beside.shares);
            loss.total +=
                shares.zip(&far).map(|(share, far)| f64::from(*share) * f64::from(*far)).sum::<f64>();
            loss.logs.extend(logs);
            loss.distances.extend(far);
        }
        // 3. Back through the tower
        for (trail, dfeatures) in items.trails.into_values() {
            self.tower()?.backward(trail, &dfeatures, grads)?;
        }
        Ok(loss)
    }

    /// One pass of the decoder, forward and back; gives the log-probabilities and the distances.
    fn add_pack(
        &self,
        pack: &Pack,
        targets: &[LossRow],
        beside: Option<&Beside<'_>>,
        training: &Training<'_>,
        items: &mut Items,
        grads: &mut Gradients<'_>,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let embeds_wanted = !items.trails.is_empty() || self.decoder.embed.wanted(grads);
        let from = self.decoder.first_wanted(embeds_wanted, grads);
        let embeds = self.embed(pack, &items.features)?;
        let mut sequences = self.decoder.sequences(&pack.positions, pack.segments.clone());
        // Rows without a target are only attended to: the end of the last block is not computed for them.
        let mut scored: Vec<usize> = targets.iter().map(|target| target.row).collect();
        scored.sort_unstable();
        scored.dedup();
        let place = |row| scored.binary_search(&row).expect("every target's row is scored");
        let targets: Vec<LossRow> =
            targets.iter().map(|target| LossRow { row: place(target.row), ..*target }).collect();
        sequences.wanted = (scored.len() < pack.ids.len()).then_some(scored);
        let (normed, trail) = self.decoder.forward(embeds, &sequences, training.keep(), from)?;
        let Scores { logs, distances, dhidden } = self.decoder.loss(&normed, &targets, beside, grads)?;
        let dx = self.decoder.backward(trail, &dhidden, &sequences, from, grads)?;
        if embeds_wanted {
            self.backward_embeds(pack, &dx, items, grads)?;
        }
        Ok((logs, distances))
    }

    /// Finds or computes the features of every item.
    fn items(&self, inputs: &[&ModelInput], training: &Training<'_>, grads: &Gradients<'_>) -> Result<Items> {
        let tower_wanted = self.tower.as_ref().is_some_and(|tower| tower.wanted(grads));
        let keep = if tower_wanted { training.keep() } else { Keep::Nothing };
        let mut items = Items::default();
        for item in inputs.iter().flat_map(|input| &input.vision) {
            if items.features.contains_key(&item.key) {
                continue;
            }
            let features = match training.features.and_then(|known| known(&item.key)) {
                Some(features) => self.known(item, features)?,
                None => {
                    let (features, trail) = self.tower()?.forward(item, keep)?;
                    if tower_wanted {
                        let zeros = Tensor::zeros(features.shape(), DType::F32, &Device::Cpu)?;
                        items.trails.insert(item.key, (trail, zeros));
                    }
                    features
                }
            };
            items.features.insert(item.key, features);
        }
        Ok(items)
    }

    /// Refuses features that are not of an item.
    fn known(&self, item: &VisionItem, features: Tensor) -> Result<Tensor> {
        let expected = [item.span.len(), self.config.decoder().hidden_size];
        if features.dims() != expected || features.dtype() != DType::F32 {
            return Err(ModelError::Input(format!(
                "known features of item {} are {:?} of {:?}, expected {expected:?} of F32; compute them again with this checkpoint",
                item.key,
                features.dims(),
                features.dtype()
            )));
        }
        Ok(features)
    }

    /// Targets of all examples as rows of the pack.
    fn targets(&self, examples: &[Example<'_>], pack: &Pack) -> Result<Vec<LossRow>> {
        let vocab = self.config.decoder().vocab_size;
        let mut all = Vec::new();
        for (example, place) in examples.iter().zip(&pack.places) {
            for target in example.targets {
                let row = place.row(target.row).filter(|_| (target.target as usize) < vocab);
                let Some(row) = row else {
                    return Err(ModelError::Input(format!(
                        "target {} at row {} of {} tokens and a vocabulary of {vocab}",
                        target.target,
                        target.row,
                        example.input.ids.len()
                    )));
                };
                all.push(LossRow { row, ..*target });
            }
        }
        Ok(all)
    }

    /// From the gradient of the embedded rows to the token table and to the features.
    fn backward_embeds(
        &self,
        pack: &Pack,
        dx: &Tensor,
        items: &mut Items,
        grads: &mut Gradients<'_>,
    ) -> Result<()> {
        for (key, rows) in &pack.slots {
            if let Some((_, dfeatures)) = items.trails.get_mut(key) {
                let index: Vec<usize> = (0..rows.len()).collect();
                add_rows(dfeatures, &index, &dx.narrow(0, rows.start, rows.len())?)?;
            }
        }
        if !self.decoder.embed.wanted(grads) {
            return Ok(());
        }
        let mut is_text = vec![true; pack.ids.len()];
        for (_, rows) in &pack.slots {
            is_text[rows.clone()].fill(false);
        }
        let rows: Vec<usize> = (0..is_text.len()).filter(|&row| is_text[row]).collect();
        let ids: Vec<u32> = rows.iter().map(|&row| pack.ids[row]).collect();
        self.decoder.embed.collect(&ids, &gather_rows(dx, &rows)?, grads)
    }
}

/// Which inputs compute their beginning together.
fn groups(inputs: &[&ModelInput], training: &Training<'_>) -> Vec<Group> {
    if training.share_prefix { Group::sharing(inputs) } else { Group::alone(inputs.len()) }
}

/// Cuts groups into runs of at most [`PACK_ROWS`] rows, or of one group.
fn packs<'a>(groups: &'a [Group], inputs: &[&ModelInput]) -> Vec<&'a [Group]> {
    let (mut packs, mut start, mut rows) = (Vec::new(), 0, 0);
    for (i, group) in groups.iter().enumerate() {
        let more = group.rows(inputs);
        if i > start && rows + more > PACK_ROWS {
            packs.push(&groups[start..i]);
            (start, rows) = (i, 0);
        }
        rows += more;
    }
    if start < groups.len() {
        packs.push(&groups[start..]);
    }
    packs
}

/// Targets of next-token prediction: each token of `scored` from the row before it, weighted to a mean.
/// The token at 0 follows nothing and is left out.
pub fn next_tokens(ids: &[u32], scored: Range<usize>) -> Vec<LossRow> {
    let scored = scored.start.max(1)..scored.end.min(ids.len());
    let weight = 1.0 / scored.len().max(1) as f32;
    scored.map(|i| LossRow { row: i - 1, target: ids[i], weight }).collect()
}
