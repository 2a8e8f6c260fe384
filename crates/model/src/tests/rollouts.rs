//! The log-probabilities of sampled tokens equal, to the bit, what a pass over the whole sequence gives for them:
//! whatever ran beside them, however the prompt was cut into chunks, whichever blocks they shared.

use std::collections::BTreeMap;

use firsthand_base::{ModelInput, SamplingOptions, StopRules};
use firsthand_engine::{Engine, EngineOptions, Event};
use firsthand_golden::{FAMILIES, Fixture};

use super::{input, load};
use crate::layers::{CacheType, LossRow};
use crate::training::{Example, Training};
use crate::{CacheOptions, Model, ModelRunner, Order, Precision};

/// Prompts of a family with their completions and log-probabilities, sampled together.
fn sampled(model: &Model, family: &str, step_tokens: usize) -> Vec<(ModelInput, Vec<u32>, Vec<f32>)> {
    let cases = if family == "qwen2" { ["text", "turns"] } else { ["image", "mixed"] };
    let mut prompts: Vec<_> =
        cases.iter().map(|case| input(family, &Fixture::open(family, case), "")).collect();
    // Items of different fixtures have the same keys.
    prompts[1].vision.iter_mut().for_each(|item| item.key.0[0] += 100);
    let cache = CacheOptions { block_tokens: 16, tokens: 8192, kind: CacheType::F32 };
    let options = EngineOptions { step_tokens, max_sequences: 12, ..EngineOptions::default() };
    let mut engine = Engine::new(ModelRunner::new(model, cache), options).unwrap();
    let mut rollouts = BTreeMap::new();
    for seed in 0..6 {
        let prompt = &prompts[seed as usize % 2];
        let sampling = SamplingOptions { temperature: 1.0, seed, ..SamplingOptions::default() };
        // Some end early, so that the last ones run alone.
        let stop = StopRules { max_tokens: 8 + 9 * seed as usize, ..StopRules::default() };
        let id = engine.submit(prompt.clone(), &sampling, &stop).unwrap();
        rollouts.insert(id, (prompt.clone(), Vec::new(), Vec::new()));
    }
    while !engine.is_idle() {
        for event in engine.step() {
            match event {
                Event::Token { sequence, id, logprob, .. } => {
                    let (_, ids, logs) = rollouts.get_mut(&sequence).unwrap();
                    ids.push(id);
                    logs.push(logprob);
                }
                Event::Finished { .. } => {}
                Event::Failed { error, .. } => panic!("{error}"),
            }
        }
    }
    rollouts.into_values().collect()
}

#[test]
fn what_was_sampled_is_what_is_trained() {
    for family in FAMILIES {
        let model = load(family);
        for (precision, step_tokens) in [(Precision::F32, 2048), (Precision::Bf16, 40)] {
            let rollouts = precision.scope(|| Order::One.scope(|| sampled(&model, family, step_tokens)));
            let whole: Vec<(ModelInput, Vec<LossRow>)> = rollouts
                .iter()
                .map(|(prompt, ids, _)| {
                    let (mut input, next) = (prompt.clone(), prompt.next_position());
                    let row = |(i, &target)| LossRow { row: prompt.ids.len() - 1 + i, target, weight: 0.1 };
                    let targets = ids.iter().enumerate().map(row).collect();
                    // The last token is only a target.
                    input.ids.extend(&ids[..ids.len() - 1]);
                    input.positions.extend((0..ids.len() as i32 - 1).map(|i| [next + i; 3]));
                    (input, targets)
                })
                .collect();
            let examples: Vec<_> = whole.iter().map(|(input, targets)| Example { input, targets }).collect();
            let expected: Vec<f32> = rollouts.iter().flat_map(|(_, _, logs)| logs).copied().collect();
            for share_prefix in [false, true] {
                let wanted = |key: &str| key == "model.norm.weight";
                let plain = Training::new(&wanted);
                let training = Training { share_prefix, matmul: precision, order: Order::One, ..plain };
                let logs = model.log_probabilities(&examples, &training).unwrap();
                assert_eq!(logs, expected, "{family} {precision:?}, shared {share_prefix}");
                let (loss, _) = model.loss_and_gradients(&examples, &training).unwrap();
                assert_eq!(loss.logs, expected, "{family} {precision:?}, with gradients");
                let fast = Training { order: Order::Fastest, ..training };
                let near = model.log_probabilities(&examples, &fast).unwrap();
                let bound = if precision == Precision::F32 { 1e-4 } else { 0.5 };
                let far = near.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(far < bound, "{family} {precision:?}: the fastest order is {far} off");
            }
        }
    }
}
