//! The vision tower of Qwen2.5-VL: RMSNorm, SwiGLU, attention within windows of 8 x 8 patches except in a few
//! blocks. Patches are put in window order before the blocks and features back in reading order after the
//! merger. Takes normalised patches in merge order, returns features; knows no tokens.

use candle_core::Tensor;

use super::config::Config;
use crate::decoder::Keep;
use crate::error::Result;
use crate::layers::{Linear, RmsNorm, Rope, Segment, add, gather_rows};
use crate::parts::{Gradients, Named, Parts, SwiGlu, SwiGluSaved, parts, probe};
use crate::vision::config::TowerSizes;
use crate::vision::{Attention, AttentionSaved, Merger, MergerSaved, Place, geometry};
use crate::weights::Loader;

/// The parameters, in order of the forward pass.
#[derive(Clone, Debug)]
pub struct Vision {
    /// Sizes.
    pub sizes: TowerSizes,
    window_side: usize,
    full_attention: Vec<usize>,
    /// A convolution whose kernel is its stride: one product per patch, `[width, patch_len]`.
    patch_embed: Named<Linear>,
    blocks: Vec<Block>,
    merger_norm: Named<RmsNorm>,
    merger: Merger,
}

/// One block of the tower.
#[derive(Clone, Debug)]
struct Block {
    norm_attention: Named<RmsNorm>,
    attention: Attention,
    norm_mlp: Named<RmsNorm>,
    mlp: SwiGlu,
}

parts!(Vision { patch_embed, blocks, merger_norm, merger });
parts!(Block { norm_attention, attention, norm_mlp, mlp });

/// What a block's backward pass needs besides its input.
struct Saved {
    attention: AttentionSaved,
    /// The stream between the two halves.
    middle: Tensor,
    mlp: SwiGluSaved,
}

/// The grid in window order.
struct Layout {
    rope: Rope,
    slices: Vec<Segment>,
    windows: Vec<Segment>,
    /// Place in window order -> patch in merge order.
    order: Vec<usize>,
    /// Feature in reading order -> its place in window order.
    unit_places: Vec<usize>,
    /// Place in window order -> feature in reading order.
    unit_order: Vec<usize>,
}

/// What the tower's backward pass needs.
pub struct Trail {
    patches: Tensor,
    layout: Layout,
    /// The input of every block and of the merger's norm, in window order.
    inputs: Vec<Tensor>,
    saved: Vec<Option<Saved>>,
    merger: Option<MergerSaved>,
}

impl Vision {
    /// Reads every parameter.
    pub fn load(config: &Config, loader: &mut Loader<'_>) -> Result<Vision> {
        let sizes = config.tower.clone();
        let width = sizes.width;
        let kernel = [width, sizes.channels, sizes.temporal_patch, sizes.patch, sizes.patch];
        let patch_embed =
            loader.plain_linear("visual.patch_embed.proj", &kernel, width, sizes.patch_len(), false)?;
        let blocks = (0..sizes.depth)
            .map(|i| Block::load(&format!("visual.blocks.{i}"), config, loader))
            .collect::<Result<_>>()?;
        let merger_norm = loader.rms_norm("visual.merger.ln_q", width, 1e-6)?;
        let merger = Merger::load(&sizes, loader)?;
        let (window_side, full_attention) = (config.window_side, config.full_attention.clone());
        Ok(Vision { sizes, window_side, full_attention, patch_embed, blocks, merger_norm, merger })
    }

    /// Patches `[t*h*w, patch_len]` of one grid to features `[t*h*w / merge², out]`.
    pub fn forward(&self, patches: &Tensor, grid: [usize; 3], keep: Keep) -> Result<(Tensor, Trail)> {
        let layout = self.layout(grid);
        let (mut inputs, mut all_saved) = (Vec::new(), Vec::new());
        // 1. Embed patches                                                         [n, width]
        let embedded = self.patch_embed.forward(patches)?;
        probe(format_args!("vision.embed"), &embedded);
        // 2. Window order                                                          [n, width]
        let mut x = gather_rows(&embedded, &layout.order)?;
        // 3. Blocks                                                                [n, width]
        for (i, block) in self.blocks.iter().enumerate() {
            let (out, saved) = block.forward(&x, self.place(&layout, i))?;
            probe(format_args!("vision.block.{i}"), &out);
            if keep != Keep::Nothing {
                inputs.push(x);
                all_saved.push((keep == Keep::All).then_some(saved));
            }
            x = out;
        }
        // 4. Merge                                                                 [n / merge², out]
        let (merged, merger) = self.merger.forward(&self.merger_norm.forward(&x)?)?;
        // 5. Reading order                                                         [n / merge², out]
        let features = gather_rows(&merged, &layout.unit_places)?;
        probe(format_args!("features"), &features);
        inputs.push(x);
        let merger = (keep != Keep::Nothing).then_some(merger);
        Ok((features, Trail { patches: patches.clone(), layout, inputs, saved: all_saved, merger }))
    }

