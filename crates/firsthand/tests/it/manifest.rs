//! The manifest tells apart what made two answers, where that is easily missed.

use std::path::Path;

use serde_json::Value;

use crate::program::{program, stderr, stdout};

fn weights(home: &Path, model: &Path) -> String {
    let output = program(home)
        .args(["ask", "hello", "--json", "--greedy", "--max-tokens", "1", "--model"])
        .arg(model)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let reply: Value = serde_json::from_str(&stdout(&output)).unwrap();
    reply["manifest"]["weights"].as_str().expect("a fingerprint").to_owned()
}

#[test]
fn a_fine_tuned_copy_has_another_fingerprint() {
    let home = tempfile::tempdir().unwrap();
    let model = home.path().join("model");
    fs_err::create_dir(&model).unwrap();
    for entry in fs_err::read_dir(firsthand_golden::checkpoint("qwen2")).unwrap() {
        let path = entry.unwrap().path();
        fs_err::copy(&path, model.join(path.file_name().unwrap())).unwrap();
    }
    let before = weights(home.path(), &model);
    assert_eq!(before, weights(home.path(), &model));
    // One bit of one number: same names, sizes and headers.
    let file = model.join("model.safetensors");
    let mut bytes = fs_err::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs_err::write(&file, bytes).unwrap();
    assert_ne!(before, weights(home.path(), &model));
}
