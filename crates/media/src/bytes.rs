//! Where the bytes of a medium are while it is open: a file, or memory. A film that came inline becomes a file for as long
//! as it is looked at, because decoders seek.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::kind::Kind;
use crate::location::{self, Location};
use crate::{Error, OpenerOptions, Result, fetch};

/// Where bytes are.
pub(crate) enum Bytes {
    /// In a file.
    File(PathBuf),
    /// Here.
    Here(Vec<u8>),
}

/// A file that may vanish with this value.
pub(crate) struct Placed {
    pub(crate) path: PathBuf,
    _draft: Option<NamedTempFile>,
}

impl Bytes {
    /// Finds what a location names. Downloads are files where there is a folder for them, and where a film `needs_file`.
    pub(crate) fn find(location: &str, options: &OpenerOptions, needs_file: bool) -> Result<Bytes> {
        Ok(match location::parse(location, options.max_image_bytes)? {
            Location::Inline(bytes) => Bytes::Here(bytes),
            Location::File(path) => Bytes::File(path),
            Location::Remote(url) if needs_file || options.cache_dir.is_some() => {
                Bytes::File(fetch::file(&url, options)?)
            }
            Location::Remote(url) => Bytes::Here(fetch::bytes(&url, options)?),
        })
    }

    /// What they are.
    pub(crate) fn kind(&self, name: &str) -> Result<Kind> {
        match self {
            Bytes::Here(bytes) => Ok(Kind::of_bytes(bytes, name)),
            Bytes::File(path) => {
                let fault = |error: std::io::Error| Error::read(name, &error);
                if !fs_err::metadata(path).map_err(fault)?.is_file() {
                    let is_folder = path.is_dir();
                    let reason = if is_folder { "it is a folder" } else { "it is not a file" };
                    return Err(Error::Read { location: name.into(), reason: reason.into() });
                }
                Kind::of(&mut fs_err::File::open(path).map_err(fault)?, name).map_err(fault)
            }
        }
    }

    /// All of them, up to `most`.
    pub(crate) fn whole(self, name: &str, most: u64) -> Result<Vec<u8>> {
        match self {
            Bytes::Here(bytes) => Ok(bytes),
            Bytes::File(path) => read(&path, name, most),
        }
    }

    /// As a file.
    pub(crate) fn place(self, name: &str) -> Result<Placed> {
        match self {
            Bytes::File(path) => Ok(Placed { path, _draft: None }),
            Bytes::Here(bytes) => {
                let fault = |error: std::io::Error| Error::Cache {
                    path: std::env::temp_dir(),
                    reason: format!("{error} (for {name})"),
                };
                let mut draft = NamedTempFile::new().map_err(fault)?;
                draft.write_all(&bytes).map_err(fault)?;
                Ok(Placed { path: draft.path().to_owned(), _draft: Some(draft) })
            }
        }
    }
}

/// A whole file, up to `most` bytes, whatever its size is said to be.
pub(crate) fn read(path: &Path, name: &str, most: u64) -> Result<Vec<u8>> {
    let fault = |e: std::io::Error| Error::read(name, &e);
    let file = fs_err::File::open(path).map_err(fault)?;
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() as u64 > most {
        return Err(Error::Budget {
            location: name.into(),
            reason: format!("it has more than {most} bytes"),
            remedy: "give a picture file, or save it smaller",
        });
    }
    Ok(bytes)
}
