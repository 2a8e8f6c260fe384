//! `out = a b` for f32 and bf16 matrices with any strides, accumulating in f32. One entry serves `x Wᵀ`, `dy W`
//! and `dyᵀ x`; it picks the kernel by shape and machine, never by caller.
//!
//! A product with a bf16 operand is a bf16 product: the other operand is rounded too, where the machine has bf16
//! dot products; elsewhere bf16 is widened. An element's sum runs over `k` in blocks that depend on `k` only, so
//! it is the same for every number of threads and rows, except that products of few rows (`dots`) and of many
//! (`tiles`) add in different orders. [`Order::One`] leaves `dots` out.

use half::bf16;

use super::simd::{self, Level};
use super::{dots, widened};
use crate::backend::{Order, Precision};

/// Elements of a matrix.
#[derive(Clone, Copy)]
pub(crate) enum Elements<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
}

/// A matrix over borrowed elements: element `(i, j)` is at `i * row_stride + j * col_stride`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) data: Elements<'a>,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) row_stride: usize,
    pub(crate) col_stride: usize,
}

/// Arithmetic of the multiplications; sums are f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    F32,
    Bf16,
}

impl<'a> Matrix<'a> {
    /// Rows of `cols` f32 elements, `stride` apart.
    pub(crate) fn f32(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        Matrix { data: Elements::F32(data), rows, cols, row_stride: stride, col_stride: 1 }.checked()
    }

    /// Rows of `cols` bf16 elements, `stride` apart.
    pub(crate) fn bf16(data: &'a [bf16], rows: usize, cols: usize, stride: usize) -> Self {
        Matrix { data: Elements::Bf16(data), rows, cols, row_stride: stride, col_stride: 1 }.checked()
    }

    /// The transpose, as another view of the same elements.
    pub(crate) fn t(self) -> Self {
        Matrix {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// `count` rows from `first`.
    pub(crate) fn row_range(self, first: usize, count: usize) -> Self {
        assert!(first + count <= self.rows, "rows {first}+{count} of {}", self.rows);
        let skip = if count == 0 { 0 } else { first * self.row_stride };
        let data = match self.data {
            Elements::F32(data) => Elements::F32(&data[skip..]),
            Elements::Bf16(data) => Elements::Bf16(&data[skip..]),
        };
        Matrix { data, rows: count, ..self }
    }

    /// Kernels index without checks: every element must be there.
    fn checked(self) -> Self {
        let len = match self.data {
            Elements::F32(data) => data.len(),
            Elements::Bf16(data) => data.len(),
        };
        let last =
            self.rows.saturating_sub(1) * self.row_stride + self.cols.saturating_sub(1) * self.col_stride;
        assert!(self.rows * self.cols == 0 || last < len, "a matrix of {len} elements needs {}", last + 1);
        self
    }
}

/// `out[m, n] (+)= a[m, k] b[k, n]`, rows of `out` being `out_stride` apart, on all threads.
pub(crate) fn gemm(a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32], out_stride: usize, accumulate: bool) {
    let rounds = Precision::current() == Precision::Bf16;
    gemm_at(simd::level(), rounds, a, b, out, out_stride, accumulate);
}

/// [`gemm`] at a given level, as a bf16 product also of f32 matrices if it `rounds`.
pub(crate) fn gemm_at(
    level: Level,
    rounds: bool,
    a: Matrix<'_>,
    b: Matrix<'_>,
    out: &mut [f32],
    out_stride: usize,
    accumulate: bool,
) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    assert_eq!(k, b.rows, "inner sizes of a product");
    if m == 0 || n == 0 {
        return;
    }
    assert!(out_stride >= n && out.len() >= (m - 1) * out_stride + n, "room for the product");
    if k == 0 {
        if !accumulate {
            (0..m).for_each(|i| out[i * out_stride..][..n].fill(0.0));
        }
        return;
    }
    let bf16 = matches!(a.data, Elements::Bf16(_)) || matches!(b.data, Elements::Bf16(_)) || rounds;
    let arithmetic = if bf16 && level >= Level::Avx512Bf16 { Arithmetic::Bf16 } else { Arithmetic::F32 };
    if Order::current() == Order::Fastest && dots::suits(a, b) {
        return dots::product(level, arithmetic, a, b.t(), out, out_stride, accumulate);
    }
    #[cfg(target_arch = "x86_64")]
    if level >= Level::Avx512 {
        return super::tiles::product(arithmetic, a, b, out, out_stride, accumulate);
    }
    widened::product(a, b, out, out_stride, accumulate);
}

#[cfg(test)]
#[path = "gemm_tests.rs"]
mod tests;
