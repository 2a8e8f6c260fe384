//! The fields of a JSON object, taken one by one with their types; what is left at the end is unknown and refused.

use serde_json::{Map, Value};

use crate::refusal::{Answered, Refusal};

/// What is left of an object. JSON null counts as absent.
pub(crate) struct Fields {
    left: Map<String, Value>,
    at: String,
}

impl Fields {
    /// The fields of `value`, which stands at `at` (empty for a whole body).
    pub(crate) fn of(value: Value, at: &str) -> Answered<Fields> {
        match value {
            Value::Object(mut left) => {
                left.retain(|_, value| !value.is_null());
                Ok(Fields { left, at: at.to_owned() })
            }
            _ => Err(Refusal::field(if at.is_empty() { "body" } else { at }, "expected an object")),
        }
    }

    fn path(&self, key: &str) -> String {
        if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) }
    }

    pub(crate) fn wrong(&self, key: &str, what: &str) -> Refusal {
        let path = self.path(key);
        Refusal::field(path.clone(), format!("{path}: {what}"))
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        self.left.shift_remove(key)
    }

    /// Drops fields that change no answer.
    pub(crate) fn ignore(&mut self, keys: &[&str]) {
        keys.iter().for_each(|key| drop(self.left.shift_remove(*key)));
    }

    /// Drops fields while they say what is done anyway.
    pub(crate) fn only(&mut self, key: &str, harmless: impl Fn(&Value) -> bool, what: &str) -> Answered<()> {
        match self.take(key) {
            Some(value) if !harmless(&value) => Err(self.wrong(key, what)),
            _ => Ok(()),
        }
    }

    pub(crate) fn string(&mut self, key: &str) -> Answered<Option<String>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(key, "expected a string")),
        }
    }

    pub(crate) fn flag(&mut self, key: &str) -> Answered<Option<bool>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(key, "expected true or false")),
        }
    }

    /// A number in a range, both ends allowed.
    pub(crate) fn number(&mut self, key: &str, [least, most]: [f64; 2]) -> Answered<Option<f64>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let number = value.as_f64().filter(|number| (least..=most).contains(number));
        number.map(Some).ok_or_else(|| self.wrong(key, &format!("expected a number from {least} to {most}")))
    }

    /// A whole number in a range, both ends allowed.
    pub(crate) fn count(&mut self, key: &str, [least, most]: [u64; 2]) -> Answered<Option<u64>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let count = value.as_u64().filter(|count| (least..=most).contains(count));
        count
            .map(Some)
            .ok_or_else(|| self.wrong(key, &format!("expected a whole number from {least} to {most}")))
    }

    /// A string, or a list of at most `most`.
    pub(crate) fn strings(&mut self, key: &str, most: usize) -> Answered<Vec<String>> {
        let wrong =
            |fields: &Fields| fields.wrong(key, &format!("expected a string or at most {most} of them"));
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text]),
            Some(Value::Array(list)) if list.len() <= most => {
                let texts = list.into_iter().map(|item| item.as_str().map(str::to_owned));
                texts.collect::<Option<Vec<_>>>().ok_or_else(|| wrong(self))
            }
            Some(_) => Err(wrong(self)),
        }
    }

    /// Refuses what nobody took.
    pub(crate) fn end(self) -> Answered<()> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(key) => Err(Refusal::unknown(&self.path(key))),
        }
    }
}
