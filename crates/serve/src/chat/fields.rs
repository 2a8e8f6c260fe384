//! The fields of a JSON object, taken one by one with their types; what is left at the end is unknown and refused.

use std::ops::{Bound, RangeBounds};

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

    /// Drops fields of other servers while they have the value that means what is done here.
    pub(crate) fn only_off(&mut self, table: &[(&str, &str)]) -> Answered<()> {
        for (key, off) in table {
            // The table is JSON.
            let off: Value = serde_json::from_str(off).unwrap_or_default();
            let harmless = |value: &Value| match (value.as_f64(), off.as_f64()) {
                (Some(value), Some(off)) => value == off,
                _ => *value == off,
            };
            self.only(
                key,
                harmless,
                &format!("not supported; leave it out, or send {off}, which is what is done"),
            )?;
        }
        Ok(())
    }

    /// A number in a range.
    pub(crate) fn number(&mut self, key: &str, range: impl RangeBounds<f64>) -> Answered<Option<f64>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let number = value.as_f64().filter(|number| range.contains(number));
        number.map(Some).ok_or_else(|| self.wrong(key, &format!("expected a number {}", told(&range))))
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

/// A range in words, its bounds in few digits.
fn told(range: &impl RangeBounds<f64>) -> String {
    let digits = |bound: f64| match bound.abs() {
        0.0 | 1e-4..1e9 => format!("{bound}"),
        _ => format!("{bound:e}"),
    };
    let least = match range.start_bound() {
        Bound::Included(&least) => Some(format!("from {}", digits(least))),
        Bound::Excluded(&least) => Some(format!("above {}", digits(least))),
        Bound::Unbounded => None,
    };
    let most = match range.end_bound() {
        Bound::Included(&most) => Some(format!("to {}", digits(most))),
        Bound::Excluded(&most) => Some(format!("below {}", digits(most))),
        Bound::Unbounded => None,
    };
    least.into_iter().chain(most).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_told_in_few_digits() {
        let check = |range: (Bound<f64>, Bound<f64>), expected: &str| assert_eq!(told(&range), expected);
        let (within, beyond) = (Bound::Included, Bound::Excluded);
        check((beyond(0.0), within(1.0)), "above 0 to 1");
        check((within(f64::MIN_POSITIVE), within(1e300)), "from 2.2250738585072014e-308 to 1e300");
        check((within(1e-3), beyond(1000.0)), "from 0.001 below 1000");
        check((Bound::Unbounded, within(-2.5)), "to -2.5");
    }

    #[test]
    fn what_is_off_is_taken_and_what_is_on_is_named() {
        let table = [("min_p", "0"), ("extra", "{}"), ("skip", "true")];
        let body = serde_json::json!({"min_p": 0.0, "extra": {}, "skip": true});
        let mut fields = Fields::of(body, "").unwrap();
        fields.only_off(&table).unwrap();
        fields.end().unwrap();
        for (key, value) in [
            ("min_p", serde_json::json!(0.1)),
            ("extra", serde_json::json!({"a": 1})),
            ("skip", serde_json::json!(false)),
        ] {
            let mut body = serde_json::json!({});
            body[key] = value;
            let refusal = Fields::of(body, "").unwrap().only_off(&table).unwrap_err();
            assert_eq!(refusal.param.as_deref(), Some(key));
        }
    }
}
