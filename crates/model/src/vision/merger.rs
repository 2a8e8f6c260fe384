//! The merger: four neighbouring patches side by side, through a small network, to one feature of the decoder's
//! width. The norm before it differs between architectures and stays with them.

use candle_core::Tensor;

use super::config::TowerSizes;
use crate::error::Result;
use crate::layers::{Activation, Linear};
use crate::parts::{Gradients, Named, parts};
use crate::weights::Loader;

/// The two projections.
#[derive(Clone, Debug)]
pub struct Merger {
    /// `[inner, inner]`, inner = merge² * width
    pub first: Named<Linear>,
    /// `[out, inner]`
    pub second: Named<Linear>,
    inner: usize,
}

parts!(Merger { first, second });

/// What the backward pass needs besides the input.
#[derive(Debug)]
pub struct MergerSaved {
    /// `[n / merge², inner]`, before the activation.
    hidden: Tensor,
}

impl Merger {
    /// Reads the parameters under `visual.merger`.
    pub fn load(sizes: &TowerSizes, loader: &mut Loader<'_>) -> Result<Merger> {
        let (inner, out) = (sizes.merge_unit() * sizes.width, sizes.out);
        Ok(Merger {
            first: loader.plain_linear("visual.merger.mlp.0", &[inner, inner], inner, inner, true)?,
            second: loader.plain_linear("visual.merger.mlp.2", &[out, inner], out, inner, true)?,
            inner,
        })
    }

    /// Normed patches `[n, width]` to features `[n / merge², out]`.
    pub fn forward(&self, normed: &Tensor) -> Result<(Tensor, MergerSaved)> {
        // 1. Patches of a merge window side by side                                [n / merge², inner]
        let x = self.side_by_side(normed)?;
        // 2. Project, GELU                                                         [n / merge², inner]
        let hidden = self.first.forward(&x)?;
        let active = Activation::Gelu.forward(&hidden)?;
        // 3. To the decoder's width                                                [n / merge², out]
        Ok((self.second.forward(&active)?, MergerSaved { hidden }))
    }

    /// The gradient of the normed patches, from the same patches.
    pub fn backward(
        &self,
        normed: &Tensor,
        saved: &MergerSaved,
        dy: &Tensor,
        grads: &mut Gradients<'_>,
    ) -> Result<Tensor> {
        let active = Activation::Gelu.forward(&saved.hidden)?;
        let dactive = self.second.backward(&active, dy, grads)?;
        let dhidden = Activation::Gelu.backward(&saved.hidden, &dactive)?;
        let dx = self.first.backward(&self.side_by_side(normed)?, &dhidden, grads)?;
        Ok(dx.reshape(normed.dims())?)
    }

    fn side_by_side(&self, normed: &Tensor) -> Result<Tensor> {
        Ok(normed.reshape(((), self.inner))?)
    }
}
