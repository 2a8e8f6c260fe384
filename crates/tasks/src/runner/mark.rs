//! How good an answer is: the result of a text, understood as the type of its question wants it, and scored by the
//! metrics that its benchmark names. What cannot be understood is wrong, and counted apart as unread; what a judge does
//! not score has no score.

use std::collections::BTreeMap;

use serde_json::Value;

use super::plan::Outside;
use super::tempcompass;
use crate::benchmark::{Benchmark, Gold, Item, Metric};
use crate::format::{Quantity, choice_among, literal, spans};
use crate::metric::mra;
use crate::metric::overlap::{box_overlap, interval_overlap};
use crate::metric::text::{Rouge, word_error_rate};
use crate::{Answer, BoundingBox, Coordinates, Kind, boxes};

/// A scored answer.
pub(super) struct Mark {
    /// The answer as it was understood, else its result as it stands.
    pub(super) parsed: String,
    /// The score; `None` where a judge gave none.
    pub(super) score: Option<f64>,
    /// Whether no answer of the type that was asked for could be read; it scores as a wrong one.
    pub(super) unread: bool,
    /// Further scores.
    pub(super) also: BTreeMap<Metric, f64>,
    /// Why a judge gave no score.
    pub(super) unjudged: Option<String>,
}

/// What the numbers of boxes count.
#[derive(Clone, Copy)]
pub(super) struct View {
    /// In answers.
    pub(super) said: Coordinates,
    /// In gold answers.
    pub(super) gold: Coordinates,
}

/// Whether a metric can score answers of a type.
pub(super) fn fits(metric: Metric, kind: Kind) -> bool {
    match metric {
        Metric::Accuracy => !matches!(kind, Kind::Interval | Kind::Box),
        Metric::TempCompass => matches!(kind, Kind::MultipleChoice | Kind::FreeForm),
        Metric::Mra | Metric::MraVideoR1 => matches!(kind, Kind::Numerical | Kind::Regression),
        Metric::Iou => kind == Kind::Box,
        Metric::TemporalIou => kind == Kind::Interval,
        Metric::ExactMatch | Metric::Wer | Metric::Rouge | Metric::Judge => true,
    }
}

/// Scores a text.
pub(super) fn mark(
    benchmark: &Benchmark,
    item: &Item,
    text: &str,
    view: Option<View>,
    outside: &dyn Outside,
) -> Mark {
    let result = Answer::parse(text).result;
    let heard = Heard::of(benchmark.metric(item.kind), item, &result, view);
    let mut unjudged = None;
    let mut score = |metric: Metric| match metric {
        Metric::Judge => match judged(benchmark, item, &result, outside) {
            Ok(score) => Some(score),
            Err(reason) => {
                unjudged = Some(reason);
                None
            }
        },
        _ => Some(heard.score(metric, item, &result)),
    };
    let main = score(benchmark.metric(item.kind));
    let further = benchmark.also.get(&item.kind).into_iter().flatten();
    let also = further.filter_map(|&metric| Some((metric, score(metric)?))).collect();
    let unread = matches!(heard, Heard::Nothing);
    Mark { parsed: heard.text().unwrap_or(result), score: main, unread, also, unjudged }
}

/// A result, understood as an answer of its type.
enum Heard {
    Choice(usize),
    Number(Quantity),
    Interval([f64; 2]),
    /// In the gold answer's frame.
    Box([f64; 4]),
    /// `yes` or `no`, where a rule reads them.
    YesNo(&'static str),
    /// Any words will do.
    Words,
    /// No answer of the type.
    Nothing,
}

impl Heard {
    fn of(metric: Metric, item: &Item, result: &str, view: Option<View>) -> Heard {
        let published = metric == Metric::TempCompass;
        let heard = match item.kind {
            Kind::MultipleChoice => {
                let ruled = published.then(|| tempcompass::option(result, &item.options)).flatten();
                ruled.or_else(|| choice_among(result, &item.options)).map(Heard::Choice)
            }
            Kind::FreeForm if published => tempcompass::yes_no(result).map(Heard::YesNo),
            Kind::Numerical | Kind::Regression => Quantity::read(result).map(Heard::Number),
            Kind::Interval => spans(result).first().copied().map(Heard::Interval),
            Kind::Box => boxes(result).first().zip(view).map(|(found, view)| {
                let BoundingBox(corners) = found.bounds.convert(view.said, view.gold);
                Heard::Box(corners)
            }),
            Kind::Ocr | Kind::FreeForm => Some(Heard::Words),
        };
        heard.unwrap_or(Heard::Nothing)
    }

