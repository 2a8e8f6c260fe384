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
