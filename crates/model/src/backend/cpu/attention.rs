//! Softmax attention inside segments, one strip of queries of one head at a time: all its scores, their softmax,
//! the weighted values. Scores of a strip fit in the second-level cache; there is no rescaling.
//!
//! A row's result depends on the segment's rows up to where it may look, not on what comes after.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ops::Range;

use super::gemm::{Matrix, gemm_at};
use super::math::{exp, sum};
use super::panels::Panels;
use super::simd::{Level, simd};
use super::stepped;
use super::threads::{self, Shared};
use crate::backend::Order;
use crate::backend::host::View;
use crate::layers::{Heads, Mask, Segment};

/// Most scores of one strip: a MiB in f32.
const STRIP_SCORES: usize = 1 << 18;
/// Most queries of a strip.
const STRIP: usize = 64;

thread_local! {
    /// Scores, their gradients, and the features of a strip.
    static BUFFERS: RefCell<[Vec<f32>; 3]> = RefCell::default();
}

/// What attention reads: `q [n, query * dim]`, `k` and `v [n, key_value * dim]`.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) q: View<'a>,
    pub(crate) k: View<'a>,
    pub(crate) v: View<'a>,
    pub(crate) segments: &'a [Segment],
    pub(crate) heads: Heads,
    pub(crate) mask: Mask,
    /// Products in bf16, where the level has them.
    pub(crate) rounds: bool,
}

/// Some queries of one head and the keys they may see.
struct Strip {
    segment: usize,
    head: usize,
    /// Rows of the pack.
    rows: Range<usize>,
    /// Keys before the segment, all of them seen.
    before: usize,
    /// Keys of the segment that some row sees.
    keys: usize,
}

impl Strip {
    /// Scores of a row.
    fn width(&self) -> usize {
        self.before + self.keys
    }

    /// Scores cut into those of the keys before the segment and those of its own.
    fn columns<'a>(&self, scores: &'a [f32]) -> [Matrix<'a>; 2] {
        let (rows, width) = (self.rows.len(), self.width());
        [
            Matrix::f32(scores, rows, self.before, width),
            Matrix::f32(&scores[self.before..], rows, self.keys, width),
        ]
    }
}

