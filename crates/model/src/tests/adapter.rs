//! Adapters: a fresh one changes nothing, a merged one computes what it did beside the weights, its slopes are
//! those of the loss, and folders of PEFT come and go unchanged or are refused.

use firsthand_base::ModelInput;
use firsthand_golden::Fixture;

use super::{flat, input, load};
use crate::training::{Example, Loss, Training, next_tokens};
use crate::{AdapterConfig, Dtype, Model, ModelError};

const FAMILY: &str = "qwen2_5_vl";

fn prompt() -> ModelInput {
    input(FAMILY, &Fixture::open(FAMILY, "mixed"), "")
}

/// A model with an adapter on decoder and tower whose second matrices are not zero.
fn adapted() -> Model {
    let mut model = load(FAMILY);
    let config = AdapterConfig::new(4, 8.0, &["q_proj", "v_proj", "down_proj", "qkv"]);
    model.add_adapter(&config, 7).unwrap();
    let b: Vec<_> = keys(&model).into_iter().filter(|key| key.ends_with(".lora_B.weight")).collect();
    for (i, key) in b.iter().enumerate() {
        model
            .edit(key, &mut |values| {
                values.iter_mut().enumerate().for_each(|(j, v)| *v = ((i + 7 * j) % 11) as f32 * 0.01 - 0.05);
                Ok(())
            })
            .unwrap();
    }
    model
}

fn keys(model: &Model) -> Vec<String> {
    let parameters = model.parameters().into_iter().map(|parameter| parameter.key);
    parameters.filter(|key| key.contains(".lora_")).collect()
}

fn near(actual: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(actual.len(), expected.len());
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= tolerance * e.abs().max(1.0), "{a} instead of {e} at {i}");
    }
}

#[test]
fn a_fresh_adapter_changes_nothing() {
    let (mut model, input) = (load(FAMILY), prompt());
    let before = flat(&model.logits(&input).unwrap());
    model.add_adapter(&AdapterConfig::new(8, 16.0, &["o_proj", "gate_proj"]), 1).unwrap();
    assert_eq!(flat(&model.logits(&input).unwrap()), before);
    let keys = keys(&model);
    assert_eq!(keys.len(), 2 * (2 * 2 + 4));
    assert!(keys.iter().any(|key| key.contains("visual.")));
    let shapes = model.parameters();
    let a = shapes.iter().find(|p| p.key == "model.layers.0.self_attn.o_proj.lora_A.weight").unwrap();
    assert_eq!(a.shape, [8, 64]);
    assert!(model.read(&a.key).unwrap().iter().all(|v| v.abs() <= 0.125));
}

#[test]
fn merging_computes_the_same_and_so_does_a_saved_folder() {
    let (model, input) = (adapted(), prompt());
    let expected = flat(&model.logits(&input).unwrap());
    assert_ne!(expected, flat(&load(FAMILY).logits(&input).unwrap()));
    // Its weights without the adapter are those it was made of.
    let dir = tempfile::tempdir().unwrap();
    model.save_weights(&dir.path().join("model.safetensors"), Dtype::Auto).unwrap();
    model.save_adapter(dir.path(), "some/base").unwrap();
    let mut other = load(FAMILY);
    other.load_adapter(dir.path()).unwrap();
    assert_eq!(other.adapter().unwrap().rank, 4);
    assert_eq!(flat(&other.logits(&input).unwrap()), expected);
    for mut merged in [model, other] {
        merged.merge().unwrap();
        assert!(keys(&merged).is_empty() && merged.adapter().is_none());
        near(&flat(&merged.logits(&input).unwrap()), &expected, 1e-4);
    }
}

#[test]
fn slopes_of_an_adapter_follow_the_merged_weight() {
    let (mut model, input) = (adapted(), prompt());
    let targets = next_tokens(&input.ids, 20..input.ids.len());
    let examples = [Example { input: &input, targets: &targets }];
    let only = Training::new(&|key| key.contains(".lora_"));
    let (Loss { total: loss, .. }, gradients) = model.loss_and_gradients(&examples, &only).unwrap();
    assert_eq!(gradients.len(), keys(&model).len(), "the weights under an adapter cost nothing");
    for layer in
        ["model.layers.0.self_attn.v_proj", "model.layers.1.mlp.down_proj", "visual.blocks.1.attn.qkv"]
    {
        // A step along the gradient changes the loss by its squared length.
        for part in [".lora_A.weight", ".lora_B.weight"] {
            let key = format!("{layer}{part}");
            let slope = flat(&gradients[&key]);
            let length: f32 = slope.iter().map(|v| v * v).sum();
            let step = 2e-3 / length.sqrt();
            let mut moved = |sign: f32| {
                let add = |values: &mut [f32], sign: f32| {
                    values.iter_mut().zip(&slope).for_each(|(v, s)| *v += sign * step * s);
                    Ok::<(), ModelError>(())
                };
                model.edit(&key, &mut |values| add(values, sign)).unwrap();
                let loss: f64 = {
                    let logs = model.log_probabilities(&examples, &Training::new(&|_| true)).unwrap();
                    logs.iter().zip(&targets).map(|(log, row)| -f64::from(log * row.weight)).sum()
                };
                model.edit(&key, &mut |values| add(values, -sign)).unwrap();
                loss
            };
            let (above, below) = (moved(1.0), moved(-1.0));
            let (found, expected) = (above - below, 2.0 * f64::from(step * length));
            assert!(
                (found - expected).abs() <= 0.05 * expected,
                "{key}: {found} instead of {expected} of {loss}"
            );
        }
    }
}

