//! Products of many rows on AVX-512. One operand is read as *lanes* (48 of its rows interleaved, see `pack`), the
//! other as *rows* of dwords, in place where it already is one: bf16 weights come straight from the mapped file.
//! A tile of 8 rows by 48 lanes stays in 24 registers over a block of `k`.
//!
//! Either operand may be the lanes; when it is `a`, a task keeps its tiles and transposes them into `out` at the
//! end, as whole cache lines.
#![allow(unsafe_code)]

use std::arch::x86_64::*;
use std::ops::Range;

use super::gemm::{Arithmetic, Elements, Matrix};
use super::pack::{self, PANEL};
use super::threads::{self, Shared};

/// Rows of a tile.
const ROWS: usize = 8;
/// Most dwords of `k` in one block: long, as sums travel between registers and cache once for each.
const K_BLOCK: usize = 1024;
/// Most panels in one block: with `K_BLOCK`, 400 KiB in the second-level cache.
const PANEL_BLOCK: usize = 2;
/// Elements of a tile.
const TILE: usize = ROWS * PANEL;
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
    /// Panels of `kd` dwords each, of an operand of `rows` rows: possibly more than the product uses.
    Packed {
        start: *const u32,
        kd: usize,
        rows: usize,
    },
    Source(Matrix<'a>),
}

/// Where products go.
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
        let row_view = as_rows(arithmetic, rows, rows_scratch);
        // Packing inside the tasks reads a large operand once and keeps it in cache, if a task has all the rows.
        let own = lanes.rows > rows.rows && lanes.rows >= 2 * PANEL_BLOCK * PANEL;
        let lane_view = if own {
            Lanes::Source(lanes)
        } else {
            let to = lanes_scratch.take(lanes.rows.next_multiple_of(16) * kd);
            pack::lanes_all(arithmetic, lanes, to);
            Lanes::Packed { start: to.as_ptr(), kd, rows: lanes.rows }
        };
        let out = Out { data: Shared::new(out), stride: out_stride, lanes_are_columns, accumulate };
        Plan { arithmetic, rows: row_view, lanes: lane_view, lane_count: lanes.rows, kd, out }.run();
    });
}

/// `out (+)= a b` with the first columns of `b` packed beforehand: `lanes` of them, of which `start` holds
/// `packed_lanes`, over the first rows of its `packed_k`.
///
/// # Safety
/// `start` holds the panels that `pack::lanes_all` makes of such an operand in this arithmetic.
pub(super) unsafe fn product_packed(
    arithmetic: Arithmetic,
    a: Matrix<'_>,
    start: *const u32,
    packed_lanes: usize,
    packed_k: usize,
    lanes: usize,
    out: &mut [f32],
    out_stride: usize,
    accumulate: bool,
) {
    assert!(lanes <= packed_lanes && a.cols <= packed_k, "a packed operand of {packed_lanes} by {packed_k}");
    pack::WHOLE.with_borrow_mut(|[_, scratch]| {
        Plan {
            arithmetic,
            rows: as_rows(arithmetic, a, scratch),
            lanes: Lanes::Packed { start, kd: pack::dwords(arithmetic, packed_k), rows: packed_lanes },
            lane_count: lanes,
            kd: pack::dwords(arithmetic, a.cols),
            out: Out { data: Shared::new(out), stride: out_stride, lanes_are_columns: true, accumulate },
        }
        .run();
    });
}

