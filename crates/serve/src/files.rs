//! Uploads: files in one bounded folder, each with an owner and a name that cannot be guessed. A file is written
//! beside and renamed, so that a half upload is never one. Nothing of a file is trusted; opening it is the media
//! process's business.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::queue::Key;
use crate::refusal::{Answered, Refusal};
use crate::{Error, Result};

/// An upload.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) purpose: String,
    created_s: u64,
    owner: Key,
    pub(crate) path: PathBuf,
}

/// The folder.
pub(crate) struct Files {
    folder: PathBuf,
    most_files: usize,
    most_bytes: u64,
    secret: [u8; 32],
    count: AtomicU64,
    stored: Mutex<BTreeMap<String, Stored>>,
    /// Bytes of uploads under way.
    arriving: AtomicU64,
}

/// A file that is removed when dropped.
pub(crate) struct Draft(pub(crate) PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        // It may have been renamed into place.
        let _ = fs_err::remove_file(&self.0);
    }
}

impl Files {
    /// Takes a folder of its own below `folder`. Uploads live as long as the server.
    pub(crate) fn open(folder: &Path, most_files: usize, most_bytes: u64) -> Result<Files> {
        let fault =
            |error: std::io::Error| Error::Files { path: folder.to_owned(), reason: error.to_string() };
        let folder = folder.join(format!("{}", std::process::id()));
        fs_err::create_dir_all(&folder).map_err(fault)?;
        let mut secret = [0u8; 32];
        let mut source = fs_err::File::open("/dev/urandom").map_err(fault)?;
        std::io::Read::read_exact(&mut source, &mut secret).map_err(fault)?;
        Ok(Files {
            folder,
            most_files,
            most_bytes,
            secret,
            count: AtomicU64::new(0),
            stored: Mutex::default(),
            arriving: AtomicU64::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Stored>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name that nobody can guess.
    pub(crate) fn name(&self, kind: &str) -> String {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let hash = blake3::keyed_hash(&self.secret, &number.to_le_bytes()).to_hex();
        format!("{kind}-{}", &hash[..32])
    }

    /// A file to write to that is gone when the returned value is.
    pub(crate) fn draft(&self) -> Draft {
        Draft(self.folder.join(self.name("draft")))
    }

    /// Claims room for bytes that are about to be written.
    pub(crate) fn claim(&self, bytes: u64) -> Answered<()> {
        let kept: u64 = self.lock().values().map(|stored| stored.bytes).sum();
        let arriving = self.arriving.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if kept + arriving > self.most_bytes {
            self.arriving.fetch_sub(bytes, Ordering::Relaxed);
            let full = "there is no room for further uploads; delete some";
            return Err(Refusal::new(axum::http::StatusCode::INSUFFICIENT_STORAGE, "storage_full", full));
        }
        Ok(())
    }

    /// Gives up what was claimed.
    pub(crate) fn release(&self, bytes: u64) {
        self.arriving.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Makes a finished draft an upload.
    pub(crate) fn keep(
        &self,
        draft: &Draft,
        owner: Key,
        name: &str,
        purpose: &str,
        bytes: u64,
    ) -> Answered<Stored> {
        let id = self.name("file");
        let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
        let ending =
            ending.filter(|ending| ending.len() <= 5 && ending.bytes().all(|b| b.is_ascii_alphanumeric()));
        let path = self.folder.join(format!("{id}.{}", ending.unwrap_or("bin")));
        let created_s =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut stored = self.lock();
        if stored.len() >= self.most_files {
            return Err(Refusal::busy("there are as many uploads as there may be; delete some"));
        }
        fs_err::rename(&draft.0, &path).map_err(|error| Refusal::internal(&error.to_string()))?;
        let (name, purpose) = (name.chars().take(256).collect(), purpose.chars().take(64).collect());
        let file = Stored { id: id.clone(), name, bytes, purpose, created_s, owner, path };
        stored.insert(id, file.clone());
        Ok(file)
    }

    /// An upload of this owner.
    pub(crate) fn find(&self, id: &str, owner: Key) -> Answered<Stored> {
        let stored = self.lock();
        stored
            .get(id)
            .filter(|stored| stored.owner == owner)
            .cloned()
            .ok_or_else(|| Refusal::absent("such file"))
    }

    /// All uploads of this owner.
    pub(crate) fn all(&self, owner: Key) -> Vec<Stored> {
        self.lock().values().filter(|stored| stored.owner == owner).cloned().collect()
    }

    /// Deletes an upload of this owner.
    pub(crate) fn delete(&self, id: &str, owner: Key) -> Answered<()> {
        let file = self.find(id, owner)?;
        self.lock().remove(id);
        // What the system does not delete now goes with the folder.
        let _ = fs_err::remove_file(file.path);
        Ok(())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // Nobody could name these files in another server.
        let _ = fs_err::remove_dir_all(&self.folder);
    }
}

impl Stored {
    /// As OpenAI shows it.
    pub(crate) fn json(&self) -> Value {
        json!({
            "id": self.id, "object": "file", "bytes": self.bytes, "created_at": self.created_s,
            "filename": self.name, "purpose": self.purpose, "status": "processed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_are_bounded_owned_and_gone_with_the_server() {
        let home = tempfile::tempdir().unwrap();
        let files = Files::open(home.path(), 1, 10).unwrap();
        let store = |name: &str| {
            let draft = files.draft();
            fs_err::write(&draft.0, "12345").unwrap();
            files.claim(5)?;
            let kept = files.keep(&draft, 3, name, "vision", 5);
            files.release(5);
            kept
        };
        let kept = store("../../clip.mp4").unwrap();
        assert!(kept.path.parent().unwrap().starts_with(home.path()) && kept.path.exists());
        assert!(kept.path.to_str().unwrap().ends_with(".mp4"));
        assert_eq!(store("b").unwrap_err().status, 429);
        assert_eq!(files.claim(6).unwrap_err().status, 507);
        assert!(files.find(&kept.id, 3).is_ok());
        assert_eq!(files.find(&kept.id, 4).unwrap_err().status, 404, "another key's file");
        assert!(files.delete(&kept.id, 4).is_err());
        files.delete(&kept.id, 3).unwrap();
        assert!(!kept.path.exists() && files.all(3).is_empty());
        drop(files);
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
