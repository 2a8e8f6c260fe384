//! Slice kernels for the CPU, picked at run time among AVX-512, AVX2 + FMA and plain code.
//!
//! Every output element is computed by one task in a fixed order, so results do not depend on the number of
//! threads. Nothing here knows a tensor or a layer.

mod dots;
#[cfg(target_arch = "x86_64")]
mod dots_avx512;
pub(crate) mod gemm;
#[cfg(target_arch = "x86_64")]
mod pack;
pub(crate) mod simd;
pub(crate) mod threads;
#[cfg(target_arch = "x86_64")]
mod tiles;
mod widened;

pub(crate) use gemm::{Matrix, gemm};
