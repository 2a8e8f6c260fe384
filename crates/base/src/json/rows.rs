//! The rows of a file, by one rule: a file that begins with `[` is a list of rows, every other one has a row after
//! another, each on lines of its own. A row may take several lines: it ends with the line on which its brackets are
//! closed, or, where one is missing, before a line that begins with `{`. A file is cut while it streams by: the memory it
//! takes is one row's, however large the file. What a row says is not read here.

use std::io::{self, BufRead};

use super::walk::Walk;
use super::{foreign, without_mark};

/// Largest row, in bytes: room for a few pictures as `data:` locations.
pub const LARGEST_ROW: usize = 256 << 20;

/// Where a row is in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub length: u32,
    /// Line the row begins on, counted from 1.
    pub line: u32,
}

/// Why a file has no rows, or no more of them.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is neither a list nor lines of rows.
    #[error("{0}")]
    Form(String),
}

/// Takes a row: its place, and its bytes or the reason they were not kept.
pub type Visit<'a> = dyn FnMut(Place, Result<&[u8], &'static str>) + 'a;

/// Hands every row of a file to `visit`, in order: where it is, and its bytes or why they were not kept.
pub fn scan(file: &mut impl BufRead, visit: &mut Visit<'_>) -> Result<(), ScanError> {
    let form = |what: &str| Err(ScanError::Form(what.to_owned()));
    if let Some(what) = foreign(file.fill_buf()?) {
        return form(&what);
    }
    let mut scanner = Scanner::new(visit);
    match scanner.first_byte(file)? {
        None => form("the file is empty"),
        Some(b'[') => match scanner.list(file)? {
            None => Ok(()),
            Some(what) => form(&format!("line {}: {what}; fetch or write the file again", scanner.line)),
        },
        Some(b'{') => Ok(scanner.lines(file)?),
        Some(_) => form("neither a JSON list nor JSON lines; a list begins with [, a line with {"),
    }
}

/// A row of a text that is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The line it begins on, counted from 1.
    pub line: usize,
    /// Its bytes, which may be no JSON.
    pub bytes: &'a [u8],
}

/// The rows of a text that is in memory, by the rule of [`scan`]; lines that are no rows are handed over as well, so that
/// each fails alone. An empty text has none.
pub fn rows(bytes: &[u8]) -> Result<Vec<Row<'_>>, String> {
    if let Some(what) = foreign(bytes) {
        return Err(what);
    }
    let mut found = Vec::new();
    let mut long = None;
    let mut visit = |place: Place, row: Result<&[u8], &'static str>| {
        let start = place.offset as usize;
        long = long.or(row.err());
        found.push(Row { line: place.line as usize, bytes: &bytes[start..start + place.length as usize] });
    };
    let mut scanner = Scanner::new(&mut visit);
    let mut rest = bytes;
    let first = scanner.first_byte(&mut rest).map_err(|error| error.to_string())?;
    // A list that more follows is the first of several rows.
    let ended = match (first == Some(b'[')).then(|| is_followed(without_mark(bytes))) {
        Some(false) => scanner.list(&mut rest),
        _ => scanner.lines(&mut rest).map(|()| None),
    };
    let line = scanner.line;
    match (ended.map_err(|error| error.to_string())?, long) {
        (Some(what), _) => Err(format!("line {line}: {what}")),
        (None, Some(what)) => Err(what.to_owned()),
        (None, None) => Ok(found),
    }
}

/// Whether anything but blanks follows the first value.
fn is_followed(bytes: &[u8]) -> bool {
    let (mut walk, mut is_over) = (Walk::new(bytes), false);
    while let Some(token) = walk.next() {
        if is_over {
            // A bracket too many is a broken list.
            return !matches!(bytes[token.start], b']' | b'}' | b',');
        }
        is_over = walk.is_outside();
    }
    false
}

