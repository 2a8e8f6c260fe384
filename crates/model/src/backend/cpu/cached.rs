//! Attention of new tokens over a paged cache. A row of one token reads its blocks in place, some hundreds of
//! tokens at a time, all query heads of a key/value head together. A row of more tokens gathers each head's keys
//! and values once and works through strips of queries like `attention`; in [`Order::One`] it has the sums of so many
//! rows of one token, and neighbours read each key and value together.
#![allow(unsafe_code)]

use std::cell::RefCell;

use half::bf16;

use super::attention::softmax;
use super::dots::{GROUP, MOST_ROWS, Sums, dots, dots_widened, widen};
use super::gemm::{Elements, Matrix};
use super::math::exp;
use super::panels::Panels;
use super::simd::{Level, simd};
use super::threads::{self, Shared};
use crate::backend::Order;
use crate::backend::host::View;
use crate::layers::{CacheRow, Heads};

/// Cached tokens of one task of a row of one token; fixed, so that the result is, too.
pub(super) const SPAN: usize = 512;
/// Queries of a strip of a longer row.
const STRIP: usize = 32;
/// Most neighbouring tokens that read the cache together in [`Order::One`].
const TOGETHER: usize = 8;
/// Features a value's sum is kept in registers for.
const WIDTH: usize = 64;

thread_local! {
    static BUFFERS: RefCell<[Vec<f32>; 2]> = RefCell::default();
}

/// One layer of a cache: keys and values `[blocks, heads, block_tokens, dim]`.
#[derive(Clone, Copy)]
pub(crate) struct Pages<'a> {
    pub(crate) k: Elements<'a>,
    pub(crate) v: Elements<'a>,
    pub(crate) blocks: usize,
    pub(crate) block_tokens: usize,
    pub(crate) heads: usize,
    pub(crate) dim: usize,
}

impl Pages<'_> {
    /// Offset of a token's features of a head.
    pub(crate) fn at(&self, blocks: &[u32], token: usize, head: usize) -> usize {
        let block = blocks[token / self.block_tokens] as usize;
        assert!(block < self.blocks, "block {block} of {}", self.blocks);
        ((block * self.heads + head) * self.block_tokens + token % self.block_tokens) * self.dim
    }

    /// The runs of neighbouring tokens within `tokens`: first token, offset, count.
    fn runs(
        &self,
        blocks: &[u32],
        tokens: std::ops::Range<usize>,
        head: usize,
    ) -> Vec<(usize, usize, usize)> {
        let mut runs = Vec::with_capacity(tokens.len() / self.block_tokens + 2);
        let mut token = tokens.start;
        while token < tokens.end {
            let count = (self.block_tokens - token % self.block_tokens).min(tokens.end - token);
            runs.push((token, self.at(blocks, token, head), count));
            token += count;
        }
        runs
    }

    /// A head's keys or values `[tokens, dim]` of a sequence.
    fn gather(&self, from: Elements<'_>, blocks: &[u32], tokens: usize, head: usize) -> Vec<f32> {
        let mut out = Vec::with_capacity(tokens * self.dim);
        for (_, at, count) in self.runs(blocks, 0..tokens, head) {
            match from {
                Elements::F32(data) => out.extend_from_slice(&data[at..at + count * self.dim]),
                Elements::Bf16(data) => {
                    out.extend(data[at..at + count * self.dim].iter().map(|value| widen(*value)));
                }
            }
        }
        out
    }
}

