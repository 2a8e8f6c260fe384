//! Text encoders against the reference: one text alone, many at once, and folders that are broken.

use firsthand_golden as reference;
use firsthand_golden::{Fixture, checkpoint};

use crate::bert::Encoder;
use crate::bert::config::{Config, Pooling};

fn ids(fixture: &Fixture) -> Vec<Vec<u32>> {
    let text = |i: usize| {
        let name = format!("text.{i}.ids");
        fixture.has(&name).then(|| fixture.i64(&name).into_iter().map(|id| id as u32).collect())
    };
    (0..).map_while(text).collect()
}

#[test]
fn vectors_equal_the_reference_alone_and_together() {
    let (encoder, fixture) = (Encoder::open(&checkpoint("bert")).unwrap(), Fixture::open("bert", "texts"));
    let texts = ids(&fixture);
    assert!(texts.len() > 5);
    let together = encoder.embed(&texts.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
    // The reference pads a batch and masks the padding; here there is none.
    fixture.check("batch.vector", &together.concat()).unwrap();
    let mut worst = 0f64;
    for (i, text) in texts.iter().enumerate() {
        let alone = encoder.embed(&[text]).unwrap().remove(0);
        worst = worst.max(fixture.check(&format!("text.{i}.vector"), &alone).unwrap().max_abs);
        reference::close("vector", &together[i], &alone).unwrap();
        let length: f32 = alone.iter().map(|value| value * value).sum();
        assert!((length - 1.0).abs() < 1e-5);
    }
    println!("bert: vectors differ by at most {worst:.1e}");
    assert!(encoder.embed(&[]).unwrap().is_empty());
}

#[test]
fn texts_that_do_not_fit_are_refused() {
    let encoder = Encoder::open(&checkpoint("bert")).unwrap();
    for (text, expect) in [
        (vec![], "a text of 0 tokens; the encoder takes 1 to 24"),
        (vec![2; 25], "a text of 25 tokens; the encoder takes 1 to 24"),
        (vec![2, 104], "token id 104 is outside the vocabulary of 104"),
    ] {
        let error = encoder.embed(&[&text]).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }
}

#[test]
fn folders_say_what_is_wrong_with_them() {
    for (file, from, to, expect) in [
        ("config.json", "\"bert\"", "\"roberta\"", "model_type is roberta"),
        ("config.json", "\"gelu\"", "\"relu\"", "hidden_act is relu"),
        ("config.json", "\"num_attention_heads\": 4", "\"num_attention_heads\": 5", "no multiple of 5 heads"),
        ("config.json", "\"is_decoder\": false", "\"is_decoder\": true", "is_decoder is set"),
        ("config.json", "\"hidden_size\": 32", "\"hidden_size\": 64", "has shape [104, 32]"),
        ("config.json", "\"hidden_size\": 32", "\"hidden_size\": -1", "hidden_size is -1"),
        (
            "1_Pooling/config.json",
            "mean_tokens\": true",
            "max_tokens\": true",
            "pools by pooling_mode_max_tokens",
        ),
        (
            "model.safetensors",
            "encoder.layer.1.output.dense.bias",
            "encoder.layer.1.output.dense.bios",
            "output.dense.bias",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let copy = |name: &str| {
            let bytes = fs_err::read(checkpoint("bert").join(name)).unwrap();
            fs_err::create_dir_all(dir.path().join("1_Pooling")).unwrap();
            fs_err::write(dir.path().join(name), bytes).unwrap();
        };
        ["config.json", "1_Pooling/config.json", "model.safetensors"].map(copy);
        let path = dir.path().join(file);
        let mut bytes = fs_err::read(&path).unwrap();
        let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).expect(from);
        bytes.splice(at..at + from.len(), to.bytes());
        fs_err::write(&path, bytes).unwrap();
        let error = Encoder::open(dir.path()).err().expect(expect).to_string();
        assert!(error.contains(expect), "{error}");
    }
}

#[test]
fn pooling_follows_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let config = fs_err::read(checkpoint("bert").join("config.json")).unwrap();
    fs_err::write(dir.path().join("config.json"), config).unwrap();
    assert_eq!(Config::read(dir.path()).unwrap().pooling, Pooling::Mean);
    fs_err::create_dir(dir.path().join("1_Pooling")).unwrap();
    let first = "{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": false}";
    fs_err::write(dir.path().join("1_Pooling/config.json"), first).unwrap();
    assert_eq!(Config::read(dir.path()).unwrap().pooling, Pooling::First);
}
