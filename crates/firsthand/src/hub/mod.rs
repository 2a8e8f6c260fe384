//! Checkpoints from a Hugging Face hub, into the cache that the Python hub client shares. Downloads resume,
//! are checked against the hub's hashes and appear in a snapshot only when whole. No Xet protocol, no upload.

mod cache;
mod client;
mod transfer;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Result, bail};

pub(crate) use cache::{Cache, Repository, safe_revision};
pub(crate) use client::{Client, Retry};

use crate::failure::failure;
use crate::progress::Progress;
use client::{FileInfo, RevisionInfo};

/// One file of a finished fetch.
#[derive(serde::Serialize)]
pub(crate) struct Fetched {
    /// Path inside the repository.
    pub(crate) path: String,
    /// Bytes.
    pub(crate) size: u64,
    /// Name of the blob: SHA-256 for large files, git's object id for others.
    pub(crate) etag: String,
    /// Whether it was there already.
    pub(crate) cached: bool,
}

/// What to download from where.
pub(crate) struct Order<'a> {
    pub(crate) client: &'a Client,
    pub(crate) cache: &'a Cache,
    pub(crate) repository: &'a Repository,
    pub(crate) revision: &'a RevisionInfo,
}

/// Weights this program cannot read; repositories often hold a second copy in one of these formats.
const OTHER_WEIGHTS: [&str; 10] =
    [".bin", ".pt", ".pth", ".onnx", ".h5", ".msgpack", ".gguf", ".ot", ".tflite", ".ckpt"];

/// Chooses files: all that match one of `include`, or, without `include`, all but weights in other formats.
pub(crate) fn choose<'a>(files: &'a [FileInfo], include: &[String], all: bool) -> Vec<&'a FileInfo> {
    let other = |path: &str| OTHER_WEIGHTS.iter().any(|end| path.ends_with(end));
    let wanted = |file: &&FileInfo| match include {
        [] => all || !other(&file.path),
        patterns => patterns.iter().any(|pattern| matches(pattern, &file.path)),
    };
    files.iter().filter(wanted).collect()
}

/// Whether `text` matches `pattern`, where `*` stands for any run of characters.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(tail)
}

/// Downloads `files` with at most `jobs` connections, then records the revision. The first error stops the rest
/// at their next file; what was received stays for the next run.
pub(crate) fn fetch(
    order: &Order<'_>,
    files: &[&FileInfo],
    jobs: usize,
    progress: &Progress,
) -> Result<Vec<Fetched>> {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let outcomes: Mutex<Vec<Option<Result<Fetched>>>> = Mutex::new(files.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, files.len().max(1)) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(index) else { break };
                    let outcome = one(order, file, progress);
                    stop.fetch_or(outcome.is_err(), Ordering::Relaxed);
                    outcomes.lock().expect("workers do not panic while holding the lock")[index] =
                        Some(outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().expect("workers do not panic while holding the lock");
    let fetched = outcomes.into_iter().flatten().collect::<Result<Vec<_>>>()?;
    order.cache.record(order.repository, &order.revision.name, &order.revision.commit)?;
    Ok(fetched)
}

/// Makes one file appear in the snapshot.
fn one(order: &Order<'_>, file: &FileInfo, progress: &Progress) -> Result<Fetched> {
    let Order { client, cache, repository, revision } = *order;
    let pointer = cache.pointer(repository, &revision.commit, &file.path);
    if let (Some(size), Some(etag)) = (file.size, &file.etag)
        && fs_err::metadata(&pointer).is_ok_and(|data| data.len() == size)
    {
        progress.skip(size);
        return Ok(Fetched { path: file.path.clone(), size, etag: etag.clone(), cached: true });
    }
    let url = client.file_url(repository, &revision.commit, &file.path);
    let head = client.head(repository, &url)?;
    if head.commit.as_ref().is_some_and(|commit| *commit != revision.commit) {
        bail!("the hub answered for another commit than {}: {url}", revision.commit);
    }
    let Some(etag) = head.etag else {
        return Err(failure(
            format!("the hub did not say which content it has (no usable ETag): {url}"),
            "check HF_ENDPOINT: this address does not behave like a hub",
        ));
    };
    let size = head.size.or(file.size);
    let blob = cache.blob(repository, &etag);
    let _lock = cache.lock(repository, &etag, progress)?;
    let present = fs_err::metadata(&blob).is_ok_and(|data| size.is_none_or(|size| data.len() == size));
    if present {
        progress.skip(size.unwrap_or(0));
    } else {
        let content = transfer::Content { url: &url, etag: &etag, size };
        transfer::download(
            client,
            repository,
            &content,
            &cache.incomplete(repository, &etag),
            &blob,
            progress,
        )?;
    }
    cache.point(repository, &revision.commit, &file.path, &etag)?;
    let size = fs_err::metadata(&blob)?.len();
    Ok(Fetched { path: file.path.clone(), size, etag, cached: present })
}
