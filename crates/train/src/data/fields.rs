//! The keys of one row of JSON, under the names a recipe may give them. Every complaint names the key and what was
//! found; keys that no format knows are left alone, because published files carry many.

use std::collections::BTreeMap;

pub(super) use firsthand_base::json::brief;
use serde_json::{Map, Value};

/// Why a row cannot be used, without where it stands.
pub(super) type Reason = String;

/// A row's keys.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    row: &'a Map<String, Value>,
    columns: &'a BTreeMap<String, String>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(row: &'a Value, columns: &'a BTreeMap<String, String>) -> Result<Fields<'a>, Reason> {
        match row {
            Value::Object(row) => Ok(Fields { row, columns }),
            other => Err(format!("expected an object, found {}", brief(other))),
        }
    }

    /// The name of a key in the file.
    fn name(&self, key: &'a str) -> &'a str {
        self.columns.get(key).map_or(key, String::as_str)
    }

    /// The value of `key`; JSON null counts as absent.
    pub(super) fn get(&self, key: &'a str) -> Option<&'a Value> {
        self.row.get(self.name(key)).filter(|value| !value.is_null())
    }

    pub(super) fn wrong(&self, key: &'a str, expected: &str) -> Reason {
        let found = self.get(key).map_or_else(|| "nothing".to_owned(), brief);
        format!("{}: expected {expected}, found {found}", self.name(key))
    }

    pub(super) fn text(&self, key: &'a str) -> Result<&'a str, Reason> {
        self.get(key).and_then(Value::as_str).ok_or_else(|| self.wrong(key, "a string"))
    }

    /// A string that may be missing, but is nothing else when it is there.
    pub(super) fn text_if_any(&self, key: &'a str) -> Result<Option<&'a str>, Reason> {
        self.get(key).map(|_| self.text(key)).transpose()
    }

    /// A list of strings; missing counts as empty.
    pub(super) fn texts(&self, key: &'a str) -> Result<Vec<String>, Reason> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let texts = value.as_array().and_then(|items| {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        texts.ok_or_else(|| self.wrong(key, "a list of strings"))
    }

    /// Seconds; missing is `None`.
    pub(super) fn seconds(&self, key: &'a str) -> Result<Option<f64>, Reason> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let seconds = value.as_f64().filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
        seconds.map(Some).ok_or_else(|| self.wrong(key, "seconds"))
    }

    /// What the row is called, under the first of these keys that it has: a string or a number.
    pub(super) fn id(&self, keys: &[&'a str]) -> Option<String> {
        match keys.iter().find_map(|key| self.get(key))? {
            Value::String(id) => Some(id.clone()),
            Value::Number(id) => Some(id.to_string()),
            _ => None,
        }
    }
}
