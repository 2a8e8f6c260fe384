//! The cache on disk, laid out as the Python hub client does:
//! `models--owner--name/{blobs/<etag>, refs/<revision>, snapshots/<commit>/<path> -> ../../blobs/<etag>}`.
//! Only names and links; what is downloaded how is elsewhere.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::failure::{Hint, failure};
use crate::progress::Progress;

/// `owner/name` on a hub. Checked, so that it is safe as a path and in a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repository {
    owner: String,
    name: String,
}

impl Repository {
    /// Reads `owner/name`; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Repository> {
        let (owner, name) = text.split_once('/')?;
        let valid = |part: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            (1..=96).contains(&part.len())
                && part.chars().all(plain)
                && !part.starts_with(['.', '-'])
                && !part.ends_with(['.', '-'])
                && !part.contains("--")
                && !part.contains("..")
        };
        (valid(owner) && valid(name)).then(|| Repository { owner: owner.to_owned(), name: name.to_owned() })
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// Whether a path inside a repository stays inside a directory on every system.
pub(crate) fn safe_path(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= 1024
        && !path.contains(['\\', '\0', ':'])
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// Whether a revision (branch, tag, `refs/pr/1`, commit) is safe as a path.
pub(crate) fn safe_revision(revision: &str) -> bool {
    safe_path(revision) && !revision.starts_with('-')
}

/// Whether a commit is one.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The cache of one machine.
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache under this directory, which need not exist yet.
    pub(crate) fn new(root: PathBuf) -> Self {
        Cache { root }
    }

    fn folder(repository: &Repository) -> String {
        format!("models--{}--{}", repository.owner, repository.name)
    }

    fn repository(&self, repository: &Repository) -> PathBuf {
        self.root.join(Self::folder(repository))
    }

    /// Where the content named by `etag` is.
    pub(crate) fn blob(&self, repository: &Repository, etag: &str) -> PathBuf {
        self.repository(repository).join("blobs").join(etag)
    }

    /// Where it is while it arrives.
    pub(crate) fn incomplete(&self, repository: &Repository, etag: &str) -> PathBuf {
        self.repository(repository).join("blobs").join(format!("{etag}.incomplete"))
    }

    /// The directory of one commit.
    pub(crate) fn snapshot(&self, repository: &Repository, commit: &str) -> PathBuf {
        self.repository(repository).join("snapshots").join(commit)
    }

    /// Where a file of one commit appears.
    pub(crate) fn pointer(&self, repository: &Repository, commit: &str, path: &str) -> PathBuf {
        self.snapshot(repository, commit).join(path)
    }

    /// The snapshot that a branch, tag or commit stands for, if it was downloaded.
    pub(crate) fn find(&self, repository: &Repository, revision: &str) -> Option<PathBuf> {
        let snapshot = self.snapshot(repository, &self.commit(repository, revision)?);
        snapshot.is_dir().then_some(snapshot)
    }

    /// The commit that a branch, tag or commit stands for, whether or not it was downloaded.
    pub(crate) fn commit(&self, repository: &Repository, revision: &str) -> Option<String> {
        if !safe_revision(revision) {
            return None;
        }
        let reference = self.repository(repository).join("refs").join(revision);
        let commit = match fs_err::read_to_string(reference) {
            Ok(text) => text.trim().to_owned(),
            Err(_) => revision.to_owned(),
        };
        is_commit(&commit).then_some(commit)
    }

    /// The directories of all commits of which anything was downloaded, in order.
    pub(crate) fn snapshots(&self, repository: &Repository) -> Vec<PathBuf> {
        let entries = fs_err::read_dir(self.repository(repository).join("snapshots")).into_iter().flatten();
        let mut places: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|place| place.is_dir()).collect();
        places.sort();
        places
    }

    /// Whether a download of the repository was begun and not finished.
    pub(crate) fn is_unfinished(&self, repository: &Repository) -> bool {
        let blobs = fs_err::read_dir(self.repository(repository).join("blobs")).into_iter().flatten();
        blobs.flatten().any(|blob| blob.file_name().to_string_lossy().ends_with(".incomplete"))
    }

    /// Remembers which commit a revision is.
    pub(crate) fn record(&self, repository: &Repository, revision: &str, commit: &str) -> Result<()> {
        if revision == commit {
            return Ok(());
        }
        let path = self.repository(repository).join("refs").join(revision);
        create_parent(&path)?;
        let mut file = crate::atomic::AtomicFile::create(&path)?;
        std::io::Write::write_all(&mut file, commit.as_bytes())?;
        file.commit()
    }

    /// Waits for other processes that download the same content; the hub client honours the same lock.
    pub(crate) fn lock(
        &self,
        repository: &Repository,
        etag: &str,
        progress: &Progress,
    ) -> Result<fs_err::File> {
        let path = self.root.join(".locks").join(Self::folder(repository)).join(format!("{etag}.lock"));
        create_parent(&path)?;
        let file = fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        if file.file().try_lock().is_err() {
            progress.note(&format!("waiting for another download of {etag}"));
            file.file().lock().with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Ok(file)
    }

    /// Makes the content appear in a snapshot, as a relative link where the file system has links.
    pub(crate) fn point(&self, repository: &Repository, commit: &str, path: &str, etag: &str) -> Result<()> {
        let pointer = self.pointer(repository, commit, path);
        create_parent(&pointer)?;
        let blob = self.blob(repository, etag);
        let ups = "../".repeat(2 + path.matches('/').count());
        let draft = pointer.with_extension(format!("{}.part", std::process::id()));
        crate::interrupt::create(&draft, || link(Path::new(&format!("{ups}blobs/{etag}")), &blob, &draft))?;
        crate::interrupt::finish(&draft, || fs_err::rename(&draft, &pointer))?;
        Ok(())
    }
}

#[cfg(unix)]
fn link(relative: &Path, _blob: &Path, place: &Path) -> Result<()> {
    let _ = fs_err::remove_file(place);
    Ok(fs_err::os::unix::fs::symlink(relative, place)?)
}

#[cfg(not(unix))]
fn link(_relative: &Path, blob: &Path, place: &Path) -> Result<()> {
    fs_err::copy(blob, place)?;
    Ok(())
}

/// Makes the directory a file will be in.
pub(crate) fn create_parent(path: &Path) -> Result<()> {
    let parent =
        path.parent().ok_or_else(|| failure("no directory for the cache", "set HF_HOME to a directory"))?;
    fs_err::create_dir_all(parent)
        .hint(|| "set HF_HOME or HF_HUB_CACHE to a directory that can be written".to_owned())
}
