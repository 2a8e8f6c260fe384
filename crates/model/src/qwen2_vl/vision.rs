//! The vision tower of Qwen2-VL: LayerNorm, a QuickGELU network, every patch of a temporal slice sees every
//! other. Takes normalised patches in merge order, returns features; knows no tokens.

use candle_core::Tensor;

use super::config::Config;
use crate::decoder::Keep;
use crate::error::Result;
use crate::layers::{Activation, LayerNorm, Linear, Rope, Segment, add};
use crate::parts::{Gradients, Named, Parts, parts, probe};
use crate::vision::config::TowerSizes;
use crate::vision::{Attention, AttentionSaved, Merger, MergerSaved, Place, geometry};
use crate::weights::Loader;

/// The parameters, in order of the forward pass.
#[derive(Clone, Debug)]
pub struct Vision {
    /// Sizes.
    pub sizes: TowerSizes,
    /// A convolution whose kernel is its stride: one product per patch, `[width, patch_len]`.
    patch_embed: Named<Linear>,
    blocks: Vec<Block>,
    merger_norm: Named<LayerNorm>,
    merger: Merger,
}

/// One block of the tower.
#[derive(Clone, Debug)]
struct Block {
    norm_attention: Named<LayerNorm>,
    attention: Attention,
    norm_mlp: Named<LayerNorm>,
    /// `[inner, width]`
    fc1: Named<Linear>,
    /// `[width, inner]`
    fc2: Named<Linear>,
}

parts!(Vision { patch_embed, blocks, merger_norm, merger });
parts!(Block { norm_attention, attention, norm_mlp, fc1, fc2 });

/// What a block's backward pass needs besides its input.
struct Saved {
    attention: AttentionSaved,
    /// The stream between the two halves.
    middle: Tensor,
    /// `[n, inner]`, before the activation.
    hidden: Tensor,
}

/// What the tower's backward pass needs.
pub struct Trail {
    patches: Tensor,
    rope: Rope,
    segments: Vec<Segment>,
    /// The input of every block and of the merger's norm.
    inputs: Vec<Tensor>,
    saved: Vec<Option<Saved>>,
    merger: Option<MergerSaved>,
}

impl Vision {
    /// Reads every parameter.
    pub fn load(config: &Config, loader: &mut Loader<'_>) -> Result<Vision> {
        let sizes = config.tower.clone();
        let (width, inner) = (sizes.width, config.intermediate_size);
        let kernel = [width, sizes.channels, sizes.temporal_patch, sizes.patch, sizes.patch];
        let patch_embed =
            loader.plain_linear("visual.patch_embed.proj", &kernel, width, sizes.patch_len(), false)?;
        let blocks = (0..sizes.depth)
            .map(|i| {
                let prefix = format!("visual.blocks.{i}");
                Ok(Block {
                    norm_attention: loader.layer_norm(&format!("{prefix}.norm1"), width, 1e-6)?,
                    attention: Attention::load(&format!("{prefix}.attn"), &sizes, loader)?,
                    norm_mlp: loader.layer_norm(&format!("{prefix}.norm2"), width, 1e-6)?,
                    fc1: loader.plain_linear(
                        &format!("{prefix}.mlp.fc1"),
                        &[inner, width],
                        inner,
                        width,
                        true,
                    )?,
                    fc2: loader.plain_linear(
                        &format!("{prefix}.mlp.fc2"),
                        &[width, inner],
                        width,
                        inner,
                        true,
                    )?,
                })
            })
            .collect::<Result<_>>()?;
        let merger_norm = loader.layer_norm("visual.merger.ln_q", width, 1e-6)?;
        let merger = Merger::load(&sizes, loader)?;
        Ok(Vision { sizes, patch_embed, blocks, merger_norm, merger })
    }

