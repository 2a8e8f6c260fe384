//! `y = x Wᵀ + b` with weights in f32, bf16 or a quantised format. Which format is the loader's choice; callers
//! see f32 activations either way. With bf16 weights the activations are rounded to bf16 for the product and
//! the sums are f32.

use std::sync::Arc;

use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{Module, Result, Tensor};

use super::{Buffer, Lora};
use crate::backend::cpu::{self, Matrix, gemm};
use crate::backend::host::{self, Rows};

/// Elements of a weight matrix `[out, in]`, row-major.
#[derive(Clone, Debug)]
pub enum Weight {
    /// Single precision.
    F32(Buffer<f32>),
    /// Brain floating point.
    Bf16(Buffer<half::bf16>),
    /// A candle block format, `[out, in]`.
    Quantised(Arc<QTensor>),
}

/// A linear map, optionally with a bias.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Weight,
    /// `[out]`
    bias: Option<Tensor>,
    inputs: usize,
    outputs: usize,
    lora: Option<Box<Lora>>,
}

impl Linear {
    /// A linear map from `inputs` to `outputs` features. An error if the weight or the bias `[outputs]` has
    /// another size.
    pub fn new(weight: Weight, bias: Option<Tensor>, outputs: usize, inputs: usize) -> Result<Self> {
        let actual = match &weight {
            Weight::F32(data) => data.len(),
            Weight::Bf16(data) => data.len(),
            Weight::Quantised(tensor) => tensor.shape().elem_count(),
        };
        if actual != outputs * inputs {
            candle_core::bail!("weight of {actual} elements is not [{outputs}, {inputs}]");
        }
        if let Some(bias) = &bias
            && bias.dims() != [outputs]
        {
            candle_core::bail!("bias of shape {:?} is not [{outputs}]", bias.dims());
        }
        Ok(Linear { weight, bias, inputs, outputs, lora: None })
    }

    /// Input features.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Output features.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The weight.
    pub fn weight(&self) -> &Weight {
        &self.weight
    }

    /// The weight, to be changed within its size.
    pub fn weight_mut(&mut self) -> &mut Weight {
        &mut self.weight
    }

    /// Puts another weight in place of this one; the caller sees to it that its size is right when it is used.
    pub(crate) fn replace_weight(&mut self, weight: Weight) {
        self.weight = weight;
    }

    /// The bias, to be changed within its size.
    pub fn bias_mut(&mut self) -> Option<&mut Tensor> {
        self.bias.as_mut()
    }

    /// The low-rank update beside the weight, if there is one.
    pub fn lora(&self) -> Option<&Lora> {
        self.lora.as_deref()
    }

    /// The low-rank update, to be changed within its sizes.
    pub fn lora_mut(&mut self) -> Option<&mut Lora> {
        self.lora.as_deref_mut()
    }

    /// Puts a low-rank update beside the weight, or takes it away.
    pub fn set_lora(&mut self, lora: Option<Lora>) -> Option<Lora> {
        if let Some(lora) = &lora {
            assert_eq!((lora.a.inputs, lora.b.outputs), (self.inputs, self.outputs), "sides of an update");
        }
        std::mem::replace(&mut self.lora, lora.map(Box::new)).map(|lora| *lora)
    }

