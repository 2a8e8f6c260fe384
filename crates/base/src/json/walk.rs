//! A walk over the tokens of a JSON text that knows which key it is at. It checks nothing: a text that is no JSON is
//! walked as well as it can be.

use std::ops::Range;

/// Lists and objects within each other. serde_json stops at 128.
const DEPTH: usize = 512;
/// Letters of a path that are shown.
const SHOWN: usize = 200;

/// A piece of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) start: usize,
    pub(super) end: usize,
    is_word: bool,
}

impl Token {
    /// The number that JSON has no word for, if it is one.
    pub(super) fn odd<'a>(&self, bytes: &'a [u8]) -> Option<&'a str> {
        if !self.is_word {
            return None;
        }
        let word = std::str::from_utf8(&bytes[self.start..self.end]).ok()?;
        match word {
            "NaN" | "Infinity" | "-Infinity" => Some(word),
            // Python reads `1e999` as infinite. Only an exponent or hundreds of digits get there.
            _ if word.len() < 4 || !word.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => None,
            _ if !word.contains(['e', 'E']) && word.len() < 308 => None,
            _ if serde_json::from_str::<serde::de::IgnoredAny>(word).is_err() => None,
            _ if !word.parse::<f64>().is_ok_and(f64::is_infinite) => None,
            _ if word.len() > 40 => Some("too large a number"),
            _ => Some(word),
        }
    }
}

#[derive(Debug)]
struct Level {
    is_list: bool,
    index: usize,
    key: Range<usize>,
}

/// Where the walk is.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    levels: Vec<Level>,
    /// The string that was passed last, quotes left out.
    text: Range<usize>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Walk<'a> {
        Walk { bytes, at: 0, levels: Vec::new(), text: 0..0 }
    }

    /// The next token; `None` at the end, and where lists and objects lie too deep.
    pub(super) fn next(&mut self) -> Option<Token> {
        let rest = self.bytes.get(self.at..)?;
        self.at += rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
        let start = self.at;
        let mut is_word = false;
        match self.bytes[start] {
            b'"' => {
                self.at = string_end(self.bytes, start);
                self.text = start + 1..self.at.saturating_sub(1).max(start + 1);
            }
            byte @ (b'[' | b'{') => {
                if self.levels.len() >= DEPTH {
                    return None;
                }
                self.levels.push(Level { is_list: byte == b'[', index: 0, key: 0..0 });
                self.at += 1;
            }
            b']' | b'}' => {
                self.levels.pop();
                self.at += 1;
            }
            b',' => {
                if let Some(level) = self.levels.last_mut() {
                    level.index += 1;
                    level.key = 0..0;
                }
                self.at += 1;
            }
            b':' => {
                if let Some(level) = self.levels.last_mut() {
                    level.key = self.text.clone();
                }
                self.at += 1;
            }
            _ => {
                is_word = true;
                let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"[]{},:".contains(byte);
                let rest = &self.bytes[start..];
                self.at += rest.iter().position(ends).unwrap_or(rest.len());
            }
        }
        Some(Token { start, end: self.at, is_word })
    }

    /// Whether no list and no object is open.
    pub(super) fn is_outside(&self) -> bool {
        self.levels.is_empty()
    }

    /// The key of the object that the walk is in, the innermost.
    pub(super) fn key(&self) -> String {
        let key = self.levels.iter().rev().find(|level| !level.is_list).map(|level| level.key.clone());
        key.map(|key| String::from_utf8_lossy(&self.bytes[key]).into_owned()).unwrap_or_default()
    }

    /// Where the walk is, such as `words[2].start`; empty at the outermost value.
    pub(super) fn path(&self) -> String {
        let mut path = String::new();
        for level in &self.levels {
            match (level.is_list, level.key.is_empty()) {
                (true, _) => path.push_str(&format!("[{}]", level.index)),
                (false, true) => {}
                (false, false) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&String::from_utf8_lossy(&self.bytes[level.key.clone()]));
                }
            }
        }
        match path.char_indices().nth(SHOWN) {
            Some((cut, _)) => path[..cut].to_owned() + "..",
            None => path,
        }
    }
}

/// Past the closing quote of the string that begins here, or the end of the text.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}
