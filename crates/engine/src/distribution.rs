//! Arithmetic over one row of logits, fast enough for a vocabulary of 152 thousand at every token: the largest, the
//! softmax denominator, and the few likeliest tokens without sorting the rest.

/// Independent accumulators, so that the loops below become vector code on any target.
const LANES: usize = 16;

/// What one pass over the logits tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) max: f32,
    /// Lowest id that has `max`.
    pub(crate) argmax: u32,
    /// Whether another id has it too.
    pub(crate) tied: bool,
}

/// One of the likeliest tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) id: u32,
    /// Score before the softmax.
    pub(crate) score: f32,
    /// `exp(score - max)`.
    pub(crate) weight: f64,
}

/// The largest logit, or what is wrong with them. Minus infinity is a token that cannot come.
pub(crate) fn summarise(logits: &[f32]) -> Result<Summary, &'static str> {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let mut broken = [false; LANES];
    let (chunks, rest) = logits.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = if chunk[i] > lanes[i] { chunk[i] } else { lanes[i] };
            broken[i] |= chunk[i].is_nan();
        }
    }
    let max = lanes.into_iter().chain(rest.iter().copied()).fold(f32::NEG_INFINITY, f32::max);
    if broken.contains(&true) || rest.iter().any(|x| x.is_nan()) {
        return Err("not a number");
    }
    if max == f32::INFINITY {
        return Err("infinite");
    }
    if max == f32::NEG_INFINITY {
        return Err("all minus infinity");
    }
    let argmax = logits.iter().position(|&x| x == max).expect("the maximum is one of them");
    let tied = logits[argmax + 1..].contains(&max);
    Ok(Summary { max, argmax: argmax as u32, tied })
}

/// `sum(exp(x - max))`, to about 1e-7 relative.
pub(crate) fn total_from(logits: &[f32], max: f32) -> f64 {
    let mut total = 0.0;
    for part in logits.chunks(1024) {
        let mut lanes = [0f32; LANES];
        let (chunks, rest) = part.as_chunks::<LANES>();
        for chunk in chunks {
            for i in 0..LANES {
                lanes[i] += exp_of_negative(chunk[i] - max);
            }
        }
        for (lane, x) in lanes.iter_mut().zip(rest) {
            *lane += exp_of_negative(x - max);
        }
        total += lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>();
    }
    total
}

/// `exp(x)` for x <= 0 in f32, without a branch: 2^n times a polynomial on half a binary order. Below -87 it is 0.
#[inline(always)]
fn exp_of_negative(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer
    const LN2_HIGH: f32 = 0.693_359_4; // a short mantissa, so that n * LN2_HIGH is exact
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let inside = if x > -87.0 { x } else { -87.0 };
    let shifted = inside * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (inside - n * LN2_HIGH) - n * LN2_LOW;
    // Taylor: |r| <= 0.347, so the first omitted term is below 6e-9.
    let mut p = 1.0 / 5040.0;
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + c;
    }
    let power = f32::from_bits(((n as i32 + 127) << 23) as u32);
    if x > -87.0 { p * power } else { 0.0 }
}

/// Every token that scores at least as much as the k-th likeliest, likeliest first. Minus infinity never counts.
pub(crate) fn largest(scores: &[f32], max: f32, k: usize) -> Vec<Candidate> {
    let mut kept: Vec<(f32, u32)> = Vec::new();
    let mut threshold = f32::NEG_INFINITY;
    let mut room = 2 * k + 256;
    let raise = |kept: &mut Vec<(f32, u32)>| {
        let (_, kth, _) = kept.select_nth_unstable_by(k - 1, |a, b| b.0.total_cmp(&a.0));
        let threshold = kth.0;
        kept.retain(|entry| entry.0 >= threshold);
        threshold
    };
    for (i, part) in scores.chunks(LANES).enumerate() {
        // Most chunks hold nothing: one vector comparison passes over them.
        if !part.iter().fold(false, |any, &score| any | (score >= threshold)) {
            continue;
        }
        for (j, &score) in part.iter().enumerate() {
            if score >= threshold && score > f32::NEG_INFINITY {
                kept.push((score, (i * LANES + j) as u32));
            }
        }
        if kept.len() >= room {
            threshold = raise(&mut kept);
            room = room.max(2 * kept.len());
        }
    }
    if kept.len() > k {
        raise(&mut kept);
    }
    sorted(kept, max)
}