    /// The bias `[out]`.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// `[n, in]` to `[n, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut y = self.forward_plain(x)?;
        if let Some(lora) = &self.lora {
            lora.add_forward(x, &mut y)?;
        }
        Ok(y)
    }

    /// [`Linear::forward`] without the low-rank update.
    pub(super) fn forward_plain(&self, x: &Tensor) -> Result<Tensor> {
        if let Weight::Quantised(tensor) = &self.weight {
            let product = QMatMul::QTensor(tensor.clone()).forward(&x.contiguous()?)?;
            return match &self.bias {
                Some(bias) => super::rows::add_vector(product, bias),
                None => Ok(product),
            };
        }
        let input = Rows::open(x)?;
        assert_eq!(input.shape.cols, self.inputs, "features of x");
        let rows = input.shape.rows;
        let bias = self.bias.as_ref().map(Rows::open).transpose()?;
        let a = Matrix::f32(input.data(), rows, self.inputs, input.shape.stride);
        host::filled(rows, self.outputs, |out| {
            if let Some(bias) = &bias {
                out.chunks_exact_mut(self.outputs).for_each(|row| row.copy_from_slice(bias.data()));
            }
            gemm(a, self.matrix().t(), out, self.outputs, bias.is_some());
        })
    }

    /// `dx [n, in]` from `dy [n, out]`.
    pub fn backward_input(&self, dy: &Tensor) -> Result<Tensor> {
        let mut dx = self.backward_input_plain(dy)?;
        if let Some(lora) = &self.lora {
            lora.add_backward_input(dy, &mut dx)?;
        }
        Ok(dx)
    }

    fn backward_input_plain(&self, dy: &Tensor) -> Result<Tensor> {
        if let Weight::Quantised(tensor) = &self.weight {
            return dy.contiguous()?.matmul(&tensor.dequantize(dy.device())?);
        }
        let dy = Rows::open(dy)?;
        assert_eq!(dy.shape.cols, self.outputs, "features of dy");
        let rows = dy.shape.rows;
        let a = Matrix::f32(dy.data(), rows, self.outputs, dy.shape.stride);
        host::filled(rows, self.inputs, |out| gemm(a, self.matrix(), out, self.inputs, false))
    }

    /// Adds `dyᵀ x` to the weight's gradient `[out, in]`.
    pub fn backward_weight(&self, x: &Tensor, dy: &Tensor, grad: &mut Tensor) -> Result<()> {
        let (x, dy) = (Rows::open(x)?, Rows::open(dy)?);
        assert_eq!(x.shape.rows, dy.shape.rows, "rows of x and dy");
        assert_eq!((x.shape.cols, dy.shape.cols), (self.inputs, self.outputs), "features of x and dy");
        assert_eq!(grad.dims(), [self.outputs, self.inputs], "shape of the gradient");
        host::edit_dense(grad, |out| {
            let a = Matrix::f32(dy.data(), dy.shape.rows, self.outputs, dy.shape.stride).t();
            let b = Matrix::f32(x.data(), x.shape.rows, self.inputs, x.shape.stride);
            gemm(a, b, out, self.inputs, true);
            Ok(())
        })
    }

    /// Adds the column sums of `dy [n, out]` to the bias's gradient `[out]`.
    pub fn backward_bias(&self, dy: &Tensor, grad: &mut Tensor) -> Result<()> {
        let dy = Rows::open(dy)?;
        assert_eq!(grad.dims(), [self.outputs], "shape of the gradient");
        assert_eq!(dy.shape.cols, self.outputs, "features of dy");
        host::edit_dense(grad, |out| {
            cpu::norms::add_column_sums(dy.view(), out);
            Ok(())
        })
    }

    /// Adds `x Wᵀ` to `y`, without bias.
    pub(super) fn add_forward(&self, x: &Tensor, y: &mut Tensor) -> Result<()> {
        let x = Rows::open(x)?;
        let a = Matrix::f32(x.data(), x.shape.rows, self.inputs, x.shape.stride);
        host::edit_dense(y, |y| {
            gemm(a, self.matrix().t(), y, self.outputs, true);
            Ok(())
        })
    }

    /// Adds `dy W` to `dx`.
    pub(super) fn add_backward_input(&self, dy: &Tensor, dx: &mut Tensor) -> Result<()> {
        let dy = Rows::open(dy)?;
        let a = Matrix::f32(dy.data(), dy.shape.rows, self.outputs, dy.shape.stride);
        host::edit_dense(dx, |dx| {
            gemm(a, self.matrix(), dx, self.inputs, true);
            Ok(())
        })
    }

    /// The weight as a matrix `[out, in]`; only for weights that are not quantised.
    fn matrix(&self) -> Matrix<'_> {
        match &self.weight {
            Weight::F32(data) => Matrix::f32(data, self.outputs, self.inputs, self.inputs),
            Weight::Bf16(data) => Matrix::bf16(data, self.outputs, self.inputs, self.inputs),
            Weight::Quantised(_) => unreachable!("quantised products take their own path"),
        }
    }
}
