//! Reverse consistency: a question and its reverse are asked about one video, and replies that agree are paid. ST-Think
//! describes the idea; no code for it was published, so the sum here is ours.
//!
//! Rows of one group are replies to both questions. Keys: `direction` (`"forward"` or `"reverse"`) and, if known,
//! `means`: an object from this question's letters to the letters of the other question that say the same. With it,
//! two replies agree when their letters say the same, right or wrong; without it, when both are right.
//! Parts: `accuracy`, as in `st-r1`, and `agreement`, what was paid: the share of the other direction's replies that
//! a reply agrees with, times the setting `agreement`.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Mode, Reward, Row, Scored, settings, st_r1};
use crate::format::{choice, tags, without_inner_tags};
use crate::{Error, Result};

const NAME: &str = "reverse-consistency";

/// Constants of the reward.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Weight of the accuracy.
    pub accuracy: f64,
    /// Paid to a reply that all replies of the other direction agree with.
    pub agreement: f64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { accuracy: 1.0, agreement: 0.5 }
    }
}

/// The reward of agreement.
pub(super) struct Reverse {
    mode: Mode,
    settings: Settings,
}

impl Reverse {
    pub(super) fn new(mode: Mode, given: &Map<String, Value>) -> Result<Reverse> {
        Ok(Reverse { mode, settings: settings(NAME, given)? })
    }
}

impl Reward for Reverse {
    fn score(&self, row: &Row) -> Result<Scored> {
        if direction(row).is_none() {
            return Err(Error::row(NAME, "no \"direction\"; give \"forward\" or \"reverse\""));
        }
        let right = st_r1::accuracy(NAME, self.mode, row)?;
        let mut scored =
            Scored::weighted(&[("accuracy", f64::from(u8::from(right)), self.settings.accuracy)])
                .unread(super::names_no_letter(&row.completion));
        scored.pay("agreement", 0.0);
        Ok(scored)
    }

    fn group(&self, rows: &[&Row], scored: &mut [Scored]) {
        let right: Vec<bool> = scored.iter().map(|scored| scored.part("accuracy") > 0.5).collect();
        for i in 0..rows.len().min(scored.len()) {
            let others: Vec<usize> = (0..right.len().min(rows.len()))
                .filter(|&j| direction(rows[j]) != direction(rows[i]))
                .collect();
            let agree = |&&j: &&usize| says_the_same(rows[i], rows[j]).unwrap_or(right[i] && right[j]);
            let count = others.iter().filter(agree).count();
            if count > 0 {
                scored[i].pay("agreement", self.settings.agreement * count as f64 / others.len() as f64);
            }
        }
    }
}

fn direction(row: &Row) -> Option<bool> {
    match row.more.get("direction")?.as_str()? {
        "forward" => Some(true),
        "reverse" => Some(false),
        _ => None,
    }
}

fn letter(row: &Row) -> Option<char> {
    let index = choice(tags::first(&without_inner_tags(&row.completion), "answer")?, 26)?;
    char::from_u32('A' as u32 + index as u32)
}

/// Whether two replies say the same by the `means` of either; `None` if neither row has any.
fn says_the_same(one: &Row, other: &Row) -> Option<bool> {
    let by = |from: &Row, to: &Row| {
        let means = from.more.get("means")?.as_object()?;
        let (said, heard) = (letter(from), letter(to));
        let meant = said.and_then(|letter| means.get(letter.encode_utf8(&mut [0; 4]) as &str)?.as_str());
        Some(meant.is_some_and(|meant| heard.is_some_and(|heard| meant.chars().eq([heard]))))
    };
    by(one, other).or_else(|| by(other, one))
}
