//! Whether a memory is whole: the store's own check, records that cannot be, sources that are gone or tell the future,
//! summaries without a text, evidence that is no longer there.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use firsthand_base::Moment;
use serde::Serialize;

use crate::{Change, Level, Memory, Record, RecordId, Result, State};

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What, in one line.
    pub what: String,
    /// Whether it was put right.
    pub repaired: bool,
}

/// What the walk over all records notes.
#[derive(Default)]
struct Notes {
    /// Level and end of every record.
    known: HashMap<RecordId, (Level, Moment)>,
    summaries: Vec<(RecordId, Level, Moment, Vec<RecordId>)>,
    /// Summaries that wait without a text.
    empty: Vec<Record>,
    invalid: Vec<String>,
    /// Missing files, and how many records lead there.
    missing: BTreeMap<String, u64>,
    /// Whether each file seen is there.
    files: HashMap<String, bool>,
}

impl Memory {
    /// Everything that is wrong. With `repair`, indexes are made again, sources that cannot be are dropped (and their
    /// summaries opened), and summaries without a text are put together from what is below them.
    pub fn check(&mut self, repair: bool) -> Result<Vec<Fault>> {
        let mut faults = Vec::new();
        let found = self.store.check(repair)?;
        if !found.is_empty() {
            let left = if repair { self.store.check(false)? } else { found.clone() };
            let repaired = left.is_empty();
            faults.extend(found.into_iter().map(|what| Fault { what, repaired }));
            if !repaired {
                return Ok(faults);
            }
        }
        let mut notes = Notes::default();
        self.store.walk(&mut |record| {
            notes.take(record);
            Ok(())
        })?;
        let Notes { known, summaries, empty, invalid, missing, .. } = notes;
        faults.extend(invalid.into_iter().map(|what| Fault { what, repaired: false }));
        for (id, level, end, sources) in summaries {
            let wrong = |source: &RecordId| match known.get(source) {
                None => Some("is gone"),
                Some((other, _)) if *other >= level => Some("is not finer"),
                Some((_, ends)) if *ends > end => Some("ends later"),
                Some(_) => None,
            };
            let bad: Vec<String> =
                sources.iter().filter_map(|source| Some(format!("{source} {}", wrong(source)?))).collect();
            if bad.is_empty() {
                continue;
            }
            if repair && let Some(record) = self.store.get(&[id])?.pop() {
                let kept = record.sources.iter().filter(|source| wrong(source).is_none()).copied().collect();
                self.store.write(&[Change::put(Record { sources: kept, state: State::Open, ..record })])?;
            }
            let what = format!("the sources of record {id} cannot be: {}", bad.join(", "));
            faults.push(Fault { what, repaired: repair });
        }
        for record in empty {
            let what =
                format!("record {} ({} from {}) waits without a text", record.id, record.level, record.start);
            if repair {
                self.rebuild(&record)?;
            }
            faults.push(Fault { what, repaired: repair });
        }
        faults.extend(missing.into_iter().map(|(file, records)| Fault {
            what: format!("the evidence of {records} records is not there: {file}"),
            repaired: false,
        }));
        Ok(faults)
    }
}

impl Notes {
    fn take(&mut self, record: Record) {
        if let Err(error) = record.validate() {
            self.invalid.push(format!("record {}: {error}", record.id));
        }
        self.known.insert(record.id, (record.level, record.end));
        for evidence in &record.evidence {
            let there = *self.files.entry(evidence.file.clone()).or_insert_with(|| {
                // An address is asked for by whoever shows it.
                evidence.file.contains("://") || Path::new(&evidence.file).exists()
            });
            if !there {
                *self.missing.entry(evidence.file.clone()).or_default() += 1;
            }
        }
        if record.level == Level::Clip {
            return;
        }
        self.summaries.push((record.id, record.level, record.end, record.sources.clone()));
        if record.state == State::Open && record.text.is_empty() {
            self.empty.push(record);
        }
    }
}
