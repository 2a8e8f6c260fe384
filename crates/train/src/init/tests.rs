//! A new checkpoint opens with the ordinary readers, and its tokenizer cuts text as promised.

use std::collections::BTreeSet;

use firsthand_input::{RenderOptions, Renderer};
use firsthand_media::{Opener, OpenerOptions};
use firsthand_model::{LoadOptions, Model};

use super::*;

fn small() -> NewModel {
    NewModel {
        seed: 1,
        width: 64,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        intermediate: 96,
        look_back: 2,
        context: 512,
        vision_width: 32,
        vision_layers: 2,
        vision_heads: 2,
        vision_intermediate: 48,
        vision_full: vec![1],
        window: 112,
        pixels: [784, 50176],
        tower: None,
    }
}

fn words(text: &str) -> Vec<String> {
    pieces(text).into_iter().map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
}

const TEXT: &str =
    "Where is the red cup?\nA. at e3, close\n<think>red cup at e3 . so</think>\n<answer>B</answer>";

#[test]
fn the_folder_opens_and_every_listed_piece_is_one_token() {
    let dir = tempfile::tempdir().unwrap();
    small().create(dir.path(), &words(TEXT)).unwrap();
    let opener = Opener::new(OpenerOptions::default());
    let renderer = Renderer::open(dir.path(), RenderOptions::default(), opener).unwrap();
    let ids = renderer.tokenizer().encode(TEXT).unwrap();
    // Four tags beside the pieces.
    assert_eq!(ids.len(), pieces(TEXT).len() + 4);
    assert_eq!(renderer.tokenizer().decode(&ids), TEXT);
    // Unknown words fall to bytes and come back.
    let strange = "Größe: 17 zebras";
    let ids = renderer.tokenizer().encode(strange).unwrap();
    assert_eq!(renderer.tokenizer().decode(&ids), strange);
    assert_eq!(renderer.sizes().unwrap().frame_max_pixels, 50176);
    let model = Model::load(dir.path(), &LoadOptions::default()).unwrap();
    model.check_weights().unwrap();
}

#[test]
fn a_word_keeps_its_row_when_the_vocabulary_grows() {
    let rows = |text: &str, word: &str| {
        let tokens = tokenizer::Tokens::new(&words(text));
        let id = tokens.texts().position(|text| text == word).unwrap();
        let dir = tempfile::tempdir().unwrap();
        small().create(dir.path(), &words(text)).unwrap();
        let bytes = fs_err::read(dir.path().join("model.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        file.tensor("model.embed_tokens.weight").unwrap().data()[id * 256..][..256].to_vec()
    };
    assert_eq!(rows("a red cup", " cup"), rows("the blue bowl and a red cup", " cup"));
}

#[test]
fn a_tower_is_taken_over_whole_or_not_at_all() {
    let [taught, made] = [0, 1].map(|_| tempfile::tempdir().unwrap());
    NewModel { seed: 2, ..small() }.create(taught.path(), &[]).unwrap();
    let model = NewModel { tower: Some(taught.path().to_owned()), ..small() };
    model.create(made.path(), &words(TEXT)).unwrap();
    let read = |dir: &Path, key: &str| {
        let bytes = fs_err::read(dir.join("model.safetensors")).unwrap();
        safetensors::SafeTensors::deserialize(&bytes).unwrap().tensor(key).unwrap().data().to_vec()
    };
    let same = |key: &str| read(taught.path(), key) == read(made.path(), key);
    assert!(same("visual.blocks.1.attn.qkv.weight") && !same("model.layers.0.self_attn.q_proj.weight"));
    let error =
        NewModel { vision_intermediate: 64, ..model }.create(made.path(), &[]).unwrap_err().to_string();
    assert!(error.contains("visual.blocks.0.mlp"), "{error}");
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let check = |model: NewModel, expected: &str| {
        let error = model.create(tempfile::tempdir().unwrap().path(), &[]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(NewModel { heads: 3, ..small() }, "width 64 over 3 heads");
    check(NewModel { look_back: 3, ..small() }, "look_back 3 of 2");
    check(NewModel { kv_heads: 3, ..small() }, "4 heads cannot share 3");
    check(NewModel { vision_heads: 3, ..small() }, "vision_width 32 over 3 heads");
    check(NewModel { vision_full: vec![7], ..small() }, "block 7 of 2");
    check(NewModel { pixels: [10, 20], ..small() }, "hold no picture");
}
