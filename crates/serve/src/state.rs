//! The folder of a server: uploads, live sessions, drafts. With a folder of its own what is in it outlives the server,
//! also one that was killed; without, it is gone with it. One server at a time: a lock says so. Nothing here is trusted to
//! be whole but what was renamed into place.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::options::ServeOptions;
use crate::queue::Key;
use crate::{Error, Result};

const LOCK: &str = ".lock";
const DRAFTS: &str = "drafts";
const PEPPER: &str = ".pepper";

/// The folder.
pub(crate) struct State {
    folder: PathBuf,
    is_kept: bool,
    /// Makes names; new with every start, so that none is given twice.
    secret: [u8; 32],
    count: AtomicU64,
    /// What is written of each key in place of the key.
    owners: Vec<String>,
    _lock: fs_err::File,
}

/// A file that is removed when dropped.
pub(crate) struct Draft(pub(crate) PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        // It may have been renamed into place.
        let _ = fs_err::remove_file(&self.0);
    }
}

impl State {
    /// Takes the folder that the options name, or one of its own that nobody else has.
    pub(crate) fn open(options: &ServeOptions) -> Result<State> {
        let (folder, is_kept) = match &options.state_dir {
            Some(folder) => (folder.clone(), true),
            None => {
                sweep(&options.files_dir);
                (options.files_dir.join(std::process::id().to_string()), false)
            }
        };
        let fault = |error: std::io::Error| Error::Files { path: folder.clone(), reason: error.to_string() };
        private(&folder).map_err(fault)?;
        if is_kept && is_foreign(&folder).map_err(fault)? {
            // What is not a server's would be taken for what one left half done, and removed.
            let reason = "it holds other files and was made by no server".to_owned();
            return Err(Error::Files { path: folder, reason });
        }
        let lock = fs_err::File::create(folder.join(LOCK)).map_err(fault)?;
        if lock.file().try_lock().is_err() {
            let reason = "another server uses it".to_owned();
            return Err(Error::Files { path: folder, reason });
        }
        // First of all: it says whose the folder is.
        let pepper = pepper(&folder).map_err(fault)?;
        // What a server that was killed left half done.
        let drafts = folder.join(DRAFTS);
        let _ = fs_err::remove_dir_all(&drafts);
        fs_err::create_dir_all(&drafts).map_err(fault)?;
        let secret = random().map_err(fault)?;
        let owner = |key: &String| blake3::keyed_hash(&pepper, key.as_bytes()).to_hex()[..32].to_owned();
        let mut owners: Vec<String> = options.api_keys.iter().map(owner).collect();
        if owners.is_empty() {
            owners.push("everybody".to_owned());
        }
        Ok(State { folder, is_kept, secret, count: AtomicU64::new(0), owners, _lock: lock })
    }

    /// A folder in it, made if it is missing.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        let made = fs_err::create_dir_all(&folder);
        made.map_err(|error| Error::Files { path: folder.clone(), reason: error.to_string() })?;
        Ok(folder)
    }

    /// A name that nobody can guess.
    pub(crate) fn name(&self, kind: &str) -> String {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let hash = blake3::keyed_hash(&self.secret, &number.to_le_bytes()).to_hex();
        format!("{kind}-{}", &hash[..32])
    }

    /// A file to write to that is gone when the returned value is.
    pub(crate) fn draft(&self) -> Draft {
        Draft(self.folder.join(DRAFTS).join(self.name("draft")))
    }

    /// Whom files of a key belong to: the same after a restart, whatever the order of the keys.
    pub(crate) fn owner(&self, key: Key) -> &str {
        self.owners.get(key).map_or("nobody", String::as_str)
    }

    /// Writes a small file so that it is the old one or the new one, whenever the power goes.
    pub(crate) fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let draft = self.draft();
        fs_err::write(&draft.0, bytes)?;
        place(&draft, path)
    }
}

/// Makes a finished draft the file at `path`.
pub(crate) fn place(draft: &Draft, path: &Path) -> std::io::Result<()> {
    fs_err::File::open(&draft.0)?.sync_data()?;
    fs_err::rename(&draft.0, path)
}