    /// Patches `[t*h*w, patch_len]` of one grid to features `[t*h*w / merge², out]`.
    pub fn forward(&self, patches: &Tensor, grid: [usize; 3], keep: Keep) -> Result<(Tensor, Trail)> {
        let coordinates = geometry::coordinates(grid, self.sizes.merge);
        let rope = Rope::vision(&coordinates, self.sizes.head_dim(), self.sizes.rope_theta);
        let segments: Vec<Segment> = geometry::slices(grid).into_iter().map(Segment::from).collect();
        let place = Place { rope: &rope, segments: &segments };
        let (mut inputs, mut all_saved) = (Vec::new(), Vec::new());
        // 1. Embed patches                                                         [n, width]
        let mut x = self.patch_embed.forward(patches)?;
        probe(format_args!("vision.embed"), &x);
        // 2. Blocks                                                                [n, width]
        for (i, block) in self.blocks.iter().enumerate() {
            let (out, saved) = block.forward(&x, place)?;
            probe(format_args!("vision.block.{i}"), &out);
            if keep != Keep::Nothing {
                inputs.push(x);
                all_saved.push((keep == Keep::All).then_some(saved));
            }
            x = out;
        }
        // 3. Merge                                                                 [n / merge², out]
        let (features, merger) = self.merger.forward(&self.merger_norm.forward(&x)?)?;
        probe(format_args!("features"), &features);
        inputs.push(x);
        let merger = (keep != Keep::Nothing).then_some(merger);
        Ok((features, Trail { patches: patches.clone(), rope, segments, inputs, saved: all_saved, merger }))
    }

    /// Adds the gradients of the tower's parameters. The pass must have kept something.
    pub fn backward(&self, mut trail: Trail, dfeatures: &Tensor, grads: &mut Gradients<'_>) -> Result<()> {
        let place = Place { rope: &trail.rope, segments: &trail.segments };
        // 3. Merger and its norm                                                   [n, width]
        let last = trail.inputs.pop().expect("the norm's input is always kept");
        let merger = trail.merger.take().expect("a forward pass that kept");
        let dnormed = self.merger.backward(&self.merger_norm.forward(&last)?, &merger, dfeatures, grads)?;
        let mut dx = self.merger_norm.backward(&last, &dnormed, grads)?;
        // 2. Blocks, last to the first that is wanted                              [n, width]
        let embed_wanted = self.patch_embed.wanted(grads);
        let first = match embed_wanted {
            true => 0,
            false => self.blocks.iter().position(|block| block.wanted(grads)).unwrap_or(self.blocks.len()),
        };
        for block in self.blocks[first..].iter().rev() {
            let x = trail.inputs.pop().expect("one input per block");
            let saved = match trail.saved.pop().expect("one entry per block") {
                Some(saved) => saved,
                None => block.forward(&x, place)?.1,
            };
            dx = block.backward(&x, &saved, &dx, place, grads)?;
        }
        // 1. Patch embedding; pixels need no gradient
        if embed_wanted {
            self.patch_embed.collect(&trail.patches, &dx, grads)?;
        }
        Ok(())
    }
}

impl Block {
    /// `[n, width]` to the same.
    fn forward(&self, x: &Tensor, place: Place<'_>) -> Result<(Tensor, Saved)> {
        // 1. Attention, add to the stream                                          [n, width]
        let (change, attention) = self.attention.forward(&self.norm_attention.forward(x)?, place)?;
        let middle = add(x, &change)?;
        // 2. Network, add to the stream                                            [n, width]
        let hidden = self.fc1.forward(&self.norm_mlp.forward(&middle)?)?;
        let change = self.fc2.forward(&Activation::QuickGelu.forward(&hidden)?)?;
        let out = add(&middle, &change)?;
        Ok((out, Saved { attention, middle, hidden }))
    }

    /// `dx` from the same `x`.
    fn backward(
        &self,
        x: &Tensor,
        saved: &Saved,
        dy: &Tensor,
        place: Place<'_>,
        grads: &mut Gradients<'_>,
    ) -> Result<Tensor> {
        let Saved { attention, middle, hidden } = saved;
        // 2. Network                                                               [n, width]
        let dactive = self.fc2.backward(&Activation::QuickGelu.forward(hidden)?, dy, grads)?;
        let dhidden = Activation::QuickGelu.backward(hidden, &dactive)?;
        let dnormed = self.fc1.backward(&self.norm_mlp.forward(middle)?, &dhidden, grads)?;
        let dmiddle = add(dy, &self.norm_mlp.backward(middle, &dnormed, grads)?)?;
        // 1. Attention                                                             [n, width]
        let normed = self.norm_attention.forward(x)?;
        let dnormed = self.attention.backward(&normed, attention, &dmiddle, place, grads)?;
        Ok(add(&dmiddle, &self.norm_attention.backward(x, &dnormed, grads)?)?)
    }
}