impl Inputs<'_> {
    fn scale(&self) -> f32 {
        1.0 / (self.heads.dim as f32).sqrt()
    }

    /// Features of a head, for the rows of a range.
    fn part<'b>(&self, of: View<'b>, head: usize, rows: &Range<usize>) -> Matrix<'b> {
        let from = if rows.is_empty() { 0 } else { rows.start * of.shape.stride + head * self.heads.dim };
        Matrix::f32(&of.data[from..], rows.len(), self.heads.dim, of.shape.stride)
    }

    fn group(&self) -> usize {
        self.heads.query / self.heads.key_value
    }

    /// Rows of a segment, and of the one before it.
    fn lengths(&self, segment: usize) -> (usize, usize) {
        let Segment { rows, after } = &self.segments[segment];
        (rows.len(), after.map_or(0, |before| self.segments[before].rows.len()))
    }

    /// Every strip of one head of one segment, the largest first.
    fn strips(&self, segment: usize, head: usize) -> Vec<Strip> {
        let range = self.segments[segment].rows.clone();
        let (len, before) = self.lengths(segment);
        let step = (STRIP_SCORES / (before + len).max(1)).clamp(8, STRIP) / 8 * 8;
        let strip = |i: usize| {
            let rows = range.start + i * step..(range.start + (i + 1) * step).min(range.end);
            let keys = if self.mask == Mask::Causal { rows.end - range.start } else { len };
            Strip { segment, head, rows, before, keys }
        };
        (0..len.div_ceil(step)).rev().map(strip).collect()
    }

    /// Every strip of the query heads that read one key/value head.
    fn strips_of_group(&self, segment: usize, kv_head: usize) -> impl Iterator<Item = Strip> {
        let heads = kv_head * self.group()..(kv_head + 1) * self.group();
        heads.flat_map(move |head| self.strips(segment, head))
    }

    /// Packs `of` for every segment and key/value head.
    fn panels(&self, level: Level, of: View<'_>, transposed: bool) -> Vec<Panels> {
        let heads = self.heads.key_value;
        let mut all: Vec<Option<Panels>> = (0..self.segments.len() * heads).map(|_| None).collect();
        threads::for_pieces(&mut all, 1, |i, panels| {
            let part = self.part(of, i % heads, &self.segments[i / heads].rows);
            panels[0] = Some(Panels::new(level, self.rounds, if transposed { part.t() } else { part }));
        });
        all.into_iter().map(|panels| panels.expect("each task packs its own")).collect()
    }

    /// The panels a strip reads: those of the segment before its own if there is one, and its own.
    fn panels_of<'b>(&self, strip: &Strip, all: &'b [Panels]) -> (Option<&'b Panels>, &'b Panels) {
        let panels = |segment: usize| &all[segment * self.heads.key_value + strip.head / self.group()];
        (self.segments[strip.segment].after.map(panels), panels(strip.segment))
    }

    /// The scores row `i` of a strip keeps.
    fn seen(&self, strip: &Strip, i: usize) -> usize {
        match self.mask {
            Mask::Causal => strip.before + strip.rows.start + i + 1 - self.segments[strip.segment].rows.start,
            Mask::Full => strip.width(),
        }
    }

    /// `[rows, dim]` by the keys of a strip, `[rows, width]`.
    fn times_keys(&self, strip: &Strip, panels: &[Panels], a: Matrix<'_>, out: &mut [f32]) {
        let (before, own) = self.panels_of(strip, panels);
        if let Some(before) = before.filter(|_| strip.before > 0) {
            before.product(a, strip.before, out, strip.width(), false);
        }
        own.product(a, strip.keys, &mut out[strip.before..], strip.width(), false);
    }

    /// `[rows, width]` by the values of a strip, `[rows, dim]`.
    fn times_values(&self, strip: &Strip, panels: &[Panels], a: &[f32], out: &mut [f32]) {
        let ([first, rest], dim) = (strip.columns(a), self.heads.dim);
        let (before, own) = self.panels_of(strip, panels);
        if let Some(before) = before.filter(|_| strip.before > 0) {
            before.product(first, dim, out, dim, false);
        }
        own.product(rest, dim, out, dim, strip.before > 0);
    }
}

/// Fills `y [n, query * dim]` and `log_sum [n, query]` for the rows of the segments.
pub(crate) fn forward(level: Level, inputs: Inputs<'_>, y: &mut [f32], log_sum: &mut [f32]) {
    if Order::current() == Order::One && inputs.mask == Mask::Causal {
        return stepped::forward(level, inputs, y, log_sum);
    }
    let Heads { query, dim, .. } = inputs.heads;
    let keys = inputs.panels(level, inputs.k, true);
    let values = inputs.panels(level, inputs.v, false);
    let strips: Vec<Strip> = (0..inputs.segments.len())
        .flat_map(|segment| (0..query).map(move |head| (segment, head)))
        .flat_map(|(segment, head)| inputs.strips(segment, head))
        .collect();
    let (y, log_sum) = (Shared::new(y), Shared::new(log_sum));
    threads::run(strips.len(), |task| {
        let strip = &strips[task];
        BUFFERS.with_borrow_mut(|[scores, _, out]| {
            let (rows, width) = (strip.rows.len(), strip.width());
            let (scores, out) = (room(scores, rows * width), room(out, rows * dim));
            let q = inputs.part(inputs.q, strip.head, &strip.rows);
            inputs.times_keys(strip, &keys, q, scores);
            let mut sums = [1f32; STRIP];
            for (i, row) in scores.chunks_exact_mut(width).enumerate() {
                let (max, sum) = softmax(level, row, inputs.seen(strip, i), inputs.scale());
                sums[i] = sum;
                // SAFETY: a row's head belongs to one strip.
                unsafe { log_sum.piece((strip.rows.start + i) * query + strip.head, 1)[0] = max + sum.ln() };
            }
            inputs.times_values(strip, &values, scores, out);
            for (i, (row, sum)) in out.chunks_exact(dim).zip(sums).enumerate() {
                // SAFETY: a row's head belongs to one strip.
                let to = unsafe { y.piece(((strip.rows.start + i) * query + strip.head) * dim, dim) };
                to.iter_mut().zip(row).for_each(|(to, value)| *to = value / sum);
            }
        });
    });
}

