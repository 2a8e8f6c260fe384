//! Layers that know the checkpoint key of their parameters, and the gradients collected under those keys.
//! A parameter nobody asked for costs nothing in the backward pass.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use super::{LORA_A, LORA_B};
use crate::error::Result;
use crate::layers::{Embedding, LayerNorm, Linear, RmsNorm};

/// A layer and the key of its parameters, without the final `.weight` or `.bias`.
#[derive(Clone, Debug)]
pub struct Named<L> {
    /// The key as the checkpoint's files spell it.
    pub key: String,
    /// The layer.
    pub layer: L,
}

/// Gradients by checkpoint key, of the parameters that are wanted.
pub struct Gradients<'a> {
    wanted: &'a dyn Fn(&str) -> bool,
    by_key: BTreeMap<String, Tensor>,
}

impl<'a> Gradients<'a> {
    /// Collects the gradients of parameters whose key `wanted` accepts.
    pub fn new(wanted: &'a dyn Fn(&str) -> bool) -> Self {
        Gradients { wanted, by_key: BTreeMap::new() }
    }

    /// Goes on with gradients that were collected before.
    pub fn over(wanted: &'a dyn Fn(&str) -> bool, by_key: BTreeMap<String, Tensor>) -> Self {
        Gradients { wanted, by_key }
    }

    /// Whether this parameter's gradient is wanted.
    pub fn wants(&self, key: &str) -> bool {
        (self.wanted)(key)
    }

    /// The gradient to add to, zero at first; `None` if it is not wanted.
    pub fn slot(&mut self, key: &str, shape: &[usize]) -> Result<Option<&mut Tensor>> {
        if !self.wants(key) {
            return Ok(None);
        }
        if !self.by_key.contains_key(key) {
            self.by_key.insert(key.to_owned(), Tensor::zeros(shape, DType::F32, &Device::Cpu)?);
        }
        Ok(self.by_key.get_mut(key))
    }

    /// What was collected.
    pub fn into_map(self) -> BTreeMap<String, Tensor> {
        self.by_key
    }
}

impl Named<Linear> {
    /// `[n, in]` to `[n, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.layer.forward(x)?)
    }

    /// Adds the gradients of weight, bias and low-rank update; `dx` is not made.
    pub fn collect(&self, x: &Tensor, dy: &Tensor, grads: &mut Gradients<'_>) -> Result<()> {
        let shape = [self.layer.outputs(), self.layer.inputs()];
        if let Some(grad) = grads.slot(&format!("{}.weight", self.key), &shape)? {
            self.layer.backward_weight(x, dy, grad)?;
        }
        if self.layer.bias().is_some()
            && let Some(grad) = grads.slot(&format!("{}.bias", self.key), &shape[..1])?
        {
            self.layer.backward_bias(dy, grad)?;
        }
        let Some(lora) = self.layer.lora() else { return Ok(()) };
        if let Some(grad) = grads.slot(&format!("{}{LORA_A}", self.key), &[lora.rank(), lora.a.inputs()])? {
            lora.backward_a(x, dy, grad)?;
        }
        if let Some(grad) = grads.slot(&format!("{}{LORA_B}", self.key), &[lora.b.outputs(), lora.rank()])? {
            lora.backward_b(x, dy, grad)?;
        }
        Ok(())
    }

    /// `dx`; adds the gradients of weight, bias and low-rank update.
    pub fn backward(&self, x: &Tensor, dy: &Tensor, grads: &mut Gradients<'_>) -> Result<Tensor> {
        self.collect(x, dy, grads)?;
        Ok(self.layer.backward_input(dy)?)
    }
}

impl Named<RmsNorm> {
    /// `[n, width]` to the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.layer.forward(x)?)
    }

    /// `dx`; adds the gradient of the weight.
    pub fn backward(&self, x: &Tensor, dy: &Tensor, grads: &mut Gradients<'_>) -> Result<Tensor> {
        let slot = grads.slot(&format!("{}.weight", self.key), self.layer.weight.dims())?;
        Ok(self.layer.backward(x, dy, slot)?)
    }
}

impl Named<LayerNorm> {
    /// `[n, width]` to the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.layer.forward(x)?)
    }

    /// `dx`; adds the gradients of weight and bias.
    pub fn backward(&self, x: &Tensor, dy: &Tensor, grads: &mut Gradients<'_>) -> Result<Tensor> {
        let (weight_key, bias_key) = (format!("{}.weight", self.key), format!("{}.bias", self.key));
        let shape = self.layer.weight.dims();
        // Two slots of one map cannot be borrowed at once: the bias's leaves and returns.
        grads.slot(&bias_key, shape)?;
        let mut bias = grads.by_key.remove(&bias_key);
        let weight = grads.slot(&weight_key, shape)?;
        let dx = self.layer.backward(x, dy, weight, bias.as_mut())?;
        if let Some(bias) = bias {
            grads.by_key.insert(bias_key, bias);
        }
        Ok(dx)
    }
}

impl Named<Embedding> {
    /// Adds the gradient of the table.
    pub fn collect(&self, ids: &[u32], dy: &Tensor, grads: &mut Gradients<'_>) -> Result<()> {
        let shape = [self.layer.vocabulary(), self.layer.width()];
        if let Some(grad) = grads.slot(&format!("{}.weight", self.key), &shape)? {
            self.layer.backward(ids, dy, grad)?;
        }
        Ok(())
    }
}
