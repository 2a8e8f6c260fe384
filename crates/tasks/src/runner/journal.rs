//! A run's folder: the manifest, written before the first row; rows, appended one whole line at a time, each on the
//! disk before the next. A line that an interruption tore is cut off. A row that was asked again stands twice, and the
//! later one counts.
//!
//! Refused: a folder whose manifest names other settings, and lines that are no rows.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use firsthand_base::Manifest;

use super::compare::Change;
use super::record::{Key, Record};
use super::{MANIFEST, ROWS, write_whole};
use crate::{Error, Result};

/// A run as it is in its folder.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// What made it.
    pub manifest: Manifest,
    /// Its rows, the later of two with one key.
    pub rows: Vec<Record>,
}

/// Reads a run's folder.
pub fn read(folder: &Path) -> Result<Recorded> {
    let path = folder.join(MANIFEST);
    let manifest = manifest(&path)?.ok_or_else(|| {
        Error::Run(format!("no {MANIFEST} in {}\nhint: name a folder that `eval` wrote", folder.display()))
    })?;
    let mut rows: Vec<Record> = Vec::new();
    let mut places: HashMap<Key, usize> = HashMap::new();
    each_row(&folder.join(ROWS), &mut |record| match places.get(&record.key()) {
        Some(&place) => rows[place] = record,
        None => {
            places.insert(record.key(), rows.len());
            rows.push(record);
        }
    })?;
    Ok(Recorded { manifest, rows })
}

fn manifest(path: &Path) -> Result<Option<Manifest>> {
    let text = match fs_err::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let parsed = serde_json::from_slice(&text);
    parsed.map(Some).map_err(|error| Error::Run(format!("not a manifest: {}: {error}", path.display())))
}

/// Hands over every whole line; answers how many bytes they have. No file is a file without lines.
fn each_row(path: &Path, take: &mut dyn FnMut(Record)) -> Result<u64> {
    let mut file = match fs_err::File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    let (mut whole, mut line, mut number) = (0, Vec::new(), 0);
    loop {
        line.clear();
        let bytes = file.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(whole);
        }
        (whole, number) = (whole + bytes as u64, number + 1);
        if line.trim_ascii().is_empty() {
            continue;
        }
        let wrong = |what: String| {
            Error::Run(format!(
                "not a row that eval wrote: {}:{number}: {what}\nhint: remove that line, or write to another folder",
                path.display()
            ))
        };
        let record: Record = serde_json::from_slice(&line).map_err(|error| wrong(error.to_string()))?;
        if record.error.is_some() == record.reply.is_some() {
            return Err(wrong("it needs either an answer or an error".to_owned()));
        }
        take(record);
    }
}

/// Rows, locked and open at their end.
pub(super) struct Journal {
    folder: PathBuf,
    file: fs_err::File,
    /// Whether each known row failed.
    known: HashMap<Key, bool>,
    retry_failed: bool,
}

impl Journal {
    /// Makes the folder or goes on with it.
    pub(super) fn open(folder: &Path, made_by: &Manifest, retry_failed: bool) -> Result<Journal> {
        fs_err::create_dir_all(folder)?;
        let path = folder.join(ROWS);
        let file =
            fs_err::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
        if file.file().try_lock().is_err() {
            let hint = "wait for it, or write to another folder";
            return Err(Error::Run(format!("another process writes to {}\nhint: {hint}", path.display())));
        }
        match manifest(&folder.join(MANIFEST))? {
            Some(before) => same_settings(folder, &before, made_by)?,
            None if file.metadata()?.len() > 0 => {
                let what = format!("rows without a manifest: {}", path.display());
                return Err(Error::Run(format!("{what}\nhint: write to another folder")));
            }
            None => {}
        }
        let text = serde_json::to_string_pretty(made_by).expect("a manifest is JSON");
        write_whole(&folder.join(MANIFEST), &(text + "\n"))?;
        let mut known = HashMap::new();
        let whole = each_row(&path, &mut |record| {
            known.insert(record.key(), record.is_failed());
        })?;
        let mut journal = Journal { folder: folder.to_owned(), file, known, retry_failed };
        if journal.file.metadata()?.len() > whole {
            journal.file.set_len(whole)?;
        }
        journal.file.seek(SeekFrom::End(0))?;
        Ok(journal)
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether a row needs no asking.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.known.get(key).is_some_and(|failed| !(*failed && self.retry_failed))
    }

    /// Appends a row and waits until it is on the disk.
    pub(super) fn write(&mut self, record: &Record) -> Result<()> {
        let mut line = serde_json::to_vec(record).expect("a row is JSON");
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()?;
        self.known.insert(record.key(), record.is_failed());
        Ok(())
    }
}

/// Refuses to put rows of other settings beside those that are there.
fn same_settings(folder: &Path, before: &Manifest, now: &Manifest) -> Result<()> {
    let changes = super::compare::entries(before, now);
    if changes.is_empty() {
        return Ok(());
    }
    let told = |change: &Change| format!("{} was {}, is {}", change.what, change.before, change.after);
    let changes: Vec<String> = changes.iter().map(told).collect();
    Err(Error::Run(format!(
        "made with another checkpoint or other settings: {}: {}\nhint: repeat the settings of the first run, or write to another folder",
        folder.display(),
        changes.join("; ")
    )))
}
