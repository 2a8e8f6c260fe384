//! Paged storage of keys and values: allocated once, addressed by block tables that the engine owns.
//! Which block belongs to which sequence is not known here.

use candle_core::{Result, Tensor};
use half::bf16;
use half::vec::HalfBitsVecExt;

use crate::backend::cpu::cached::Pages;
use crate::backend::cpu::gemm::Elements;
use crate::backend::cpu::{dots, simd};
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
            // Zeroed as integers: only those come from the system untouched.
            CacheType::Bf16 => Store::Bf16(vec![0u16; len].reinterpret_into()),
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
        let (heads, dim) = (self.heads, self.dim);
        let mut i = 0;
        for row in rows {
            for token in row.start..row.start + row.tokens {
                for head in 0..heads {
                    let to = self.pages(layer).at(row.blocks, token, head);
                    for (store, from) in self.layers[layer].iter_mut().zip([&k, &v]) {
                        store.set(to, &from.view().row(i)[head * dim..][..dim]);
                    }
                }
                i += 1;
            }
        }
        Ok(())
    }

    /// One layer, for kernels.
    pub(crate) fn pages(&self, layer: usize) -> Pages<'_> {
        let [k, v] = &self.layers[layer];
        Pages {
            k: k.elements(),
            v: v.elements(),
            blocks: self.blocks,
            block_tokens: self.block_tokens,
            heads: self.heads,
            dim: self.dim,
        }
    }
}

impl Store {
    fn set(&mut self, at: usize, from: &[f32]) {
        match self {
            Store::F32(data) => data[at..at + from.len()].copy_from_slice(from),
            Store::Bf16(data) => dots::round(simd::level(), from, &mut data[at..at + from.len()]),
        }
    }

    fn elements(&self) -> Elements<'_> {
        match self {
            Store::F32(data) => Elements::F32(data),
            Store::Bf16(data) => Elements::Bf16(data),
        }
    }
}
