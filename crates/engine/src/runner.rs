//! What the engine asks of a model: run the vision tower, run rows of tokens against a paged cache.
//!
//! The engine decides who runs when and which blocks hold whose keys and values; a [`Runner`] owns the weights,
//! the memory behind the blocks and the vision features, and decides nothing. No tensor type crosses this trait.

use std::ops::Range;

use firsthand_base::{Digest, Position, VisionItem};

/// What a runner can hold. Constant for the runner's lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tokens in one block of the cache; at least 1.
    pub block_tokens: usize,
    /// Blocks in the cache, numbered `0..blocks`.
    pub blocks: usize,
    /// Most tokens of one sequence, prompt and answer together.
    pub max_context: usize,
    /// Logits in one row of [`Runner::forward`]'s answer.
    pub vocab: usize,
}

impl Limits {
    /// Tokens one sequence can have at most: the context length or the whole cache, whichever is less.
    pub fn longest_sequence(&self) -> usize {
        self.max_context.min(self.block_tokens.saturating_mul(self.blocks))
    }
}

/// Where the features of an encoded item replace token embeddings in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisionSlot {
    /// The item; [`Runner::encode`] has run for it and [`Runner::forget`] has not.
    pub key: Digest,
    /// The placeholder tokens, as indices into this row's `tokens`.
    pub at: Range<usize>,
    /// The feature row that belongs to `at.start`; the following ones are consecutive.
    pub from: usize,
}

/// Consecutive new tokens of one sequence.
///
/// Token `i` of the row has cache index `start + i`: its keys and values go to slot
/// `(start + i) % block_tokens` of block `blocks[(start + i) / block_tokens]`, and it attends to the cache
/// indices `0..=start + i` through the same table. `positions` only feed the rotary embedding.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// New token ids, at least one.
    pub tokens: &'a [u32],
    /// Their M-RoPE positions, as many as `tokens`.
    pub positions: &'a [Position],
    /// Tokens of the sequence that are in the cache already.
    pub start: usize,
    /// Physical blocks of the sequence from its first token on; exactly as many as hold `start + tokens.len()`.
    pub blocks: &'a [u32],
    /// Vision features that replace embeddings, ascending and disjoint.
    pub vision: Vec<VisionSlot>,
    /// Whether the logits of the last token are wanted.
    pub logits: bool,
}

/// A model on a device. `firsthand-model` implements this; tests of this crate use a toy.
///
/// An error leaves the cache contents of the rows of that call undefined and everything else intact. After an
/// error the engine may call again with other rows; it never reuses what a failed call wrote.
pub trait Runner {
    /// What can go wrong on the device.
    type Error: std::error::Error + Send + Sync + 'static;

    /// What this runner can hold.
    fn limits(&self) -> Limits;

    /// Runs the vision tower over `item` and keeps its features under `item.key` until [`Runner::forget`].
    /// Never called twice for one key without `forget` between, unless the first call failed.
    fn encode(&mut self, item: &VisionItem) -> Result<(), Self::Error>;

    /// Drops the features kept under `key`. Unknown keys are ignored.
    fn forget(&mut self, key: &Digest);

    /// Log-probability of a token under one row of logits, in the arithmetic that training this model uses.
    fn log_probability(&self, logits: &[f32], id: u32) -> f32;

    /// Runs every row and answers, in the order of `rows`, the `vocab` logits of its last token where
    /// [`Row::logits`] asks for them and `None` elsewhere.
    ///
    /// No two rows are of the same sequence, and no block that a row writes is in the table of another row.
    /// Blocks before a row's first written slot may be shared and are only read.
    fn forward(&mut self, rows: &[Row<'_>]) -> Result<Vec<Option<Vec<f32>>>, Self::Error>;
}
