//! Slice kernels for the CPU, picked at run time among AVX-512, AVX2 + FMA and plain code.
//!
//! Every output element is computed by one task in a fixed order, so results do not depend on the number of
//! threads. Nothing here knows a tensor or a layer.

pub(crate) mod attention;
pub(crate) mod blocks;
pub(crate) mod cached;
pub(crate) mod dots;
#[cfg(target_arch = "x86_64")]
mod dots_avx512;
pub(crate) mod elementwise;
pub(crate) mod gemm;
pub(crate) mod loss;
pub(crate) mod math;
pub(crate) mod norms;
#[cfg(target_arch = "x86_64")]
mod pack;
mod panels;
pub(crate) mod rope;
pub(crate) mod simd;
mod stepped;
pub(crate) mod threads;
#[cfg(target_arch = "x86_64")]
mod tiles;
mod widened;

pub(crate) use gemm::{Matrix, gemm};