/// What may help where the only row of a file is refused: the rows are inside of it, as a list or as a dictionary.
pub fn nested(bytes: &[u8]) -> Option<String> {
    let value: serde_json::Map<String, serde_json::Value> = super::read(bytes).ok()?;
    let is_row = |value: &serde_json::Value| value.is_object();
    let is_list = |value: &serde_json::Value| {
        value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(is_row))
    };
    let path = match value.iter().find(|(_, value)| is_list(value)) {
        Some((key, _)) => format!(".{}[]", serde_json::Value::from(key.as_str())),
        None if !value.is_empty() && value.values().all(is_row) => ".[]".to_owned(),
        None => return None,
    };
    Some(format!("if the rows are inside of it, write them as lines: jq -c '{path}' FILE > rows.jsonl"))
}

struct Scanner<'a, 'b> {
    /// Bytes and lines passed so far.
    offset: u64,
    line: u32,
    /// Where the row that is being read began.
    place: Option<(u64, u32)>,
    row: Vec<u8>,
    too_long: bool,
    visit: &'a mut Visit<'b>,
}

impl<'a, 'b> Scanner<'a, 'b> {
    fn new(visit: &'a mut Visit<'b>) -> Scanner<'a, 'b> {
        Scanner { offset: 0, line: 1, place: None, row: Vec::new(), too_long: false, visit }
    }

    /// Passes the byte order mark and white space; the byte returned is left in the reader.
    fn first_byte(&mut self, file: &mut impl BufRead) -> io::Result<Option<u8>> {
        if file.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
            file.consume(3);
            self.offset += 3;
        }
        while let Some(&byte) = file.fill_buf()?.first() {
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            file.consume(1);
            self.pass(&[byte]);
        }
        Ok(None)
    }

    fn lines(&mut self, file: &mut impl BufRead) -> io::Result<()> {
        let mut brackets = Brackets::default();
        loop {
            let chunk = file.fill_buf()?;
            let Some(&first) = chunk.first() else {
                self.end();
                return Ok(());
            };
            let begins = brackets.is_line_start && (first == b'{' || brackets.depth == 0);
            if begins || self.place.is_none() {
                self.end();
                self.begin();
                brackets = Brackets::default();
            }
            let end = chunk.iter().position(|&byte| byte == b'\n');
            let taken = end.map_or(chunk.len(), |at| at + 1);
            brackets.pass(&chunk[..taken]);
            self.pass(&chunk[..taken]);
            file.consume(taken);
        }
    }

    /// Reads a list, whose bracket is the next byte, to its end. `Some` says what is wrong with it.
    fn list(&mut self, file: &mut impl BufRead) -> io::Result<Option<&'static str>> {
        file.consume(1);
        self.pass(b"[");
        let (mut depth, mut quoted, mut escaped) = (1usize, false, false);
        loop {
            let chunk = file.fill_buf()?;
            if chunk.is_empty() {
                return Ok((depth > 0).then_some("the list does not end"));
            }
            // Bytes before `from` have been passed.
            let mut from = 0;
            for (at, &byte) in chunk.iter().enumerate() {
                if quoted {
                    (quoted, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
                    continue;
                }
                let closes = depth == 1 && matches!(byte, b']' | b'}' | b',');
                if closes || (depth == 1 && self.place.is_none() && !byte.is_ascii_whitespace()) {
                    self.pass(&chunk[from..at]);
                    from = at;
                    match (closes, byte) {
                        (false, _) => self.begin(),
                        (true, b',') if self.place.is_none() => {
                            return Ok(Some("nothing stands before a comma"));
                        }
                        (true, _) => self.end(),
                    }
                }
                match byte {
                    _ if depth == 0 && byte.is_ascii_whitespace() => {}
                    _ if depth == 0 => return Ok(Some("more follows the end of the list")),
                    b'"' => quoted = true,
                    b'[' | b'{' => depth += 1,
                    b'}' if depth == 1 => return Ok(Some("a } closes nothing")),
                    b']' | b'}' => depth -= 1,
                    _ => {}
                }
            }
            self.pass(&chunk[from..]);
            let taken = chunk.len();
            file.consume(taken);
        }
    }

    fn begin(&mut self) {
        self.place = Some((self.offset, self.line));
        self.row.clear();
        self.too_long = false;
    }

    /// Moves on over `bytes`, which belong to the row that was begun, if one was.
    fn pass(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
        self.line = self.line.saturating_add(lines as u32);
        if self.place.is_none() || self.too_long {
            return;
        }
        if self.row.len() + bytes.len() > LARGEST_ROW {
            self.too_long = true;
            self.row = Vec::new();
        } else {
            self.row.extend_from_slice(bytes);
        }
    }

    /// Hands over the row that was begun, unless it is blank.
    fn end(&mut self) {
        let Some((offset, line)) = self.place.take() else { return };
        let row = self.row.trim_ascii_end();
        let place = Place { offset, length: row.len() as u32, line };
        match self.too_long {
            true => (self.visit)(place, Err("the row is longer than 256 MiB; give media as files")),
            false if row.is_empty() => {}
            false => (self.visit)(place, Ok(row)),
        }
    }
}

