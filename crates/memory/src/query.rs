//! A question to a memory, and what comes back.

use std::str::FromStr;

use firsthand_base::Moment;
use serde::Serialize;

use crate::{Error, Level, Record, Result, Weekday};

/// A question to a memory. `Query::new("where are my keys")` and the fields that matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// What to look for, in plain words, times of day included ("yesterday morning", "the last time").
    pub words: String,
    /// Only this level; `None` searches all.
    pub level: Option<Level>,
    /// Only this wearer.
    pub wearer: Option<String>,
    /// Only what ends after this moment.
    pub from: Option<Moment>,
    /// Only what starts before this moment.
    pub to: Option<Moment>,
    /// Now: nothing that ends later is returned, and "yesterday" is the day before. `None`: all that is stored has
    /// happened, and now is the end of the latest record.
    pub clock: Option<Moment>,
    /// Which day of the week day 1 was; `None`: names of weekdays are words like others.
    pub day_one: Option<Weekday>,
    /// What is compared.
    pub by: By,
    /// Most hits.
    pub top: usize,
}

/// What of a question and a record is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Words, and meaning where the memory has vectors and their encoder.
    #[default]
    Both,
    /// Words alone.
    Words,
    /// Meaning alone; refused where there are no vectors.
    Meaning,
}

impl By {
    /// All of them, by name.
    const NAMES: [(&'static str, By); 3] =
        [("both", By::Both), ("words", By::Words), ("meaning", By::Meaning)];

    /// The name in flags and tables.
    pub fn name(self) -> &'static str {
        By::NAMES.into_iter().find(|(_, by)| *by == self).map_or("", |(name, _)| name)
    }
}

impl FromStr for By {
    type Err = Error;

    fn from_str(name: &str) -> Result<By> {
        let found = By::NAMES.into_iter().find(|(other, _)| *other == name);
        let unknown =
            || Error::Query(format!("{name:?} is nothing to compare by; write words, meaning or both"));
        found.map(|(_, by)| by).ok_or_else(unknown)
    }
}

impl Query {
    /// Hits of a query that does not say how many.
    pub const DEFAULT_TOP: usize = 5;

    /// Words over all levels, wearers and times.
    pub fn new(words: impl Into<String>) -> Query {
        Query { words: words.into(), top: Query::DEFAULT_TOP, ..Query::default() }
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit {
    /// The record. A summary that the clock cuts is a [`crate::State::Partial`] one with the id of the stored record, an
    /// end at the clock or earlier, and a text made from the finer records that had ended.
    pub record: Record,
    /// The score that orders hits: larger is better; ties go to the earlier start, then the smaller id.
    pub score: f32,
    /// What the score is made of.
    pub parts: Parts,
}

/// The parts of a score, each between 0 and 1; `None` where that part did not take part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Parts {
    /// Words in common (BM25, relative to the best).
    pub text: Option<f32>,
    /// Nearness of meaning (cosine of vectors).
    pub vector: Option<f32>,
    /// Fit to the time the words speak of.
    pub time: Option<f32>,
}
