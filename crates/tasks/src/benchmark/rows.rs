//! Rows of a published file, one at a time: JSON lists and objects, JSON lines, comma- and tab-separated tables. A row
//! that cannot be read is an error with its line, and the rest goes on. A JSON file's bytes are held, its rows are not;
//! the other formats are read as they come. Tables of other kinds (parquet) are opened by the caller.

use std::io::{BufRead, BufReader};
use std::path::Path;

use firsthand_base::json::{self, Fault, without_mark as bare};
use serde_json::Value;

use super::expression::{Reason, Row};
use super::walk::{Step, walk};

/// A row and the line it begins on, or what is wrong there; line 0 is the file as a whole.
pub(super) type Found = Result<(usize, Row), (usize, Reason)>;

/// A value and its line, or what is wrong there.
type Valued = Result<(usize, Value), (usize, Reason)>;

/// Rows of one file.
pub(super) type Rows = Box<dyn Iterator<Item = Found>>;

/// Rows of a table that this room has no reader for; a row that cannot be read is an error, and the rest goes on.
pub type TableRows = Box<dyn Iterator<Item = Result<Value, String>>>;

/// Opens such a table, of which only the named columns are needed.
pub type OpenTable<'a> = &'a dyn Fn(&Path, &[&str]) -> Result<TableRows, String>;

/// File endings that are read, the last by [`OpenTable`].
pub(super) const ENDINGS: [&str; 5] = ["json", "jsonl", "csv", "tsv", "parquet"];

/// Opens a file by its ending. `steps` say where in its values the rows are.
pub(super) fn open(
    path: &Path,
    steps: &[Step],
    tables: Option<(OpenTable<'_>, &[&str])>,
) -> Result<Rows, Reason> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let file = || fs_err::File::open(path).map(BufReader::new).map_err(|error| error.to_string());
    let list = [Step::Each];
    match ending {
        "json" => {
            let bytes = fs_err::read(path).map_err(|error| error.to_string())?;
            json_rows(bytes, if steps.is_empty() { &list } else { steps })
        }
        "jsonl" => {
            let mut file = file()?;
            let begin = file.fill_buf().map_err(|error| error.to_string())?;
            match json::foreign(begin) {
                Some(what) => Err(what),
                None => Ok(spread(lines(file), steps)),
            }
        }
        "csv" => table(file()?, b',').map(|rows| spread(rows, steps)),
        "tsv" => table(file()?, b'\t').map(|rows| spread(rows, steps)),
        "parquet" => {
            let (open, columns) = tables.ok_or("a parquet file, and no reader of those was given")?;
            let rows = open(path, columns)?.enumerate();
            Ok(spread(
                rows.map(|(index, row)| row.map(|v| (index + 1, v)).map_err(|e| (index + 1, e))),
                steps,
            ))
        }
        _ => Err(format!("unknown ending {ending:?}; known: {}", ENDINGS.join(", "))),
    }
}

/// Walks into every value.
fn spread(values: impl Iterator<Item = Valued> + 'static, steps: &[Step]) -> Rows {
    let steps = steps.to_vec();
    Box::new(values.flat_map(move |value| match value {
        Ok((line, value)) => {
            let rows = walk(value, &steps);
            rows.into_iter().map(|row| row.map(|row| (line, row)).map_err(|what| (line, what))).collect()
        }
        Err(bad) => vec![Err(bad)],
    }))
}

fn lines(mut file: impl BufRead + 'static) -> impl Iterator<Item = Valued> {
    let (mut line, mut lost) = (0, false);
    std::iter::from_fn(move || {
        while !lost {
            let mut bytes = Vec::new();
            line += 1;
            match file.read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(_) if bytes.trim_ascii().is_empty() => {}
                Ok(_) => {
                    let value = json::read(&bytes);
                    return Some(value.map(|value| (line, value)).map_err(|fault| (line, told(&fault))));
                }
                Err(error) => {
                    lost = true;
                    return Some(Err((line, lost_rest(&error))));
                }
            }
        }
        None
    })
}

/// A device that fails once may fail for ever.
fn lost_rest(what: &impl std::fmt::Display) -> Reason {
    format!("{what}; the rest of the file is lost")
}

fn told(fault: &Fault) -> String {
    format!("not JSON: {}", fault.what)
}

