//! Parameters listed, read, changed and saved: what is saved loads as the same model, a tied table stays one.

use firsthand_base::ModelInput;
use firsthand_golden::{FAMILIES, Fixture, checkpoint};

use super::{flat, input, load, load_as};
use crate::training::{Example, Training, next_tokens};
use crate::{Dtype, LoadOptions, Model, ModelError, Part, Quantize};

fn prompt(family: &str) -> ModelInput {
    let case = if family == "qwen2" { "turns" } else { "mixed" };
    input(family, &Fixture::open(family, case), "")
}

/// A checkpoint folder with the configuration of `family` and no weights.
fn folder(family: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs_err::copy(checkpoint(family).join("config.json"), dir.path().join("config.json")).unwrap();
    dir
}

fn reload(dir: &tempfile::TempDir) -> Model {
    Model::load(dir.path(), &LoadOptions::default()).unwrap()
}

#[test]
fn parameters_are_those_that_have_gradients() {
    for family in FAMILIES {
        let (model, input) = (load(family), prompt(family));
        let targets = next_tokens(&input.ids, 1..input.ids.len());
        let examples = [Example { input: &input, targets: &targets }];
        let (_, gradients) = model.loss_and_gradients(&examples, &Training::new(&|_| true)).unwrap();
        let parameters = model.parameters();
        let mut keys: Vec<_> = parameters.iter().map(|parameter| parameter.key.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(keys, gradients.keys().collect::<Vec<_>>(), "{family}");
        for parameter in &parameters {
            let numbers = parameter.shape.iter().product::<usize>();
            assert_eq!(numbers, gradients[&parameter.key].elem_count(), "{}", parameter.key);
            assert_eq!(numbers, model.read(&parameter.key).unwrap().len(), "{}", parameter.key);
        }
        let count = |part: Part| parameters.iter().filter(|parameter| parameter.part == part).count();
        assert_eq!(count(Part::Vision) > 0, family != "qwen2");
        assert!(
            count(Part::Merger) == if family == "qwen2" { 0 } else { 5 + usize::from(family == "qwen2_vl") }
        );
        assert!(count(Part::Language) > 20);
    }
}

#[test]
fn a_saved_model_loads_as_itself() {
    for family in FAMILIES {
        let (mut model, input) = (load(family), prompt(family));
        let before = flat(&model.logits(&input).unwrap());
        for parameter in model.parameters() {
            model
                .edit(&parameter.key, &mut |values| {
                    values.iter_mut().for_each(|value| *value *= 1.01);
                    Ok(())
                })
                .unwrap();
        }
        let after = flat(&model.logits(&input).unwrap());
        assert_ne!(before, after);
        let dir = folder(family);
        let path = dir.path().join("model.safetensors");
        model.save_weights(&path, Dtype::Auto).unwrap();
        let saved = reload(&dir);
        assert_eq!(flat(&saved.logits(&input).unwrap()), after, "{family}");
        assert_eq!(saved.parameters(), model.parameters());
        // In bf16 it is what rounding makes of it; over a file that is mapped.
        saved.save_weights(&path, Dtype::Bf16).unwrap();
        let rounded = reload(&dir);
        let key = "model.layers.1.mlp.up_proj.weight";
        let expected: Vec<f32> =
            model.read(key).unwrap().into_iter().map(|v| half::bf16::from_f32(v).to_f32()).collect();
        assert_eq!(rounded.read(key).unwrap(), expected);
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 2, "a draft was left");
    }
}

#[test]
fn a_tied_table_is_one_parameter() {
    // A head that is stored, and equal to the table, is tied where the configuration says so.
    let (dir, mut untied) = (folder("qwen2"), load("qwen2"));
    let config = fs_err::read_to_string(dir.path().join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["tie_word_embeddings"] = true.into();
    fs_err::write(dir.path().join("config.json"), config.to_string()).unwrap();
    untied.set("lm_head.weight", &untied.read("model.embed_tokens.weight").unwrap()).unwrap();
    untied.save_weights(&dir.path().join("model.safetensors"), Dtype::Auto).unwrap();
    let mut model = reload(&dir);
    let keys: Vec<_> = model.parameters().into_iter().map(|parameter| parameter.key).collect();
    assert!(!keys.iter().any(|key| key.starts_with("lm_head")));
    let input = prompt("qwen2");
    let before = flat(&model.logits(&input).unwrap());
    let table = "model.embed_tokens.weight";
    let doubled: Vec<f32> = model.read(table).unwrap().into_iter().map(|value| 2.0 * value).collect();
    model.set(table, &doubled).unwrap();
    model
        .edit(table, &mut |values| {
            assert_eq!(values, doubled);
            Ok(())
        })
        .unwrap();
    // The first norm takes the table's scale out, the head does not.
    let after = flat(&model.logits(&input).unwrap());
    assert!(before.iter().zip(&after).any(|(a, b)| (b - a).abs() > 0.1));
    model.save_weights(&dir.path().join("model.safetensors"), Dtype::Auto).unwrap();
    assert_eq!(flat(&reload(&dir).logits(&input).unwrap()), after);
}

#[test]
fn changes_that_cannot_be_made_are_refused() {
    let refused = |result: Result<(), ModelError>, part: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(part) && !error.contains('\n'), "{error}");
    };
    let key = "model.layers.0.mlp.up_proj.weight";
    let mut model = load("qwen2");
    refused(model.edit("model.nothing", &mut |_| Ok(())), "no parameter model.nothing");
    refused(model.set(key, &[1.0]), "got 1");
    refused(model.save_weights("/nonexistent/folder/file".as_ref(), Dtype::Auto), "/nonexistent/folder");
    let mut rounded = load_as("qwen2", Dtype::Bf16);
    refused(rounded.edit(key, &mut |_| Ok(())), "dtype f32");
    let third = vec![1.0 / 3.0; rounded.read(key).unwrap().len()];
    rounded.set(key, &third).unwrap();
    assert_eq!(rounded.read(key).unwrap()[7], half::bf16::from_f32(1.0 / 3.0).to_f32());
    let dir = tempfile::tempdir().unwrap();
    super::made::checkpoint(dir.path());
    let options = LoadOptions { quantize: Some(Quantize::Q8_0), ..LoadOptions::default() };
    let mut quantised = Model::load(dir.path(), &options).unwrap();
    refused(quantised.edit(key, &mut |_| Ok(())), "without quantising");
    refused(quantised.save_weights(&dir.path().join("out.safetensors"), Dtype::Auto), "without quantising");
}
