//! f32 weights to the block formats Q8_0 and Q4_K, byte for byte the layout the tensor library reads. Its own
//! quantiser gives the same numbers ten times slower, which a 7B checkpoint feels at every start.
#![allow(unsafe_code)] // the expansion of simd!

use half::f16;

use crate::backend::cpu::simd::simd;

/// Weights of a Q8_0 block.
const Q8_0: usize = 32;
/// Bytes of a Q8_0 block: scale f16, 32 signed bytes.
const Q8_0_BYTES: usize = 34;
/// Weights of a Q4_K block: 8 groups of 32.
const Q4_K: usize = 256;
/// Bytes of a Q4_K block: two f16, 8 pairs of 6-bit scale and offset, 128 bytes of two weights each.
const Q4_K_BYTES: usize = 144;
const GROUP: usize = 32;
/// Groups fitted side by side, one per vector lane: two blocks.
const LANES: usize = 16;
/// Rounds of fitting scale and offset to the rounded weights and rounding again.
const ROUNDS: usize = 5;

simd! {
    /// `weight ≈ scale * byte`, scale = largest magnitude / 127.
    pub(crate) fn q8_0(values: &[f32], out: &mut [u8]) {
        for (x, block) in values.chunks_exact(Q8_0).zip(out.chunks_exact_mut(Q8_0_BYTES)) {
            let largest = x.iter().fold(0f32, |largest, value| largest.max(value.abs()));
            let scale = largest / 127.0;
            let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            block[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
            for (byte, value) in block[2..].iter_mut().zip(x) {
                *byte = (value * inverse + WHOLE).to_bits() as u8;
            }
        }
    }
}

/// Added to a small number it rounds it to a whole one, whose low bits are then the sum's. A cast to integer would
/// keep the compiler from using vectors.
const WHOLE: f32 = 12_582_912.0;

/// Scale and offset of groups, `weight ≈ scale * q - offset` with q in 0..=15; both are at least 0.
struct Fit {
    scales: [f32; LANES],
    offsets: [f32; LANES],
}

/// Alternates between rounding to the grid and fitting the grid by least squares, for 16 groups at once.
/// `x[i][lane]` is weight i of a group.
#[inline(always)]
fn fit(x: &[[f32; LANES]; GROUP]) -> Fit {
    let (mut low, mut high, mut sum) = ([0f32; LANES], [f32::MIN; LANES], [0f32; LANES]);
    for row in x {
        for lane in 0..LANES {
            low[lane] = low[lane].min(row[lane]);
            high[lane] = high[lane].max(row[lane]);
            sum[lane] += row[lane];
        }
    }
    let mut scales = [0f32; LANES];
    for lane in 0..LANES {
        scales[lane] = (high[lane] - low[lane]) / 15.0;
    }
    for _ in 0..ROUNDS {
        let (mut sum_q, mut sum_qq, mut sum_xq) = ([0f32; LANES], [0f32; LANES], [0f32; LANES]);
        let mut inverses = [0f32; LANES];
        for lane in 0..LANES {
            inverses[lane] = if scales[lane] > 0.0 { 1.0 / scales[lane] } else { 0.0 };
        }
        for row in x {
            for lane in 0..LANES {
                let q = nearest((row[lane] - low[lane]) * inverses[lane]) - WHOLE;
                sum_q[lane] += q;
                sum_qq[lane] += q * q;
                sum_xq[lane] += row[lane] * q;
            }
        }
        for lane in 0..LANES {
            let above = sum_xq[lane] - low[lane] * sum_q[lane];
            scales[lane] = if sum_qq[lane] > 0.0 { (above / sum_qq[lane]).max(0.0) } else { 0.0 };
            low[lane] = ((sum[lane] - scales[lane] * sum_q[lane]) / GROUP as f32).min(0.0);
        }
    }
    Fit { scales, offsets: low.map(|low| -low) }
}

/// The nearest of 0..=15, plus [`WHOLE`].
#[inline(always)]
fn nearest(value: f32) -> f32 {
    value.clamp(0.0, 15.0) + WHOLE
}

/// 6 bits of `value / largest`.
#[inline(always)]
fn sixth(value: f32, largest: f32) -> u8 {
    if largest > 0.0 { (63.0 / largest * value + 0.5) as u8 } else { 0 }
}

/// One block from its weights and the fit of its groups, `lane..lane + 8`.
#[inline(always)]
fn write_q4_k(x: &[f32], fit: &Fit, lane: usize, block: &mut [u8]) {
    let (scales, offsets) = (&fit.scales[lane..lane + 8], &fit.offsets[lane..lane + 8]);
    let largest = |all: &[f32]| all.iter().fold(0f32, |largest, &value| largest.max(value));
    let (largest_scale, largest_offset) = (largest(scales), largest(offsets));
    let (d, d_offset) = (f16::from_f32(largest_scale / 63.0), f16::from_f32(largest_offset / 63.0));
    block.fill(0);
    block[..2].copy_from_slice(&d.to_le_bytes());
    block[2..4].copy_from_slice(&d_offset.to_le_bytes());
    let (packed, nibbles) = block[4..].split_at_mut(12);
    for group in 0..8 {
        let (scale, offset) = (sixth(scales[group], largest_scale), sixth(offsets[group], largest_offset));
        if group < 4 {
            packed[group] |= scale;
            packed[group + 4] |= offset;
        } else {
            // The upper two bits go above the first four groups' six.
            packed[group + 4] = scale & 15 | (offset & 15) << 4;
            packed[group - 4] |= scale >> 4 << 6;
            packed[group] |= offset >> 4 << 6;
        }
        let step = d.to_f32() * f32::from(scale);
        let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
        let shift = d_offset.to_f32() * f32::from(offset);
        // Two neighbouring groups share bytes: the even one has the low halves.
        let bytes = &mut nibbles[group / 2 * GROUP..][..GROUP];
        for (byte, value) in bytes.iter_mut().zip(&x[group * GROUP..][..GROUP]) {
            *byte |= (nearest((value + shift) * inverse).to_bits() as u8 & 15) << (group % 2 * 4);
        }
    }
}

simd! {
    /// `weight ≈ d * scale * q - d_offset * offset`, q of 4 bits, scale and offset of 6.
    pub(crate) fn q4_k(values: &[f32], out: &mut [u8]) {
        let pairs = values.chunks(2 * Q4_K).zip(out.chunks_mut(2 * Q4_K_BYTES));
        for (x, blocks) in pairs {
            let mut turned = [[0f32; LANES]; GROUP];
            for (lane, group) in x.chunks_exact(GROUP).enumerate() {
                for i in 0..GROUP {
                    turned[i][lane] = group[i];
                }
            }
            let fit = fit(&turned);
            for (at, (x, block)) in x.chunks_exact(Q4_K).zip(blocks.chunks_exact_mut(Q4_K_BYTES)).enumerate() {
                write_q4_k(x, &fit, 8 * at, block);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::quantized::{GgmlDType, QStorage, QTensor};
    use candle_core::{Device, Tensor};

    use super::*;
    use crate::backend::cpu::simd::levels;

    fn squared_error(values: &[f32], tensor: &QTensor) -> f64 {
        let back: Vec<f32> =
            tensor.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        values.iter().zip(back).map(|(a, b)| f64::from(a - b) * f64::from(a - b)).sum()
    }

    fn check(format: GgmlDType, values: &[f32]) -> (f64, f64) {
        let source = Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap();
        let theirs = QTensor::quantize(&source, format).unwrap();
        let mut worst = 0f64;
        for level in levels() {
            let mut bytes = vec![0u8; theirs.storage_size_in_bytes()];
            match format {
                GgmlDType::Q8_0 => q8_0(level, values, &mut bytes),
                _ => q4_k(level, values, &mut bytes),
            }
            let storage = QStorage::from_data(bytes.into(), &Device::Cpu, format).unwrap();
            worst = worst.max(squared_error(values, &QTensor::new(storage, values.len()).unwrap()));
        }
        (worst, squared_error(values, &theirs))
    }

    /// Bell-shaped weights of very different size from block to block.
    fn weights(blocks: usize) -> Vec<f32> {
        let mut state = 7u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        (0..blocks * Q4_K)
            .map(|i| (0..4).map(|_| uniform()).sum::<f32>() * 10f32.powi((i / Q4_K % 5) as i32 - 3))
            .collect()
    }

    #[test]
    fn blocks_are_as_near_as_the_librarys_own() {
        for format in [GgmlDType::Q8_0, GgmlDType::Q4K] {
            for blocks in [1, 7, 40] {
                let (ours, theirs) = check(format, &weights(blocks));
                assert!(
                    ours <= 1.01 * theirs && ours > 0.0,
                    "{format:?} {blocks}: {ours} instead of {theirs}"
                );
            }
        }
    }

    #[test]
    fn a_block_of_equal_weights_keeps_them() {
        for value in [0.0f32, 0.25, -0.25, 1e-3] {
            for format in [GgmlDType::Q8_0, GgmlDType::Q4K] {
                let (ours, _) = check(format, &[value; Q4_K]);
                let size = f64::from(value) * f64::from(value) * Q4_K as f64;
                assert!(ours <= 1e-3 * size, "{format:?} {value}: {ours} of {size}");
            }
        }
    }
}
