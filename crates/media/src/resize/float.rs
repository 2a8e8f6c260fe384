//! torchvision v1 `resize` of a uint8 tensor: float32 bicubic with antialias, width first, float32 between the
//! passes, clamped and rounded half to even at the end. Bit for bit what torch's x86 kernel computes.
//!
//! The order of roundings was read off the kernel's results with unit impulses and random rows: weights use fused
//! multiply-adds; a sum of `n` products rounds the first `1 + 4 * ((n - 1) / 4)` products before adding them and
//! fuses the rest (the compiler's four-wide multiply and its scalar remainder).

use pulp::Arch;
use rayon::prelude::*;

use super::{Taps, widen};
use crate::Picture;

const A: f32 = -0.5;
/// Samples of one output row that are summed together, so that the sums stay in registers.
const BLOCK: usize = 64;

pub(super) fn resize(picture: &Picture, [height, width]: [usize; 2]) -> Picture {
    let arch = Arch::new();
    let across = arch.dispatch(|| taps(picture.width, width));
    let down = arch.dispatch(|| taps(picture.height, height));
    let mut middle = vec![0f32; picture.height * width * 3];
    middle
        .par_chunks_mut(width * 3)
        .zip(picture.rgb.par_chunks(picture.width * 3))
        .for_each_init(Vec::new, |lanes, (target, source)| {
            arch.dispatch(|| horizontal(source, lanes, &across, target))
        });
    let mut rgb = vec![0u8; height * width * 3];
    rgb.par_chunks_mut(width * 3)
        .zip(&down)
        .for_each(|(target, taps)| arch.dispatch(|| vertical(&middle, taps, target)));
    Picture::new(height, width, rgb)
}

/// `((A + 2) x - (A + 3)) x² + 1` below 1, `((A x - 5 A) x + 8 A) x - 4 A` below 2.
#[inline(always)]
fn cubic(x: f32) -> f32 {
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0).mul_add(x, -(A + 3.0)) * x).mul_add(x, 1.0)
    } else if x < 2.0 {
        A.mul_add(x, -5.0 * A).mul_add(x, 8.0 * A).mul_add(x, -4.0 * A)
    } else {
        0.0
    }
}

#[inline(always)]
fn taps(from: usize, to: usize) -> Vec<Taps<f32>> {
    let scale = from as f32 / to as f32;
    let (support, inverse) = if scale >= 1.0 { (2.0 * scale, 1.0 / scale) } else { (2.0, 1.0) };
    (0..to)
        .map(|i| {
            let center = (f64::from(scale) * (i as f64 + 0.5)) as f32;
            let first = (f64::from(center - support) + 0.5).max(0.0) as usize;
            let last = ((f64::from(center + support) + 0.5) as usize).min(from);
            let mut weights: Vec<f32> = (first..last)
                .map(|j| cubic(((f64::from(j as f32 - center) + 0.5) * f64::from(inverse)) as f32))
                .collect();
            let total: f32 = weights.iter().fold(0.0, |sum, w| sum + w);
            if total != 0.0 {
                weights.iter_mut().for_each(|w| *w /= total);
            }
            Taps { first, weights }
        })
        .collect()
}

/// How many products are rounded before they are added.
#[inline(always)]
fn rounded_products(taps: usize) -> usize {
    (1 + (taps - 1) / 4 * 4).min(taps)
}

#[inline(always)]
fn horizontal(source: &[u8], lanes: &mut Vec<[f32; 4]>, across: &[Taps<f32>], target: &mut [f32]) {
    widen(source, lanes, f32::from);
    for (taps, out) in across.iter().zip(target.chunks_exact_mut(3)) {
        let pixels = &lanes[taps.first..taps.first + taps.weights.len()];
        let split = rounded_products(taps.weights.len());
        let mut sum = [0f32; 4];
        for (pixel, &weight) in pixels[..split].iter().zip(&taps.weights[..split]) {
            for c in 0..4 {
                sum[c] += pixel[c] * weight;
            }
        }
        for (pixel, &weight) in pixels[split..].iter().zip(&taps.weights[split..]) {
            for c in 0..4 {
                sum[c] = pixel[c].mul_add(weight, sum[c]);
            }
        }
        out.copy_from_slice(&sum[..3]);
    }
}

#[inline(always)]
fn vertical(middle: &[f32], taps: &Taps<f32>, target: &mut [u8]) {
    let stride = target.len();
    let split = rounded_products(taps.weights.len());
    for (block, out) in target.chunks_mut(BLOCK).enumerate() {
        let mut sum = [0f32; BLOCK];
        for (j, &weight) in taps.weights.iter().enumerate() {
            let start = (taps.first + j) * stride + block * BLOCK;
            let row = &middle[start..start + out.len()];
            if j < split {
                sum.iter_mut().zip(row).for_each(|(s, &x)| *s += x * weight);
            } else {
                sum.iter_mut().zip(row).for_each(|(s, &x)| *s = x.mul_add(weight, *s));
            }
        }
        for (byte, &value) in out.iter_mut().zip(&sum) {
            *byte = round(value);
        }
    }
}

/// Clamped to a byte and rounded half to even: adding 2^23 leaves the rounded integer in the low mantissa bits.
#[inline(always)]
fn round(value: f32) -> u8 {
    (value.clamp(0.0, 255.0) + 8_388_608.0).to_bits() as u8
}
