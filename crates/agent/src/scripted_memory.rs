//! A small memory for tests: what happened, as clips and summaries of ten minutes, hours and days.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use firsthand_base::Moment;
use firsthand_memory::{Change, Evidence, Level, Memory, Record, RecordId};

use crate::memories::{Memories, SharedMemory};

/// What A1 lived through.
pub(crate) const JAKE: &[(&str, &str)] = &[
    ("DAY1_09000500", "I put the red cup on the shelf in the kitchen."),
    ("DAY1_09054000", "I read the blue book in the living room."),
    ("DAY1_18301000", "I drink from the green cup in the kitchen."),
    ("DAY2_10000000", "I put the red cup on the table in the bedroom."),
    ("DAY2_10020000", "I put the drill on the bench in the garage."),
    ("DAY2_16300000", "I give the drill to Ben."),
    ("DAY3_08000000", "I walk from the kitchen to the garden."),
    // What is in the future of questions asked on day 3 at noon.
    ("DAY3_19000000", "I put the red cup on the floor in the bathroom."),
];

/// What A2 lived through: other things of the same names.
pub(crate) const ALICE: &[(&str, &str)] =
    &[("DAY1_09000500", "I put the red cup on the chair in the attic.")];

/// Milliseconds that a record of a level covers.
fn ms(level: Level) -> i64 {
    match level {
        Level::Clip => 30_000,
        Level::TenMinutes => 600_000,
        Level::Hour => 3_600_000,
        Level::Day => Moment::DAY_MS,
        Level::Week => 7 * Moment::DAY_MS,
    }
}

/// The memory, made in a folder, as tools have it.
pub(crate) fn memories(folder: &Path) -> Memories {
    Memories::one(make(folder)).unwrap()
}

/// Makes the memory in a folder. Clips stand on `recordings/<clock>.mp4`, which is not there.
pub(crate) fn make(folder: &Path) -> SharedMemory {
    let mut memory = Memory::create(folder).unwrap();
    for (wearer, lived) in [("A1_JAKE", JAKE), ("A2_ALICE", ALICE)] {
        let mut changes: Vec<Change> = Vec::new();
        // Records of the level below, by their place among the changes.
        let mut below: Vec<(usize, Moment, Moment, String)> = Vec::new();
        for (at, text) in lived {
            let start: Moment = at.parse().unwrap();
            let end = start.plus_ms(ms(Level::Clip));
            let mut clip = Record::new(Level::Clip, wearer, start, end, *text);
            let file = format!("recordings/{}.mp4", start.clock_digits());
            clip.evidence.push(Evidence { file, start_s: 0.0, end_s: 30.0, frames: Vec::new() });
            below.push((changes.len(), start, end, (*text).to_owned()));
            changes.push(Change::put(clip));
        }
        for level in [Level::TenMinutes, Level::Hour, Level::Day] {
            let mut groups: BTreeMap<i64, Vec<(usize, Moment, Moment, String)>> = BTreeMap::new();
            for one in below.drain(..) {
                groups.entry(one.1.ms() / ms(level)).or_default().push(one);
            }
            for (number, group) in groups {
                let start = Moment::from_ms(number * ms(level)).unwrap();
                let end = start.plus_ms(ms(level));
                let text = group.iter().map(|one| one.3.clone()).collect::<Vec<_>>().join(" ");
                let mut record = Record::new(level, wearer, start, end, text.clone());
                record.sources = group.iter().map(|one| RecordId::of_change(one.0)).collect();
                below.push((changes.len(), start, end, text));
                changes.push(Change::put(record));
            }
        }
        memory.write(&changes).unwrap();
    }
    Arc::new(Mutex::new(memory))
}
