//! OUT as a journal: whole lines only, each on the disk before the next, each row once. What an interruption tore
//! is cut off when the file is opened again.

use std::collections::HashSet;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rows::{Key, Row};
use crate::atomic::AtomicFile;
use crate::failure::{failure, lines};
use crate::reply::Reply;

/// One line of OUT.
#[derive(Serialize)]
pub(super) struct Record<'a> {
    id: &'a Value,
    line: usize,
    recipe: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra: Option<&'a Value>,
    #[serde(flatten)]
    outcome: Outcome<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<'a> {
    Answered(&'a Reply),
    Failed { error: String },
}

impl<'a> Record<'a> {
    /// A row with its answer.
    pub(super) fn answered(
        row: &'a Row,
        recipe: &'a str,
        extra: Option<&'a Value>,
        reply: &'a Reply,
    ) -> Self {
        Record { id: &row.id, line: row.line, recipe, extra, outcome: Outcome::Answered(reply) }
    }

    /// A row with the reason why there is none.
    pub(super) fn failed(row: &'a Row, recipe: &'a str, error: &anyhow::Error) -> Self {
        let (message, hints) = lines(error);
        let error = [vec![message], hints].concat().join("; ");
        Record { id: &row.id, line: row.line, recipe, extra: None, outcome: Outcome::Failed { error } }
    }

    fn is_failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. })
    }
}

/// What is read of a line that is there already.
#[derive(Deserialize)]
struct Kept {
    id: Value,
    line: usize,
    recipe: String,
    error: Option<String>,
}

/// OUT, locked and open at its end.
pub(super) struct Journal {
    file: fs_err::File,
    done: HashSet<Key>,
    /// Rows answered by this run.
    pub(super) answered: usize,
    /// Failed rows in the file.
    pub(super) failed: usize,
}

impl Journal {
    /// Opens or makes the file, repairs its end, and learns which rows it has. With `retry_failed`, failed rows are
    /// taken out first.
    pub(super) fn open(path: &Path, recipe: &str, retry_failed: bool) -> Result<Journal> {
        let mut file = open_locked(path)?;
        let text = fs_err::read(path)?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let (mut done, mut failed, mut kept_lines) = (HashSet::new(), 0, Vec::new());
        let mut dropped = false;
        for (index, line) in text[..whole].split(|&byte| byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let kept = read_line(path, index + 1, line, recipe)?;
            if kept.error.is_some() && retry_failed {
                dropped = true;
                continue;
            }
            failed += usize::from(kept.error.is_some());
            done.insert(Key::of(&kept.id).unwrap_or(Key::Line(kept.line)));
            kept_lines.push(line);
        }
        if dropped {
            let mut fresh = AtomicFile::create(path)?;
            for line in kept_lines {
                fresh.write_all(line)?;
                fresh.write_all(b"\n")?;
            }
            fresh.commit()?;
            file = open_locked(path)?;
        } else if whole < text.len() {
            file.set_len(whole as u64)?;
        }
        file.seek(SeekFrom::End(0))?;
        Ok(Journal { file, done, answered: 0, failed })
    }

    /// Whether a row needs no asking.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.done.contains(key)
    }

    /// Appends a line and waits until it is on the disk.
    pub(super) fn write(&mut self, record: &Record<'_>) -> Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()?;
        self.answered += usize::from(!record.is_failed());
        self.failed += usize::from(record.is_failed());
        Ok(())
    }
}

fn read_line(path: &Path, number: usize, line: &[u8], recipe: &str) -> Result<Kept> {
    let place = || format!("{} line {number}", path.display());
    let kept: Kept = serde_json::from_slice(line).map_err(|error| {
        failure(
            format!("not a line that batch wrote: {}: {error}", place()),
            "write to another file, or remove that line",
        )
    })?;
    if kept.recipe != recipe {
        return Err(failure(
            format!("made with another checkpoint or other settings: {}", place()),
            "repeat the settings of the first run, or write to another file",
        ));
    }
    Ok(kept)
}

fn open_locked(path: &Path) -> Result<fs_err::File> {
    let file = fs_err::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(failure(format!("is not a regular file: {}", path.display()), "name a file to write"));
    }
    file.file().try_lock().with_context(|| format!("another process writes to {}", path.display()))?;
    Ok(file)
}
