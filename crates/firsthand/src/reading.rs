//! Reads the files of text that a user names, up to a size: a device that never ends is an error, not the end of
//! memory. Pipes are welcome, so nothing is asked of the path beforehand.

use std::io::Read;
use std::path::Path;

use anyhow::{Result, anyhow};
use firsthand_base::json;

use crate::failure::failure;

/// Longest file of questions, in bytes; all of it is held in memory.
pub(crate) const LARGEST_QUESTIONS: u64 = 1 << 30;
/// Longest text, in bytes: what `input` accepts as messages.
const LARGEST_TEXT: u64 = 256 << 20;

/// A whole file of at most `most` bytes.
pub(crate) fn bytes(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs_err::File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(failure(
            format!("more than {most} bytes: {}", path.display()),
            "split the file, or give media as files instead of data: locations",
        ));
    }
    Ok(bytes)
}

/// The text of a file of messages, captions or the like.
pub(crate) fn text(path: &Path) -> Result<String> {
    json::text(bytes(path, LARGEST_TEXT)?).map_err(|what| anyhow!("{what}: {}", path.display()))
}
