//! Slice kernels for the CPU, picked at run time among AVX-512, AVX2 + FMA and plain code.
//!
//! Every output element is computed by one task in a fixed order, so results do not depend on the number of
//! threads. Nothing here knows a tensor or a layer.

pub(crate) mod gemm;

pub(crate) use gemm::{Matrix, gemm};
