//! Ways to compute a gradient that must not change it: what examples begin with computed once, features computed
//! before, gradients added to, several packs, bf16 products.

use std::collections::BTreeMap;

use candle_core::Tensor;
use firsthand_base::ModelInput;
use firsthand_golden::{FAMILIES, Fixture};

use super::{flat, input, load};
use crate::backend::cpu::simd::{Level, level};
use crate::layers::LossRow;
use crate::training::{Distance, Example, Loss, Training, next_tokens};
use crate::{ModelError, Precision};

/// The input of a family with the most in it, and questions after it: other tokens from some row on.
fn questions(family: &str) -> Vec<ModelInput> {
    let case = if family == "qwen2" { "turns" } else { "mixed" };
    let whole = input(family, &Fixture::open(family, case), "");
    let after = whole.vision.last().map_or(20, |item| item.span.end);
    let cut = |len: usize, shift: u32| {
        let mut input = whole.clone();
        input.ids.truncate(len);
        input.positions.truncate(len);
        input.ids[after..].iter_mut().for_each(|id| *id = (*id + shift) % 300);
        input
    };
    let n = whole.ids.len();
    let mut stranger = cut(n, 0);
    stranger.ids[2] = 5;
    vec![cut(n, 0), cut(n - 2, 11), cut(n, 11), cut(after + 1, 3), stranger]
}

fn targets(inputs: &[ModelInput]) -> Vec<Vec<LossRow>> {
    inputs.iter().map(|input| next_tokens(&input.ids, 10..input.ids.len())).collect()
}

fn examples<'a>(inputs: &'a [ModelInput], targets: &'a [Vec<LossRow>]) -> Vec<Example<'a>> {
    inputs.iter().zip(targets).map(|(input, targets)| Example { input, targets }).collect()
}

/// The difference of two gradients relative to the expected one.
fn difference(actual: &Tensor, expected: &Tensor) -> f64 {
    let square = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>();
    let (actual, expected) = (flat(actual), flat(expected));
    assert_eq!(actual.len(), expected.len());
    let far = square(&mut actual.iter().zip(&expected).map(|(a, e)| a - e));
    (far / square(&mut expected.into_iter()).max(1e-30)).sqrt()
}