/// What the backward pass reads besides the inputs.
#[derive(Clone, Copy)]
pub(crate) struct Results<'a> {
    pub(crate) y: View<'a>,
    pub(crate) log_sum: &'a [f32],
    pub(crate) dy: View<'a>,
}

/// Keys' and values' gradients of one segment and head, `[rows, dim]`.
type Slopes = [Vec<f32>; 2];

/// Writes the rows of the segments in `dq [n, query * dim]`, `dk` and `dv [n, key_value * dim]`.
pub(crate) fn backward(
    level: Level,
    inputs: Inputs<'_>,
    results: Results<'_>,
    dq: &mut [f32],
    dk: &mut [f32],
    dv: &mut [f32],
) {
    let Heads { key_value, dim, .. } = inputs.heads;
    let panels = [(inputs.k, true), (inputs.v, true), (inputs.k, false)];
    let panels = panels.map(|(of, transposed)| inputs.panels(level, of, transposed));
    let [dq, dk, dv] = [dq, dk, dv].map(Shared::new);
    let families = families(inputs.segments);
    // One task for all query heads of a key/value head, and for all segments after the same one: they add to the
    // same keys, in a fixed order.
    threads::run(families.len() * key_value, |task| {
        let (family, kv_head) = (&families[task / key_value], task % key_value);
        let zeros = |segment: usize| std::array::from_fn(|_| vec![0f32; inputs.lengths(segment).0 * dim]);
        let write = |segment: usize, [own_dk, own_dv]: &Slopes| {
            for (i, row) in inputs.segments[segment].rows.clone().enumerate() {
                let at = (row * key_value + kv_head) * dim;
                // SAFETY: a row's head belongs to one task.
                unsafe {
                    dk.piece(at, dim).copy_from_slice(&own_dk[i * dim..][..dim]);
                    dv.piece(at, dim).copy_from_slice(&own_dv[i * dim..][..dim]);
                }
            }
        };
        let mut first: Slopes = zeros(family[0]);
        for &segment in &family[1..] {
            let mut own: Slopes = zeros(segment);
            for strip in inputs.strips_of_group(segment, kv_head) {
                backward_strip(level, inputs, results, &strip, &panels, &dq, Some(&mut first), &mut own);
            }
            write(segment, &own);
        }
        for strip in inputs.strips_of_group(family[0], kv_head) {
            backward_strip(level, inputs, results, &strip, &panels, &dq, None, &mut first);
        }
        write(family[0], &first);
    });
}

/// Segments that share keys: each that has none before it, followed by those after it.
fn families(segments: &[Segment]) -> Vec<Vec<usize>> {
    let mut of = vec![Vec::new(); segments.len()];
    for (i, segment) in segments.iter().enumerate() {
        match segment.after {
            None => of[i].insert(0, i),
            Some(before) => of[before].push(i),
        }
    }
    of.retain(|family| !family.is_empty());
    of
}

