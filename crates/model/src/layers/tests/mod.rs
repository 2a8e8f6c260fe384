//! Layers against plain f64 loops, backward passes against finite differences, caches against whole sequences.

mod heads;
mod linears;
mod losses;
mod norms;
mod pointwise;
mod ropes;

use std::ops::Range;

use candle_core::{Device, Tensor};
use proptest::prelude::*;

use super::*;
use crate::backend::cpu::simd::{Level, level};
use crate::backend::{Order, Precision};

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
