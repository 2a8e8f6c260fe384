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
    let partial = folder.join(format!("{}.{}.part", name_of(url), std::process::id()));
    let written = write(url, options, &partial)
        .and_then(|()| fs::rename(&partial, &target).map_err(|e| cache_fault(&target, &e)));
    if let Err(error) = written {
        // The error of the download matters more than one of the clean-up.
        let _ = fs::remove_file(&partial);
        return Err(error);
    }
    Ok(target)
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
        remedy: "raise max_download_bytes, or download the file and give its path",
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
        return Err(fault(format!("the connection ended after {copied} bytes; try again")));
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
