//! [`Store`] for a folder of this machine: each method is one transaction, which looks first at what others wrote.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::blocks::Filter;
use super::search;
use super::vectors::Quantized;
use super::write::{Fault, Step, Writing};
use super::{SqliteStore, stored_encoder};
use crate::{Change, Counts, Encoder, Error, Glance, Record, RecordId, Result, Scope, Store, Term};

/// Records handed out at a time by `walk`.
const WALK: i64 = 512;

impl SqliteStore {
    /// Runs a reading transaction over a fresh view.
    fn reading<T>(
        &mut self,
        read: impl FnOnce(&Connection, &mut View<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let run = || -> rusqlite::Result<T> {
            let transaction = self.database.unchecked_transaction()?;
            // The first statement takes the snapshot that all the others see.
            self.blocks.refresh(&transaction, false)?;
            let mut view = View { blocks: &mut self.blocks, vectors: &mut self.vectors };
            let value = read(&transaction, &mut view)?;
            transaction.commit()?;
            Ok(value)
        };
        run().map_err(|error| super::failed(&self.folder, &error))
    }

    /// Runs a writing transaction; on success what is in memory follows.
    pub(super) fn writing<T>(&mut self, write: impl FnOnce(&Connection) -> Step<T>) -> Result<T> {
        let run = || -> Step<T> {
            let transaction =
                rusqlite::Transaction::new_unchecked(&self.database, TransactionBehavior::Immediate)?;
            let value = write(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        let value = run().map_err(|fault| match fault {
            Fault::Sql(error) => super::failed(&self.folder, &error),
            Fault::Ours(Error::Store { reason, .. }) => Error::Store { location: self.location(), reason },
            Fault::Ours(error) => error,
        })?;
        self.blocks.refresh(&self.database, true).map_err(|error| self.failed(&error))?;
        Ok(value)
    }
}

/// What a reading transaction may keep in memory.
struct View<'a> {
    blocks: &'a mut super::Blocks,
    vectors: &'a mut super::Vectors,
}

impl Store for SqliteStore {
    fn location(&self) -> String {
        self.folder.display().to_string()
    }

    fn write(&mut self, changes: &[Change]) -> Result<Vec<RecordId>> {
        self.writing(|database| {
            let mut writing = Writing::begin(database, stored_encoder(database)?)?;
            for change in changes {
                writing.change(change)?;
            }
            Ok(writing.finish()?)
        })
    }

    fn get(&mut self, ids: &[RecordId]) -> Result<Vec<Record>> {
        self.reading(|database, view| search::get(database, view.blocks, ids))
    }

    fn glance(&mut self, ids: &[RecordId]) -> Result<Vec<Glance>> {
        self.reading(|_, view| Ok(ids.iter().filter_map(|id| view.blocks.glance(*id)).collect()))
    }

    fn children(&mut self, id: RecordId) -> Result<Vec<Record>> {
        self.reading(|database, view| {
            let mut read = database.prepare_cached("SELECT source FROM sources WHERE summary = ?1")?;
            let ids: Vec<RecordId> =
                read.query_map([id.0], |row| row.get(0).map(RecordId))?.collect::<rusqlite::Result<_>>()?;
            let mut records = search::get(database, view.blocks, &ids)?;
            records.sort_by_key(|record| (record.start, record.id));
            records.dedup_by_key(|record| record.id);
            Ok(records)
        })
    }

    fn parents(&mut self, id: RecordId) -> Result<Vec<RecordId>> {
        self.reading(|database, _| {
            let mut read = database
                .prepare_cached("SELECT DISTINCT summary FROM sources WHERE source = ?1 ORDER BY summary")?;
            read.query_map([id.0], |row| row.get(0).map(RecordId))?.collect()
        })
    }

    fn range(&mut self, scope: &Scope, limit: usize) -> Result<Vec<Record>> {
        self.reading(|database, view| {
            let Some(filter) = view.blocks.filter(scope) else { return Ok(Vec::new()) };
            let mut found: Vec<(i64, RecordId)> =
                view.blocks.matching(&filter).map(|(id, row)| (row.start_ms, id)).collect();
            if found.len() > limit && limit > 0 {
                found.select_nth_unstable(limit - 1);
            }
            found.truncate(limit);
            found.sort_unstable();
            let ids: Vec<RecordId> = found.into_iter().map(|(_, id)| id).collect();
            search::get(database, view.blocks, &ids)
        })
    }

    fn text_candidates(
        &mut self,
        terms: &[Term],
        scope: &Scope,
        limit: usize,
    ) -> Result<Vec<(RecordId, f32)>> {
        let clock_ms = scope.ended_by.map_or(i64::MAX, |clock| clock.ms());
        self.reading(|database, view| {
            let Some(filter) = view.blocks.filter(scope) else { return Ok(Vec::new()) };
            search::by_words(database, view.blocks, terms, &filter, clock_ms, limit)
        })
    }

    fn vector_candidates(
        &mut self,
        vector: &[f32],
        scope: &Scope,
        limit: usize,
    ) -> Result<Vec<(RecordId, f32)>> {
        let Some(encoder) = self.encoder()? else { return Ok(Vec::new()) };
        if vector.len() != encoder.dimensions {
            let given = format!("{} numbers", vector.len());
            return Err(Error::Encoder { kept: encoder.to_string(), given });
        }
        let Some(query) = Quantized::new(vector) else { return Ok(Vec::new()) };
        self.reading(|database, view| {
            let Some(filter): Option<Filter> = view.blocks.filter(scope) else { return Ok(Vec::new()) };
            let live = view.blocks.blocks.iter().filter(|(_, block)| filter.may_hold(block));
            view.vectors.refresh(database, encoder.dimensions, live)?;
            Ok(search::by_vector(view.blocks, view.vectors, &query, &filter, limit))
        })
    }

    fn walk(&mut self, visit: &mut dyn FnMut(Record) -> Result<()>) -> Result<()> {
        let mut after = 0;
        loop {
            let ids: Vec<RecordId> = self.reading(|database, _| {
                let mut read =
                    database.prepare_cached("SELECT id FROM records WHERE id > ?1 ORDER BY id LIMIT ?2")?;
                read.query_map((after, WALK), |row| row.get(0).map(RecordId))?.collect()
            })?;
            let Some(last) = ids.last() else { return Ok(()) };
            after = last.0;
            for record in self.get(&ids)? {
                visit(record)?;
            }
        }
    }

    fn counts(&mut self) -> Result<Counts> {
        self.reading(|_, view| {
            let mut counts = Counts::default();
            let mut wearers = std::collections::HashMap::<u16, u64>::new();
            for row in view.blocks.blocks.values().flat_map(|block| &block.rows) {
                let Some(level) = row.level() else { continue };
                *counts.levels.entry(level).or_default() += 1;
                *wearers.entry(row.wearer).or_default() += 1;
                counts.vectors += u64::from(row.has_vector());
                counts.open += u64::from(row.is_open());
                let [start, end] = [row.start_ms, row.end_ms].map(firsthand_base::Moment::from_ms);
                counts.first = [counts.first, start].into_iter().flatten().min();
                counts.last = [counts.last, end].into_iter().flatten().max();
            }
            for (wearer, records) in wearers {
                let name = view.blocks.wearers.get(&wearer).cloned().unwrap_or_default();
                counts.wearers.insert(name, records);
            }
            Ok(counts)
        })
    }

    fn latest(&mut self) -> Result<Option<firsthand_base::Moment>> {
        self.reading(|_, view| Ok(view.blocks.last_end()))
    }

    fn encoder(&mut self) -> Result<Option<Encoder>> {
        stored_encoder(&self.database).map_err(|error| self.failed(&error))
    }

    fn set_encoder(&mut self, encoder: Option<&Encoder>) -> Result<()> {
        let kept = self.encoder()?;
        let Some(encoder) = encoder else {
            self.writing(|database| {
                super::write::drop_vector_flags(database)?;
                Ok(database.execute_batch("DELETE FROM vectors; DELETE FROM meta WHERE key = 'encoder';")?)
            })?;
            self.vectors.clear();
            return Ok(());
        };
        if let Some(kept) = kept.filter(|kept| kept != encoder) {
            return Err(Error::Encoder { kept: kept.to_string(), given: encoder.to_string() });
        }
        let text = serde_json::to_string(encoder).map_err(std::io::Error::from)?;
        self.writing(|database| {
            database.execute("INSERT OR REPLACE INTO meta VALUES ('encoder', ?1)", [text])?;
            Ok(())
        })
    }

    fn without_vector(&mut self, limit: usize) -> Result<Vec<RecordId>> {
        self.reading(|_, view| {
            let Some(all) = view.blocks.filter(&Scope::default()) else { return Ok(Vec::new()) };
            let without = view.blocks.matching(&all).filter(|(_, row)| !row.has_vector());
            Ok(without.map(|(id, _)| id).take(limit).collect())
        })
    }

    fn note(&mut self, key: &str) -> Result<Option<String>> {
        let find = || {
            let mut find = self.database.prepare_cached("SELECT text FROM notes WHERE key = ?1")?;
            find.query_row([key], |row| row.get(0)).optional()
        };
        find().map_err(|error| self.failed(&error))
    }

    fn notes(&mut self, prefix: &str) -> Result<Vec<(String, String)>> {
        let read = || -> rusqlite::Result<Vec<(String, String)>> {
            let mut read = self.database.prepare_cached(
                "SELECT key, text FROM notes WHERE key >= ?1 AND substr(key, 1, length(?1)) = ?1 ORDER BY key",
            )?;
            read.query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        read().map_err(|error| self.failed(&error))
    }

    fn check(&mut self, repair: bool) -> Result<Vec<String>> {
        super::check::check(self, repair)
    }

    fn scrub(&mut self) -> Result<()> {
        super::check::scrub(self)
    }

    fn files(&mut self) -> Result<Vec<std::path::PathBuf>> {
        let mut files = Vec::new();
        for entry in fs_err::read_dir(&self.folder)? {
            files.push(entry?.path());
        }
        files.sort();
        Ok(files)
    }
}
