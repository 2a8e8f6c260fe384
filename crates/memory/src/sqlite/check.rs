//! Whether the index, the times and the vectors say what the records say, and the rewrite after which no deleted byte is
//! left. Reads the database directly: what is kept in memory may be what is wrong.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use rusqlite::Connection;

use super::blocks::{Block, Row, id_at, place};
use super::postings::{read, unpack};
use super::search::record_of_row;
use super::{SqliteStore, stored_encoder};
use crate::terms::keys;
use crate::{Error, RecordId, Result};

/// Lines of SQLite's own check that are passed on.
const MOST_LINES: usize = 20;

pub(super) fn check(store: &mut SqliteStore, repair: bool) -> Result<Vec<String>> {
    let mut faults = {
        let look = || -> rusqlite::Result<Vec<String>> {
            let transaction = store.database.unchecked_transaction()?;
            let mut faults = pages(&transaction)?;
            if faults.is_empty() {
                contents(&transaction, &mut faults)?;
            }
            Ok(faults)
        };
        look().unwrap_or_else(|error| vec![format!("the database cannot be read: {error}")])
    };
    if repair && !faults.is_empty() {
        match store.rebuild_index() {
            Ok(()) => {
                faults.iter_mut().for_each(|fault| fault.push_str(" (index made again from the records)"))
            }
            Err(error) => faults.push(format!("cannot repair: {error}")),
        }
    }
    Ok(faults)
}

impl SqliteStore {
    /// Makes words and times again from the records; drops vectors that belong to no record or have a wrong size.
    pub(super) fn rebuild_index(&mut self) -> Result<()> {
        self.writing(|database| {
            let dimensions = stored_encoder(database)?.map_or(0, |encoder| encoder.dimensions as i64);
            // REINDEX first: SQLite's own indexes may be what is damaged.
            database.execute_batch("REINDEX")?;
            database.execute(
                "DELETE FROM vectors WHERE id NOT IN (SELECT id FROM records) OR length(data) <> ?1",
                [dimensions],
            )?;
            let vectors: HashSet<i64> = database
                .prepare("SELECT id FROM vectors")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            super::write::rebuild(database, &vectors)?;
            let terms = crate::TERMS_VERSION.to_string();
            database.execute("INSERT OR REPLACE INTO meta VALUES ('terms', ?1)", [terms])?;
            Ok(())
        })?;
        self.blocks.clear();
        self.vectors.clear();
        Ok(())
    }
}

/// SQLite's look at every page.
fn pages(database: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = database.prepare(&format!("PRAGMA integrity_check({MOST_LINES})"))?;
    let lines: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let lines = lines.iter().flat_map(|line| line.lines()).filter(|line| *line != "ok" && !line.is_empty());
    Ok(lines.map(|line| format!("the database is damaged: {line}")).collect())
}

/// A sum over postings that does not depend on their order.
#[derive(Default, PartialEq)]
struct Sum {
    postings: u64,
    sum: u64,
}

impl Sum {
    fn add(&mut self, term: &str, id: RecordId, count: u32) {
        let mut hasher = DefaultHasher::new();
        (term, id.0, count).hash(&mut hasher);
        self.postings += 1;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }
}

