//! Memory files as others publish them: JSON arrays of texts with a day and two clock times.
//!
//! | form | where | text | times |
//! |---|---|---|---|
//! | `egolife` | `A1_JAKE/A1_JAKE_1day.json`, `_1hour.json`, `_10min.json` | a string | numbers, `11090000` |
//! | `videomme` | `VIDEO.json`, one folder for ten minutes, one for 30 seconds | a string | strings, `"00003000"` |
//! | `egoschema` | `VIDEO.json`, 30 seconds | a list of strings | strings |
//! | `records` | `records.jsonl` | everything a record holds | our own, nothing is lost |
//!
//! The first three carry no sources, people, transcripts or evidence. Files of clips and weeks in the `egolife` form
//! (`_30sec.json`, `_1week.json`) are ours. Keys that are not known are passed over and named.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use self::read::{FileName, read};
pub use self::write::export;
use crate::{Change, Error, Level, Memory, Record, RecordId, Result};

/// A form of published files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Ego-R1's files of EgoLife.
    EgoLife,
    /// Ego-R1's files of VideoMME.
    VideoMme,
    /// Ego-R1's files of EgoSchema.
    EgoSchema,
    /// All that a record holds, one JSON object a line.
    Records,
}

impl Form {
    const NAMES: [(&'static str, Form); 4] = [
        ("egolife", Form::EgoLife),
        ("videomme", Form::VideoMme),
        ("egoschema", Form::EgoSchema),
        ("records", Form::Records),
    ];
}

impl FromStr for Form {
    type Err = Error;

    fn from_str(name: &str) -> Result<Form> {
        let known = Form::NAMES.iter().find(|(known, _)| *known == name).map(|(_, form)| *form);
        known.ok_or_else(|| Error::File {
            location: format!("the form {name:?}"),
            reason: "forms are egolife, videomme, egoschema and records".into(),
        })
    }
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Files read.
    pub files: usize,
    /// Records put.
    pub records: usize,
    /// Summaries that were joined to the finer records within them.
    pub linked: usize,
    /// Keys that were passed over.
    pub passed_over: BTreeSet<String>,
}

/// Reads files, or the `.json` and `.jsonl` files of folders, into a memory, in one write: all of them or none. Summaries
/// are joined to the finer records that lie within their time. `wearer` and `level` stand in for what file names do not
/// say. Refuses what is there already, so that nothing is doubled.
pub fn import(
    memory: &mut Memory,
    paths: &[PathBuf],
    wearer: Option<&str>,
    level: Option<Level>,
) -> Result<Imported> {
    let mut imported = Imported::default();
    let mut records = Vec::new();
    for file in files(paths)? {
        let location = file.display().to_string();
        let text = firsthand_base::json::text(fs_err::read(&file)?);
        let text = text.map_err(|reason| Error::File { location: location.clone(), reason })?;
        let mut name = FileName::of(&file);
        name.wearer = wearer.map_or(name.wearer, str::to_owned);
        name.level = level.or(name.level);
        let found = read(&text, &name, &location)?;
        imported.files += 1;
        imported.passed_over.extend(found.passed_over);
        // Ids in a file hold among its own records.
        let base = records.len() as i64;
        records.extend(found.records.into_iter().map(|record| shift(record, base)));
    }
    refuse_doubles(memory, &records)?;
    imported.records = records.len();
    let (changes, linked) = link(records);
    imported.linked = linked;
    memory.write(&changes)?;
    Ok(imported)
}

/// The files of paths: themselves, or what lies in folders, by name.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open: Vec<PathBuf> = paths.iter().rev().cloned().collect();
    while let Some(path) = open.pop() {
        if !path.is_dir() {
            files.push(path);
            continue;
        }
        let mut entries: Vec<PathBuf> = Vec::new();
        for entry in fs_err::read_dir(&path)? {
            let entry = entry?.path();
            if entry.is_dir() || has_ending(&entry) {
                entries.push(entry);
            }
        }
        entries.sort();
        open.extend(entries.into_iter().rev());
    }
    if files.is_empty() {
        let location = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        return Err(Error::File { location, reason: "there is no .json or .jsonl file in it".into() });
    }
    Ok(files)
}

fn has_ending(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "json" || ending == "jsonl")
}

/// Ids and sources of one file's records, moved past those of the files before.
fn shift(mut record: Record, base: i64) -> Record {
    for id in std::iter::once(&mut record.id).chain(&mut record.sources) {
        if id.0 > 0 {
            id.0 += base;
        }
    }
    record
}

fn refuse_doubles(memory: &mut Memory, records: &[Record]) -> Result<()> {
    let kinds: BTreeSet<(&str, Level)> =
        records.iter().map(|record| (record.wearer.as_str(), record.level)).collect();
    for (wearer, level) in kinds {
        let scope =
            crate::Scope { wearer: Some(wearer.into()), level: Some(level), ..crate::Scope::default() };
        if !memory.store().range(&scope, 1)?.is_empty() {
            return Err(Error::File {
                location: format!("records of level {level} of {wearer}"),
                reason: "the memory has such already; forget them first, or import into another memory"
                    .into(),
            });
        }
    }
    Ok(())
}

/// Puts records fine to coarse, with sources as places among the changes: those a record names, else the records of the
/// nearest finer level that lie within its time.
fn link(mut records: Vec<Record>) -> (Vec<Change>, usize) {
    records.sort_by(|a, b| {
        (a.level, &a.wearer, a.start, a.end, a.id).cmp(&(b.level, &b.wearer, b.start, b.end, b.id))
    });
    let places: std::collections::HashMap<RecordId, usize> = records
        .iter()
        .enumerate()
        .filter(|(_, record)| record.id.0 > 0)
        .map(|(i, record)| (record.id, i))
        .collect();
    let mut linked = 0;
    let mut changes = Vec::with_capacity(records.len());
    for record in &records {
        let sources: Vec<RecordId> = if record.id.0 > 0 {
            let known = record.sources.iter().filter_map(|source| places.get(source));
            known.map(|place| RecordId::of_change(*place)).collect()
        } else {
            within(&records, record)
        };
        linked += usize::from(!sources.is_empty());
        changes.push(Change::put(Record { id: RecordId::NEW, sources, ..record.clone() }));
    }
    (changes, linked)
}

/// The records of the nearest finer level within a record's time.
fn within(records: &[Record], summary: &Record) -> Vec<RecordId> {
    let mut level = summary.level.finer();
    while let Some(finer) = level {
        let key = |record: &Record| (record.level, record.wearer.clone());
        let wanted = (finer, summary.wearer.clone());
        let from =
            records.partition_point(|record| (key(record), record.start) < (wanted.clone(), summary.start));
        let found: Vec<RecordId> = records[from..]
            .iter()
            .enumerate()
            .take_while(|(_, record)| key(record) == wanted && record.start < summary.end)
            .filter(|(_, record)| record.end <= summary.end)
            .map(|(i, _)| RecordId::of_change(from + i))
            .collect();
        if !found.is_empty() {
            return found;
        }
        level = finer.finer();
    }
    Vec::new()
}
