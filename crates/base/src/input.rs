//! What a model consumes, as plain arrays: token ids, positions and patches. No tensor type, no text.

use std::ops::Range;
use std::sync::Arc;

use crate::{Digest, Patches};

/// M-RoPE position of one token: `[time, height, width]`. Text has all three equal.
pub type Position = [i32; 3];

/// Image or video: they have different placeholder tokens and position rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VisionKind {
    /// One picture, repeated to fill the temporal patch.
    Image,
    /// A run of frames.
    Video,
}

/// One image or video, cut into patches.
#[derive(Clone, Debug)]
pub struct VisionItem {
    /// Image or video.
    pub kind: VisionKind,
    /// Patch grid `[t, h, w]` before merging; `h` and `w` are multiples of the merge size.
    pub grid: [usize; 3],
    /// Row-major `[t*h*w, channels * temporal_patch * patch * patch]`, ordered so that the patches of one merge
    /// window are neighbours.
    pub patches: Arc<Patches>,
    /// BLAKE3 over the grid and the patches: equal keys have equal features.
    pub key: Digest,
    /// The placeholder tokens this item fills: a run of `t*h*w / merge²` ids.
    pub span: Range<usize>,
}

impl VisionItem {
    /// Patches before merging.
    pub fn patch_count(&self) -> usize {
        self.grid.iter().product()
    }
}

/// Everything a model needs for one sequence.
#[derive(Clone, Debug, Default)]
pub struct ModelInput {
    /// Token ids, placeholders expanded, `[n]`.
    pub ids: Vec<u32>,
    /// One position per token, `[n]`.
    pub positions: Vec<Position>,
    /// Images and videos in order of appearance; their spans do not overlap and ascend.
    pub vision: Vec<VisionItem>,
}

impl ModelInput {
    /// The position of the first generated token: one past the largest so far, on all three axes.
    pub fn next_position(&self) -> i32 {
        self.positions.iter().flatten().max().map_or(0, |&largest| largest + 1)
    }
}
