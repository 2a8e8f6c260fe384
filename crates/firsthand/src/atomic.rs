//! An output file that exists complete or not at all: written beside its place, renamed on commit, removed when
//! dropped or interrupted before that.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::failure::Hint;
use crate::interrupt;

/// A file under construction.
pub(crate) struct AtomicFile {
    place: PathBuf,
    draft: PathBuf,
    writer: Option<BufWriter<fs_err::File>>,
}

impl AtomicFile {
    /// Starts a file that will replace `place`. Fails at once where it could not be created, so that no work is
    /// done in vain.
    pub(crate) fn create(place: &Path) -> Result<Self> {
        let name = place.file_name().with_context(|| format!("not a file name: {}", place.display()))?;
        // Renaming onto a device or a pipe would put a file in its place.
        if fs_err::metadata(place).is_ok_and(|found| !found.is_file()) {
            let kind = if place.is_dir() { "is a directory" } else { "is not a regular file" };
            return Err(crate::failure::failure(
                format!("{kind}: {}", place.display()),
                "name a file to write",
            ));
        }
        let mut draft_name = std::ffi::OsString::from(".");
        draft_name.push(name);
        draft_name.push(format!(".{}.part", std::process::id()));
        let draft = place.with_file_name(draft_name);
        let file = interrupt::create(&draft, || fs_err::File::create(&draft));
        let file = match file {
            Ok(file) => file,
            Err(error) => {
                interrupt::finish(&draft, || ());
                return Err(error)
                    .with_context(|| format!("cannot write {}", place.display()))
                    .hint(|| "create the directory first, or choose one that can be written".to_owned());
            }
        };
        Ok(AtomicFile {
            place: place.to_owned(),
            draft,
            writer: Some(BufWriter::with_capacity(1 << 20, file)),
        })
    }

    /// Puts the finished file in its place, durably.
    pub(crate) fn commit(mut self) -> Result<()> {
        let writer = self.writer.take().expect("a file is committed once");
        let file = writer.into_inner().map_err(|error| error.into_error())?;
        file.sync_all()?;
        drop(file);
        interrupt::finish(&self.draft, || fs_err::rename(&self.draft, &self.place))?;
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writer.as_mut().expect("writing ends with commit").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.as_mut().expect("writing ends with commit").flush()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        // After a commit the draft is gone and this does nothing.
        self.writer = None;
        interrupt::finish(&self.draft, || {
            let _ = fs_err::remove_file(&self.draft);
        });
    }
}
