//! Layers against plain f64 loops, backward passes against finite differences, caches against whole sequences.

use std::ops::Range;

use candle_core::{Device, Tensor};
use proptest::prelude::*;

use super::*;
use crate::backend::Precision;
use crate::backend::cpu::simd::{Level, level};

fn one_segment(end: usize) -> Vec<Segment> {
    vec![(0..end).into()]
}

/// Segments with nothing before them.
fn segments(rows: &[Range<usize>]) -> Vec<Segment> {
    rows.iter().cloned().map(Segment::from).collect()
}

/// Reproducible values in (-1, 1).
fn noise(seed: u64, rows: usize, cols: usize) -> Tensor {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    for _ in 0..8 {
        next();
    }
    let data: Vec<f32> = (0..rows * cols).map(|_| next()).collect();
    Tensor::from_vec(data, (rows, cols), &Device::Cpu).unwrap()
}

fn vector(seed: u64, len: usize) -> Tensor {
    noise(seed, 1, len).flatten_all().unwrap()
}

fn zeros(like: &Tensor) -> Tensor {
    // A tensor of its own memory: it is edited in place.
    Tensor::from_vec(vec![0f32; like.elem_count()], like.shape(), &Device::Cpu).unwrap()
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

#[track_caller]
fn close(what: &str, actual: &Tensor, expected: &[f64], tolerance: f64) {
    let actual = values(actual);
    assert_eq!(actual.len(), expected.len(), "{what}: sizes");
    for (i, (&a, &e)) in actual.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(a) - e).abs() <= tolerance * e.abs().max(1.0),
            "{what} at {i}: {a} instead of {e}"
        );
    }
}

/// The derivative of `Σ weights * f(x)` in each element of `x`, by central differences of an f64 function.
fn slope(x: &Tensor, weights: &Tensor, f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let mut x: Vec<f64> = values(x).into_iter().map(f64::from).collect();
    let weights = values(weights);
    let loss = |x: &[f64]| f(x).iter().zip(&weights).map(|(y, w)| y * f64::from(*w)).sum::<f64>();
    (0..x.len())
        .map(|i| {
            let (kept, step) = (x[i], 1e-5);
            x[i] = kept + step;
            let above = loss(&x);
            x[i] = kept - step;
            let below = loss(&x);
            x[i] = kept;
            (above - below) / (2.0 * step)
        })
        .collect()
}

fn wide(x: &Tensor) -> Vec<f64> {
    values(x).into_iter().map(f64::from).collect()
}

mod pointwise {
    use super::*;

    fn exact(kind: Activation, x: f64) -> f64 {
        match kind {
            Activation::Silu => x / (1.0 + (-x).exp()),
            Activation::QuickGelu => x / (1.0 + (-1.702 * x).exp()),
            Activation::Gelu => {
                let (mut term, mut sum, mut k) = (x, x, 1.0);
                while f64::abs(term) > 1e-17 * f64::abs(sum) {
                    term *= x * x / (2.0 * k + 1.0);
                    sum += term;
                    k += 1.0;
                }
                x * (0.5 + sum * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt())
            }
        }
    }

    #[test]
    fn activations_and_slopes() {
        for (name, rows, cols) in [("silu", 3, 7), ("quick_gelu", 1, 1), ("gelu", 130, 301)] {
            let kind = Activation::named(name).unwrap();
            let (x, dy) = ((noise(1, rows, cols) * 5.0).unwrap(), noise(2, rows, cols));
            let expected: Vec<f64> = wide(&x).into_iter().map(|x| exact(kind, x)).collect();
            close(name, &kind.forward(&x).unwrap(), &expected, 1e-6);
            let slopes: Vec<f64> = wide(&x)
                .into_iter()
                .zip(wide(&dy))
                .map(|(x, dy)| dy * (exact(kind, x + 1e-5) - exact(kind, x - 1e-5)) / 2e-5)
                .collect();
            close(name, &kind.backward(&x, &dy).unwrap(), &slopes, 2e-6);
        }
        assert_eq!(Activation::named("relu"), None);
    }

