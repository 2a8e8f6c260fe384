//! Copies parts of a matrix into the two orders the tile kernels read, converting between f32 and bf16 on the way.
//!
//! Both orders are made of dwords: one f32, or a pair of bf16 neighbours along `k` (an odd `k` is padded with
//! zero). *Rows* keeps each row's dwords in sequence; *lanes* interleaves up to 48 rows: `[k][lanes]`.
#![allow(unsafe_code)]

use std::arch::x86_64::*;
use std::cell::RefCell;

use super::gemm::{Arithmetic, Elements, Matrix};
use super::threads::{self, Shared};

/// Rows interleaved in one panel: three vectors.
pub(super) const PANEL: usize = 48;

/// Memory for packed dwords, aligned to cache lines and kept by the thread.
#[derive(Default)]
pub(super) struct Scratch(Vec<Line>);

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u32; 16]);

impl Scratch {
    /// The first dword.
    pub(super) fn start(&self) -> *const u32 {
        self.0.as_ptr().cast()
    }

    /// At least `dwords` dwords of any content.
    pub(super) fn take(&mut self, dwords: usize) -> &mut [u32] {
        let lines = dwords.div_ceil(16);
        if self.0.len() < lines {
            self.0.resize(lines, Line([0; 16]));
        }
        // SAFETY: a line is 16 dwords without padding.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast::<u32>(), dwords) }
    }
}

thread_local! {
    /// Operands packed by the caller of a product, for all its tasks: lanes, rows.
    pub(super) static WHOLE: RefCell<[Scratch; 2]> = RefCell::default();
    /// Inside one task: lanes packed, tiles kept.
    pub(super) static BLOCK: RefCell<[Scratch; 2]> = RefCell::default();
}

/// Dwords along `k`.
pub(super) fn dwords(arithmetic: Arithmetic, k: usize) -> usize {
    k.div_ceil(width_of(arithmetic))
}

/// Elements of a dword.
fn width_of(arithmetic: Arithmetic) -> usize {
    match arithmetic {
        Arithmetic::F32 => 1,
        Arithmetic::Bf16 => 2,
    }
}

/// Lanes in use of the panel that starts at row `first` of `rows`, rounded up to whole vectors.
pub(super) fn panel_lanes(rows: usize, first: usize) -> usize {
    (rows - first).min(PANEL).next_multiple_of(16)
}

/// Whether a matrix can be read in place as *rows*.
pub(super) fn reads_as_rows(arithmetic: Arithmetic, source: &Matrix<'_>) -> bool {
    let same = match source.data {
        Elements::F32(_) => arithmetic == Arithmetic::F32,
        Elements::Bf16(_) => arithmetic == Arithmetic::Bf16 && source.cols.is_multiple_of(2),
    };
    same && (source.col_stride == 1 || source.cols == 1)
}

/// Packs whole panels of `source` as lanes, panel after panel, on all threads.
pub(super) fn lanes_all(arithmetic: Arithmetic, source: Matrix<'_>, to: &mut [u32]) {
    let kd = dwords(arithmetic, source.cols);
    threads::for_pieces(to, PANEL * kd, |panel, to| {
        let first = panel * PANEL;
        lanes(arithmetic, &source, first, 0..kd, to);
    });
}

/// Packs the panel of `source` that starts at row `first`, dwords `range` of `k`.
pub(super) fn lanes(
    arithmetic: Arithmetic,
    source: &Matrix<'_>,
    first: usize,
    range: std::ops::Range<usize>,
    to: &mut [u32],
) {
    let width = panel_lanes(source.rows, first);
    assert!(to.len() >= width * range.len(), "room for a panel");
    let pack = block_for(arithmetic);
    for p in range.clone().step_by(16) {
        let count = (range.end - p).min(16);
        for lane in (0..width).step_by(16) {
            let to = to[(p - range.start) * width + lane..].as_mut_ptr();
            // SAFETY: the instructions are there (checked by the level that led here), and `count` rows of the
            // panel follow.
            unsafe { pack(source, first + lane, p, Order::Lanes, to, width, count) };
        }
    }
}

