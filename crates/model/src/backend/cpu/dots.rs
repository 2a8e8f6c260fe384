//! Products of few rows with a row-major weight: the weight is streamed once, each of its rows dotted with every
//! row of `a`. Memory bandwidth is the limit, so nothing is packed but the few rows.
#![allow(unsafe_code)]

use half::bf16;

use super::gemm::{Arithmetic, Elements, Matrix};
use super::simd::{Level, simd};
use super::threads::{self, Shared};

/// Most rows for which streaming dots beat packed tiles.
pub(super) const MOST_ROWS: usize = 12;
/// Rows of the weight whose sums are finished together.
pub(super) const GROUP: usize = 4;
/// Fewest weight elements of a task.
const LEAST_TASK: usize = 1 << 14;
/// Tasks for each thread, so that one that is interrupted does not hold up the rest.
const TASKS_PER_THREAD: usize = 8;

/// Whether a product is few rows by the transpose of a row-major matrix.
pub(super) fn suits(a: Matrix<'_>, b: Matrix<'_>) -> bool {
    let weight_rounds = matches!((a.data, b.data), (Elements::Bf16(_), Elements::F32(_)));
    a.rows <= MOST_ROWS && a.col_stride == 1 && b.row_stride == 1 && a.cols >= 16 && !weight_rounds
}

/// `out[m, n] (+)= a[m, k] wᵀ`, `w[n, k]` with rows adjacent in memory.
pub(super) fn product(
    level: Level,
    arithmetic: Arithmetic,
    a: Matrix<'_>,
    w: Matrix<'_>,
    out: &mut [f32],
    out_stride: usize,
    accumulate: bool,
) {
    let (m, n, k) = (a.rows, w.rows, a.cols);
    let mut x = Vec::with_capacity(m * k);
    (0..m).for_each(|i| push_row(&a, i, &mut x));
    let mut rounded = vec![bf16::ZERO; if arithmetic == Arithmetic::Bf16 { x.len() } else { 0 }];
    round(level, &x, &mut rounded);
    let step = n.div_ceil(threads::count() * TASKS_PER_THREAD).max(LEAST_TASK / k).next_multiple_of(GROUP);
    let shared = Shared::new(out);
    threads::run(n.div_ceil(step), |task| {
        let end = ((task + 1) * step).min(n);
        for j in (task * step..end).step_by(GROUP) {
            let rows = (end - j).min(GROUP);
            let mut sums = Sums::default();
            let at = j * w.row_stride;
            match (w.data, arithmetic) {
                #[cfg(target_arch = "x86_64")]
                (Elements::Bf16(data), Arithmetic::Bf16) => {
                    super::dots_avx512::bf16(&rounded, &data[at..], w.row_stride, rows, k, &mut sums);
                }
                (Elements::F32(data), _) => dots(level, &x, &data[at..], w.row_stride, rows, k, &mut sums),
                (Elements::Bf16(data), _) => {
                    dots_widened(level, &x, &data[at..], w.row_stride, rows, k, &mut sums);
                }
            }
            for (i, sums) in sums.iter().enumerate().take(m) {
                // SAFETY: columns belong to one task each.
                let to = unsafe { shared.piece(i * out_stride + j, rows) };
                for (to, sum) in to.iter_mut().zip(sums) {
                    *to = if accumulate { *to + sum } else { *sum };
                }
            }
        }
    });
}

fn push_row(a: &Matrix<'_>, i: usize, to: &mut Vec<f32>) {
    let at = i * a.row_stride;
    match a.data {
        Elements::F32(data) => to.extend_from_slice(&data[at..at + a.cols]),
        Elements::Bf16(data) => to.extend(data[at..at + a.cols].iter().map(|&v| widen(v))),
    }
}

/// Sums of up to 12 rows of `x` with up to 4 rows of a weight: `[x][w]`.
pub(super) type Sums = [[f32; GROUP]; MOST_ROWS];

