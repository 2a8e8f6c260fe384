//! Forgetting: what is chosen leaves every level, the index, the vectors and the summaries, and then it is proven that no
//! byte of it is left ([`crate::Proof`]). Summaries that may have told of it are put together anew from what remains, by
//! extraction, and marked [`State::Open`] for a model to write again. The recordings themselves are not touched; they are
//! named, so that their owner can decide.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use firsthand_base::Moment;
use serde::Serialize;

use crate::cut::{gather, summarise};
use crate::fold::{letters, plain};
use crate::names::Name;
use crate::proof::Texts;
use crate::{Change, Error, Level, Memory, Proof, Record, RecordId, Result, Scope, State};

/// Records written at a time.
const BATCH: usize = 4096;
/// Longer words that are told.
const MOST_WITHIN: usize = 20;

/// What to forget: all that meets every condition given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// What overlaps the time from here.
    pub from: Option<Moment>,
    /// What overlaps the time up to here.
    pub to: Option<Moment>,
    /// What this wearer recorded. Wearers whose names are the same text in another Unicode form are the same.
    pub wearer: Option<String>,
    /// What shows, quotes or names this person, by whole words in every spelling: case, accents, Unicode forms, hyphens and
    /// apostrophes make no difference.
    pub person: Option<String>,
}

/// A selection with what it takes to compare names.
struct Chosen {
    scope: Scope,
    /// How the wearer is spelled.
    wearer: Option<String>,
    name: Option<Name>,
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
    /// Longer words in what remains that hold the letters of the name, some of them: other names, or this one with
    /// something written onto it that no rule knows.
    pub within: BTreeSet<String>,
    /// That nothing is left in the store.
    pub proof: Proof,
}

impl Selection {
    fn validate(&self) -> Result<()> {
        let blank = |name: &Option<String>| name.as_ref().is_some_and(|name| letters(name).next().is_none());
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

    /// Whether a record is chosen.
    pub fn holds(&self, record: &Record) -> bool {
        Chosen::new(self).holds(record)
    }
}

/// All that a record says of people.
fn texts(record: &Record) -> impl Iterator<Item = &String> {
    std::iter::once(&record.text).chain(&record.transcript).chain(&record.people)
}

impl Chosen {
    fn new(selection: &Selection) -> Chosen {
        Chosen {
            scope: Scope { from: selection.from, to: selection.to, ..Scope::default() },
            wearer: selection.wearer.as_ref().map(|wearer| plain(wearer).into_owned()),
            name: selection.person.as_deref().and_then(Name::new),
        }
    }

    fn is_worn_by(&self, wearer: &str) -> bool {
        self.wearer.as_ref().is_none_or(|own| *own == plain(wearer))
    }

    fn holds(&self, record: &Record) -> bool {
        self.scope.holds(record)
            && self.is_worn_by(&record.wearer)
            && self.name.as_ref().is_none_or(|name| texts(record).any(|text| name.is_in(text)))
    }
}

impl Memory {
    /// Forgets what is chosen and proves it. A kill in between leaves summaries without text, which
    /// [`Memory::check`] puts together again; the same call can be made again.
    pub fn forget(&mut self, selection: &Selection) -> Result<Forgotten> {
        selection.validate()?;
        let (what, chosen) = self.chosen(selection)?;
        let (removed, mut touched) = self.sort_out(chosen)?;
        self.spread(&removed, &mut touched)?;
        let mut forgotten = Forgotten {
            removed: BTreeMap::new(),
            rebuilt: 0,
            evidence: BTreeSet::new(),
            within: BTreeSet::new(),
            proof: Proof::default(),
        };
        let mut forgetting = Texts::default();
        selection.person.iter().chain(&selection.wearer).for_each(|name| forgetting.spell(name));
        for record in removed.iter().chain(touched.values()) {
            forgetting.add(record);
            if let Some(name) = &what.name {
                let named =
                    texts(record).flat_map(|text| name.find(text).named.into_iter().map(|at| &text[at]));
                named.for_each(|spelling| forgetting.spell(spelling));
            }
            if what.wearer.is_some() {
                forgetting.spell(&record.wearer);
            }
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
        if let Some(name) = &what.name {
            crate::build::forget_failures(&mut *self.store, |text| name.is_in(text))?;
        }
        self.store.scrub()?;
        // A summary that was put together anew may still span the time; it may not name the person.
        let may_span = |record: &Record| record.state == State::Open && selection.person.is_none();
        let within = &mut forgotten.within;
        forgotten.proof = forgetting.prove(&mut *self.store, |record| {
            if let Some(name) = &what.name {
                let longer =
                    texts(record).flat_map(|text| name.find(text).within.into_iter().map(|at| &text[at]));
                within.extend(longer.take(MOST_WITHIN - within.len().min(MOST_WITHIN)).map(str::to_owned));
            }
            what.holds(record) && !may_span(record)
        })?;
        Ok(forgotten)
    }

    /// How many records a selection means, by level.
    pub fn would_forget(&mut self, selection: &Selection) -> Result<BTreeMap<Level, u64>> {
        selection.validate()?;
        let mut meant = BTreeMap::new();
        for record in self.chosen(selection)?.1 {
            *meant.entry(record.level).or_default() += 1;
        }
        Ok(meant)
    }

    fn chosen(&mut self, selection: &Selection) -> Result<(Chosen, Vec<Record>)> {
        let mut what = Chosen::new(selection);
        let mut chosen = Vec::new();
        if what.name.is_none() {
            let wearers: Vec<Option<String>> = match selection.wearer {
                None => vec![None],
                Some(_) => self.store.counts()?.wearers.into_keys().map(Some).collect(),
            };
            for wearer in
                wearers.into_iter().filter(|wearer| wearer.as_ref().is_none_or(|name| what.is_worn_by(name)))
            {
                chosen.extend(self.store.range(&Scope { wearer, ..what.scope.clone() }, usize::MAX)?);
            }
            return Ok((what, chosen));
        }
        let mut people = BTreeSet::new();
        self.store.walk(&mut |record| {
            let is_chosen = what.holds(&record);
            people.extend(record.people.iter().cloned());
            chosen.extend(is_chosen.then_some(record));
            Ok(())
        })?;
        if let Some(name) = &mut what.name {
            name.beside(people.iter().map(String::as_str));
        }
        chosen.retain(|record| what.holds(record));
        Ok((what, chosen))
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
