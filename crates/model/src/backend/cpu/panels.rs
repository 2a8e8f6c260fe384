//! The right operand of several products, brought once into the order the kernels read. For attention, where the
//! same keys meet many strips of queries.
#![allow(unsafe_code)]

use super::gemm::{Arithmetic, Elements, Matrix};
use super::simd::Level;
use super::widened;
#[cfg(target_arch = "x86_64")]
use super::{pack, tiles};

/// A matrix `[k, n]` of f32 values, packed where the level has kernels for it, and rounded to bf16 where asked
/// and it has those. It owns its copy.
pub(crate) struct Panels {
    k: usize,
    n: usize,
    store: Store,
}

enum Store {
    #[cfg(target_arch = "x86_64")]
    Packed(pack::Scratch, Arithmetic),
    /// Rows of `n`.
    Dense(Vec<f32>),
}

impl Panels {
    /// Copies `b [k, n]`.
    pub(crate) fn new(level: Level, rounds: bool, b: Matrix<'_>) -> Panels {
        let (k, n) = (b.rows, b.cols);
        #[cfg(target_arch = "x86_64")]
        if level >= Level::Avx512 {
            let bf16 = rounds && level >= Level::Avx512Bf16;
            let arithmetic = if bf16 { Arithmetic::Bf16 } else { Arithmetic::F32 };
            let mut scratch = pack::Scratch::default();
            let room = scratch.take(n.next_multiple_of(16) * pack::dwords(arithmetic, k));
            pack::lanes_all(arithmetic, b.t(), room);
            return Panels { k, n, store: Store::Packed(scratch, arithmetic) };
        }
        Panels { k, n, store: Store::Dense(dense(&b)) }
    }

    /// `out[m, columns] (+)= a b[..a.cols, ..columns]`, `a [m, at most k]` in f32 with adjacent rows.
    pub(crate) fn product(
        &self,
        a: Matrix<'_>,
        columns: usize,
        out: &mut [f32],
        out_stride: usize,
        accumulate: bool,
    ) {
        assert!(columns <= self.n && a.cols <= self.k, "a packed operand of {} by {}", self.k, self.n);
        assert!(
            out_stride >= columns && out.len() >= (a.rows - 1) * out_stride + columns,
            "room for the product"
        );
        match &self.store {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `new` packed `n` lanes over `k`.
            Store::Packed(scratch, arithmetic) => unsafe {
                tiles::product_packed(
                    *arithmetic,
                    a,
                    scratch.start(),
                    self.n,
                    self.k,
                    columns,
                    out,
                    out_stride,
                    accumulate,
                );
            },
            Store::Dense(data) => {
                let b = Matrix::f32(&data[..a.cols * self.n], a.cols, columns, self.n);
                widened::product(a, b, out, out_stride, accumulate);
            }
        }
    }
}

fn dense(b: &Matrix<'_>) -> Vec<f32> {
    let at = |i: usize, j: usize| i * b.row_stride + j * b.col_stride;
    let value = |index: usize| match b.data {
        Elements::F32(data) => data[index],
        Elements::Bf16(data) => data[index].to_f32(),
    };
    (0..b.rows).flat_map(|i| (0..b.cols).map(move |j| value(at(i, j)))).collect()
}
