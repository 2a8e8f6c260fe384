//! The inner loops of `dots` on AVX-512: one row of the weight at a time (one stream for the prefetcher) against
//! all rows of `x`, four rows' sums folded together at the end.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use half::bf16;

use super::dots::{GROUP, MOST_ROWS};

macro_rules! dots {
    ($name:ident, $inner:ident, $element:ty, $width:literal, $features:literal, $load:ident, $mask:ident,
     $dot:ident) => {
        /// `sums[i][j] = x[i] · w[j]` for up to 8 dense rows `x` and up to 4 rows of `w`, `stride` apart. The
        /// machine must have the instructions.
        pub(super) fn $name(
            x: &[$element],
            w: &[$element],
            stride: usize,
            rows: usize,
            k: usize,
            sums: &mut [[f32; GROUP]; MOST_ROWS],
        ) {
            assert!(
                rows <= GROUP && w.len() >= (rows - 1) * stride + k && x.len() % k == 0,
                "operands of a dot"
            );
            // SAFETY: the lengths were checked; the machine has the instructions by the contract.
            unsafe {
                match x.len() / k {
                    1 => $inner::<1, 4>(x.as_ptr(), w.as_ptr(), stride, rows, k, sums),
                    2 => $inner::<2, 4>(x.as_ptr(), w.as_ptr(), stride, rows, k, sums),
                    3 => $inner::<3, 2>(x.as_ptr(), w.as_ptr(), stride, rows, k, sums),
                    4 => $inner::<4, 2>(x.as_ptr(), w.as_ptr(), stride, rows, k, sums),
                    5 => $inner::<5, 2>(x.as_ptr(), w.as_ptr(), stride, rows, k, sums),
                    6 => $inner::<6, 2>(x.as_ptr(), w.as_ptr(), stride, rows, k, sums),
                    7 => $inner::<7, 2>(x.as_ptr(), w.as_ptr(), stride, rows, k, sums),
                    8 => $inner::<8, 2>(x.as_ptr(), w.as_ptr(), stride, rows, k, sums),
                    more => unreachable!("{more} rows are no few rows"),
                }
            }
        }

        /// # Safety
        /// `x` has `R` dense rows of `k`, `w` has `rows` of `k`, `stride` apart.
        #[target_feature(enable = $features)]
        unsafe fn $inner<const R: usize, const UNROLL: usize>(
            x: *const $element,
            w: *const $element,
            stride: usize,
            rows: usize,
            k: usize,
            sums: &mut [[f32; GROUP]; MOST_ROWS],
        ) {
            let mut parts = [[_mm512_setzero_ps(); GROUP]; R];
            for j in 0..rows {
                let mut lanes = [[_mm512_setzero_ps(); UNROLL]; R];
                // SAFETY: offsets stay below `k`, masked loads included.
                unsafe {
                    let w = w.add(j * stride);
                    let mut p = 0;
                    while p + UNROLL * $width <= k {
                        for u in 0..UNROLL {
                            let b = $load!(w.add(p + u * $width));
                            for i in 0..R {
                                lanes[i][u] = $dot!(lanes[i][u], $load!(x.add(i * k + p + u * $width)), b);
                            }
                        }
                        p += UNROLL * $width;
                    }
                    while p < k {
                        let count = (k - p).min($width);
                        let b = $mask!(count, w.add(p));
                        for i in 0..R {
                            lanes[i][0] = $dot!(lanes[i][0], $mask!(count, x.add(i * k + p)), b);
                        }
                        p += $width;
                    }
                }
                for i in 0..R {
                    parts[i][j] =
                        lanes[i].iter().skip(1).fold(lanes[i][0], |sum, &lane| _mm512_add_ps(sum, lane));
                }
            }
            for i in 0..R {
                sums[i] = fold_4(parts[i]);
            }
        }
    };
}

macro_rules! load_f32 {
    ($at:expr) => {
        _mm512_loadu_ps($at)
    };
}
macro_rules! mask_f32 {
    ($count:expr, $at:expr) => {
        _mm512_maskz_loadu_ps(((1u32 << $count) - 1) as u16, $at)
    };
}
macro_rules! load_bf16 {
    ($at:expr) => {
        std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512($at.cast()))
    };
}
macro_rules! mask_bf16 {
    ($count:expr, $at:expr) => {
        std::mem::transmute::<__m512i, __m512bh>(_mm512_maskz_loadu_epi16(
            ((1u64 << $count) - 1) as u32,
            $at.cast::<i16>(),
        ))
    };
}

macro_rules! dot_f32 {
    ($sum:expr, $a:expr, $b:expr) => {
        _mm512_fmadd_ps($a, $b, $sum)
    };
}
macro_rules! dot_bf16 {
    ($sum:expr, $a:expr, $b:expr) => {
        _mm512_dpbf16_ps($sum, $a, $b)
    };
}

dots!(f32, inner_f32, f32, 16, "avx512f,avx512bw,avx512dq,avx512vl", load_f32, mask_f32, dot_f32);
dots!(
    bf16,
    inner_bf16,
    bf16,
    32,
    "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16",
    load_bf16,
    mask_bf16,
    dot_bf16
);

/// The sums of four vectors.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn fold_4([a, b, c, d]: [__m512; GROUP]) -> [f32; GROUP] {
    let ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    let cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    let (ab, cd) = (_mm512_castps_pd(ab), _mm512_castps_pd(cd));
    let low = _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd));
    let high = _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd));
    let all = _mm512_add_ps(low, high);
    let half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps::<1>(all));
    let sums = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps::<1>(half));
    let mut out = [0f32; GROUP];
    // SAFETY: room for four.
    unsafe { _mm_storeu_ps(out.as_mut_ptr(), sums) };
    out
}