/// What is open at the end of what was passed of a row.
#[derive(Default)]
struct Brackets {
    depth: usize,
    quoted: bool,
    escaped: bool,
    is_line_start: bool,
}

impl Brackets {
    fn pass(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match (self.quoted, byte) {
                // No text goes over the end of a line: a quote is missing, and with it what the brackets mean.
                (true, b'\n') => *self = Brackets::default(),
                (true, _) => {
                    (self.quoted, self.escaped) =
                        (self.escaped || byte != b'"', !self.escaped && byte == b'\\');
                }
                (false, b'"') => self.quoted = true,
                (false, b'[' | b'{') => self.depth += 1,
                (false, b']' | b'}') => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        self.is_line_start = bytes.last() == Some(&b'\n');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &[u8]) -> Result<Vec<(u32, String)>, String> {
        let mut found = Vec::new();
        let mut visit = |place: Place, row: Result<&[u8], &'static str>| {
            let row = row.unwrap();
            let range = place.offset as usize..place.offset as usize + place.length as usize;
            assert_eq!(&text[range], row, "the place of line {}", place.line);
            found.push((place.line, String::from_utf8_lossy(row).trim().to_owned()));
        };
        // Chunks of three bytes end everywhere.
        scan(&mut io::BufReader::with_capacity(3, text), &mut visit).map_err(|error| error.to_string())?;
        let whole = rows(text).unwrap();
        let whole: Vec<_> = whole
            .iter()
            .map(|row| (row.line as u32, String::from_utf8_lossy(row.bytes).trim().to_owned()))
            .collect();
        assert_eq!(whole, found, "in memory and in a stream");
        Ok(found)
    }

    #[track_caller]
    fn check(text: &str, expected: Result<&[(u32, &str)], &str>) {
        match (cut(text.as_bytes()), expected) {
            (Ok(found), Ok(expected)) => {
                let expected: Vec<_> =
                    expected.iter().map(|(line, row)| (*line, (*row).to_owned())).collect();
                assert_eq!(found, expected, "{text:?}");
            }
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{text:?}: {found}"),
            (found, _) => panic!("{text:?}: {found:?}"),
        }
    }

