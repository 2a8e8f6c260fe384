//! `dump` on every golden case of every family: what the reference library has, to the bit where it must be.

use std::path::Path;

use firsthand_golden::{FAMILIES, Fixture, cases, messages, root};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::Value;

use crate::program::{files, program};

fn integers(view: &TensorView<'_>) -> Vec<i64> {
    view.data().chunks_exact(8).map(|chunk| i64::from_le_bytes(chunk.try_into().unwrap())).collect()
}

fn floats(view: &TensorView<'_>) -> Vec<f32> {
    view.data().chunks_exact(4).map(|chunk| f32::from_le_bytes(chunk.try_into().unwrap())).collect()
}

/// Dumps one conversation and compares it with the entries that start with `prefix`.
fn check(home: &Path, family: &str, fixture: &Fixture, prefix: &str, conversation: &Value) {
    let (file, out) = (home.join("messages.json"), home.join("out.safetensors"));
    fs_err::write(&file, conversation.to_string()).unwrap();
    let output = program(home)
        .current_dir(root())
        .args(["dump", "--model", family, "--dtype", "f32", "--greedy", "64"])
        .arg("--messages")
        .arg(&file)
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(output.status.success(), "{family} {prefix}: {output:?}");
    let bytes = fs_err::read(&out).unwrap();
    let dump = SafeTensors::deserialize(&bytes).unwrap();
    for (entry, expected) in [
        ("input_ids", "input_ids"),
        ("position_ids", "position_ids"),
        ("image_grid_thw", "image_grid_thw"),
        ("video_grid_thw", "video_grid_thw"),
        ("generated_ids", "greedy_ids"),
    ] {
        let expected = format!("{prefix}{expected}");
        let actual = dump.tensor(entry).ok();
        assert_eq!(actual.is_some(), fixture.has(&expected), "{family} {expected} is there or not");
        if let Some(actual) = actual {
            assert_eq!(actual.shape(), fixture.shape(&expected), "{family} {expected}");
            assert_eq!(integers(&actual), fixture.i64(&expected), "{family} {expected}");
        }
    }
    for entry in ["pixel_values", "pixel_values_videos"] {
        let checksum = format!("{prefix}{entry}.checksum");
        let actual = dump.tensor(entry).ok();
        assert_eq!(actual.is_some(), fixture.has(&checksum), "{family} {checksum} is there or not");
        if let Some(actual) = actual {
            let shape: Vec<i64> = actual.shape().iter().map(|&side| side as i64).collect();
            assert_eq!(shape, fixture.i64(&format!("{prefix}{entry}.shape")), "{family} {entry}");
            let terms =
                floats(&actual).into_iter().zip(1u64..).map(|(v, i)| u64::from(v.to_bits()).wrapping_mul(i));
            assert_eq!(terms.fold(0, u64::wrapping_add), fixture.u64(&checksum)[0], "{family} {checksum}");
        }
    }
    let logits = dump.tensor("logits").unwrap();
    assert_eq!(logits.shape()[0], integers(&dump.tensor("input_ids").unwrap()).len());
    fixture
        .check(&format!("{prefix}logits"), &floats(&logits))
        .unwrap_or_else(|error| panic!("{family}: {error}"));
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let manifest: Value = serde_json::from_str(&header.metadata().as_ref().unwrap()["manifest"]).unwrap();
    assert_eq!(manifest["model"], family);
    let left: Vec<_> = files(home).into_iter().filter(|name| name.ends_with(".part")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn every_golden_case_is_reproduced() {
    let home = tempfile::tempdir().unwrap();
    for family in FAMILIES {
        for case in cases(family) {
            let (fixture, messages) = (Fixture::open(family, case), messages(family, case));
            if *case != "batch" {
                check(home.path(), family, &fixture, "", &messages);
                continue;
            }
            for (row, conversation) in messages.as_array().unwrap().iter().enumerate() {
                check(home.path(), family, &fixture, &format!("row.{row}."), conversation);
            }
        }
    }
}