/// Packs `source` as rows `stride` dwords apart, on all threads. Dwords past `k` up to the next multiple of 16
/// are zero.
pub(super) fn rows_all(arithmetic: Arithmetic, source: Matrix<'_>, stride: usize, to: &mut [u32]) {
    let kd = dwords(arithmetic, source.cols);
    assert!(stride.is_multiple_of(16) && stride >= kd && to.len() >= source.rows * stride, "room for rows");
    let pack = block_for(arithmetic);
    let all = Shared::new(to);
    threads::run(source.rows.div_ceil(16), |task| {
        let first = task * 16;
        let count = (source.rows - first).min(16);
        // SAFETY: tasks write different rows.
        let to = unsafe { all.piece(first * stride, count * stride) };
        for p in (0..kd).step_by(16) {
            // SAFETY: as in `lanes`; a row has room for whole vectors.
            unsafe { pack(&source, first, p, Order::Rows, to[p..].as_mut_ptr(), stride, count) };
        }
    });
}

type PackBlock = unsafe fn(&Matrix<'_>, usize, usize, Order, *mut u32, usize, usize);

fn block_for(arithmetic: Arithmetic) -> PackBlock {
    match arithmetic {
        Arithmetic::F32 => block_f32,
        Arithmetic::Bf16 => block_bf16,
    }
}

/// Which order a block is written in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// A vector for each dword of `k`.
    Lanes,
    /// A vector for each row.
    Rows,
}

/// Fills a block from memory that is adjacent along `k` or (`by_k`) along rows.
macro_rules! load {
    (F32, $source:ident, $first:ident, $p:ident, $by_k:ident, $block:ident) => {{
        let (start, step, count, len) = walk($source, $first, $p, $by_k, 1);
        match $source.data {
            Elements::F32(data) => {
                for (i, vector) in $block.iter_mut().enumerate().take(count) {
                    *vector = load_32(data.as_ptr().add(start + i * step), len);
                }
            }
            Elements::Bf16(data) => {
                for (i, vector) in $block.iter_mut().enumerate().take(count) {
                    *vector = widen(load_16(data.as_ptr().add(start + i * step).cast(), len));
                }
            }
        }
    }};
    (Bf16, $source:ident, $first:ident, $p:ident, $by_k:ident, $block:ident) => {{
        let (start, step, count, len) = walk($source, $first, $p, $by_k, 2);
        match ($source.data, $by_k) {
            (Elements::F32(data), false) => {
                for (i, vector) in $block.iter_mut().enumerate().take(count) {
                    let at = data.as_ptr().add(start + i * step);
                    let low = load_32(at, len.min(16));
                    *vector = pair(low, load_32(at.wrapping_add(16), len.saturating_sub(16)));
                }
            }
            (Elements::F32(data), true) => {
                // Word order that pairs the low half of a vector with its high half.
                let pairs = _mm512_loadu_si512(HALVES_PAIRED.as_ptr().cast());
                for (i, vector) in $block.iter_mut().enumerate().take(count.div_ceil(2)) {
                    let at = data.as_ptr().add(start + 2 * i * step);
                    let high = if 2 * i + 1 < count { len } else { 0 };
                    let both = pair(load_32(at, len), load_32(at.wrapping_add(step), high));
                    *vector = _mm512_permutexvar_epi16(pairs, both);
                }
            }
            (Elements::Bf16(data), false) => {
                for (i, vector) in $block.iter_mut().enumerate().take(count) {
                    let at = data.as_ptr().add(start + i * step).cast::<i16>();
                    *vector = _mm512_maskz_loadu_epi16(mask_32(len), at);
                }
            }
            (Elements::Bf16(data), true) => {
                for (i, vector) in $block.iter_mut().enumerate().take(count.div_ceil(2)) {
                    let at = data.as_ptr().add(start + 2 * i * step).cast::<u16>();
                    let low = _mm512_cvtepu16_epi32(load_16(at, len));
                    let high = if 2 * i + 1 < count { len } else { 0 };
                    *vector = _mm512_or_si512(low, widen(load_16(at.wrapping_add(step), high)));
                }
            }
        }
    }};
}

