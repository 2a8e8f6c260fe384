//! Products of many rows on AVX-512. One operand is read as *lanes* (48 of its rows interleaved, see `pack`), the
//! other as *rows* of dwords, in place where it already is one: bf16 weights come straight from the mapped file.
//! A tile of 8 rows by 48 lanes stays in 24 registers over a block of `k`.
//!
//! Either operand may be the lanes; when it is `a`, tiles are transposed on their way to `out`.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::gemm::{Arithmetic, Elements, Matrix};
use super::pack::{self, PANEL};
use super::threads::{self, Shared};

/// Rows of a tile.
const ROWS: usize = 8;
/// Most dwords of `k` in one block: a panel's block streams from the second-level cache, rows stay in the first.
const K_BLOCK: usize = 512;
/// Most panels in one block: with `K_BLOCK`, half a MiB.
const PANEL_BLOCK: usize = 5;
/// Rows of a task where lanes are packed beforehand.
const ROW_BLOCK: usize = 256;

/// One operand as the kernels read it: `rows` rows, `stride` bytes apart.
#[derive(Clone, Copy)]
struct Rows {
    start: *const u8,
    stride: usize,
    rows: usize,
}

/// The other operand: packed beforehand, or packed by each task.
#[derive(Clone, Copy)]
enum Lanes<'a> {
    Packed(*const u32),
    Source(Matrix<'a>),
}

/// Where tiles go.
struct Out {
    data: Shared<f32>,
    stride: usize,
    /// Lanes run along columns of `out`, else along its rows.
    lanes_are_columns: bool,
    accumulate: bool,
}

/// Everything the tasks of one product share.
struct Plan<'a> {
    arithmetic: Arithmetic,
    rows: Rows,
    lanes: Lanes<'a>,
    lane_count: usize,
    kd: usize,
    out: Out,
}

// SAFETY: the raw pointers are to operands borrowed for the whole product and only read.
unsafe impl Sync for Plan<'_> {}

/// `out (+)= a b`. The machine must have AVX-512, with BF16 for bf16 arithmetic.
pub(super) fn product(
    arithmetic: Arithmetic,
    a: Matrix<'_>,
    b: Matrix<'_>,
    out: &mut [f32],
    out_stride: usize,
    accumulate: bool,
) {
    let columns = b.t();
    let ready = |side: &Matrix<'_>| pack::reads_as_rows(arithmetic, side);
    let cost = |lanes: &Matrix<'_>, rows: &Matrix<'_>| lanes.rows + if ready(rows) { 0 } else { rows.rows };
    let lanes_are_columns = cost(&columns, &a) <= cost(&a, &columns);
    let (rows, lanes) = if lanes_are_columns { (a, columns) } else { (columns, a) };
    let kd = pack::dwords(arithmetic, a.cols);
    pack::WHOLE.with_borrow_mut(|[lanes_scratch, rows_scratch]| {
        let row_view = if ready(&rows) {
            in_place(&rows)
        } else {
            // An odd number of cache lines: rows of a tile must not all fall into the same cache sets.
            let stride = (kd.div_ceil(16) | 1) * 16;
            let to = rows_scratch.take(rows.rows * stride);
            pack::rows_all(arithmetic, rows, stride, to);
            Rows { start: to.as_ptr().cast(), stride: stride * 4, rows: rows.rows }
        };
        // Packing inside the tasks reads a large operand once and keeps it in cache, if a task has all the rows.
        let own = lanes.rows > rows.rows && lanes.rows >= 2 * PANEL_BLOCK * PANEL;
        let lane_view = if own {
            Lanes::Source(lanes)
        } else {
            let to = lanes_scratch.take(lanes.rows.next_multiple_of(16) * kd);
            pack::lanes_all(arithmetic, lanes, to);
            Lanes::Packed(to.as_ptr())
        };
        let out = Out { data: Shared::new(out), stride: out_stride, lanes_are_columns, accumulate };
        Plan { arithmetic, rows: row_view, lanes: lane_view, lane_count: lanes.rows, kd, out }.run();
    });
}

fn in_place(source: &Matrix<'_>) -> Rows {
    let (start, size) = match source.data {
        Elements::F32(data) => (data.as_ptr().cast(), 4),
        Elements::Bf16(data) => (data.as_ptr().cast(), 2),
    };
    Rows { start, stride: source.row_stride * size, rows: source.rows }
}

