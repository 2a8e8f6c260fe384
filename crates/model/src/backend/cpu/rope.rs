//! Turns pairs of features, `i` with `i + half`, by angles from a table.
#![allow(unsafe_code)]

use super::simd::{self, simd};
use super::threads::{self, Shared};
use crate::backend::host::Shape;

/// Elements of a task.
const PIECE: usize = 1 << 14;

/// Turns every head of every row in place; `sign` -1 turns back.
pub(crate) fn turn(cosines: &[f32], sines: &[f32], half: usize, sign: f32, data: &mut [f32], shape: Shape) {
    let rows = (PIECE / shape.cols.max(1)).max(1);
    let shared = Shared::new(data);
    threads::run(shape.rows.div_ceil(rows), |task| {
        for i in task * rows..((task + 1) * rows).min(shape.rows) {
            // SAFETY: each row belongs to one task, and rows do not overlap.
            let row = unsafe { shared.piece(i * shape.stride, shape.cols) };
            turn_row(simd::level(), &cosines[i * half..][..half], &sines[i * half..][..half], sign, row);
        }
    });
}

simd! {
    fn turn_row(cosines: &[f32], sines: &[f32], sign: f32, row: &mut [f32]) {
        let half = cosines.len();
        for head in row.chunks_exact_mut(2 * half) {
            let (low, high) = head.split_at_mut(half);
            for (((low, high), cos), sin) in low.iter_mut().zip(high).zip(cosines).zip(sines) {
                let (a, b, sin) = (*low, *high, sin * sign);
                *low = a * cos - b * sin;
                *high = b * cos + a * sin;
            }
        }
    }
}