    /// Adds the gradients of the tower's parameters. The pass must have kept something.
    pub fn backward(&self, mut trail: Trail, dfeatures: &Tensor, grads: &mut Gradients<'_>) -> Result<()> {
        // 5. Window order                                                          [n / merge², out]
        let dmerged = gather_rows(dfeatures, &trail.layout.unit_order)?;
        // 4. Merger and its norm                                                   [n, width]
        let last = trail.inputs.pop().expect("the norm's input is always kept");
        let merger = trail.merger.take().expect("a forward pass that kept");
        let dnormed = self.merger.backward(&self.merger_norm.forward(&last)?, &merger, &dmerged, grads)?;
        let mut dx = self.merger_norm.backward(&last, &dnormed, grads)?;
        // 3. Blocks, last to the first that is wanted                              [n, width]
        let embed_wanted = self.patch_embed.wanted(grads);
        let first = match embed_wanted {
            true => 0,
            false => self.blocks.iter().position(|block| block.wanted(grads)).unwrap_or(self.blocks.len()),
        };
        for (i, block) in self.blocks.iter().enumerate().skip(first).rev() {
            let place = self.place(&trail.layout, i);
            let x = trail.inputs.pop().expect("one input per block");
            let saved = match trail.saved.pop().expect("one entry per block") {
                Some(saved) => saved,
                None => block.forward(&x, place)?.1,
            };
            dx = block.backward(&x, &saved, &dx, place, grads)?;
        }
        // 2. and 1. Patch embedding, patches in window order; pixels need no gradient
        if embed_wanted {
            self.patch_embed.collect(&gather_rows(&trail.patches, &trail.layout.order)?, &dx, grads)?;
        }
        Ok(())
    }

    fn place<'a>(&self, layout: &'a Layout, block: usize) -> Place<'a> {
        let full = self.full_attention.contains(&block);
        Place { rope: &layout.rope, segments: if full { &layout.slices } else { &layout.windows } }
    }

    fn layout(&self, grid: [usize; 3]) -> Layout {
        let unit = self.sizes.merge_unit();
        let windows = geometry::Windows::new(grid, self.sizes.merge, self.window_side);
        let order: Vec<usize> =
            windows.order.iter().flat_map(|&from| from * unit..(from + 1) * unit).collect();
        let coordinates = geometry::coordinates(grid, self.sizes.merge);
        let turned: Vec<[i32; 2]> = order.iter().map(|&patch| coordinates[patch]).collect();
        Layout {
            rope: Rope::vision(&turned, self.sizes.head_dim(), self.sizes.rope_theta),
            slices: geometry::slices(grid).into_iter().map(Segment::from).collect(),
            order,
            unit_places: windows.inverse(),
            windows: windows.ranges.into_iter().map(Segment::from).collect(),
            unit_order: windows.order,
        }
    }
}

impl Block {
    fn load(prefix: &str, config: &Config, loader: &mut Loader<'_>) -> Result<Block> {
        let (width, inner) = (config.tower.width, config.intermediate_size);
        let mlp = format!("{prefix}.mlp");
        Ok(Block {
            norm_attention: loader.rms_norm(&format!("{prefix}.norm1"), width, 1e-6)?,
            attention: Attention::load(&format!("{prefix}.attn"), &config.tower, loader)?,
            norm_mlp: loader.rms_norm(&format!("{prefix}.norm2"), width, 1e-6)?,
            mlp: SwiGlu {
                gate: loader.plain_linear(
                    &format!("{mlp}.gate_proj"),
                    &[inner, width],
                    inner,
                    width,
                    true,
                )?,
                up: loader.plain_linear(&format!("{mlp}.up_proj"), &[inner, width], inner, width, true)?,
                down: loader.plain_linear(
                    &format!("{mlp}.down_proj"),
                    &[width, inner],
                    width,
                    inner,
                    true,
                )?,
            },
        })
    }

    /// `[n, width]` to the same.
    fn forward(&self, x: &Tensor, place: Place<'_>) -> Result<(Tensor, Saved)> {
        // 1. Attention, add to the stream                                          [n, width]
        let (change, attention) = self.attention.forward(&self.norm_attention.forward(x)?, place)?;
        let middle = add(x, &change)?;
        // 2. SwiGLU, add to the stream                                             [n, width]
        let (change, mlp) = self.mlp.forward(&self.norm_mlp.forward(&middle)?)?;
        let out = add(&middle, &change)?;
        Ok((out, Saved { attention, middle, mlp }))
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
        let Saved { attention, middle, mlp } = saved;
        // 2. SwiGLU                                                                [n, width]
        let dnormed = self.mlp.backward(&self.norm_mlp.forward(middle)?, mlp, dy, grads)?;
        let dmiddle = add(dy, &self.norm_mlp.backward(middle, &dnormed, grads)?)?;
        // 1. Attention                                                             [n, width]
        let normed = self.norm_attention.forward(x)?;
        let dnormed = self.attention.backward(&normed, attention, &dmiddle, place, grads)?;
        Ok(add(&dmiddle, &self.norm_attention.backward(x, &dnormed, grads)?)?)
    }
}
