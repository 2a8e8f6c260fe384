//! Attention: masks, slopes, and caches against whole sequences.

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
                let score =
                    |j: usize| (0..dim).map(|d| q[at + d] * k[kv(j) + d]).sum::<f64>() / (dim as f64).sqrt();
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

/// However a sequence came into a cache, and without one: the same bits, past the ends of spans too.
#[test]
fn one_order_has_one_result() {
    let heads = Heads { query: 6, key_value: 2, dim: 20 };
    let n = 1045;
    let (q, k, v) = (noise(1, n, 120), noise(2, n, 40), noise(3, n, 40));
    let blocks: Vec<u32> = (0..n.div_ceil(16) as u32).rev().collect();
    let bits = |y: &Tensor| -> Vec<u32> { values(y).iter().map(|value| value.to_bits()).collect() };
    let cached = |pieces: &mut dyn Iterator<Item = usize>| {
        let mut cache = KvCache::new(1, blocks.len(), 16, 2, 20, CacheType::F32);
        let (mut start, mut all) = (0, Vec::new());
        while start < n {
            let tokens = pieces.next().unwrap().min(n - start);
            let rows = [CacheRow { tokens, start, blocks: &blocks }];
            let [q, k, v] = [&q, &k, &v].map(|t| t.narrow(0, start, tokens).unwrap());
            cache.write(0, &rows, &k, &v).unwrap();
            all.extend(bits(&cached_attention(&q, &rows, &cache, 0, heads).unwrap()));
            start += tokens;
        }
        all
    };
    Order::One.scope(|| {
        let single = cached(&mut std::iter::repeat(1));
        let whole = attention(&q, &k, &v, &one_segment(n), heads, Mask::Causal).unwrap();
        assert!(single == bits(&whole.y), "without a cache");
        assert!(single == cached(&mut std::iter::once(n)), "at once");
        assert!(single == cached(&mut [3, 17, 500, 1].into_iter().cycle()), "in pieces");
    });
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
