//! SpatialThinker's reward for mathematics, from the framework it grew out of: nine tenths for the content of the last
//! `\boxed{…}`, one tenth for a thought before it. Parts: `accuracy`, `format`.
//!
//! Compatible mode reads a missing box as the word "None", which a gold answer "None" equals. Strict mode wants a box,
//! leaves blanks around `/` alone, and refuses a row without a gold answer.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::equation::same_answer;
use super::{Mode, Reward, Row, Scored, settings};
use crate::format::tags;
use crate::{Error, Result};

const NAME: &str = "math";
const BOX: &str = "\\boxed{";

/// Published constants of the reward.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Weight of the accuracy.
    pub accuracy: f64,
    /// Weight of the form.
    pub format: f64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { accuracy: 0.9, format: 0.1 }
    }
}

/// The reward of boxed answers.
pub(super) struct Maths {
    mode: Mode,
    settings: Settings,
}

impl Maths {
    pub(super) fn new(mode: Mode, given: &Map<String, Value>) -> Result<Maths> {
        Ok(Maths { mode, settings: settings(NAME, given)? })
    }
}

impl Reward for Maths {
    fn score(&self, row: &Row) -> Result<Scored> {
        let (form, right) = match self.mode {
            Mode::Compatible => {
                let reply = tightened(&row.completion);
                (thinks_then_boxes(&reply), same_answer(boxed(&reply).unwrap_or("None"), &row.solution))
            }
            Mode::Strict => {
                let truth = boxed(&row.solution).unwrap_or(row.solution.trim());
                if truth.is_empty() {
                    return Err(Error::row(NAME, "the gold answer is empty"));
                }
                let right = boxed(&row.completion).is_some_and(|said| same_answer(said, truth));
                (thinks_then_boxes(row.completion.trim()), right)
            }
        };
        Ok(Scored::weighted(&[
            ("accuracy", f64::from(u8::from(right)), self.settings.accuracy),
            ("format", f64::from(u8::from(form)), self.settings.format),
        ])
        .unread(boxed(&row.completion).is_none()))
    }
}

/// A text without blanks around `<`, `>` and `/`.
fn tightened(text: &str) -> String {
    let mut tight = String::with_capacity(text.len());
    let mut blanks = String::new();
    for c in text.chars() {
        if tags::is_blank(c) {
            // Blanks after a mark are dropped at once, others wait for what follows.
            if !tight.ends_with(['<', '>', '/']) {
                blanks.push(c);
            }
            continue;
        }
        if !matches!(c, '<' | '>' | '/') {
            tight.push_str(&blanks);
        }
        blanks.clear();
        tight.push(c);
    }
    tight + &blanks
}

/// Whether a text opens with a thought and has a box that ends somewhere after it.
fn thinks_then_boxes(text: &str) -> bool {
    let thought = text.strip_prefix("<think>").and_then(|rest| rest.split_once("</think>"));
    let boxed = thought.and_then(|(_, rest)| rest.split_once(BOX));
    boxed.is_some_and(|(_, rest)| rest.contains('}'))
}

/// The content of the last box, if its braces close.
fn boxed(text: &str) -> Option<&str> {
    let content = &text[text.rfind(BOX)? + BOX.len()..];
    let mut depth = 0;
    for (at, c) in content.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(tags::strip(&content[..at])),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}
