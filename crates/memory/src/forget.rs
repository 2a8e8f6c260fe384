//! Forgetting: what is chosen leaves every level, the index, the vectors and the summaries, and then it is proven that no
//! byte of it is left ([`crate::Proof`]). Summaries that may have told of it are put together anew from what remains, by
//! extraction, and marked [`State::Open`] for a model to write again. The recordings themselves are not touched; they are
//! named, so that their owner can decide.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use firsthand_base::Moment;
use serde::Serialize;

use crate::cut::{gather, summarise};
use crate::proof::Texts;
use crate::terms::words;
use crate::{Change, Error, Level, Memory, Proof, Record, RecordId, Result, Scope, State};

/// Records written at a time.
const BATCH: usize = 4096;

/// What to forget: all that meets every condition given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// What overlaps the time from here.
    pub from: Option<Moment>,
    /// What overlaps the time up to here.
    pub to: Option<Moment>,
    /// What this wearer recorded.
    pub wearer: Option<String>,
    /// What shows, quotes or names this person, by whole words in any case.
    pub person: Option<String>,
}

/// What was forgotten.
#[derive(Clone, Debug, Serialize)]
pub struct Forgotten {
    /// Records removed, by level.
    pub removed: BTreeMap<Level, u64>,
    /// Summaries put together anew.
    pub rebuilt: u64,
    /// Files that still show what was forgotten.
    pub evidence: BTreeSet<String>,
    /// That nothing is left in the store.
    pub proof: Proof,
}

impl Selection {
    fn validate(&self) -> Result<()> {
        let blank = |name: &Option<String>| name.as_ref().is_some_and(|name| words(name).is_empty());
        if *self == Selection::default() {
            return Err(Error::Query(
                "nothing is chosen to forget; give a time, a wearer or a person".into(),
            ));
        }
        if blank(&self.wearer) || blank(&self.person) {
            return Err(Error::Query("a name is empty; give the name of a wearer or a person".into()));
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err(Error::Query(format!("{from} is not before {to}")));
        }
        Ok(())
    }

    fn scope(&self) -> Scope {
        Scope { wearer: self.wearer.clone(), from: self.from, to: self.to, ..Scope::default() }
    }

    /// Whether a record is chosen.
    pub fn holds(&self, record: &Record) -> bool {
        self.scope().holds(record) && self.person.as_ref().is_none_or(|person| names(record, person))
    }
}

/// Whether a record names a person: the words of the name, one after another.
fn names(record: &Record, person: &str) -> bool {
    let name = words(person);
    let texts = std::iter::once(&record.text).chain(&record.transcript).chain(&record.people);
    texts.into_iter().any(|text| words(text).windows(name.len()).any(|part| part == name))
}

impl Memory {
    /// Forgets what is chosen and proves it. A kill in between leaves summaries without text, which
    /// [`Memory::check`] puts together again; the same call can be made again.
    pub fn forget(&mut self, selection: &Selection) -> Result<Forgotten> {
        selection.validate()?;
        let chosen = self.chosen(selection)?;
        let (removed, mut touched) = self.sort_out(chosen)?;
        self.spread(&removed, &mut touched)?;
        let mut forgotten = Forgotten {
            removed: BTreeMap::new(),
            rebuilt: 0,
            evidence: BTreeSet::new(),
            proof: Proof::default(),
        };
        let mut texts = Texts::default();
        for record in removed.iter().chain(touched.values()) {
            texts.add(record);
        }
        for record in &removed {
            *forgotten.removed.entry(record.level).or_default() += 1;
            forgotten.evidence.extend(record.evidence.iter().map(|evidence| evidence.file.clone()));
        }
        crate::build::note_forgotten(&mut *self.store, &removed)?;
        self.take_out(&removed, &touched)?;
        for level in Level::ALL {
            for record in touched.values().filter(|record| record.level == level) {
                match self.rebuild(record)? {
                    true => forgotten.rebuilt += 1,
                    false => *forgotten.removed.entry(level).or_default() += 1,
                }
            }
        }
        crate::build::forget_notes(&mut *self.store, &removed)?;
        self.store.scrub()?;
        // A summary that was put together anew may still span the time; it may not name the person.
        let may_span = |record: &Record| record.state == State::Open && selection.person.is_none();
        forgotten.proof =
            texts.prove(&mut *self.store, |record| selection.holds(record) && !may_span(record))?;
        Ok(forgotten)
    }

    /// How many records a selection means, by level.
    pub fn would_forget(&mut self, selection: &Selection) -> Result<BTreeMap<Level, u64>> {
        selection.validate()?;
        let mut meant = BTreeMap::new();
        for record in self.chosen(selection)? {
            *meant.entry(record.level).or_default() += 1;
        }
        Ok(meant)
    }

    fn chosen(&mut self, selection: &Selection) -> Result<Vec<Record>> {
        if selection.person.is_none() {
            return self.store.range(&selection.scope(), usize::MAX);
        }
        let mut chosen = Vec::new();
        self.store.walk(&mut |record| {
            if selection.holds(&record) {
                chosen.push(record);
            }
            Ok(())
        })?;
        Ok(chosen)
    }

