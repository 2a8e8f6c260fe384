//! Attention of a vision block: one fused projection, rotary angles by row and column, every patch of a segment
//! sees every other. Segments are temporal slices or windows; this file does not know which.

use candle_core::Tensor;

use super::config::TowerSizes;
use crate::error::Result;
use crate::layers::{Attended, Heads, Linear, Mask, Rope, Segment, attention, attention_backward};
use crate::parts::{Gradients, Named, parts};
use crate::weights::Loader;

/// The two projections.
#[derive(Clone, Debug)]
pub struct Attention {
    /// `[3 * width, width]`
    pub qkv: Named<Linear>,
    /// `[width, width]`
    pub proj: Named<Linear>,
    heads: Heads,
}

parts!(Attention { qkv, proj });

/// Where patches are: their angles, and who sees whom.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// Angles of every patch.
    pub rope: &'a Rope,
    /// Patches that see each other.
    pub segments: &'a [Segment],
}

/// What the backward pass needs besides the input.
#[derive(Debug)]
pub struct AttentionSaved {
    /// Turned queries, turned keys and values side by side, `[n, 3 * width]`.
    qkv: Tensor,
    attended: Attended,
}

impl Attention {
    /// Reads the parameters under `prefix`.
    pub fn load(prefix: &str, sizes: &TowerSizes, loader: &mut Loader<'_>) -> Result<Attention> {
        let width = sizes.width;
        Ok(Attention {
            qkv: loader.plain_linear(
                &format!("{prefix}.qkv"),
                &[3 * width, width],
                3 * width,
                width,
                true,
            )?,
            proj: loader.plain_linear(&format!("{prefix}.proj"), &[width, width], width, width, true)?,
            heads: Heads { query: sizes.heads, key_value: sizes.heads, dim: sizes.head_dim() },
        })
    }

    /// `[n, width]` to the same.
    pub fn forward(&self, x: &Tensor, place: Place<'_>) -> Result<(Tensor, AttentionSaved)> {
        // 1. Queries, keys and values of one product                               [n, 3 * width]
        let qkv = self.qkv.forward(x)?;
        let [mut q, mut k, v] = self.split(&qkv)?;
        // 2. Turned in place by row and column                                     [n, width] each
        place.rope.apply(&mut q)?;
        place.rope.apply(&mut k)?;
        // 3. Attention within each segment                                         [n, width]
        let attended = attention(&q, &k, &v, place.segments, self.heads, Mask::Full)?;
        // 4. Back to the stream                                                    [n, width]
        let y = self.proj.forward(&attended.y)?;
        Ok((y, AttentionSaved { qkv, attended }))
    }

    /// `dx` from the same `x`.
    pub fn backward(
        &self,
        x: &Tensor,
        saved: &AttentionSaved,
        dy: &Tensor,
        place: Place<'_>,
        grads: &mut Gradients<'_>,
    ) -> Result<Tensor> {
        let dattended = self.proj.backward(&saved.attended.y, dy, grads)?;
        let [q, k, v] = self.split(&saved.qkv)?;
        let (mut dq, mut dk, dv) = attention_backward(
            &q,
            &k,
            &v,
            &saved.attended,
            &dattended,
            place.segments,
            self.heads,
            Mask::Full,
        )?;
        place.rope.apply_inverse(&mut dq)?;
        place.rope.apply_inverse(&mut dk)?;
        let dqkv = Tensor::cat(&[dq, dk, dv], 1)?;
        self.qkv.backward(x, &dqkv, grads)
    }

    fn split(&self, qkv: &Tensor) -> Result<[Tensor; 3]> {
        let width = self.heads.query * self.heads.dim;
        Ok([qkv.narrow(1, 0, width)?, qkv.narrow(1, width, width)?, qkv.narrow(1, 2 * width, width)?])
    }
}
