//! The memory of a wearer's days: the one door for builders and askers, over whatever [`Store`] keeps the records. Here
//! stand the rules that no store knows: a summary ends no earlier than what it was made from, and what it was made from
//! does not change behind its back.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use firsthand_base::Moment;

use crate::{
    Change, Embed, Encoder, Error, Evidence, Level, Record, RecordId, Result, SqliteStore, State, Store,
};

/// A memory. Made by [`Memory::create`] or [`Memory::open`] in a folder, or over any [`Store`].
pub struct Memory {
    pub(crate) store: Box<dyn Store>,
    pub(crate) embed: Option<Box<dyn Embed + Send>>,
}

impl Memory {
    /// A new memory in a folder, which is made if it is missing and must be empty.
    pub fn create(folder: &Path) -> Result<Memory> {
        Ok(Memory::over(Box::new(SqliteStore::create(folder)?)))
    }

    /// The memory in a folder.
    pub fn open(folder: &Path) -> Result<Memory> {
        Ok(Memory::over(Box::new(SqliteStore::open(folder)?)))
    }

    /// The memory in a folder; a new one if the folder is missing or empty.
    pub fn open_or_create(folder: &Path) -> Result<Memory> {
        let fresh = match fs_err::read_dir(folder) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        if fresh { Memory::create(folder) } else { Memory::open(folder) }
    }

    /// A memory over another store.
    pub fn over(store: Box<dyn Store>) -> Memory {
        Memory { store, embed: None }
    }

    /// Has questions and records read by an encoder from now on; without one, words alone decide what is found.
    pub fn attach(&mut self, embed: Box<dyn Embed + Send>) {
        self.embed = Some(embed);
    }

    /// The store below, for reading and for what needs no rule of this type.
    pub fn store(&mut self) -> &mut dyn Store {
        &mut *self.store
    }

    /// Writes in one transaction and gives the ids of the records put. Refuses records that cannot be
    /// ([`Record::validate`]), sources that are not there or not finer, and summaries that end before a source of theirs
    /// does: they would tell the future. A summary whose source is deleted, or replaced by a record that says something
    /// else, is marked [`State::Open`] unless the same write puts it.
    pub fn write(&mut self, changes: &[Change]) -> Result<Vec<RecordId>> {
        let mut sources = Sources::default();
        sources.look_up(&mut *self.store, changes)?;
        let mut opened = Vec::new();
        for (index, change) in changes.iter().enumerate() {
            match change {
                Change::Put { record, .. } => {
                    record.validate()?;
                    for source in &record.sources {
                        sources.check(*source, index, record)?;
                    }
                    if let Some(old) = sources.kept.get(&record.id).filter(|_| record.id != RecordId::NEW) {
                        let ends = sources.opened_by(
                            &mut *self.store,
                            record.id,
                            &mut opened,
                            !says(old, record),
                        )?;
                        if ends.is_some_and(|end| end < record.end) {
                            return Err(fault(
                                record,
                                "a summary made from it ends earlier; put that as well",
                            ));
                        }
                    }
                }
                Change::Delete(id) => {
                    sources.opened_by(&mut *self.store, *id, &mut opened, true)?;
                }
                Change::Vector { .. } | Change::State { .. } | Change::Note { .. } => {}
            }
        }
        if opened.is_empty() {
            return self.store.write(changes);
        }
        let mut changes = changes.to_vec();
        changes.extend(opened.into_iter().map(|id| Change::State { id, state: State::Open }));
        self.store.write(&changes)
    }

    /// Where a record can be seen: its own evidence, or that of the clips it leads to through its sources, source by source;
    /// at most `most` stretches.
    pub fn evidence(&mut self, record: &Record, most: usize) -> Result<Vec<Evidence>> {
        let mut found = record.evidence.clone();
        let mut seen = HashSet::new();
        let mut open: Vec<RecordId> = record.sources.iter().rev().copied().collect();
        while let Some(id) = open.pop().filter(|_| found.len() < most) {
            if seen.insert(id)
                && let Some(source) = self.store.get(&[id])?.pop()
            {
                found.extend(source.evidence);
                open.extend(source.sources.iter().rev());
            }
        }
        found.truncate(most);
        Ok(found)
    }

