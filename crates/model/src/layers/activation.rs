//! Activation functions of a value, and SwiGLU of two.

use candle_core::{Result, Tensor};

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
        let out = x.dense()?.iter().map(|&x| self.value(x)).collect();
        host::matrix(out, x.shape.rows, x.shape.cols)
    }

    /// `dx` from the same `x` and `dy`.
    pub fn backward(self, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let (x, dy) = (Rows::open(x)?, Rows::open(dy)?);
        let out = x.dense()?.iter().zip(dy.dense()?).map(|(&x, &dy)| dy * self.slope(x)).collect();
        host::matrix(out, x.shape.rows, x.shape.cols)
    }

    fn value(self, x: f32) -> f32 {
        match self {
            Activation::Silu => x * sigmoid(x),
            Activation::QuickGelu => x * sigmoid(1.702 * x),
            Activation::Gelu => (f64::from(x) * normal(f64::from(x))) as f32,
        }
    }

    fn slope(self, x: f32) -> f32 {
        match self {
            Activation::Silu => sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x))),
            Activation::QuickGelu => {
                let s = sigmoid(1.702 * x);
                s * (1.0 + 1.702 * x * (1.0 - s))
            }
            Activation::Gelu => {
                let x = f64::from(x);
                (normal(x) + x * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()) as f32
            }
        }
    }
}

/// `silu(gate) * up`.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    let (gate, up) = (Rows::open(gate)?, Rows::open(up)?);
    let out = gate.dense()?.iter().zip(up.dense()?).map(|(&g, &u)| g * sigmoid(g) * u).collect();
    host::matrix(out, gate.shape.rows, gate.shape.cols)
}

/// `(dgate, dup)` of [`swiglu`].
pub fn swiglu_backward(gate: &Tensor, up: &Tensor, dy: &Tensor) -> Result<(Tensor, Tensor)> {
    let dup = swiglu(gate, dy)?;
    let dgate = Activation::Silu.backward(gate, &(up * dy)?)?;
    Ok((dgate, dup))
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// The standard normal distribution function, by the series of erf.
fn normal(x: f64) -> f64 {
    if x.abs() > 8.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut term, mut sum, mut k) = (x, x, 1.0);
    while term.abs() > 1e-17 * sum.abs() {
        term *= x * x / (2.0 * k + 1.0);
        sum += term;
        k += 1.0;
    }
    0.5 + sum * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}
