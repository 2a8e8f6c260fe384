//! Attention over packed sequences with grouped key/value heads, and over a paged cache. The mask lives here:
//! callers say which rows form a segment, never which pairs may see each other.

use std::ops::Range;

use candle_core::{Result, Tensor};

use super::{CacheRow, KvCache};
use crate::backend::host::{self, Rows};

/// Heads of an attention layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Query heads.
    pub query: usize,
    /// Key/value heads; a divisor of `query`. Query head `h` reads key/value head `h / (query / key_value)`.
    pub key_value: usize,
    /// Features of a head.
    pub dim: usize,
}

/// What a row of a segment may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// Itself and what came before it in its segment.
    Causal,
    /// All of its segment.
    Full,
}

/// The result of [`attention`], with what its backward pass needs.
#[derive(Clone, Debug)]
pub struct Attended {
    /// `[n, query * dim]`
    pub y: Tensor,
    /// Log of the sum of exponentials of the scaled scores, `[n, query]`.
    pub log_sum: Tensor,
}

/// Softmax attention inside each segment, scores scaled by `1 / sqrt(dim)`. `q [n, query * dim]`,
/// `k` and `v [n, key_value * dim]`; rows may be parts of wider rows. Segments must not overlap; rows in none
/// come out as zero.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    segments: &[Range<usize>],
    heads: Heads,
    mask: Mask,
) -> Result<Attended> {
    let (q, k, v) = (Rows::open(q)?, Rows::open(k)?, Rows::open(v)?);
    let (n, dim) = (q.shape.rows, heads.dim);
    let group = heads.query / heads.key_value;
    let scale = 1.0 / (dim as f32).sqrt();
    let mut y = vec![0f32; n * heads.query * dim];
    let mut log_sum = vec![0f32; n * heads.query];
    for segment in segments {
        for i in segment.clone() {
            let end = if mask == Mask::Causal { i + 1 } else { segment.end };
            for h in 0..heads.query {
                let qi = &q.data()[i * q.shape.stride + h * dim..][..dim];
                let head = |r: &Rows<'_>, j: usize| j * r.shape.stride + h / group * dim;
                let scores: Vec<f32> =
                    (segment.start..end).map(|j| scale * dot(qi, &k.data()[head(&k, j)..][..dim])).collect();
                let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f32 = scores.iter().map(|s| (s - max).exp()).sum();
                log_sum[i * heads.query + h] = max + sum.ln();
                let out = &mut y[(i * heads.query + h) * dim..][..dim];
                for (j, s) in (segment.start..end).zip(&scores) {
                    let p = (s - max).exp() / sum;
                    let vj = &v.data()[head(&v, j)..][..dim];
                    out.iter_mut().zip(vj).for_each(|(o, v)| *o += p * v);
                }
            }
        }
    }
    Ok(Attended {
        y: host::matrix(y, n, heads.query * dim)?,
        log_sum: host::matrix(log_sum, n, heads.query)?,
    })
}

/// `(dq, dk, dv)` of [`attention`], from its inputs, its result and `dy`.
pub fn attention_backward(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    attended: &Attended,
    dy: &Tensor,
    segments: &[Range<usize>],
    heads: Heads,
    mask: Mask,
) -> Result<(Tensor, Tensor, Tensor)> {
    let (q, k, v, dy) = (Rows::open(q)?, Rows::open(k)?, Rows::open(v)?, Rows::open(dy)?);
    let (y, log_sum) = (Rows::open(&attended.y)?, Rows::open(&attended.log_sum)?);
    let (n, dim) = (q.shape.rows, heads.dim);
    let group = heads.query / heads.key_value;
    let scale = 1.0 / (dim as f32).sqrt();
    let mut dq = vec![0f32; n * heads.query * dim];
    let mut dk = vec![0f32; n * heads.key_value * dim];
    let mut dv = vec![0f32; n * heads.key_value * dim];
    for segment in segments {
        for i in segment.clone() {
            let end = if mask == Mask::Causal { i + 1 } else { segment.end };
            for h in 0..heads.query {
                let at = (i * heads.query + h) * dim;
                let qi = &q.data()[i * q.shape.stride + h * dim..][..dim];
                let dyi = &dy.data()[i * dy.shape.stride + h * dim..][..dim];
                let delta = dot(dyi, &y.data()[at..][..dim]);
                for j in segment.start..end {
                    let kj = &k.data()[j * k.shape.stride + h / group * dim..][..dim];
                    let vj = &v.data()[j * v.shape.stride + h / group * dim..][..dim];
                    let p = (scale * dot(qi, kj) - log_sum.data()[i * heads.query + h]).exp();
                    let ds = p * (dot(dyi, vj) - delta) * scale;
                    let to = (j * heads.key_value + h / group) * dim;
                    for d in 0..dim {
                        dq[at + d] += ds * kj[d];
                        dk[to + d] += ds * qi[d];
                        dv[to + d] += p * dyi[d];
                    }
                }
            }
        }
    }
    let wide = heads.key_value * dim;
    Ok((host::matrix(dq, n, heads.query * dim)?, host::matrix(dk, n, wide)?, host::matrix(dv, n, wide)?))
}

/// Causal attention of new tokens over one layer of a paged cache, which must already hold them (see
/// [`KvCache::write`]). `q [tokens of all rows, query * dim]`, rows in order.
pub fn cached_attention(
    q: &Tensor,
    rows: &[CacheRow<'_>],
    cache: &KvCache,
    layer: usize,
    heads: Heads,
) -> Result<Tensor> {
    let q = Rows::open(q)?;
    let dim = heads.dim;
    let group = heads.query / heads.key_value;
    let scale = 1.0 / (dim as f32).sqrt();
    let total: usize = rows.iter().map(|row| row.tokens).sum();
    assert_eq!(q.shape.rows, total, "one query per token");
    let mut y = vec![0f32; total * heads.query * dim];
    let mut first = 0;
    for row in rows {
        for i in 0..row.tokens {
            for h in 0..heads.query {
                let qi = &q.data()[(first + i) * q.shape.stride + h * dim..][..dim];
                let keys: Vec<_> =
                    (0..row.start + i + 1).map(|j| cache.read(layer, row, j, h / group)).collect();
                let scores: Vec<f32> = keys.iter().map(|(k, _)| scale * dot(qi, k)).collect();
                let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f32 = scores.iter().map(|s| (s - max).exp()).sum();
                let out = &mut y[((first + i) * heads.query + h) * dim..][..dim];
                for (s, (_, v)) in scores.iter().zip(&keys) {
                    let p = (s - max).exp() / sum;
                    out.iter_mut().zip(v).for_each(|(o, v)| *o += p * v);
                }
            }
        }
        first += row.tokens;
    }
    host::matrix(y, total, heads.query * dim)
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
