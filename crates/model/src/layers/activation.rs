//! Activation functions of a value, and SwiGLU of two.

use candle_core::{Result, Tensor};

use crate::backend::cpu::elementwise;
use crate::backend::host::{self, Rows};

/// An activation function, as `hidden_act` of a config names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x * sigmoid(x)`
    Silu,
    /// `x * sigmoid(1.702 x)`
    QuickGelu,
    /// `x * Φ(x)` with the exact (erf) normal distribution.
    Gelu,
}

impl Activation {
    /// The function a config's `hidden_act` means: `silu`, `quick_gelu` or `gelu`.
    pub fn named(name: &str) -> Option<Activation> {
        match name {
            "silu" => Some(Activation::Silu),
            "quick_gelu" => Some(Activation::QuickGelu),
            "gelu" => Some(Activation::Gelu),
            _ => None,
        }
    }

    /// The function of every element.
    pub fn forward(self, x: &Tensor) -> Result<Tensor> {
        let x = Rows::open(x)?;
        let input = x.dense()?;
        host::filled(x.shape.rows, x.shape.cols, |out| elementwise::activation(self, input, out))
    }

    /// `dx` from the same `x` and `dy`.
    pub fn backward(self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let (x, dy) = (Rows::open(x)?, Rows::open(dy)?);
        let (input, slopes) = (x.dense()?, dy.dense()?);
        host::filled(x.shape.rows, x.shape.cols, |out| {
            elementwise::activation_backward(self, input, slopes, out);
        })
    }
}

/// `silu(gate) * up`.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    let (gate, up) = (Rows::open(gate)?, Rows::open(up)?);
    let (g, u) = (gate.dense()?, up.dense()?);
    host::filled(gate.shape.rows, gate.shape.cols, |out| elementwise::swiglu(g, u, out))
}

/// `(dgate, dup)` of [`swiglu`].
pub fn swiglu_backward(gate: &Tensor, up: &Tensor, dy: &Tensor) -> Result<(Tensor, Tensor)> {
    let (gate, up, dy) = (Rows::open(gate)?, Rows::open(up)?, Rows::open(dy)?);
    let (rows, cols) = (gate.shape.rows, gate.shape.cols);
    let (g, u, slopes) = (gate.dense()?, up.dense()?, dy.dense()?);
    let mut dup = None;
    let dgate = host::filled(rows, cols, |dgate| {
        dup = Some(host::filled(rows, cols, |dup| elementwise::swiglu_backward(g, u, slopes, dgate, dup)));
    })?;
    Ok((dgate, dup.expect("filled calls its closure")?))
}
