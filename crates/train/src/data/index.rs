//! Where the rows of a JSON file are. JSONL is cut at line ends, a JSON list at its commas, both while the file streams
//! by: the memory it takes is one row's, however large the file. What a row says is not read here.

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::row::{Error, Result};

/// Largest row, in bytes: room for a few pictures as `data:` locations.
pub(super) const LARGEST_ROW: usize = 256 << 20;

/// Where a row is in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// First byte.
    pub(super) offset: u64,
    /// Bytes.
    pub(super) length: u32,
    /// Line the row begins on, counted from 1.
    pub(super) line: u32,
}

/// Hands every row of a file to `visit`, in order: where it is, and its bytes or why they were not kept.
/// What is wrong with the file as a whole is the error; `name` is the source's.
pub(super) fn scan(name: &str, path: &Path, visit: &mut Visit<'_>) -> Result<()> {
    let metadata = fs_err::metadata(path)?;
    let refuse = |what: &str| {
        Err(Error::Source { name: name.to_owned(), what: format!("{}: {what}", path.display()) })
    };
    if !metadata.is_file() {
        // A pipe or a device may never end, and rows are read again by their place.
        return refuse("not a regular file; give a JSON or JSONL file");
    }
    let mut file = BufReader::with_capacity(1 << 20, fs_err::File::open(path)?);
    let mut scanner = Scanner { offset: 0, line: 1, place: None, row: Vec::new(), too_long: false, visit };
    let begin = match scanner.first_byte(&mut file)? {
        None => return refuse("the file is empty"),
        Some(byte) => byte,
    };
    match begin {
        b'[' => match scanner.list(&mut file)? {
            None => Ok(()),
            Some(what) => {
                let what = format!("line {}: {what}; fetch or write the file again", scanner.line);
                refuse(&what)
            }
        },
        b'{' => Ok(scanner.lines(&mut file)?),
        _ => refuse("neither a JSON list nor JSON lines; a list begins with [, a line with {"),
    }
}

/// Takes a row: its place, and its bytes or the reason they were not kept.
pub(super) type Visit<'a> = dyn FnMut(Place, Result<&[u8], &'static str>) + 'a;

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

impl Scanner<'_, '_> {
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
        loop {
            let chunk = file.fill_buf()?;
            if chunk.is_empty() {
                self.end();
                return Ok(());
            }
            if self.place.is_none() {
                self.begin();
            }
            let end = chunk.iter().position(|&byte| byte == b'\n');
            let taken = end.map_or(chunk.len(), |at| at + 1);
            self.pass(&chunk[..taken]);
            if end.is_some() {
                self.end();
            }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &[u8]) -> Result<Vec<(u32, String)>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), text).unwrap();
        let mut found = Vec::new();
        let mut visit = |place: Place, row: Result<&[u8], &'static str>| {
            let row = row.unwrap();
            let range = place.offset as usize..place.offset as usize + place.length as usize;
            assert_eq!(&text[range], row, "the place of line {}", place.line);
            found.push((place.line, String::from_utf8_lossy(row).trim().to_owned()));
        };
        scan("x", file.path(), &mut visit).map_err(|error| error.to_string())?;
        Ok(found)
    }

    #[track_caller]
    fn check(text: &str, expected: Result<&[(u32, &str)], &str>) {
        match (rows(text.as_bytes()), expected) {
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
        check("", Err("empty"));
        check(" \n", Err("empty"));
        check("hello", Err("neither a JSON list nor JSON lines"));
    }

    proptest! {
        /// Whatever a list holds, it comes apart into what serde_json finds in it, however it is laid out.
        #[test]
        fn lists_come_apart_into_their_items(items in prop::collection::vec("[ \\\\\"\\[\\]{},:a\n]{0,12}", 0..8), pretty: bool) {
            let list: Vec<_> = items.iter().map(|text| serde_json::json!({ text.as_str(): [text, 1] })).collect();
            let text = if pretty { serde_json::to_string_pretty(&list) } else { serde_json::to_string(&list) }.unwrap();
            let found = rows(text.as_bytes()).unwrap();
            let found: Vec<serde_json::Value> = found.iter().map(|(_, row)| serde_json::from_str(row).unwrap()).collect();
            prop_assert_eq!(found, list);
        }

        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(prop::sample::select(b"[]{},:\"\\ \na1\xff".to_vec()), 0..40)) {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs_err::write(file.path(), &text).unwrap();
            let _ = scan("x", file.path(), &mut |_, _| {});
        }
    }
}