/// Fills `y [tokens of all rows, query * dim]`.
pub(crate) fn forward(
    level: Level,
    q: View<'_>,
    rows: &[CacheRow<'_>],
    pages: Pages<'_>,
    heads: Heads,
    y: &mut [f32],
) {
    let mut first = 0;
    let mut neighbours = Vec::new();
    for row in rows {
        if row.tokens <= 1 || Order::current() == Order::One {
            let alike = strips(row.start, row.tokens);
            neighbours.extend(
                alike.map(|(i, tokens)| (first + i, CacheRow { tokens, start: row.start + i, ..*row })),
            );
        } else {
            prefill(level, q, first, row, pages, heads, y);
        }
        first += row.tokens;
    }
    decode(level, q, &neighbours, pages, heads, y);
}

/// A row of several tokens, whose queries start at `first`.
fn prefill(
    level: Level,
    q: View<'_>,
    first: usize,
    row: &CacheRow<'_>,
    pages: Pages<'_>,
    heads: Heads,
    y: &mut [f32],
) {
    let Heads { query, key_value, dim } = heads;
    let scale = 1.0 / (dim as f32).sqrt();
    let tokens = row.start + row.tokens;
    let mut panels: Vec<Option<[Panels; 2]>> = (0..key_value).map(|_| None).collect();
    threads::for_pieces(&mut panels, 1, |head, panels| {
        let k = pages.gather(pages.k, row.blocks, tokens, head);
        let v = pages.gather(pages.v, row.blocks, tokens, head);
        let [k, v] = [&k, &v].map(|data| Matrix::f32(data, tokens, dim, dim));
        panels[0] = Some([Panels::new(level, false, k.t()), Panels::new(level, false, v)]);
    });
    let strips = row.tokens.div_ceil(STRIP);
    let y = Shared::new(y);
    threads::run(strips * query, |task| {
        // The longest strips first.
        let (strip, head) = (strips - 1 - task / query, task % query);
        let from = strip * STRIP;
        let count = STRIP.min(row.tokens - from);
        let keys = row.start + from + count;
        let [k, v] = panels[head / (query / key_value)].as_ref().expect("packed above");
        BUFFERS.with_borrow_mut(|[scores, out]| {
            scores.resize(count * keys, 0.0);
            out.resize(count * dim, 0.0);
            let start = (first + from) * q.shape.stride + head * dim;
            let queries = Matrix::f32(&q.data[start..], count, dim, q.shape.stride);
            k.product(queries, keys, scores, keys, false);
            let mut sums = [1f32; STRIP];
            for (i, scores) in scores.chunks_exact_mut(keys).enumerate() {
                sums[i] = softmax(level, scores, row.start + from + i + 1, scale).1;
            }
            v.product(Matrix::f32(scores, count, keys, keys), dim, out, dim, false);
            for (i, (from_row, sum)) in out.chunks_exact(dim).zip(sums).enumerate() {
                // SAFETY: a row's head belongs to one task.
                let to = unsafe { y.piece(((first + from + i) * query + head) * dim, dim) };
                to.iter_mut().zip(from_row).for_each(|(to, value)| *to = value / sum);
            }
        });
    });
}

/// Part of a query head's result: over one span of keys.
pub(super) struct Partial {
    max: f32,
    sum: f32,
    y: Vec<f32>,
}

/// A row's tokens from position `start`, cut so that neighbours see equally many spans: first of them, count.
pub(super) fn strips(start: usize, tokens: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let count = TOGETHER.min(tokens - from).min(SPAN - (start + from) % SPAN);
        let strip = (from, count);
        from += count;
        (count > 0).then_some(strip)
    })
}

/// Queries `[tokens, group, dim]` of the query heads of one key/value head.
#[derive(Clone, Copy)]
pub(super) struct Queries<'a> {
    pub(super) data: &'a [f32],
    pub(super) group: usize,
    /// Cached tokens that the first token sees; each next one sees one more.
    pub(super) sees: usize,
}

impl Queries<'_> {
    /// Spans of keys that the tokens see, which is equally many for each.
    pub(super) fn spans(&self, dim: usize) -> impl Iterator<Item = std::ops::Range<usize>> + use<> {
        let keys = self.sees + self.data.len() / (self.group * dim) - 1;
        (0..keys.div_ceil(SPAN)).map(move |span| span * SPAN..((span + 1) * SPAN).min(keys))
    }
}

/// The queries of some rows that one key/value head answers.
pub(super) fn queries_of(q: View<'_>, rows: std::ops::Range<usize>, head: usize, width: usize) -> Vec<f32> {
    rows.flat_map(|row| &q.row(row)[head * width..][..width]).copied().collect()
}