/// Every token that scores at least `threshold`, likeliest first. Minus infinity never counts.
pub(crate) fn at_least(scores: &[f32], max: f32, threshold: f32) -> Vec<Candidate> {
    let listed =
        scores.iter().enumerate().filter(|&(_, &score)| score >= threshold && score > f32::NEG_INFINITY);
    sorted(listed.map(|(id, &score)| (score, id as u32)).collect(), max)
}

/// Likeliest first; among equals the larger id first, which is what a stable ascending sort, read from its end,
/// leaves in transformers' top-p.
fn sorted(mut kept: Vec<(f32, u32)>, max: f32) -> Vec<Candidate> {
    kept.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
    kept.into_iter()
        .map(|(score, id)| Candidate { id, score, weight: f64::from(score - max).exp() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_exponential_is_within_three_units_in_the_last_place() {
        for i in 0..200_000 {
            let x = -(i as f32) * 0.000_45;
            let exact = f64::from(x).exp();
            let got = f64::from(exp_of_negative(x));
            if x > -87.0 {
                assert!((got / exact - 1.0).abs() < 3.6e-7, "exp({x}) = {exact}, got {got}");
            } else {
                assert_eq!(got, 0.0);
            }
        }
        assert_eq!(exp_of_negative(0.0), 1.0);
        assert_eq!(exp_of_negative(f32::NEG_INFINITY), 0.0);
    }

    fn noise(n: usize) -> Vec<f32> {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / 16_777_216.0
        };
        (0..n).map(|_| (next() * next() * 30.0 * 8.0).round() / 8.0 - 12.0).collect()
    }

    #[test]
    fn the_likeliest_are_those_a_full_sort_finds() {
        for n in [1, 2, 15, 16, 17, 1000, 5003] {
            let scores = noise(n);
            let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(b.cmp(&a)));
            for k in [1, 2, 7, 50, n / 2, n] {
                if k == 0 || k > n {
                    continue;
                }
                let kth = scores[order[k - 1]];
                let expected: Vec<u32> =
                    order.iter().filter(|&&i| scores[i] >= kth).map(|&i| i as u32).collect();
                let got: Vec<u32> = largest(&scores, max, k).iter().map(|candidate| candidate.id).collect();
                assert_eq!(got, expected, "{k} of {n}");
                let by_threshold: Vec<u32> = at_least(&scores, max, kth).iter().map(|c| c.id).collect();
                assert_eq!(by_threshold, expected);
            }
            let exact: f64 = scores.iter().map(|&x| f64::from(x - max).exp()).sum();
            assert!((total_from(&scores, max) / exact - 1.0).abs() < 5e-7);
            let summary = summarise(&scores).expect("finite");
            assert_eq!(scores.iter().position(|&x| x == max), Some(summary.argmax as usize));
            assert_eq!(scores.iter().filter(|&&x| x == max).count() > 1, summary.tied);
        }
    }

    #[test]
    fn broken_logits_are_named() {
        let mut cases =
            vec![(vec![f32::NEG_INFINITY; 40], "all minus infinity"), (vec![], "all minus infinity")];
        for at in [0, 20, 39] {
            for (value, what) in [(f32::NAN, "not a number"), (f32::INFINITY, "infinite")] {
                let mut logits = vec![0.5; 40];
                logits[at] = value;
                cases.push((logits, what));
            }
        }
        for (logits, what) in cases {
            assert_eq!(summarise(&logits), Err(what));
        }
    }
}
