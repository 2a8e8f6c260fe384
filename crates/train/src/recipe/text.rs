//! Between a recipe's text and its values: learning rates in two spellings, errors that name the nearest known key,
//! and settings as flat names.

use std::collections::BTreeMap;

use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Rates;

impl<'de> Deserialize<'de> for Rates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rates, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            #[serde(default)]
            vision: f64,
            #[serde(default)]
            merger: f64,
            #[serde(default)]
            language: f64,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Rates;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number, or a table of vision, merger and language")
            }

            fn visit_f64<E>(self, rate: f64) -> Result<Rates, E> {
                Ok(Rates { vision: rate, merger: rate, language: rate, named: false })
            }

            fn visit_i64<E: serde::de::Error>(self, rate: i64) -> Result<Rates, E> {
                self.visit_f64(rate as f64)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rates, A::Error> {
                let Table { vision, merger, language } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Rates { vision, merger, language, named: true })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// `a.b` for tables, `a[name]` for lists of named tables, `a[1]` for others. Nothing for what was left out.
pub(super) fn flatten(path: String, value: &Value, all: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Object(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(path, value, all);
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                let name =
                    value.get("name").and_then(Value::as_str).map_or_else(|| at.to_string(), str::to_owned);
                flatten(format!("{path}[{name}]"), value, all);
            }
        }
        plain => {
            all.insert(path, plain.to_string());
        }
    }
}

/// A TOML error as one line: where, what, and the nearest known key.
pub(super) fn explain(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
    let message = error.message().lines().collect::<Vec<_>>().join("; ");
    let at = line.map_or_else(String::new, |line| format!("line {line}: "));
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match (message.strip_prefix("unknown field"), quoted.split_first()) {
        (Some(_), Some((key, known))) => format!("{at}unknown key {key}{}", suggestion(key, known)),
        _ => match (message.strip_prefix("unknown variant"), quoted.split_first()) {
            (Some(_), Some((value, known))) => {
                format!("{at}unknown value {value:?}{}", suggestion(value, known))
            }
            _ => format!("{at}{message}"),
        },
    }
}

/// `; did you mean x?` where a known word is near, else all known words.
pub(super) fn suggestion(word: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|other| (distance(word, other), other)).min();
    match nearest {
        Some((edits, other)) if edits <= 2.max(word.len() / 3) => format!("; did you mean {other}?"),
        Some(_) => format!("; known: {}", known.join(", ")),
        None => "; none is known here".to_owned(),
    }
}

/// Letters to insert, remove or replace.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
