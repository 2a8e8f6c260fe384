//! Our half of the training cases: whole steps, forward to update, of the shipped trainer's parts.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use firsthand_base::{Digest, ModelInput, Patches, VisionItem, VisionKind};
use firsthand_model::layers::LossRow;
use firsthand_model::{Dtype, Example, LoadOptions, Model, Precision, Training};
use firsthand_train::optimizer::{AdamW, Move, Optimizer, with_slice};
use serde_json::{Value, json};

use crate::ours::peak_gib;

/// A model and what moves it.
struct Trainer {
    model: Model,
    keys: Vec<String>,
    optimizer: Optimizer,
    matmul: Precision,
}

impl Trainer {
    fn open(model: &str, matmul: &str) -> Result<Trainer> {
        let options = LoadOptions { dtype: Dtype::F32, ..LoadOptions::default() };
        let model = Model::load(Path::new(model), &options)?;
        let keys = model.parameters().into_iter().map(|parameter| parameter.key).collect();
        let optimizer = Optimizer::new(AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 });
        let matmul = if matmul == "bf16" { Precision::Bf16 } else { Precision::F32 };
        Ok(Trainer { model, keys, optimizer, matmul })
    }

    /// One step; the loss before it.
    fn step(&mut self, examples: &[Example<'_>], training: &Training<'_>) -> Result<f64> {
        let (loss, gradients) = self.model.loss_and_gradients(examples, training)?;
        self.optimizer.begin_step();
        for key in self.keys.iter().filter(|key| gradients.contains_key(*key)) {
            with_slice(&gradients[key], |gradient| {
                let how = Move { rate: 1e-3, decay: 0.01, scale: 1.0 };
                self.model.edit(key, &mut |weights| {
                    self.optimizer.update(key, how, weights, gradient);
                    Ok(())
                })
            })??;
        }
        Ok(loss.total)
    }
}

/// Tokens that look random and are the same on both sides.
fn token(at: usize) -> u32 {
    (((at as u64).wrapping_mul(2_654_435_761) % (1 << 32)) >> 16) as u32 % 2000
}

fn text(from: usize, len: usize) -> ModelInput {
    let ids = (from..from + len).map(token).collect();
    ModelInput { ids, positions: (0..len as i32).map(|at| [at; 3]).collect(), vision: Vec::new() }
}

/// Every token from the one before it.
fn next(input: &ModelInput, from: usize, weight: f32) -> Vec<LossRow> {
    (from.max(1)..input.ids.len()).map(|at| LossRow { row: at - 1, target: input.ids[at], weight }).collect()
}

/// 16 sequences of 256 tokens, as peer.py has them.
pub(crate) fn train(model: &str, matmul: &str, count: usize) -> Result<Value> {
    let mut trainer = Trainer::open(model, matmul)?;
    let inputs: Vec<_> = (0..16).map(|row| text(row * 256, 256)).collect();
    let targets: Vec<_> = inputs.iter().map(|input| next(input, 0, 1.0 / (16.0 * 255.0))).collect();
    let examples: Vec<_> =
        inputs.iter().zip(&targets).map(|(input, targets)| Example { input, targets }).collect();
    let training = Training { matmul: trainer.matmul, ..Training::new(&|_| true) };
    let (mut seconds, mut losses) = (Vec::new(), Vec::new());
    for _ in 0..count + 2 {
        let start = Instant::now();
        losses.push(trainer.step(&examples, &training)?);
        seconds.push(start.elapsed().as_secs_f64());
    }
    Ok(json!({ "step": seconds[2..], "losses": losses, "peak_mib": [peak_gib()? * 1024.0] }))
}

/// 8 clips of 8 frames with 4 questions each: 48 features for each pair of frames, then 40 to 120 tokens of which
/// the last half is learned. Features are known, as they are while the tower is frozen. Counts tokens of the
/// sequences as they would be without sharing.
pub(crate) fn packs(model: &str, matmul: &str) -> Result<Value> {
    const FEATURES: usize = 4 * 48;
    let mut trainer = Trainer::open(model, matmul)?;
    let clip = |clip: usize| VisionItem {
        kind: VisionKind::Video,
        grid: [4, 12, 16],
        patches: Arc::default(),
        key: Digest([clip as u8; 32]),
        span: 8..8 + FEATURES,
    };
    let encoded = VisionItem {
        patches: Arc::new(Patches::of_values(&[0.5; 4 * 12 * 16 * 3 * 2 * 14 * 14], 2 * 14 * 14)),
        ..clip(0)
    };
    let features = trainer.model.features(&encoded)?;
    let known = |_: &Digest| Some(features.clone());
    let inputs: Vec<_> = (0..32)
        .map(|row| {
            let mut input = text(0, 8 + FEATURES);
            let question = text(1000 * row, 40 + 80 * (row % 4) / 3);
            input.ids.extend(question.ids);
            input.positions = (0..input.ids.len() as i32).map(|at| [at; 3]).collect();
            input.vision = vec![clip(row / 4)];
            input
        })
        .collect();
    let learned = |input: &ModelInput| 8 + FEATURES + (input.ids.len() - 8 - FEATURES) / 2;
    let count: usize = inputs.iter().map(|input| input.ids.len() - learned(input)).sum();
    let targets: Vec<_> =
        inputs.iter().map(|input| next(input, learned(input), 1.0 / count as f32)).collect();
    let examples: Vec<_> =
        inputs.iter().zip(&targets).map(|(input, targets)| Example { input, targets }).collect();
    let tokens: usize = inputs.iter().map(|input| input.ids.len()).sum();
    let mut report = json!({ "tokens": tokens });
    for (name, share_prefix) in [("alone", false), ("shared", true)] {
        let wanted = |key: &str| !key.contains("visual.");
        let training = Training {
            features: Some(&known),
            share_prefix,
            matmul: trainer.matmul,
            ..Training::new(&wanted)
        };
        let mut seconds = Vec::new();
        for _ in 0..5 {
            let start = Instant::now();
            trainer.step(&examples, &training)?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        report[format!("{name}_tokens_per_s")] = json!((tokens as f64 / seconds[2]).round());
        report[format!("{name}_s")] = json!(seconds[2]);
    }
    report["peak_mib"] = json!(peak_gib()? * 1024.0);
    Ok(report)
}
