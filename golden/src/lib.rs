//! The exported behaviour of the reference library, for tests: fixtures, tiny checkpoints, media, and the one
//! comparator that decides whether two arrays are equal enough. README.md lists every entry.
//!
//! For tests only, so a missing fixture is a panic that says which. It knows no tensor type, no model and no text.

mod close;
mod fixture;

use std::path::{Path, PathBuf};

use serde_json::Value;

pub use close::{Comparison, Dtype, Mismatch, Tolerance, close, close_in, tolerance};
pub use fixture::{Fixture, Gradient, Medium};

/// The families that have a checkpoint and fixtures.
pub const FAMILIES: [&str; 3] = ["qwen2_vl", "qwen2_5_vl", "qwen2"];

/// The cases of a family. `batch` holds several conversations, every other case one.
pub fn cases(family: &str) -> &'static [&'static str] {
    match family {
        "qwen2" => &["text", "turns", "batch"],
        _ => &["text", "image", "images", "video", "videos", "mixed", "odd", "frames", "batch"],
    }
}

/// `golden/tiny`.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tiny")
}

/// A tiny checkpoint directory in the published layout.
pub fn checkpoint(family: &str) -> PathBuf {
    root().join(family)
}

/// Makes, in the empty directory `target`, the checkpoint a vision family has when today's library saves it:
/// nested configuration, one processor file, and weights under the module paths `model.visual.*` and
/// `model.language_model.*`. The weights are those of `checkpoint(family)`.
pub fn saved_checkpoint(family: &str, target: &Path) {
    let layout = root().join(format!("{family}_saved"));
    for entry in list(&layout) {
        let name = entry.file_name().expect("a listed file has a name");
        must(fs_err::copy(&entry, target.join(name)));
    }
    let mut tensors = Vec::new();
    for shard in
        list(&checkpoint(family)).into_iter().filter(|p| p.extension().is_some_and(|e| e == "safetensors"))
    {
        tensors.extend(fixture::read(&shard).into_iter().map(|(name, tensor)| (todays_name(&name), tensor)));
    }
    must(safetensors::serialize_to_file(tensors, None, &target.join("model.safetensors")));
}

/// Makes, in the empty directory `target`, a checkpoint whose config.json differs from the published layout:
/// `qwen2_sliding` (a window of 16 tokens in the second layer; `Fixture::open("qwen2", "sliding")` holds what case
/// `turns` gives there), `qwen2_vl_nested` and `qwen2_5_vl_nested` (the same model as the family's own).
pub fn variant_checkpoint(variant: &str, target: &Path) {
    let (family, _) = variant.rsplit_once('_').expect("a variant is named family_variant");
    for folder in [family, variant] {
        for entry in list(&root().join(folder)) {
            let name = entry.file_name().expect("a listed file has a name");
            must(fs_err::copy(&entry, target.join(name)));
        }
    }
}

fn todays_name(published: &str) -> String {
    match published.split_once('.') {
        Some(("visual", rest)) => format!("model.visual.{rest}"),
        Some(("model", rest)) => format!("model.language_model.{rest}"),
        _ => published.to_owned(),
    }
}

/// A drawn picture or clip.
pub fn media(name: &str) -> PathBuf {
    root().join("media").join(name)
}

/// The messages of a case in the reference format, media locations made absolute.
pub fn messages(family: &str, case: &str) -> Value {
    let kind = if family == "qwen2" { "text" } else { "vision" };
    let mut messages = json(&root().join("cases").join(kind).join(format!("{case}.json")));
    absolute(&mut messages);
    messages
}

fn absolute(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("media/") => {
            *text = root().join(&*text).display().to_string()
        }
        Value::Array(items) => items.iter_mut().for_each(absolute),
        Value::Object(fields) => fields.values_mut().for_each(absolute),
        _ => {}
    }
}

/// What else is known of a case: `prompt` (rendered), `greedy_text`, `smallest_margin`; a list of these for `batch`.
pub fn notes(family: &str, case: &str) -> Value {
    json(&root().join("fixtures").join(family).join("notes.json"))[case].take()
}

/// A table of a pure function, `tiny/tables/<name>.json`.
pub fn table(name: &str) -> Value {
    json(&root().join("tables").join(format!("{name}.json")))
}

fn json(path: &Path) -> Value {
    match serde_json::from_slice(&must(fs_err::read(path))) {
        Ok(value) => value,
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = must(fs_err::read_dir(folder)).map(|entry| must(entry).path()).collect();
    paths.sort();
    paths
}

fn must<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("golden: {error}; make the fixtures with golden/export.py"))
}
