//! Where a medium is: reads paths, `file://`, `http(s)://` and `data:` locations into one of three kinds. Opens
//! nothing but `data:` URIs, which carry their bytes.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use url::Url;

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

/// The location as messages and manifests show it: a `data:` URI becomes its BLAKE3 hash.
pub fn display_location(location: &str) -> String {
    match location.get(..5) {
        Some(scheme) if scheme.eq_ignore_ascii_case("data:") => {
            format!("data:{}", blake3::hash(location.as_bytes()).to_hex())
        }
        _ => location.to_owned(),
    }
}

/// Reads a location. `most_bytes` bounds what a `data:` URI may hold.
pub(crate) fn parse(location: &str, most_bytes: u64) -> Result<Location> {
    let has_scheme =
        |scheme: &str| location.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme));
    if has_scheme("data:") {
        return inline(location, most_bytes).map(Location::Inline);
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

fn inline(location: &str, most_bytes: u64) -> Result<Vec<u8>> {
    let fault = |reason: String| Error::Location {
        location: display_location(location),
        reason,
        remedy: "write data:image/png;base64,<bytes>",
    };
    let (head, body) = location.split_once(',').ok_or_else(|| fault("the data URI has no comma".into()))?;
    if !head.to_ascii_lowercase().ends_with(";base64") {
        return Err(fault("the data URI is not base64".into()));
    }
    if body.len() as u64 / 4 * 3 > most_bytes {
        return Err(Error::Budget {
            location: display_location(location),
            reason: format!("more than {most_bytes} bytes"),
            remedy: "use a file",
        });
    }
    let lenient = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let body: Vec<u8> = body.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    lenient.decode(body).map_err(|e| fault(format!("bad base64: {e}")))
}
