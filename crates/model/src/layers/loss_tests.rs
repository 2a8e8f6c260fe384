//! A loss with distances over the whole vocabulary against torch, over full matrices of logits.

use candle_core::{Device, Tensor};
use serde::Deserialize;

use super::*;
use crate::layers::Weight;

#[derive(Deserialize)]
struct Golden {
    hidden: Vec<f32>,
    head: Vec<f32>,
    other_hidden: Vec<f32>,
    other_head: Vec<f32>,
    rows: Vec<usize>,
    targets: Vec<u32>,
    weights: Vec<f32>,
    shares: Vec<f32>,
    vocabulary: usize,
    loss: f64,
    logs: Vec<f32>,
    distances: Vec<f32>,
    dhidden: Vec<f32>,
    dhead: Vec<f32>,
}

#[track_caller]
fn near(what: &str, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let far = actual.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let most = expected.iter().map(|x| x.abs()).fold(1e-6, f32::max);
    assert!(far <= 2e-6 * most.max(1.0), "{what}: {far} off");
    println!("{what}: {far:.1e} off, of at most {most:.1e}");
}

#[test]
fn distances_over_the_whole_vocabulary_equal_torch() {
    let text = fs_err::read_to_string(firsthand_golden::root().join("distance.json")).unwrap();
    let g: Golden = serde_json::from_str(&text).unwrap();
    let linear = |weight: &[f32]| {
        let width = weight.len() / g.vocabulary;
        Linear::new(Weight::F32(weight.to_vec().into()), None, g.vocabulary, width).unwrap()
    };
    let (head, other) = (linear(&g.head), linear(&g.other_head));
    let width = head.inputs();
    let hidden = Tensor::from_vec(g.hidden.clone(), (g.hidden.len() / width, width), &Device::Cpu).unwrap();
    let rows = g.rows.iter().zip(&g.targets).zip(&g.weights);
    let targets: Vec<LossRow> =
        rows.map(|((&row, &target), &weight)| LossRow { row, target, weight }).collect();
    assert!(targets.len() > 2 * CHUNK / 2, "several pieces");
    let beside = Beside { head: &other, hidden: &g.other_hidden, shares: &g.shares };
    let mut dhead = Tensor::zeros((g.vocabulary, width), candle_core::DType::F32, &Device::Cpu).unwrap();
    let found = cross_entropy(&hidden, &head, &targets, Some(&beside), Some(&mut dhead)).unwrap();
    near("logs", &found.logs, &g.logs);
    near("distances", &found.distances, &g.distances);
    let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    near("dhidden", &flat(&found.dhidden), &g.dhidden);
    near("dhead", &flat(&dhead), &g.dhead);
    let terms = targets.iter().zip(&found.logs).map(|(t, log)| -f64::from(t.weight) * f64::from(*log));
    let far = g.shares.iter().zip(&found.distances).map(|(s, far)| f64::from(*s) * f64::from(*far));
    let loss = terms.sum::<f64>() + far.sum::<f64>();
    assert!((loss - g.loss).abs() < 2e-6, "{loss}, not {}", g.loss);
    assert_eq!(distances(&hidden, &head, &targets, &beside).unwrap(), found.distances);
    assert_eq!(log_probabilities(&hidden, &head, &targets).unwrap(), found.logs, "the same bits");
}

#[test]
fn a_model_is_at_no_distance_from_itself() {
    let weight: Vec<f32> = (0..40 * 8).map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0).collect();
    let head = Linear::new(Weight::F32(weight.into()), None, 40, 8).unwrap();
    let hidden: Vec<f32> = (0..3 * 8).map(|i| (i as f32 * 0.7).sin()).collect();
    let targets: Vec<_> = (0..3).map(|row| LossRow { row, target: row as u32, weight: 0.0 }).collect();
    let beside = Beside { head: &head, hidden: &hidden, shares: &[1.0; 3] };
    let states = Tensor::from_vec(hidden.clone(), (3, 8), &Device::Cpu).unwrap();
    let found = cross_entropy(&states, &head, &targets, Some(&beside), None).unwrap();
    assert_eq!(found.distances, [0.0; 3]);
    assert_eq!(found.dhidden.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap(), 0.0);
}
