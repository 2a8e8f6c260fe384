//! What is wrong with a JSON text, in words of JSON: lists, objects and keys, not the types of this program.

use std::fmt;

use super::walk::Walk;

/// What is wrong with a JSON text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, counted from 1.
    pub line: usize,
    /// The character in its line, counted from 1.
    pub column: usize,
    /// What is wrong, without the place.
    pub what: String,
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {} column {}", self.what, self.line, self.column)
    }
}

impl Fault {
    /// Of a row that begins at a line of its file.
    pub fn from_line(self, first: usize) -> Fault {
        Fault { line: self.line + first.saturating_sub(1), ..self }
    }

    /// What serde_json says about `mended`, told of `bytes`: the same text before objects stood for its odd numbers.
    pub(super) fn of(bytes: &[u8], mended: &[u8], error: &serde_json::Error) -> Fault {
        let at = offset(mended, error.line(), error.column());
        // Both walks see the same tokens in the same order.
        let (mut walk, mut before) = (Walk::new(mended), Walk::new(bytes));
        let (mut path, mut place_of, mut odd) = (String::new(), at.min(bytes.len()), None);
        while let (Some(token), Some(original)) = (walk.next(), before.next()) {
            // A list or an object of the wrong type is told before its bracket.
            let is_told_before = token.start == at && matches!(mended.get(at), Some(b'[' | b'{'));
            if token.start >= at && !is_told_before {
                break;
            }
            let word = original.odd(bytes);
            place_of =
                original.start + at.saturating_sub(token.start).clamp(1, original.end - original.start);
            if is_told_before {
                odd = word.map(|word| (word, original.start));
                break;
            }
            path = if error.is_data() { before.path() } else { String::new() };
            if word.is_some() {
                // The rest of the object that stands for it.
                (0..4).for_each(|_| _ = walk.next());
            }
        }
        let what = words(&error.to_string());
        let (what, at) = match (odd, what.split_once(", found ")) {
            (Some((word, start)), Some((expected, _))) => (format!("{expected}, found {word}"), start),
            _ => (what, place_of.saturating_sub(1)),
        };
        let (line, column) = place(bytes, at);
        let is_named = path.is_empty() || what.starts_with(&format!("{path}: "));
        let what = if is_named { what } else { format!("`{path}`: {what}") };
        Fault { line, column, what }
    }
}

/// Line and character of a byte.
pub(super) fn place(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = &bytes[..at.min(bytes.len())];
    let begin = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let line = 1 + before[..begin].iter().filter(|&&byte| byte == b'\n').count();
    (line, 1 + String::from_utf8_lossy(&before[begin..]).chars().count())
}

/// The byte that a line, counted from 1, and the bytes read of it lead to.
fn offset(bytes: &[u8], line: usize, column: usize) -> usize {
    let lines = bytes.split_inclusive(|&byte| byte == b'\n').take(line.saturating_sub(1));
    (lines.map(<[u8]>::len).sum::<usize>() + column).min(bytes.len())
}

/// A message of serde or serde_json without its place, and without names of Rust types.
pub fn words(message: &str) -> String {
    let message = match message.rsplit_once(" at line ") {
        Some((what, place)) if place.contains(" column ") => what,
        _ => message,
    };
    if message.starts_with("data did not match any variant") {
        return "it has none of the forms that are read".to_owned();
    }
    let typed = ["invalid type: ", "invalid value: "].iter().find_map(|start| message.strip_prefix(start));
    match typed.and_then(|typed| typed.rsplit_once(", expected ")) {
        Some((found, wanted)) => format!("expected {}, found {}", wanted_words(wanted), found_words(found)),
        None => match message.strip_prefix("invalid length ").and_then(|rest| rest.split_once(", expected "))
        {
            Some((length, wanted)) => format!("expected {}, found {length} items", wanted_words(wanted)),
            None => message.to_owned(),
        },
    }
}

fn found_words(found: &str) -> String {
    let quoted = |kind: &str| found.strip_prefix(kind).map(|number| number.trim_matches('`').to_owned());
    match found {
        "unit value" | "unit" | "Option value" => "null".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "an object".to_owned(),
        _ => ["integer ", "floating point ", "boolean ", "number ", "string "]
            .iter()
            .find_map(|kind| quoted(kind))
            .unwrap_or_else(|| found.to_owned()),
    }
}

fn wanted_words(wanted: &str) -> &str {
    let number =
        |name: &str| ["u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "isize"].contains(&name);
    match wanted {
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "unit" => "null",
        "a map" | "map" => "an object",
        "a sequence" => "a list",
        _ if number(wanted) || wanted.starts_with("a nonzero ") => "a whole number",
        _ if wanted.starts_with("struct ") || wanted.contains("tagged enum") => "an object",
        _ if wanted.starts_with("enum ") || wanted.starts_with("variant ") => "one of the known words",
        _ if wanted.starts_with("tuple ") || wanted.starts_with("a tuple ") => "a list",
        _ if wanted.starts_with("an array of length ") => "a list",
        _ => wanted,
    }
}
