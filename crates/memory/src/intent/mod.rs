//! What a question says about time: "yesterday morning", "two days ago", "before lunch", "the first time". The words are
//! read once, relative to a clock, into days, hours, a span and an order; what is left are the words to look for. Times
//! shape scores and shut nothing out: hard limits are [`crate::Query`]'s `from` and `to`.

mod fit;
mod parse;
#[cfg(test)]
mod tests;
mod tokens;

use std::str::FromStr;

use firsthand_base::Moment;

use crate::{Error, Result, Term};

/// Milliseconds of units.
pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;

/// Which of several the words ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The earliest.
    First,
    /// The latest.
    Last,
}

/// A day of the week. A memory counts days from 1; names of weekdays mean something once it is known which one day 1 was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weekday {
    /// The first of the working week.
    Monday,
    /// The second.
    Tuesday,
    /// The third.
    Wednesday,
    /// The fourth.
    Thursday,
    /// The fifth.
    Friday,
    /// The sixth.
    Saturday,
    /// The seventh.
    Sunday,
}

impl Weekday {
    const NAMES: [(&'static str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];

    fn named(word: &str) -> Option<Weekday> {
        Weekday::NAMES.iter().find(|(name, _)| *name == word).map(|(_, day)| *day)
    }
}

impl FromStr for Weekday {
    type Err = Error;

    fn from_str(name: &str) -> Result<Weekday> {
        let name = name.to_lowercase();
        Weekday::named(&name)
            .ok_or_else(|| Error::Query(format!("{name:?} is not a day of the week; write monday")))
    }
}

/// What a question says about time, and the rest of its words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Intent {
    /// Words to look for: no function words, nothing about time.
    pub terms: Vec<Term>,
    /// Days meant, first and last of each run; none given: any day.
    pub days: Vec<(u32, u32)>,
    /// Time of day meant, in milliseconds from midnight; the end may lie after the next midnight.
    pub hours: Option<(i64, i64)>,
    /// One stretch of time meant ("two hours ago").
    pub span: Option<(Moment, Moment)>,
    /// Whether the earliest or the latest of what is found is meant.
    pub order: Option<Order>,
    /// The clock it was read by.
    pub clock: Moment,
    /// Phrases about a time that is not there: before the first day ("yesterday" on day 1), or after the clock.
    pub missed: Vec<Missed>,
}

/// A phrase about a time that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// Its words.
    pub phrase: String,
    /// Whether it is after the clock; otherwise before the first day.
    pub is_later: bool,
}

impl Intent {
    /// Reads a question asked at a clock.
    pub fn read(words: &str, clock: Moment, day_one: Option<Weekday>) -> Intent {
        parse::read(words, clock, day_one)
    }

    /// Why nothing can be found, if all the time it speaks of is not there: one line, such as `"yesterday" is before the
    /// first day (asked at DAY1_20000000)`.
    pub fn nothing(&self) -> Option<String> {
        let Missed { phrase, is_later } = self.missed.first()?;
        // "Yesterday morning" is no morning; "yesterday or today" is today.
        if !self.days.is_empty() || self.span.is_some() {
            return None;
        }
        let where_ = if *is_later { "later than the question" } else { "before the first day" };
        Some(format!("{phrase:?} is {where_} (asked at {})", self.clock))
    }

    /// Whether the question says when.
    pub fn says_when(&self) -> bool {
        !self.days.is_empty() || self.hours.is_some() || self.span.is_some()
    }
}
