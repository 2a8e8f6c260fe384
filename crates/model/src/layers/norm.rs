//! RMS norm and layer norm over the features of each row. Statistics are recomputed in `backward`.

use candle_core::{Result, Tensor};

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
        let (x, weight) = (Rows::open(x)?, Rows::open(&self.weight)?);
        let cols = x.shape.cols;
        assert_eq!(weight.shape.cols, cols, "features of x");
        let mut out = vec![0f32; x.shape.rows * cols];
        for (i, out) in out.chunks_exact_mut(cols).enumerate() {
            let x = &x.data()[i * x.shape.stride..][..cols];
            let scale = self.scale(x);
            for j in 0..cols {
                out[j] = x[j] * scale * weight.data()[j];
            }
        }
        host::matrix(out, x.shape.rows, cols)
    }

    /// `dx`; adds to the weight's gradient when one is given.
    pub fn backward(&self, x: &Tensor, dy: &Tensor, grad_weight: Option<&mut Tensor>) -> Result<Tensor> {
        let (x, dy, weight) = (Rows::open(x)?, Rows::open(dy)?, Rows::open(&self.weight)?);
        let (rows, cols) = (x.shape.rows, x.shape.cols);
        let mut out = vec![0f32; rows * cols];
        let mut sums = vec![0f32; cols];
        for (i, out) in out.chunks_exact_mut(cols).enumerate() {
            let x = &x.data()[i * x.shape.stride..][..cols];
            let dy = &dy.data()[i * dy.shape.stride..][..cols];
            let w = weight.data();
            let scale = self.scale(x);
            let dot: f32 = (0..cols).map(|j| dy[j] * w[j] * x[j]).sum();
            let pull = dot * scale * scale * scale / cols as f32;
            for j in 0..cols {
                out[j] = dy[j] * w[j] * scale - x[j] * pull;
                sums[j] += dy[j] * x[j] * scale;
            }
        }
        add_to(grad_weight, &sums)?;
        host::matrix(out, rows, cols)
    }

    fn scale(&self, x: &[f32]) -> f32 {
        let mean = x.iter().map(|v| v * v).sum::<f32>() / x.len() as f32;
        1.0 / (mean + self.epsilon).sqrt()
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
        let (x, weight, bias) = (Rows::open(x)?, Rows::open(&self.weight)?, Rows::open(&self.bias)?);
        let cols = x.shape.cols;
        assert_eq!((weight.shape.cols, bias.shape.cols), (cols, cols), "features of x");
        let mut out = vec![0f32; x.shape.rows * cols];
        for (i, out) in out.chunks_exact_mut(cols).enumerate() {
            let x = &x.data()[i * x.shape.stride..][..cols];
            let (mean, scale) = self.moments(x);
            for j in 0..cols {
                out[j] = (x[j] - mean) * scale * weight.data()[j] + bias.data()[j];
            }
        }
        host::matrix(out, x.shape.rows, cols)
    }

    /// `dx`; adds to the gradients of weight and bias when they are given.
    pub fn backward(
        &self,
        x: &Tensor,
        dy: &Tensor,
        grad_weight: Option<&mut Tensor>,
        grad_bias: Option<&mut Tensor>,
    ) -> Result<Tensor> {
        let (x, dy, weight) = (Rows::open(x)?, Rows::open(dy)?, Rows::open(&self.weight)?);
        let (rows, cols) = (x.shape.rows, x.shape.cols);
        let mut out = vec![0f32; rows * cols];
        let mut weight_sums = vec![0f32; cols];
        let mut bias_sums = vec![0f32; cols];
        for (i, out) in out.chunks_exact_mut(cols).enumerate() {
            let x = &x.data()[i * x.shape.stride..][..cols];
            let dy = &dy.data()[i * dy.shape.stride..][..cols];
            let w = weight.data();
            let (mean, scale) = self.moments(x);
            let sum: f32 = (0..cols).map(|j| dy[j] * w[j]).sum::<f32>() / cols as f32;
            let dot: f32 = (0..cols).map(|j| dy[j] * w[j] * (x[j] - mean) * scale).sum::<f32>() / cols as f32;
            for j in 0..cols {
                let centred = (x[j] - mean) * scale;
                out[j] = (dy[j] * w[j] - sum - centred * dot) * scale;
                weight_sums[j] += dy[j] * centred;
                bias_sums[j] += dy[j];
            }
        }
        add_to(grad_weight, &weight_sums)?;
        add_to(grad_bias, &bias_sums)?;
        host::matrix(out, rows, cols)
    }

    /// Mean and one over the standard deviation.
    fn moments(&self, x: &[f32]) -> (f32, f32) {
        let mean = x.iter().sum::<f32>() / x.len() as f32;
        let variance = x.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / x.len() as f32;
        (mean, 1.0 / (variance + self.epsilon).sqrt())
    }
}

fn add_to(grad: Option<&mut Tensor>, sums: &[f32]) -> Result<()> {
    let Some(grad) = grad else { return Ok(()) };
    assert_eq!(grad.dims(), [sums.len()], "shape of the gradient");
    host::edit_dense(grad, |out| {
        out.iter_mut().zip(sums).for_each(|(a, b)| *a += b);
        Ok(())
    })
}
