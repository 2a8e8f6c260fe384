//! A low-rank update beside a frozen weight: `scale * B (A x)`. It learns alone or is merged into the weight; its
//! files are `adapter`'s.

use candle_core::{Result, Tensor};

use super::{Linear, Weight};
use crate::backend::cpu::{Matrix, gemm};

/// Two matrices whose product is added to a weight.
#[derive(Clone, Debug)]
pub struct Lora {
    /// `[rank, in]`
    pub a: Linear,
    /// `[out, rank]`
    pub b: Linear,
    /// What the product is multiplied with.
    pub scale: f32,
}

impl Lora {
    /// From `a [rank, in]` and `b [out, rank]`, rows adjacent.
    pub fn new(
        a: Vec<f32>,
        b: Vec<f32>,
        rank: usize,
        outputs: usize,
        inputs: usize,
        scale: f32,
    ) -> Result<Self> {
        let matrix =
            |data: Vec<f32>, rows, columns| Linear::new(Weight::F32(data.into()), None, rows, columns);
        Ok(Lora { a: matrix(a, rank, inputs)?, b: matrix(b, outputs, rank)?, scale })
    }

    /// Numbers between the two matrices.
    pub fn rank(&self) -> usize {
        self.a.outputs()
    }

    /// The update `[out, in]`, rows adjacent.
    pub fn product(&self) -> Vec<f32> {
        let (outputs, inputs, rank) = (self.b.outputs(), self.a.inputs(), self.rank());
        let mut sum = vec![0f32; outputs * inputs];
        if let (Weight::F32(a), Weight::F32(b)) = (self.a.weight(), self.b.weight()) {
            let (b, a) = (Matrix::f32(b, outputs, rank, rank), Matrix::f32(a, rank, inputs, inputs));
            gemm(b, a, &mut sum, inputs, false);
        }
        sum.iter_mut().for_each(|value| *value *= self.scale);
        sum
    }

    /// Adds the update of `x [n, in]` to `y [n, out]`.
    pub(super) fn add_forward(&self, x: &Tensor, y: &mut Tensor) -> Result<()> {
        self.b.add_forward(&self.inner(x)?, y)
    }

    /// Adds what comes through the update to `dx [n, in]`.
    pub(super) fn add_backward_input(&self, dy: &Tensor, dx: &mut Tensor) -> Result<()> {
        self.a.add_backward_input(&self.inner_slopes(dy)?, dx)
    }

    /// Adds to the gradient of `a`.
    pub(crate) fn backward_a(&self, x: &Tensor, dy: &Tensor, grad: &mut Tensor) -> Result<()> {
        self.a.backward_weight(x, &self.inner_slopes(dy)?, grad)
    }

    /// Adds to the gradient of `b`.
    pub(crate) fn backward_b(&self, x: &Tensor, dy: &Tensor, grad: &mut Tensor) -> Result<()> {
        self.b.backward_weight(&self.inner(x)?, dy, grad)
    }

    /// `scale * x Aᵀ`, `[n, rank]`
    fn inner(&self, x: &Tensor) -> Result<Tensor> {
        self.a.forward(x)? * f64::from(self.scale)
    }

    /// `scale * dy B`, `[n, rank]`
    fn inner_slopes(&self, dy: &Tensor) -> Result<Tensor> {
        self.b.backward_input(dy)? * f64::from(self.scale)
    }
}