/// `sums[i][j] = x[i] · w[j]` for dense rows `x` and `rows` rows of `w`, `stride` apart.
pub(super) fn dots(
    level: Level,
    x: &[f32],
    w: &[f32],
    stride: usize,
    rows: usize,
    k: usize,
    sums: &mut Sums,
) {
    #[cfg(target_arch = "x86_64")]
    if level >= Level::Avx512 {
        return super::dots_avx512::f32(x, w, stride, rows, k, sums);
    }
    plain_f32(level, x, w, stride, rows, k, sums);
}

/// [`dots`] of a bf16 weight, widened.
pub(super) fn dots_widened(
    level: Level,
    x: &[f32],
    w: &[bf16],
    stride: usize,
    rows: usize,
    k: usize,
    sums: &mut Sums,
) {
    #[cfg(target_arch = "x86_64")]
    if level >= Level::Avx512 {
        return super::dots_avx512::widened(x, w, stride, rows, k, sums);
    }
    plain_widened(level, x, w, stride, rows, k, sums);
}

simd! {
    fn plain_f32(x: &[f32], w: &[f32], stride: usize, rows: usize, k: usize, sums: &mut Sums) {
        for (x, sums) in x.chunks_exact(k).zip(sums) {
            for j in 0..rows {
                sums[j] = dot(x, &w[j * stride..][..k], |v| v);
            }
        }
    }
}

simd! {
    fn plain_widened(x: &[f32], w: &[bf16], stride: usize, rows: usize, k: usize, sums: &mut Sums) {
        for (x, sums) in x.chunks_exact(k).zip(sums) {
            for j in 0..rows {
                sums[j] = dot(x, &w[j * stride..][..k], widen);
            }
        }
    }
}

simd! {
    /// f32 to bf16, to nearest even; NaN stays NaN.
    pub(crate) fn round(from: &[f32], to: &mut [bf16]) {
        for (from, to) in from.iter().zip(to) {
            let bits = from.to_bits();
            let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
            let quiet = bits >> 16 | 0x40;
            *to = bf16::from_bits(if bits & 0x7fff_ffff > 0x7f80_0000 { quiet } else { nearest } as u16);
        }
    }
}

/// bf16 to the f32 of the same value.
#[inline(always)]
pub(super) fn widen(value: bf16) -> f32 {
    f32::from_bits(u32::from(value.to_bits()) << 16)
}

/// A dot product in 64 lanes.
#[inline(always)]
fn dot<T: Copy>(x: &[f32], w: &[T], widen: impl Fn(T) -> f32) -> f32 {
    let mut sums = [[0f32; 16]; 4];
    let (x_chunks, w_chunks) = (x.chunks_exact(64), w.chunks_exact(64));
    let tail = x_chunks.remainder().iter().zip(w_chunks.remainder());
    let tail = tail.fold(0f32, |sum, (&x, &w)| x.mul_add(widen(w), sum));
    for (x, w) in x_chunks.zip(w_chunks) {
        for s in 0..4 {
            for l in 0..16 {
                sums[s][l] = x[s * 16 + l].mul_add(widen(w[s * 16 + l]), sums[s][l]);
            }
        }
    }
    let mut lanes = [0f32; 16];
    for l in 0..16 {
        lanes[l] = (sums[0][l] + sums[1][l]) + (sums[2][l] + sums[3][l]);
    }
    for half in [8, 4, 2, 1] {
        for l in 0..half {
            lanes[l] += lanes[l + half];
        }
    }
    lanes[0] + tail
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::simd::levels;

    #[test]
    fn rounding_is_to_nearest_even_with_nan_kept() {
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::MAX, f32::MIN_POSITIVE, 1e-45];
        let values: Vec<f32> =
            (0..1 << 18).map(|i: u32| f32::from_bits(i << 14 | i >> 5)).chain(odd).collect();
        for level in levels() {
            let mut rounded = vec![bf16::ZERO; values.len()];
            round(level, &values, &mut rounded);
            for (&value, &rounded) in values.iter().zip(&rounded) {
                let expected = bf16::from_f32(value);
                let equal = rounded.to_bits() == expected.to_bits() || value.is_nan() && rounded.is_nan();
                assert!(equal, "{level:?}: {value:e} gave {rounded}, not {expected}");
            }
        }
    }
}
