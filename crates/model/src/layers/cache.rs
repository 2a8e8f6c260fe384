//! Paged storage of keys and values: allocated once, addressed by block tables that the engine owns.
//! Which block belongs to which sequence is not known here.

use candle_core::{Result, Tensor};
use half::bf16;

use crate::backend::host::Rows;

/// How keys and values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheType {
    /// Exactly.
    F32,
    /// Rounded to bf16: half the memory.
    Bf16,
}

/// The place of one sequence's new tokens in the cache.
#[derive(Clone, Copy, Debug)]
pub struct CacheRow<'a> {
    /// New tokens.
    pub tokens: usize,
    /// Tokens already in the cache.
    pub start: usize,
    /// Physical blocks that cover `start + tokens` tokens.
    pub blocks: &'a [u32],
}

/// Keys and values of all layers.
#[derive(Debug)]
pub struct KvCache {
    /// One pair of stores per layer.
    layers: Vec<[Store; 2]>,
    blocks: usize,
    block_tokens: usize,
    heads: usize,
    dim: usize,
}

/// `[blocks, heads, block_tokens, dim]`
#[derive(Debug)]
enum Store {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
}

impl KvCache {
    /// Bytes a cache of this shape takes.
    pub fn bytes(
        layers: usize,
        blocks: usize,
        block_tokens: usize,
        heads: usize,
        dim: usize,
        kind: CacheType,
    ) -> usize {
        let size = if kind == CacheType::F32 { 4 } else { 2 };
        2 * layers * blocks * block_tokens * heads * dim * size
    }

    /// Allocates a cache of `blocks` blocks of `block_tokens` tokens for `heads` key/value heads of `dim`
    /// features. Untouched memory is not resident.
    pub fn new(
        layers: usize,
        blocks: usize,
        block_tokens: usize,
        heads: usize,
        dim: usize,
        kind: CacheType,
    ) -> KvCache {
        let len = blocks * block_tokens * heads * dim;
        let store = || match kind {
            CacheType::F32 => Store::F32(vec![0.0; len]),
            CacheType::Bf16 => Store::Bf16(vec![bf16::ZERO; len]),
        };
        let layers = (0..layers).map(|_| [store(), store()]).collect();
        KvCache { layers, blocks, block_tokens, heads, dim }
    }

    /// Blocks.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// Tokens a block holds.
    pub fn block_tokens(&self) -> usize {
        self.block_tokens
    }

    /// Stores the keys and values `[tokens of all rows, heads * dim]` of one layer.
    pub fn write(&mut self, layer: usize, rows: &[CacheRow<'_>], k: &Tensor, v: &Tensor) -> Result<()> {
        let (k, v) = (Rows::open(k)?, Rows::open(v)?);
        let total: usize = rows.iter().map(|row| row.tokens).sum();
        assert_eq!((k.shape.rows, v.shape.rows), (total, total), "one key and value per token");
        assert_eq!((k.shape.cols, v.shape.cols), (self.heads * self.dim, self.heads * self.dim), "features");
        let mut i = 0;
        for row in rows {
            for token in row.start..row.start + row.tokens {
                for head in 0..self.heads {
                    let to = self.at(row.blocks, token, head);
                    for (store, from) in self.layers[layer].iter_mut().zip([&k, &v]) {
                        let from = &from.data()[i * from.shape.stride + head * self.dim..][..self.dim];
                        store.set(to, from);
                    }
                }
                i += 1;
            }
        }
        Ok(())
    }

    /// Offset of a token's features of a head.
    fn at(&self, blocks: &[u32], token: usize, head: usize) -> usize {
        let block = blocks[token / self.block_tokens] as usize;
        assert!(block < self.blocks, "block {block} of {}", self.blocks);
        ((block * self.heads + head) * self.block_tokens + token % self.block_tokens) * self.dim
    }

    pub(super) fn read(
        &self,
        layer: usize,
        row: &CacheRow<'_>,
        token: usize,
        head: usize,
    ) -> (Vec<f32>, Vec<f32>) {
        let at = self.at(row.blocks, token, head);
        let [k, v] = &self.layers[layer];
        (k.get(at, self.dim), v.get(at, self.dim))
    }
}

impl Store {
    fn set(&mut self, at: usize, from: &[f32]) {
        match self {
            Store::F32(data) => data[at..at + from.len()].copy_from_slice(from),
            Store::Bf16(data) => {
                data[at..].iter_mut().zip(from).for_each(|(to, &from)| *to = bf16::from_f32(from));
            }
        }
    }

    fn get(&self, at: usize, len: usize) -> Vec<f32> {
        match self {
            Store::F32(data) => data[at..at + len].to_vec(),
            Store::Bf16(data) => data[at..at + len].iter().map(|v| v.to_f32()).collect(),
        }
    }
}
