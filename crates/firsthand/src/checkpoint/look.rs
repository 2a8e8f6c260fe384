//! What a folder holds that is no checkpoint, and what mends it.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Error, Result};
use firsthand_base::json;
use serde_json::{Map, Value};

use super::Origin;
use crate::failure::failure;
use crate::hub::Cache;

const CONFIG: &str = "config.json";
const ADAPTER: &str = "adapter_config.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// Weights are not smaller; a pointer is not larger.
const POINTER_BYTES: u64 = 1024;

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    There,
    Missing,
    /// A link to nothing.
    Dangling,
    /// The text that Git LFS keeps in place of a large file.
    Pointer,
}

fn state(path: &Path) -> State {
    let Ok(metadata) = fs_err::metadata(path) else {
        let is_link = fs_err::symlink_metadata(path).is_ok();
        return if is_link { State::Dangling } else { State::Missing };
    };
    let is_pointer = metadata.len() <= POINTER_BYTES && begins_with(path, b"version https://git-lfs");
    if is_pointer { State::Pointer } else { State::There }
}

fn begins_with(path: &Path, start: &[u8]) -> bool {
    let mut found = Vec::new();
    let read =
        fs_err::File::open(path).and_then(|file| file.take(start.len() as u64).read_to_end(&mut found));
    read.is_ok() && found == start
}

fn object(path: &Path) -> Map<String, Value> {
    let bytes = fs_err::read(path).unwrap_or_default();
    json::read(&bytes).unwrap_or_default()
}

/// The weight files that a folder should have: the one file, or those that the index names.
fn weight_files(directory: &Path) -> Vec<PathBuf> {
    let index = directory.join(INDEX);
    match (state(&directory.join(WEIGHTS)), state(&index)) {
        (State::Missing, State::Missing) => Vec::new(),
        (State::Missing, State::There) => {
            let map = object(&index).remove("weight_map").unwrap_or_default();
            let names = map.as_object().into_iter().flatten().filter_map(|(_, file)| file.as_str());
            let names: std::collections::BTreeSet<&str> =
                names.filter(|name| Path::new(name).file_name() == Some(name.as_ref())).collect();
            std::iter::once(index).chain(names.into_iter().map(|name| directory.join(name))).collect()
        }
        (State::Missing, _) => vec![index],
        _ => vec![directory.join(WEIGHTS)],
    }
}

/// Whether a folder has its configuration and every weight file.
pub(super) fn is_whole(directory: &Path) -> bool {
    let files = weight_files(directory);
    let is_there = |file: &Path| state(file) == State::There;
    is_there(&directory.join(CONFIG)) && !files.is_empty() && files.iter().all(|file| is_there(file))
}

/// Refuses a folder without the files of a checkpoint. What is inside of them is for those who read them.
pub(super) fn check(directory: &Path, origin: Option<&Origin>) -> Result<()> {
    let weights = weight_files(directory);
    let is_read = |name: &String| [".json", ".jinja", ".safetensors"].iter().any(|end| name.ends_with(end));
    let present = names(directory).into_iter().filter(is_read).map(|name| directory.join(name));
    for file in present.chain(weights.iter().cloned()) {
        match state(&file) {
            State::There => {}
            broken => return Err(broken_file(&file, broken, directory, origin)),
        }
    }
    match (state(&directory.join(CONFIG)), weights.is_empty()) {
        (State::There, false) => Ok(()),
        (config, _) => Err(other(directory, config == State::There, origin)),
    }
}

/// Refuses a folder without the files of an adapter.
pub(super) fn check_adapter(directory: &Path, origin: Option<&Origin>) -> Result<()> {
    for name in [ADAPTER, "adapter_model.safetensors"] {
        let file = directory.join(name);
        match state(&file) {
            State::There => {}
            State::Missing if name == ADAPTER => {
                let inside = children(directory, |place| place.join(ADAPTER).is_file());
                let remedy = match &inside[..] {
                    [] => "name the folder with adapter_config.json and adapter_model.safetensors".to_owned(),
                    places => format!("name the folder inside of it: {}", listed(places)),
                };
                return Err(failure(format!("no adapter is in {}", directory.display()), remedy));
            }
            State::Missing if directory.join("adapter_model.bin").is_file() => {
                let what = format!(
                    "the adapter's weights are a pickle, which may run code: {}",
                    directory.display()
                );
                return Err(failure(
                    what,
                    format!("write them anew: python3 -c \"{}\"", unpickle_adapter(directory)),
                ));
            }
            State::Missing => {
                let what = format!("an adapter without its weights: {} is missing", file.display());
                return Err(failure(what, mend(directory, origin)));
            }
            broken => return Err(broken_file(&file, broken, directory, origin)),
        }
    }
    Ok(())
}

