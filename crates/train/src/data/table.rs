//! Rows of a parquet file as the JSON they stand for, one at a time: strings, whole numbers, lists of strings, and the
//! bytes of pictures in base64. Which columns a row needs is its reader's business.

use std::cell::Cell;
use std::fs::File;
use std::io::BufReader;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, Once};

use bytes::Bytes;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};
use serde_json::{Map, Value, json};

use super::stvqa::encoded;

/// A parquet file.
pub(super) struct Table {
    /// The library seeks in the one open file, so one thread reads at a time.
    reader: Mutex<SerializedFileReader<Chunks>>,
    leaves: Vec<Leaf>,
    /// Rows of each row group.
    groups: Vec<usize>,
}

/// One column of values, as parquet cuts nested columns.
#[derive(Clone)]
struct Leaf {
    index: usize,
    /// Name of the whole column.
    column: String,
    /// Name within a structure: `bytes` and `path` of pictures.
    field: Option<String>,
    /// Whether a row has a list of values.
    many: bool,
}

/// The rows of one row group, from one of them on.
pub(super) struct Rows {
    columns: Vec<(Leaf, ColumnReader)>,
    left: usize,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("groups", &self.groups).finish_non_exhaustive()
    }
}

impl Table {
    /// Opens a file; of its columns, those named by `wanted` will be read.
    pub(super) fn open(path: &Path, wanted: &[&str]) -> Result<Table> {
        sound(|| Table::read(path, wanted))
    }

    fn read(path: &Path, wanted: &[&str]) -> Result<Table> {
        let file = fs_err::File::open(path)?.into_parts().0;
        let length = file.metadata()?.len();
        let reader = SerializedFileReader::new(Chunks { file, length })?;
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let leaf = |index: usize| {
            let path = schema.column(index).path().parts().to_vec();
            let column = path.first()?.clone();
            let field =
                path.last().filter(|last| path.len() > 1 && ["bytes", "path"].contains(&last.as_str()));
            let many = schema.column(index).max_rep_level() > 0;
            wanted.contains(&column.as_str()).then(|| Leaf { index, field: field.cloned(), column, many })
        };
        let leaves = (0..schema.num_columns()).filter_map(leaf).collect();
        let rows = |group: usize| usize::try_from(reader.metadata().row_group(group).num_rows());
        let groups = (0..reader.num_row_groups()).map(rows).collect::<Result<_, _>>();
        let groups = groups.map_err(|_| ParquetError::General("a row group of fewer than no rows".into()))?;
        Ok(Table { reader: Mutex::new(reader), leaves, groups })
    }

    /// Row groups.
    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// All rows of a group. The lock is held as long as the guard that comes with them.
    pub(super) fn group(&self, group: usize) -> Result<(MutexGuard<'_, SerializedFileReader<Chunks>>, Rows)> {
        let reader = self.reader.lock().expect("no thread panics while it holds the file");
        let rows = sound(|| self.rows(&reader, group))?;
        Ok((reader, rows))
    }

    fn rows(&self, reader: &SerializedFileReader<Chunks>, group: usize) -> Result<Rows> {
        let rows = reader.get_row_group(group)?;
        let open = |leaf: &Leaf| Ok((leaf.clone(), rows.get_column_reader(leaf.index)?));
        let columns = self.leaves.iter().map(open).collect::<Result<_>>()?;
        Ok(Rows { columns, left: self.groups[group] })
    }

    /// One row of the file.
    pub(super) fn row(&self, row: usize) -> Result<Value> {
        let mut at = row;
        for (group, &rows) in self.groups.iter().enumerate() {
            if at >= rows {
                at -= rows;
                continue;
            }
            let (_lock, mut rows) = self.group(group)?;
            return sound(|| rows.skip(at).and_then(|()| rows.next()))?
                .ok_or_else(|| ParquetError::General(format!("row {row} is missing")));
        }
        Err(ParquetError::General(format!("row {row} is missing")))
    }
}

