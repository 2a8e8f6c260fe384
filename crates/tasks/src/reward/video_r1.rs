//! Video-R1: an accuracy for each of its five types of problem, the form of the reply, and two bonuses that look at
//! the whole group: one for using the order of frames, one for replies of a wanted length.
//!
//! Keys of a row: `problem_type`; `shuffled` (true for a reply to the video with its frames shuffled, which is only
//! compared with and earns no bonus); `tokens` (length of the reply up to and with its end mark, without which it
//! earns no length bonus). Parts: `accuracy`, `format`, `length`, `temporal`.
//!
//! Strict mode refuses a row without a gold answer, reads letters and numbers as people write them, scores words of
//! every script, does not ask a one-word answer for pairs of words, and gives 1 for the right answer 0.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Mode, Reward, Row, Scored, settings};
use crate::format::{Quantity, choice, python_float, tags, without_inner_tags};
use crate::metric::text::{Rouge, character_error_rate, word_count, word_error_rate};
use crate::{Error, Result};

const NAME: &str = "video-r1";
const TYPES: [&str; 5] = ["multiple choice", "numerical", "OCR", "free-form", "regression"];

/// Published constants of the reward.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Weight of the accuracy.
    pub accuracy: f64,
    /// Weight of the form.
    pub format: f64,
    /// Paid to a right reply of a group that is as good as its shuffled twin; 0 turns it off.
    pub temporal: f64,
    /// The mean accuracy must be at least this share of the shuffled one's.
    pub temporal_ratio: f64,
    /// Paid to a right reply of the wanted length if more than one is right; 0 turns it off.
    pub length: f64,
    /// Shortest wanted reply, in tokens.
    pub length_from: u64,
    /// Longest wanted reply, in tokens.
    pub length_to: u64,
    /// A reply is right when its accuracy is above this.
    pub right_above: f64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            accuracy: 1.0,
            format: 1.0,
            temporal: 0.3,
            temporal_ratio: 0.8,
            length: 0.2,
            length_from: 320,
            length_to: 512,
            right_above: 0.1,
        }
    }
}

/// The reward of Video-R1.
pub(super) struct VideoR1 {
    mode: Mode,
    settings: Settings,
}

impl VideoR1 {
    pub(super) fn new(mode: Mode, given: &Map<String, Value>) -> Result<VideoR1> {
        Ok(VideoR1 { mode, settings: settings(NAME, given)? })
    }
}

impl Reward for VideoR1 {
    fn score(&self, row: &Row) -> Result<Scored> {
        let kind = row.problem_type.as_deref().ok_or_else(|| {
            Error::row(NAME, format!("no \"problem_type\"; give one of: {}", TYPES.join(", ")))
        })?;
        let (accuracy, form, unread) = match self.mode {
            Mode::Compatible => {
                let inside = |text| tags::strip(tags::first(text, "answer").unwrap_or_default());
                let form = tags::in_order(&row.completion, &["think", "answer"], true);
                let said = inside(&row.completion);
                (published(kind, said, inside(&row.solution)), form, is_unread(kind, said))
            }
            Mode::Strict => {
                let truth = super::gold(NAME, &row.solution)?;
                let reply = without_inner_tags(&row.completion);
                let said = tags::first(&reply, "answer").map_or("", str::trim);
                (
                    strict(kind, said, truth)?,
                    tags::exactly(&reply, &["think", "answer"]),
                    is_unread(kind, said),
                )
            }
        };
        let mut scored = Scored::weighted(&[
            ("accuracy", accuracy, self.settings.accuracy),
            ("format", f64::from(u8::from(form)), self.settings.format),
        ])
        .unread(unread);
        scored.pay("length", 0.0);
        scored.pay("temporal", 0.0);
        Ok(scored)
    }

