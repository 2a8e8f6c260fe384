//! Which vector instructions this machine has, and `simd!`, which compiles a function once per level so that one
//! portable build runs at full speed everywhere. The level is an argument: tests run every one there is.
//!
//! A body must spell out its lanes (`[f32; 16]` accumulators, `mul_add`): the compiler does not reorder sums.

use std::sync::OnceLock;

/// Instruction sets kernels are compiled for; a later one includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// What the target always has.
    Plain,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AVX-512 with the bf16 dot product.
    Avx512Bf16,
}

/// The best level of this machine.
pub(crate) fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(detect)
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Level {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = avx2
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match (avx2, avx512, avx512 && is_x86_feature_detected!("avx512bf16")) {
        (_, _, true) => Level::Avx512Bf16,
        (_, true, _) => Level::Avx512,
        (true, ..) => Level::Avx2,
        _ => Level::Plain,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Level {
    Level::Plain
}

/// Every level this machine can run.
#[cfg(test)]
pub(crate) fn levels() -> Vec<Level> {
    let all = [Level::Plain, Level::Avx2, Level::Avx512, Level::Avx512Bf16];
    all.into_iter().filter(|&other| other <= level()).collect()
}

/// Compiles a function once per [`Level`] and adds a first argument that picks one. The level passed must be one
/// this machine has. Helpers called from the body must be `#[inline(always)]`.
macro_rules! simd {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$doc])*
        #[allow(unsafe_code)]
        $vis fn $name(level: $crate::backend::cpu::simd::Level, $($arg: $type),*) $(-> $ret)? {
            #[inline(always)]
            fn plain($($arg: $type),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $type),*) $(-> $ret)? {
                plain($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512($($arg: $type),*) $(-> $ret)? {
                plain($($arg),*)
            }
            use $crate::backend::cpu::simd::Level;
            match level {
                // SAFETY: levels come from detection, so the machine has these instructions.
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => unsafe { avx2($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 | Level::Avx512Bf16 => unsafe { avx512($($arg),*) },
                _ => plain($($arg),*),
            }
        }
    };
}
pub(crate) use simd;