/// Rows of a JSON file. The outermost list or object is cut into entries before any is parsed, so that one bad entry
/// does not take the rest with it.
fn json_rows(bytes: Vec<u8>, steps: &[Step]) -> Result<Rows, Reason> {
    if let Some(what) = json::foreign(&bytes) {
        return Err(what);
    }
    let mut cutter = Cutter { at: bytes.len() - bare(&bytes).len(), bytes, counted: (0, 1), close: 0 };
    let mut steps = steps;
    while let [Step::Member(name), rest @ ..] = steps {
        cutter.enter(b'{')?;
        loop {
            match cutter.key()? {
                Some(key) if key == *name => break,
                Some(_) => {
                    cutter.cut().ok_or("the file ends within a value")?;
                }
                None => return Err(format!("{name}: nothing there")),
            }
        }
        steps = rest;
    }
    let (name, rest) = match steps {
        [Step::Each, rest @ ..] => (None, rest),
        [Step::Key(name), rest @ ..] => (Some(name.clone()), rest),
        _ => {
            let line = cutter.line();
            let range = cutter.cut().ok_or("the file ends within a value")?;
            let value = json::read(&cutter.bytes[range]).map_err(|fault| told(&fault))?;
            return Ok(spread(std::iter::once(Ok((line, value))), steps));
        }
    };
    cutter.enter(if name.is_some() { b'{' } else { b'[' })?;
    let entries = std::iter::from_fn(move || cutter.next(name.as_deref()));
    Ok(spread(entries, &steps_of_entries(rest, steps)))
}

/// What is left to walk within an entry. The key of an entry was bound as the only member beside its value.
fn steps_of_entries(rest: &[Step], steps: &[Step]) -> Vec<Step> {
    let entry = matches!(steps.first(), Some(Step::Key(_))).then(|| Step::Entry);
    entry.into_iter().chain(rest.iter().cloned()).collect()
}

struct Cutter {
    bytes: Vec<u8>,
    at: usize,
    /// A place and the line it is on, from which lines are counted on.
    counted: (usize, usize),
    /// The bracket that ends what is being cut; 0 when it has ended.
    close: u8,
}

impl Cutter {
    fn line(&mut self) -> usize {
        self.blank(b"");
        let (from, line) = self.counted;
        let more = self.bytes[from..self.at].iter().filter(|&&byte| byte == b'\n').count();
        self.counted = (self.at, line + more);
        line + more
    }

    /// Passes over white space and these bytes.
    fn blank(&mut self, and: &[u8]) {
        let skipped = |byte: &u8| byte.is_ascii_whitespace() || and.contains(byte);
        self.at += self.bytes[self.at..].iter().take_while(|byte| skipped(byte)).count();
    }

    fn enter(&mut self, open: u8) -> Result<(), Reason> {
        self.blank(b"");
        if self.bytes.get(self.at) != Some(&open) {
            return Err(format!("expected {}", if open == b'{' { "an object" } else { "a list" }));
        }
        self.at += 1;
        self.close = if open == b'{' { b'}' } else { b']' };
        Ok(())
    }