#[test]
fn what_is_not_supported_is_refused() {
    let check = |field: &str, value: serde_json::Value, part: &str| {
        let dir = tempfile::tempdir().unwrap();
        adapted().save_adapter(dir.path(), "base").unwrap();
        let path = dir.path().join("adapter_config.json");
        let mut config: serde_json::Value =
            serde_json::from_str(&fs_err::read_to_string(&path).unwrap()).unwrap();
        config[field] = value;
        fs_err::write(&path, config.to_string()).unwrap();
        let error = load(FAMILY).load_adapter(dir.path()).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("adapter_") && !error.contains('\n'), "{error}");
    };
    check("use_dora", true.into(), "use_dora");
    check("use_rslora", true.into(), "use_rslora");
    check("rank_pattern", serde_json::json!({"q_proj": 2}), "rank_pattern");
    check("modules_to_save", serde_json::json!(["lm_head"]), "modules_to_save");
    check("bias", "all".into(), "bias");
    check("peft_type", "LOHA".into(), "LOHA");
    check("init_lora_weights", "pissa".into(), "pissa");
    check("r", 5.into(), "expected [5, ");
    check("r", 0.into(), "between 1 and 4096");
    check("lora_alpha", serde_json::Value::Null, "lora_alpha");

    // Tensors that peft writes beside those of matrices.
    let beside = |name: &str, part: &str| {
        let dir = tempfile::tempdir().unwrap();
        adapted().save_adapter(dir.path(), "base").unwrap();
        let path = dir.path().join("adapter_model.safetensors");
        let bytes = fs_err::read(&path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors = file.tensors();
        let (_, one) = tensors[0].clone();
        tensors.push((name.to_owned(), one));
        let written = safetensors::serialize(tensors, None).unwrap();
        fs_err::write(&path, written).unwrap();
        let error = load(FAMILY).load_adapter(dir.path()).unwrap_err().to_string();
        assert!(error.contains(part) && !error.contains('\n'), "{name}: {error}");
    };
    let merge = "adapters of embeddings and of the output head are not supported; merge it into its checkpoint with peft";
    beside("base_model.model.model.embed_tokens.base_layer.weight", merge);
    beside("base_model.model.model.embed_tokens.lora_embedding_A", merge);
    beside("base_model.model.lm_head.lora_A.weight", merge);
    beside("base_model.model.model.layers.99.mlp.up_proj.lora_A.weight", "has no matrix in this checkpoint");

    let mut model = adapted();
    let again = model.add_adapter(&AdapterConfig::new(4, 8.0, &["q_proj"]), 1).unwrap_err().to_string();
    assert!(again.contains("merge it first"), "{again}");
    let nothing =
        load(FAMILY).add_adapter(&AdapterConfig::new(4, 8.0, &["proj_q"]), 1).unwrap_err().to_string();
    assert!(nothing.contains("proj_q"), "{nothing}");
    assert!(load(FAMILY).merge().is_err());
    assert!(
        load(FAMILY).load_adapter("/nonexistent".as_ref()).unwrap_err().to_string().contains("/nonexistent")
    );

    // Dropped inputs change training, not answers.
    let (dir, input) = (tempfile::tempdir().unwrap(), prompt());
    let config = AdapterConfig { dropout: 0.05, ..AdapterConfig::new(2, 2.0, &["q_proj"]) };
    let mut model = load(FAMILY);
    model.add_adapter(&config, 1).unwrap();
    model.save_adapter(dir.path(), "base").unwrap();
    let mut model = load(FAMILY);
    model.load_adapter(dir.path()).unwrap();
    assert!(model.logits(&input).is_ok());
    let targets = next_tokens(&input.ids, 20..input.ids.len());
    let examples = [Example { input: &input, targets: &targets }];
    let error = model.loss_and_gradients(&examples, &Training::new(&|_| true)).unwrap_err().to_string();
    assert!(error.contains("lora_dropout 0.05"), "{error}");
}
