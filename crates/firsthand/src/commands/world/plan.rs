//! Which stretches of the wearer's days are filmed, and what their files are called: a folder per day, and the time
//! of day in every name as EgoLife's recordings have it, `DAY1_08300000.mp4` (hours, minutes, seconds, frame).

use std::path::{Path, PathBuf};

use firsthand_world::{Event, World};
use serde::{Deserialize, Serialize};

/// Spells of doings with less than this between them are one film.
const PAUSE_S: f64 = 20.0;
/// Longest film of a day's log.
const LONGEST_S: f64 = 3600.0;
const DAY_S: f64 = 86_400.0;
/// Frames per second that the last two digits of a name count in.
const NAMED_RATE: f64 = 20.0;

/// A stretch of one day that becomes one film.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stretch {
    pub(super) day: u32,
    /// Seconds since midnight.
    pub(super) start_s: f64,
    pub(super) seconds: f64,
}

impl Stretch {
    /// The day and the time of its first frame.
    pub(super) fn stem(&self) -> String {
        let whole = self.start_s as u64;
        let frame = (self.start_s.fract() * NAMED_RATE + 1e-6) as u64;
        let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
        format!("DAY{}_{hours:02}{minutes:02}{seconds:02}{frame:02}", self.day)
    }

    /// A file of it below the output folder.
    pub(super) fn file(&self, out: &Path, ending: &str) -> PathBuf {
        out.join(format!("DAY{}", self.day)).join(format!("{}.{ending}", self.stem()))
    }
}

/// The given length of a day: from `start_s`, or where hands do the most, beginning with a spell of doings.
pub(super) fn moment(world: &World, day: u32, start_s: Option<f64>, seconds: f64) -> Stretch {
    let deeds = |start: f64| {
        let within = |event: &&Event| {
            event.day == day
                && event.hand.is_some()
                && (start..start + seconds).contains(&event.start_s)
                && event.end_s <= start + seconds
        };
        world.events().iter().filter(within).count()
    };
    let start_s = start_s.unwrap_or_else(|| {
        let spells = world.spells.iter().filter(|spell| spell.day == day);
        let starts = spells.map(|spell| spell.start_s.floor()).filter(|start| start + seconds <= DAY_S);
        // The first of equals.
        starts.rev().max_by_key(|start| deeds(*start)).unwrap_or(0.0)
    });
    Stretch { day, start_s, seconds: seconds.min(DAY_S - start_s) }
}

/// Every stretch of a day in which something is done, in whole seconds. Nights and quiet hours are left out.
pub(super) fn log(world: &World, day: u32) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for spell in world.spells.iter().filter(|spell| spell.day == day) {
        let (start_s, end_s) = (spell.start_s.floor(), spell.end_s.ceil().min(DAY_S));
        match stretches.last_mut() {
            Some(last)
                if start_s - (last.start_s + last.seconds) < PAUSE_S && end_s - last.start_s <= LONGEST_S =>
            {
                last.seconds = end_s - last.start_s;
            }
            _ => stretches.push(Stretch { day, start_s, seconds: end_s - start_s }),
        }
    }
    stretches
}