/// Rows of neighbours; `rows` says where each row's first query is.
fn decode(
    level: Level,
    q: View<'_>,
    rows: &[(usize, CacheRow<'_>)],
    pages: Pages<'_>,
    heads: Heads,
    y: &mut [f32],
) {
    let Heads { query, key_value, dim } = heads;
    let group = query / key_value;
    let spans = |row: &CacheRow<'_>| row.start / SPAN + 1;
    let tasks: Vec<(usize, usize, usize)> = (0..rows.len())
        .flat_map(|row| (0..spans(&rows[row].1)).map(move |span| (row, span)))
        .flat_map(|(row, span)| (0..key_value).map(move |head| (row, span, head)))
        .collect();
    let mut partials: Vec<Vec<Partial>> = tasks.iter().map(|_| Vec::new()).collect();
    threads::for_pieces(&mut partials, 1, |task, partials| {
        let (row, span, head) = tasks[task];
        let (at, row) = rows[row];
        let data = queries_of(q, at..at + row.tokens, head, group * dim);
        let queries = Queries { data: &data, group, sees: row.start + 1 };
        let keys = queries.spans(dim).nth(span).expect("as many as tasks");
        partials[0] = span_of(level, queries, &pages, row.blocks, keys, head);
    });
    let mut first = 0;
    for (at, row) in rows {
        for (token, head) in (0..row.tokens).flat_map(|token| (0..query).map(move |head| (token, head))) {
            let parts = (0..spans(row))
                .map(|span| &partials[first + span * key_value + head / group][token * group + head % group]);
            join(parts, &mut y[((at + token) * query + head) * dim..][..dim]);
        }
        first += spans(row) * key_value;
    }
}

/// All query heads of one key/value head over one span of keys, in the order of the queries.
pub(super) fn span_of(
    level: Level,
    queries: Queries<'_>,
    pages: &Pages<'_>,
    blocks: &[u32],
    keys: std::ops::Range<usize>,
    head: usize,
) -> Vec<Partial> {
    let dim = pages.dim;
    let scale = 1.0 / (dim as f32).sqrt();
    let count = keys.len();
    let runs = pages.runs(blocks, keys.clone(), head);
    let mut scores = vec![0f32; queries.data.len() / dim * count];
    for &(token, at, len) in &runs {
        for t in (0..len).step_by(GROUP) {
            let rows = GROUP.min(len - t);
            let (key, to) = (at + t * dim, token - keys.start + t);
            for (part, queries) in queries.data.chunks(MOST_ROWS * dim).enumerate() {
                let mut sums = Sums::default();
                match pages.k {
                    Elements::F32(data) => dots(level, queries, &data[key..], dim, rows, dim, &mut sums),
                    Elements::Bf16(data) => {
                        dots_widened(level, queries, &data[key..], dim, rows, dim, &mut sums);
                    }
                }
                for (g, sums) in sums.iter().enumerate().take(queries.len() / dim) {
                    scores[(part * MOST_ROWS + g) * count + to..][..rows].copy_from_slice(&sums[..rows]);
                }
            }
        }
    }
    // What a token does not see weighs nothing, which leaves its sums as they are.
    let seen = |row: usize| (queries.sees + row / queries.group).min(keys.end) - keys.start;
    let each = scores.chunks_exact_mut(count).enumerate();
    let sums: Vec<(f32, f32)> = each.map(|(row, scores)| softmax(level, scores, seen(row), scale)).collect();
    let mut y = vec![0f32; queries.data.len()];
    for &(token, at, len) in &runs {
        let p = &scores[token - keys.start..];
        match pages.v {
            Elements::F32(data) => weigh_f32(level, p, count, &data[at..][..len * dim], dim, &mut y),
            Elements::Bf16(data) => weigh_bf16(level, p, count, &data[at..][..len * dim], dim, &mut y),
        }
    }
    let parts = sums.into_iter().zip(y.chunks_exact(dim));
    parts.map(|((max, sum), y)| Partial { max, sum, y: y.to_vec() }).collect()
}

/// Joins the spans of one head, in order; returns the log of the sum of exponentials.
pub(super) fn join<'a>(parts: impl Iterator<Item = &'a Partial> + Clone, y: &mut [f32]) -> f32 {
    let max = parts.clone().map(|part| part.max).fold(f32::NEG_INFINITY, f32::max);
    let total: f32 = parts.clone().map(|part| part.sum * exp(part.max - max)).sum();
    y.fill(0.0);
    for part in parts {
        let share = exp(part.max - max) / total;
        y.iter_mut().zip(&part.y).for_each(|(y, value)| *y = share.mul_add(*value, *y));
    }
    max + total.ln()
}

simd! {
    fn weigh_f32(p: &[f32], count: usize, values: &[f32], dim: usize, y: &mut [f32]) {
        weigh(p, count, values, dim, y, |value| value);
    }
}

simd! {
    fn weigh_bf16(p: &[f32], count: usize, values: &[bf16], dim: usize, y: &mut [f32]) {
        weigh(p, count, values, dim, y, widen);
    }
}

/// `y[g] += Σ p[g * count + t] values[t]`, four heads at a time.
#[inline(always)]
fn weigh<T: Copy>(
    p: &[f32],
    count: usize,
    values: &[T],
    dim: usize,
    y: &mut [f32],
    widen: impl Fn(T) -> f32 + Copy,
) {
    let heads = y.len() / dim;
    let fours = heads / 4 * 4;
    for g in (0..fours).step_by(4) {
        weigh_heads::<4, T>(&p[g * count..], count, values, dim, &mut y[g * dim..], widen);
    }
    for g in fours..heads {
        weigh_heads::<1, T>(&p[g * count..], count, values, dim, &mut y[g * dim..], widen);
    }
}

/// [`weigh`] of `H` heads.
#[inline(always)]
fn weigh_heads<const H: usize, T: Copy>(
    p: &[f32],
    count: usize,
    values: &[T],
    dim: usize,
    y: &mut [f32],
    widen: impl Fn(T) -> f32,
) {
    let whole = dim / WIDTH * WIDTH;
    for from in (0..whole).step_by(WIDTH) {
        let mut sums = [[0f32; WIDTH]; H];
        for h in 0..H {
            sums[h].copy_from_slice(&y[h * dim + from..][..WIDTH]);
        }
        for (t, value) in values.chunks_exact(dim).enumerate() {
            let value: &[T; WIDTH] = value[from..from + WIDTH].try_into().expect("the slice has this length");
            for h in 0..H {
                let p = p[h * count + t];
                for d in 0..WIDTH {
                    sums[h][d] = p.mul_add(widen(value[d]), sums[h][d]);
                }
            }
        }
        for h in 0..H {
            y[h * dim + from..][..WIDTH].copy_from_slice(&sums[h]);
        }
    }
    for (t, value) in values.chunks_exact(dim).enumerate() {
        for h in 0..H {
            for d in whole..dim {
                y[h * dim + d] = p[h * count + t].mul_add(widen(value[d]), y[h * dim + d]);
            }
        }
    }
}