/// Every row of a parquet file as JSON, of its columns those named by `wanted`. A row that cannot be read is an error
/// of one line, and the last: what stands behind it has no known beginning.
pub fn table_rows(
    path: &Path,
    wanted: &[&str],
) -> std::result::Result<impl Iterator<Item = std::result::Result<Value, String>> + use<>, String> {
    let told = |error: ParquetError| error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    let table = Table::open(path, wanted).map_err(told)?;
    let (mut group, mut rows, mut lost) = (0, None::<Rows>, false);
    Ok(std::iter::from_fn(move || {
        while !lost {
            let next = match &mut rows {
                Some(rows) => rows.next(),
                None if group == table.groups() => return None,
                None => match table.group(group) {
                    Ok((_lock, opened)) => {
                        rows = Some(opened);
                        group += 1;
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            match next {
                Ok(Some(value)) => return Some(Ok(value)),
                Ok(None) => rows = None,
                Err(error) => {
                    lost = true;
                    return Some(Err(told(error)));
                }
            }
        }
        None
    }))
}

impl Rows {
    fn skip(&mut self, rows: usize) -> Result<()> {
        for (_, column) in &mut self.columns {
            let skipped = match column {
                ColumnReader::ByteArrayColumnReader(reader) => reader.skip_records(rows)?,
                ColumnReader::Int32ColumnReader(reader) => reader.skip_records(rows)?,
                ColumnReader::Int64ColumnReader(reader) => reader.skip_records(rows)?,
                _ => rows,
            };
            if skipped != rows {
                return Err(ParquetError::General(format!("{skipped} rows where there should be {rows}")));
            }
        }
        self.left -= rows;
        Ok(())
    }

    /// The next row as an object.
    pub(super) fn next(&mut self) -> Result<Option<Value>> {
        sound(|| self.read())
    }

    fn read(&mut self) -> Result<Option<Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let mut row = Map::new();
        for (leaf, column) in &mut self.columns {
            let values: Vec<Value> = match column {
                ColumnReader::ByteArrayColumnReader(reader) => {
                    let text = |bytes: ByteArray| match leaf.field.as_deref() {
                        Some("bytes") => Ok(Value::String(encoded(bytes.data()))),
                        _ => Ok(Value::String(bytes.as_utf8()?.to_owned())),
                    };
                    record(reader)?.into_iter().map(text).collect::<Result<_>>()?
                }
                ColumnReader::Int32ColumnReader(reader) => {
                    record(reader)?.into_iter().map(|n| json!(n)).collect()
                }
                ColumnReader::Int64ColumnReader(reader) => {
                    record(reader)?.into_iter().map(|n| json!(n)).collect()
                }
                // A type that no column of ours has: the reader of rows will miss it by name.
                _ => continue,
            };
            leaf.put(values, &mut row);
        }
        Ok(Some(Value::Object(row)))
    }
}

impl Leaf {
    /// Puts a row's values where JSON has them. Parquet drops nulls, so an absent value is a short list.
    fn put(&self, mut values: Vec<Value>, row: &mut Map<String, Value>) {
        match (&self.field, self.many) {
            (None, true) => {
                row.insert(self.column.clone(), Value::Array(values));
            }
            (None, false) => {
                row.insert(self.column.clone(), values.pop().unwrap_or(Value::Null));
            }
            (Some(field), _) => {
                let Value::Array(items) = row.entry(self.column.clone()).or_insert_with(|| json!([])) else {
                    return;
                };
                for (index, value) in values.into_iter().enumerate() {
                    if items.len() <= index {
                        items.push(json!({}));
                    }
                    items[index][field] = value;
                }
            }
        }
    }
}

/// The values of one row; nulls are left out.
fn record<T: DataType>(reader: &mut ColumnReaderImpl<T>) -> Result<Vec<T::T>> {
    let (mut defined, mut repeated, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let (rows, ..) = reader.read_records(1, Some(&mut defined), Some(&mut repeated), &mut values)?;
    if rows != 1 {
        return Err(ParquetError::EOF("the column ends before its rows do".into()));
    }
    Ok(values)
}

thread_local! {
    /// Whether a panic of this thread is the library's way to refuse a file.
    static REFUSING: Cell<bool> = const { Cell::new(false) };
}

/// Runs the library on bytes that may be damaged. It panics on some of them; here that is an error like any other,
/// and nothing is printed. What it was reading is given up afterwards.
fn sound<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !REFUSING.get() {
                usual(info);
            }
        }));
    });
    let before = REFUSING.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    REFUSING.set(before);
    outcome.unwrap_or_else(|_| Err(ParquetError::General("the file is damaged".into())))
}

/// The file, which refuses to be read past its end before memory is taken for what is not there.
pub(super) struct Chunks {
    file: File,
    length: u64,
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<File>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        self.file.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} of {}", self.length)));
        }
        self.file.get_bytes(start, length)
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
