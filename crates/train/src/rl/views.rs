//! Forward passes over samples: what the policy and its reference think of every token that was sampled, with the order
//! of sums of the rollouts. Nothing is learned here.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use candle_core::Tensor;
use firsthand_base::{Digest, ModelInput};
use firsthand_model::layers::LossRow;
use firsthand_model::{Distance, Example, Model, Order, Training};

use super::learner::{Learner, learned};
use super::objective::Estimator;
use super::round::{Group, Round, wholes};
use crate::error::Result;

/// Features by the key of their item, where the tower that made them is at rest.
pub(super) type Known<'a> = Option<&'a HashMap<Digest, Tensor>>;

impl Learner {
    /// Features of the items of some inputs, each computed once.
    pub(super) fn features<'a>(
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

    /// What the reference says of all samples.
    pub(super) fn refer(&self, model: &mut Model, round: &mut Round) -> Result<()> {
        round.beside = vec![Vec::new(); round.samples.len()];
        if self.recipe.kl.weight == 0.0 {
            return Ok(());
        }
        let known = self.tower_rests.then_some(&round.features);
        if self.measures_all() {
            let hidden = match &self.reference {
                Some(reference) => self.hidden(reference, &round.groups, known)?,
                None => model.beneath_adapter(|model| self.hidden(model, &round.groups, known))?,
            };
            let width = hidden.len() / round.learned_tokens().max(1);
            let mut rest = hidden.as_slice();
            for (beside, sample) in round.beside.iter_mut().zip(&round.samples) {
                let count = if sample.is_baseline { 0 } else { sample.old.len() };
                let own;
                (own, rest) = rest.split_at(count * width);
                *beside = own.to_vec();
            }
            let far = self.distances(model, &round.groups, known, &round.beside)?;
            learned(&mut round.samples).zip(far).for_each(|(sample, far)| sample.distances = far);
            return Ok(());
        }
        let logs = match &self.reference {
            Some(reference) => self.logs(reference, &round.groups, known)?,
            None => model.beneath_adapter(|model| self.logs(model, &round.groups, known))?,
        };
        learned(&mut round.samples).zip(logs).for_each(|(sample, logs)| sample.reference = logs);
        Ok(())
    }

    /// Whether the distance is over the whole vocabulary.
    pub(super) fn measures_all(&self) -> bool {
        self.recipe.kl.weight > 0.0 && self.recipe.kl.estimator == Estimator::Full
    }

    /// Log-probability of every token of every learned sample of the groups.
    pub(super) fn logs(&self, model: &Model, groups: &[Group], known: Known<'_>) -> Result<Vec<Vec<f32>>> {
        let whole = wholes(groups, None);
        let find = |key: &Digest| known.and_then(|known| known.get(key).cloned());
        let training = self.training(known.is_some().then_some(&find), &|_| false);
        Ok(by_sample(groups, model.log_probabilities(&examples(&whole), &training)?))
    }

    /// The states that the tokens of every learned sample are predicted from.
    pub(super) fn hidden(&self, model: &Model, groups: &[Group], known: Known<'_>) -> Result<Vec<f32>> {
        let whole = wholes(groups, None);
        let find = |key: &Digest| known.and_then(|known| known.get(key).cloned());
        let training = self.training(known.is_some().then_some(&find), &|_| false);
        Ok(model.hidden_states(&examples(&whole), &training)?)
    }

    /// Distance to the reference at every token of every learned sample, where it is over the whole vocabulary.
    pub(super) fn distances(
        &self,
        model: &Model,
        groups: &[Group],
        known: Known<'_>,
        beside: &[Vec<f32>],
    ) -> Result<Vec<Vec<f32>>> {
        if !self.measures_all() {
            return Ok(Vec::new());
        }
        let (whole, beside) = (wholes(groups, None), beside.concat());
        let find = |key: &Digest| known.and_then(|known| known.get(key).cloned());
        let shares = vec![0.0; whole.iter().map(|(_, targets)| targets.len()).sum()];
        let distance = Some(self.distance(&beside, &shares));
        let training = Training { distance, ..self.training(known.is_some().then_some(&find), &|_| false) };
        Ok(by_sample(groups, model.distances(&examples(&whole), &training)?))
    }

    /// The distance that a loss counts by `shares`.
    pub(super) fn distance<'a>(&'a self, beside: &'a [f32], shares: &'a [f32]) -> Distance<'a> {
        Distance { reference: self.reference.as_ref(), hidden: beside, shares }
    }

    /// How all passes over samples are made.
    pub(super) fn training<'a>(
        &self,
        features: Option<firsthand_model::Known<'a>>,
        wanted: &'a dyn Fn(&str) -> bool,
    ) -> Training<'a> {
        let (matmul, order) = (self.precision, Order::One);
        Training { features, share_prefix: true, matmul, order, ..Training::new(wanted) }
    }
}

pub(super) fn examples(whole: &[(ModelInput, Vec<LossRow>)]) -> Vec<Example<'_>> {
    whole.iter().map(|(input, targets)| Example { input, targets }).collect()
}

/// Numbers of the tokens of all learned samples, cut by sample.
fn by_sample(groups: &[Group], flat: Vec<f32>) -> Vec<Vec<f32>> {
    let mut flat = flat.into_iter();
    let rollouts = groups.iter().flat_map(|group| &group.rollouts[..group.learned]);
    rollouts.map(|rollout| flat.by_ref().take(rollout.logs.len()).collect()).collect()
}