impl Plan<'_> {
    fn run(&self) {
        let threads = threads::count();
        let panels = self.lane_count.div_ceil(PANEL);
        // Even shares: a block more than the threads can share out costs a whole block's time.
        let lane_tasks = panels.div_ceil(PANEL_BLOCK);
        let (lane_tasks, row_tasks) = match self.lanes {
            Lanes::Source(_) => (lane_tasks.next_multiple_of(threads).min(panels), 1),
            Lanes::Packed(_) => {
                let row_tasks = self.rows.rows.div_ceil(ROW_BLOCK).next_multiple_of(threads);
                (lane_tasks, row_tasks.min(self.rows.rows.div_ceil(ROWS)))
            }
        };
        let groups = self.rows.rows.div_ceil(ROWS);
        threads::run(lane_tasks * row_tasks, |task| {
            let (lane_task, row_task) = (task % lane_tasks, task / lane_tasks);
            let panels = lane_task * panels / lane_tasks..(lane_task + 1) * panels / lane_tasks;
            let groups = row_task * groups / row_tasks..(row_task + 1) * groups / row_tasks;
            self.block(panels, groups);
        });
    }

    /// All of `k` for some panels and some groups of rows.
    fn block(&self, panels: std::ops::Range<usize>, groups: std::ops::Range<usize>) {
        let k_blocks = self.kd.div_ceil(K_BLOCK);
        pack::BLOCK.with_borrow_mut(|scratch| {
            for k_block in 0..k_blocks {
                let k = k_block * self.kd / k_blocks..(k_block + 1) * self.kd / k_blocks;
                let accumulate = self.out.accumulate || k_block > 0;
                let packed = match &self.lanes {
                    Lanes::Packed(_) => std::ptr::null(),
                    Lanes::Source(source) => {
                        let to = scratch.take(panels.len() * PANEL * k.len());
                        for (i, panel) in panels.clone().enumerate() {
                            let to = &mut to[i * PANEL * k.len()..];
                            pack::lanes(self.arithmetic, source, panel * PANEL, k.clone(), to);
                        }
                        to.as_ptr()
                    }
                };
                for group in groups.clone() {
                    for panel in panels.clone() {
                        let width = pack::panel_lanes(self.lane_count, panel * PANEL);
                        let lanes = match self.lanes {
                            Lanes::Packed(start) => {
                                start.wrapping_add(panel * PANEL * self.kd + k.start * width)
                            }
                            Lanes::Source(_) => packed.wrapping_add((panel - panels.start) * PANEL * k.len()),
                        };
                        self.tile(group * ROWS, panel * PANEL, k.clone(), lanes, accumulate);
                    }
                }
            }
        });
    }

    /// One tile over one block of `k`, added to or stored in `out`.
    fn tile(&self, row: usize, lane: usize, k: std::ops::Range<usize>, lanes: *const u32, accumulate: bool) {
        // Rows past the end repeat the last one; their results are not stored.
        let rows: [*const u8; ROWS] = std::array::from_fn(|i| {
            let row = (row + i).min(self.rows.rows - 1);
            self.rows.start.wrapping_add(row * self.rows.stride + k.start * 4)
        });
        let width = (self.lane_count - lane).min(PANEL);
        let height = (self.rows.rows - row).min(ROWS);
        let vectors = width.div_ceil(16);
        // SAFETY: rows hold `k.end` dwords and the panel `k.len()` times its width; the level that led here has
        // the instructions; stores are cut to `height` and `width`, inside `out`, whose tiles are disjoint.
        unsafe {
            let kernel = match (self.arithmetic, vectors) {
                (Arithmetic::F32, 1) => f32_tile::<1>,
                (Arithmetic::F32, 2) => f32_tile::<2>,
                (Arithmetic::F32, _) => f32_tile::<3>,
                (Arithmetic::Bf16, 1) => bf16_tile::<1>,
                (Arithmetic::Bf16, 2) => bf16_tile::<2>,
                (Arithmetic::Bf16, _) => bf16_tile::<3>,
            };
            let (first, step, transposed) = if self.out.lanes_are_columns {
                (row * self.out.stride + lane, self.out.stride, false)
            } else {
                (lane * self.out.stride + row, self.out.stride, true)
            };
            let (tall, wide) = if transposed { (width, height) } else { (height, width) };
            let to = self.out.data.start_of(first, (tall - 1) * step + wide);
            kernel(&rows, k.len(), lanes, Store { to, step, height, width, transposed, accumulate });
        }
    }
}

/// Where and how a tile is stored.
struct Store {
    to: *mut f32,
    step: usize,
    height: usize,
    width: usize,
    transposed: bool,
    accumulate: bool,
}

