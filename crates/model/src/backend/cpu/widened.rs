//! Products of many rows on machines without AVX-512, by the `gemm` crate. bf16 is widened to f32, some columns of
//! the product at a time.
#![allow(unsafe_code)]

use super::gemm::{Elements, Matrix};
use super::threads::{self, Shared};

/// Columns of the product in one task.
const COLUMNS: usize = 128;

/// `out (+)= a b`.
pub(super) fn product(a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32], out_stride: usize, accumulate: bool) {
    let a_wide = widen(&a.t());
    let shared = Shared::new(out);
    threads::run(b.cols.div_ceil(COLUMNS), |task| {
        let first = task * COLUMNS;
        let count = COLUMNS.min(b.cols - first);
        let columns = b.t().row_range(first, count);
        let wide = widen(&columns);
        let (a_data, a_strides) = view(&a.t(), &a_wide);
        let (b_data, b_strides) = view(&columns, &wide);
        // SAFETY: the strides describe matrices inside their slices; tasks write different columns of `out`.
        unsafe {
            let to = shared.start_of(first, (a.rows - 1) * out_stride + count);
            gemm::gemm(
                a.rows,
                count,
                a.cols,
                to,
                1,
                out_stride as isize,
                accumulate,
                a_data.as_ptr(),
                a_strides.0,
                a_strides.1,
                b_data.as_ptr(),
                b_strides.0,
                b_strides.1,
                1.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    });
}

/// A bf16 matrix as dense f32 rows; nothing for one that is f32.
fn widen(source: &Matrix<'_>) -> Vec<f32> {
    match source.data {
        Elements::F32(_) => Vec::new(),
        Elements::Bf16(data) => {
            let at = |i: usize, j: usize| data[i * source.row_stride + j * source.col_stride].to_f32();
            (0..source.rows).flat_map(|i| (0..source.cols).map(move |j| at(i, j))).collect()
        }
    }
}

/// The f32 elements and the strides of rows and columns.
fn view<'a>(source: &Matrix<'a>, wide: &'a [f32]) -> (&'a [f32], (isize, isize)) {
    match source.data {
        Elements::F32(data) => (data, (source.row_stride as isize, source.col_stride as isize)),
        Elements::Bf16(_) => (wide, (source.cols as isize, 1)),
    }
}
