//! How good a reply is, by the published name of the measure. One file per reward; a reward and a metric are the
//! same object. A row that a reward cannot judge is an error, never a silent zero: zero is a judgement.

mod arithmetic;
pub mod ego_r1;
pub mod egothinker;
mod equation;
mod latex;
pub mod math;
pub mod r1v;
pub mod reverse;
pub mod spatialthinker;
pub mod st_r1;
mod stray_latex;
mod stray_number;
#[cfg(test)]
mod tests;
pub mod video_r1;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::format::{choice, tags, without_inner_tags};
use crate::{Error, Result};

/// One reply to score: a JSON object.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Row {
    /// What the model wrote.
    pub completion: String,
    /// The gold answer as the system's data stores it, tags and all. Numbers and lists become their JSON text.
    #[serde(deserialize_with = "text")]
    pub solution: String,
    /// The question; `spatialthinker` reads the picture's size from it.
    pub problem: Option<String>,
    /// Which kind of answer is judged, in the spelling of the system's data.
    pub problem_type: Option<String>,
    /// What the rows of one prompt share; terms over a group need it.
    pub group: Option<Value>,
    /// Everything else; each reward says which keys it reads.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Row {
    /// Whether a key of the row is `true`.
    fn flag(&self, key: &str) -> bool {
        self.more.get(key).and_then(Value::as_bool).unwrap_or(false)
    }
}

/// Whose faults count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Equal to the published code on every case, quirks included.
    #[default]
    Compatible,
    /// Without its known faults.
    Strict,
}

impl Mode {
    /// The mode of a name on a command line.
    pub fn named(name: &str) -> Result<Mode> {
        match name {
            "compatible" => Ok(Mode::Compatible),
            "strict" => Ok(Mode::Strict),
            _ => Err(Error::unknown("reward mode", name, &["compatible", "strict"])),
        }
    }
}

/// What a reply earned.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Scored {
    /// The sum that training sees.
    pub reward: f64,
    /// Its terms by name: scores before their weights, bonuses as they were paid.
    pub parts: BTreeMap<&'static str, f64>,
    /// Whether no answer of the kind that is judged could be read in the reply. It earned what a wrong one earns.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
}

