//! RMS norm and layer norm of rows, forward and backward. Sums run over 32 lanes in a fixed order.
#![allow(unsafe_code)]

use super::elementwise::add_scaled;
use super::math::sum;
use super::simd::{self, simd};
use super::threads::{self, Shared};
use crate::backend::host::View;

/// Elements of a task.
const PIECE: usize = 1 << 14;
/// Columns of a task that sums over rows.
const COLUMNS: usize = 256;

/// What a norm does to a row besides scaling it.
#[derive(Clone, Copy)]
pub(crate) enum Norm<'a> {
    /// Scales by the root mean square.
    Rms,
    /// Subtracts the mean, scales by the standard deviation, adds a bias.
    Layer { bias: &'a [f32] },
}

/// `out` rows from `x` rows.
pub(crate) fn forward(norm: Norm<'_>, x: View<'_>, weight: &[f32], epsilon: f32, out: &mut [f32]) {
    let cols = x.shape.cols;
    let rows = (PIECE / cols.max(1)).max(1);
    threads::for_pieces(out, rows * cols, |piece, out| {
        for (i, out) in out.chunks_exact_mut(cols).enumerate() {
            let x = x.row(piece * rows + i);
            match norm {
                Norm::Rms => rms_at(simd::level(), x, weight, epsilon, out),
                Norm::Layer { bias } => layer_at(simd::level(), x, weight, bias, epsilon, out),
            }
        }
    });
}

/// `dx` rows, and the sums over rows that are the gradients of weight and bias, added to `grad_weight` and
/// `grad_bias` unless those are empty.
pub(crate) fn backward(
    norm: Norm<'_>,
    x: View<'_>,
    dy: View<'_>,
    weight: &[f32],
    epsilon: f32,
    dx: &mut [f32],
    grad_weight: &mut [f32],
    grad_bias: &mut [f32],
) {
    let cols = x.shape.cols;
    let rows = (PIECE / cols.max(1)).max(1);
    let mut moments = vec![[0f32; 2]; x.shape.rows];
    let shared = Shared::new(&mut moments);
    threads::for_pieces(dx, rows * cols, |piece, dx| {
        for (i, dx) in dx.chunks_exact_mut(cols).enumerate() {
            let row = piece * rows + i;
            let found = match norm {
                Norm::Rms => rms_backward_at(simd::level(), x.row(row), dy.row(row), weight, epsilon, dx),
                Norm::Layer { .. } => {
                    layer_backward_at(simd::level(), x.row(row), dy.row(row), weight, epsilon, dx)
                }
            };
            // SAFETY: each row belongs to one task.
            unsafe { shared.piece(row, 1)[0] = found };
        }
    });
    threads::for_pieces(grad_weight, COLUMNS, |i, grad| {
        for row in 0..x.shape.rows {
            let range = i * COLUMNS..i * COLUMNS + grad.len();
            let [mean, scale] = moments[row];
            add_centred(simd::level(), &x.row(row)[range.clone()], &dy.row(row)[range], mean, scale, grad);
        }
    });
    if !grad_bias.is_empty() {
        add_column_sums(dy, grad_bias);
    }
}

/// Adds the sums over rows to `sums`.
pub(crate) fn add_column_sums(rows: View<'_>, sums: &mut [f32]) {
    threads::for_pieces(sums, COLUMNS, |i, sums| {
        for row in 0..rows.shape.rows {
            add_scaled(simd::level(), &rows.row(row)[i * COLUMNS..][..sums.len()], 1.0, sums);
        }
    });
}

simd! {
    fn rms_at(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
        let scale = 1.0 / (sum(x, x, |x, y| x * y) / x.len() as f32 + epsilon).sqrt();
        for ((x, weight), out) in x.iter().zip(weight).zip(out) {
            *out = x * scale * weight;
        }
    }
}

simd! {
    /// Writes `dx`, returns zero and the scale.
    fn rms_backward_at(x: &[f32], dy: &[f32], weight: &[f32], epsilon: f32, dx: &mut [f32]) -> [f32; 2] {
        let size = x.len() as f32;
        let scale = 1.0 / (sum(x, x, |x, y| x * y) / size + epsilon).sqrt();
        for ((dy, weight), dx) in dy.iter().zip(weight).zip(dx.iter_mut()) {
            *dx = dy * weight;
        }
        let pull = sum(dx, x, |d, x| d * x) * scale * scale / size;
        for (x, dx) in x.iter().zip(dx) {
            *dx = (*dx - x * pull) * scale;
        }
        [0.0, scale]
    }
}

simd! {
    fn layer_at(x: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, out: &mut [f32]) {
        let (mean, scale) = moments(x, epsilon);
        for (((x, weight), bias), out) in x.iter().zip(weight).zip(bias).zip(out) {
            *out = ((x - mean) * scale).mul_add(*weight, *bias);
        }
    }
}

simd! {
    /// Writes `dx`, returns mean and scale.
    fn layer_backward_at(x: &[f32], dy: &[f32], weight: &[f32], epsilon: f32, dx: &mut [f32]) -> [f32; 2] {
        let size = x.len() as f32;
        let (mean, scale) = moments(x, epsilon);
        for ((dy, weight), dx) in dy.iter().zip(weight).zip(dx.iter_mut()) {
            *dx = dy * weight;
        }
        let shift = sum(dx, x, |d, _| d) / size;
        let pull = sum(dx, x, |d, x| d * (x - mean)) * scale * scale / size;
        for (x, dx) in x.iter().zip(dx) {
            *dx = (*dx - shift - (x - mean) * pull) * scale;
        }
        [mean, scale]
    }
}

simd! {
    /// `grad += dy (x - mean) scale`.
    fn add_centred(x: &[f32], dy: &[f32], mean: f32, scale: f32, grad: &mut [f32]) {
        for ((x, dy), grad) in x.iter().zip(dy).zip(grad) {
            *grad = (dy * scale).mul_add(x - mean, *grad);
        }
    }
}

/// Mean, and one over the standard deviation.
#[inline(always)]
fn moments(x: &[f32], epsilon: f32) -> (f32, f32) {
    let size = x.len() as f32;
    let mean = sum(x, x, |x, _| x) / size;
    let variance = sum(x, x, |x, _| (x - mean) * (x - mean)) / size;
    (mean, 1.0 / (variance + epsilon).sqrt())
}
