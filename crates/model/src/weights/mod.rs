//! A checkpoint's weights: which file holds which tensor, found by name under every published layout, checked
//! against the shape the config asks for. Reading is by mmap; `convert` turns entries into layers' weights.

mod convert;
mod file;
mod index;
mod names;

pub use convert::{Dtype, Loader, Quantize, check_all, read_f32};
pub use file::{Entry, WeightFile};
pub use index::Weights;
pub use names::published;
