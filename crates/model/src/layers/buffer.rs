//! Weights in memory: owned, or borrowed from a mapped file without a copy. Cloning shares.
//! Which bytes of which file they are is the loader's business.
#![allow(unsafe_code)]

use std::ops::Deref;
use std::sync::Arc;

use candle_core::Result;
use memmap2::Mmap;

/// Number types that may be read straight from a little-endian file.
///
/// # Safety
/// Every bit pattern must be a value of the type.
pub unsafe trait Element: Copy + Send + Sync + 'static {}
// SAFETY: every bit pattern is an f32.
unsafe impl Element for f32 {}
// SAFETY: bf16 is a transparent u16.
unsafe impl Element for half::bf16 {}

/// A shared run of numbers, copied when one of its holders changes them.
#[derive(Clone, Debug)]
pub struct Buffer<T> {
    store: Store<T>,
}

#[derive(Clone, Debug)]
enum Store<T> {
    Owned(Arc<Vec<T>>),
    /// `offset` bytes into the map, `len` elements; checked for bounds and alignment when made.
    Mapped {
        map: Arc<Mmap>,
        offset: usize,
        len: usize,
    },
}

impl<T: Element> Buffer<T> {
    /// Borrows `len` elements that start `offset` bytes into a mapped file. An error if they are not all there
    /// or not aligned for `T`; the caller can copy the bytes instead.
    pub fn mapped(map: Arc<Mmap>, offset: usize, len: usize) -> Result<Self> {
        let bytes = len.checked_mul(size_of::<T>()).and_then(|bytes| bytes.checked_add(offset));
        if bytes.is_none_or(|end| end > map.len()) {
            candle_core::bail!("elements outside the mapped file: {len} at byte {offset} of {}", map.len());
        }
        if cfg!(target_endian = "big") || !(map.as_ptr() as usize + offset).is_multiple_of(align_of::<T>()) {
            candle_core::bail!("elements of the mapped file are not aligned: byte {offset}");
        }
        Ok(Buffer { store: Store::Mapped { map, offset, len } })
    }
}

impl<T: Element> Buffer<T> {
    /// The numbers, to be changed. Copies them once if they are mapped or shared.
    pub fn to_mut(&mut self) -> &mut [T] {
        if let Store::Mapped { .. } = self.store {
            *self = self.to_vec().into();
        }
        match &mut self.store {
            Store::Owned(data) => Arc::make_mut(data).as_mut_slice(),
            Store::Mapped { .. } => unreachable!("copied above"),
        }
    }
}

impl<T> From<Vec<T>> for Buffer<T> {
    fn from(data: Vec<T>) -> Self {
        Buffer { store: Store::Owned(Arc::new(data)) }
    }
}

impl<T: Element> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.store {
            Store::Owned(data) => data,
            Store::Mapped { map, offset, len } => {
                // SAFETY: `mapped` checked bounds and alignment, `Element` allows every bit pattern, and the map
                // is held by `self`. A file changed under a private read-only map is outside this contract.
                unsafe { std::slice::from_raw_parts(map.as_ptr().add(*offset).cast::<T>(), *len) }
            }
        }
    }
}
