//! The one reader of JSON files: as Python's `json` reads what Python's `json` writes. A byte order mark is passed over.
//! `NaN`, `Infinity` and numbers beyond every `f64` become an object that stands for them ([`odd_word`]). In keys that no
//! reader uses they do no harm; a reader that wants a number, a text or a list refuses them by name. Everything else is
//! serde_json's: strict, and at most 128 levels deep.
//!
//! Bodies of HTTP requests are not read here: OpenAI's servers refuse `NaN`, and so does ours.

mod fault;
mod rows;
mod walk;

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use fault::{Fault, words};
pub use rows::{LARGEST_ROW, Place, Row, ScanError, Visit, nested, rows, scan};
use walk::Walk;

/// The key of the object that stands for a number without a word in JSON.
const ODD: &str = "not a number";

/// Reads a JSON value. The bytes are UTF-8, with or without a byte order mark.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    let bytes = without_mark(bytes);
    // Nearly every text is strict JSON, and pays nothing for the others.
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    if let Some(what) = foreign(bytes) {
        return Err(Fault { line: 1, column: 1, what });
    }
    match strict(bytes) {
        Cow::Borrowed(_) => Err(Fault::of(bytes, bytes, &error)),
        Cow::Owned(mended) => {
            serde_json::from_slice(&mended).map_err(|error| Fault::of(bytes, &mended, &error))
        }
    }
}

/// As [`read`], of a JSON object alone. A type with named fields is read with this: serde would take a list for one, by
/// the order of the fields.
pub fn read_object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    let text = without_mark(bytes).trim_ascii_start();
    match (foreign(bytes), text.first()) {
        (None, Some(b'[' | b'"' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n' | b'N' | b'I')) => {
            // What is no JSON at all is told as such.
            read::<serde::de::IgnoredAny>(bytes)?;
            let found = match text[0] {
                b'[' => "a list",
                b'"' => "a string",
                b't' | b'f' => "true or false",
                b'n' => "null",
                _ => "a number",
            };
            let (line, column) = fault::place(bytes, bytes.len() - text.len());
            Err(Fault { line, column, what: format!("expected an object, found {found}") })
        }
        _ => read(bytes),
    }
}

/// Adds to a reason the first number without a word in JSON whose key the reason names: a reader that looked a key up and
/// found nothing there says that it is `NaN`, and where. `first` is the line that the bytes begin on, and `within` the
/// beginning of the paths that are meant, such as `[3]`.
pub fn explain(bytes: &[u8], first: usize, within: &str, reason: String) -> String {
    match find_odd(bytes, first, within, |key| names(&reason, key)) {
        Some(odd) => format!("{reason}: {odd}"),
        None => reason,
    }
}

/// The word of a value that stands for a number without one in JSON, such as `NaN`.
pub fn odd_word(value: &Value) -> Option<&str> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    object.get(ODD)?.as_str()
}

/// With null in place of such values, for what is written again.
pub fn without_odd(value: Value) -> Value {
    match value {
        odd if odd_word(&odd).is_some() => Value::Null,
        Value::Array(items) => items.into_iter().map(without_odd).collect(),
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, without_odd(value))).collect(),
        other => other,
    }
}

fn find_odd(bytes: &[u8], first: usize, within: &str, is_meant: impl Fn(&str) -> bool) -> Option<String> {
    let bytes = without_mark(bytes);
    let mut walk = Walk::new(bytes);
    while let Some(token) = walk.next() {
        let Some(word) = token.odd(bytes) else { continue };
        let path = walk.path();
        if path.starts_with(within) && is_meant(&walk.key()) {
            let (line, column) = fault::place(bytes, token.start);
            return Some(format!("`{path}` is {word} at line {} column {column}", line + first.max(1) - 1));
        }
    }
    None
}

/// Whether a reason has the key as a word.
fn names(reason: &str, key: &str) -> bool {
    let part = |letter: char| letter.is_alphanumeric() || letter == '_';
    reason
        .match_indices(key)
        .any(|(at, _)| !reason[..at].ends_with(part) && !reason[at + key.len()..].starts_with(part))
}

/// A value for an error message: short, and without the payload of a `data:` location.
pub fn brief(value: &Value) -> String {
    if let Some(word) = odd_word(value) {
        return word.to_owned();
    }
    match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(fields) => format!("an object of {} keys", fields.len()),
        Value::String(text) if text.chars().count() > 60 => {
            format!("{:?}...", text.chars().take(60).collect::<String>())
        }
        other => other.to_string(),
    }
}

/// Why bytes are no UTF-8 text, where they are that of another encoding, with the command that helps.
pub fn foreign(bytes: &[u8]) -> Option<String> {
    let name = match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => "UTF-32",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "UTF-16",
        // The first character of JSON is ASCII, so that half of its two bytes is zero.
        [first, 0, ..] if first.is_ascii() && *first != 0 => "UTF-16LE",
        [0, first, ..] if first.is_ascii() && *first != 0 => "UTF-16BE",
        _ => return None,
    };
    Some(format!(
        "the text is {name}, and UTF-8 is wanted; write it anew: iconv -f {name} -t UTF-8 FILE > NEW"
    ))
}

/// Bytes as text, or why they are none.
pub fn text(bytes: Vec<u8>) -> Result<String, String> {
    match foreign(&bytes) {
        Some(what) => Err(what),
        None => String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned()),
    }
}

/// Without a byte order mark.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// With an object in place of every number that JSON has no word for. Lines stay lines.
fn strict(bytes: &[u8]) -> Cow<'_, [u8]> {
    let (mut mended, mut kept) = (Vec::new(), 0);
    let mut walk = Walk::new(bytes);
    while let Some(token) = walk.next() {
        if let Some(word) = token.odd(bytes) {
            mended.extend_from_slice(&bytes[kept..token.start]);
            mended.extend_from_slice(format!("{{\"{ODD}\":\"{word}\"}}").as_bytes());
            kept = token.end;
        }
    }
    if kept == 0 {
        return Cow::Borrowed(bytes);
    }
    mended.extend_from_slice(&bytes[kept..]);
    Cow::Owned(mended)
}

#[cfg(test)]
#[path = "json/tests.rs"]
mod tests;
