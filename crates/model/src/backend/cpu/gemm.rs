//! `out = a b` for f32 and bf16 matrices with any strides, accumulating in f32.

use half::bf16;

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

impl<'a> Matrix<'a> {
    /// Rows of `cols` f32 elements, `stride` apart.
    pub(crate) fn f32(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        Matrix { data: Elements::F32(data), rows, cols, row_stride: stride, col_stride: 1 }
    }

    /// Rows of `cols` bf16 elements, `stride` apart.
    pub(crate) fn bf16(data: &'a [bf16], rows: usize, cols: usize, stride: usize) -> Self {
        Matrix { data: Elements::Bf16(data), rows, cols, row_stride: stride, col_stride: 1 }
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

    fn at(&self, i: usize, j: usize) -> f32 {
        let index = i * self.row_stride + j * self.col_stride;
        match self.data {
            Elements::F32(data) => data[index],
            Elements::Bf16(data) => data[index].to_f32(),
        }
    }
}

/// `out[m, n] (+)= a[m, k] b[k, n]`, rows of `out` being `out_stride` apart.
pub(crate) fn gemm(a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32], out_stride: usize, accumulate: bool) {
    assert_eq!(a.cols, b.rows, "inner sizes of a product differ");
    for i in 0..a.rows {
        for j in 0..b.cols {
            let sum: f32 = (0..a.cols).map(|p| a.at(i, p) * b.at(p, j)).sum();
            let slot = &mut out[i * out_stride + j];
            *slot = if accumulate { *slot + sum } else { sum };
        }
    }
}
