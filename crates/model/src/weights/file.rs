//! One safetensors file, mapped. The header is read and checked; the numbers stay on disk until somebody touches
//! them. A file that another process shortens while it is mapped kills this one (SIGBUS): checkpoints are
//! replaced by renaming, never rewritten in place.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, Metadata, SafeTensors};

use crate::error::{ModelError, Result};

/// A mapped file and what its header says.
pub struct WeightFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes.
    pub map: Arc<Mmap>,
    /// The header.
    pub metadata: Metadata,
    /// Offset of the first tensor byte.
    data_start: usize,
}

/// One tensor of a file.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Number type.
    pub dtype: Dtype,
    /// Sides.
    pub shape: Vec<usize>,
    /// Its bytes within the file.
    pub bytes: Range<usize>,
}

impl WeightFile {
    /// Maps `path` and reads its header.
    pub fn open(path: &Path) -> Result<WeightFile> {
        let damaged = |reason: String| ModelError::Damaged { file: path.to_owned(), reason };
        let file = fs_err::File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Err(damaged("it is empty".into()));
        }
        // SAFETY: the map is read-only; the header above states what happens if the file shrinks under it.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(file.file()) }?;
        let (header, metadata) = SafeTensors::read_metadata(&map).map_err(|error| match error {
            SafeTensorError::MetadataIncompleteBuffer => damaged(format!(
                "{} bytes are not what its header announces, the file is cut short",
                map.len()
            )),
            error => damaged(format!("its header cannot be read ({error})")),
        })?;
        let data_start = header + 8;
        Ok(WeightFile { path: path.to_owned(), map: Arc::new(map), metadata, data_start })
    }

    /// The tensor called `name`.
    pub fn entry(&self, name: &str) -> Option<Entry> {
        let info = self.metadata.info(name)?;
        let (start, end) = info.data_offsets;
        Some(Entry {
            dtype: info.dtype,
            shape: info.shape.clone(),
            bytes: self.data_start + start..self.data_start + end,
        })
    }

    /// The header's bytes, for a fingerprint of the checkpoint.
    pub fn header(&self) -> &[u8] {
        &self.map[..self.data_start]
    }
}