    /// What stands on nothing finer goes; a summary of finer records is only touched.
    fn sort_out(&mut self, chosen: Vec<Record>) -> Result<(Vec<Record>, BTreeMap<RecordId, Record>)> {
        let (mut removed, mut touched) = (Vec::new(), BTreeMap::new());
        for record in chosen {
            if record.level > Level::Clip && self.has_finer(&record)? {
                touched.insert(record.id, record);
            } else {
                removed.push(record);
            }
        }
        Ok((removed, touched))
    }

    fn has_finer(&mut self, record: &Record) -> Result<bool> {
        if !record.sources.is_empty() {
            return Ok(true);
        }
        for level in Level::ALL.into_iter().filter(|level| *level < record.level) {
            let scope = Scope {
                level: Some(level),
                wearer: Some(record.wearer.clone()),
                from: Some(record.start),
                to: Some(record.end),
                ended_by: None,
            };
            if !self.store.range(&scope, 1)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Touches every coarser record of the wearer that overlaps what goes, and what is named after it as its summary: any
    /// of them may tell of it.
    pub(crate) fn spread(
        &mut self,
        removed: &[Record],
        touched: &mut BTreeMap<RecordId, Record>,
    ) -> Result<()> {
        let gone: BTreeSet<RecordId> = removed.iter().map(|record| record.id).collect();
        let mut open: Vec<(String, Moment, Moment, Level)> = stretches(removed);
        open.extend(
            touched.values().map(|record| (record.wearer.clone(), record.start, record.end, record.level)),
        );
        let mut parents = Vec::new();
        for id in removed.iter().map(|record| record.id).chain(touched.keys().copied()) {
            parents.extend(self.store.parents(id)?);
        }
        loop {
            let mut found = self.store.get(&std::mem::take(&mut parents))?;
            for (wearer, start, end, level) in std::mem::take(&mut open) {
                let scope =
                    Scope { wearer: Some(wearer), from: Some(start), to: Some(end), ..Scope::default() };
                for coarser in Level::ALL.into_iter().filter(|other| *other > level) {
                    let scope = Scope { level: Some(coarser), ..scope.clone() };
                    found.extend(self.store.range(&scope, usize::MAX)?);
                }
            }
            found.retain(|record| !gone.contains(&record.id) && !touched.contains_key(&record.id));
            if found.is_empty() {
                return Ok(());
            }
            for record in found {
                if touched.contains_key(&record.id) {
                    continue;
                }
                parents.extend(self.store.parents(record.id)?);
                open.push((record.wearer.clone(), record.start, record.end, record.level));
                touched.insert(record.id, record);
            }
        }
    }

    /// Removes what goes and empties what is touched, so that a kill leaves nothing to read.
    pub(crate) fn take_out(
        &mut self,
        removed: &[Record],
        touched: &BTreeMap<RecordId, Record>,
    ) -> Result<()> {
        let deletions = removed.iter().map(|record| Change::Delete(record.id));
        let emptied = touched.values().map(|record| {
            Change::put(Record {
                text: String::new(),
                transcript: None,
                people: Vec::new(),
                evidence: Vec::new(),
                sources: Vec::new(),
                state: State::Open,
                ..record.clone()
            })
        });
        let changes: Vec<Change> = emptied.chain(deletions).collect();
        for changes in changes.chunks(BATCH) {
            self.store.write(changes)?;
        }
        Ok(())
    }

    /// Puts a summary together anew from what is left within its time, or removes it if there is nothing. Whether it
    /// still is.
    pub(crate) fn rebuild(&mut self, record: &Record) -> Result<bool> {
        let mut pieces = Vec::new();
        let time = (record.start, record.end);
        gather(&mut *self.store, &record.wearer, record.level.finer(), time, &mut pieces)?;
        pieces.sort_by_key(|piece| (piece.start, piece.id));
        let Some(rebuilt) = summarise(record, &pieces) else {
            self.store.write(&[Change::Delete(record.id)])?;
            return Ok(false);
        };
        // Its times as well come from what is left.
        let start = pieces.iter().map(|piece| piece.start).min().unwrap_or(rebuilt.start);
        self.store.write(&[Change::put(Record { start, state: State::Open, ..rebuilt })])?;
        Ok(true)
    }
}

/// The time of records as few stretches, by wearer and level: thousands of clips in a row are one.
fn stretches(records: &[Record]) -> Vec<(String, Moment, Moment, Level)> {
    let mut by_kind: HashMap<(&str, Level), Vec<(Moment, Moment)>> = HashMap::new();
    for record in records {
        by_kind.entry((&record.wearer, record.level)).or_default().push((record.start, record.end));
    }
    let mut found = Vec::new();
    for ((wearer, level), mut times) in by_kind {
        times.sort_unstable();
        let mut reached: Option<(Moment, Moment)> = None;
        for (start, end) in times {
            match &mut reached {
                Some((_, last)) if start <= *last => *last = (*last).max(end),
                _ => {
                    found.extend(reached.map(|(start, end)| (wearer.to_owned(), start, end, level)));
                    reached = Some((start, end));
                }
            }
        }
        found.extend(reached.map(|(start, end)| (wearer.to_owned(), start, end, level)));
    }
    found.sort();
    found
}
