//! Bytes that come inside a location or a message: the one reader of base64 and of `data:` URIs. Senders write base64 in
//! several ways (RFC 4648, sections 4 and 5; MIME breaks lines; URIs escape), and all of them mean the same bytes here.

use crate::{Error, Result};

/// The body of a `data:` URI, or `None` for any other location.
fn body(location: &str) -> Option<&str> {
    let scheme = location.get(..5)?;
    scheme.eq_ignore_ascii_case("data:").then(|| &location[5..])
}

/// Whether a location carries its bytes itself.
pub fn is_inline(location: &str) -> bool {
    body(location).is_some()
}

/// The location as messages and manifests show it: a `data:` URI becomes its BLAKE3 hash.
pub fn display_location(location: &str) -> String {
    if is_inline(location) {
        format!("data:blake3,{}", blake3::hash(location.as_bytes()).to_hex())
    } else {
        location.to_owned()
    }
}

/// The bytes of a `data:` URI, of which there may be `most`.
pub fn inline_bytes(location: &str, most: u64) -> Result<Vec<u8>> {
    let fault = |reason: String| Error::Location {
        location: display_location(location),
        reason,
        remedy: "write data:image/png;base64,<bytes> or data:video/mp4;base64,<bytes>",
    };
    let body = body(location).ok_or_else(|| fault("it is not a data: URI".into()))?;
    let (head, body) = body.split_once(',').ok_or_else(|| fault("the data URI has no comma".into()))?;
    if !is_base64(head) {
        return Err(fault("the data URI is not base64".into()));
    }
    if body.len() as u64 / 4 * 3 > most {
        return Err(Error::Budget {
            location: display_location(location),
            reason: format!("it has more than {most} bytes"),
            remedy: "use a file",
        });
    }
    base64(body.as_bytes()).map_err(|reason| fault(format!("bad base64: {reason}")))
}

/// Whether what stands before the comma says that base64 follows.
fn is_base64(head: &str) -> bool {
    let coding = head.rsplit(';').next().unwrap_or_default();
    head.contains(';') && coding.trim().eq_ignore_ascii_case("base64")
}

/// `data:video/jpeg;base64,A,B,C` is how servers take the pictures of a video: a location of each picture. Any kind of
/// picture may be listed, a comma at the end counts for nothing, and `video/jpeg` with one picture is a list of one. `None`
/// for every other location.
pub fn inline_pictures(location: &str) -> Option<Vec<String>> {
    let (head, list) = body(location)?.split_once(',')?;
    let kind = head.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let list = list.trim_end_matches(|c: char| c == ',' || c.is_ascii_whitespace());
    let is_listed = list.contains(',') || matches!(&kind[..], "video/jpeg" | "video/jpg");
    if !is_base64(head) || !is_listed {
        return None;
    }
    let subtype = kind.rsplit('/').next().unwrap_or_default();
    Some(list.split(',').map(|body| format!("data:image/{subtype};base64,{}", body.trim())).collect())
}

/// Reads base64 in the standard or the URL-safe alphabet, with or without padding. Blanks and line ends count for nothing,
/// `%XX` is the character it stands for. The error says what is wrong and where.
pub fn base64(text: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut group, mut digits, mut is_padded) = (0u32, 0u32, false);
    let mut next = 0;
    while let Some(&found) = text.get(next) {
        let at = next;
        let byte = if found == b'%' { escaped(text, at)? } else { found };
        next += if found == b'%' { 3 } else { 1 };
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                is_padded = true;
                continue;
            }
            _ if byte.is_ascii_whitespace() => continue,
            _ => return Err(format!("byte {at} is {:?}", char::from(byte))),
        };
        if is_padded {
            return Err(format!("byte {at} follows the padding"));
        }
        group = group << 6 | u32::from(value);
        digits += 1;
        if digits == 4 {
            bytes.extend_from_slice(&group.to_be_bytes()[1..]);
            (group, digits) = (0, 0);
        }
    }
    match digits {
        0 => {}
        1 => return Err("it is cut short".into()),
        _ => {
            let whole = group << (6 * (4 - digits));
            bytes.extend_from_slice(&whole.to_be_bytes()[1..digits as usize]);
        }
    }
    Ok(bytes)
}

/// The character that `%XX` at a place stands for.
fn escaped(text: &[u8], at: usize) -> std::result::Result<u8, String> {
    let digits = text.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
    let value = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    let value = value.and_then(|digits| u8::from_str_radix(digits, 16).ok());
    value.ok_or_else(|| format!("byte {at} is '%'"))
}
