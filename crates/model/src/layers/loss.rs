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

/// `log p` of each target, whose weighted sum is the loss, and d hidden, for `hidden [n, width]` under `head`. Adds to
/// the head's weight gradient `[vocabulary, width]` when one is given. Rows not named have a zero gradient.
pub fn cross_entropy(
    hidden: &Tensor,
    head: &Linear,
    targets: &[LossRow],
    mut grad_head: Option<&mut Tensor>,
) -> Result<(Vec<f32>, Tensor)> {
    let (n, width) = hidden.dims2()?;
    let mut dhidden = host::matrix(vec![0f32; n * width], n, width)?;
    let mut logs = Vec::with_capacity(targets.len());
    for chunk in targets.chunks(CHUNK) {
        let index: Vec<usize> = chunk.iter().map(|target| target.row).collect();
        let x = gather_rows(hidden, &index)?;
        let mut logits = head.forward(&x)?;
        host::edit_dense(&mut logits, |logits| {
            logs.extend(loss::gradients(logits, head.outputs(), chunk));
            Ok(())
        })?;
        if let Some(grad) = grad_head.as_deref_mut() {
            head.backward_weight(&x, &logits, grad)?;
        }
        rows::add_rows(&mut dhidden, &index, &head.backward_input(&logits)?)?;
    }
    Ok((logs, dhidden))
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