/// A matrix as rows: in place if it is that already, else packed into `scratch`.
fn as_rows(arithmetic: Arithmetic, source: Matrix<'_>, scratch: &mut pack::Scratch) -> Rows {
    if pack::reads_as_rows(arithmetic, &source) {
        return in_place(&source);
    }
    // An odd number of cache lines: rows of a tile must not all fall into the same cache sets.
    let stride = (pack::dwords(arithmetic, source.cols).div_ceil(16) | 1) * 16;
    let to = scratch.take(source.rows * stride);
    pack::rows_all(arithmetic, source, stride, to);
    Rows { start: to.as_ptr().cast(), stride: stride * 4, rows: source.rows }
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
            Lanes::Packed { .. } => {
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
    fn block(&self, panels: Range<usize>, groups: Range<usize>) {
        let k_blocks = self.kd.div_ceil(K_BLOCK);
        pack::BLOCK.with_borrow_mut(|[scratch, kept]| {
            let kept = match self.out.lanes_are_columns {
                true => &mut [],
                false => kept.take(panels.len() * groups.len() * TILE),
            };
            for k_block in 0..k_blocks {
                let k = k_block * K_BLOCK..((k_block + 1) * K_BLOCK).min(self.kd);
                let accumulate = self.out.accumulate || k_block > 0;
                let packed = match &self.lanes {
                    Lanes::Packed { .. } => std::ptr::null(),
                    Lanes::Source(source) => {
                        let to = scratch.take(panels.len() * PANEL * k.len());
                        for (i, panel) in panels.clone().enumerate() {
                            let to = &mut to[i * PANEL * k.len()..];
                            pack::lanes(self.arithmetic, source, panel * PANEL, k.clone(), to);
                        }
                        to.as_ptr()
                    }
                };
                for (g, group) in groups.clone().enumerate() {
                    for (i, panel) in panels.clone().enumerate() {
                        let (lanes, width) = match self.lanes {
                            Lanes::Packed { start, kd, rows } => {
                                let width = pack::panel_lanes(rows, panel * PANEL);
                                (start.wrapping_add(panel * PANEL * kd + k.start * width), width)
                            }
                            Lanes::Source(_) => {
                                let width = pack::panel_lanes(self.lane_count, panel * PANEL);
                                (packed.wrapping_add(i * PANEL * k.len()), width)
                            }
                        };
                        let store = if self.out.lanes_are_columns {
                            self.place(group * ROWS, panel * PANEL, accumulate)
                        } else {
                            let to = kept[(i * groups.len() + g) * TILE..][..TILE].as_mut_ptr().cast();
                            Store { to, step: width, height: ROWS, width, accumulate: k_block > 0 }
                        };
                        self.tile(group * ROWS, width / 16, k.clone(), lanes, store);
                    }
                }
            }
            if !self.out.lanes_are_columns {
                self.write_transposed(panels, groups, kept);
            }
        });
    }

    /// The place of a tile in `out` when lanes are its columns.
    fn place(&self, row: usize, lane: usize, accumulate: bool) -> Store {
        let (height, width) = ((self.rows.rows - row).min(ROWS), (self.lane_count - lane).min(PANEL));
        let step = self.out.stride;
        // SAFETY: tiles do not overlap, and the product borrows `out` until all are done.
        let to = unsafe { self.out.data.start_of(row * step + lane, (height - 1) * step + width) };
        Store { to, step, height, width, accumulate }
    }

    /// Writes the kept tiles of a task, `[panel][group][row][lane]`, to `out` where lanes are its rows.
    fn write_transposed(&self, panels: Range<usize>, groups: Range<usize>, kept: &[u32]) {
        for (i, panel) in panels.enumerate() {
            let width = pack::panel_lanes(self.lane_count, panel * PANEL);
            for vector in 0..width / 16 {
                let lane = panel * PANEL + 16 * vector;
                for pair in 0..groups.len().div_ceil(2) {
                    let row = (groups.start + 2 * pair) * ROWS;
                    let place = Store {
                        to: self.out.data.start(),
                        step: self.out.stride,
                        height: (self.lane_count - lane).min(16),
                        width: (self.rows.rows.min(groups.end * ROWS) - row).min(16),
                        accumulate: self.out.accumulate,
                    };
                    let tiles = &kept[(i * groups.len() + 2 * pair) * TILE..];
                    let at = lane * place.step + row;
                    assert!(at + (place.height - 1) * place.step + place.width <= self.out.data.len());
                    // SAFETY: inside `out` by the assertion, disjoint from other tasks' tiles; a pair of tiles
                    // follows, or the masked-off half of it is not read.
                    unsafe {
                        let store = Store { to: place.to.add(at), ..place };
                        store_pair(tiles[16 * vector..].as_ptr().cast(), width, store);
                    }
                }
            }
        }
    }

    /// One tile over one block of `k`, added to or stored in its place.
    fn tile(&self, row: usize, vectors: usize, k: Range<usize>, lanes: *const u32, store: Store) {
        // Rows past the end repeat the last one; their results are not used.
        let rows: [*const u8; ROWS] = std::array::from_fn(|i| {
            let row = (row + i).min(self.rows.rows - 1);
            self.rows.start.wrapping_add(row * self.rows.stride + k.start * 4)
        });
        let kernel = match (self.arithmetic, vectors) {
            (Arithmetic::F32, 1) => f32_tile::<1>,
            (Arithmetic::F32, 2) => f32_tile::<2>,
            (Arithmetic::F32, _) => f32_tile::<3>,
            (Arithmetic::Bf16, 1) => bf16_tile::<1>,
            (Arithmetic::Bf16, 2) => bf16_tile::<2>,
            (Arithmetic::Bf16, _) => bf16_tile::<3>,
        };
        // SAFETY: rows hold `k.end` dwords and the panel `k.len()` times its width; the level that led here has
        // the instructions; the store's place is writable.
        unsafe { kernel(&rows, k.len(), lanes, store) };
    }
}

/// Where and how a block of sums is stored: `height` rows of `width`, `step` apart.
struct Store {
    to: *mut f32,
    step: usize,
    height: usize,
    width: usize,
    accumulate: bool,
}

impl Store {
    /// Asks for the cache lines that will be written: they arrive while the tile is computed.
    #[inline(always)]
    fn fetch(&self) {
        for row in 0..self.height {
            for column in (0..self.width).step_by(16) {
                // SAFETY: a hint, which never faults.
                unsafe {
                    _mm_prefetch::<_MM_HINT_ET0>(self.to.wrapping_add(row * self.step + column).cast())
                };
            }
        }
    }
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
            store.fetch();
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
                store_rows(&sums, store);
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
            let lanes = store.width.saturating_sub(16 * v);
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

/// Stores two neighbouring tiles' vectors of 16 lanes, `step` dwords apart, as 16 rows of 16.
///
/// # Safety
/// Tiles of `ROWS` vectors follow `from`, the second of them only if `store.width > ROWS`; the places of `store`
/// are writable.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn store_pair(from: *const f32, step: usize, store: Store) {
    let mut block = [_mm512_setzero_si512(); 16];
    // SAFETY: by the contract; stores are cut to `height` and `width`.
    unsafe {
        for (i, vector) in block.iter_mut().enumerate().take(if store.width > ROWS { 16 } else { ROWS }) {
            *vector = _mm512_loadu_si512(from.add(i / ROWS * TILE + i % ROWS * step).cast());
        }
        pack::transpose(&mut block);
        let mask = ((1u32 << store.width) - 1) as u16;
        for (i, &vector) in block.iter().enumerate().take(store.height) {
            let to = store.to.add(i * store.step);
            let mut sum = _mm512_castsi512_ps(vector);
            if store.accumulate {
                sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, to));
            }
            _mm512_mask_storeu_ps(to, mask, sum);
        }
    }
}
