//! Where a medium is: reads paths, `file://`, `http(s)://` and `data:` locations into one of three kinds. Opens
//! nothing but `data:` URIs, which carry their bytes.

use std::path::{Path, PathBuf};

use url::Url;

use crate::inline::{inline_bytes, is_inline};
use crate::{Error, Result};

/// Where the bytes are.
#[derive(Debug)]
pub(crate) enum Location {
    /// A file of this machine.
    File(PathBuf),
    /// An `http(s)` address.
    Remote(Url),
    /// The bytes themselves.
    Inline(Vec<u8>),
}

/// Reads a location. `most_bytes` bounds what a `data:` URI may hold.
pub(crate) fn parse(location: &str, most_bytes: u64) -> Result<Location> {
    let has_scheme =
        |scheme: &str| location.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme));
    if is_inline(location) {
        return inline_bytes(location, most_bytes).map(Location::Inline);
    }
    if has_scheme("http://") || has_scheme("https://") {
        return Url::parse(location).map(Location::Remote).map_err(|e| Error::Location {
            location: location.into(),
            reason: e.to_string(),
            remedy: "check the address",
        });
    }
    if let Some((scheme, _)) = location.split_once("://")
        && !has_scheme("file://")
        && !scheme.is_empty()
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric())
        && !Path::new(location).exists()
    {
        return Err(Error::Location {
            location: location.into(),
            reason: format!("{scheme}:// is not supported"),
            remedy: "give a path, file://, http(s):// or data: location",
        });
    }
    let path = if has_scheme("file://") { from_file_uri(location) } else { PathBuf::from(location) };
    if path.as_os_str().is_empty() || location.contains('\0') {
        return Err(Error::Location {
            location: location.escape_debug().to_string(),
            reason: "it is not a path".into(),
            remedy: "give a path, file://, http(s):// or data: location",
        });
    }
    Ok(Location::File(path))
}

/// The reference takes what follows `file://` as it stands; a percent-encoded URI is decoded only when no such
/// file exists.
fn from_file_uri(location: &str) -> PathBuf {
    let verbatim = Path::new(&location["file://".len()..]);
    if verbatim.exists() {
        return verbatim.to_owned();
    }
    Url::parse(location).ok().and_then(|url| url.to_file_path().ok()).unwrap_or_else(|| verbatim.to_owned())
}
