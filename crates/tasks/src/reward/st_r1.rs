//! ST-R1: a letter, judged by its first character, and the form of the reply, which the published run leaves out of
//! the sum. Parts: `accuracy`, `format`.
//!
//! Its code first compares what a verifier of mathematics finds in the whole reply with what it finds in the whole gold
//! reasoning; the compatible mode does so too, for numbers, arithmetic and the LaTeX of `stray_latex`.
//! Strict mode compares the option letters inside the tags and nothing else, and refuses a row without one.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::stray_number::stray;
use super::{Mode, Reward, Row, Scored, settings};
use crate::format::{choice, tags, without_inner_tags};
use crate::{Error, Result};

const NAME: &str = "st-r1";

/// Published constants of the reward.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Weight of the accuracy.
    pub accuracy: f64,
    /// Weight of the form: 0, because the published run does not ask for it.
    pub format: f64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { accuracy: 1.0, format: 0.0 }
    }
}

/// The reward of ST-R1.
pub(super) struct StR1 {
    mode: Mode,
    settings: Settings,
}

impl StR1 {
    pub(super) fn new(mode: Mode, given: &Map<String, Value>) -> Result<StR1> {
        Ok(StR1 { mode, settings: settings(NAME, given)? })
    }
}

impl Reward for StR1 {
    fn score(&self, row: &Row) -> Result<Scored> {
        let form = match self.mode {
            Mode::Compatible => tags::in_order(&row.completion, &["think", "answer"], false),
            Mode::Strict => tags::exactly(&without_inner_tags(&row.completion), &["think", "answer"]),
        };
        let right = accuracy(NAME, self.mode, row)?;
        Ok(Scored::weighted(&[
            ("accuracy", f64::from(u8::from(right)), self.settings.accuracy),
            ("format", f64::from(u8::from(form)), self.settings.format),
        ])
        .unread(super::names_no_letter(&row.completion)))
    }
}

/// Whether a reply names the gold option. `reward` is who asks, for errors.
pub(super) fn accuracy(reward: &'static str, mode: Mode, row: &Row) -> Result<bool> {
    match mode {
        Mode::Compatible => {
            let said = tags::first(&row.completion, "answer").map(tags::strip);
            let truth = tags::strip(tags::first(&row.solution, "answer").unwrap_or(&row.solution));
            let same_number = stray(&row.completion).same(&stray(&row.solution));
            let same_letter = said.and_then(|said| said.chars().next()).is_some_and(|c| truth.starts_with(c));
            Ok(same_number || same_letter)
        }
        Mode::Strict => {
            let truth = super::gold_or_whole(reward, &row.solution)?;
            let truth = choice(truth, 26).ok_or_else(|| {
                Error::row(reward, format!("the gold answer \"{truth}\" is no option letter"))
            })?;
            let reply = without_inner_tags(&row.completion);
            Ok(tags::first(&reply, "answer").is_some_and(|said| choice(said, 26) == Some(truth)))
        }
    }
}