    #[test]
    fn rows_are_found_with_their_lines() {
        check("{\"a\":1}\n\n {\"b\":2} \r\n{", Ok(&[(1, "{\"a\":1}"), (3, "{\"b\":2}"), (4, "{")]));
        check(
            "\u{feff}\n[\n{\"a\": [1, 2]},\n\n 7\n, \"],\\\"\"]\n",
            Ok(&[(3, "{\"a\": [1, 2]}"), (5, "7"), (6, "\"],\\\"\"")]),
        );
        check("[]", Ok(&[]));
        check("[{}}]", Err("a } closes nothing"));
        check("[{}]]", Err("more follows the end"));
        check("[{\"a\":1},{\"b\":", Err("line 1: the list does not end"));
        check("[1\n,,2]", Err("line 2: nothing stands before a comma"));
        check("[1] [2]", Err("more follows"));
        // A row may take several lines, and a broken one takes no other with it.
        check(
            "{\"a\": {\n  \"b\": [\n1]\n}}\n{\"c\": [1,\n{\"d\": \"x\n  {\"e\": 1}\n[2,\n3]\n",
            Ok(&[
                (1, "{\"a\": {\n  \"b\": [\n1]\n}}"),
                (5, "{\"c\": [1,"),
                (6, "{\"d\": \"x"),
                (7, "{\"e\": 1}"),
                (8, "[2,\n3]"),
            ]),
        );
        check("{\"a\": 1}\n7\n\"x\"\n", Ok(&[(1, "{\"a\": 1}"), (2, "7"), (3, "\"x\"")]));
        check("\u{feff}{\n}\n", Ok(&[(1, "{\n}")]));
        check("", Err("empty"));
        check(" \n", Err("empty"));
        check("hello", Err("neither a JSON list nor JSON lines"));
    }

    #[test]
    fn rows_in_memory_fail_alone() {
        let check = |text: &str, expect: &[(usize, &str)]| {
            let found = rows(text.as_bytes()).unwrap();
            let found: Vec<_> =
                found.iter().map(|row| (row.line, std::str::from_utf8(row.bytes).unwrap())).collect();
            assert_eq!(found, expect, "{text:?}");
        };
        check("", &[]);
        check("hello\n{\"a\":1}", &[(1, "hello"), (2, "{\"a\":1}")]);
        check("[1, 2]\n{\"a\":1}", &[(1, "[1, 2]"), (2, "{\"a\":1}")]);
        check("[1, [2]]\n", &[(1, "1"), (1, "[2]")]);
        assert!(rows(b"[1, 2").unwrap_err().contains("line 1: the list does not end"));
        assert!(rows(b"[1]]").unwrap_err().contains("more follows"));
        assert!(rows(b"\xff\xfe{\0").unwrap_err().contains("UTF-16"));
    }

    #[test]
    fn rows_inside_of_one_object_are_pointed_at() {
        let check = |text: &str, path: Option<&str>| {
            let found = nested(text.as_bytes());
            match path {
                Some(path) => assert!(found.unwrap().contains(&format!("jq -c '{path}' FILE")), "{text}"),
                None => assert_eq!(found, None, "{text}"),
            }
        };
        check(r#"{"q1": {"a": NaN}, "q2": {}}"#, Some(".[]"));
        check(r#"{"version": 1, "my data": [{"a": 1}]}"#, Some(".\"my data\"[]"));
        check(r#"{"a": 1}"#, None);
        check("{}", None);
        check("[{}]", None);
    }

    proptest! {
        /// Whatever a list holds, it comes apart into what serde_json finds in it, however it is laid out.
        #[test]
        fn lists_come_apart_into_their_items(items in prop::collection::vec("[ \\\\\"\\[\\]{},:a\n]{0,12}", 0..8), pretty: bool) {
            let list: Vec<_> = items.iter().map(|text| serde_json::json!({ text.as_str(): [text, 1] })).collect();
            let text = if pretty { serde_json::to_string_pretty(&list) } else { serde_json::to_string(&list) }.unwrap();
            let found = cut(text.as_bytes()).unwrap();
            let found: Vec<serde_json::Value> = found.iter().map(|(_, row)| serde_json::from_str(row).unwrap()).collect();
            prop_assert_eq!(found, list);
        }

        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(prop::sample::select(b"[]{},:\"\\ \na1\xff".to_vec()), 0..40)) {
            let _ = scan(&mut text.as_slice(), &mut |_, _| {});
            let _ = (rows(&text), nested(&text));
        }
    }
}
