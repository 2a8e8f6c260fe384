//! The ladder: patch embedding, vision blocks, features, merged embeddings, text blocks, logits, greedy ids, loss,
//! gradients. The first red rung names the broken stage.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use firsthand_base::{ModelInput, VisionKind};
use firsthand_golden as reference;
use firsthand_golden::{Fixture, cases};

use super::{flat, input, load, load_as};
use crate::parts::listen;
use crate::training::{Example, Loss, Training, next_tokens};
use crate::{Dtype, LoadOptions, Model};

/// All stages of a forward pass by fixture name, and the logits.
fn stages(model: &Model, input: &ModelInput) -> (BTreeMap<String, Vec<f32>>, Vec<f32>) {
    let found: Rc<RefCell<BTreeMap<String, Vec<f32>>>> = Rc::default();
    // The reference encodes all images in one call and all videos in another; here it is one item at a time.
    let kinds: Vec<VisionKind> = input.vision.iter().map(|item| item.kind).collect();
    let (sink, mut item) = (found.clone(), 0);
    let listener = move |name: &str, tensor: &candle_core::Tensor| {
        let mut key = name.to_owned();
        if !name.starts_with("text.") {
            let kind = if kinds[item] == VisionKind::Image { "image" } else { "video" };
            key = format!("{kind}.{name}");
            item += usize::from(name == "features");
        }
        sink.borrow_mut().entry(key).or_default().extend(flat(tensor));
    };
    let logits = listen(listener, || model.logits(input).unwrap());
    let stages = found.borrow().clone();
    (stages, flat(&logits))
}

fn climb(model: &Model, family: &str, case: &str) {
    let fixture = Fixture::open(family, case);
    let (found, logits) = stages(model, &input(family, &fixture, ""));
    let order = ["image.", "video.", "text.embeds", "text.block", "text.norm"];
    let mut compared = 0;
    for prefix in order {
        for (stage, values) in found.iter().filter(|(stage, _)| stage.starts_with(prefix)) {
            fixture.check(stage, values).unwrap_or_else(|error| panic!("{case}: {error}"));
            compared += 1;
        }
    }
    let expected = fixture.names().filter(|name| {
        order.iter().any(|prefix| name.starts_with(prefix))
            && !name.ends_with(".rows")
            && !name.contains("_grid")
    });
    assert_eq!(compared, expected.count(), "{family} {case}: a stage was not compared");
    let found = fixture.check("logits", &logits).unwrap_or_else(|error| panic!("{case}: {error}"));
    println!("{family} {case}: logits differ by at most {:.1e}", found.max_abs);
}

#[test]
fn every_stage_equals_the_reference() {
    for family in reference::FAMILIES {
        let model = load(family);
        for case in cases(family).iter().filter(|case| **case != "batch") {
            climb(&model, family, case);
        }
    }
}

#[test]
fn every_published_layout_computes_the_same() {
    for family in ["qwen2_vl", "qwen2_5_vl"] {
        let (saved, nested) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        reference::saved_checkpoint(family, saved.path());
        reference::variant_checkpoint(&format!("{family}_nested"), nested.path());
        for dir in [saved, nested] {
            let options = LoadOptions { dtype: Dtype::F32, ..LoadOptions::default() };
            climb(&Model::load(dir.path(), &options).unwrap(), family, "mixed");
        }
    }
}

#[test]
fn bf16_weights_stay_near_the_reference() {
    for family in reference::FAMILIES {
        let model = load_as(family, Dtype::Bf16);
        let case = if family == "qwen2" { "turns" } else { "mixed" };
        let fixture = Fixture::open(family, case);
        let (_, logits) = stages(&model, &input(family, &fixture, ""));
        fixture.check_in(reference::Dtype::Bf16, "logits", &logits).unwrap();
    }
}

#[test]
fn batch_rows_equal_the_reference() {
    for family in reference::FAMILIES {
        let (model, fixture) = (load(family), Fixture::open(family, "batch"));
        let rows = (0..).take_while(|row| fixture.has(&format!("row.{row}.input_ids"))).count();
        assert!(rows > 1);
        let mut inputs: Vec<_> =
            (0..rows).map(|row| input(family, &fixture, &format!("row.{row}."))).collect();
        for (row, input) in inputs.iter_mut().enumerate() {
            // Equal keys would mean equal features.
            input.vision.iter_mut().for_each(|item| item.key.0[30] = row as u8);
        }
        let logits = model.logits_batch(&inputs.iter().collect::<Vec<_>>()).unwrap();
        for (row, logits) in logits.iter().enumerate() {
            let logits = flat(logits);
            fixture.check(&format!("row.{row}.logits"), &logits).unwrap();
            let kept = fixture.rows(&format!("row.{row}.logits")).unwrap();
            let width = fixture.shape(&format!("row.{row}.logits"))[1];
            let kept: Vec<f32> =
                kept.iter().flat_map(|at| &logits[at * width..(at + 1) * width]).copied().collect();
            let in_batch = fixture.f32(&format!("row.{row}.logits_in_batch"));
            reference::close("logits", &kept, &in_batch).unwrap();
        }
    }
}

#[test]
fn loss_and_gradients_equal_the_reference() {
    for (family, case) in [("qwen2", "turns"), ("qwen2_vl", "mixed"), ("qwen2_5_vl", "mixed")] {
        let (model, fixture) = (load(family), Fixture::open(family, "gradients"));
        let input = input(family, &Fixture::open(family, case), "");
        let targets = next_tokens(&input.ids, fixture.i64("loss_from")[0] as usize..input.ids.len());
        let examples = [Example { input: &input, targets: &targets }];
        let all = Training::new(&|_| true);
        let (Loss { total: loss, .. }, gradients) = model.loss_and_gradients(&examples, &all).unwrap();
        reference::close("loss", &[loss as f32], &fixture.f32("loss")).unwrap();
        let (mut worst, mut names) = (0f64, Vec::new());
        for key in fixture.parameters() {
            let gradient = gradients.get(key).unwrap_or_else(|| panic!("{family}: no gradient of {key}"));
            worst = worst.max(fixture.check_gradient(key, &flat(gradient)).unwrap().relative);
            names.push(key.to_owned());
        }
        assert_eq!(gradients.into_keys().collect::<Vec<_>>(), names);
        println!("{family}: worst relative gradient error {worst:.1e}");
    }
}
