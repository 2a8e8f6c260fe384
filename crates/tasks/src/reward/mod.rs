//! How good a reply is, by the published name of the measure. One file per reward; a reward and a metric are the
//! same object. A row that a reward cannot judge is an error, never a silent zero: zero is a judgement.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Result};

pub mod spatialthinker;

use spatialthinker::SpatialThinker;

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
}

impl Scored {
    /// The weighted sum of `(name, score, weight)`.
    pub fn weighted(terms: &[(&'static str, f64, f64)]) -> Scored {
        Scored {
            reward: terms.iter().map(|(_, score, weight)| score * weight).sum(),
            parts: terms.iter().map(|(name, score, _)| (*name, *score)).collect(),
        }
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
pub const NAMES: &[(&str, &str)] = &[(
    spatialthinker::NAME,
    "scene graph before the answer: form, numbers of things, answer, places of things",
)];

/// The reward of a name. Settings replace published constants; each reward's `Settings` lists them.
pub fn named(name: &str, mode: Mode, settings: &Map<String, Value>) -> Result<Box<dyn Reward>> {
    if name == spatialthinker::NAME {
        return Ok(Box::new(SpatialThinker::new(mode, self::settings(spatialthinker::NAME, settings)?)?));
    }
    let known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
    Err(Error::unknown("reward", name, &known))
}

/// Settings of a reward as its own type; an unknown key is refused with the known ones.
pub fn settings<T: DeserializeOwned>(reward: &'static str, given: &Map<String, Value>) -> Result<T> {
    serde_json::from_value(Value::Object(given.clone()))
        .map_err(|error| Error::Setting { reward, reason: error.to_string() })
}

/// A string as it is, any other value but null as JSON.
fn text<'de, D: Deserializer<'de>>(source: D) -> std::result::Result<String, D::Error> {
    match Value::deserialize(source)? {
        Value::String(text) => Ok(text),
        Value::Null => Err(serde::de::Error::custom("the gold answer is null")),
        value => Ok(value.to_string()),
    }
}