macro_rules! pack_block {
    ($name:ident, $arithmetic:ident, $features:literal) => {
        /// Writes 16 rows from `first` by 16 dwords of `k` from `p`, zero outside the matrix: the first `count`
        /// vectors, `step` dwords apart.
        ///
        /// # Safety
        /// The machine has the instructions, `first` and `p` are inside the matrix, and the places are writable.
        #[target_feature(enable = $features)]
        unsafe fn $name(
            source: &Matrix<'_>,
            first: usize,
            p: usize,
            order: Order,
            to: *mut u32,
            step: usize,
            count: usize,
        ) {
            fetch_next(source, first, p, width_of(Arithmetic::$arithmetic));
            let mut block = [_mm512_setzero_si512(); 16];
            let by_k = source.row_stride == 1 && source.col_stride != 1;
            // SAFETY: by the contract; `walk` stays inside the matrix.
            unsafe {
                if !by_k && source.col_stride != 1 {
                    scattered(Arithmetic::$arithmetic, source, first, p, &mut block);
                } else {
                    load!($arithmetic, source, first, p, by_k, block);
                }
                if by_k != (order == Order::Lanes) {
                    transpose(&mut block);
                }
                for (i, &vector) in block.iter().enumerate().take(count) {
                    _mm512_storeu_si512(to.add(i * step).cast(), vector);
                }
            }
        }
    };
}

/// Asks for the block 16 dwords further along `k`, or for the next rows' first if there is none: lines far apart
/// are no pattern the hardware's prefetcher sees.
#[inline]
#[target_feature(enable = "avx512f")]
fn fetch_next(source: &Matrix<'_>, first: usize, p: usize, width: usize) {
    let (start, size) = match source.data {
        Elements::F32(data) => (data.as_ptr().cast::<i8>(), 4),
        Elements::Bf16(data) => (data.as_ptr().cast::<i8>(), 2),
    };
    let k = (p + 16) * width;
    let (first, k) = if k < source.cols { (first, k) } else { (first + 16, 0) };
    let at = first * source.row_stride + k * source.col_stride;
    let (step, count) =
        if source.col_stride == 1 { (source.row_stride, 16) } else { (source.col_stride, 16 * width) };
    for i in 0..count {
        _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add((at + i * step) * size));
    }
}

pack_block!(block_f32, F32, "avx512f,avx512bw,avx512dq,avx512vl");
pack_block!(block_bf16, Bf16, "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16");

/// 0, 16, 1, 17, 2, ...
const HALVES_PAIRED: [i16; 32] = {
    let mut order = [0; 32];
    let mut i = 0;
    while i < 32 {
        order[i] = (i / 2 + i % 2 * 16) as i16;
        i += 1;
    }
    order
};

/// Two vectors of f32 rounded to bf16 (to nearest even), `low` in the low half.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn pair(low: __m512i, high: __m512i) -> __m512i {
    let both = _mm512_cvtne2ps_pbh(_mm512_castsi512_ps(high), _mm512_castsi512_ps(low));
    // SAFETY: same size, no invalid values.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(both) }
}

/// How to read a block: offset of its first element, offset between vectors, number of vectors (single `k`s when
/// `by_k`), elements in each. `width` is the number of elements of a dword.
fn walk(
    source: &Matrix<'_>,
    first: usize,
    p: usize,
    by_k: bool,
    width: usize,
) -> (usize, usize, usize, usize) {
    let rows = (source.rows - first).min(16);
    let k = p * width;
    let left = (source.cols - k).min(16 * width);
    let start = first * source.row_stride + k * source.col_stride;
    if by_k { (start, source.col_stride, left, rows) } else { (start, source.row_stride, rows, left) }
}

