//! Causal attention over whole sequences in the order of sums that `cached` has for a row of one token: the same bits
//! as stepping through a cache gives, slower than `attention`. Has no backward pass of its own:
//! `attention`'s takes its result.
#![allow(unsafe_code)]

use std::ops::Range;

use super::attention::Inputs;
use super::cached::{Pages, Queries, join, queries_of, span_of, strips};
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
        for (i, count) in strips(before.len(), rows.len()) {
            let first = rows.start + i;
            let data = queries_of(inputs.q, first..first + count, head, group * dim);
            let queries = Queries { data: &data, group, sees: before.len() + i + 1 };
            let keys = queries.spans(dim);
            let spans: Vec<_> = keys.map(|keys| span_of(level, queries, &pages, &[0], keys, 0)).collect();
            for (j, g) in (0..count).flat_map(|j| (0..group).map(move |g| (j, g))) {
                let at = (first + j) * query + head * group + g;
                // SAFETY: a row's head belongs to one task.
                let (to, sum) = unsafe { (y.piece(at * dim, dim), log_sum.piece(at, 1)) };
                sum[0] = join(spans.iter().map(|rows| &rows[j * group + g]), to);
            }
        }
    });
}

/// A head's keys or values `[rows, dim]` of two runs of rows.
fn gather(from: View<'_>, runs: [&Range<usize>; 2], head: usize, dim: usize) -> Vec<f32> {
    let rows = runs.into_iter().flat_map(Clone::clone);
    rows.flat_map(|row| &from.row(row)[head * dim..][..dim]).copied().collect()
}
