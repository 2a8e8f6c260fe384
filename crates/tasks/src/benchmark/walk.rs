//! The way from a file's value to its rows: through lists, through objects whose keys say something, into members,
//! along lists that stand side by side. A row has its own keys, those bound on the way, and the plain values it passed.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::expression::{Reason, Row, brief};

/// One step of the way.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// `[]`: every element of a list.
    Each,
    /// `name`: every entry of an object; its key becomes the row's key `name`.
    Key(String),
    /// `.name`: the member of that name.
    Member(String),
    /// `zip a b`: the lists `a` and `b` of an object, element by element.
    Zip(Vec<String>),
    /// A pair of bound keys and a value, as a file's outermost object is cut; not written by anyone.
    #[doc(hidden)]
    Entry,
}

impl Step {
    fn parse(text: &str) -> Result<Step, String> {
        let word = |text: &str| !text.is_empty() && !text.contains(['[', ']', ' ']);
        match text.strip_prefix("zip ") {
            Some(names) => Ok(Step::Zip(names.split_whitespace().map(str::to_owned).collect())),
            None if text == "[]" => Ok(Step::Each),
            None => match text.strip_prefix('.') {
                Some(name) if word(name) => Ok(Step::Member(name.to_owned())),
                None if word(text) => Ok(Step::Key(text.to_owned())),
                _ => Err(format!("unknown step {text:?}; known: [], name, .name, zip name name")),
            },
        }
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Step, D::Error> {
        Step::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The rows of a value. Errors are rows too: the others go on.
pub(super) fn walk(value: Value, steps: &[Step]) -> Vec<Result<Row, Reason>> {
    let mut rows = Vec::new();
    go(value, steps, &Way::default(), &mut rows);
    rows
}

#[derive(Clone, Default)]
struct Way {
    /// Keys of objects that were walked through; they win.
    bound: Row,
    /// Plain values of objects that were entered; a row's own win.
    passed: Row,
}

fn go(value: Value, steps: &[Step], way: &Way, rows: &mut Vec<Result<Row, Reason>>) {
    let wrong = |what: &str, value: &Value| Err(format!("expected {what}, found {}", brief(value)));
    let (step, rest) = match steps {
        [step, rest @ ..] => (step, rest),
        [] => {
            rows.push(match value {
                Value::Object(row) => Ok(way.row(row)),
                other => wrong("an object", &other),
            });
            return;
        }
    };
    match (step, value) {
        (Step::Each, Value::Array(items)) => items.into_iter().for_each(|item| go(item, rest, way, rows)),
        (Step::Each, other) => rows.push(wrong("a list", &other)),
        (Step::Key(name), Value::Object(entries)) => {
            for (key, value) in entries {
                let mut way = way.clone();
                way.bound.insert(name.clone(), Value::String(key));
                go(value, rest, &way, rows);
            }
        }
        (Step::Member(name), Value::Object(mut members)) => match members.shift_remove(name) {
            Some(value) => go(value, rest, &way.past(members), rows),
            None => rows.push(Err(format!("{name}: nothing there"))),
        },
        (Step::Zip(names), Value::Object(mut members)) => {
            let lists = names.iter().map(|name| members.shift_remove(name)).collect();
            match columns(names, lists) {
                Ok(zipped) => {
                    let way = way.past(members);
                    zipped.into_iter().for_each(|row| go(Value::Object(row), rest, &way, rows));
                }
                Err(what) => rows.push(Err(what)),
            }
        }
        (Step::Entry, Value::Array(mut pair)) if pair.len() == 2 => {
            let (value, bound) = (pair.pop().unwrap_or_default(), pair.pop());
            let mut way = way.clone();
            if let Some(Value::Object(bound)) = bound {
                way.bound.extend(bound);
            }
            go(value, rest, &way, rows);
        }
        (_, other) => rows.push(wrong("an object", &other)),
    }
}

impl Way {
    fn past(&self, members: Row) -> Way {
        let mut way = self.clone();
        way.passed.extend(members.into_iter().filter(|(_, value)| !value.is_array() && !value.is_object()));
        way
    }

    fn row(&self, own: Row) -> Row {
        let mut row = self.passed.clone();
        row.extend(own);
        row.extend(self.bound.clone());
        row
    }
}

fn columns(names: &[String], lists: Vec<Option<Value>>) -> Result<Vec<Row>, Reason> {
    let mut rows: Vec<Row> = Vec::new();
    for (index, (name, list)) in names.iter().zip(lists).enumerate() {
        let Some(Value::Array(list)) = list else { return Err(format!("{name}: expected a list")) };
        if index == 0 {
            rows.resize(list.len(), Row::new());
        } else if rows.len() != list.len() {
            return Err(format!("{name}: {} values beside {} of {}", list.len(), rows.len(), names[0]));
        }
        rows.iter_mut().zip(list).for_each(|(row, value)| drop(row.insert(name.clone(), value)));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: Value, steps: &[&str], expect: &[Result<Value, &str>]) {
        let steps: Vec<Step> = steps.iter().map(|step| Step::parse(step).unwrap()).collect();
        let rows: Vec<_> = walk(value, &steps).into_iter().map(|row| row.map(Value::Object)).collect();
        let expect: Vec<_> = expect.iter().map(|row| row.clone().map_err(str::to_owned)).collect();
        assert_eq!(rows, expect);
    }

    #[test]
    fn rows_are_found_wherever_files_keep_them() {
        check(json!({"a": 1}), &[], &[Ok(json!({"a": 1}))]);
        check(json!([{"a": 1}, 2]), &["[]"], &[Ok(json!({"a": 1})), Err("expected an object, found 2")]);
        // TempCompass: videos, dimensions, questions.
        check(
            json!({"v": {"speed": [{"q": "?"}], "order": [{"q": "!"}]}}),
            &["video", "dim", "[]"],
            &[
                Ok(json!({"q": "?", "video": "v", "dim": "speed"})),
                Ok(json!({"q": "!", "video": "v", "dim": "order"})),
            ],
        );
        // Ego-ST: the video beside the question; the question's own keys win.
        check(
            json!({"7": {"video": "x.mp4", "q": "outer", "mcq": {"q": "inner"}}}),
            &["id", ".mcq"],
            &[Ok(json!({"video": "x.mp4", "q": "inner", "id": "7"}))],
        );
        // Charades-STA: times and sentences side by side.
        check(
            json!({"v": {"timestamps": [[0, 1], [2, 3]], "sentences": ["a", "b"], "duration": 9}}),
            &["video", "zip timestamps sentences"],
            &[
                Ok(json!({"duration": 9, "timestamps": [0, 1], "sentences": "a", "video": "v"})),
                Ok(json!({"duration": 9, "timestamps": [2, 3], "sentences": "b", "video": "v"})),
            ],
        );
    }

    #[test]
    fn what_is_not_there_is_a_row_that_cannot_be_used() {
        check(json!(1), &["[]"], &[Err("expected a list, found 1")]);
        check(json!([]), &["id"], &[Err("expected an object, found a list of 0")]);
        check(json!({}), &[".mcq"], &[Err("mcq: nothing there")]);
        check(json!({"a": [1], "b": []}), &["zip a b"], &[Err("b: 0 values beside 1 of a")]);
        check(json!({"a": 1}), &["zip a b"], &[Err("a: expected a list")]);
        assert!(Step::parse("a b").is_err() && Step::parse("").is_err() && Step::parse(".").is_err());
    }
}