/// One strip: writes its rows of `dq`, adds to the keys' and values' gradients of its segment, and of the one
/// `before` it.
fn backward_strip(
    level: Level,
    inputs: Inputs<'_>,
    results: Results<'_>,
    strip: &Strip,
    panels: &[Vec<Panels>; 3],
    dq: &Shared<f32>,
    before: Option<&mut Slopes>,
    own: &mut Slopes,
) {
    let Heads { query, dim, .. } = inputs.heads;
    let [keys, values, key_rows] = panels;
    let (rows, width) = (strip.rows.len(), strip.width());
    BUFFERS.with_borrow_mut(|[p, ds, out]| {
        let (p, ds, out) = (room(p, rows * width), room(ds, rows * width), room(out, rows * dim));
        let q = inputs.part(inputs.q, strip.head, &strip.rows);
        let dy = inputs.part(results.dy, strip.head, &strip.rows);
        inputs.times_keys(strip, keys, q, p);
        inputs.times_keys(strip, values, dy, ds);
        for i in 0..rows {
            let at = strip.rows.start + i;
            let head = strip.head * dim..(strip.head + 1) * dim;
            let (y, dy) = (&results.y.row(at)[head.clone()], &results.dy.row(at)[head]);
            let log_sum = results.log_sum[at * query + strip.head];
            let limit = inputs.seen(strip, i);
            let (p, ds) = (&mut p[i * width..][..width], &mut ds[i * width..][..width]);
            softmax_backward(level, p, ds, limit, inputs.scale(), log_sum, y, dy);
        }
        inputs.times_values(strip, key_rows, ds, out);
        for (i, row) in out.chunks_exact(dim).enumerate() {
            // SAFETY: a row's head belongs to one strip.
            unsafe {
                dq.piece(((strip.rows.start + i) * query + strip.head) * dim, dim).copy_from_slice(row)
            };
        }
        let ([p_before, p_own], [ds_before, ds_own]) = (strip.columns(p), strip.columns(ds));
        gemm_at(level, inputs.rounds, ds_own.t(), q, &mut own[0], dim, true);
        gemm_at(level, inputs.rounds, p_own.t(), dy, &mut own[1], dim, true);
        if let Some([dk, dv]) = before {
            gemm_at(level, inputs.rounds, ds_before.t(), q, dk, dim, true);
            gemm_at(level, inputs.rounds, p_before.t(), dy, dv, dim, true);
        }
    });
}

/// A buffer of the thread, grown once.
fn room(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

simd! {
    /// Turns the first `seen` scores into `e^(scale (score - max))` and the others into zero; returns the scaled
    /// maximum and the sum.
    pub(super) fn softmax(scores: &mut [f32], seen: usize, scale: f32) -> (f32, f32) {
        let (scores, unseen) = scores.split_at_mut(seen);
        let mut lanes = [f32::NEG_INFINITY; 32];
        for chunk in scores.chunks(32) {
            for (lane, &score) in lanes.iter_mut().zip(chunk) {
                *lane = lane.max(score);
            }
        }
        let max = lanes.iter().copied().fold(f32::NEG_INFINITY, f32::max) * scale;
        let mut lanes = [0f32; 32];
        let mut chunks = scores.chunks_exact_mut(32);
        for chunk in &mut chunks {
            for (lane, score) in lanes.iter_mut().zip(chunk) {
                *score = exp(score.mul_add(scale, -max));
                *lane += *score;
            }
        }
        for (lane, score) in lanes.iter_mut().zip(chunks.into_remainder()) {
            *score = exp(score.mul_add(scale, -max));
            *lane += *score;
        }
        for half in [16, 8, 4, 2, 1] {
            for l in 0..half {
                lanes[l] += lanes[l + half];
            }
        }
        unseen.fill(0.0);
        (max, lanes[0])
    }
}

simd! {
    /// Scores and `dy vᵀ` of one row become probabilities and the gradient of the unscaled scores.
    fn softmax_backward(
        p: &mut [f32], ds: &mut [f32], seen: usize, scale: f32, log_sum: f32, y: &[f32], dy: &[f32]
    ) {
        let delta = sum(y, dy, |y, dy| y * dy);
        for (p, ds) in p[..seen].iter_mut().zip(&mut ds[..seen]) {
            *p = exp(p.mul_add(scale, -log_sum));
            *ds = *p * (*ds - delta) * scale;
        }
        p[seen..].fill(0.0);
        ds[seen..].fill(0.0);
    }
}
