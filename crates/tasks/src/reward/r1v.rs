//! The two plain baselines of SpatialThinker. `r1v`: half for the answer, half for the form. `r1v-scene`: the same for
//! replies with all four sections, and nothing at all without the form. Parts: `accuracy`, `format`.
//!
//! Compatible `r1v` looks for an answer on one line and takes the whole reply when there is none, then compares as a
//! grader of mathematics would. Strict mode reads over lines, takes a letter for the option it names, and refuses a
//! row without a gold answer.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::equation::same_answer;
use super::{Mode, Reward, Row, Scored, gold, gold_or_whole, settings};
use crate::Result;
use crate::format::{choice, tags, without_inner_tags};

/// Published constants of both rewards.
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
        Settings { accuracy: 0.5, format: 0.5 }
    }
}

/// `r1v` and `r1v-scene`.
pub(super) struct R1v {
    scene: bool,
    mode: Mode,
    settings: Settings,
}

impl R1v {
    pub(super) fn new(scene: bool, mode: Mode, given: &Map<String, Value>) -> Result<R1v> {
        let name = if scene { "r1v-scene" } else { "r1v" };
        Ok(R1v { scene, mode, settings: settings(name, given)? })
    }
}

impl Reward for R1v {
    fn score(&self, row: &Row) -> Result<Scored> {
        let sections: &[&str] =
            if self.scene { &["observe", "scene", "think", "answer"] } else { &["think", "answer"] };
        let (form, right) = match self.mode {
            Mode::Compatible => {
                let form = tags::in_order(&row.completion, sections, true);
                (form, if self.scene { same_text(row) } else { graded(row) })
            }
            Mode::Strict => {
                let truth = if self.scene {
                    gold("r1v-scene", &row.solution)?
                } else {
                    gold_or_whole("r1v", &row.solution)?
                };
                let reply = without_inner_tags(&row.completion);
                let said = tags::first(&reply, "answer").map(str::trim);
                (tags::exactly(&reply, sections), said.is_some_and(|said| same_option(said, truth)))
            }
        };
        let right = right && (form || !self.scene);
        Ok(Scored::weighted(&[
            ("accuracy", f64::from(u8::from(right)), self.settings.accuracy),
            ("format", f64::from(u8::from(form)), self.settings.format),
        ])
        .unread(tags::first(&without_inner_tags(&row.completion), "answer").is_none()))
    }
}

/// As `r1v` grades.
fn graded(row: &Row) -> bool {
    let one_line = |text| tags::on_one_line(text, "answer").first().map_or(text, |inside| *inside);
    same_answer(tags::strip(one_line(&row.completion)), tags::strip(one_line(&row.solution)))
}

/// As `r1v-scene` compares: equal but for case; no answer equals no answer.
fn same_text(row: &Row) -> bool {
    let inside = |text| tags::strip(tags::first(text, "answer").unwrap_or_default()).to_lowercase();
    inside(&row.completion) == inside(&row.solution)
}

/// The same option by its letter, where both name one, else the same answer.
fn same_option(said: &str, truth: &str) -> bool {
    match (choice(said, 26), choice(truth, 26)) {
        (Some(said), Some(truth)) => said == truth,
        (None, Some(_)) => false,
        _ => same_answer(said, truth),
    }
}
