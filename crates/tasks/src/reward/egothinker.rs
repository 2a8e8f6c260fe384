//! EgoThinker: the overlap of a box, the overlap of a span of time, and the form of the reply, three rewards of one
//! system that it adds up. Parts: `iou`, `tiou`, `format`, each of its own reward.
//!
//! `solution` is the box `[x1, y1, x2, y2]` or the span `(start,end)`; rows of the other kind, told by `problem_type`
//! `visor` (boxes) or `egoexo` (spans), earn 0, as there. Compatible mode takes boxes of whole numbers alone and
//! computes with inverted ones; strict mode takes the one box or span of the answer in any published spelling,
//! and gives nothing for one that is inverted or empty. Boxes are compared in the frame they are written in.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Mode, Reward, Row, Scored, settings};
use crate::format::{python_float, spans, tags, without_inner_tags};
use crate::python::{digit, int};
use crate::{BoundingBox, Error, Result, box_overlap, boxes, interval_overlap};

/// Published constants of the three rewards.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Weight of the only part.
    pub weight: f64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { weight: 1.0 }
    }
}

/// Which of the three.
#[derive(Clone, Copy)]
pub(super) enum Measure {
    /// Overlap of boxes.
    Box,
    /// Overlap of spans.
    Span,
    /// The form.
    Format,
}

impl Measure {
    fn name(self) -> &'static str {
        match self {
            Measure::Box => "egothinker-iou",
            Measure::Span => "egothinker-tiou",
            Measure::Format => "egothinker-format",
        }
    }
}

/// One reward of EgoThinker.
pub(super) struct EgoThinker {
    measure: Measure,
    mode: Mode,
    settings: Settings,
}

impl EgoThinker {
    pub(super) fn new(measure: Measure, mode: Mode, given: &Map<String, Value>) -> Result<EgoThinker> {
        Ok(EgoThinker { measure, mode, settings: settings(measure.name(), given)? })
    }

    fn value(&self, row: &Row) -> Result<f64> {
        let reply = match self.mode {
            Mode::Compatible => Cow::Borrowed(row.completion.as_str()),
            Mode::Strict => Cow::Owned(without_inner_tags(&row.completion)),
        };
        let answer = tags::first(&reply, "answer");
        let other = |kind: &str| row.problem_type.as_deref() == Some(kind);
        let gold = |what: &str| {
            Error::row(self.measure.name(), format!("the gold answer \"{}\" is no {what}", row.solution))
        };
        match self.measure {
            Measure::Format => Ok(f64::from(u8::from(match self.mode {
                Mode::Compatible => tags::in_order(tags::strip(&reply), &["think", "answer"], true),
                Mode::Strict => tags::exactly(&reply, &["think", "answer"]),
            }))),
            Measure::Box if other("egoexo") => Ok(0.0),
            Measure::Box => {
                let truth = one_box(&row.solution).ok_or_else(|| gold("box; give [x1, y1, x2, y2]"))?;
                Ok(match self.mode {
                    Mode::Compatible => {
                        answer.and_then(whole_numbers).map_or(0.0, |b| published_iou(b, truth.0))
                    }
                    Mode::Strict if !truth.is_drawable() => return Err(gold("box with an area")),
                    Mode::Strict => answer
                        .and_then(one_box)
                        .filter(|said| said.is_drawable())
                        .map_or(0.0, |said| box_overlap(said.0, truth.0)),
                })
            }
            Measure::Span if other("visor") => Ok(0.0),
            Measure::Span => {
                let truth =
                    one_span(&row.solution).ok_or_else(|| gold("span; give (start,end) in seconds"))?;
                Ok(match self.mode {
                    Mode::Compatible => {
                        answer.and_then(two_numbers).map_or(0.0, |s| published_tiou(s, truth))
                    }
                    Mode::Strict if truth[0] >= truth[1] => {
                        return Err(gold("span that ends after it starts"));
                    }
                    Mode::Strict => answer
                        .and_then(one_span)
                        .filter(|said| said[0] < said[1])
                        .map_or(0.0, |said| interval_overlap(said, truth)),
                })
            }
        }
    }
}

impl Reward for EgoThinker {
    fn score(&self, row: &Row) -> Result<Scored> {
        let part = match self.measure {
            Measure::Box => "iou",
            Measure::Span => "tiou",
            Measure::Format => "format",
        };
        let reply = without_inner_tags(&row.completion);
        let answer = tags::first(&reply, "answer");
        let unread = match (self.measure, row.problem_type.as_deref()) {
            (Measure::Box, kind) => kind != Some("egoexo") && answer.and_then(one_box).is_none(),
            (Measure::Span, kind) => kind != Some("visor") && answer.and_then(one_span).is_none(),
            (Measure::Format, _) => false,
        };
        Ok(Scored::weighted(&[(part, self.value(row)?, self.settings.weight)]).unread(unread))
    }
}

/// The only box of a text.
fn one_box(text: &str) -> Option<BoundingBox> {
    match &boxes(text)[..] {
        [one] => Some(one.bounds),
        _ => None,
    }
}

/// The only span of a text.
fn one_span(text: &str) -> Option<[f64; 2]> {
    match spans(text)[..] {
        [one] => Some(one),
        _ => None,
    }
}

/// What the published pattern for boxes takes: four whole numbers in brackets and nothing else.
fn whole_numbers(answer: &str) -> Option<[f64; 4]> {
    let inside = tags::strip(answer).strip_prefix('[')?.strip_suffix(']')?;
    let number = |text: &str| {
        let text = tags::strip(text);
        let digits = text.strip_prefix('-').unwrap_or(text);
        let whole = !digits.is_empty() && digits.chars().all(|c| digit(c).is_some());
        whole.then(|| int(text))?
    };
    let numbers: Vec<f64> = inside.split(',').map(number).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

/// What the published pattern for spans takes: two decimals in parentheses and nothing else.
fn two_numbers(answer: &str) -> Option<[f64; 2]> {
    let inside = tags::strip(answer).strip_prefix('(')?.strip_suffix(')')?;
    let number = |text: &str| {
        let text = tags::strip(text);
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or(("", digits));
        let fits = whole.chars().chain(fraction.chars()).all(|c| digit(c).is_some()) && !fraction.is_empty();
        fits.then(|| python_float(text))?
    };
    let (start, end) = inside.split_once(',')?;
    Some([number(start)?, number(end)?])
}

/// Areas are products of differences, whatever their signs.
fn published_iou(a: [f64; 4], b: [f64; 4]) -> f64 {
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let area = |c: [f64; 4]| (c[2] - c[0]) * (c[3] - c[1]);
    let union = area(a) + area(b) - width * height;
    if union > 0.0 { width * height / union } else { 0.0 }
}

/// Lengths are differences, whatever their signs.
fn published_tiou(a: [f64; 2], b: [f64; 2]) -> f64 {
    let shared = (a[1].min(b[1]) - a[0].max(b[0])).max(0.0);
    let union = (a[1] - a[0]) + (b[1] - b[0]) - shared;
    if union == 0.0 || shared == 0.0 { 0.0 } else { shared / union }
}
