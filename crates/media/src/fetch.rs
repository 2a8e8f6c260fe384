//! Downloads over `http(s)`, bounded in size and time. With a cache folder a download becomes a file named by the
//! hash of its address, written beside and renamed, so that a half download is never mistaken for a whole one.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;
use url::Url;

use crate::{Error, OpenerOptions, Result};

/// The bytes at an address, through the cache where there is one.
pub(crate) fn bytes(url: &Url, options: &OpenerOptions) -> Result<Vec<u8>> {
    if options.cache_dir.is_some() {
        let path = file(url, options)?;
        return fs::read(&path).map_err(|e| cache_fault(&path, &e));
    }
    let mut body = Vec::new();
    copy(url, options, &mut body)?;
    Ok(body)
}

/// A local file with the content of an address. Without a cache folder there is nowhere to put one.
pub(crate) fn file(url: &Url, options: &OpenerOptions) -> Result<PathBuf> {
    check_allowed(url, options)?;
    let folder = options.cache_dir.as_ref().ok_or_else(|| Error::Location {
        location: url.to_string(),
        reason: "there is no folder for downloads".into(),
        remedy: "set a cache folder, or download the file and give its path",
    })?;
    let folder = folder.join("downloads");
    fs::create_dir_all(&folder).map_err(|e| cache_fault(&folder, &e))?;
    let target = folder.join(name_of(url));
    if target.exists() {
        return Ok(target);
    }
    remove_parts(&folder, |path| is_stale(path, options));
    let partial = folder.join(format!("{}{}", name_of(url), own_ending()));
    let written = write(url, options, &partial)
        .and_then(|()| fs::rename(&partial, &target).map_err(|e| cache_fault(&target, &e)));
    if let Err(error) = written {
        // The error of the download matters more than one of the clean-up.
        let _ = fs::remove_file(&partial);
        return Err(error);
    }
    Ok(target)
}

/// Removes the unfinished downloads of this process from a cache folder: for a process that is about to end.
pub fn discard_downloads(cache_dir: &Path) {
    let own = own_ending();
    remove_parts(&cache_dir.join("downloads"), |path| path.to_string_lossy().ends_with(&own));
}

/// How this process ends the names of its unfinished downloads.
fn own_ending() -> String {
    format!(".{}.part", std::process::id())
}

/// Whether an unfinished download is older than any download may become: its process was killed.
fn is_stale(path: &Path, options: &OpenerOptions) -> bool {
    let changed = fs::metadata(path).and_then(|metadata| metadata.modified());
    let age = changed.ok().and_then(|changed| changed.elapsed().ok());
    age.is_some_and(|age| age.as_secs_f64() > options.download_timeout_s)
}

/// Removes those unfinished downloads that are `doomed`. What cannot be removed does no harm.
fn remove_parts(folder: &Path, doomed: impl Fn(&Path) -> bool) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if path.extension().is_some_and(|ending| ending == "part") && doomed(&path) {
            let _ = fs::remove_file(&path);
        }
    }
}

/// The hash of the address, with its extension kept because some containers are told apart by it.
fn name_of(url: &Url) -> String {
    let hash = blake3::hash(url.as_str().as_bytes()).to_hex();
    let extension = Path::new(url.path())
        .extension()
        .and_then(|e| e.to_str())
        .filter(|e| e.len() <= 8 && e.bytes().all(|b| b.is_ascii_alphanumeric()));
    extension.map_or_else(|| hash.to_string(), |extension| format!("{hash}.{extension}"))
}

fn write(url: &Url, options: &OpenerOptions, path: &Path) -> Result<()> {
    let mut file = fs::File::create(path).map_err(|e| cache_fault(path, &e))?;
    copy(url, options, &mut file)?;
    file.sync_all().map_err(|e| cache_fault(path, &e))
}

fn copy(url: &Url, options: &OpenerOptions, target: &mut impl Write) -> Result<()> {
    check_allowed(url, options)?;
    let fault = |reason: String| Error::Fetch { location: url.to_string(), reason };
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs_f64(options.download_timeout_s.clamp(0.001, 1e9))))
        .build();
    let agent = ureq::Agent::new_with_config(config);
    let mut response = agent.get(url.as_str()).call().map_err(|e| fault(e.to_string()))?;
    let most = options.max_download_bytes;
    let announced = response.body().content_length();
    let too_large = || Error::Budget {
        location: url.to_string(),
        reason: format!("the download is more than {most} bytes"),
        remedy: "download the file and give its path",
    };
    if announced.is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let reader = response.body_mut().with_config().limit(u64::MAX).reader();
    let copied =
        std::io::copy(&mut reader.take(most.saturating_add(1)), target).map_err(|e| fault(e.to_string()))?;
    if copied > most {
        return Err(too_large());
    }
    if announced.is_some_and(|length| length != copied) {
        return Err(fault(format!("the connection ended after {copied} bytes")));
    }
    Ok(())
}

fn check_allowed(url: &Url, options: &OpenerOptions) -> Result<()> {
    if options.remote {
        return Ok(());
    }
    Err(Error::Location {
        location: url.to_string(),
        reason: "remote media are switched off".into(),
        remedy: "allow them, or download the file and give its path",
    })
}

fn cache_fault(path: &Path, error: &std::io::Error) -> Error {
    Error::Cache { path: path.to_owned(), reason: error.to_string() }
}
