//! The inner loops of `dots` on AVX-512: four rows of the weight at a time against up to four of
//! `x`, their sums folded together. A sum runs in one order however many rows there are.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use half::bf16;

use super::dots::{GROUP, MOST_ROWS};

macro_rules! dots {
    ($name:ident, $inner:ident, $x:ty, $w:ty, $width:literal, $features:literal,
     $load_x:ident, $load_w:ident, $dot:ident) => {
        /// `sums[i][j] = x[i] · w[j]` for up to 12 dense rows `x` and up to 4 rows of `w`, `stride` apart. The
        /// machine must have the instructions.
        pub(super) fn $name(
            x: &[$x],
            w: &[$w],
            stride: usize,
            rows: usize,
            k: usize,
            sums: &mut [[f32; GROUP]; MOST_ROWS],
        ) {
            assert!((1..=GROUP).contains(&rows) && w.len() >= (rows - 1) * stride + k, "rows of a dot");
            assert_eq!(x.len() % k, 0, "rows of a dot");
            for (x, sums) in x.chunks(4 * k).zip(sums.chunks_exact_mut(4)) {
                let (count, x, w) = (x.len() / k, x.as_ptr(), w.as_ptr());
                // SAFETY: the lengths were checked; the machine has the instructions by the contract.
                unsafe {
                    match count {
                        1 => $inner::<1>(x, w, stride, rows, k, sums),
                        2 => $inner::<2>(x, w, stride, rows, k, sums),
                        3 => $inner::<3>(x, w, stride, rows, k, sums),
                        _ => $inner::<4>(x, w, stride, rows, k, sums),
                    }
                }
            }
        }

        /// Past the last row of `w`, the last one is read again.
        ///
        /// # Safety
        /// `x` has `R` dense rows of `k`, `w` has `rows` of `k`, `stride` apart.
        #[target_feature(enable = $features)]
        unsafe fn $inner<const R: usize>(
            x: *const $x,
            w: *const $w,
            stride: usize,
            rows: usize,
            k: usize,
            sums: &mut [[f32; GROUP]],
        ) {
            let w: [*const $w; GROUP] = std::array::from_fn(|c| w.wrapping_add(c.min(rows - 1) * stride));
            let mut lanes = [[_mm512_setzero_ps(); GROUP]; R];
            let whole = k / $width * $width;
            // SAFETY: offsets stay below `k`; masked loads touch nothing past it.
            unsafe {
                for p in (0..whole).step_by($width) {
                    // The rows after these: the hardware's prefetcher stops at the end of each page.
                    for c in 0..GROUP {
                        _mm_prefetch::<_MM_HINT_T0>(w[c].wrapping_add(GROUP * stride + p).cast());
                    }
                    let b: [_; GROUP] = std::array::from_fn(|c| $load_w!(w[c].add(p), $width));
                    for i in 0..R {
                        let a = $load_x!(x.add(i * k + p), $width);
                        for c in 0..GROUP {
                            lanes[i][c] = $dot!(lanes[i][c], a, b[c]);
                        }
                    }
                }
                if whole < k {
                    let b: [_; GROUP] = std::array::from_fn(|c| $load_w!(w[c].add(whole), k - whole));
                    for i in 0..R {
                        let a = $load_x!(x.add(i * k + whole), k - whole);
                        for c in 0..GROUP {
                            lanes[i][c] = $dot!(lanes[i][c], a, b[c]);
                        }
                    }
                }
            }
            for i in 0..R {
                sums[i] = fold_4(lanes[i]);
            }
        }
    };
}

macro_rules! load_f32 {
    ($at:expr, $count:expr) => {
        if $count == 16 {
            _mm512_loadu_ps($at)
        } else {
            _mm512_maskz_loadu_ps(((1u32 << $count) - 1) as u16, $at)
        }
    };
}
macro_rules! load_bf16 {
    ($at:expr, $count:expr) => {
        std::mem::transmute::<__m512i, __m512bh>(if $count == 32 {
            _mm512_loadu_si512($at.cast())
        } else {
            _mm512_maskz_loadu_epi16(((1u64 << $count) - 1) as u32, $at.cast::<i16>())
        })
    };
}
macro_rules! load_widened {
    ($at:expr, $count:expr) => {{
        let half = if $count == 16 {
            _mm256_loadu_si256($at.cast())
        } else {
            _mm256_maskz_loadu_epi16(((1u32 << $count) - 1) as u16, $at.cast::<i16>())
        };
        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(half)))
    }};
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

dots!(f32, inner_f32, f32, f32, 16, "avx512f,avx512bw,avx512dq,avx512vl", load_f32, load_f32, dot_f32);
dots!(
    widened,
    inner_widened,
    f32,
    bf16,
    16,
    "avx512f,avx512bw,avx512dq,avx512vl",
    load_f32,
    load_widened,
    dot_f32
);
dots!(
    bf16,
    inner_bf16,
    bf16,
    bf16,
    32,
    "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16",
    load_bf16,
    load_bf16,
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
