//! Candle tensors as plain slices: read a row-strided matrix, edit one in place, make one from a vector.
//! Only f32 tensors in host memory; strides along the last dimension are always 1.
#![allow(unsafe_code)]

use std::cell::RefCell;

use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Result, Storage, StorageRef, Tensor, WithDType};

/// Shape of a matrix whose rows may be a slice of wider rows (`narrow` on the last dimension).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// Elements from one row to the next.
    pub(crate) stride: usize,
}

impl Shape {
    /// Elements from the first to one past the last.
    fn extent(&self) -> usize {
        if self.rows == 0 || self.cols == 0 { 0 } else { (self.rows - 1) * self.stride + self.cols }
    }
}

/// Rows of features, `shape.stride` apart.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) shape: Shape,
}

impl<'a> View<'a> {
    /// Row `i`.
    pub(crate) fn row(&self, i: usize) -> &'a [f32] {
        &self.data[i * self.shape.stride..][..self.shape.cols]
    }
}

/// A tensor held open for reading.
pub(crate) struct Rows<'a> {
    guard: StorageRef<'a>,
    start: usize,
    pub(crate) shape: Shape,
}

impl<'a> Rows<'a> {
    /// Opens an f32 tensor of one dimension (one row) or two.
    pub(crate) fn open(tensor: &'a Tensor) -> Result<Rows<'a>> {
        let (guard, layout) = tensor.storage_and_layout();
        let (start, shape) = rows_of(layout)?;
        if !matches!(&*guard, Storage::Cpu(CpuStorage::F32(_))) {
            candle_core::bail!(
                "expected an f32 tensor in host memory: {:?} on {:?}",
                tensor.dtype(),
                tensor.device()
            );
        }
        Ok(Rows { guard, start, shape })
    }

    /// Elements from the first to one past the last, gaps between rows included.
    pub(crate) fn data(&self) -> &[f32] {
        match &*self.guard {
            Storage::Cpu(CpuStorage::F32(all)) => &all[self.start..self.start + self.shape.extent()],
            _ => unreachable!("checked in open"),
        }
    }

    /// The rows, for kernels.
    pub(crate) fn view(&self) -> View<'_> {
        View { data: self.data(), shape: self.shape }
    }

    /// All elements of a tensor without gaps.
    pub(crate) fn dense(&self) -> Result<&[f32]> {
        if self.shape.rows > 1 && self.shape.stride != self.shape.cols {
            candle_core::bail!(
                "expected contiguous rows: stride {} of {}",
                self.shape.stride,
                self.shape.cols
            );
        }
        Ok(self.data())
    }
}

/// Offset and matrix shape of a layout; refuses one whose last dimension is not adjacent in memory.
fn rows_of(layout: &Layout) -> Result<(usize, Shape)> {
    let (dims, strides) = (layout.dims(), layout.stride());
    let (rows, cols, stride, inner) = match dims.len() {
        1 => (1, dims[0], dims[0], strides[0]),
        2 => (dims[0], dims[1], strides[0], strides[1]),
        _ => candle_core::bail!("expected a matrix or a vector: {dims:?}"),
    };
    if inner != 1 && cols > 1 {
        candle_core::bail!("expected rows adjacent in memory: {dims:?} with strides {strides:?}");
    }
    Ok((layout.start_offset(), Shape { rows, cols, stride }))
}

/// A closure as the in-place operation candle wants.
struct Edit<F>(RefCell<Option<F>>);

impl<F: FnOnce(&mut [f32], Shape) -> Result<()>> InplaceOp1 for Edit<F> {
    fn name(&self) -> &'static str {
        "edit"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (start, shape) = rows_of(layout)?;
        if shape.rows > 1 && shape.stride < shape.cols {
            candle_core::bail!(
                "rows that overlap cannot be edited: stride {} of {}",
                shape.stride,
                shape.cols
            );
        }
        let edit = self.0.borrow_mut().take().expect("candle runs an in-place operation once");
        match storage {
            CpuStorage::F32(all) => edit(&mut all[start..start + shape.extent()], shape),
            _ => candle_core::bail!("expected an f32 tensor"),
        }
    }
}

/// Edits a tensor in place. The closure must not open a tensor that shares its storage.
pub(crate) fn edit(tensor: &mut Tensor, change: impl FnOnce(&mut [f32], Shape) -> Result<()>) -> Result<()> {
    tensor.inplace_op1(&Edit(RefCell::new(Some(change))))
}

/// Edits a tensor without gaps between its rows.
pub(crate) fn edit_dense(tensor: &mut Tensor, change: impl FnOnce(&mut [f32]) -> Result<()>) -> Result<()> {
    edit(tensor, |data, shape| {
        if shape.rows > 1 && shape.stride != shape.cols {
            candle_core::bail!("expected contiguous rows: stride {} of {}", shape.stride, shape.cols);
        }
        change(data)
    })
}

/// A matrix whose every element `fill` writes. The memory is not cleared first: that would cost as much as a
/// cheap layer.
pub(crate) fn filled(rows: usize, cols: usize, fill: impl FnOnce(&mut [f32])) -> Result<Tensor> {
    let mut data = Vec::with_capacity(rows * cols);
    // SAFETY: the capacity is there, every bit pattern is an f32, and `fill` writes before it reads.
    unsafe { fill(std::slice::from_raw_parts_mut(data.as_mut_ptr(), rows * cols)) };
    // SAFETY: `fill` wrote all of them.
    unsafe { data.set_len(rows * cols) };
    matrix(data, rows, cols)
}

/// A matrix from its elements, without a copy.
pub(crate) fn matrix<T: WithDType>(data: Vec<T>, rows: usize, cols: usize) -> Result<Tensor> {
    Tensor::from_vec(data, (rows, cols), &Device::Cpu)
}
