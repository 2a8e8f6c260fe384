//! Which records hold a term: for each term and block of ids one blob of u16 numbers in order, ten bits of offset in the
//! block and six of count. Two bytes a posting, so that a word half the records hold is a few hundred kilobytes to read.

use std::collections::{BTreeMap, HashMap};

use rusqlite::Connection;

use super::blocks::place;
use crate::RecordId;

const COUNT_BITS: u32 = 10;
/// Counts above are kept as this: BM25 hardly tells them apart.
const MOST: u32 = (1 << (16 - COUNT_BITS)) - 1;

/// A record's place in its block and how often it holds the term.
pub(super) fn pack(offset: usize, count: u32) -> u16 {
    (offset as u32 | count.min(MOST) << COUNT_BITS) as u16
}

/// Offset and count.
pub(super) fn unpack(posting: u16) -> (usize, u32) {
    ((posting & ((1 << COUNT_BITS) - 1)) as usize, u32::from(posting >> COUNT_BITS))
}

pub(super) fn read(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// What a write changes: for each term and block, offsets with their new counts (0 removes).
#[derive(Default)]
pub(super) struct Changes {
    changes: HashMap<String, BTreeMap<i64, BTreeMap<usize, u32>>>,
}

impl Changes {
    /// Takes a record's words out. A later [`Changes::add`] of the same record wins.
    pub(super) fn remove(&mut self, id: RecordId, stems: HashMap<String, u32>) {
        for (term, _) in stems {
            self.set(id, term, 0);
        }
    }

    pub(super) fn add(&mut self, id: RecordId, stems: HashMap<String, u32>) {
        for (term, count) in stems {
            self.set(id, term, count);
        }
    }

    fn set(&mut self, id: RecordId, term: String, count: u32) {
        let (block, offset) = place(id);
        self.changes.entry(term).or_default().entry(block).or_default().insert(offset, count);
    }

    /// Writes the changes, terms in order, so that pages are visited once.
    pub(super) fn apply(self, database: &Connection) -> rusqlite::Result<()> {
        let mut read_old =
            database.prepare_cached("SELECT data FROM postings WHERE term = ?1 AND block = ?2")?;
        let mut put = database.prepare_cached("INSERT OR REPLACE INTO postings VALUES (?1, ?2, ?3)")?;
        let mut delete = database.prepare_cached("DELETE FROM postings WHERE term = ?1 AND block = ?2")?;
        let mut terms: Vec<_> = self.changes.into_iter().collect();
        terms.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (term, blocks) in terms {
            for (block, changes) in blocks {
                let mut rows = read_old.query((&term, block))?;
                let old = match rows.next()? {
                    Some(row) => read(row.get_ref(0)?.as_blob()?),
                    None => Vec::new(),
                };
                drop(rows);
                let new = merge(&old, &changes);
                if !new.is_empty() {
                    put.execute((&term, block, new))?;
                } else if !old.is_empty() {
                    delete.execute((&term, block))?;
                }
            }
        }
        Ok(())
    }
}

/// Old postings with the changes made, as bytes.
fn merge(old: &[u16], changes: &BTreeMap<usize, u32>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity((old.len() + changes.len()) * 2);
    let mut push = |offset: usize, count: u32| {
        if count > 0 {
            bytes.extend_from_slice(&pack(offset, count).to_le_bytes());
        }
    };
    let mut changes = changes.iter().peekable();
    for &posting in old {
        let (offset, count) = unpack(posting);
        while let Some((&earlier, &new)) = changes.next_if(|(changed, _)| **changed < offset) {
            push(earlier, new);
        }
        match changes.next_if(|(changed, _)| **changed == offset) {
            Some((_, &new)) => push(offset, new),
            None => push(offset, count),
        }
    }
    changes.for_each(|(&offset, &count)| push(offset, count));
    bytes
}
