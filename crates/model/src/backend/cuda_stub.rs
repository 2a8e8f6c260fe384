//! Stands in for the CUDA module in a build without it: it opens no device, so no tensor can reach a kernel
//! that is not here.

use candle_core::{Device, Result};

/// Always an error: this build has no CUDA kernels.
pub(crate) fn open() -> Result<Device> {
    candle_core::bail!("not built with cuda: use --device cpu")
}
