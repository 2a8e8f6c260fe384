//! A checkpoint that says what a test wants: the pieces of its answer are added tokens, its layers pass their input
//! through, and its head answers each piece with the next. Everything else is the tiny golden checkpoint.

use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

const VOCAB: usize = 416;
const WIDTH: usize = 64;
const FIRST_FREE: usize = 396;
const END: usize = 382;

/// Writes the checkpoint into `target`. It answers every prompt with `pieces`, in order, then stops.
pub(crate) fn scripted_checkpoint(target: &Path, pieces: &[&str]) {
    assert!(pieces.len() <= VOCAB - FIRST_FREE, "the tiny vocabulary has room for 20 pieces");
    let source = firsthand_golden::checkpoint("qwen2_vl");
    fs_err::create_dir_all(target).unwrap();
    let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    for entry in fs_err::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.ends_with(".safetensors") {
            let bytes = fs_err::read(&path).unwrap();
            for (name, view) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
                assert_eq!(view.dtype(), Dtype::BF16);
                let halves = view.data().chunks_exact(2);
                let values =
                    halves.map(|b| f32::from_bits(u32::from(u16::from_le_bytes([b[0], b[1]])) << 16));
                tensors.push((name, view.shape().to_vec(), values.collect()));
            }
        } else if !name.ends_with("index.json") {
            fs_err::copy(&path, target.join(&name)).unwrap();
        }
    }
    let newline = add_tokens(&target.join("tokenizer.json"), pieces);
    let mut steps = vec![newline];
    steps.extend((0..pieces.len()).map(|index| FIRST_FREE + index));
    for (name, _, values) in &mut tensors {
        script(name, values, &steps);
    }
    let bytes: Vec<_> = tensors
        .iter()
        .map(|(name, shape, values)| {
            (name.clone(), shape.clone(), values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, shape, data)| (name.clone(), TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
    safetensors::serialize_to_file(views, None, &target.join("model.safetensors")).unwrap();
}

/// Gives every piece an id; returns the id of a line break, with which prompts end.
fn add_tokens(path: &Path, pieces: &[&str]) -> usize {
    let mut tokenizer: Value = serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap();
    for (index, piece) in pieces.iter().enumerate() {
        let token = json!({
            "id": FIRST_FREE + index, "content": piece, "special": false,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        });
        tokenizer["added_tokens"].as_array_mut().unwrap().push(token);
    }
    fs_err::write(path, tokenizer.to_string()).unwrap();
    tokenizer["model"]["vocab"]["Ċ"].as_u64().unwrap() as usize
}

/// Token `steps[i]` is embedded as unit vector i, blocks add nothing, and the head answers vector i with the next.
fn script(name: &str, values: &mut [f32], steps: &[usize]) {
    if name.starts_with("model.layers.") && (name.contains("o_proj") || name.contains("down_proj")) {
        values.fill(0.0);
    }
    match name {
        "model.norm.weight" => values.fill(1.0),
        "model.embed_tokens.weight" => {
            values.fill(0.0);
            for (index, step) in steps.iter().enumerate() {
                values[step * WIDTH + index] = 1.0;
            }
        }
        "lm_head.weight" => {
            values.fill(0.0);
            for index in 0..steps.len() {
                let next = steps.get(index + 1).copied().unwrap_or(END);
                values[next * WIDTH + index] = 10.0;
            }
        }
        _ => {}
    }
}
