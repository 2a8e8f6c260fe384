//! Sums in lanes, exp, sigmoid and the normal distribution in f32, written so that loops over them become vector code inside
//! `simd!`. Relative errors are below 5e-7 where the result is a normal number; NaN stays NaN.
#![allow(clippy::excessive_precision)] // coefficients as published

/// Lanes of a sum.
const LANES: usize = 32;
const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// ln 2 in two parts: the first has trailing zeros, so that its product with a small integer is exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// Adding it rounds a small f32 to an integer, kept in the low bits.
const ROUND: f32 = 12_582_912.0;

/// `e^x`. Saturates at 2.4e38 and 1.2e-38 instead of reaching infinity and zero.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.3, 88.37);
    let shifted = x.mul_add(LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, x));
    // Minimax coefficients of (e^r - 1 - r) / r² for |r| <= ln 2 / 2 (Cephes expf).
    let p = 1.987_569_1e-4f32;
    let p = p.mul_add(r, 1.398_199_9e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_5e-1);
    let p = p.mul_add(r, 5e-1);
    let value = (p * r).mul_add(r, r) + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    value * f32::from_bits(exponent)
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The standard normal distribution function Φ, accurate in the lower tail too.
#[inline(always)]
pub(crate) fn normal(x: f32) -> f32 {
    // erfc(z) = t e^(-z² + p(t)), t = 1 / (1 + z / 2): Numerical Recipes' Chebyshev fit, relative error 1.2e-7.
    let x = x.clamp(-20.0, 20.0);
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / z.mul_add(0.5, 1.0);
    let p = 0.170_872_77f32;
    let p = p.mul_add(t, -0.822_152_23);
    let p = p.mul_add(t, 1.488_515_87);
    let p = p.mul_add(t, -1.135_203_98);
    let p = p.mul_add(t, 0.278_868_07);
    let p = p.mul_add(t, -0.186_288_06);
    let p = p.mul_add(t, 0.096_784_18);
    let p = p.mul_add(t, 0.374_091_96);
    let p = p.mul_add(t, 1.000_023_68);
    let p = p.mul_add(t, -1.265_512_23);
    // What z² and the difference lose in rounding would show multiplied by up to 50.
    let square = 0.5 * x * x;
    let exponent = p - square;
    let taken = exponent - p;
    let lost = (p - (exponent - taken)) - (square + taken) - (0.5 * x).mul_add(x, -square);
    let tail = 0.5 * t * exp(exponent) * (1.0 + lost);
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// The standard normal density.
#[inline(always)]
pub(crate) fn density(x: f32) -> f32 {
    0.398_942_28 * exp(-0.5 * x * x)
}

/// `Σ f(a, b)` in lanes.
#[inline(always)]
pub(crate) fn sum<A: Copy, B: Copy>(a: &[A], b: &[B], f: impl Fn(A, B) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(&a, &b)| f(a, b)).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for l in 0..LANES {
            lanes[l] += f(a[l], b[l]);
        }
    }
    for half in [16, 8, 4, 2, 1] {
        for l in 0..half {
            lanes[l] += lanes[l + half];
        }
    }
    lanes[0] + tail
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::simd::{levels, simd};

    simd! {
        fn apply(function: usize, x: &mut [f32]) {
            match function {
                0 => x.iter_mut().for_each(|x| *x = exp(*x)),
                1 => x.iter_mut().for_each(|x| *x = sigmoid(*x)),
                2 => x.iter_mut().for_each(|x| *x = normal(*x)),
                _ => x.iter_mut().for_each(|x| *x = density(*x)),
            }
        }
    }

    /// Φ by its series around 0, by the continued fraction of its tail further out.
    fn exact_normal(x: f64) -> f64 {
        let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        if x.abs() < 3.0 {
            let (mut term, mut sum, mut k) = (x, x, 1.0);
            while term.abs() > 1e-17 * sum.abs() {
                term *= x * x / (2.0 * k + 1.0);
                sum += term;
                k += 1.0;
            }
            return 0.5 + sum * density;
        }
        let fraction = (1..200).rev().fold(x.abs(), |value, k| x.abs() + f64::from(k) / value);
        let tail = density / fraction;
        if x < 0.0 { tail } else { 1.0 - tail }
    }

    fn check(function: usize, from: f32, to: f32, tolerance: f64, exact: impl Fn(f64) -> f64) {
        let xs: Vec<f32> = (0..100_001).map(|i| from + (to - from) * i as f32 / 1e5).collect();
        for level in levels() {
            let mut actual = xs.clone();
            apply(level, function, &mut actual);
            for (&x, &actual) in xs.iter().zip(&actual) {
                let expected = exact(f64::from(x));
                let error = (f64::from(actual) - expected).abs() / expected;
                assert!(error < tolerance, "{level:?} {function} of {x}: {actual} instead of {expected}");
            }
        }
    }

    #[test]
    fn functions_are_accurate_over_their_range() {
        check(0, -87.0, 88.0, 2e-7, f64::exp);
        check(0, -1.0, 1.0, 2e-7, f64::exp);
        check(1, -80.0, 80.0, 3e-7, |x| 1.0 / (1.0 + (-x).exp()));
        check(2, -10.0, 10.0, 8e-7, exact_normal);
        check(3, -5.0, 5.0, 1e-6, |x| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt());
    }

    #[test]
    fn ends_and_nan_behave() {
        for level in levels() {
            for function in 0..4 {
                let mut x = [f32::NAN, f32::NEG_INFINITY, f32::INFINITY];
                apply(level, function, &mut x);
                assert!(x[0].is_nan(), "{level:?} {function}");
                assert!(x[1] < 2e-38 && x[1] >= 0.0, "{level:?} {function} {}", x[1]);
                let top = [2e38f32, 1.0, 1.0, 0.0][function];
                assert!(
                    (x[2] - top).abs() <= 0.5e38 * f32::from(function == 0) + 1e-30,
                    "{level:?} {function} {}",
                    x[2]
                );
            }
        }
    }
}