fn contents(database: &Connection, faults: &mut Vec<String>) -> rusqlite::Result<()> {
    let vectors = vectors(database, faults)?;
    let mut expected = Sum::default();
    let mut blocks: BTreeMap<i64, Block> = BTreeMap::new();
    let mut records = database.prepare(
        "SELECT id, level, start_ms, end_ms, state, text, transcript, people, evidence, wearer FROM records",
    )?;
    let mut rows = records.query([])?;
    let mut known = HashSet::new();
    while let Some(row) = rows.next()? {
        let record = match record_of_row(row, String::new()) {
            Ok(record) => record,
            Err(error) => {
                faults.push(format!("record {}: {error}", row.get::<_, i64>(0)?));
                continue;
            }
        };
        known.insert(record.id.0);
        let (stems, length) = keys(&record);
        for (term, count) in stems {
            // As `postings` keeps it.
            expected.add(&term, record.id, unpack(super::postings::pack(0, count)).1);
        }
        let mut fresh = Row::new(record.level, row.get(9)?, record.start, record.end, record.state, length);
        fresh.set_vector(vectors.contains(&record.id.0));
        let (block, offset) = place(record.id);
        blocks.entry(block).or_insert_with(Block::empty).rows[offset] = fresh;
    }
    let strangers = vectors.difference(&known).count();
    if strangers > 0 {
        faults.push(format!("{strangers} vectors belong to no record"));
    }
    compare_blocks(database, &blocks, faults)?;
    let mut found = Sum::default();
    let mut postings = database.prepare("SELECT term, block, data FROM postings")?;
    let mut rows = postings.query([])?;
    while let Some(row) = rows.next()? {
        let term: String = row.get(0)?;
        let number: i64 = row.get(1)?;
        for posting in read(row.get_ref(2)?.as_blob()?) {
            let (offset, count) = unpack(posting);
            found.add(&term, id_at(number, offset), count);
        }
    }
    if found != expected {
        let (kept, made) = (found.postings, expected.postings);
        faults.push(format!(
            "the full-text index disagrees with the records: {kept} entries kept, {made} made"
        ));
    }
    Ok(())
}

fn vectors(database: &Connection, faults: &mut Vec<String>) -> rusqlite::Result<HashSet<i64>> {
    let dimensions = stored_encoder(database)?.map_or(0, |encoder| encoder.dimensions as i64);
    let mut statement = database.prepare("SELECT id, length(data) FROM vectors")?;
    let rows: Vec<(i64, i64)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    let wrong = rows.iter().filter(|(_, length)| *length != dimensions).count();
    if wrong > 0 {
        faults.push(format!("{wrong} vectors do not have the {dimensions} numbers of the encoder"));
    }
    Ok(rows.into_iter().map(|(id, _)| id).collect())
}

fn compare_blocks(
    database: &Connection,
    expected: &BTreeMap<i64, Block>,
    faults: &mut Vec<String>,
) -> rusqlite::Result<()> {
    let mut statement = database.prepare("SELECT block, data FROM blocks")?;
    let mut rows = statement.query([])?;
    let mut missing: HashSet<i64> = expected.keys().copied().collect();
    let empty = Block::empty();
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        missing.remove(&number);
        let kept = Block::from_bytes(0, row.get_ref(1)?.as_blob()?);
        let made = expected.get(&number).unwrap_or(&empty);
        if kept.is_none_or(|kept| kept.rows != made.rows) {
            let first = id_at(number, 0);
            faults.push(format!(
                "the times of records {first} to {} disagree with the records",
                id_at(number + 1, 0).0 - 1
            ));
        }
    }
    if !missing.is_empty() {
        faults.push(format!("{} blocks of times are missing", missing.len()));
    }
    Ok(())
}

/// Rewrites the database and empties its log, so that deleted bytes are in no file.
pub(super) fn scrub(store: &mut SqliteStore) -> Result<()> {
    store.writing(|database| {
        database.execute("DELETE FROM wearers WHERE id NOT IN (SELECT DISTINCT wearer FROM records)", [])?;
        Ok(())
    })?;
    empty_log(store)?;
    store.database.execute_batch("VACUUM").map_err(|error| store.failed(&error))?;
    empty_log(store)
}

fn empty_log(store: &SqliteStore) -> Result<()> {
    let busy: i64 = store
        .database
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(|error| store.failed(&error))?;
    if busy != 0 {
        return Err(Error::Store {
            location: store.folder.display().to_string(),
            reason:
                "another program reads it, so its log cannot be emptied; stop that program and forget again"
                    .into(),
        });
    }
    Ok(())
}
