//! What a memory is made of: records of a wearer's time, from 30-second clips up to weeks, each with the evidence or
//! the finer records it stands on. Values only; how they are kept is [`crate::Store`]'s business.

use std::fmt;
use std::str::FromStr;

use firsthand_base::{FrameId, Moment};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How much time a record covers. Ordered from fine to coarse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// A piece of a recording, 30 seconds as a rule.
    #[serde(rename = "clip")]
    Clip,
    /// Ten minutes.
    #[serde(rename = "10min")]
    TenMinutes,
    /// An hour.
    #[serde(rename = "hour")]
    Hour,
    /// A day.
    #[serde(rename = "day")]
    Day,
    /// A week.
    #[serde(rename = "week")]
    Week,
}

impl Level {
    /// All levels, fine to coarse.
    pub const ALL: [Level; 5] = [Level::Clip, Level::TenMinutes, Level::Hour, Level::Day, Level::Week];

    /// The name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Level::Clip => "clip",
            Level::TenMinutes => "10min",
            Level::Hour => "hour",
            Level::Day => "day",
            Level::Week => "week",
        }
    }

    /// The next finer level; `None` below clips.
    pub fn finer(self) -> Option<Level> {
        Level::ALL.iter().rev().copied().find(|level| *level < self)
    }

    /// The next coarser level; `None` above weeks.
    pub fn coarser(self) -> Option<Level> {
        Level::ALL.iter().copied().find(|level| *level > self)
    }

    /// Its place in [`Level::ALL`]; the number stores keep.
    pub fn rank(self) -> usize {
        self as usize
    }

    /// The level of a [`Level::rank`].
    pub fn from_rank(rank: usize) -> Option<Level> {
        Level::ALL.get(rank).copied()
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Level {
    type Err = Error;

    fn from_str(name: &str) -> Result<Level> {
        Level::ALL
            .into_iter()
            .find(|level| level.name() == name)
            .ok_or_else(|| Error::Level { name: name.chars().take(40).collect() })
    }
}

/// The number of a record in its store: given by the store, never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordId(pub i64);

impl RecordId {
    /// The id of a record that is not stored yet.
    pub const NEW: RecordId = RecordId(0);

    /// In the sources of a record being written: the record that the `index`-th [`crate::Change`] of the same write
    /// puts (counting from 0). Lets clips and their summary be written in one transaction.
    pub fn of_change(index: usize) -> RecordId {
        RecordId(-1 - index as i64)
    }

    /// The index of [`RecordId::of_change`]; `None` for an id of a stored record.
    pub fn change_index(self) -> Option<usize> {
        (self.0 < 0).then(|| (-1 - self.0) as usize)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where in which file a clip can be seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The file, as [`firsthand_base::MediumId`] names it: a path or an address.
    pub file: String,
    /// Where the clip starts in the file, in seconds from its first frame.
    pub start_s: f64,
    /// Where it ends.
    pub end_s: f64,
    /// The frames that were looked at.
    #[serde(default)]
    pub frames: Vec<FrameId>,
}

/// How much of its time a record speaks of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum State {
    /// All of it.
    #[default]
    Whole = 0,
    /// What had happened by a clock: the rest of its time is not in the text. Search makes these for summaries that the
    /// clock cuts; a builder may store one for a day that is still running.
    Partial = 1,
    /// It stood on records that were forgotten or replaced: the text was put together anew by extraction and waits for
    /// a model to write it again.
    Open = 2,
}

impl State {
    /// The name in files and on screens.
    pub fn name(self) -> &'static str {
        match self {
            State::Whole => "whole",
            State::Partial => "partial",
            State::Open => "open",
        }
    }
}

/// One entry of a memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its number; [`RecordId::NEW`] until it is stored.
    pub id: RecordId,
    /// How much time it covers.
    pub level: Level,
    /// Whose eyes: a name such as `A1_JAKE`, never empty.
    pub wearer: String,
    /// When it starts.
    pub start: Moment,
    /// When it ends; never before `start`.
    pub end: Moment,
    /// What happened: a caption or a summary.
    pub text: String,
    /// What was said, where that is known.
    #[serde(default)]
    pub transcript: Option<String>,
    /// Who was there, by name.
    #[serde(default)]
    pub people: Vec<String>,
    /// For clips: where it can be seen. Summaries lead to it through `sources`.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// For summaries: the finer records it was made from.
    #[serde(default)]
    pub sources: Vec<RecordId>,
    /// How much of its time the text speaks of.
    #[serde(default)]
    pub state: State,
}

impl Record {
    /// A new record with a text and nothing else.
    pub fn new(
        level: Level,
        wearer: impl Into<String>,
        start: Moment,
        end: Moment,
        text: impl Into<String>,
    ) -> Record {
        Record {
            id: RecordId::NEW,
            level,
            wearer: wearer.into(),
            start,
            end,
            text: text.into(),
            transcript: None,
            people: Vec::new(),
            evidence: Vec::new(),
            sources: Vec::new(),
            state: State::Whole,
        }
    }

    /// Everything a search of words looks at: the text and what was said.
    pub fn words(&self) -> String {
        match &self.transcript {
            Some(said) if !said.is_empty() => format!("{}\n{said}", self.text),
            _ => self.text.clone(),
        }
    }

    /// Refuses a record that cannot be: no wearer, an end before its start, a clip with sources, a span that is none.
    pub fn validate(&self) -> Result<()> {
        let fault = |reason: &str| {
            Err(Error::Record {
                what: format!("{} of {} from {} to {}", self.level, self.wearer, self.start, self.end),
                reason: reason.into(),
            })
        };
        if self.wearer.trim().is_empty() {
            return fault("it has no wearer");
        }
        if self.end < self.start {
            return fault("it ends before it starts");
        }
        if self.level == Level::Clip && !self.sources.is_empty() {
            return fault("a clip stands on evidence, not on sources");
        }
        for evidence in &self.evidence {
            if !(evidence.start_s >= 0.0 && evidence.end_s >= evidence.start_s && evidence.end_s.is_finite())
            {
                return fault("its evidence has no span of seconds");
            }
        }
        Ok(())
    }
}
