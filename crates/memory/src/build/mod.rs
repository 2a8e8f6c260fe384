//! Building a memory: clips come in, one after the other, and summaries of ten minutes, hours, days and weeks follow.
//! One more clip costs the same however much is remembered: only the summaries whose time it falls into are written
//! again. Every step is one transaction and follows from what is stored, so a build that was killed goes on where it was.
//!
//! Who looks at video and who writes summaries is behind [`Caption`] and [`Summarise`]; this folder knows no model.

mod builder;
mod calendar;
mod captions;
mod clips;
mod hear;
mod ledger;
mod run;
mod spans;
mod standing;
mod timeline;
mod transcript;
mod window;

#[cfg(test)]
mod builder_tests;
#[cfg(test)]
mod caption_tests;
#[cfg(test)]
mod hear_tests;
#[cfg(test)]
mod run_tests;

pub use builder::Builder;
pub use calendar::read_date;
pub use captions::read_captions;
pub use clips::{CLIP_MS, Clip, cut};
pub use hear::hear;
pub use ledger::{Failure, Ledger, Maker, Recording, Totals};
pub(crate) use ledger::{forget_failures, forget_notes, note_forgotten, uncounted};
pub use run::{Ended, Report, Step, Untold, follow, remember};
pub use spans::Spans;
pub use standing::outdated;
pub use timeline::{Placed, Source, named, note_overlaps, place};
pub use transcript::{Said, TRANSCRIPT_ENDINGS, Transcript, lines_of, read_transcript, said_in};
pub use window::{Window, window};

use firsthand_base::FrameId;
use serde::{Deserialize, Serialize};

use crate::extract::extract;
use crate::{Level, Record};

/// What one caption or summary took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cost {
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub new_tokens: u64,
    /// Milliseconds of work.
    pub wall_ms: u64,
}

/// What a clip shows, in words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Captioned {
    /// The caption.
    pub text: String,
    /// Who is there, by name.
    pub people: Vec<String>,
    /// The frames that were looked at.
    pub frames: Vec<FrameId>,
    /// What it took.
    pub cost: Cost,
}

/// A summary.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// The text.
    pub text: String,
    /// What it took.
    pub cost: Cost,
}

/// Why a caption or a summary was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This one cannot be made: it is told, and the rest goes on.
    This(String),
    /// None can be made for now: the build stops, and the same command goes on later.
    Stop(String),
}

/// Looks at clips.
pub trait Caption {
    /// One outcome per clip, in order. Several clips come at once so that they can be worked on side by side.
    fn caption(&mut self, clips: &[Clip]) -> Vec<Result<Captioned, Fault>>;

    /// Most clips that it takes at once.
    fn at_once(&self) -> usize {
        1
    }
}

/// Writes summaries.
pub trait Summarise {
    /// A summary of a level from the finer records it stands on, which come by start and are never none.
    fn summarise(&mut self, level: Level, parts: &[Record]) -> Result<Summary, Fault>;
}

/// Summaries without a model: sentences of the finer records.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extract;

impl Summarise for Extract {
    fn summarise(&mut self, level: Level, parts: &[Record]) -> Result<Summary, Fault> {
        Ok(Summary { text: extract(level, parts), ..Summary::default() })
    }
}
