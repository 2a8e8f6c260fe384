//! A text checkpoint with random weights whose sides suit the block formats, which the golden ones are too small
//! for. No reference knows its logits; quantised and exact passes are compared with each other.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};

pub(crate) const VOCAB: usize = 320;
pub(crate) const WIDTH: usize = 256;
const INNER: usize = 512;
const LAYERS: usize = 2;

/// Writes the checkpoint into `dir` and says how many weights its decoder's matrices and head have, the token table
/// left out. In f32, head untied.
pub(crate) fn checkpoint(dir: &Path) -> usize {
    let config = serde_json::json!({
        "model_type": "qwen2", "hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": LAYERS,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": VOCAB, "rope_theta": 1e6,
        "tie_word_embeddings": false
    });
    fs_err::write(dir.join("config.json"), config.to_string()).unwrap();
    let mut tensors = BTreeMap::from([
        ("model.embed_tokens.weight".to_owned(), random(&[VOCAB, WIDTH], 1.0)),
        ("model.norm.weight".to_owned(), random(&[WIDTH], 1.0)),
    ]);
    let mut matrices = 0;
    let mut matrix = |name: String, outputs: usize, inputs: usize| {
        matrices += outputs * inputs;
        tensors.insert(name, random(&[outputs, inputs], 1.0 / (inputs as f64).sqrt()));
    };
    matrix("lm_head.weight".into(), VOCAB, WIDTH);
    for layer in 0..LAYERS {
        let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
        for (part, outputs) in [("q", WIDTH), ("k", WIDTH / 2), ("v", WIDTH / 2), ("o", WIDTH)] {
            matrix(name(&format!("self_attn.{part}_proj")), outputs, WIDTH);
        }
        matrix(name("mlp.gate_proj"), INNER, WIDTH);
        matrix(name("mlp.up_proj"), INNER, WIDTH);
        matrix(name("mlp.down_proj"), WIDTH, INNER);
    }
    for layer in 0..LAYERS {
        let prefix = format!("model.layers.{layer}");
        for (part, width) in [("q", WIDTH), ("k", WIDTH / 2), ("v", WIDTH / 2)] {
            tensors.insert(format!("{prefix}.self_attn.{part}_proj.bias"), random(&[width], 0.1));
        }
        for norm in ["input_layernorm", "post_attention_layernorm"] {
            tensors.insert(format!("{prefix}.{norm}.weight"), random(&[WIDTH], 1.0));
        }
    }
    let tensors: std::collections::HashMap<_, _> = tensors.into_iter().collect();
    candle_core::safetensors::save(&tensors, dir.join("model.safetensors")).unwrap();
    matrices
}

fn random(shape: &[usize], scale: f64) -> Tensor {
    Tensor::randn(0f32, scale as f32, shape, &Device::Cpu).unwrap()
}
