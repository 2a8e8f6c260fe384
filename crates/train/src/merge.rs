//! An adapter and its checkpoint as one checkpoint, for programs that read no adapters.

use std::path::Path;

use firsthand_model::{LoadOptions, Model};

use crate::checkpoint::{copy_files, write_folder};
use crate::error::{Result, TrainError};

/// Adds the PEFT adapter in `adapter` to the checkpoint in `start` and writes the sum to the new folder `out`, in the
/// number type of the checkpoint.
pub fn merge(start: &Path, adapter: &Path, out: &Path) -> Result<()> {
    let refuse = |reason: &str| TrainError::Checkpoint { dir: out.to_owned(), reason: reason.to_owned() };
    if out.exists() {
        return Err(refuse("it exists already; name a new folder"));
    }
    let name = out.file_name().and_then(|name| name.to_str()).ok_or_else(|| refuse("not a folder name"))?;
    let mut model = Model::load(start, &LoadOptions::default())?;
    model.load_adapter(adapter)?;
    model.merge()?;
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs_err::create_dir_all(parent)?;
    write_folder(parent, name, |dir| {
        copy_files(start, dir)?;
        Ok(model.save_weights(&dir.join("model.safetensors"), firsthand_model::Dtype::Auto)?)
    })?;
    Ok(())
}
