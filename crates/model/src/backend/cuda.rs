//! The CUDA module, chosen by the feature `cuda`. It has no kernels yet and opens no device: a build with the
//! feature says so, instead of claiming to be a build without it.

use candle_core::{Device, Result};

/// Always an error: the kernels are not written.
pub(crate) fn open() -> Result<Device> {
    candle_core::bail!("the CUDA kernels are not written yet: use --device cpu")
}
