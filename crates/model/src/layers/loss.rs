//! Cross-entropy over chosen rows with the head inside, some rows at a time: the matrix of all logits is never
//! made. The gradient is made with the loss, as the logits are at hand only then.

use candle_core::{Result, Tensor};

use super::{Linear, gather_rows, rows};
use crate::backend::cpu::{loss, simd};
use crate::backend::host::{self, Rows};

/// Rows whose logits exist at one time.
const CHUNK: usize = 256;

/// One row to be scored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossRow {
    /// Row of the hidden states.
    pub row: usize,
    /// The token that should come next.
    pub target: u32,
    /// Its share in the loss: `1 / rows` makes a mean.
    pub weight: f32,
}

/// Another model's view of the same rows: what a distance over the whole vocabulary is taken to.
#[derive(Clone, Copy)]
pub struct Beside<'a> {
    /// Its head; a low-rank update beside it does not count.
    pub head: &'a Linear,
    /// Its hidden state of every target, in order, `[targets, width]` flat.
    pub hidden: &'a [f32],
    /// What each target's distance counts in the loss.
    pub shares: &'a [f32],
}

impl Beside<'_> {
    /// Its logits of some targets.
    fn logits(&self, of: std::ops::Range<usize>) -> Result<Tensor> {
        let width = self.head.inputs();
        let rows = self.hidden[of.start * width..of.end * width].to_vec();
        self.head.forward_plain(&host::matrix(rows, of.len(), width)?)
    }
}

/// What a loss is made of, and its gradient.
pub struct Scores {
    /// `log p` of each target.
    pub logs: Vec<f32>,
    /// Distance of each target's row, where one was asked for.
    pub distances: Vec<f32>,
    /// Gradient of the hidden states; rows not named have a zero gradient.
    pub dhidden: Tensor,
}

/// `log p` of each target, whose weighted sum is the loss, and d hidden, for `hidden [n, width]` under `head`; with
/// `beside`, the loss counts distances too. Adds to the head's weight gradient `[vocabulary, width]` when one is given.
pub fn cross_entropy(
    hidden: &Tensor,
    head: &Linear,
    targets: &[LossRow],
    beside: Option<&Beside<'_>>,
    mut grad_head: Option<&mut Tensor>,
) -> Result<Scores> {
    let (n, width) = hidden.dims2()?;
    let mut dhidden = host::matrix(vec![0f32; n * width], n, width)?;
    let (mut logs, mut distances) = (Vec::with_capacity(targets.len()), Vec::new());
    // Two matrices of logits in the place of one.
    let most = if beside.is_some() { CHUNK / 2 } else { CHUNK };
    for chunk in targets.chunks(most) {
        let index: Vec<usize> = chunk.iter().map(|target| target.row).collect();
        let x = gather_rows(hidden, &index)?;
        let mut logits = head.forward(&x)?;
        let done = logs.len()..logs.len() + chunk.len();
        let other = beside.map(|beside| beside.logits(done.clone())).transpose()?;
        host::edit_dense(&mut logits, |logits| {
            let vocabulary = head.outputs();
            match (beside, &other) {
                (Some(beside), Some(other)) => {
                    let (other, shares) = (Rows::open(other)?, &beside.shares[done]);
                    let other = other.dense()?;
                    let found = loss::gradients_with_distances(logits, other, vocabulary, chunk, shares);
                    logs.extend(found.0);
                    distances.extend(found.1);
                }
                _ => logs.extend(loss::gradients(logits, vocabulary, chunk)),
            }
            Ok(())
        })?;
        if let Some(grad) = grad_head.as_deref_mut() {
            head.backward_weight(&x, &logits, grad)?;
        }
        rows::add_rows(&mut dhidden, &index, &head.backward_input(&logits)?)?;
    }
    Ok(Scores { logs, distances, dhidden })
}

/// Distance of each named row to `beside`, over the whole vocabulary, without a gradient.
pub fn distances(
    hidden: &Tensor,
    head: &Linear,
    targets: &[LossRow],
    beside: &Beside<'_>,
) -> Result<Vec<f32>> {
    let mut out = Vec::with_capacity(targets.len());
    for chunk in targets.chunks(CHUNK / 2) {
        let index: Vec<usize> = chunk.iter().map(|target| target.row).collect();
        let logits = head.forward(&gather_rows(hidden, &index)?)?;
        let other = beside.logits(out.len()..out.len() + chunk.len())?;
        let (logits, other) = (Rows::open(&logits)?, Rows::open(&other)?);
        out.extend(loss::distances(logits.dense()?, other.dense()?, head.outputs()));
    }
    Ok(out)
}

/// `log p(target)` of each named row, without a gradient. Weights are not used.
pub fn log_probabilities(hidden: &Tensor, head: &Linear, targets: &[LossRow]) -> Result<Vec<f32>> {
    let mut out = Vec::with_capacity(targets.len());
    for chunk in targets.chunks(CHUNK) {
        let index: Vec<usize> = chunk.iter().map(|target| target.row).collect();
        let logits = head.forward(&gather_rows(hidden, &index)?)?;
        let logits = Rows::open(&logits)?;
        out.extend(loss::log_probabilities(logits.dense()?, logits.shape.cols, chunk));
    }
    Ok(out)
}

/// `log p(target)` under one row of logits, to the bit what [`log_probabilities`] gives for such a row.
pub fn log_probability(logits: &[f32], target: u32) -> f32 {
    loss::score(simd::level(), logits, target)
}

#[cfg(test)]
#[path = "loss_tests.rs"]
mod tests;
