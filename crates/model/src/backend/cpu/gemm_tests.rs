//! Products against f64 loops, at every level of the machine.

use proptest::prelude::*;

use super::*;
use crate::backend::cpu::simd::levels;

/// Reproducible values in (-1, 1).
pub(crate) fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// How an operand lies in memory.
#[derive(Clone, Copy, Debug)]
struct Form {
    bf16: bool,
    transposed: bool,
    /// Extra elements between rows.
    gap: usize,
}

struct Stored {
    f32: Vec<f32>,
    bf16: Vec<bf16>,
}

impl Form {
    fn store(self, rows: usize, cols: usize, seed: u64) -> Stored {
        let (outer, inner) = if self.transposed { (cols, rows) } else { (rows, cols) };
        let f32 = noise(seed, outer * (inner + self.gap));
        let bf16 = f32.iter().map(|&v| bf16::from_f32(v)).collect();
        Stored { f32, bf16 }
    }

    fn view(self, stored: &Stored, rows: usize, cols: usize) -> Matrix<'_> {
        let (outer, inner) = if self.transposed { (cols, rows) } else { (rows, cols) };
        let stride = inner + self.gap;
        let matrix = if self.bf16 {
            Matrix::bf16(&stored.bf16, outer, inner, stride)
        } else {
            Matrix::f32(&stored.f32, outer, inner, stride)
        };
        if self.transposed { matrix.t() } else { matrix }
    }
}

fn check(level: Level, m: usize, n: usize, k: usize, forms: [Form; 2], accumulate: bool) {
    let (a_store, b_store) = (forms[0].store(m, k, 1 + m as u64), forms[1].store(k, n, 2 + n as u64));
    let (a, b) = (forms[0].view(&a_store, m, k), forms[1].view(&b_store, k, n));
    let rounds = (forms[0].bf16 || forms[1].bf16) && level >= Level::Avx512Bf16;
    let value = |matrix: &Matrix<'_>, i: usize, j: usize| {
        let at = i * matrix.row_stride + j * matrix.col_stride;
        match matrix.data {
            Elements::F32(data) if rounds => bf16::from_f32(data[at]).to_f64(),
            Elements::F32(data) => f64::from(data[at]),
            Elements::Bf16(data) => data[at].to_f64(),
        }
    };
    let stride = n + 3;
    let mut out = vec![0.5f32; m * stride];
    gemm_at(level, false, a, b, &mut out, stride, accumulate);
    for i in 0..m {
        for j in 0..stride {
            let actual = f64::from(out[i * stride + j]);
            if j >= n {
                assert_eq!(actual, 0.5, "wrote past row {i}");
                continue;
            }
            let sum: f64 = (0..k).map(|p| value(&a, i, p) * value(&b, p, j)).sum();
            let expected = if accumulate { sum + 0.5 } else { sum };
            let tolerance = 3e-6 * (k as f64).sqrt().max(4.0);
            assert!(
                (actual - expected).abs() <= tolerance,
                "{level:?} {m}x{n}x{k} {forms:?} at {i},{j}: {actual} instead of {expected}"
            );
        }
    }
}

fn form() -> impl Strategy<Value = Form> {
    (any::<bool>(), any::<bool>(), 0usize..5).prop_map(|(bf16, transposed, gap)| Form {
        bf16,
        transposed,
        gap,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn products_equal_f64_loops(
        m in 1usize..70, n in 1usize..130, k in 1usize..150, a in form(), b in form(), accumulate: bool
    ) {
        for level in levels() {
            check(level, m, n, k, [a, b], accumulate);
        }
    }
}

#[test]
fn products_over_several_blocks_equal_f64_loops() {
    for bf16 in [false, true] {
        for (transposed, other) in [(false, true), (false, false), (true, false)] {
            let forms = [Form { bf16: false, transposed, gap: 0 }, Form { bf16, transposed: other, gap: 0 }];
            for level in levels() {
                for (m, n, k) in [(1, 37, 2500), (11, 523, 1201), (110, 55, 2049), (5, 300, 1030)] {
                    check(level, m, n, k, forms, true);
                }
            }
        }
    }
}

#[test]
fn an_empty_product_is_zero() {
    for level in levels() {
        let mut out = [1.0; 6];
        gemm_at(level, false, Matrix::f32(&[], 2, 0, 0), Matrix::f32(&[], 0, 3, 3), &mut out, 3, false);
        assert_eq!(out, [0.0; 6]);
        gemm_at(level, false, Matrix::f32(&[], 0, 4, 4), Matrix::f32(&[0.0; 12], 4, 3, 3), &mut [], 3, false);
    }
}

#[test]
fn a_row_does_not_depend_on_its_neighbours() {
    let (m, n, k) = (100, 200, 1500);
    let (x, w) = (noise(1, m * k), noise(2, n * k));
    let product = |first: usize, count: usize| {
        let mut out = vec![0f32; count * n];
        let a = Matrix::f32(&x, m, k, k).row_range(first, count);
        gemm(a, Matrix::f32(&w, n, k, k).t(), &mut out, n, false);
        out
    };
    let all = product(0, m);
    assert_eq!(product(50, 50), all[50 * n..]);
    for (few, many) in product(7, 3).iter().zip(&all[7 * n..]) {
        assert!((few - many).abs() < 1e-4, "{few} {many}");
    }
}

#[test]
fn a_product_is_the_same_alone_or_shared_out() {
    for (m, n, k) in [(3, 900, 1000), (150, 400, 700), (400, 90, 2100)] {
        let (x, w) = (noise(1, m * k), noise(2, n * k));
        let product = || {
            let mut out = vec![0f32; m * n];
            gemm(Matrix::f32(&x, m, k, k), Matrix::f32(&w, n, k, k).t(), &mut out, n, false);
            out
        };
        let shared = product();
        // A call from inside a task runs on one thread.
        let alone = std::sync::Mutex::new(Vec::new());
        crate::backend::cpu::threads::run(2, |task| {
            if task == 0 {
                *alone.lock().unwrap() = product();
            }
        });
        assert_eq!(shared, alone.into_inner().unwrap(), "{m}x{n}x{k}");
    }
}
