//! Whichever vision tower a checkpoint has. The only place that lists them.

use candle_core::{Device, Tensor};
use firsthand_base::VisionItem;

use crate::decoder::Keep;
use crate::error::{ModelError, Result};
use crate::layers::Linear;
use crate::parts::{Gradients, Held, HeldMut, Name, Named, Parts};
use crate::vision::config::TowerSizes;
use crate::{qwen2_5_vl, qwen2_vl};

/// A vision tower.
#[derive(Clone, Debug)]
pub enum Tower {
    /// Of Qwen2-VL.
    Qwen2(qwen2_vl::vision::Vision),
    /// Of Qwen2.5-VL.
    Qwen2_5(qwen2_5_vl::vision::Vision),
}

/// What a tower's backward pass needs.
pub enum TowerTrail {
    /// Of Qwen2-VL.
    Qwen2(qwen2_vl::vision::Trail),
    /// Of Qwen2.5-VL.
    Qwen2_5(qwen2_5_vl::vision::Trail),
}

impl Parts for Tower {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(Name<'a>, Held<'a>)) {
        match self {
            Tower::Qwen2(tower) => tower.visit(see),
            Tower::Qwen2_5(tower) => tower.visit(see),
        }
    }

    fn visit_linears(&mut self, see: &mut dyn FnMut(&mut Named<Linear>)) {
        match self {
            Tower::Qwen2(tower) => tower.visit_linears(see),
            Tower::Qwen2_5(tower) => tower.visit_linears(see),
        }
    }

    fn visit_mut(&mut self, see: &mut dyn FnMut(Name<'_>, HeldMut<'_>)) {
        match self {
            Tower::Qwen2(tower) => tower.visit_mut(see),
            Tower::Qwen2_5(tower) => tower.visit_mut(see),
        }
    }
}

impl Tower {
    /// The sizes.
    pub fn sizes(&self) -> &TowerSizes {
        match self {
            Tower::Qwen2(tower) => &tower.sizes,
            Tower::Qwen2_5(tower) => &tower.sizes,
        }
    }

    /// Features of one image or video, `[t*h*w / merge², width of the decoder]`.
    pub fn forward(&self, item: &VisionItem, keep: Keep) -> Result<(Tensor, TowerTrail)> {
        self.check(item)?;
        let shape = (item.patch_count(), self.sizes().patch_len());
        let patches = Tensor::from_vec(item.patches.to_vec(), shape, &Device::Cpu)?;
        Ok(match self {
            Tower::Qwen2(tower) => {
                let (features, trail) = tower.forward(&patches, item.grid, keep)?;
                (features, TowerTrail::Qwen2(trail))
            }
            Tower::Qwen2_5(tower) => {
                let (features, trail) = tower.forward(&patches, item.grid, keep)?;
                (features, TowerTrail::Qwen2_5(trail))
            }
        })
    }

    /// Adds the gradients of the tower's parameters.
    pub fn backward(&self, trail: TowerTrail, dfeatures: &Tensor, grads: &mut Gradients<'_>) -> Result<()> {
        match (self, trail) {
            (Tower::Qwen2(tower), TowerTrail::Qwen2(trail)) => tower.backward(trail, dfeatures, grads),
            (Tower::Qwen2_5(tower), TowerTrail::Qwen2_5(trail)) => tower.backward(trail, dfeatures, grads),
            _ => unreachable!("a trail is given back to the tower that made it"),
        }
    }

    /// Refuses patches that are not of this tower.
    fn check(&self, item: &VisionItem) -> Result<()> {
        let sizes = self.sizes();
        let [t, h, w] = item.grid;
        let refuse = |reason: String| Err(ModelError::Input(reason));
        if t == 0 || h == 0 || w == 0 || h % sizes.merge != 0 || w % sizes.merge != 0 {
            return refuse(format!(
                "grid {t}x{h}x{w} is not made of whole {0}x{0} merge windows",
                sizes.merge
            ));
        }
        let expected = item.patch_count() * sizes.patch_len();
        if item.patches.len() != expected {
            return refuse(format!(
                "grid {t}x{h}x{w} needs {expected} patch values, got {}; was the input made with another checkpoint's preprocessor?",
                item.patches.len()
            ));
        }
        Ok(())
    }
}