    /// The key of the next entry; `None` at the end.
    fn key(&mut self) -> Result<Option<String>, Reason> {
        self.blank(b",");
        if self.bytes.get(self.at) == Some(&b'}') {
            return Ok(None);
        }
        let end = string_end(&self.bytes, self.at).ok_or("expected a key in quotes")?;
        let key = json::read(&self.bytes[self.at..end]).map_err(|fault| told(&fault))?;
        self.at = end;
        self.blank(b"");
        if self.bytes.get(self.at) != Some(&b':') {
            return Err("expected a colon after a key".to_owned());
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// The bytes of the value here, which is passed over.
    fn cut(&mut self) -> Option<std::ops::Range<usize>> {
        self.blank(b"");
        let start = self.at;
        self.at = value_end(&self.bytes, start)?;
        Some(start..self.at)
    }

    /// The next entry of the list, or of the object with its key under `name`.
    fn next(&mut self, name: Option<&str>) -> Option<Valued> {
        self.blank(b",");
        if self.close == 0 || self.bytes.get(self.at) == Some(&self.close) {
            return None;
        }
        let line = self.line();
        let key = match name.map(|_| self.key()).transpose() {
            Ok(key) => key.flatten(),
            Err(what) => return self.give_up(line, what),
        };
        let Some(range) = self.cut().filter(|range| !range.is_empty()) else {
            return self.give_up(line, "the file ends within a row, or a bracket is missing".to_owned());
        };
        Some(match (json::read(&self.bytes[range]), name.zip(key)) {
            (Ok(value), Some((name, key))) => {
                let bound = serde_json::json!({ name: key });
                Ok((line, Value::Array(vec![bound, value])))
            }
            (Ok(value), None) => Ok((line, value)),
            (Err(fault), _) => Err((line + fault.line.saturating_sub(1), told(&fault))),
        })
    }

    fn give_up<T>(&mut self, line: usize, what: String) -> Option<Result<T, (usize, Reason)>> {
        self.close = 0;
        Some(Err((line, format!("{what}; the rest of the file is lost"))))
    }
}

/// Past the closing quote of the string that begins here.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let mut place = at + 1;
    loop {
        match bytes.get(place)? {
            b'"' => return Some(place + 1),
            b'\\' => place += 2,
            _ => place += 1,
        }
    }
}

/// Past the value that begins here, by its brackets and quotes alone.
fn value_end(bytes: &[u8], at: usize) -> Option<usize> {
    let (mut place, mut depth) = (at, 0usize);
    loop {
        match (bytes.get(place), depth) {
            (None, 0) => return Some(place),
            (None, _) => return None,
            (Some(b'"'), _) => place = string_end(bytes, place)?,
            (Some(b'[' | b'{'), _) => (place, depth) = (place + 1, depth + 1),
            (Some(b',' | b']' | b'}'), 0) => return Some(place),
            (Some(b']' | b'}'), 1) => return Some(place + 1),
            (Some(b']' | b'}'), _) => (place, depth) = (place + 1, depth - 1),
            _ => place += 1,
        }
    }
}

/// Rows of a table whose first record names the columns; every cell is a text. Quotes as in RFC 4180.
fn table(mut file: impl BufRead + 'static, comma: u8) -> Result<impl Iterator<Item = Valued>, Reason> {
    let (mut line, mut lost) = (1, false);
    let names = record(&mut file, comma, &mut line)?;
    let names = names.ok_or("an empty file; the first line names the columns")?.1?;
    Ok(std::iter::from_fn(move || {
        if lost {
            return None;
        }
        let start = line;
        let (at, cells) = match record(&mut file, comma, &mut line).transpose()? {
            Ok((at, Ok(cells))) => (at, cells),
            Ok((at, Err(what))) => return Some(Err((at, what))),
            Err(what) => {
                lost = true;
                return Some(Err((start, lost_rest(&what))));
            }
        };
        if cells.len() != names.len() {
            let what = format!("{} cells under {} column names", cells.len(), names.len());
            return Some(Err((at, what)));
        }
        let row = names.iter().cloned().zip(cells.into_iter().map(Value::String)).collect();
        Some(Ok((at, Value::Object(row))))
    }))
}

/// A record, or why it is none, and the line it begins on.
type Record = (usize, Result<Vec<String>, Reason>);

/// The next record that is not blank. An error ends the file.
fn record(file: &mut impl BufRead, comma: u8, line: &mut usize) -> Result<Option<Record>, Reason> {
    loop {
        let (start, mut bytes) = (*line, Vec::new());
        loop {
            let more = file.read_until(b'\n', &mut bytes).map_err(|error| error.to_string())?;
            *line += usize::from(more > 0);
            match (more, odd_quotes(&bytes)) {
                (0, _) if bytes.is_empty() => return Ok(None),
                (0, true) => return Err("a quoted cell does not end".to_owned()),
                (_, true) => {}
                (_, false) => break,
            }
        }
        let text = bare(&bytes).strip_suffix(b"\n").unwrap_or(bare(&bytes));
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.is_empty() {
            continue;
        }
        let cells = std::str::from_utf8(text).map(|text| cells(text, char::from(comma)));
        return Ok(Some((start, cells.map_err(|_| "not UTF-8".to_owned()))));
    }
}

fn odd_quotes(bytes: &[u8]) -> bool {
    bytes.iter().filter(|&&byte| byte == b'"').count() % 2 == 1
}

fn cells(text: &str, comma: char) -> Vec<String> {
    let mut cells = vec![String::new()];
    let (mut quoted, mut letters) = (false, text.chars().peekable());
    while let Some(letter) = letters.next() {
        let cell = cells.last_mut().expect("there is always a cell");
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            _ if letter == comma && !quoted => cells.push(String::new()),
            _ => cell.push(letter),
        }
    }
    cells
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
