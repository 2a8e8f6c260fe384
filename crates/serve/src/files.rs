//! Uploads: files in one bounded folder, each with an owner and a name that cannot be guessed. A file is written
//! beside and renamed, and what is known of it stands beside it from then on: a half upload is never one. Nothing of a
//! file is trusted; opening it is the media process's business.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Result;
use crate::app::now_s;
use crate::queue::Key;
use crate::refusal::{Answered, Refusal};
use crate::state::{Draft, State, place};

/// An upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) purpose: String,
    created_s: u64,
    owner: String,
    ending: String,
    #[serde(skip)]
    pub(crate) path: PathBuf,
}

/// The folder.
pub(crate) struct Files {
    state: Arc<State>,
    folder: PathBuf,
    most_files: usize,
    most_bytes: u64,
    stored: Mutex<BTreeMap<String, Stored>>,
    /// Bytes of uploads under way.
    arriving: AtomicU64,
}

impl Files {
    /// The uploads in a server's folder; what is not whole is removed.
    pub(crate) fn open(state: Arc<State>, most_files: usize, most_bytes: u64) -> Result<Files> {
        let folder = state.folder("uploads")?;
        let stored = Mutex::new(read(&folder));
        Ok(Files { state, folder, most_files, most_bytes, stored, arriving: AtomicU64::new(0) })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Stored>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name that nobody can guess.
    pub(crate) fn name(&self, kind: &str) -> String {
        self.state.name(kind)
    }

    /// A file to write to that is gone when the returned value is.
    pub(crate) fn draft(&self) -> Draft {
        self.state.draft()
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
        let ending = ending.unwrap_or("bin").to_owned();
        let path = self.folder.join(format!("{id}.{ending}"));
        let mut stored = self.lock();
        if stored.len() >= self.most_files {
            return Err(Refusal::busy("there are as many uploads as there may be; delete some"));
        }
        let (name, purpose) = (name.chars().take(256).collect(), purpose.chars().take(64).collect());
        let owner = self.state.owner(owner).to_owned();
        let file = Stored { id: id.clone(), name, bytes, purpose, created_s: now_s(), owner, ending, path };
        let fault = |error: std::io::Error| Refusal::internal(&error.to_string());
        place(draft, &file.path).map_err(fault)?;
        // From here on it is an upload, also to the next server.
        let facts = serde_json::to_vec(&file).map_err(|error| Refusal::internal(&error.to_string()))?;
        self.state.write(&self.folder.join(format!("{id}.upload")), &facts).map_err(fault)?;
        stored.insert(id, file.clone());
        Ok(file)
    }

    /// An upload of this owner.
    pub(crate) fn find(&self, id: &str, owner: Key) -> Answered<Stored> {
        let stored = self.lock();
        stored
            .get(id)
            .filter(|stored| stored.owner == self.state.owner(owner))
            .cloned()
            .ok_or_else(|| Refusal::absent("such file"))
    }

    /// All uploads of this owner.
    pub(crate) fn all(&self, owner: Key) -> Vec<Stored> {
        let owner = self.state.owner(owner);
        self.lock().values().filter(|stored| stored.owner == owner).cloned().collect()
    }

    /// Deletes an upload of this owner.
    pub(crate) fn delete(&self, id: &str, owner: Key) -> Answered<()> {
        let file = self.find(id, owner)?;
        self.lock().remove(id);
        // Without its facts it is no upload any more; bytes that cannot be removed now go with the next start.
        let _ = fs_err::remove_file(self.folder.join(format!("{id}.upload")));
        let _ = fs_err::remove_file(file.path);
        Ok(())
    }
}

/// What is whole in a folder. Bytes without facts are removed; facts that cannot be read are left with their bytes.
fn read(folder: &Path) -> BTreeMap<String, Stored> {
    let (mut whole, mut others, mut unread) = (BTreeMap::new(), Vec::new(), Vec::new());
    for entry in fs_err::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|ending| ending != "upload") {
            others.push(path);
            continue;
        }
        let stored = fs_err::read(&path).ok().and_then(|facts| serde_json::from_slice::<Stored>(&facts).ok());
        let Some(mut stored) = stored.filter(|stored| path == folder.join(format!("{}.upload", stored.id)))
        else {
            unread.push(path);
            continue;
        };
        stored.path = folder.join(format!("{}.{}", stored.id, stored.ending));
        match fs_err::metadata(&stored.path).is_ok_and(|file| file.len() == stored.bytes) {
            true => drop(whole.insert(stored.id.clone(), stored)),
            false => others.push(path),
        }
    }
    others.retain(|path| {
        let is_known = whole.values().any(|stored| stored.path == *path);
        !is_known && unread.iter().all(|facts| facts.file_stem() != path.file_stem())
    });
    for path in others {
        // What cannot be removed is nobody's upload either way.
        let _ = fs_err::remove_file(path);
    }
    whole
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
    use crate::options::ServeOptions;

    fn store(files: &Files, name: &str) -> Answered<Stored> {
        let draft = files.draft();
        fs_err::write(&draft.0, "12345").unwrap();
        files.claim(5)?;
        let kept = files.keep(&draft, 0, name, "vision", 5);
        files.release(5);
        kept
    }

    #[test]
    fn uploads_are_bounded_owned_and_gone_with_the_server() {
        let home = tempfile::tempdir().unwrap();
        let options = ServeOptions { files_dir: home.path().to_owned(), ..ServeOptions::default() };
        let state = Arc::new(State::open(&options).unwrap());
        let files = Files::open(state.clone(), 1, 10).unwrap();
        let kept = store(&files, "../../clip.mp4").unwrap();
        assert!(kept.path.parent().unwrap().starts_with(home.path()) && kept.path.exists());
        assert!(kept.path.to_str().unwrap().ends_with(".mp4"));
        assert_eq!(store(&files, "b").unwrap_err().status, 429);
        assert_eq!(files.claim(6).unwrap_err().status, 507);
        assert!(files.find(&kept.id, 0).is_ok());
        assert_eq!(files.find(&kept.id, 4).unwrap_err().status, 404, "another key's file");
        assert!(files.delete(&kept.id, 4).is_err());
        files.delete(&kept.id, 0).unwrap();
        assert!(!kept.path.exists() && files.all(0).is_empty());
        drop((files, state));
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_kept_folder_holds_whole_uploads_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let state_dir = Some(home.path().to_owned());
        let options = ServeOptions { state_dir, ..ServeOptions::default() };
        let open = || Files::open(Arc::new(State::open(&options).unwrap()), 9, 100).unwrap();
        let files = open();
        let (whole, cut) = (store(&files, "a.mp4").unwrap(), store(&files, "b.json").unwrap());
        fs_err::write(&cut.path, "123").unwrap();
        fs_err::write(files.folder.join("file-without-facts.mp4"), "1").unwrap();
        for ending in ["upload", "mp4"] {
            fs_err::write(files.folder.join(format!("file-of-another-version.{ending}")), "1").unwrap();
        }
        drop(files);
        let files = open();
        assert_eq!(files.find(&whole.id, 0).unwrap().name, "a.mp4");
        assert!(files.find(&cut.id, 0).is_err());
        assert_eq!(std::fs::read_dir(&files.folder).unwrap().count(), 4, "uploads and their facts");
    }
}