impl Drop for State {
    fn drop(&mut self) {
        if !self.is_kept {
            // Nobody could name these files in another server.
            let _ = fs_err::remove_dir_all(&self.folder);
        }
    }
}

/// Makes a folder that no other user of this machine can look into.
fn private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

fn random() -> std::io::Result<[u8; 32]> {
    let mut bytes = [0u8; 32];
    let mut source = fs_err::File::open("/dev/urandom")?;
    std::io::Read::read_exact(&mut source, &mut bytes)?;
    Ok(bytes)
}

/// What is mixed into the hashes of keys: made once for a folder, so that they can be compared with those of no other.
fn pepper(folder: &Path) -> std::io::Result<[u8; 32]> {
    let path = folder.join(PEPPER);
    if let Ok(bytes) = fs_err::read(&path)
        && let Ok(bytes) = bytes.try_into()
    {
        return Ok(bytes);
    }
    let bytes = random()?;
    fs_err::write(path, bytes)?;
    Ok(bytes)
}

/// Whether a folder has files and none that says it is a server's.
fn is_foreign(folder: &Path) -> std::io::Result<bool> {
    let mut others = false;
    for entry in fs_err::read_dir(folder)? {
        let name = entry?.file_name();
        if name == PEPPER {
            return Ok(false);
        }
        others |= name != LOCK;
    }
    Ok(others)
}

/// Removes the folders of servers that were killed: those whose lock nobody holds.
fn sweep(folder: &Path) {
    for entry in fs_err::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(lock) = fs_err::File::open(entry.path().join(LOCK)) else { continue };
        if lock.file().try_lock().is_ok() {
            // What cannot be removed now is tried again by the next server.
            let _ = fs_err::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_server_and_those_of_the_dead_are_removed() {
        let home = tempfile::tempdir().unwrap();
        let options = ServeOptions { files_dir: home.path().join("files"), ..ServeOptions::default() };
        let dead = options.files_dir.join("1");
        fs_err::create_dir_all(&dead).unwrap();
        fs_err::write(dead.join(LOCK), "").unwrap();
        let first = State::open(&options).unwrap();
        assert!(!dead.exists(), "nobody holds its lock");
        sweep(&options.files_dir);
        assert!(first.folder.exists(), "a living server keeps its folder");
        drop(first);
        assert_eq!(std::fs::read_dir(&options.files_dir).unwrap().count(), 0);
        let state_dir = Some(home.path().join("state"));
        let kept = ServeOptions { state_dir, ..options };
        let first = State::open(&kept).unwrap();
        assert!(State::open(&kept).is_err(), "it is taken");
        #[cfg(unix)]
        {
            let mode = fs_err::metadata(&first.folder).unwrap();
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o77, 0);
        }
        drop(first);
        assert!(State::open(&kept).is_ok());
        // Somebody's own folder is not taken for one: what is in it would be removed.
        let own = home.path().join("own");
        fs_err::create_dir_all(own.join("uploads")).unwrap();
        fs_err::write(own.join("uploads/holiday.mp4"), "film").unwrap();
        let wrong = ServeOptions { state_dir: Some(own.clone()), ..kept };
        let Err(error) = State::open(&wrong) else { panic!("it was taken") };
        assert!(error.to_string().contains("made by no server") && !own.join(LOCK).exists(), "{error}");
        assert!(own.join("uploads/holiday.mp4").exists());
    }

    #[test]
    fn owners_are_known_again_and_names_are_not_given_twice() {
        let home = tempfile::tempdir().unwrap();
        let keyed = |keys: &[&str]| {
            let api_keys = keys.iter().map(|key| (*key).to_owned()).collect();
            let state_dir = Some(home.path().to_owned());
            State::open(&ServeOptions { api_keys, state_dir, ..ServeOptions::default() }).unwrap()
        };
        let first = keyed(&["first-key", "second-key"]);
        let (owner, name) = (first.owner(1).to_owned(), first.name("file"));
        drop(first);
        let second = keyed(&["second-key"]);
        assert_eq!(second.owner(0), owner);
        assert!(second.name("file") != name && second.owner(1) == "nobody");
        assert!(!owner.contains("key"));
    }
}
