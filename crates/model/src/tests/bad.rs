//! Broken checkpoints and inputs: each a one-line error that names the file and the remedy, never a panic.

use std::path::Path;

use firsthand_base::ModelInput;
use firsthand_engine::{Row, Runner};
use firsthand_golden::checkpoint;
use serde_json::Value;

use super::load;
use crate::layers::CacheType;
use crate::{CacheOptions, LoadOptions, Model, ModelRunner};

/// A copy of a tiny checkpoint to break.
fn copy(family: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs_err::read_dir(checkpoint(family)).unwrap() {
        let path = entry.unwrap().path();
        fs_err::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    dir
}

fn refused(dir: &Path, parts: &[&str]) {
    let error = match Model::load(dir, &LoadOptions::default()) {
        Ok(_) => panic!("loaded; expected {parts:?}"),
        Err(error) => error.to_string(),
    };
    assert!(!error.contains('\n'), "{error}");
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}

/// Changes one field of config.json.
fn configure(dir: &Path, change: impl FnOnce(&mut Value)) {
    let path = dir.join("config.json");
    let mut config: Value = serde_json::from_str(&fs_err::read_to_string(&path).unwrap()).unwrap();
    change(&mut config);
    fs_err::write(path, config.to_string()).unwrap();
}

#[test]
fn a_config_that_is_not_supported_is_refused() {
    let check = |family: &str, change: fn(&mut Value), parts: &[&str]| {
        let dir = copy(family);
        configure(dir.path(), change);
        refused(dir.path(), &[&["config.json"], parts].concat());
    };
    check("qwen2", |c| c["model_type"] = "llama".into(), &["\"llama\"", "qwen2_5_vl"]);
    check("qwen2", |c| c["model_type"] = Value::Null, &["without a model_type"]);
    check(
        "qwen2",
        |c| c["rope_scaling"] = serde_json::json!({"type": "yarn", "factor": 4.0}),
        &["yarn", "remove rope_scaling"],
    );
    check(
        "qwen2_vl",
        |c| c["quantization_config"] = serde_json::json!({"bits": 4}),
        &["quantization_config", "--quantize"],
    );
    check(
        "qwen2_vl",
        |c| c["rope_scaling"]["mrope_section"] = serde_json::json!([1, 2, 3]),
        &["mrope_section", "8"],
    );
    check("qwen2_vl", |c| c["vision_config"]["hidden_size"] = 65.into(), &["65", "64"]);
    check("qwen2_5_vl", |c| c["hidden_size"] = (-3).into(), &["hidden_size", "-3"]);
    check("qwen2_5_vl", |c| c["num_key_value_heads"] = 3.into(), &["num_key_value_heads 3"]);
    check("qwen2_5_vl", |c| c["hidden_act"] = "gelu".into(), &["hidden_act", "silu"]);
    let dir = copy("qwen2");
    let path = dir.path().join("config.json");
    let text = fs_err::read_to_string(&path).unwrap().replacen('{', "{\"initializer_range\": NaN, ", 1);
    fs_err::write(&path, format!("\u{feff}{text}")).unwrap();
    assert!(crate::Config::read(dir.path()).is_ok());
    fs_err::write(&path, text.replace("\"hidden_size\": 48", "\"hidden_size\": NaN")).unwrap();
    refused(dir.path(), &["`hidden_size` is NaN at line "]);
    let dir = copy("qwen2");
    fs_err::write(dir.path().join("config.json"), "{").unwrap();
    refused(dir.path(), &["config.json", "not JSON"]);
}

#[test]
fn weights_that_do_not_belong_are_refused() {
    let dir = copy("qwen2_vl");
    fs_err::remove_file(dir.path().join("model-00002-of-00003.safetensors")).unwrap();
    refused(dir.path(), &["model-00002-of-00003.safetensors", "index.json", "download"]);

    let dir = copy("qwen2_vl");
    let shard = dir.path().join("model-00001-of-00003.safetensors");
    let bytes = fs_err::read(&shard).unwrap();
    for (content, reason) in [
        (&bytes[..bytes.len() / 2], "cut short"),
        (&b""[..], "empty"),
        (&b"version https://git"[..], "header"),
    ] {
        fs_err::write(&shard, content).unwrap();
        refused(dir.path(), &["model-00001-of-00003.safetensors", reason, "download it again"]);
    }

    let dir = copy("qwen2");
    configure(dir.path(), |config| config["intermediate_size"] = 100.into());
    refused(dir.path(), &["model.safetensors", "[100, 48]", "[80, 48]", "gate_proj"]);
    configure(dir.path(), |config| {
        config["intermediate_size"] = 80.into();
        config["num_hidden_layers"] = 3.into();
    });
    refused(dir.path(), &["model.layers.2.input_layernorm.weight", "config.json"]);
    fs_err::remove_file(dir.path().join("model.safetensors")).unwrap();
    refused(dir.path(), &["no weights", "model.safetensors.index.json"]);
    fs_err::write(dir.path().join("model.safetensors.index.json"), r#"{"weight_map": {"a": "../b"}}"#)
        .unwrap();
    refused(dir.path(), &["index.json", "not a file name"]);
}

#[test]
fn a_sliding_window_is_honoured_as_far_as_it_covers_everything() {
    let dir = copy("qwen2");
    let context = |change: fn(&mut Value)| {
        configure(dir.path(), change);
        Model::load(dir.path(), &LoadOptions::default()).unwrap().config.decoder().max_context
    };
    let whole = context(|_| {});
    assert_eq!(context(|c| c["sliding_window"] = 16.into()), whole, "switched off");
    assert_eq!(
        context(|c| c["use_sliding_window"] = true.into()),
        whole,
        "no layer beyond max_window_layers"
    );
    assert_eq!(context(|c| c["max_window_layers"] = 1.into()), 16);
    assert_eq!(
        context(|c| c["layer_types"] = serde_json::json!(["full_attention", "full_attention"])),
        whole
    );
    assert_eq!(
        context(|c| c["layer_types"] = serde_json::json!(["full_attention", "sliding_attention"])),
        16
    );
    assert_eq!(context(|c| c["sliding_window"] = Value::Null), whole);

    // A window of 16 tokens in the second layer.
    let dir = tempfile::tempdir().unwrap();
    firsthand_golden::variant_checkpoint("qwen2_sliding", dir.path());
    let model = Model::load(dir.path(), &LoadOptions::default()).unwrap();
    let input = |n: i32| ModelInput {
        ids: vec![1; n as usize],
        positions: (0..n).map(|i| [i; 3]).collect(),
        vision: vec![],
    };
    assert!(model.logits(&input(16)).is_ok());
    let error = model.logits(&input(17)).unwrap_err().to_string();
    assert!(error.contains("17 tokens are more than the checkpoint's context of 16"), "{error}");
}

/// Overwrites one element of a tensor of the text checkpoint.
fn poison(dir: &Path, name: &str, element: usize, value: f32) {
    let path = dir.join("model.safetensors");
    let mut bytes = fs_err::read(&path).unwrap();
    let (header, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let at = 8 + header + metadata.info(name).unwrap().data_offsets.0 + element * 4;
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    fs_err::write(path, bytes).unwrap();
}

#[test]
fn weights_that_are_not_numbers_are_found() {
    let dir = copy("qwen2");
    poison(dir.path(), "model.norm.weight", 5, f32::NAN);
    refused(dir.path(), &["model.norm.weight", "NaN", "element 5", "model.safetensors"]);

    // An element that loading does not sample: the answer names it.
    let dir = copy("qwen2");
    poison(dir.path(), "model.layers.1.mlp.down_proj.weight", 1, f32::INFINITY);
    let model = Model::load(dir.path(), &LoadOptions::default()).unwrap();
    assert!(model.check_weights().unwrap_err().to_string().contains("model.layers.1.mlp.down_proj.weight"));
    let mut runner =
        ModelRunner::new(model, CacheOptions { block_tokens: 16, tokens: 64, kind: CacheType::F32 });
    let row = Row {
        tokens: &[1, 2],
        positions: &[[0; 3], [1; 3]],
        start: 0,
        blocks: &[0],
        vision: vec![],
        logits: true,
    };
    let error = runner.forward(&[row]).unwrap_err().to_string();
    assert!(error.contains("model.layers.1.mlp.down_proj.weight") && error.contains("inf"), "{error}");
}

#[test]
fn inputs_whose_parts_disagree_are_refused() {
    let model = load("qwen2");
    let check = |ids: Vec<u32>, positions: usize, part: &str| {
        let input = ModelInput { ids, positions: vec![[0; 3]; positions], vision: vec![] };
        let error = model.logits(&input).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    check(vec![], 0, "without tokens");
    check(vec![1, 2], 1, "2 tokens with 1 positions");
    check(vec![1_000_000], 1, "outside the vocabulary");
    let fixture = firsthand_golden::Fixture::open("qwen2_vl", "image");
    let image = super::input("qwen2_vl", &fixture, "");
    assert!(model.logits(&image).unwrap_err().to_string().contains("text-only"));
    let mut wrong = image.clone();
    wrong.vision[0].grid = [1, 2, 2];
    let error = load("qwen2_vl").logits(&wrong).unwrap_err().to_string();
    assert!(error.contains("vision features for tokens"), "{error}");
}

/// Any value at any place of a config, any byte anywhere in a header: an error or a model, never a panic.
mod anything {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (0u64..70).prop_map(|power| Value::from(1u64.checked_shl(power as u32).unwrap_or(0))),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
            Just(serde_json::json!([1, -2, {}])),
            Just(serde_json::json!({"type": "mrope"})),
        ]
    }

    /// Replaces the n-th value of a tree, counted in depth.
    fn replace(tree: &mut Value, n: &mut usize, new: &Value) {
        let children: Vec<&mut Value> = match tree {
            Value::Object(fields) => fields.values_mut().collect(),
            Value::Array(items) => items.iter_mut().collect(),
            _ => Vec::new(),
        };
        for child in children {
            if *n == 0 {
                *child = new.clone();
            }
            *n = n.wrapping_sub(1);
            replace(child, n, new);
        }
    }

    proptest! {
        #[test]
        fn in_a_config(family in 0usize..3, mut places in prop::collection::vec((0usize..70, value()), 1..4)) {
            let family = firsthand_golden::FAMILIES[family];
            let dir = copy(family);
            configure(dir.path(), |config| {
                for (n, new) in &mut places {
                    replace(config, n, new);
                }
            });
            if let Ok(checkpoint) = crate::Checkpoint::open(dir.path()) {
                let options = LoadOptions::default();
                let workload = crate::Workload { cache_tokens: 4096, pass_tokens: 512, patches: 4096, cache_bf16: false };
                let _ = checkpoint.plan(&options, &workload).check();
                let _ = checkpoint.load(&options);
            }
        }

        #[test]
        fn in_a_header(places in prop::collection::vec((0usize..6000, any::<u8>()), 1..4)) {
            let dir = copy("qwen2");
            let path = dir.path().join("model.safetensors");
            let mut bytes = fs_err::read(&path).unwrap();
            for (at, byte) in places {
                bytes[at] = byte;
            }
            fs_err::write(&path, bytes).unwrap();
            let _ = Model::load(dir.path(), &LoadOptions::default());
        }
    }
}
