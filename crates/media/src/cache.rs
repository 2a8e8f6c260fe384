//! Prepared media and lists of packets kept for the next question about them, bounded in bytes, the longest unused
//! dropped first, and what they are keyed by. Holds values only: nothing here reads a file or a pixel.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use firsthand_base::Digest;
use fs_err as fs;

use crate::film::Film;
use crate::{Picture, Prepared};

/// Most bytes of packet lists. One of ten hours at 30 frames a second takes 35 MB.
const MOST_LISTED: usize = 64 << 20;

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
    /// The longest unused first.
    listed: Vec<(FileKey, Arc<Film>)>,
}

/// A file in the state in which it was found: its true path, its place on the disk, its length, and when its
/// content and its entry last changed. A film of gigabytes is known by these without being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileKey {
    path: PathBuf,
    device: u64,
    inode: u64,
    length: u64,
    /// Seconds and nanoseconds.
    changed: [i64; 4],
}

impl FileKey {
    /// Looks at a file's entry. A folder is an error, and so are pipes and devices, which may never end.
    pub(crate) fn of(path: &Path) -> std::io::Result<FileKey> {
        let metadata = fs::metadata(path)?;
        if metadata.is_dir() {
            return Err(std::io::ErrorKind::IsADirectory.into());
        }
        if !metadata.is_file() {
            return Err(std::io::Error::other("it is not a regular file"));
        }
        Ok(FileKey {
            path: fs::canonicalize(path)?,
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            changed: [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()],
        })
    }
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

    /// The packet list of a file that has not changed since, under the name that errors call it.
    pub(crate) fn listed(&self, file: &FileKey, name: &str) -> Option<Arc<Film>> {
        let mut inner = self.lock();
        let at = inner.listed.iter().position(|(known, video)| known == file && video.name() == name)?;
        let entry = inner.listed.remove(at);
        inner.listed.push(entry);
        inner.listed.last().map(|(_, video)| video.clone())
    }

    /// Keeps a packet list, and drops others where there are too many bytes of them.
    pub(crate) fn list(&self, file: FileKey, video: &Arc<Film>) {
        let mut inner = self.lock();
        inner.listed.retain(|(known, _)| known.path != file.path);
        inner.listed.push((file, video.clone()));
        let mut bytes: usize = inner.listed.iter().map(|(_, video)| video.bytes()).sum();
        while bytes > MOST_LISTED && inner.listed.len() > 1 {
            bytes -= inner.listed.remove(0).1.bytes();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("no thread panics while it holds the lock")
    }
}