    #[test]
    fn swiglu_and_its_slopes() {
        let (gate, up, dy) = ((noise(1, 71, 331) * 4.0).unwrap(), noise(2, 71, 331), noise(3, 71, 331));
        let silu = |x: f64| x / (1.0 + (-x).exp());
        let f = |i: usize, gate: f64| silu(gate) * f64::from(values(&up)[i]);
        let (g, d) = (wide(&gate), wide(&dy));
        let u = wide(&up);
        let expected: Vec<f64> = (0..g.len()).map(|i| silu(g[i]) * u[i]).collect();
        assert!((f(5, g[5]) - expected[5]).abs() < 1e-12);
        close("swiglu", &swiglu(&gate, &up).unwrap(), &expected, 1e-6);
        let (dgate, dup) = swiglu_backward(&gate, &up, &dy).unwrap();
        let slope = |i: usize| d[i] * u[i] * (silu(g[i] + 1e-5) - silu(g[i] - 1e-5)) / 2e-5;
        close("dgate", &dgate, &(0..g.len()).map(slope).collect::<Vec<_>>(), 2e-6);
        close("dup", &dup, &(0..g.len()).map(|i| d[i] * silu(g[i])).collect::<Vec<_>>(), 1e-6);
    }

    #[test]
    fn rows_move_and_add() {
        let x = noise(1, 5, 3);
        let picked = gather_rows(&x, &[4, 0, 4]).unwrap();
        assert_eq!(values(&picked)[..3], values(&x)[12..]);
        let mut sum = zeros(&x);
        add_rows(&mut sum, &[4, 0, 4], &picked).unwrap();
        assert_eq!(values(&sum)[12], 2.0 * values(&x)[12]);
        place_rows(&mut sum, &[1, 2, 3], &picked).unwrap();
        assert_eq!(values(&sum)[3..6], values(&x)[12..]);
        assert_eq!(values(&add(&x, &x).unwrap()), values(&(&x * 2.0).unwrap()));
        let part = x.narrow(1, 1, 2).unwrap();
        assert_eq!(values(&gather_rows(&part, &[2]).unwrap()), values(&x)[7..9]);
    }
}

mod norms {
    use super::*;

    fn rms(x: &[f64], w: &[f64], epsilon: f64) -> Vec<f64> {
        x.chunks(w.len())
            .flat_map(|x| {
                let mean = x.iter().map(|v| v * v).sum::<f64>() / w.len() as f64;
                x.iter().zip(w).map(move |(x, w)| x / (mean + epsilon).sqrt() * w).collect::<Vec<_>>()
            })
            .collect()
    }

