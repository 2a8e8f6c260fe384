//! One file from the hub to the disk: resumed where it stopped, never longer than announced, checked against its
//! SHA-256 before it gets its name.

use std::io::{Read, Seek, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use sha2::{Digest, Sha256};

use super::cache::{Repository, create_parent};
use super::client::{Client, Trouble};
use crate::failure::failure;
use crate::progress::Progress;

/// What is expected.
pub(super) struct Content<'a> {
    /// Where it is.
    pub(super) url: &'a str,
    /// Its content name; 64 hexadecimal digits are its SHA-256.
    pub(super) etag: &'a str,
    /// Its length, if known.
    pub(super) size: Option<u64>,
}

impl Content<'_> {
    fn sha256(&self) -> Option<&str> {
        (self.etag.len() == 64 && self.etag.bytes().all(|b| b.is_ascii_hexdigit())).then_some(self.etag)
    }
}

/// Downloads into `incomplete`, checks, renames to `blob`.
pub(super) fn download(
    client: &Client,
    repository: &Repository,
    content: &Content<'_>,
    incomplete: &Path,
    blob: &Path,
    progress: &Progress,
) -> Result<()> {
    create_parent(incomplete)?;
    let mut corrupted = false;
    client.retrying(&mut || {
        receive(client, repository, content, incomplete, progress)?;
        let Some(wrong) = mismatch(content, incomplete).map_err(Trouble::Final)? else { return Ok(()) };
        // Remove it, or every later run would resume the same wrong bytes.
        let length = fs_err::metadata(incomplete).map_or(0, |data| data.len());
        progress.take_back(length);
        fs_err::remove_file(incomplete).map_err(|error| Trouble::Final(error.into()))?;
        if std::mem::replace(&mut corrupted, true) {
            Err(Trouble::Final(wrong))
        } else {
            Err(Trouble::passing(wrong))
        }
    })?;
    fs_err::File::open(incomplete)?.sync_all()?;
    fs_err::rename(incomplete, blob)?;
    Ok(())
}

/// Appends what is missing.
fn receive(
    client: &Client,
    repository: &Repository,
    content: &Content<'_>,
    incomplete: &Path,
    progress: &Progress,
) -> Result<(), Trouble> {
    let disk = |error: std::io::Error| {
        Trouble::Final(anyhow::Error::from(error).context(format!("cannot write {}", incomplete.display())))
    };
    let mut file = fs_err::OpenOptions::new()
        .create(true)
        .append(true)
        .open(incomplete)
        .map_err(|error| Trouble::Final(error.into()))?;
    let mut have = file.metadata().map_err(disk)?.len();
    // Without a hash nothing would notice two halves of different contents.
    if content.sha256().is_none() || content.size.is_some_and(|size| have > size) {
        file.set_len(0).map_err(disk)?;
        have = 0;
    }
    if have > 0 && content.size == Some(have) {
        progress.add(have);
        return Ok(());
    }
    let response = client.get(repository, content.url, have)?;
    let status = response.status().as_u16();
    let range = response.headers().get("content-range").and_then(|value| value.to_str().ok());
    let resumed = status == 206 && range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")));
    if have > 0 && !resumed {
        file.set_len(0).map_err(disk)?;
        have = 0;
        if status != 200 {
            return Err(Trouble::passing(anyhow!(
                "the server cannot resume (status {status}): {}",
                content.url
            )));
        }
    }
    file.seek(std::io::SeekFrom::End(0)).map_err(disk)?;
    let start = have;
    progress.add(have);
    let mut body = response.into_body().into_with_config().limit(u64::MAX).reader();
    let mut buffer = vec![0u8; 1 << 16];
    let failed = loop {
        match body.read(&mut buffer) {
            Ok(0) => break None,
            Ok(count) => {
                have += count as u64;
                if content.size.is_some_and(|size| have > size) {
                    drop(file);
                    let _ = fs_err::remove_file(incomplete);
                    return Err(too_long(content));
                }
                file.write_all(&buffer[..count]).map_err(disk)?;
                progress.add(count as u64);
            }
            Err(error) => break Some(error),
        }
    };
    let whole = content.size.is_none_or(|size| have == size);
    if failed.is_none() && whole {
        return Ok(());
    }
    // The next attempt counts these bytes again when it resumes.
    progress.take_back(have);
    let of = content.size.map_or(String::new(), |size| format!(" of {size}"));
    let why = failed.map_or("the server closed the connection".to_owned(), |error| error.to_string());
    let error = anyhow!("the download stopped after {have}{of} bytes: {why}: {}", content.url);
    Err(Trouble::Passing { error, pause: None, progressed: have > start })
}

fn too_long(content: &Content<'_>) -> Trouble {
    let size = content.size.unwrap_or_default();
    Trouble::Final(failure(
        format!("the server sends more than the {size} bytes it announced: {}", content.url),
        "try another HF_ENDPOINT: this one garbles files",
    ))
}

/// The error to report if the file is not what its name promises.
fn mismatch(content: &Content<'_>, path: &Path) -> Result<Option<anyhow::Error>> {
    let Some(expected) = content.sha256() else { return Ok(None) };
    let mut file = fs_err::File::open(path)?;
    let mut hasher = Sha256::new();
    std::io::copy(&mut file, &mut hasher).with_context(|| format!("cannot read {}", path.display()))?;
    let actual: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if actual.eq_ignore_ascii_case(expected) {
        return Ok(None);
    }
    Ok(Some(failure(
        format!("downloaded content has the wrong SHA-256 ({actual}, expected {expected}): {}", content.url),
        "a proxy or mirror garbles the file; try another HF_ENDPOINT",
    )))
}
