//! The output folder of a run: made for one recipe, locked while it is written, and continued by the same recipe
//! only. Anything else that lies in it is left alone and refused.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::atomic::AtomicFile;
use crate::failure::{Hint, failure};

/// What the folder was made from; its presence is what makes a folder one of ours.
const RECIPE: &str = "recipe.json";
const LOCK: &str = ".lock";

/// A folder that this process alone writes to.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    _lock: fs_err::File,
}

impl Folder {
    /// Makes the folder, or opens one that the same recipe began.
    pub(super) fn open(path: &Path, recipe: &impl Serialize) -> Result<Folder> {
        let recipe = serde_json::to_string_pretty(recipe)? + "\n";
        let kept = path.join(RECIPE);
        check(path, RECIPE)?;
        let other = || {
            failure(
                format!("the folder was made with other settings: {}", path.display()),
                format!("name a new folder, or give the settings that {RECIPE} says"),
            )
        };
        if kept.is_file() && fs_err::read_to_string(&kept)? != recipe {
            return Err(other());
        }
        let folder = Folder { path: path.to_owned(), _lock: open_for(path, RECIPE)? };
        if !kept.is_file() {
            folder.write(RECIPE, recipe.as_bytes())?;
        }
        Ok(folder)
    }

    /// Writes a file whole or not at all.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut file = AtomicFile::create(&self.path.join(name))?;
        file.write_all(bytes)?;
        file.commit()
    }

    /// Makes a folder below.
    pub(super) fn below(&self, name: &str) -> Result<()> {
        Ok(fs_err::create_dir_all(self.path.join(name))?)
    }
}

/// Refuses a folder that holds files but not the one that marks it as ours.
fn check(path: &Path, mark: &str) -> Result<()> {
    let is_empty = match fs_err::read_dir(path) {
        Ok(mut entries) => entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == LOCK)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).hint(|| "name a folder to write to".to_owned()),
    };
    if is_empty || path.join(mark).is_file() {
        return Ok(());
    }
    Err(failure(
        format!("the folder holds something else: {}", path.display()),
        "name an empty or a new folder",
    ))
}

/// Makes or opens a folder that is ours by the file `mark`, locks it, and clears it of what a killed run left half
/// done. The lock ends with the value.
pub(super) fn open_for(path: &Path, mark: &str) -> Result<fs_err::File> {
    check(path, mark)?;
    fs_err::create_dir_all(path).hint(|| "choose a place that can be written".to_owned())?;
    let lock = fs_err::File::create(path.join(LOCK))?;
    lock.file().try_lock().with_context(|| format!("another process writes to {}", path.display()))?;
    sweep(path);
    Ok(lock)
}

/// Removes drafts below a folder that this process has locked. What cannot be removed does no harm.
pub(super) fn sweep(path: &Path) {
    for entry in fs_err::read_dir(path).into_iter().flatten().flatten() {
        let (place, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let is_draft = (name.starts_with('.') && name.ends_with(".part")) || name.contains(".draft-");
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sweep(&place);
        } else if is_draft {
            let _ = fs_err::remove_file(&place);
        }
    }
}
