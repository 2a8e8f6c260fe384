//! A file that is written beside its place and renamed when whole; dropped before that, it is removed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

const REMEDY: &str = "check the free space, and choose a place that can be written";

/// Where a file is kept until it is whole: `.NAME.PROCESS.part` in the same folder. For those who clean up after an
/// interruption.
pub fn draft_path(place: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(place.file_name().unwrap_or_default());
    name.push(format!(".{}.part", std::process::id()));
    place.with_file_name(name)
}

pub(super) struct Draft {
    place: PathBuf,
    path: PathBuf,
}

impl Draft {
    /// Makes the file, empty. Refuses to replace what is no plain file.
    pub(super) fn create(place: &Path) -> Result<Draft> {
        let refused = |reason: &str| Error::Encode {
            location: place.display().to_string(),
            reason: reason.into(),
            remedy: "name a file to write",
        };
        if place.file_name().is_none() {
            return Err(refused("it is no file name"));
        }
        match fs_err::metadata(place) {
            Ok(found) if found.is_dir() => return Err(refused("it is a folder")),
            Ok(found) if !found.is_file() => return Err(refused("it is not a regular file")),
            _ => {}
        }
        let draft = Draft { place: place.to_owned(), path: draft_path(place) };
        fs_err::File::create(&draft.path).map_err(|e| draft.fault(&e))?;
        Ok(draft)
    }

    fn fault(&self, error: &std::io::Error) -> Error {
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such folder".into(),
            std::io::ErrorKind::PermissionDenied => "permission denied".into(),
            // The error of a path would say the path again.
            kind => kind.to_string(),
        };
        Error::Encode { location: self.place.display().to_string(), reason, remedy: REMEDY }
    }

    /// What FFmpeg calls the file: by its `file` protocol, whatever the name looks like.
    pub(super) fn url(&self) -> Result<String> {
        let text = self.path.to_str().filter(|path| !path.contains('\0'));
        let text = text.ok_or_else(|| Error::Encode {
            location: self.place.display().to_string(),
            reason: "its path is not UTF-8".into(),
            remedy: "rename it",
        })?;
        Ok(format!("file:{text}"))
    }

    pub(super) fn fill(&mut self, bytes: &[u8]) -> Result<()> {
        fs_err::write(&self.path, bytes).map_err(|e| self.fault(&e))
    }

    /// Puts the file in its place. [`Drop`] then finds nothing to remove.
    pub(super) fn commit(&mut self) -> Result<()> {
        fs_err::rename(&self.path, &self.place).map_err(|e| self.fault(&e))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs_err::remove_file(&self.path);
    }
}
