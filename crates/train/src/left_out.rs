//! `left-out.jsonl` of a run: every row that was not used, where it is and why, one JSON line a row. A row is written
//! once, however often it comes up, and a run that continues keeps what an earlier process wrote.

use std::collections::HashSet;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::BadRow;
use crate::error::Result;

/// Name of the file in a run's folder.
pub const LEFT_OUT: &str = "left-out.jsonl";

/// When it was found that a row cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// Before the first step: what the row says cannot be read, or its words are too long.
    Reading,
    /// In a step, when its media were opened.
    Opening,
    /// In a step, when what was sampled for it could not be judged.
    Judging,
    /// Among the held-out questions, when its media were opened.
    HeldOut,
}

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Name of the source.
    pub source: String,
    /// The file.
    pub file: PathBuf,
    /// The line the row begins on, from 1; in parquet, the row.
    pub line: usize,
    /// Which row of the file it is, from 1.
    pub row: usize,
    /// When it was found.
    pub found: Found,
    /// What is wrong.
    pub reason: String,
}

impl Line {
    /// What is written about a row.
    pub fn of(bad: &BadRow, found: Found) -> Line {
        let BadRow { source_name, file, at, reason } = bad.clone();
        Line { source: source_name, file, line: at.line, row: at.row, found, reason }
    }
}

/// The file, open for appending. It is made with its first line.
pub struct LeftOut {
    path: PathBuf,
    file: Option<fs_err::File>,
    /// Source, file and row of every line.
    known: HashSet<(String, PathBuf, usize)>,
}

impl LeftOut {
    /// That of a run's folder. A run that begins starts the file anew; one that continues reads it, and drops a last
    /// line that a killed process did not finish.
    pub fn open(output: &Path, continues: bool) -> Result<LeftOut> {
        let path = output.join(LEFT_OUT);
        let mut left_out = LeftOut { path, file: None, known: HashSet::new() };
        if !left_out.path.exists() {
            return Ok(left_out);
        }
        if !continues {
            fs_err::remove_file(&left_out.path)?;
            return Ok(left_out);
        }
        let (lines, whole) = read(&left_out.path)?;
        left_out.known.extend(lines.into_iter().map(|line| (line.source, line.file, line.row)));
        let mut file = fs_err::OpenOptions::new().write(true).open(&left_out.path)?;
        file.set_len(whole)?;
        file.seek(SeekFrom::Start(whole))?;
        left_out.file = Some(file);
        Ok(left_out)
    }

    /// Writes a row down, unless it is there already; says whether it was new.
    pub fn add(&mut self, bad: &BadRow, found: Found) -> Result<bool> {
        let line = Line::of(bad, found);
        if !self.known.insert((line.source.clone(), line.file.clone(), line.row)) {
            return Ok(false);
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(fs_err::File::create(&self.path)?),
        };
        let text = serde_json::to_string(&line).expect("a line is plain data");
        // In one call, so that a reader and a kill meet whole lines.
        file.write_all(format!("{text}\n").as_bytes())?;
        Ok(true)
    }

    /// Rows so far.
    pub fn count(&self) -> usize {
        self.known.len()
    }
}

/// The rows that the run of a folder left out.
pub fn rows_left_out(output: &Path) -> Result<Vec<Line>> {
    let path = output.join(LEFT_OUT);
    Ok(if path.exists() { read(&path)?.0 } else { Vec::new() })
}

/// The whole lines of a file, and how many bytes they are.
fn read(path: &Path) -> Result<(Vec<Line>, u64)> {
    let text = fs_err::read(path)?;
    let (mut lines, mut whole) = (Vec::new(), 0);
    for bytes in text.split_inclusive(|&byte| byte == b'\n') {
        match serde_json::from_slice(bytes) {
            Ok(line) if bytes.ends_with(b"\n") => lines.push(line),
            _ => break,
        }
        whole += bytes.len() as u64;
    }
    Ok((lines, whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::At;

    fn bad(source: &str, row: usize) -> BadRow {
        let at = At { line: 1, row };
        BadRow { source_name: source.into(), file: "rows.json".into(), at, reason: format!("\"{row}\"\nhm") }
    }

    #[test]
    fn a_row_is_written_once_however_often_a_run_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let rows = |folder: &Path| -> Vec<(String, usize)> {
            let lines = rows_left_out(folder).unwrap();
            lines.into_iter().map(|line| (line.source, line.row)).collect()
        };
        let all =
            |count: usize| -> Vec<(String, usize)> { (1..=count).map(|row| ("a".into(), row)).collect() };
        let mut left_out = LeftOut::open(folder.path(), false).unwrap();
        assert!(!folder.path().join(LEFT_OUT).exists(), "nothing was left out yet");
        // All of them on one line of one file.
        for row in [1, 2, 1, 3, 3] {
            left_out.add(&bad("a", row), Found::Opening).unwrap();
        }
        assert_eq!((rows(folder.path()), left_out.count()), (all(3), 3));
        drop(left_out);
        // A process that was killed within a line.
        let path = folder.path().join(LEFT_OUT);
        let text = fs_err::read_to_string(&path).unwrap();
        for cut in [text.len() - 1, text.len() - 20] {
            fs_err::write(&path, &text[..cut]).unwrap();
            let mut left_out = LeftOut::open(folder.path(), true).unwrap();
            assert_eq!(left_out.count(), 2);
            assert!(left_out.add(&bad("a", 3), Found::Opening).unwrap());
            assert!(!left_out.add(&bad("a", 1), Found::HeldOut).unwrap());
            assert_eq!(fs_err::read_to_string(&path).unwrap(), text);
        }
        // The same file as another source is another row, and a run from the beginning knows of none.
        let mut left_out = LeftOut::open(folder.path(), true).unwrap();
        assert!(left_out.add(&bad("b", 1), Found::Reading).unwrap());
        assert_eq!(left_out.count(), 4);
        drop(left_out);
        assert_eq!(LeftOut::open(folder.path(), false).unwrap().count(), 0);
        assert_eq!(rows(folder.path()), []);
    }
}