fn unpickle_adapter(directory: &Path) -> String {
    let at = directory.join("adapter_model");
    let at = at.display();
    format!(
        "import torch, safetensors.torch as s; s.save_file(torch.load('{at}.bin', map_location='cpu', weights_only=True), '{at}.safetensors')"
    )
}

/// The command that brings the files of a folder: the hub's where it came from there.
fn mend(directory: &Path, origin: Option<&Origin>) -> String {
    if let Some(origin) = origin {
        return format!("run `{}`, which goes on where a download stopped", origin.fetch());
    }
    let config = object(&directory.join(CONFIG));
    let name = config.get("_name_or_path").and_then(Value::as_str).and_then(crate::hub::Repository::parse);
    match name {
        Some(name) => format!("copy it again, or run `firsthand fetch {name}` and name {name}"),
        None => {
            "copy it again from where the folder came from, or run `firsthand fetch owner/name`".to_owned()
        }
    }
}

fn broken_file(file: &Path, state: State, directory: &Path, origin: Option<&Origin>) -> Error {
    let (file, remedy) = (file.display(), mend(directory, origin));
    match state {
        State::Pointer => failure(
            format!("a pointer of Git LFS stands in place of the file: {file}"),
            format!("run `git -C {} lfs pull`, or {remedy}", directory.display()),
        ),
        State::Dangling => {
            failure(format!("a link to nothing, as an unfinished download leaves it: {file}"), remedy)
        }
        _ => failure(format!("missing, though the index names it: {file}"), remedy),
    }
}

/// What a folder is that lacks config.json or weights.
fn other(directory: &Path, has_config: bool, origin: Option<&Origin>) -> Error {
    let place = directory.display();
    if directory.join(ADAPTER).is_file() {
        return adapter(directory);
    }
    if let Some(found) = foreign(directory) {
        return found;
    }
    if let Some(origin) = origin {
        let unfinished = Cache::new(origin.cache.clone()).is_unfinished(&origin.repository);
        let what = match (
            unfinished,
            has_config || directory.parent().is_some_and(|up| up.ends_with("snapshots")),
        ) {
            (true, _) => format!("the download of {} was not finished: {place}", origin.repository),
            (false, true) => {
                format!("only a part of {} was downloaded, without its weights: {place}", origin.repository)
            }
            (false, false) => {
                let remedy = format!("name {} itself, as --model {}", origin.repository, origin.repository);
                return failure(format!("a part of the hub's cache, not a checkpoint: {place}"), remedy);
            }
        };
        return failure(what, mend(directory, Some(origin)));
    }
    let inside = children(directory, is_whole);
    if !inside.is_empty() {
        return failure(
            format!("no checkpoint, but a folder of some: {place}"),
            format!("name one: {}", listed(&inside)),
        );
    }
    let repositories =
        children(directory, |place| super::origin(place).is_some() && super::is_repository(place));
    if !repositories.is_empty() {
        let names: Vec<String> = repositories
            .iter()
            .filter_map(|place| Some(super::origin(place)?.repository.to_string()))
            .collect();
        return failure(
            format!("a cache of the hub, not a checkpoint: {place}"),
            format!("set HF_HUB_CACHE to it and name one as owner/name: {}", shortened(&names)),
        );
    }
    let above = std::path::absolute(directory).ok();
    if let Some(above) =
        above.as_deref().and_then(Path::parent).filter(|above| !has_config && is_whole(above))
    {
        return failure(
            format!("a part of a checkpoint: {place}"),
            format!("name the folder above: {}", above.display()),
        );
    }
    let lacks = if has_config { "no weights are in" } else { "config.json is not in" };
    let files = format!("{CONFIG}, tokenizer.json and {WEIGHTS}, or {INDEX} with its files");
    failure(format!("{lacks} {place}: a checkpoint has {files}"), mend(directory, None))
}

