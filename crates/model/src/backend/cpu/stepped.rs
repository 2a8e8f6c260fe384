//! Causal attention over whole sequences in the order of sums that `cached` has for a row of one token: the same bits
//! as stepping through a cache gives, several times slower than `attention`. Has no backward pass of its own:
//! `attention`'s takes its result.
#![allow(unsafe_code)]

use std::ops::Range;

use super::attention::Inputs;
use super::cached::{Pages, SPAN, join, span_of};
use super::gemm::Elements;
use super::simd::Level;
use super::threads::{self, Shared};
use crate::backend::host::View;
use crate::layers::{Heads, Segment};

/// Fills `y [n, query * dim]` and `log_sum [n, query]` for the rows of the segments.
pub(super) fn forward(level: Level, inputs: Inputs<'_>, y: &mut [f32], log_sum: &mut [f32]) {
    let Heads { query, key_value, dim } = inputs.heads;
    let group = query / key_value;
    let (y, log_sum) = (Shared::new(y), Shared::new(log_sum));
    threads::run(inputs.segments.len() * key_value, |task| {
        let (Segment { rows, after }, head) = (&inputs.segments[task / key_value], task % key_value);
        let before = after.map_or(0..0, |before| inputs.segments[before].rows.clone());
        // One block that holds the whole sequence.
        let k = gather(inputs.k, [&before, rows], head, dim);
        let v = gather(inputs.v, [&before, rows], head, dim);
        let block_tokens = before.len() + rows.len();
        let (k, v) = (Elements::F32(&k), Elements::F32(&v));
        let pages = Pages { k, v, blocks: 1, block_tokens, heads: 1, dim };
        for (i, row) in rows.clone().enumerate() {
            let queries = &inputs.q.row(row)[head * group * dim..][..group * dim];
            let keys = before.len() + i + 1;
            let spans: Vec<_> = (0..keys.div_ceil(SPAN))
                .map(|span| span * SPAN..((span + 1) * SPAN).min(keys))
                .map(|keys| span_of(level, queries, &pages, &[0], keys, 0))
                .collect();
            for g in 0..group {
                let at = row * query + head * group + g;
                // SAFETY: a row's head belongs to one task.
                let (to, sum) = unsafe { (y.piece(at * dim, dim), log_sum.piece(at, 1)) };
                sum[0] = join(spans.iter().map(|heads| &heads[g]), to);
            }
        }
    });
}

/// A head's keys or values `[rows, dim]` of two runs of rows.
fn gather(from: View<'_>, runs: [&Range<usize>; 2], head: usize, dim: usize) -> Vec<f32> {
    let rows = runs.into_iter().flat_map(Clone::clone);
    rows.flat_map(|row| &from.row(row)[head * dim..][..dim]).copied().collect()
}
