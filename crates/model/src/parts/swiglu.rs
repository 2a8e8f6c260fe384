//! The gated feed-forward network `down(silu(gate x) * up x)`, of the decoder and of Qwen2.5-VL's vision tower.

use candle_core::Tensor;

use super::{Gradients, Named, Parts, parts};
use crate::error::Result;
use crate::layers::{Linear, swiglu, swiglu_backward};

/// Rows at a time where nothing is kept.
const ROWS: usize = 1024;

/// The three projections.
#[derive(Clone, Debug)]
pub struct SwiGlu {
    /// `[inner, width]`
    pub gate: Named<Linear>,
    /// `[inner, width]`
    pub up: Named<Linear>,
    /// `[width, inner]`
    pub down: Named<Linear>,
}

parts!(SwiGlu { gate, up, down });

/// What the backward pass needs besides the input.
#[derive(Debug)]
pub struct SwiGluSaved {
    /// `[n, inner]`
    gate: Tensor,
    /// `[n, inner]`
    up: Tensor,
}

impl SwiGlu {
    /// `[n, width]` to the same.
    pub fn forward(&self, x: &Tensor) -> Result<(Tensor, SwiGluSaved)> {
        // 1. Two projections of the same input                                     [n, inner] each
        let gate = self.gate.forward(x)?;
        let up = self.up.forward(x)?;
        // 2. Gate                                                                  [n, inner]
        let inner = swiglu(&gate, &up)?;
        // 3. Back to the stream                                                    [n, width]
        Ok((self.down.forward(&inner)?, SwiGluSaved { gate, up }))
    }

    /// [`SwiGlu::forward`] without what a backward pass needs, some rows at a time: the wide middle of many rows
    /// would be the largest thing in memory, and leave the cache between steps.
    pub fn infer(&self, x: &Tensor) -> Result<Tensor> {
        let n = x.dims()[0];
        if n <= ROWS {
            return Ok(self.forward(x)?.0);
        }
        let pieces: Vec<Tensor> = (0..n)
            .step_by(ROWS)
            .map(|first| Ok(self.forward(&x.narrow(0, first, ROWS.min(n - first))?)?.0))
            .collect::<Result<_>>()?;
        Ok(Tensor::cat(&pieces, 0)?)
    }

    /// `dx` from the same `x`.
    pub fn backward(
        &self,
        x: &Tensor,
        saved: &SwiGluSaved,
        dy: &Tensor,
        grads: &mut Gradients<'_>,
    ) -> Result<Tensor> {
        let SwiGluSaved { gate, up } = saved;
        if self.down.wanted(grads) {
            self.down.collect(&swiglu(gate, up)?, dy, grads)?;
        }
        let dinner = self.down.layer.backward_input(dy)?;
        let (dgate, dup) = swiglu_backward(gate, up, &dinner)?;
        let from_gate = self.gate.backward(x, &dgate, grads)?;
        let from_up = self.up.backward(x, &dup, grads)?;
        Ok(crate::layers::add(&from_gate, &from_up)?)
    }
}
