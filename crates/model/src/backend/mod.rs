//! Where arithmetic runs. `cpu` holds slice kernels; `cuda` is chosen by the feature of that name and is a stub
//! that says so otherwise. `host` opens candle tensors as slices.
//!
//! Nothing outside this folder asks which device it is on; layers pass tensors in and get tensors back.

pub(crate) mod cpu;
#[cfg_attr(not(feature = "cuda"), path = "cuda_stub.rs")]
pub(crate) mod cuda;
pub(crate) mod host;
mod memory;
mod order;
mod precision;
mod scope;

use candle_core::{Device, Result};

pub use order::Order;
pub use precision::Precision;

/// Opens a device by name: `cpu` or `cuda`.
pub fn device(name: &str) -> Result<Device> {
    match name {
        "cpu" => {
            memory::keep_freed();
            Ok(Device::Cpu)
        }
        "cuda" => cuda::open(),
        other => candle_core::bail!("unknown device: {other}; use cpu or cuda"),
    }
}