impl Scored {
    /// The weighted sum of `(name, score, weight)`.
    pub fn weighted(terms: &[(&'static str, f64, f64)]) -> Scored {
        Scored {
            reward: terms.iter().map(|(_, score, weight)| score * weight).sum(),
            parts: terms.iter().map(|(name, score, _)| (*name, *score)).collect(),
            unread: false,
        }
    }

    /// The same, with a word on whether the reply's answer could be read.
    pub fn unread(self, unread: bool) -> Scored {
        Scored { unread, ..self }
    }

    /// Adds a bonus to the reward and names it.
    pub fn pay(&mut self, name: &'static str, amount: f64) {
        self.reward += amount;
        *self.parts.entry(name).or_default() += amount;
    }

    /// A term of it; 0 if it has no such term.
    pub fn part(&self, name: &str) -> f64 {
        self.parts.get(name).copied().unwrap_or(0.0)
    }
}

/// A measure of replies.
pub trait Reward: Send + Sync {
    /// Judges one row by itself.
    fn score(&self, row: &Row) -> Result<Scored>;

    /// Adds the terms that look at all rows of one prompt. `scored` holds what `score` gave, in the order of `rows`.
    fn group(&self, _rows: &[&Row], _scored: &mut [Scored]) {}
}

/// Every reward by name, with what it measures.
pub const NAMES: &[(&str, &str)] = &[
    ("video-r1", "letters, numbers, words or closeness by problem_type; form; bonuses of the group"),
    ("st-r1", "the first letter of the answer; form, not counted unless asked for"),
    ("spatialthinker", "form, numbers of things, answer, and the places of things in a scene graph"),
    ("r1v", "the answer, compared as mathematics, and the form"),
    ("r1v-scene", "the answer, if observation, scene, thought and answer are all there"),
    ("math", "the content of the last \\boxed{} and the form"),
    ("egothinker-iou", "overlap of a box"),
    ("egothinker-tiou", "overlap of a span of time"),
    ("egothinker-format", "a thought, then an answer"),
    ("ego-r1", "the letter of the last answer, else keeping to the tool protocol"),
    ("reverse-consistency", "the letter, and agreement with the answers to the reverse question"),
];

/// The reward of a name. Settings replace published constants; each reward's `Settings` lists them.
pub fn named(name: &str, mode: Mode, settings: &Map<String, Value>) -> Result<Box<dyn Reward>> {
    use egothinker::{EgoThinker, Measure};
    Ok(match name {
        "video-r1" => Box::new(video_r1::VideoR1::new(mode, settings)?),
        "st-r1" => Box::new(st_r1::StR1::new(mode, settings)?),
        "spatialthinker" => Box::new(spatialthinker::SpatialThinker::new(mode, settings)?),
        "r1v" => Box::new(r1v::R1v::new(false, mode, settings)?),
        "r1v-scene" => Box::new(r1v::R1v::new(true, mode, settings)?),
        "math" => Box::new(math::Maths::new(mode, settings)?),
        "egothinker-iou" => Box::new(EgoThinker::new(Measure::Box, mode, settings)?),
        "egothinker-tiou" => Box::new(EgoThinker::new(Measure::Span, mode, settings)?),
        "egothinker-format" => Box::new(EgoThinker::new(Measure::Format, mode, settings)?),
        "ego-r1" => Box::new(ego_r1::EgoR1::new(mode, settings)?),
        "reverse-consistency" => Box::new(reverse::Reverse::new(mode, settings)?),
        _ => {
            let known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            return Err(Error::unknown("reward", name, &known));
        }
    })
}

/// Settings of a reward as its own type; an unknown key is refused with the known ones.
pub(crate) fn settings<T: DeserializeOwned>(reward: &'static str, given: &Map<String, Value>) -> Result<T> {
    let read = |given: Map<String, Value>| serde_json::from_value::<T>(Value::Object(given));
    read(given.clone()).map_err(|error| {
        let alone = |(key, value): (&String, &Value)| read(Map::from_iter([(key.clone(), value.clone())]));
        let culprit = given.iter().find(|pair| alone(*pair).is_err());
        let named = culprit.map_or_else(String::new, |(key, _)| format!("{key}: "));
        Error::Setting { reward, reason: format!("{named}{error}") }
    })
}

/// The gold answer inside its tags; a row without one is refused.
fn gold<'a>(reward: &'static str, solution: &'a str) -> Result<&'a str> {
    tags::first(solution, "answer")
        .map(str::trim)
        .filter(|answer| !answer.is_empty())
        .ok_or_else(|| Error::row(reward, "no gold answer; give \"solution\" as <answer>…</answer>"))
}

/// The gold answer inside its tags, or the whole of an untagged one.
fn gold_or_whole<'a>(reward: &'static str, solution: &'a str) -> Result<&'a str> {
    let whole = solution.trim();
    if whole.is_empty() || whole.contains("<answer>") { gold(reward, solution) } else { Ok(whole) }
}

/// Whether the answer of a reply names no option by its letter.
fn names_no_letter(reply: &str) -> bool {
    tags::first(&without_inner_tags(reply), "answer").is_none_or(|said| choice(said, 26).is_none())
}

/// A string as it is, any other value but null as JSON.
fn text<'de, D: Deserializer<'de>>(source: D) -> std::result::Result<String, D::Error> {
    let value = Value::deserialize(source)?;
    if let Some(word) = firsthand_base::json::odd_word(&value) {
        return Err(serde::de::Error::custom(format!("the gold answer in solution is {word}")));
    }
    match value {
        Value::String(text) => Ok(text),
        Value::Null => Err(serde::de::Error::custom("the gold answer is null")),
        value => Ok(value.to_string()),
    }
}