    /// Gives a vector to every record that has none, `batch` texts at a time; `on_progress` hears how many are done and
    /// stops the work by returning `false`. Gives how many were made: none without an encoder ([`Memory::attach`]).
    pub fn embed_missing(&mut self, batch: usize, on_progress: &mut dyn FnMut(u64) -> bool) -> Result<u64> {
        let Some(embed) = &mut self.embed else { return Ok(0) };
        let encoder = Encoder { name: embed.name().into(), dimensions: embed.dimensions() };
        self.store.set_encoder(Some(&encoder))?;
        let mut done = 0;
        for ids in self.store.without_vector(usize::MAX)?.chunks(batch.max(1)) {
            // A record without words has no direction, and stays without a vector.
            let records: Vec<(RecordId, String)> = self
                .store
                .get(ids)?
                .into_iter()
                .map(|record| (record.id, record.words()))
                .filter(|(_, words)| !words.trim().is_empty())
                .collect();
            let texts: Vec<&str> = records.iter().map(|(_, words)| words.as_str()).collect();
            let vectors = encode(&mut **embed, &texts)?;
            let changes: Vec<Change> = records
                .iter()
                .zip(vectors)
                .map(|((id, _), vector)| Change::Vector { id: *id, vector })
                .collect();
            self.store.write(&changes)?;
            done += changes.len() as u64;
            if !on_progress(done) {
                break;
            }
        }
        Ok(done)
    }
}

/// Vectors of texts, one each and of the promised size.
pub(crate) fn encode(embed: &mut dyn Embed, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let vectors = embed.embed(texts).map_err(Error::Embed)?;
    let sizes = vectors.iter().all(|vector| vector.len() == embed.dimensions());
    if vectors.len() != texts.len() || !sizes {
        let (name, dimensions) = (embed.name(), embed.dimensions());
        return Err(Error::Embed(format!(
            "{name} gave {} vectors for {} texts, or others than of {dimensions} numbers",
            vectors.len(),
            texts.len()
        )));
    }
    Ok(vectors)
}

/// Whether two records say the same about the same time.
fn says(old: &Record, new: &Record) -> bool {
    old.text == new.text
        && old.transcript == new.transcript
        && old.people == new.people
        && (old.start, old.end, &old.wearer) == (new.start, new.end, &new.wearer)
}

fn fault(record: &Record, reason: &str) -> Error {
    let what = format!("{} of {} from {} to {}", record.level, record.wearer, record.start, record.end);
    Error::Record { what, reason: reason.into() }
}

/// What a write must know of records it does not put.
#[derive(Default)]
struct Sources {
    /// Stored records that are named as sources or replaced.
    kept: HashMap<RecordId, Record>,
    /// Ends of stored records that the write replaces.
    ends: HashMap<RecordId, Moment>,
    /// Level and end of each change that puts a record.
    put: Vec<Option<(Level, Moment)>>,
    /// Stored records that the write puts or deletes: what they say now is the write's business.
    touched: HashSet<RecordId>,
    deleted: HashSet<RecordId>,
}

impl Sources {
    fn look_up(&mut self, store: &mut dyn Store, changes: &[Change]) -> Result<()> {
        let mut wanted = Vec::new();
        for change in changes {
            self.put.push(match change {
                Change::Put { record, .. } => {
                    wanted.extend(record.sources.iter().filter(|source| source.change_index().is_none()));
                    if record.id != RecordId::NEW {
                        wanted.push(record.id);
                        self.touched.insert(record.id);
                    }
                    Some((record.level, record.end))
                }
                Change::Delete(id) => {
                    self.touched.insert(*id);
                    self.deleted.insert(*id);
                    None
                }
                Change::Vector { .. } | Change::State { .. } | Change::Note { .. } => None,
            });
        }
        wanted.sort_unstable();
        wanted.dedup();
        self.kept = store.get(&wanted)?.into_iter().map(|record| (record.id, record)).collect();
        // A source that the same write replaces counts as what it becomes.
        for change in changes {
            if let Change::Put { record, .. } = change
                && record.id != RecordId::NEW
            {
                self.ends.insert(record.id, record.end);
            }
        }
        Ok(())
    }

    fn check(&self, source: RecordId, index: usize, record: &Record) -> Result<()> {
        let (level, end) = match source.change_index() {
            Some(change) if change < index => self.put[change],
            Some(_) => None,
            None => self
                .kept
                .get(&source)
                .filter(|kept| !self.deleted.contains(&kept.id))
                .map(|kept| (kept.level, self.ends.get(&source).copied().unwrap_or(kept.end))),
        }
        .ok_or_else(|| fault(record, &format!("its source {source} is not in the memory")))?;
        if level >= record.level {
            return Err(fault(record, &format!("its source {source} is of level {level}, not finer")));
        }
        if end > record.end {
            return Err(fault(record, &format!("its source {source} ends later, at {end}")));
        }
        Ok(())
    }

    /// The earliest end among the summaries made from a record that this write leaves alone; with `mark`, they are opened.
    fn opened_by(
        &self,
        store: &mut dyn Store,
        id: RecordId,
        opened: &mut Vec<RecordId>,
        mark: bool,
    ) -> Result<Option<Moment>> {
        let mut parents = store.parents(id)?;
        parents.retain(|parent| !self.touched.contains(parent));
        let ends = store.get(&parents)?.iter().map(|parent| parent.end).min();
        if mark {
            opened.extend(parents);
        }
        Ok(ends)
    }
}
