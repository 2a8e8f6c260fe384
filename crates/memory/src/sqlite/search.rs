//! Searching: BM25 over postings and cosines over vectors, each block of ids on its own, so that cores share the work and
//! the result does not depend on how. What ends after the clock of a scope counts nowhere, not even in how rare a word is.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use firsthand_base::Moment;
use rayon::prelude::*;
use rusqlite::{Connection, OptionalExtension, Row as SqlRow};

use super::blocks::{BLOCK, Block, Blocks, Filter, id_at};
use super::postings::unpack;
use super::vectors::{Quantized, Vectors};
use crate::terms::key;
use crate::{Level, Record, RecordId, State};

/// BM25's saturation of counts and weight of length, as SQLite's own ranking has them.
const K1: f32 = 1.2;
const B: f32 = 0.75;

pub(super) const SELECT: &str =
    "SELECT id, level, start_ms, end_ms, state, text, transcript, people, evidence, wearer
     FROM records WHERE id = ?1";

type Candidates = Vec<(RecordId, f32)>;
/// The postings of a term, block by block.
type Lists = Vec<(i64, Vec<u16>)>;

/// The best of what was seen: larger scores first, then smaller ids.
struct Best {
    limit: usize,
    seen: Candidates,
    /// Scores below cannot be among the best any more.
    threshold: f32,
}

fn order(a: &(RecordId, f32), b: &(RecordId, f32)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

impl Best {
    fn new(limit: usize) -> Best {
        Best { limit, seen: Vec::new(), threshold: f32::NEG_INFINITY }
    }

    fn take(&mut self, id: RecordId, score: f32) {
        self.seen.push((id, score));
        // Sorting out once per `limit` entries costs a constant per entry.
        if self.seen.len() >= 2 * self.limit.max(64) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.seen.len() > self.limit {
            if self.limit > 0 {
                self.seen.select_nth_unstable_by(self.limit - 1, order);
                self.threshold = self.seen[self.limit - 1].1;
            }
            self.seen.truncate(self.limit);
        }
    }

    fn joined(mut self, other: Best) -> Best {
        self.seen.extend(other.seen);
        self.cut();
        self
    }

    fn sorted(mut self) -> Candidates {
        self.cut();
        self.seen.sort_unstable_by(order);
        self.seen
    }
}

/// One term's part in one block: what a sighting is worth, and the postings.
type Part = (f32, Vec<u16>);

/// Records of the scope with the best BM25 for these terms.
pub(super) fn by_words(
    database: &Connection,
    blocks: &Blocks,
    terms: &[String],
    filter: &Filter,
    clock_ms: i64,
    limit: usize,
) -> rusqlite::Result<Candidates> {
    let mut stems: Vec<String> = Vec::new();
    for term in terms.iter().map(|term| key(term)) {
        if !stems.contains(&term) {
            stems.push(term);
        }
    }
    let (records, total_length) = blocks.totals(clock_ms);
    let average = (total_length as f32 / records.max(1) as f32).max(1.0);
    let mut parts: BTreeMap<i64, Vec<Part>> = BTreeMap::new();
    for stem in &stems {
        let (holding, found) = postings(database, blocks, stem, filter, clock_ms)?;
        // Never negative: a word that most records hold still counts a little.
        let idf = (1.0 + (records as f32 - holding as f32 + 0.5) / (holding as f32 + 0.5)).ln();
        for (number, list) in found {
            parts.entry(number).or_default().push((idf * (K1 + 1.0), list));
        }
    }
    let parts: Vec<(i64, Vec<Part>)> = parts.into_iter().collect();
    let best = parts
        .par_chunks(64)
        .map(|chunk| {
            let mut best = Best::new(limit);
            for (number, parts) in chunk {
                if let Some(block) = blocks.blocks.get(number) {
                    rank(*number, block, parts, average, filter, &mut best);
                }
            }
            best
        })
        .reduce(|| Best::new(limit), Best::joined);
    Ok(best.sorted())
}

/// How many records that had ended by the clock hold a stem, and its postings in blocks that may be in scope.
fn postings(
    database: &Connection,
    blocks: &Blocks,
    stem: &str,
    filter: &Filter,
    clock_ms: i64,
) -> rusqlite::Result<(u64, Lists)> {
    let mut read =
        database.prepare_cached("SELECT block, data FROM postings WHERE term = ?1 ORDER BY block")?;
    let mut rows = read.query([stem])?;
    let (mut holding, mut found) = (0, Vec::new());
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let Some(block) = blocks.blocks.get(&number) else { continue };
        let list = super::postings::read(row.get_ref(1)?.as_blob()?);
        holding += match block.all_ended_by(clock_ms) {
            true => list.len(),
            false => list.iter().filter(|posting| block.rows[unpack(**posting).0].end_ms <= clock_ms).count(),
        } as u64;
        if filter.may_hold(block) {
            found.push((number, list));
        }
    }
    Ok((holding, found))
}