/// Fills a block where neither side is adjacent in memory.
fn scattered(arithmetic: Arithmetic, source: &Matrix<'_>, first: usize, p: usize, block: &mut [__m512i; 16]) {
    let mut dwords = [[0u32; 16]; 16];
    let rows = (source.rows - first).min(16);
    for (i, row) in dwords.iter_mut().enumerate().take(rows) {
        for (j, dword) in row.iter_mut().enumerate() {
            let at = |k: usize| (first + i) * source.row_stride + k * source.col_stride;
            let value = |k: usize| match source.data {
                _ if k >= source.cols => 0.0,
                Elements::F32(data) => data[at(k)],
                Elements::Bf16(data) => data[at(k)].to_f32(),
            };
            let rounded = |k: usize| u32::from(half::bf16::from_f32(value(k)).to_bits());
            *dword = match arithmetic {
                Arithmetic::F32 => value(p + j).to_bits(),
                Arithmetic::Bf16 => rounded(2 * (p + j)) | rounded(2 * (p + j) + 1) << 16,
            };
        }
    }
    // SAFETY: same size, no invalid values.
    *block = unsafe { std::mem::transmute::<[[u32; 16]; 16], [__m512i; 16]>(dwords) };
}

#[inline]
fn mask_32(count: usize) -> u32 {
    if count >= 32 { u32::MAX } else { (1 << count) - 1 }
}

#[inline]
fn mask_16(count: usize) -> u16 {
    if count >= 16 { u16::MAX } else { (1 << count) - 1 }
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_32(at: *const f32, count: usize) -> __m512i {
    // SAFETY: `count` elements are readable; masked ones are not touched.
    unsafe { _mm512_maskz_loadu_epi32(mask_16(count), at.cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn load_16(at: *const u16, count: usize) -> __m256i {
    // SAFETY: `count` elements are readable; masked ones are not touched.
    unsafe { _mm256_maskz_loadu_epi16(mask_16(count), at.cast()) }
}

/// bf16 to the f32 of the same value.
#[inline]
#[target_feature(enable = "avx512f")]
fn widen(half: __m256i) -> __m512i {
    _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(half))
}

/// Transposes a block of 16 by 16 dwords.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
pub(super) fn transpose(rows: &mut [__m512i; 16]) {
    let mut pairs = [_mm512_setzero_si512(); 16];
    for i in 0..8 {
        pairs[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    // quads[4 g + c]: rows 4g..4g+4 of columns c, c + 4, c + 8, c + 12
    let mut quads = [_mm512_setzero_si512(); 16];
    for g in 0..4 {
        quads[4 * g] = _mm512_unpacklo_epi64(pairs[4 * g], pairs[4 * g + 2]);
        quads[4 * g + 1] = _mm512_unpackhi_epi64(pairs[4 * g], pairs[4 * g + 2]);
        quads[4 * g + 2] = _mm512_unpacklo_epi64(pairs[4 * g + 1], pairs[4 * g + 3]);
        quads[4 * g + 3] = _mm512_unpackhi_epi64(pairs[4 * g + 1], pairs[4 * g + 3]);
    }
    for c in 0..4 {
        let even_low = _mm512_shuffle_i32x4::<0b10_00_10_00>(quads[c], quads[4 + c]);
        let odd_low = _mm512_shuffle_i32x4::<0b11_01_11_01>(quads[c], quads[4 + c]);
        let even_high = _mm512_shuffle_i32x4::<0b10_00_10_00>(quads[8 + c], quads[12 + c]);
        let odd_high = _mm512_shuffle_i32x4::<0b11_01_11_01>(quads[8 + c], quads[12 + c]);
        rows[c] = _mm512_shuffle_i32x4::<0b10_00_10_00>(even_low, even_high);
        rows[8 + c] = _mm512_shuffle_i32x4::<0b11_01_11_01>(even_low, even_high);
        rows[4 + c] = _mm512_shuffle_i32x4::<0b10_00_10_00>(odd_low, odd_high);
        rows[12 + c] = _mm512_shuffle_i32x4::<0b11_01_11_01>(odd_low, odd_high);
    }
}
