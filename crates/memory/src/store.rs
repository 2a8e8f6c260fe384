//! What a store of records must do, whatever keeps them: a folder on this machine  or a database that
//! many machines share. A store knows nothing of clocks, words like "yesterday" or summaries; [`crate::Memory`] does.

use std::collections::BTreeMap;
use std::path::PathBuf;

use firsthand_base::Moment;
use serde::{Deserialize, Serialize};

use crate::{Level, Record, RecordId, Result, State};

/// Which records: those that meet every condition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// Of this level.
    pub level: Option<Level>,
    /// Of this wearer.
    pub wearer: Option<String>,
    /// That end after this moment.
    pub from: Option<Moment>,
    /// That start before this moment.
    pub to: Option<Moment>,
    /// That end at this moment or earlier.
    pub ended_by: Option<Moment>,
}

impl Scope {
    /// Whether a record meets every condition. Stores give exactly the records for which this holds. A record of no
    /// length counts as the moment it starts at.
    pub fn holds(&self, record: &Record) -> bool {
        self.level.is_none_or(|level| level == record.level)
            && self.wearer.as_ref().is_none_or(|wearer| *wearer == record.wearer)
            && self.from.is_none_or(|from| record.end > from || record.start >= from)
            && self.to.is_none_or(|to| record.start < to)
            && self.ended_by.is_none_or(|clock| record.end <= clock)
    }
}

/// What a record is about, without its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// Its number.
    pub id: RecordId,
    /// How much time it covers.
    pub level: Level,
    /// When it starts.
    pub start: Moment,
    /// When it ends.
    pub end: Moment,
    /// A number that records of one wearer share.
    pub wearer: u64,
}

impl Glance {
    /// A glance at a record in hand.
    pub fn of(record: &Record) -> Glance {
        let mut hasher = std::hash::DefaultHasher::new();
        std::hash::Hash::hash(&record.wearer, &mut hasher);
        let wearer = std::hash::Hasher::finish(&hasher);
        Glance { id: record.id, level: record.level, start: record.start, end: record.end, wearer }
    }
}

/// One change of a write.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Stores a record: a new one if its id is [`RecordId::NEW`], else in place of the record with that id, which must
    /// exist. The vector is of [`Record::words`]; `None` leaves the record without one (never with an outdated one).
    Put {
        /// The record. Its sources may name records of the same write by [`RecordId::of_change`].
        record: Record,
        /// Its vector, of the store's [`Encoder`].
        vector: Option<Vec<f32>>,
    },
    /// Sets the vector of a stored record, and changes nothing else.
    Vector {
        /// Which record.
        id: RecordId,
        /// Its vector.
        vector: Vec<f32>,
    },
    /// Sets how much of its time a stored record speaks of, and changes nothing else. A record that is not there is no
    /// failure.
    State {
        /// Which record.
        id: RecordId,
        /// Its state from now on.
        state: State,
    },
    /// Removes a record, its vector, its words and its place among the sources of others. A record that is not there is
    /// no failure.
    Delete(RecordId),
    /// Keeps a text under a key, or with `None` removes it. What builders must not lose between two writes.
    Note {
        /// The key.
        key: String,
        /// The text.
        text: Option<String>,
    },
}

impl Change {
    /// Puts a record without a vector.
    pub fn put(record: Record) -> Change {
        Change::Put { record, vector: None }
    }
}

/// Which encoder made the vectors of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoder {
    /// Its name; two encoders with one name give the same vectors.
    pub name: String,
    /// Numbers of a vector.
    pub dimensions: usize,
}

impl std::fmt::Display for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} numbers)", self.name, self.dimensions)
    }
}

/// How much there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Records of each level, fine to coarse; levels without records are left out.
    pub levels: BTreeMap<Level, u64>,
    /// Records of each wearer.
    pub wearers: BTreeMap<String, u64>,
    /// Records with a vector.
    pub vectors: u64,
    /// Records that wait to be written again ([`crate::State::Open`]).
    pub open: u64,
    /// When the earliest record starts.
    pub first: Option<Moment>,
    /// When the latest record ends.
    pub last: Option<Moment>,
}

impl Counts {
    /// Records of every level.
    pub fn records(&self) -> u64 {
        self.levels.values().sum()
    }
}

