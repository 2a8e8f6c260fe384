//! Quantised checkpoints: which matrices are, and how near the exact model they stay.

use firsthand_base::ModelInput;
use firsthand_golden::checkpoint;

use super::{flat, made};
use crate::layers::Weight;
use crate::{LoadOptions, Model, Quantize};

fn load(dir: &std::path::Path, quantize: Option<Quantize>) -> Model {
    Model::load(dir, &LoadOptions { quantize, ..LoadOptions::default() }).unwrap()
}

#[test]
fn quantising_says_what_it_leaves() {
    // Rows of 64 and 96 are too short for the fast product: all 7 matrices of both blocks and the head stay.
    let model = load(&checkpoint("qwen2_vl"), Some(Quantize::Q8_0));
    assert_eq!(model.unquantised.len(), 2 * 7 + 1);
    assert!(model.unquantised.contains(&"lm_head.weight".to_owned()));
    let dir = tempfile::tempdir().unwrap();
    made::checkpoint(dir.path());
    for format in [Quantize::Q8_0, Quantize::Q4K] {
        let model = load(dir.path(), Some(format));
        assert_eq!(model.unquantised, Vec::<String>::new());
        assert!(matches!(model.decoder.head.layer.weight(), Weight::Quantised(_)));
        assert!(matches!(model.decoder.blocks[1].mlp.down.layer.weight(), Weight::Quantised(_)));
    }
}

#[test]
fn quantised_logits_stay_near_the_exact_ones() {
    let dir = tempfile::tempdir().unwrap();
    made::checkpoint(dir.path());
    let ids: Vec<u32> = (1..40).collect();
    let positions = (0..39).map(|i| [i; 3]).collect();
    let input = ModelInput { ids, positions, vision: vec![] };
    let exact = flat(&load(dir.path(), None).logits(&input).unwrap());
    for (format, limit) in [(Quantize::Q8_0, 0.03), (Quantize::Q4K, 0.2)] {
        let near = flat(&load(dir.path(), Some(format)).logits(&input).unwrap());
        let square = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v * v)).sum::<f64>();
        let difference = square(&mut exact.iter().zip(&near).map(|(a, b)| a - b));
        let relative = (difference / square(&mut exact.iter().copied())).sqrt();
        assert!(relative > 0.0 && relative < limit, "{format:?}: {relative}");
    }
}
