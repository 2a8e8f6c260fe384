//! Attention over packed sequences with grouped key/value heads, and over a paged cache. The mask lives here:
//! callers say which rows form a segment, never which pairs may see each other.

use std::ops::Range;

use candle_core::{Result, Tensor};

use super::{CacheRow, KvCache};
use crate::backend::Precision;
use crate::backend::cpu::{attention as kernel, cached, simd};
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

/// Rows that attend to each other, and perhaps to another segment before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its rows.
    pub rows: Range<usize>,
    /// The segment, by its number, all of whose rows come before this one's: what several sequences begin with.
    /// That one has none before it.
    pub after: Option<usize>,
}

impl From<Range<usize>> for Segment {
    fn from(rows: Range<usize>) -> Self {
        Segment { rows, after: None }
    }
}

/// What a row of a segment may see, besides the segment before it.
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
    segments: &[Segment],
    heads: Heads,
    mask: Mask,
) -> Result<Attended> {
    let (q, k, v) = (Rows::open(q)?, Rows::open(k)?, Rows::open(v)?);
    let inputs = inputs(&q, &k, &v, segments, heads, mask);
    let n = q.shape.rows;
    let mut y = vec![0f32; n * heads.query * heads.dim];
    let mut log_sum = vec![0f32; n * heads.query];
    kernel::forward(simd::level(), inputs, &mut y, &mut log_sum);
    Ok(Attended {
        y: host::matrix(y, n, heads.query * heads.dim)?,
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
    segments: &[Segment],
    heads: Heads,
    mask: Mask,
) -> Result<(Tensor, Tensor, Tensor)> {
    let (q, k, v, dy) = (Rows::open(q)?, Rows::open(k)?, Rows::open(v)?, Rows::open(dy)?);
    let (y, log_sum) = (Rows::open(&attended.y)?, Rows::open(&attended.log_sum)?);
    let inputs = inputs(&q, &k, &v, segments, heads, mask);
    assert_eq!((dy.shape.rows, dy.shape.cols), (q.shape.rows, q.shape.cols), "shape of dy");
    let results = kernel::Results { y: y.view(), log_sum: log_sum.dense()?, dy: dy.view() };
    let (n, wide, narrow) = (q.shape.rows, heads.query * heads.dim, heads.key_value * heads.dim);
    let (mut dq, mut dk, mut dv) = (vec![0f32; n * wide], vec![0f32; n * narrow], vec![0f32; n * narrow]);
    kernel::backward(simd::level(), inputs, results, &mut dq, &mut dk, &mut dv);
    Ok((host::matrix(dq, n, wide)?, host::matrix(dk, n, narrow)?, host::matrix(dv, n, narrow)?))
}

/// Checks shapes and gathers what the kernels read.
fn inputs<'a>(
    q: &'a Rows<'_>,
    k: &'a Rows<'_>,
    v: &'a Rows<'_>,
    segments: &'a [Segment],
    heads: Heads,
    mask: Mask,
) -> kernel::Inputs<'a> {
    let (n, narrow) = (q.shape.rows, heads.key_value * heads.dim);
    assert_eq!(heads.query % heads.key_value, 0, "query heads are a multiple of key/value heads");
    assert_eq!(q.shape.cols, heads.query * heads.dim, "features of q");
    assert_eq!((k.shape.rows, k.shape.cols), (n, narrow), "shape of k");
    assert_eq!((v.shape.rows, v.shape.cols), (n, narrow), "shape of v");
    let inside = |rows: &Range<usize>| rows.start <= rows.end && rows.end <= n;
    let first = |before: usize| segments[before].after.is_none();
    assert!(segments.iter().all(|s| inside(&s.rows) && s.after.is_none_or(first)), "segments");
    let rounds = Precision::current() == Precision::Bf16;
    kernel::Inputs { q: q.view(), k: k.view(), v: v.view(), segments, heads, mask, rounds }
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
    let total: usize = rows.iter().map(|row| row.tokens).sum();
    assert_eq!((q.shape.rows, q.shape.cols), (total, heads.query * heads.dim), "shape of q");
    let pages = cache.pages(layer);
    assert_eq!((pages.heads, pages.dim), (heads.key_value, heads.dim), "heads of the cache");
    host::filled(total, heads.query * heads.dim, |y| {
        cached::forward(simd::level(), q.view(), rows, pages, heads, y)
    })
}