fn adapter(directory: &Path) -> Error {
    let place = directory.display().to_string();
    let config = object(&directory.join(ADAPTER));
    let base = config.get("base_model_name_or_path").and_then(Value::as_str).filter(|base| !base.is_empty());
    let merged = format!("{}-merged", place.trim_end_matches('/'));
    let what = match base {
        Some(base) => format!("a low-rank adapter of {base}, not a checkpoint: {place}"),
        None => format!("a low-rank adapter, not a checkpoint: {place}"),
    };
    let base = base.unwrap_or("ITS-CHECKPOINT");
    failure(
        what,
        format!("run `firsthand train merge {place} --model {base} --out {merged}`, then name {merged}"),
    )
}

/// Weights of another program.
fn foreign(directory: &Path) -> Option<Error> {
    let files = names(directory);
    let place = directory.display();
    let with =
        |endings: &[&str]| files.iter().find(|name| endings.iter().any(|ending| name.ends_with(ending)));
    if let Some(name) = with(&[".gguf"]) {
        return Some(gguf(&directory.join(name)));
    }
    // What Hugging Face's trainer leaves beside weights.
    let beside = ["training_args", "optimizer", "scheduler", "rng_state", "scaler"];
    let is_pickle = |name: &&String| {
        [".bin", ".pt", ".pth", ".ckpt"].iter().any(|ending| name.ends_with(ending))
            && !beside.iter().any(|start| name.starts_with(start))
    };
    if let Some(name) = files.iter().find(is_pickle) {
        return Some(pickle(&directory.join(name)));
    }
    let name = with(&[".onnx", ".h5", ".msgpack", ".tflite", ".mlmodel", ".npz", ".engine"])?;
    Some(failure(
        format!("the weights are of another program ({name}); safetensors are read: {place}"),
        "fetch the checkpoint that they were made from: firsthand fetch owner/name",
    ))
}

fn gguf(file: &Path) -> Error {
    failure(
        format!("a GGUF file, made for llama.cpp; safetensors are read: {}", file.display()),
        "fetch the checkpoint that it was made from, as `firsthand fetch Qwen/Qwen2.5-VL-3B-Instruct`, and pass \
         --quantize q4_k for its size",
    )
}

fn pickle(file: &Path) -> Error {
    let directory = file.parent().unwrap_or(Path::new("."));
    let config = object(&directory.join(CONFIG));
    let class = match config.get("model_type").and_then(Value::as_str) {
        Some("qwen2_vl" | "qwen2_5_vl") => "AutoModelForImageTextToText",
        Some("bert") => "AutoModel",
        _ => "AutoModelForCausalLM",
    };
    let at = directory.display();
    failure(
        format!("the weights are a pickle, which may run code; safetensors are read: {}", file.display()),
        format!(
            "write them anew: python3 -c \"from transformers import {class} as M; M.from_pretrained('{at}').save_pretrained('{at}')\""
        ),
    )
}

/// What a file is that was named in place of a folder.
pub(super) fn file(path: &Path) -> Error {
    let place = path.display();
    if begins_with(path, b"GGUF") {
        return gguf(path);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_pickle = begins_with(path, b"PK\x03\x04") || begins_with(path, b"\x80\x02");
    if is_pickle && !is_whole(folder) {
        return pickle(path);
    }
    let what = format!("not a checkpoint directory but a file: {place}");
    match folder.join(CONFIG).is_file() || folder.join(ADAPTER).is_file() {
        true => failure(what, format!("name its folder: {}", folder.display())),
        false => failure(what, "name the directory that holds config.json and the weights"),
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The folders inside of one, of a kind.
fn children(directory: &Path, is_meant: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    names(directory)
        .into_iter()
        .map(|name| directory.join(name))
        .filter(|place| place.is_dir() && is_meant(place))
        .collect()
}

fn listed(places: &[PathBuf]) -> String {
    shortened(&places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>())
}

/// At most three of them.
fn shortened(names: &[String]) -> String {
    let more = names.len().saturating_sub(3);
    let shown = names[..names.len() - more].join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}
