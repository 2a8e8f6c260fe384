//! Prepared media kept for the next question about them, bounded in bytes, the longest unused dropped first; and
//! the content hashes they are keyed by. Holds values only: nothing here reads pixels.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use firsthand_base::Digest;
use fs_err as fs;

use crate::{Picture, Prepared};

/// Prepared media by key.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    most_bytes: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<Digest, Entry>,
    bytes: usize,
    clock: u64,
    files: HashMap<PathBuf, (u64, SystemTime, Digest)>,
}

#[derive(Debug)]
struct Entry {
    prepared: Prepared,
    bytes: usize,
    used: u64,
}

impl Cache {
    pub(crate) fn new(most_bytes: usize) -> Self {
        Cache { most_bytes, inner: Mutex::default() }
    }

    /// Whether anything is ever kept.
    pub(crate) fn is_on(&self) -> bool {
        self.most_bytes > 0
    }

    pub(crate) fn get(&self, key: &Digest) -> Option<Prepared> {
        let mut inner = self.lock();
        inner.clock += 1;
        let now = inner.clock;
        inner.entries.get_mut(key).map(|entry| {
            entry.used = now;
            entry.prepared.clone()
        })
    }

    pub(crate) fn put(&self, key: Digest, prepared: &Prepared) {
        let size = |pictures: &[Picture]| pictures.iter().map(|p| p.rgb.len()).sum::<usize>();
        let bytes = size(&prepared.pictures) + size(&prepared.originals);
        if bytes > self.most_bytes {
            return;
        }
        let mut inner = self.lock();
        inner.clock += 1;
        let entry = Entry { prepared: prepared.clone(), bytes, used: inner.clock };
        inner.bytes += bytes;
        if let Some(old) = inner.entries.insert(key, entry) {
            inner.bytes -= old.bytes;
        }
        while inner.bytes > self.most_bytes {
            let oldest = inner.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key);
            let gone = oldest.and_then(|key| inner.entries.remove(&key)).expect("bytes belong to entries");
            inner.bytes -= gone.bytes;
        }
    }

    /// BLAKE3 of a file's content. Read again only when its size or its time of change differs.
    pub(crate) fn file_hash(&self, path: &Path) -> std::io::Result<Digest> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() && !metadata.is_dir() {
            // A pipe or a device may never end.
            return Err(std::io::Error::other("it is not a regular file"));
        }
        let (size, changed) = (metadata.len(), metadata.modified()?);
        let path = fs::canonicalize(path)?;
        if let Some((s, c, digest)) = self.lock().files.get(&path)
            && (*s, *c) == (size, changed)
        {
            return Ok(*digest);
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(fs::File::open(&path)?)?;
        let digest = Digest(*hasher.finalize().as_bytes());
        self.lock().files.insert(path, (size, changed, digest));
        Ok(digest)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("no thread panics while it holds the lock")
    }
}