fn rank(number: i64, block: &Block, parts: &[Part], average: f32, filter: &Filter, best: &mut Best) {
    let mut scores = [0.0f32; BLOCK];
    for (worth, list) in parts {
        for &posting in list {
            let (offset, count) = unpack(posting);
            let length = block.rows[offset].length as f32;
            let count = count as f32;
            scores[offset] += worth * count / (count + K1 * (1.0 - B + B * length / average));
        }
    }
    for (offset, &score) in scores.iter().enumerate() {
        if score > 0.0 && score >= best.threshold && filter.holds(&block.rows[offset]) {
            best.take(id_at(number, offset), score);
        }
    }
}

/// Records of the scope with the largest cosines.
pub(super) fn by_vector(
    blocks: &Blocks,
    vectors: &Vectors,
    query: &Quantized,
    filter: &Filter,
    limit: usize,
) -> Candidates {
    let live: Vec<(&i64, &Block)> =
        blocks.blocks.iter().filter(|(_, block)| filter.may_hold(block)).collect();
    live.par_chunks(8)
        .map(|chunk| {
            let mut best = Best::new(limit);
            for (number, block) in chunk {
                let Some(vectors) = vectors.block(**number) else { continue };
                vectors.scan(
                    query,
                    |offset| filter.holds(&block.rows[offset]),
                    |offset, cosine| {
                        if cosine >= best.threshold {
                            best.take(id_at(**number, offset), cosine);
                        }
                    },
                );
            }
            best
        })
        .reduce(|| Best::new(limit), Best::joined)
        .sorted()
}

/// The records with these ids, in their order.
pub(super) fn get(database: &Connection, blocks: &Blocks, ids: &[RecordId]) -> rusqlite::Result<Vec<Record>> {
    let mut read = database.prepare_cached(SELECT)?;
    let mut sources =
        database.prepare_cached("SELECT source FROM sources WHERE summary = ?1 ORDER BY place")?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let record = read
            .query_row([id.0], |row| {
                let wearer = row.get::<_, u16>(9)?;
                record_of_row(row, blocks.wearers.get(&wearer).cloned().unwrap_or_default())
            })
            .optional()?;
        let Some(mut record) = record else { continue };
        if record.level != Level::Clip {
            let rows = sources.query_map([id.0], |row| row.get(0).map(RecordId))?;
            record.sources = rows.collect::<rusqlite::Result<_>>()?;
        }
        found.push(record);
    }
    Ok(found)
}

/// The record of a row of [`SELECT`], without its sources.
pub(super) fn record_of_row(row: &SqlRow<'_>, wearer: String) -> rusqlite::Result<Record> {
    let damaged = |column: usize, what: &str| {
        let reason = format!("{what} is damaged");
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, reason.into())
    };
    let moment = |column: usize| Moment::from_ms(row.get(column)?).ok_or_else(|| damaged(column, "a time"));
    let list = |column: usize| -> rusqlite::Result<Option<String>> { row.get(column) };
    Ok(Record {
        id: RecordId(row.get(0)?),
        level: Level::from_rank(row.get::<_, u8>(1)?.into()).ok_or_else(|| damaged(1, "a level"))?,
        wearer,
        start: moment(2)?,
        end: moment(3)?,
        state: match row.get::<_, u8>(4)? {
            0 => State::Whole,
            1 => State::Partial,
            2 => State::Open,
            _ => return Err(damaged(4, "a state")),
        },
        text: row.get(5)?,
        transcript: row.get(6)?,
        people: match list(7)? {
            Some(text) => serde_json::from_str(&text).map_err(|_| damaged(7, "a list of people"))?,
            None => Vec::new(),
        },
        evidence: match list(8)? {
            Some(text) => serde_json::from_str(&text).map_err(|_| damaged(8, "a list of evidence"))?,
            None => Vec::new(),
        },
        sources: Vec::new(),
    })
}
