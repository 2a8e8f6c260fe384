//! Writing: records, words, times and vectors change together, inside one transaction that the caller holds.

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::blocks::{Block, Row, place};
use super::postings::Changes;
use super::search::record_of_row;
use super::vectors::Quantized;
use crate::terms::keys;
use crate::{Change, Encoder, Error, Record, RecordId};

/// Result inside a write.
pub(super) type Step<T> = std::result::Result<T, Fault>;

/// One write in the making.
pub(super) struct Writing<'a> {
    database: &'a Connection,
    version: i64,
    encoder: Option<Encoder>,
    words: Changes,
    blocks: BTreeMap<i64, Block>,
    /// The id of each change that put a record.
    put: Vec<Option<RecordId>>,
}

impl<'a> Writing<'a> {
    pub(super) fn begin(database: &'a Connection, encoder: Option<Encoder>) -> rusqlite::Result<Writing<'a>> {
        let version = next_version(database)?;
        Ok(Writing {
            database,
            version,
            encoder,
            words: Changes::default(),
            blocks: BTreeMap::new(),
            put: Vec::new(),
        })
    }

    pub(super) fn change(&mut self, change: &Change) -> Step<()> {
        let put = match change {
            Change::Put { record, vector } => Some(self.put(record, vector.as_deref())?),
            Change::Vector { id, vector } => {
                if self.row(*id)?.exists() {
                    self.vector(*id, Some(vector))?;
                }
                None
            }
            Change::State { id, state } => {
                let mut update =
                    self.database.prepare_cached("UPDATE records SET state = ?2 WHERE id = ?1")?;
                if update.execute((id.0, *state as u8))? > 0 {
                    self.row(*id)?.set_state(*state);
                }
                None
            }
            Change::Delete(id) => {
                self.delete(*id)?;
                None
            }
            Change::Note { key, text } => {
                match text {
                    Some(text) => self
                        .database
                        .prepare_cached("INSERT OR REPLACE INTO notes VALUES (?1, ?2)")?
                        .execute((key, text))?,
                    None => {
                        self.database.prepare_cached("DELETE FROM notes WHERE key = ?1")?.execute([key])?
                    }
                };
                None
            }
        };
        self.put.push(put);
        Ok(())
    }

    /// Writes what was collected; gives the ids of the records put.
    pub(super) fn finish(self) -> rusqlite::Result<Vec<RecordId>> {
        self.words.apply(self.database)?;
        let mut write = self.database.prepare_cached("INSERT OR REPLACE INTO blocks VALUES (?1, ?2, ?3)")?;
        for (number, block) in &self.blocks {
            write.execute((number, self.version, block.to_bytes()))?;
        }
        Ok(self.put.into_iter().flatten().collect())
    }

    fn put(&mut self, record: &Record, vector: Option<&[f32]>) -> Step<RecordId> {
        let wearer = self.wearer(&record.wearer)?;
        let people = (!record.people.is_empty()).then(|| json(&record.people)).transpose()?;
        let evidence = (!record.evidence.is_empty()).then(|| json(&record.evidence)).transpose()?;
        let state = record.state as u8;
        let id = if record.id == RecordId::NEW {
            let mut insert = self.database.prepare_cached(
                "INSERT INTO records (level, wearer, start_ms, end_ms, state, text, transcript, people, evidence)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?;
            RecordId(insert.insert(params![
                record.level.rank() as i64,
                wearer,
                record.start.ms(),
                record.end.ms(),
                state,
                record.text,
                record.transcript,
                people,
                evidence
            ])?)
        } else {
            self.unindex(record.id)?
                .ok_or_else(|| Fault::record(record, "there is no record with its id"))?;
            let mut update = self.database.prepare_cached(
                "UPDATE records SET level = ?2, wearer = ?3, start_ms = ?4, end_ms = ?5, state = ?6, text = ?7,
                 transcript = ?8, people = ?9, evidence = ?10 WHERE id = ?1",
            )?;
            update.execute(params![
                record.id.0,
                record.level.rank() as i64,
                wearer,
                record.start.ms(),
                record.end.ms(),
                state,
                record.text,
                record.transcript,
                people,
                evidence
            ])?;
            self.database.prepare_cached("DELETE FROM sources WHERE summary = ?1")?.execute([record.id.0])?;
            record.id
        };
        self.sources(id, record)?;
        let (stems, length) = keys(record);
        self.words.add(id, stems);
        let mut fresh = Row::new(record.level, wearer, record.start, record.end, record.state, length);
        // The old vector is there until the next line takes it away.
        fresh.set_vector(self.row(id)?.has_vector());
        *self.row(id)? = fresh;
        self.vector(id, vector)?;
        Ok(id)
    }

    fn sources(&mut self, id: RecordId, record: &Record) -> Step<()> {
        let mut insert = self.database.prepare_cached("INSERT INTO sources VALUES (?1, ?2, ?3)")?;
        for (index, source) in record.sources.iter().enumerate() {
            let source = match source.change_index() {
                None => *source,
                Some(change) => self.put.get(change).copied().flatten().ok_or_else(|| {
                    Fault::record(record, "a source names a change that puts no record, or comes later")
                })?,
            };
            insert.execute((id.0, index as i64, source.0))?;
        }
        Ok(())
    }

    fn vector(&mut self, id: RecordId, vector: Option<&[f32]>) -> Step<()> {
        let had = self.row(id)?.has_vector();
        match vector {
            None if had => {
                self.database.prepare_cached("DELETE FROM vectors WHERE id = ?1")?.execute([id.0])?;
            }
            None => {}
            Some(vector) => {
                let Some(encoder) = &self.encoder else {
                    return Err(Fault::Ours(Error::Embed(
                        "the memory has no encoder yet; set it first".into(),
                    )));
                };
                let fault = |reason: String| Fault::Ours(Error::Embed(reason));
                if vector.len() != encoder.dimensions {
                    return Err(fault(format!("{} numbers where {encoder} has others", vector.len())));
                }
                let vector = Quantized::new(vector)
                    .ok_or_else(|| fault(format!("the vector of record {id} has no direction")))?;
                self.database
                    .prepare_cached("INSERT OR REPLACE INTO vectors VALUES (?1, ?2, ?3)")?
                    .execute((id.0, f64::from(vector.scale), vector.to_bytes()))?;
            }
        }
        self.row(id)?.set_vector(vector.is_some());
        Ok(())
    }

    fn delete(&mut self, id: RecordId) -> Step<()> {
        if self.unindex(id)?.is_none() {
            return Ok(());
        }
        for statement in [
            "DELETE FROM records WHERE id = ?1",
            "DELETE FROM sources WHERE summary = ?1",
            "DELETE FROM sources WHERE source = ?1",
            "DELETE FROM vectors WHERE id = ?1",
        ] {
            self.database.prepare_cached(statement)?.execute([id.0])?;
        }
        *self.row(id)? = Row::default();
        Ok(())
    }

    /// Takes a stored record's words out of the index; `None` if there is no such record.
    fn unindex(&mut self, id: RecordId) -> Step<Option<()>> {
        let old = self
            .database
            .prepare_cached(super::search::SELECT)?
            .query_row([id.0], |row| record_of_row(row, String::new()))
            .optional()?;
        let Some(old) = old else { return Ok(None) };
        self.words.remove(id, keys(&old).0);
        Ok(Some(()))
    }

    /// The row of a record, from its block as this write leaves it.
    fn row(&mut self, id: RecordId) -> Step<&mut Row> {
        let (number, offset) = place(id);
        if !self.blocks.contains_key(&number) {
            let mut read = self.database.prepare_cached("SELECT data FROM blocks WHERE block = ?1")?;
            let mut rows = read.query([number])?;
            let block = match rows.next()? {
                None => Block::empty(),
                Some(row) => {
                    Block::from_bytes(0, row.get_ref(0)?.as_blob().unwrap_or_default()).ok_or_else(|| {
                        Fault::Ours(Error::Store {
                            location: "its index".into(),
                            reason: format!("block {number} is damaged; run memory check --repair"),
                        })
                    })?
                }
            };
            self.blocks.insert(number, block);
        }
        self.blocks
            .get_mut(&number)
            .map(|block| &mut block.rows[offset])
            .ok_or(Fault::Sql(rusqlite::Error::InvalidQuery))
    }

    fn wearer(&mut self, name: &str) -> Step<u16> {
        let mut find = self.database.prepare_cached("SELECT id FROM wearers WHERE name = ?1")?;
        if let Some(id) = find.query_row([name], |row| row.get(0)).optional()? {
            return Ok(id);
        }
        let mut insert = self.database.prepare_cached("INSERT INTO wearers (name) VALUES (?1)")?;
        u16::try_from(insert.insert([name])?).map_err(|_| {
            Fault::Ours(Error::Query("a memory holds at most 65535 wearers; begin another".into()))
        })
    }
}

/// Why a write stops: the database, or a change that cannot be.
pub(super) enum Fault {
    Sql(rusqlite::Error),
    Ours(Error),
}

impl Fault {
    fn record(record: &Record, reason: &str) -> Fault {
        let what = format!("{} of {} from {} to {}", record.level, record.wearer, record.start, record.end);
        Fault::Ours(Error::Record { what, reason: reason.into() })
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        Fault::Sql(error)
    }
}

fn json(value: &impl serde::Serialize) -> Step<String> {
    serde_json::to_string(value).map_err(|error| Fault::Ours(Error::Io(error.into())))
}

/// The number of this write: one more than the last.
fn next_version(database: &Connection) -> rusqlite::Result<i64> {
    let version: String =
        database.query_row("SELECT value FROM meta WHERE key = 'version'", [], |row| row.get(0))?;
    let version = version.parse::<i64>().unwrap_or(0) + 1;
    database.execute("UPDATE meta SET value = ?1 WHERE key = 'version'", [version.to_string()])?;
    Ok(version)
}

/// Says of all records that they have no vector.
pub(super) fn drop_vector_flags(database: &Connection) -> Step<()> {
    let mut writing = Writing::begin(database, None)?;
    let ids: Vec<i64> = database
        .prepare("SELECT id FROM records WHERE id IN (SELECT id FROM vectors)")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in ids {
        writing.row(RecordId(id))?.set_vector(false);
    }
    writing.finish()?;
    Ok(())
}

/// Makes words and blocks again from the records; vectors stay.
pub(super) fn rebuild(database: &Connection, vectors: &HashSet<i64>) -> rusqlite::Result<()> {
    database.execute_batch("DELETE FROM postings")?;
    let version = next_version(database)?;
    // A block that lost all its records keeps a row, so that other programs see it change.
    let mut numbers: std::collections::BTreeSet<i64> = database
        .prepare("SELECT block FROM blocks UNION SELECT DISTINCT id / 1024 FROM records")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut read = database.prepare(
        "SELECT id, level, start_ms, end_ms, state, text, transcript, people, evidence, wearer
         FROM records WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
    )?;
    let mut write = database.prepare("INSERT OR REPLACE INTO blocks VALUES (?1, ?2, ?3)")?;
    while let Some(number) = numbers.pop_first() {
        let (mut words, mut block) = (Changes::default(), Block::empty());
        let first = super::blocks::id_at(number, 0).0;
        let mut rows = read.query((first, first + super::blocks::BLOCK as i64 - 1))?;
        while let Some(row) = rows.next()? {
            let record = record_of_row(row, String::new())?;
            let (stems, length) = keys(&record);
            words.add(record.id, stems);
            let mut fresh =
                Row::new(record.level, row.get(9)?, record.start, record.end, record.state, length);
            fresh.set_vector(vectors.contains(&record.id.0));
            block.rows[place(record.id).1] = fresh;
        }
        words.apply(database)?;
        write.execute((number, version, block.to_bytes()))?;
    }
    Ok(())
}
