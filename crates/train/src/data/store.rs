//! Where the rows of one source are: places in a JSON file, or rows of parquet files. Rows are read again by their
//! place; nothing of what they say is kept.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use firsthand_base::json::{self, Place, ScanError};
use parquet::errors::ParquetError;
use serde_json::Value;

use super::config::{Format, SourceConfig};
use super::fields::Reason;
use super::row::{At, Error, Result};
use super::source::one_line;
use super::table::Table;
use super::{ego_r1, stvqa};

/// The usable rows of a source, by place.
#[derive(Debug)]
pub(super) enum Store {
    /// One JSON or JSONL file; with each place, which row of the file it is.
    Json { path: PathBuf, file: Mutex<fs_err::File>, places: Vec<(Place, u32)> },
    /// Parquet files, and of each usable row the file and the row in it.
    Tables { tables: Vec<(PathBuf, Table)>, places: Vec<(u32, u32)> },
}

/// A row as it is found: where, and its JSON with the bytes it was read from, or why there is none.
pub(super) struct Found<'a> {
    pub(super) file: &'a Path,
    pub(super) at: At,
    pub(super) value: Result<(Value, &'a [u8]), Reason>,
}

impl Store {
    /// Reads every row once; those for which `keep` answers yes can be read again.
    pub(super) fn open(config: &SourceConfig, keep: &mut dyn FnMut(Found<'_>) -> bool) -> Result<Store> {
        let is_table = config.path.extension().is_some_and(|ending| ending == "parquet");
        match config.format {
            Format::Stvqa if is_table || config.path.is_dir() => {
                Store::open_tables(config, &stvqa::COLUMNS, keep)
            }
            Format::EgoR1 if is_table => Store::open_tables(config, &ego_r1::COLUMNS, keep),
            _ => Store::open_json(config, keep),
        }
    }

    fn open_json(config: &SourceConfig, keep: &mut dyn FnMut(Found<'_>) -> bool) -> Result<Store> {
        let path = config.path.clone();
        let refuse = |what: String| Error::Source {
            name: config.name.clone(),
            what: format!("{}: {what}", path.display()),
        };
        if !fs_err::metadata(&path)?.is_file() {
            // A pipe or a device may never end, and rows are read again by their place.
            return Err(refuse("not a regular file; give a JSON or JSONL file".to_owned()));
        }
        let (mut places, mut row) = (Vec::new(), 0u32);
        let mut stream = BufReader::with_capacity(1 << 20, fs_err::File::open(&path)?);
        let read = json::scan(&mut stream, &mut |place, bytes| {
            let read = |bytes| Ok((parse(bytes)?, bytes));
            let value = bytes.map_err(str::to_owned).and_then(read);
            row = row.saturating_add(1);
            let at = At { line: place.line as usize, row: row as usize };
            if keep(Found { file: &path, at, value }) {
                places.push((place, row));
            }
        });
        read.map_err(|error| match error {
            ScanError::Io(error) => error.into(),
            ScanError::Form(what) => refuse(what),
        })?;
        let file = Mutex::new(fs_err::File::open(&path)?);
        Ok(Store::Json { path, file, places })
    }

    fn open_tables(
        config: &SourceConfig,
        columns: &[&'static str],
        keep: &mut dyn FnMut(Found<'_>) -> bool,
    ) -> Result<Store> {
        let named = |&column: &&'static str| config.columns.get(column).map_or(column, String::as_str);
        let asked_for = config.only.keys().map(String::as_str);
        let wanted: Vec<&str> = columns.iter().map(named).chain(asked_for).collect();
        let (mut tables, mut places) = (Vec::new(), Vec::new());
        for path in table_files(config)? {
            let broken = |error: ParquetError| {
                let reason = one_line(&error.to_string());
                let remedy = match reason.contains("Disabled feature") {
                    true => "write the file with snappy or without compression",
                    false => "fetch or write the file again",
                };
                let what = format!("{}: {reason}; {remedy}", path.display());
                Error::Source { name: config.name.clone(), what }
            };
            let table = Table::open(&path, &wanted).map_err(broken)?;
            let mut line = 0;
            for group in 0..table.groups() {
                let (_lock, mut rows) = table.group(group).map_err(broken)?;
                while let Some(value) = rows.next().map_err(broken)? {
                    line += 1;
                    let text = value.to_string();
                    if keep(Found {
                        file: &path,
                        at: At { line, row: line },
                        value: Ok((value, text.as_bytes())),
                    }) {
                        places.push((tables.len() as u32, line as u32));
                    }
                }
            }
            tables.push((path, table));
        }
        Ok(Store::Tables { tables, places })
    }

    /// Where a usable row stands.
    pub(super) fn place(&self, index: usize) -> (&Path, At) {
        match self {
            Store::Json { path, places, .. } => {
                let (place, row) = places[index];
                (path, At { line: place.line as usize, row: row as usize })
            }
            Store::Tables { tables, places } => {
                let (table, row) = places[index];
                (&tables[table as usize].0, At { line: row as usize, row: row as usize })
            }
        }
    }

    /// Reads a usable row again.
    pub(super) fn value(&self, index: usize) -> Result<Value, Reason> {
        match self {
            Store::Json { file, places, .. } => {
                let (place, _) = places[index];
                let mut bytes = vec![0; place.length as usize];
                let mut file = file.lock().expect("no thread panics while it holds the file");
                let read = file.seek(SeekFrom::Start(place.offset)).and_then(|_| file.read_exact(&mut bytes));
                drop(file);
                read.map_err(|error| error.to_string())?;
                parse(&bytes)
            }
            Store::Tables { tables, places } => {
                let (table, line) = places[index];
                let row = tables[table as usize].1.row(line as usize - 1);
                row.map_err(|error| one_line(&error.to_string()))
            }
        }
    }
}

/// The file, or those of a folder that the published layout names for training, in order.
fn table_files(config: &SourceConfig) -> Result<Vec<PathBuf>> {
    if !config.path.is_dir() {
        return Ok(vec![config.path.clone()]);
    }
    let mut files = Vec::new();
    for entry in fs_err::read_dir(&config.path)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("train-") && name.ends_with(".parquet") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        let what =
            format!("{}: no train-*.parquet; give a file, or the folder of the files", config.path.display());
        return Err(Error::Source { name: config.name.clone(), what });
    }
    Ok(files)
}

fn parse(bytes: &[u8]) -> Result<Value, Reason> {
    json::read(bytes).map_err(|fault| {
        let line = if fault.line > 1 { format!("line {} of it, ", fault.line) } else { String::new() };
        format!("broken JSON: {}, {line}character {}", fault.what, fault.column)
    })
}