/// The largest difference of any parameter's gradient. Key biases are left out: softmax cancels them, so that
/// their gradient is noise.
fn worst(actual: &BTreeMap<String, Tensor>, expected: &BTreeMap<String, Tensor>) -> (f64, String) {
    assert_eq!(actual.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    let differences = expected
        .iter()
        .filter(|(key, _)| !key.ends_with("k_proj.bias"))
        .map(|(key, gradient)| (difference(&actual[key], gradient), key.clone()));
    differences.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
}

/// All gradients as one vector.
fn joined(gradients: &BTreeMap<String, Tensor>) -> Tensor {
    let all: Vec<f32> = gradients.values().flat_map(flat).collect();
    Tensor::new(all, &candle_core::Device::Cpu).unwrap()
}

#[test]
fn a_shared_beginning_changes_nothing() {
    for family in FAMILIES {
        let (model, inputs) = (load(family), questions(family));
        let targets = targets(&inputs);
        let examples = examples(&inputs, &targets);
        for recompute in [false, true] {
            let plain = Training { recompute, ..Training::new(&|_| true) };
            let (Loss { total: loss, .. }, alone) = model.loss_and_gradients(&examples, &plain).unwrap();
            let sharing = Training { share_prefix: true, ..plain };
            let (Loss { total: again, .. }, shared) = model.loss_and_gradients(&examples, &sharing).unwrap();
            assert!((loss - again).abs() <= 1e-5 * loss, "{family}: {loss} {again}");
            let (far, key) = worst(&shared, &alone);
            assert!(far <= 1e-5, "{family}: {key} differs by {far:.1e}");
        }
    }
}

#[test]
fn packs_of_a_batch_add_up_to_gradients_that_were_there() {
    let family = "qwen2_5_vl";
    let (model, inputs) = (load(family), questions(family));
    let targets = targets(&inputs);
    let few = examples(&inputs, &targets);
    // More rows than one pack holds.
    let many: Vec<_> = few.iter().cycle().take(few.len() * 8).copied().collect();
    assert!(many.iter().map(|example| example.input.ids.len()).sum::<usize>() > 2048);
    let training = Training::new(&|_| true);
    let (Loss { total: loss, .. }, mut expected) = model.loss_and_gradients(&few, &training).unwrap();
    for gradient in expected.values_mut() {
        *gradient = (&*gradient * 8.0).unwrap();
    }
    let (Loss { total: many_loss, .. }, at_once) = model.loss_and_gradients(&many, &training).unwrap();
    assert!((many_loss - 8.0 * loss).abs() <= 1e-5 * many_loss);
    let (far, key) = worst(&at_once, &expected);
    assert!(far <= 1e-5, "{key} differs by {far:.1e}");
    let mut summed = BTreeMap::new();
    for _ in 0..8 {
        model.loss_and_gradients_into(&few, &training, &mut summed).unwrap();
    }
    let (far, key) = worst(&summed, &expected);
    assert!(far <= 1e-5, "{key} differs by {far:.1e}");
}

#[test]
fn rows_without_a_target_still_teach_what_is_attended_to() {
    let (model, inputs) = (load("qwen2"), questions("qwen2"));
    let training = Training::new(&|_| true);
    let input = &inputs[0];
    // Every row is scored, all but one with no weight: the same sums with no row left out.
    let last = LossRow { row: 30, target: 7, weight: 1.0 };
    let all: Vec<_> = (0..input.ids.len())
        .map(|row| LossRow { row, weight: if row == 30 { 1.0 } else { 0.0 }, ..last })
        .collect();
    let run =
        |targets: &[LossRow]| model.loss_and_gradients(&[Example { input, targets }], &training).unwrap();
    let ((loss, one), (again, every)) = (run(&[last]), run(&all));
    assert!((loss.total - again.total).abs() <= 1e-6 * loss.total);
    let (far, key) = worst(&one, &every);
    assert!(far <= 1e-5, "{key} differs by {far:.1e}");
    let (nothing, gradients) = run(&[]);
    assert!(nothing.total == 0.0 && gradients.values().flat_map(flat).all(|slope| slope == 0.0));
}

#[test]
fn features_known_before_replace_the_tower() {
    for family in ["qwen2_vl", "qwen2_5_vl"] {
        let (model, mut inputs) = (load(family), questions(family));
        let targets = targets(&inputs);
        let known: BTreeMap<_, _> =
            inputs[0].vision.iter().map(|item| (item.key, model.features(item).unwrap())).collect();
        let decoder = |key: &str| !key.starts_with("visual.");
        let plain = Training::new(&decoder);
        let (Loss { total: loss, .. }, expected) =
            model.loss_and_gradients(&examples(&inputs, &targets), &plain).unwrap();
        // Without patches the tower could not run.
        for item in inputs.iter_mut().flat_map(|input| &mut input.vision) {
            item.patches = std::sync::Arc::default();
        }
        let examples = examples(&inputs, &targets);
        assert!(model.loss_and_gradients(&examples, &plain).is_err());
        let find = |key: &_| known.get(key).cloned();
        let training = Training { features: Some(&find), ..plain };
        let (Loss { total: again, .. }, gradients) = model.loss_and_gradients(&examples, &training).unwrap();
        assert_eq!(loss, again);
        assert_eq!(worst(&gradients, &expected).0, 0.0);
        let short = |key: &_| known.get(key).map(|all| all.narrow(0, 0, 1).unwrap());
        let refused = Training { features: Some(&short), ..plain };
        let error = model.loss_and_gradients(&examples, &refused).unwrap_err();
        assert!(matches!(error, ModelError::Input(ref text) if text.contains("known features")), "{error}");
    }
}

/// The random checkpoints are sharper than trained ones, so that rounding shows more: a language model of usual
/// scales has 1e-2.
#[test]
fn bf16_products_stay_near_f32_ones() {
    for family in FAMILIES {
        let (model, inputs) = (load(family), questions(family));
        let targets = targets(&inputs);
        let examples = examples(&inputs, &targets);
        let exact = Training { share_prefix: true, ..Training::new(&|_| true) };
        let (Loss { total: loss, .. }, expected) = model.loss_and_gradients(&examples, &exact).unwrap();
        let rounded = Training { matmul: Precision::Bf16, ..exact };
        let (Loss { total: near, .. }, gradients) = model.loss_and_gradients(&examples, &rounded).unwrap();
        assert!((loss - near).abs() <= 2e-3 * loss, "{family}: {loss} {near}");
        let (far, key) = worst(&gradients, &expected);
        assert!(far <= 6e-2, "{family}: {key} differs by {far:.1e}");
        let whole = difference(&joined(&gradients), &joined(&expected));
        assert!(whole <= 4e-2, "{family}: gradients differ by {whole:.1e}");
        assert_eq!(whole > 0.0, level() == Level::Avx512Bf16, "{family}: {whole:.1e}");
        println!("{family}: loss {loss} {near}, gradient {whole:.1e}, worst {far:.1e} {key}");
        // The precision ends with the call.
        assert_eq!(worst(&model.loss_and_gradients(&examples, &exact).unwrap().1, &expected).0, 0.0);
    }
}

/// A distance to another model: its gradient is the slope of its value, whatever is shared and however it is packed.
#[test]
fn distances_have_the_slope_of_their_value() {
    const KEY: &str = "model.norm.weight";
    for family in FAMILIES {
        let (mut model, mut reference) = (load(family), load(family));
        for key in ["model.norm.weight", "model.layers.0.mlp.up_proj.weight"] {
            let push = |weights: &mut [f32]| {
                weights.iter_mut().enumerate().for_each(|(i, w)| *w *= 1.0 + 0.3 * (i as f32).sin())
            };
            reference
                .edit(key, &mut |weights| {
                    push(weights);
                    Ok(())
                })
                .unwrap();
        }
        let inputs = questions(family);
        let targets = targets(&inputs);
        let examples = examples(&inputs, &targets);
        let count = targets.iter().map(Vec::len).sum();
        let wanted = |key: &str| key == KEY;
        let plain = Training::new(&wanted);
        let hidden = reference.hidden_states(&examples, &plain).unwrap();
        let shares: Vec<f32> = (0..count).map(|i| 0.01 * (1.0 + (i % 3) as f32)).collect();
        let distance = Distance { reference: Some(&reference), hidden: &hidden, shares: &shares };
        let training = Training { distance: Some(distance), ..plain };
        let (loss, gradients) = model.loss_and_gradients(&examples, &training).unwrap();
        assert_eq!(model.distances(&examples, &training).unwrap(), loss.distances);
        assert!(loss.distances.iter().all(|far| *far > 0.0), "{family}");
        let shared = Training { share_prefix: true, ..training };
        let (again, same) = model.loss_and_gradients(&examples, &shared).unwrap();
        assert!(
            (again.total - loss.total).abs() < 1e-4 * loss.total.abs() && worst(&same, &gradients).0 < 1e-4
        );
        // Central differences along the gradient.
        let slope = flat(&gradients[KEY]);
        let length = slope.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>().sqrt();
        let mut total = |by: f32| {
            let mut step = |by: f32| {
                model
                    .edit(KEY, &mut |w| {
                        w.iter_mut().zip(&slope).for_each(|(w, s)| *w += by * s / length as f32);
                        Ok(())
                    })
                    .unwrap();
            };
            step(by);
            let total = model.loss_and_gradients(&examples, &training).unwrap().0.total;
            let mut back = |by: f32| {
                model
                    .edit(KEY, &mut |w| {
                        w.iter_mut().zip(&slope).for_each(|(w, s)| *w -= by * s / length as f32);
                        Ok(())
                    })
                    .unwrap();
            };
            back(by);
            total
        };
        let difference = (total(2e-2) - total(-2e-2)) / 4e-2;
        assert!((difference - length).abs() < 2e-3 * length, "{family}: {difference}, not {length}");
    }
}

/// Without another model the reference is the model itself beneath its adapter.
#[test]
fn a_distance_to_oneself_is_zero_and_a_wrong_one_is_refused() {
    let model = load("qwen2");
    let inputs = questions("qwen2");
    let targets = targets(&inputs);
    let examples = examples(&inputs, &targets);
    let count = targets.iter().map(Vec::len).sum();
    let wanted = |_: &str| true;
    let plain = Training::new(&wanted);
    let hidden = model.hidden_states(&examples, &plain).unwrap();
    let shares = vec![1.0; count];
    let distance = Distance { reference: None, hidden: &hidden, shares: &shares };
    let far = model.distances(&examples, &Training { distance: Some(distance), ..plain }).unwrap();
    assert!(far.len() == count && far.iter().all(|far| far.abs() < 1e-6), "{far:?}");
    let short = Distance { hidden: &hidden[..hidden.len() / 2], ..distance };
    let error = model.distances(&examples, &Training { distance: Some(short), ..plain }).unwrap_err();
    assert!(error.to_string().contains("take them of the same examples"), "{error}");
}