    fn layer(x: &[f64], w: &[f64], b: &[f64], epsilon: f64) -> Vec<f64> {
        x.chunks(w.len())
            .flat_map(|x| {
                let mean = x.iter().sum::<f64>() / w.len() as f64;
                let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / w.len() as f64;
                let scaled = x.iter().map(move |x| (x - mean) / (variance + epsilon).sqrt());
                scaled.zip(w).zip(b).map(|((x, w), b)| x * w + b).collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn norms_and_their_slopes() {
        for (rows, cols) in [(1, 1), (3, 5), (4, 32), (7, 67)] {
            let (x, dy) = ((noise(1, rows, cols) * 3.0).unwrap(), noise(2, rows, cols));
            let (weight, bias) = (vector(3, cols), vector(4, cols));
            let (w, b) = (wide(&weight), wide(&bias));
            let norm = RmsNorm { weight: weight.clone(), epsilon: 1e-6 };
            close("rms", &norm.forward(&x).unwrap(), &rms(&wide(&x), &w, 1e-6), 1e-6);
            let mut grad = zeros(&weight);
            let dx = norm.backward(&x, &dy, Some(&mut grad)).unwrap();
            close("rms dx", &dx, &slope(&x, &dy, |x| rms(x, &w, 1e-6)), 1e-5);
            close("rms dw", &grad, &slope(&weight, &dy, |w| rms(&wide(&x), w, 1e-6)), 1e-5);

            let epsilon = 1e-2;
            let norm = LayerNorm { weight: weight.clone(), bias: bias.clone(), epsilon: 1e-2 };
            close("layer", &norm.forward(&x).unwrap(), &layer(&wide(&x), &w, &b, epsilon), 1e-6);
            let (mut grad_w, mut grad_b) = (zeros(&weight), zeros(&bias));
            let dx = norm.backward(&x, &dy, Some(&mut grad_w), Some(&mut grad_b)).unwrap();
            close("layer dx", &dx, &slope(&x, &dy, |x| layer(x, &w, &b, epsilon)), 1e-5);
            close("layer dw", &grad_w, &slope(&weight, &dy, |w| layer(&wide(&x), w, &b, epsilon)), 1e-5);
            close("layer db", &grad_b, &slope(&bias, &dy, |b| layer(&wide(&x), &w, b, epsilon)), 1e-5);
            assert_eq!(values(&norm.backward(&x, &dy, None, None).unwrap()), values(&dx));
        }
    }
}

mod linears {
    use super::*;

    fn product(x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Vec<f64> {
        let (x, w, columns) = (x.to_vec2::<f32>().unwrap(), w.to_vec2::<f32>().unwrap(), b.map(wide));
        let dot =
            |x: &[f32], w: &[f32]| x.iter().zip(w).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        x.iter()
            .flat_map(|x| {
                w.iter()
                    .enumerate()
                    .map(|(j, w)| dot(x, w) + columns.as_ref().map_or(0.0, |b| b[j]))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    fn check(rows: usize, outputs: usize, inputs: usize) {
        let (x, dy, w) = (noise(1, rows, inputs), noise(2, rows, outputs), noise(3, outputs, inputs));
        let bias = vector(4, outputs);
        let bf16: Vec<half::bf16> = values(&w).into_iter().map(half::bf16::from_f32).collect();
        let quantised =
            candle_core::quantized::QTensor::quantize(&w, candle_core::quantized::GgmlDType::F32).unwrap();
        let weights = [
            (Weight::F32(values(&w).into()), 1e-5),
            (Weight::Bf16(bf16.into()), 2e-2),
            (Weight::Quantised(std::sync::Arc::new(quantised)), 1e-5),
        ];
        for (weight, tolerance) in weights {
            let linear = Linear::new(weight, Some(bias.clone()), outputs, inputs).unwrap();
            let scale = (inputs as f64).sqrt();
            close("y", &linear.forward(&x).unwrap(), &product(&x, &w, Some(&bias)), tolerance * scale);
            let dx = product(&dy, &w.t().unwrap().contiguous().unwrap(), None);
            close("dx", &linear.backward_input(&dy).unwrap(), &dx, tolerance * (outputs as f64).sqrt());
            let transposed = |t: &Tensor| t.t().unwrap().contiguous().unwrap();
            let mut grad = zeros(&w);
            linear.backward_weight(&x, &dy, &mut grad).unwrap();
            linear.backward_weight(&x, &dy, &mut grad).unwrap();
            let dw: Vec<f64> =
                product(&transposed(&dy), &transposed(&x), None).iter().map(|v| 2.0 * v).collect();
            close("dw", &grad, &dw, 1e-5 * (rows as f64).sqrt());
            let mut grad = zeros(&bias);
            linear.backward_bias(&dy, &mut grad).unwrap();
            let sums: Vec<f64> =
                (0..outputs).map(|j| wide(&dy).iter().skip(j).step_by(outputs).sum()).collect();
            close("db", &grad, &sums, 1e-5);
        }
    }

    #[test]
    fn products_and_their_slopes() {
        for (rows, outputs, inputs) in [(1, 5, 32), (3, 300, 33), (65, 64, 96), (130, 17, 200)] {
            check(rows, outputs, inputs);
        }
    }

    #[test]
    fn quantised_weights_multiply_on_the_left_and_on_the_right() {
        let w = noise(3, 64, 256);
        let quantised =
            candle_core::quantized::QTensor::quantize(&w, candle_core::quantized::GgmlDType::Q8_0).unwrap();
        let linear = Linear::new(Weight::Quantised(std::sync::Arc::new(quantised)), None, 64, 256).unwrap();
        let (x, dy) = (noise(1, 3, 256), noise(2, 3, 64));
        close("y", &linear.forward(&x).unwrap(), &product(&x, &w, None), 0.2);
        let dx = product(&dy, &w.t().unwrap().contiguous().unwrap(), None);
        close("dx", &linear.backward_input(&dy).unwrap(), &dx, 0.05);
    }

    #[test]
    fn parts_of_wider_rows_are_read_in_place() {
        let (x, w) = (noise(1, 9, 50), noise(3, 20, 30));
        let linear = Linear::new(Weight::F32(values(&w).into()), None, 20, 30).unwrap();
        let part = x.narrow(1, 10, 30).unwrap();
        let copied = part.contiguous().unwrap();
        assert_eq!(values(&linear.forward(&part).unwrap()), values(&linear.forward(&copied).unwrap()));
    }

    #[test]
    fn rows_that_share_memory_are_not_edited() {
        let mut repeated = noise(1, 1, 4).broadcast_as((3, 4)).unwrap();
        assert!(Rope::sequence(&[0, 1, 2], 4, 10.0).apply(&mut repeated).is_err());
    }

    #[test]
    fn wrong_sizes_are_refused() {
        let weight = || Weight::F32(vec![0.0; 6].into());
        assert!(Linear::new(weight(), None, 2, 4).is_err());
        assert!(Linear::new(weight(), Some(vector(1, 3)), 2, 3).is_err());
        assert!(Embedding::new(weight(), 3, 3).is_err());
        let embedding = Embedding::new(weight(), 3, 2).unwrap();
        assert!(embedding.forward(&[2]).is_ok());
        let error = embedding.forward(&[3]).unwrap_err().to_string();
        assert!(error.contains("3"), "{error}");
    }
}

mod heads {
    use super::*;

    const HEADS: Heads = Heads { query: 6, key_value: 2, dim: 20 };

    /// The definition, in f64, of one segment after another.
    fn exact(q: &[f64], k: &[f64], v: &[f64], segments: &[Segment], heads: Heads, mask: Mask) -> Vec<f64> {
        let Heads { query, key_value, dim } = heads;
        let mut y = vec![0.0; q.len()];
        for segment in segments {
            let before = segment.after.map_or(0..0, |before| segments[before].rows.clone());
            let segment = segment.rows.clone();
            for i in segment.clone() {
                for h in 0..query {
                    let end = if mask == Mask::Causal { i + 1 } else { segment.end };
                    let seen = || before.clone().chain(segment.start..end);
                    let kv = |j: usize| (j * key_value + h / (query / key_value)) * dim;
                    let at = (i * query + h) * dim;
                    let score = |j: usize| {
                        (0..dim).map(|d| q[at + d] * k[kv(j) + d]).sum::<f64>() / (dim as f64).sqrt()
                    };
                    let p: Vec<f64> = seen().map(|j| score(j).exp()).collect();
                    let total: f64 = p.iter().sum();
                    for (j, p) in seen().zip(&p) {
                        (0..dim).for_each(|d| y[at + d] += p / total * v[kv(j) + d]);
                    }
                }
            }
        }
        y
    }

    fn inputs(n: usize, heads: Heads) -> [Tensor; 3] {
        let narrow = heads.key_value * heads.dim;
        [(noise(1, n, heads.query * heads.dim) * 2.0).unwrap(), noise(2, n, narrow), noise(3, n, narrow)]
    }

    /// A beginning, and two continuations of it with a stranger between.
    fn family() -> Vec<Segment> {
        let after_0 = |rows| Segment { rows, after: Some(0) };
        vec![(0..40).into(), after_0(40..45), (45..60).into(), after_0(60..150), after_0(150..150)]
    }

    #[test]
    fn attention_equals_its_definition() {
        let vision = Heads { query: 4, key_value: 4, dim: 80 };
        for (n, segments, heads) in [
            (1, one_segment(1), HEADS),
            (13, segments(&[0..5, 5..13]), HEADS),
            (200, segments(&[0..3, 3..3, 10..180]), HEADS),
            (90, segments(&[0..64, 64..90]), vision),
            (150, family(), HEADS),
        ] {
            let [q, k, v] = inputs(n, heads);
            for mask in [Mask::Causal, Mask::Full] {
                let expected = exact(&wide(&q), &wide(&k), &wide(&v), &segments, heads, mask);
                let attended = attention(&q, &k, &v, &segments, heads, mask).unwrap();
                close(&format!("{mask:?} {segments:?}"), &attended.y, &expected, 3e-6);
            }
        }
    }

    #[test]
    fn long_attention_equals_its_definition() {
        let heads = Heads { query: 2, key_value: 1, dim: 16 };
        let [q, k, v] = inputs(1500, heads);
        let expected = exact(&wide(&q), &wide(&k), &wide(&v), &one_segment(1500), heads, Mask::Causal);
        let attended = attention(&q, &k, &v, &one_segment(1500), heads, Mask::Causal).unwrap();
        close("long", &attended.y, &expected, 3e-6);
    }

    #[test]
    fn later_rows_leave_earlier_ones_alone() {
        let [q, k, v] = inputs(150, HEADS);
        let all = attention(&q, &k, &v, &one_segment(150), HEADS, Mask::Causal).unwrap();
        let [q, k, v] = [q, k, v].map(|t| t.narrow(0, 0, 77).unwrap());
        let some = attention(&q, &k, &v, &one_segment(77), HEADS, Mask::Causal).unwrap();
        assert_eq!(values(&all.y.narrow(0, 0, 77).unwrap()), values(&some.y));
    }

    #[test]
    fn attention_slopes_equal_differences() {
        let after_0 = |rows| Segment { rows, after: Some(0) };
        let n = 23;
        let heads = Heads { query: 4, key_value: 2, dim: 6 };
        let [q, k, v] = inputs(n, heads);
        let dy = noise(4, n, heads.query * heads.dim);
        let alone = segments(&[0..4, 4..23]);
        let shared = vec![(0..4).into(), after_0(4..10), (10..13).into(), after_0(13..23)];
        for (mask, segments) in
            [(Mask::Causal, &alone), (Mask::Full, &alone), (Mask::Causal, &shared), (Mask::Full, &shared)]
        {
            let attended = attention(&q, &k, &v, segments, heads, mask).unwrap();
            let (dq, dk, dv) = attention_backward(&q, &k, &v, &attended, &dy, segments, heads, mask).unwrap();
            let (q64, k64, v64) = (wide(&q), wide(&k), wide(&v));
            close("dq", &dq, &slope(&q, &dy, |q| exact(q, &k64, &v64, segments, heads, mask)), 1e-5);
            close("dk", &dk, &slope(&k, &dy, |k| exact(&q64, k, &v64, segments, heads, mask)), 1e-5);
            close("dv", &dv, &slope(&v, &dy, |v| exact(&q64, &k64, v, segments, heads, mask)), 1e-5);
        }
    }

    #[test]
    fn bf16_attention_and_its_slopes_stay_near() {
        let (n, segments) = (150, family());
        let [q, k, v] = inputs(n, HEADS);
        let dy = noise(4, n, HEADS.query * HEADS.dim);
        let run = || {
            let attended = attention(&q, &k, &v, &segments, HEADS, Mask::Causal).unwrap();
            let slopes = attention_backward(&q, &k, &v, &attended, &dy, &segments, HEADS, Mask::Causal);
            let (dq, dk, dv) = slopes.unwrap();
            [attended.y, dq, dk, dv]
        };
        let (exact, rounded) = (run(), Precision::Bf16.scope(run));
        for (i, (exact, rounded)) in exact.iter().zip(&rounded).enumerate() {
            close(&format!("result {i}"), rounded, &wide(exact), 2e-2);
            assert_eq!(values(exact) != values(rounded), level() == Level::Avx512Bf16);
        }
    }

    #[test]
    fn parts_of_a_fused_projection_are_read_in_place() {
        let heads = Heads { query: 3, key_value: 3, dim: 8 };
        let fused = noise(1, 30, 72);
        let [q, k, v] = [0, 24, 48].map(|from| fused.narrow(1, from, 24).unwrap());
        let copies = [&q, &k, &v].map(|t| t.contiguous().unwrap());
        let segments = segments(&[0..11, 11..30]);
        let inside = attention(&q, &k, &v, &segments, heads, Mask::Full).unwrap();
        let apart = attention(&copies[0], &copies[1], &copies[2], &segments, heads, Mask::Full).unwrap();
        assert_eq!(values(&inside.y), values(&apart.y));
        assert_eq!(values(&inside.log_sum), values(&apart.log_sum));
    }

    /// Feeds a sequence to a cache in the given pieces, among other rows, and compares with one pass.
    fn check_cache(pieces: &[usize], kind: CacheType, tolerance: f64) {
        let (n, layers) = (pieces.iter().sum::<usize>(), 2);
        let [q, k, v] = inputs(n, HEADS);
        let expected = exact(&wide(&q), &wide(&k), &wide(&v), &one_segment(n), HEADS, Mask::Causal);
        let (blocks, block_tokens) = (2 * n.div_ceil(8) + 2, 8);
        let mut cache = KvCache::new(layers, blocks, block_tokens, HEADS.key_value, HEADS.dim, kind);
        // Two sequences in alternating blocks, the second one a copy of the first.
        let tables: [Vec<u32>; 2] =
            std::array::from_fn(|s| (0..n.div_ceil(8) as u32).rev().map(|i| 2 * i + s as u32).collect());
        let mut start = 0;
        for &tokens in pieces {
            let rows: Vec<CacheRow<'_>> =
                tables.iter().map(|blocks| CacheRow { tokens, start, blocks }).collect();
            let [q, k, v] = [&q, &k, &v].map(|t| t.narrow(0, start, tokens).unwrap());
            let [q, k, v] = [q, k, v].map(|t| Tensor::cat(&[&t, &t], 0).unwrap());
            cache.write(1, &rows, &k, &v).unwrap();
            let y = cached_attention(&q, &rows, &cache, 1, HEADS).unwrap();
            let wide = HEADS.query * HEADS.dim;
            let expected = &expected[start * wide..(start + tokens) * wide];
            for copy in 0..2 {
                let y = y.narrow(0, copy * tokens, tokens).unwrap();
                close(&format!("{kind:?} from {start}"), &y, expected, tolerance);
            }
            start += tokens;
        }
    }

    #[test]
    fn cached_attention_equals_one_pass() {
        check_cache(&[1, 1, 1], CacheType::F32, 3e-6);
        check_cache(&[30, 1, 1, 7, 2, 1], CacheType::F32, 3e-6);
        check_cache(&[1300, 1, 40, 1], CacheType::F32, 3e-6);
        check_cache(&[70, 1, 5], CacheType::Bf16, 2e-2);
    }
}

mod ropes {
    use super::*;

    #[test]
    fn sections_and_axes_turn_the_right_pairs() {
        let positions = [[3, 5, 9], [0, 0, 0], [7, 7, 7]];
        let rope = Rope::multimodal(&positions, [2, 1, 1], 8, 100.0);
        let x = noise(1, 3, 16);
        let mut turned = zeros(&x);
        add_rows(&mut turned, &[0, 1, 2], &x).unwrap();
        rope.apply(&mut turned).unwrap();
        let axes = [0, 0, 1, 2];
        let (from, to) = (x.to_vec2::<f32>().unwrap(), turned.to_vec2::<f32>().unwrap());
        for (i, position) in positions.iter().enumerate() {
            for head in 0..2 {
                for j in 0..4 {
                    let angle = f64::from(position[axes[j]]) * 100f64.powf(-(j as f64) / 4.0);
                    let (a, b) = (f64::from(from[i][head * 8 + j]), f64::from(from[i][head * 8 + j + 4]));
                    let low = a * angle.cos() - b * angle.sin();
                    let high = b * angle.cos() + a * angle.sin();
                    assert!((f64::from(to[i][head * 8 + j]) - low).abs() < 1e-6);
                    assert!((f64::from(to[i][head * 8 + j + 4]) - high).abs() < 1e-6);
                }
            }
        }
        rope.apply_inverse(&mut turned).unwrap();
        close("inverse", &turned, &wide(&x), 1e-6);
    }

    #[test]
    fn text_positions_make_one_rope() {
        let x = noise(1, 4, 24);
        let turned = |rope: Rope| {
            let mut copy = add(&x, &zeros(&x)).unwrap();
            rope.apply(&mut copy).unwrap();
            values(&copy)
        };
        let one = turned(Rope::sequence(&[0, 1, 5, 40], 24, 1e6));
        let three = turned(Rope::multimodal(&[[0; 3], [1; 3], [5; 3], [40; 3]], [4, 4, 4], 24, 1e6));
        assert_eq!(one, three);
    }

    #[test]
    fn vision_gives_each_axis_half_of_the_pairs() {
        let rope = Rope::vision(&[[2, 3]], 8, 10_000.0);
        let x = vec![1f32, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0];
        let mut x = Tensor::from_vec(x, (1, 8), &Device::Cpu).unwrap();
        rope.apply(&mut x).unwrap();
        let angles = [2.0, 2.0 / 100.0, 3.0, 3.0 / 100.0f64];
        let expected: Vec<f64> =
            angles.iter().map(|a| a.cos()).chain(angles.iter().map(|a| a.sin())).collect();
        close("vision", &x, &expected, 1e-6);
    }

    #[test]
    fn a_part_of_a_fused_projection_turns_alone() {
        let fused = noise(1, 2, 12);
        let before = values(&fused);
        Rope::sequence(&[1, 2], 4, 10.0).apply(&mut fused.narrow(1, 4, 4).unwrap()).unwrap();
        let after = values(&fused);
        for (i, (before, after)) in before.iter().zip(&after).enumerate() {
            assert_eq!(before == after, !(4..8).contains(&(i % 12)), "{i}");
        }
    }
}

mod losses {
    use super::*;

    fn exact(hidden: &[f64], head: &[f64], width: usize, targets: &[LossRow]) -> f64 {
        targets
            .iter()
            .map(|target| {
                let x = &hidden[target.row * width..][..width];
                let logits: Vec<f64> =
                    head.chunks(width).map(|w| x.iter().zip(w).map(|(x, w)| x * w).sum()).collect();
                let total: f64 = logits.iter().map(|v: &f64| v.exp()).sum();
                f64::from(target.weight) * (total.ln() - logits[target.target as usize])
            })
            .sum()
    }

    #[test]
    fn loss_and_its_slopes() {
        let (n, width, vocabulary) = (9, 7, 40);
        let (hidden, w) = (noise(1, n, width), (noise(2, vocabulary, width) * 2.0).unwrap());
        let head = Linear::new(Weight::F32(values(&w).into()), None, vocabulary, width).unwrap();
        // More targets than a chunk holds, rows repeated and some left out.
        let targets: Vec<LossRow> = (0..300)
            .map(|i| LossRow { row: i % 7, target: (i * 13 % 40) as u32, weight: 0.01 + i as f32 * 1e-4 })
            .collect();
        let mut grad = zeros(&w);
        let Scores { logs, dhidden, .. } =
            cross_entropy(&hidden, &head, &targets, None, Some(&mut grad)).unwrap();
        let terms = logs.iter().zip(&targets).map(|(log, t)| -f64::from(*log) * f64::from(t.weight));
        let loss: f64 = terms.sum();
        assert!((loss - exact(&wide(&hidden), &wide(&w), width, &targets)).abs() < 1e-5, "{loss}");
        let one = Tensor::ones((1,), candle_core::DType::F32, &Device::Cpu).unwrap();
        close(
            "dhidden",
            &dhidden,
            &slope(&hidden, &one, |h| vec![exact(h, &wide(&w), width, &targets)]),
            1e-5,
        );
        close("dhead", &grad, &slope(&w, &one, |w| vec![exact(&wide(&hidden), w, width, &targets)]), 1e-5);
        assert_eq!(log_probabilities(&hidden, &head, &targets).unwrap(), logs);
    }

    #[test]
    fn embeddings_gather_and_scatter() {
        let table = noise(1, 6, 4);
        let bf16: Vec<half::bf16> = values(&table).into_iter().map(half::bf16::from_f32).collect();
        for (weight, tolerance) in
            [(Weight::F32(values(&table).into()), 0.0), (Weight::Bf16(bf16.into()), 4e-3)]
        {
            let embedding = Embedding::new(weight, 6, 4).unwrap();
            let rows = embedding.forward(&[5, 0, 5]).unwrap();
            close("rows", &rows, &wide(&gather_rows(&table, &[5, 0, 5]).unwrap()), tolerance);
            let mut grad = zeros(&table);
            embedding.backward(&[5, 0, 5], &noise(2, 3, 4), &mut grad).unwrap();
            let mut expected = zeros(&table);
            add_rows(&mut expected, &[5, 0, 5], &noise(2, 3, 4)).unwrap();
            assert_eq!(values(&grad), values(&expected));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_pieces_fill_a_cache_alike(pieces in proptest::collection::vec(1usize..40, 1..6)) {
        let heads = Heads { query: 4, key_value: 2, dim: 8 };
        let n: usize = pieces.iter().sum();
        let (q, k, v) = (noise(1, n, 32), noise(2, n, 16), noise(3, n, 16));
        let whole = attention(&q, &k, &v, &one_segment(n), heads, Mask::Causal).unwrap();
        let mut cache = KvCache::new(1, n.div_ceil(4), 4, 2, 8, CacheType::F32);
        let blocks: Vec<u32> = (0..n.div_ceil(4) as u32).collect();
        let mut start = 0;
        for tokens in pieces {
            let rows = [CacheRow { tokens, start, blocks: &blocks }];
            let [q, k, v] = [&q, &k, &v].map(|t| t.narrow(0, start, tokens).unwrap());
            cache.write(0, &rows, &k, &v).unwrap();
            let y = cached_attention(&q, &rows, &cache, 0, heads).unwrap();
            close("piece", &y, &wide(&whole.y.narrow(0, start, tokens).unwrap()), 3e-6);
            start += tokens;
        }
    }
}
