//! Cross-entropy of rows of logits, and its gradient in their place.
#![allow(unsafe_code)]

use super::attention::softmax;
use super::simd::{self, Level, simd};
use super::threads::{self, Shared};
use crate::layers::LossRow;

/// Each target's log-probability. The rows of logits, `vocabulary` long, become the loss's gradient.
pub(crate) fn gradients(logits: &mut [f32], vocabulary: usize, targets: &[LossRow]) -> Vec<f32> {
    let mut logs = vec![0f32; targets.len()];
    let shared = Shared::new(&mut logs);
    threads::for_pieces(logits, vocabulary, |i, row| {
        let (level, LossRow { target, weight, .. }) = (simd::level(), targets[i]);
        // SAFETY: each row is one task.
        unsafe { shared.piece(i, 1)[0] = score(level, row, target) };
        let (_, sum) = softmax(level, row, vocabulary, 1.0);
        scale(level, row, weight / sum);
        row[target as usize] -= weight;
    });
    logs
}

/// As [`gradients`], of a loss that also counts, by `shares`, each row's distance `Σ p ln(p / q)` to the row of `other`
/// logits beside it. Gives log-probabilities and distances.
pub(crate) fn gradients_with_distances(
    logits: &mut [f32],
    other: &[f32],
    vocabulary: usize,
    targets: &[LossRow],
    shares: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let (mut logs, mut far) = (vec![0f32; targets.len()], vec![0f32; targets.len()]);
    let (shared_logs, shared_far) = (Shared::new(&mut logs), Shared::new(&mut far));
    threads::for_pieces(logits, vocabulary, |i, row| {
        let (level, LossRow { target, weight, .. }) = (simd::level(), targets[i]);
        let beside = &other[i * vocabulary..][..vocabulary];
        let log = score(level, row, target);
        let (sums, distance) = distance(level, row, beside);
        slopes(level, row, beside, sums, (weight, shares[i], distance));
        row[target as usize] -= weight;
        // SAFETY: each row is one task.
        unsafe { (shared_logs.piece(i, 1)[0], shared_far.piece(i, 1)[0]) = (log, distance) };
    });
    (logs, far)
}

/// `Σ p ln(p / q)` of each row of logits and the row of `other` beside it.
pub(crate) fn distances(logits: &[f32], other: &[f32], vocabulary: usize) -> Vec<f32> {
    let mut far = vec![0f32; logits.len() / vocabulary];
    threads::for_pieces(&mut far, 1, |i, far| {
        let row = |of: &[f32]| i * vocabulary..(i * vocabulary + vocabulary).min(of.len());
        far[0] = distance(simd::level(), &logits[row(logits)], &other[row(other)]).1;
    });
    far
}

/// What logits of both rows exceed their log-probabilities by, and their distance.
fn distance(level: Level, row: &[f32], other: &[f32]) -> ([f32; 2], f32) {
    let [own, others] = [row, other].map(|row| {
        let (max, sum) = max_and_sum(level, row);
        max + sum.ln()
    });
    ([own, others], divergence(level, row, other, [own, others]))
}

/// Each target's log-probability.
pub(crate) fn log_probabilities(logits: &[f32], vocabulary: usize, targets: &[LossRow]) -> Vec<f32> {
    let mut logs = vec![0f32; targets.len()];
    threads::for_pieces(&mut logs, 1, |i, log| {
        log[0] = score(simd::level(), &logits[i * vocabulary..][..vocabulary], targets[i].target);
    });
    logs
}

/// The log-probability of a target under a row of logits.
pub(crate) fn score(level: Level, row: &[f32], target: u32) -> f32 {
    let (max, sum) = max_and_sum(level, row);
    row[target as usize] - max - sum.ln()
}

simd! {
    fn max_and_sum(row: &[f32]) -> (f32, f32) {
        let mut lanes = [f32::NEG_INFINITY; 32];
        for chunk in row.chunks(32) {
            lanes.iter_mut().zip(chunk).for_each(|(lane, &value)| *lane = lane.max(value));
        }
        let max = lanes.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        (max, super::math::sum(row, row, |value, _| super::math::exp(value - max)))
    }
}

simd! {
    fn scale(row: &mut [f32], by: f32) {
        row.iter_mut().for_each(|value| *value *= by);
    }
}

simd! {
    fn divergence(row: &[f32], other: &[f32], sums: [f32; 2]) -> f32 {
        super::math::sum(row, other, |own, other| {
            let log = own - sums[0];
            super::math::exp(log) * (log - (other - sums[1]))
        })
    }
}

simd! {
    /// The gradient at the logits of `row`, but for the target's own: of `weight` cross-entropies and `share` distances.
    fn slopes(row: &mut [f32], other: &[f32], sums: [f32; 2], by: (f32, f32, f32)) {
        let (weight, share, distance) = by;
        row.iter_mut().zip(other).for_each(|(own, other)| {
            let log = *own - sums[0];
            *own = super::math::exp(log) * (weight + share * (log - (other - sums[1]) - distance));
        });
    }
}
