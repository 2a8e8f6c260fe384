//! Ego-R1: 1 for the right letter; failing that, a little for keeping to the protocol of thoughts, tool calls and an
//! answer; nothing without an answer. `solution` is the bare letter. Parts: `accuracy`, `format`.
//!
//! Compatible mode sees only answers on one line and takes their first capital from A to D, so "Answer: B" says A;
//! its protocol check refuses the call form that its own model writes. Strict mode reads answers over several lines,
//! any option, and both forms of a call; marks of the chat template between turns are passed over.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Mode, Reward, Row, Scored, settings};
use crate::format::{ToolCall, choice, tags, well_formed, without_inner_tags};
use crate::{Answer, Error, Result};

const NAME: &str = "ego-r1";

/// Published constants of the reward.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What a right letter is worth.
    pub accuracy: f64,
    /// What the protocol alone is worth; the published validation uses 0.
    pub format: f64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { accuracy: 1.0, format: 0.1 }
    }
}

/// The reward of Ego-R1.
pub(super) struct EgoR1 {
    mode: Mode,
    settings: Settings,
}

impl EgoR1 {
    pub(super) fn new(mode: Mode, given: &Map<String, Value>) -> Result<EgoR1> {
        Ok(EgoR1 { mode, settings: settings(NAME, given)? })
    }
}

impl Reward for EgoR1 {
    fn score(&self, row: &Row) -> Result<Scored> {
        let (answered, right, unread, form) = match self.mode {
            Mode::Compatible => {
                let last = tags::on_one_line(&row.completion, "answer").pop();
                let said = last.and_then(|answer| answer.chars().find(|c| ('A'..='D').contains(c)));
                let truth = bare(&row.solution).to_lowercase();
                let right = said.is_some_and(|said| truth.chars().eq([said.to_ascii_lowercase()]));
                (last.is_some(), right, said.is_none(), published_form(&row.completion))
            }
            Mode::Strict => {
                let index = choice(bare(&row.solution), 26).ok_or_else(|| {
                    Error::row(NAME, format!("the gold answer \"{}\" is no option letter", row.solution))
                })?;
                let turns = without_inner_tags(&without_marks(&row.completion));
                let answer = Answer::parse(&turns);
                let complete = answer.tagged && tags::first(&turns, "answer").is_some();
                let said = choice(&answer.result, 26).filter(|_| complete);
                (
                    complete,
                    said == Some(index),
                    said.is_none(),
                    well_formed(&turns, |call| ToolCall::parse(call).is_ok()),
                )
            }
        };
        let form = answered && form;
        let reward = if right {
            self.settings.accuracy
        } else if form {
            self.settings.format
        } else {
            0.0
        };
        let number = |yes: bool| f64::from(u8::from(yes));
        Ok(Scored { reward, parts: [("accuracy", number(right)), ("format", number(form))].into(), unread })
    }
}

/// The letter of a gold answer, out of the list or the quotes that it may stand in.
fn bare(solution: &str) -> &str {
    tags::strip(tags::strip(solution).trim_matches(['[', ']', '"', '\'']))
}

/// Tags that cost the form wherever they stand but in their place; `<information>` is none of them.
const MARKS: [&str; 6] = ["<think>", "</think>", "<answer>", "</answer>", "<tool>", "</tool>"];

/// Whether the published check finds its protocol: thoughts, each followed by a call and perhaps its `<information>`, or
/// by the answer, after which no tag may come. A dialogue that ends with a call passes.
fn published_form(dialogue: &str) -> bool {
    let clean = |text: &str| !MARKS.iter().any(|mark| text.contains(mark));
    let section = |rest: &mut &str, tag: &str| -> Option<String> {
        let inside = rest.strip_prefix(&format!("<{tag}>"))?;
        let (inside, after) = inside.split_once(&format!("</{tag}>"))?;
        *rest = tags::strip(after);
        clean(inside).then(|| inside.to_owned())
    };
    let mut rest = tags::strip(dialogue);
    while !rest.is_empty() {
        if section(&mut rest, "think").is_none() {
            return false;
        }
        if rest.starts_with("<answer>") {
            return section(&mut rest, "answer").is_some() && clean(rest);
        }
        if !section(&mut rest, "tool").is_some_and(|call| ToolCall::is_published(&call)) {
            return false;
        }
        if rest.starts_with("<information>") && section(&mut rest, "information").is_none() {
            return false;
        }
    }
    true
}

/// A dialogue without the marks the chat template puts around turns.
fn without_marks(dialogue: &str) -> String {
    ["<|im_start|>assistant", "<|im_start|>user", "<|im_end|>"]
        .iter()
        .fold(dialogue.to_owned(), |text, mark| text.replace(mark, ""))
}