    fn group(&self, rows: &[&Row], scored: &mut [Scored]) {
        let (shuffled, ordered): (Vec<usize>, Vec<usize>) =
            (0..rows.len().min(scored.len())).partition(|&i| rows[i].flag("shuffled"));
        let mean = |of: &[usize], scored: &[Scored]| {
            of.iter().map(|&i| scored[i].part("accuracy")).sum::<f64>() / of.len().max(1) as f64
        };
        let s = &self.settings;
        let right: Vec<usize> =
            ordered.iter().copied().filter(|&i| scored[i].part("accuracy") > s.right_above).collect();
        let in_order_helps = mean(&ordered, scored) >= s.temporal_ratio * mean(&shuffled, scored);
        let wanted = |row: &Row| {
            let tokens = row.more.get("tokens").and_then(Value::as_u64);
            tokens.is_some_and(|tokens| (s.length_from..=s.length_to).contains(&tokens))
        };
        for &i in &right {
            if !shuffled.is_empty() && in_order_helps {
                scored[i].pay("temporal", s.temporal);
            }
            if right.len() > 1 && wanted(rows[i]) {
                scored[i].pay("length", s.length);
            }
        }
    }
}

/// Whether an answer is nothing of its type.
fn is_unread(kind: &str, said: &str) -> bool {
    match kind {
        "multiple choice" => choice(said, 26).is_none(),
        "numerical" | "regression" => Quantity::read(said).is_none(),
        _ => said.is_empty(),
    }
}

/// Accuracy as the published code has it; what it cannot read is worth 0.
fn published(kind: &str, said: &str, truth: &str) -> f64 {
    let number = |text: &str| python_float(&text.replace(',', ""));
    let is_decimal = |text: &str| text.contains(['.', ',']);
    match kind {
        "multiple choice" => f64::from(u8::from(said == truth)),
        "numerical" if is_decimal(said) != is_decimal(truth) => 0.0,
        "numerical" => match (number(said), number(truth)) {
            (Some(said), Some(truth)) => f64::from(u8::from(hundredths(said) == hundredths(truth))),
            _ => 0.0,
        },
        "OCR" => (1.0 - word_error_rate(truth, said)).clamp(0.0, 1.0),
        "free-form" => Rouge::published(truth, said).mean().clamp(0.0, 1.0),
        "regression" => match (number(said), number(truth)) {
            (Some(said), Some(truth)) => {
                let error = ((said - truth).abs() + 1e-9) / (truth.abs() + 1e-9);
                // Python's max(0.0, nan) is 0.0: what cannot be compared counts as no error.
                1.0 - if error.is_nan() { 0.0 } else { error.clamp(0.0, 1.0) }
            }
            _ => 0.0,
        },
        _ => 0.0,
    }
}

/// Python's `round(value, 2)`: ties of the binary value go to the even digit.
fn hundredths(value: f64) -> f64 {
    if value.is_finite() { format!("{value:.2}").parse().unwrap_or(value) } else { value }
}

/// Accuracy without the known faults.
fn strict(kind: &str, said: &str, truth: &str) -> Result<f64> {
    let unusable = |what: &str| Error::row(NAME, format!("the gold answer \"{truth}\" is no {what}"));
    let right = match kind {
        "multiple choice" => {
            let truth = choice(truth, 26).ok_or_else(|| unusable("option letter"))?;
            f64::from(u8::from(choice(said, 26) == Some(truth)))
        }
        "numerical" => {
            let truth = Quantity::read(truth).ok_or_else(|| unusable("number"))?;
            f64::from(u8::from(Quantity::read(said).is_some_and(|said| said.same(&truth, 2))))
        }
        "OCR" => (1.0 - character_error_rate(truth, said)).clamp(0.0, 1.0),
        "free-form" => match Rouge::unicode(truth, said) {
            rouge if word_count(truth) > 1 => rouge.mean(),
            rouge => (rouge.one + rouge.longest) / 2.0,
        },
        "regression" => {
            let truth = Quantity::read(truth).ok_or_else(|| unusable("number"))?.value;
            let error = Quantity::read(said).map(|said| (said.value - truth).abs());
            match error {
                Some(0.0) => 1.0,
                Some(error) => (1.0 - error / truth.abs()).max(0.0),
                None => 0.0,
            }
        }
        _ => return Err(Error::unknown("problem_type", kind, &TYPES)),
    };
    Ok(right)
}
