//! RMS norm and layer norm over the features of each row. Statistics are recomputed in `backward`.

use candle_core::{Result, Tensor};

use crate::backend::cpu::norms::{self, Norm};
use crate::backend::host::{self, Rows};

/// `y = x / sqrt(mean(x²) + epsilon) * weight`.
#[derive(Clone, Debug)]
pub struct RmsNorm {
    /// `[features]`
    pub weight: Tensor,
    /// Added to the mean square.
    pub epsilon: f32,
}

impl RmsNorm {
    /// `[n, features]` to the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        forward(&self.weight, None, self.epsilon, x)
    }

    /// `dx`; adds to the weight's gradient when one is given.
    pub fn backward(&self, x: &Tensor, dy: &Tensor, grad_weight: Option<&mut Tensor>) -> Result<Tensor> {
        backward(&self.weight, None, self.epsilon, x, dy, [grad_weight, None])
    }
}

/// `y = (x - mean) / sqrt(variance + epsilon) * weight + bias`.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// `[features]`
    pub weight: Tensor,
    /// `[features]`
    pub bias: Tensor,
    /// Added to the variance.
    pub epsilon: f32,
}

impl LayerNorm {
    /// `[n, features]` to the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        forward(&self.weight, Some(&self.bias), self.epsilon, x)
    }

    /// `dx`; adds to the gradients of weight and bias when they are given.
    pub fn backward(
        &self,
        x: &Tensor,
        dy: &Tensor,
        grad_weight: Option<&mut Tensor>,
        grad_bias: Option<&mut Tensor>,
    ) -> Result<Tensor> {
        backward(&self.weight, Some(&self.bias), self.epsilon, x, dy, [grad_weight, grad_bias])
    }
}

/// A norm with a bias is a layer norm.
fn norm<'a>(bias: &'a Option<Rows<'_>>) -> Norm<'a> {
    bias.as_ref().map_or(Norm::Rms, |bias| Norm::Layer { bias: bias.data() })
}

fn forward(weight: &Tensor, bias: Option<&Tensor>, epsilon: f32, x: &Tensor) -> Result<Tensor> {
    let (x, weight, bias) = (Rows::open(x)?, Rows::open(weight)?, bias.map(Rows::open).transpose()?);
    let cols = x.shape.cols;
    assert_eq!(weight.shape.cols, cols, "features of x");
    assert!(bias.as_ref().is_none_or(|bias| bias.shape.cols == cols), "features of x");
    host::filled(x.shape.rows, cols, |out| {
        norms::forward(norm(&bias), x.view(), weight.data(), epsilon, out);
    })
}

fn backward(
    weight: &Tensor,
    bias: Option<&Tensor>,
    epsilon: f32,
    x: &Tensor,
    dy: &Tensor,
    grads: [Option<&mut Tensor>; 2],
) -> Result<Tensor> {
    let (x, dy, weight) = (Rows::open(x)?, Rows::open(dy)?, Rows::open(weight)?);
    let bias = bias.map(Rows::open).transpose()?;
    let (rows, cols) = (x.shape.rows, x.shape.cols);
    assert_eq!(
        (dy.shape.rows, dy.shape.cols, weight.shape.cols),
        (rows, cols, cols),
        "shapes of x, dy, weight"
    );
    let mut sums = grads.each_ref().map(|grad| vec![0f32; if grad.is_some() { cols } else { 0 }]);
    let dx = host::filled(rows, cols, |dx| {
        let [weight_sums, bias_sums] = &mut sums;
        norms::backward(norm(&bias), x.view(), dy.view(), weight.data(), epsilon, dx, weight_sums, bias_sums);
    })?;
    for (grad, sums) in grads.into_iter().zip(&sums) {
        let Some(grad) = grad else { continue };
        assert_eq!(grad.dims(), [cols], "shape of the gradient");
        host::edit_dense(grad, |out| {
            out.iter_mut().zip(sums).for_each(|(grad, sum)| *grad += sum);
            Ok(())
        })?;
    }
    Ok(dx)
}
