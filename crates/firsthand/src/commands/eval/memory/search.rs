//! How often search alone finds the moment that decides a question: by level, and by what is compared. Asks no model.

use anyhow::Result;
use firsthand_agent::cott::Asked;
use firsthand_memory::{By, Level, Query};
use serde::Serialize;

use super::with;
use crate::progress::{Progress, Unit};
use crate::recollection::Recollection;

/// Hits of which the best, the best five and all ten are looked at.
const DEPTHS: [usize; 3] = [1, 5, 10];

/// How often search finds what decides at one level: among the first 1, 5 and 10.
#[derive(Serialize)]
pub(super) struct Found {
    pub(super) level: &'static str,
    pub(super) by: By,
    pub(super) items: usize,
    pub(super) recall: [f64; 3],
}

/// Every level by words; where there is an encoder, by meaning and by both as well.
pub(super) fn found(recollection: &Recollection, asked: &[Asked]) -> Result<Vec<Found>> {
    let methods: &[By] = match recollection.reads_meaning {
        true => &[By::Words, By::Meaning, By::Both],
        false => &[By::Words],
    };
    let searches = asked.len() * Level::ALL.len() * methods.len();
    let bar = Progress::new("searching", searches as u64, &Unit::Things("searches"));
    let mut all = Vec::new();
    for level in Level::ALL {
        for &by in methods {
            let (mut hits, mut items) = ([0usize; 3], 0);
            for one in asked {
                bar.add(1);
                let Some(place) = place(recollection, one, level, by)? else { continue };
                items += 1;
                for (hit, depth) in hits.iter_mut().zip(DEPTHS) {
                    *hit += usize::from(place < depth);
                }
            }
            let recall = hits.map(|hit| hit as f64 / items.max(1) as f64);
            all.push(Found { level: level.name(), by, items, recall });
        }
    }
    Ok(all)
}

/// Where among the hits a record over the deciding moment stands, `usize::MAX` if it is not there; `None` for a question
/// that no moment decides.
fn place(recollection: &Recollection, one: &Asked, level: Level, by: By) -> Result<Option<usize>> {
    let Some(target) = one.target else { return Ok(None) };
    let query = Query {
        level: Some(level),
        wearer: Some(one.question.wearer.clone()),
        clock: Some(one.question.clock),
        by,
        top: DEPTHS[2],
        ..Query::new(&one.question.text)
    };
    let place = match with(recollection, &one.question.wearer, |memory| memory.recall(&query))? {
        Ok(hits) => hits.iter().position(|hit| hit.record.start <= target && target < hit.record.end),
        // A question without a word to look for finds nothing.
        Err(firsthand_memory::Error::Query(_)) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Some(place.unwrap_or(usize::MAX)))
}