    fn text(&self) -> Option<String> {
        Some(match self {
            Heard::Choice(index) => Gold::Choice(*index).text(),
            Heard::Number(quantity) => quantity.value.to_string(),
            Heard::Interval(span) => Gold::Interval(*span).text(),
            Heard::Box(corners) => Gold::Box(*corners).text(),
            Heard::YesNo(word) => (*word).to_owned(),
            Heard::Words | Heard::Nothing => return None,
        })
    }

    fn score(&self, metric: Metric, item: &Item, result: &str) -> f64 {
        let share = |right: bool| if right { 1.0 } else { 0.0 };
        let written = || match &item.gold {
            Gold::Text(text) => text.clone(),
            other => other.text(),
        };
        match (metric, self, &item.gold) {
            (Metric::Accuracy | Metric::TempCompass, Heard::Choice(said), Gold::Choice(right)) => {
                share(said == right)
            }
            (Metric::TempCompass, Heard::YesNo(said), Gold::Text(right)) => share(said == right),
            (Metric::Accuracy, Heard::Number(said), Gold::Number(right)) => {
                let right = Quantity { value: *right, percent: item.answer.ends_with('%'), unit: None };
                share(said.same(&right, decimals(&item.answer)))
            }
            (Metric::Accuracy, Heard::Words, Gold::Text(right))
            | (Metric::ExactMatch, _, Gold::Text(right)) => share(plain(result) == plain(right)),
            (Metric::ExactMatch, heard, gold) => {
                share(plain(&heard.text().unwrap_or_else(|| result.to_owned())) == plain(&gold.text()))
            }
            (Metric::Mra, Heard::Number(said), Gold::Number(right)) => mra::vsi_bench(said.value, *right),
            (Metric::MraVideoR1, Heard::Number(said), Gold::Number(right)) => {
                mra::video_r1(said.value, *right)
            }
            (Metric::TemporalIou, Heard::Interval(said), Gold::Interval(right)) => {
                interval_overlap(*said, *right)
            }
            (Metric::Iou, Heard::Box(said), Gold::Box(right)) => {
                Some(box_overlap(*said, *right)).filter(|overlap| overlap.is_finite()).unwrap_or(0.0)
            }
            (Metric::Wer, ..) => (1.0 - word_error_rate(&written(), result)).max(0.0),
            (Metric::Rouge, ..) => Rouge::published(&written(), result).mean(),
            _ => 0.0,
        }
    }
}

/// Decimals of a number as it is written.
fn decimals(number: &str) -> i32 {
    let digits = number.trim().split_once('.').map_or("", |(_, fraction)| fraction);
    digits.bytes().take_while(u8::is_ascii_digit).count().min(12) as i32
}

/// Words without case, outer marks and runs of blanks.
fn plain(text: &str) -> String {
    let bare = text.trim_matches(|c: char| c.is_whitespace() || c.is_ascii_punctuation());
    bare.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn judged(benchmark: &Benchmark, item: &Item, result: &str, outside: &dyn Outside) -> Result<f64, String> {
    let (judge, [before, after]) = match (&benchmark.judge, &item.judge) {
        (Some(judge), Some(told)) => (judge, told),
        _ => return Err("its description does not say how to ask a judge".to_owned()),
    };
    let user = format!("{before}{result}{after}");
    let reply = outside.judge(&judge.system, &user).ok_or("no judge was given")??;
    let said =
        dictionary(&reply).ok_or_else(|| format!("the judge gave no object but: {}", brief(&reply)))?;
    let mut sum = 0.0;
    for name in &judge.scores {
        let score = said.get(name).and_then(|score| match score {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_f64(),
        });
        let score = score.filter(|score: &f64| (0.0..=judge.most).contains(score));
        let least = || format!("the judge gave no {name:?} of 0 to {}: {}", judge.most, brief(&reply));
        sum += score.ok_or_else(least)?;
    }
    Ok(sum / judge.scores.len() as f64 / judge.most)
}

/// The object in a text, in Python's or JSON's spelling.
fn dictionary(text: &str) -> Option<Value> {
    let inside = text.get(text.find('{')?..=text.rfind('}')?)?;
    let value = serde_json::from_str(inside).ok().or_else(|| literal(inside))?;
    value.is_object().then_some(value)
}

fn brief(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(80).collect()
}
