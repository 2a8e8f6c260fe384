//! Moving and adding whole rows: residuals, window permutations, vision features put among word embeddings.

use candle_core::{Result, Tensor};

use crate::backend::cpu::elementwise;
use crate::backend::host::{self, Rows};

/// `a + b`, same shape.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (x, y) = (Rows::open(a)?, Rows::open(b)?);
    assert_eq!((x.shape.rows, x.shape.cols), (y.shape.rows, y.shape.cols), "shapes of a sum");
    let (a, b) = (x.dense()?, y.dense()?);
    host::filled(x.shape.rows, x.shape.cols, |out| elementwise::add(a, b, out))
}

/// `x[i, :] + vector` for every row.
pub(super) fn add_vector(mut x: Tensor, vector: &Tensor) -> Result<Tensor> {
    let vector = Rows::open(vector)?;
    host::edit_dense(&mut x, |data| {
        for row in data.chunks_exact_mut(vector.shape.cols) {
            row.iter_mut().zip(vector.data()).for_each(|(a, b)| *a += b);
        }
        Ok(())
    })?;
    Ok(x)
}

/// `out[i] = x[index[i]]`: rows in another order, or some of them. With an index that is a permutation, the
/// backward pass is the same call with the inverse permutation; otherwise use [`add_rows`].
pub fn gather_rows(x: &Tensor, index: &[usize]) -> Result<Tensor> {
    let input = Rows::open(x)?;
    let (cols, stride) = (input.shape.cols, input.shape.stride);
    let mut out = Vec::with_capacity(index.len() * cols);
    for &i in index {
        assert!(i < input.shape.rows, "row {i} of {}", input.shape.rows);
        out.extend_from_slice(&input.data()[i * stride..][..cols]);
    }
    host::matrix(out, index.len(), cols)
}

/// `n` rows that are zero but for `out[index[i]] = rows[i]`: the backward pass of [`gather_rows`] with an index
/// that names no row twice.
pub fn spread_rows(rows: &Tensor, index: &[usize], n: usize) -> Result<Tensor> {
    let width = rows.dims()[1];
    let mut out = host::matrix(vec![0f32; n * width], n, width)?;
    place_rows(&mut out, index, rows)?;
    Ok(out)
}

/// `x[index[i]] += rows[i]`, in order of `i`.
pub fn add_rows(x: &mut Tensor, index: &[usize], rows: &Tensor) -> Result<()> {
    change_rows(x, index, rows, |to, from| to.iter_mut().zip(from).for_each(|(a, b)| *a += b))
}

/// `x[index[i]] = rows[i]`, in order of `i`.
pub fn place_rows(x: &mut Tensor, index: &[usize], rows: &Tensor) -> Result<()> {
    change_rows(x, index, rows, |to, from| to.copy_from_slice(from))
}

fn change_rows(x: &mut Tensor, index: &[usize], rows: &Tensor, f: impl Fn(&mut [f32], &[f32])) -> Result<()> {
    let rows = Rows::open(rows)?;
    assert_eq!(index.len(), rows.shape.rows, "one index per row");
    host::edit(x, |data, shape| {
        assert_eq!(shape.cols, rows.shape.cols, "features");
        for (i, &to) in index.iter().enumerate() {
            assert!(to < shape.rows, "row {to} of {}", shape.rows);
            let from = &rows.data()[i * rows.shape.stride..][..shape.cols];
            f(&mut data[to * shape.stride..][..shape.cols], from);
        }
        Ok(())
    })
}
