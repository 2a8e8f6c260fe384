//! The fields of `vision_config` that every Qwen vision tower has.

use crate::decoder::config::{Fields, LARGEST_FACTOR};

/// Sizes of a vision tower.
#[derive(Clone, Debug, PartialEq)]
pub struct TowerSizes {
    /// Blocks.
    pub depth: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Colour channels.
    pub channels: usize,
    /// Side of a patch in pixels.
    pub patch: usize,
    /// Frames in one patch.
    pub temporal_patch: usize,
    /// Patches on the side of a merge window.
    pub merge: usize,
    /// Width of a feature: the decoder's.
    pub out: usize,
    /// Base wavelength of the rotary embedding.
    pub rope_theta: f64,
}

impl TowerSizes {
    /// Reads the common fields; the two widths have other names in each family.
    pub fn read(fields: &Fields<'_>, width: usize, out: usize) -> Result<TowerSizes, String> {
        let rope = fields.object("rope_parameters")?;
        let rope = Fields(&rope);
        rope.only("rope_type", "axial")?;
        Ok(TowerSizes {
            depth: fields.count("depth", 32)?,
            width,
            heads: fields.count("num_heads", 16)?,
            channels: fields.count("in_channels", 3)?,
            patch: fields.count("patch_size", 14)?,
            temporal_patch: fields.count("temporal_patch_size", 2)?,
            merge: fields.count("spatial_merge_size", 2)?,
            out,
            rope_theta: rope.number("rope_theta", 1e4)?,
        })
    }

    /// Refuses sizes that do not fit each other or the decoder.
    pub fn validate(&self, decoder_width: usize) -> Result<(), String> {
        let Self { depth, width, heads, out, channels, patch, temporal_patch, merge, .. } = *self;
        if [depth, heads, patch].into_iter().any(|factor| factor > LARGEST_FACTOR)
            || [channels, temporal_patch, merge].into_iter().any(|factor| factor > 64)
        {
            return Err(format!("vision_config has sizes that no model has: {self:?}"));
        }
        if width % heads != 0 || (width / heads) % 4 != 0 {
            return Err(format!(
                "a vision tower {width} wide cannot have {heads} heads with a rotary embedding"
            ));
        }
        if out != decoder_width {
            return Err(format!(
                "the vision tower hands over {out} numbers, the decoder is {decoder_width} wide"
            ));
        }
        Ok(())
    }

    /// Numbers in one patch.
    pub fn patch_len(&self) -> usize {
        self.channels * self.temporal_patch * self.patch * self.patch
    }

    /// Width of one head.
    pub fn head_dim(&self) -> usize {
        self.width / self.heads
    }

    /// Patches in one merge window.
    pub fn merge_unit(&self) -> usize {
        self.merge * self.merge
    }
}
