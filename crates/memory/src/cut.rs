//! A summary as it would have been at a clock: made of the finer records that had ended by then. What the stored text says
//! of the time after the clock is nowhere in it.

use firsthand_base::Moment;

use crate::extract::extract;
use crate::{Level, Record, Result, Scope, State, Store};

/// Finer records of one level that a cut looks at: a day has 2880 clips.
const MOST_PIECES: usize = 4096;

/// The part of a summary that had happened by a clock, [`State::Partial`]; `None` if nothing finer had ended.
pub(crate) fn cut(store: &mut dyn Store, summary: &Record, clock: Moment) -> Result<Option<Record>> {
    let mut pieces = Vec::new();
    gather(store, &summary.wearer, summary.level.finer(), (summary.start, clock), &mut pieces)?;
    pieces.sort_by_key(|piece| (piece.start, piece.id));
    Ok(summarise(summary, &pieces).map(|record| Record { state: State::Partial, ..record }))
}

/// A summary with its text, people, sources and end taken from finer records; `None` without any.
pub(crate) fn summarise(summary: &Record, pieces: &[Record]) -> Option<Record> {
    let end = pieces.iter().map(|piece| piece.end).max()?;
    let mut people: Vec<String> = pieces.iter().flat_map(|piece| piece.people.iter().cloned()).collect();
    people.sort();
    people.dedup();
    Some(Record {
        end,
        text: extract(summary.level, pieces),
        transcript: None,
        people,
        evidence: Vec::new(),
        sources: pieces.iter().map(|piece| piece.id).collect(),
        ..summary.clone()
    })
}

/// Records that fill a stretch of time and lie within it: of the given level where there are any, finer ones in the gaps.
pub(crate) fn gather(
    store: &mut dyn Store,
    wearer: &str,
    level: Option<Level>,
    (from, to): (Moment, Moment),
    pieces: &mut Vec<Record>,
) -> Result<()> {
    let Some(level) = level.filter(|_| from < to) else { return Ok(()) };
    let scope = Scope {
        level: Some(level),
        wearer: Some(wearer.into()),
        from: Some(from),
        to: Some(to),
        ended_by: Some(to),
    };
    let mut found = store.range(&scope, MOST_PIECES)?;
    found.retain(|record| record.start >= from);
    let mut reached = from;
    let mut gaps = Vec::new();
    for record in &found {
        if record.start > reached {
            gaps.push((reached, record.start));
        }
        reached = reached.max(record.end);
    }
    gaps.push((reached, to));
    pieces.extend(found);
    for gap in gaps {
        gather(store, wearer, level.finer(), gap, pieces)?;
    }
    Ok(())
}