macro_rules! tile {
    ($name:ident, $features:literal, |$sum:ident, $row:ident, $lane:ident| $dot:expr) => {
        /// # Safety
        /// Each row holds `kd` dwords, `lanes` `kd` times `16 V`, and the places of `store` are writable.
        #[target_feature(enable = $features)]
        unsafe fn $name<const V: usize>(
            rows: &[*const u8; ROWS],
            kd: usize,
            lanes: *const u32,
            store: Store,
        ) {
            let mut sums = [[_mm512_setzero_ps(); V]; ROWS];
            // SAFETY: by the contract.
            unsafe {
                for p in 0..kd {
                    let lane: [__m512i; V] =
                        std::array::from_fn(|v| _mm512_loadu_si512(lanes.add((p * V + v) * 16).cast()));
                    for i in 0..ROWS {
                        let $row = _mm512_set1_epi32(rows[i].cast::<i32>().add(p).read_unaligned());
                        for v in 0..V {
                            let ($sum, $lane) = (sums[i][v], lane[v]);
                            sums[i][v] = $dot;
                        }
                    }
                }
                if store.transposed { store_transposed(&sums, store) } else { store_rows(&sums, store) }
            }
        }
    };
}

tile!(f32_tile, "avx512f,avx512bw,avx512dq,avx512vl", |sum, row, lane| {
    _mm512_fmadd_ps(_mm512_castsi512_ps(row), _mm512_castsi512_ps(lane), sum)
});
tile!(bf16_tile, "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16", |sum, row, lane| {
    _mm512_dpbf16_ps(
        sum,
        std::mem::transmute::<__m512i, __m512bh>(row),
        std::mem::transmute::<__m512i, __m512bh>(lane),
    )
});

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn store_rows<const V: usize>(sums: &[[__m512; V]; ROWS], store: Store) {
    for i in 0..store.height {
        for v in 0..V {
            let lanes = store.width - 16 * v;
            let mask = if lanes >= 16 { u16::MAX } else { (1 << lanes) - 1 };
            // SAFETY: `width` lanes of `height` rows are writable; the mask cuts off the others.
            unsafe {
                let to = store.to.add(i * store.step + 16 * v);
                let mut sum = sums[i][v];
                if store.accumulate {
                    sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, to));
                }
                _mm512_mask_storeu_ps(to, mask, sum);
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn store_transposed<const V: usize>(sums: &[[__m512; V]; ROWS], store: Store) {
    let mask = ((1u32 << store.height) - 1) as u8;
    for v in 0..V {
        let columns = transpose_8(std::array::from_fn(|i| sums[i][v]));
        for (lane, &column) in columns.iter().enumerate().take((store.width - 16 * v).min(16)) {
            // SAFETY: `height` elements of `width` rows are writable; the mask cuts off the others.
            unsafe {
                let to = store.to.add((16 * v + lane) * store.step);
                let mut sum = column;
                if store.accumulate {
                    sum = _mm256_add_ps(sum, _mm256_maskz_loadu_ps(mask, to));
                }
                _mm256_mask_storeu_ps(to, mask, sum);
            }
        }
    }
}

/// 8 vectors of 16 to 16 vectors of 8.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn transpose_8(rows: [__m512; ROWS]) -> [__m256; 16] {
    // quads[g][c]: rows 4g..4g+4 of columns c, c + 4, c + 8, c + 12
    let quads: [[__m512; 4]; 2] = std::array::from_fn(|g| {
        let [a, b, c, d] = std::array::from_fn(|i| rows[4 * g + i]);
        let (ab_low, ab_high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
        let low = (_mm512_castps_pd(ab_low), _mm512_castps_pd(cd_low));
        let high = (_mm512_castps_pd(ab_high), _mm512_castps_pd(cd_high));
        [
            _mm512_castpd_ps(_mm512_unpacklo_pd(low.0, low.1)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(low.0, low.1)),
            _mm512_castpd_ps(_mm512_unpacklo_pd(high.0, high.1)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(high.0, high.1)),
        ]
    });
    let first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    let second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    let mut columns = [_mm256_setzero_ps(); 16];
    for c in 0..4 {
        let (low, high) = (_mm512_castps_pd(quads[0][c]), _mm512_castps_pd(quads[1][c]));
        let front = _mm512_castpd_ps(_mm512_permutex2var_pd(low, first, high));
        let back = _mm512_castpd_ps(_mm512_permutex2var_pd(low, second, high));
        columns[c] = _mm512_castps512_ps256(front);
        columns[4 + c] = _mm512_extractf32x8_ps::<1>(front);
        columns[8 + c] = _mm512_castps512_ps256(back);
        columns[12 + c] = _mm512_extractf32x8_ps::<1>(back);
    }
    columns
}