/// One term of a full-text search, folded, letters, marks and digits only (see `terms`). Stores match it by its stem, and
/// function words as they are.
pub type Term = String;

/// A store of records. Every method that writes is one transaction: all of it or nothing.
pub trait Store: Send {
    /// Where it is, for messages.
    fn location(&self) -> String;

    /// Makes all changes in order in one transaction and gives the ids of the records put, in order of the `Put`s.
    /// When it returns, the changes survive a power cut.
    fn write(&mut self, changes: &[Change]) -> Result<Vec<RecordId>>;

    /// The records with these ids, in the order asked; ids that are not there are left out.
    fn get(&mut self, ids: &[RecordId]) -> Result<Vec<Record>>;

    /// What the records with these ids are about, in the order asked; ids that are not there are left out.
    fn glance(&mut self, ids: &[RecordId]) -> Result<Vec<Glance>> {
        Ok(self.get(ids)?.iter().map(Glance::of).collect())
    }

    /// The sources of a record that exist, by start, then id.
    fn children(&mut self, id: RecordId) -> Result<Vec<Record>>;

    /// The records that name this one as a source, by id.
    fn parents(&mut self, id: RecordId) -> Result<Vec<RecordId>>;

    /// Records of a scope by start, then id; at most `limit`.
    fn range(&mut self, scope: &Scope, limit: usize) -> Result<Vec<Record>>;

    /// Candidates of a full-text search: records of the scope that hold one of the terms or more, with their BM25 (the
    /// larger the better), best first, equal ones by id; at most `limit`. May leave out records whose only terms are ones
    /// that a large part of the store holds.
    fn text_candidates(
        &mut self,
        terms: &[Term],
        scope: &Scope,
        limit: usize,
    ) -> Result<Vec<(RecordId, f32)>>;

    /// Candidates of a vector search: records of the scope with their cosine to the vector, best first, equal ones by
    /// id; at most `limit`. Empty when the store has no vectors.
    fn vector_candidates(
        &mut self,
        vector: &[f32],
        scope: &Scope,
        limit: usize,
    ) -> Result<Vec<(RecordId, f32)>>;

    /// Shows every record once, by id.
    fn walk(&mut self, visit: &mut dyn FnMut(Record) -> Result<()>) -> Result<()>;

    /// How much there is.
    fn counts(&mut self) -> Result<Counts>;

    /// When the latest record ends.
    fn latest(&mut self) -> Result<Option<Moment>> {
        Ok(self.counts()?.last)
    }

    /// The encoder of the vectors; `None` before the first.
    fn encoder(&mut self) -> Result<Option<Encoder>>;

    /// Sets the encoder of the vectors to come. Another encoder than the one of stored vectors is
    /// [`crate::Error::Encoder`]; `None` drops all vectors.
    fn set_encoder(&mut self, encoder: Option<&Encoder>) -> Result<()>;

    /// Records without a vector, by id; at most `limit`.
    fn without_vector(&mut self, limit: usize) -> Result<Vec<RecordId>>;

    /// The text that [`Change::Note`] kept under a key.
    fn note(&mut self, key: &str) -> Result<Option<String>>;

    /// Keys that begin with `prefix`, with their texts, by key.
    fn notes(&mut self, prefix: &str) -> Result<Vec<(String, String)>>;

    /// Faults of the store itself: damaged pages, indexes that disagree with the records. One line each; with `repair`
    /// the indexes are made again from the records.
    fn check(&mut self, repair: bool) -> Result<Vec<String>>;

    /// After deletions: rewrites whatever files the store has so that no byte of a deleted record is left in them.
    fn scrub(&mut self) -> Result<()>;

    /// The files that hold the store, for the proof that nothing forgotten is in them; none for a store that is not made of
    /// files of this machine.
    fn files(&mut self) -> Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }
}

/// Texts to vectors. Implemented where there are models; this room only calls it.
pub trait Embed {
    /// Its name, which is kept with the vectors: another name means other vectors.
    fn name(&self) -> &str;
    /// Numbers of a vector.
    fn dimensions(&self) -> usize;
    /// One vector per text, each of length one. The error is a reason in one line.
    fn embed(&mut self, texts: &[&str]) -> std::result::Result<Vec<Vec<f32>>, String>;
}
