//! What a benchmark's description says about a row's keys: text with `{key}` in it. A key is a path through objects
//! and lists (`metadata.subject`, `images.0`); `{a // b}` takes the first that is there; filters follow bars,
//! `{video|name}`. `{{` and `}}` are braces. JSON null and the empty cell of a table count as absent.
//!
//! No arithmetic and no conditions: what this cannot say is said by the file's owner, or by a short reader.

pub(super) use firsthand_base::json::brief;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Keys and values of one row, with those that its file, its place and the description add.
pub(super) type Row = Map<String, Value>;

/// Why a row cannot be used, without where it stands.
pub(super) type Reason = String;

/// A text with keys in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    source: String,
    parts: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Key { paths: Vec<String>, filters: Vec<Filter> },
}

/// What happens to a value before it is put in.
#[derive(Clone, Debug, PartialEq)]
enum Filter {
    /// `name`: what follows the last slash.
    Name,
    /// `stem`: the same without its ending.
    Stem,
    /// `before:X`: what stands before the first X; all of it where there is none.
    Before(String),
    /// `after:X`: what follows the first X; all of it where there is none.
    After(String),
    /// `without:X`: every X left out.
    Without(String),
    /// `answer`: what stands between the answer tags, where there are any.
    Answer,
    /// `lower`: in small letters.
    Lower,
    /// `pair`: of numbers from 1, the number of the pair, from 1.
    Pair,
}

impl Expression {
    /// Reads an expression; the error says what is wrong with it.
    pub(super) fn parse(source: &str) -> Result<Expression, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                text.push_str(brace);
                rest = after;
                continue;
            }
            let end = after.find('}').filter(|_| brace == "{");
            let end = end.ok_or_else(|| format!("{source:?}: a lone {brace:?}; double it to mean itself"))?;
            if !text.is_empty() {
                parts.push(Piece::Text(std::mem::take(&mut text)));
            }
            parts.push(key(&after[..end]).map_err(|what| format!("{source:?}: {what}"))?);
            rest = &after[end + 1..];
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Piece::Text(text));
        }
        Ok(Expression { source: source.to_owned(), parts })
    }

    /// The text for a row; the error names the key that is missing or is no text.
    pub(super) fn text(&self, row: &Row) -> Result<String, Reason> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Piece::Text(text) => out.push_str(text),
                Piece::Key { paths, filters } => {
                    let value = scalar(find(row, paths)?, &paths[0])?;
                    out.push_str(&filters.iter().try_fold(value, |value, filter| filter.apply(value))?);
                }
            }
        }
        Ok(out)
    }

    /// The text, or `None` where a key is absent.
    pub(super) fn text_if_any(&self, row: &Row) -> Result<Option<String>, Reason> {
        let there = |part: &Piece| match part {
            Piece::Text(_) => true,
            Piece::Key { paths, .. } => find(row, paths).is_ok(),
        };
        self.parts.iter().all(there).then(|| self.text(row)).transpose()
    }

    /// The value itself where the expression is one key without filters, else the text.
    pub(super) fn value(&self, row: &Row) -> Result<Value, Reason> {
        match &self.parts[..] {
            [Piece::Key { paths, filters }] if filters.is_empty() => find(row, paths).cloned(),
            _ => self.text(row).map(Value::String),
        }
    }

    /// Names of the row's keys that are looked at, outermost only.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let paths = self.parts.iter().flat_map(|part| match part {
            Piece::Key { paths, .. } => paths.as_slice(),
            Piece::Text(_) => &[],
        });
        paths.map(|path| path.split('.').next().unwrap_or(path))
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Expression, D::Error> {
        Expression::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl std::fmt::Display for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.source)
    }
}

fn key(inside: &str) -> Result<Piece, String> {
    let mut pieces = inside.split('|');
    let paths = pieces.next().unwrap_or_default().split("//").map(|path| path.trim().to_owned());
    let paths: Vec<String> = paths.collect();
    if paths.iter().any(String::is_empty) {
        return Err("a key without a name".to_owned());
    }
    Ok(Piece::Key { paths, filters: pieces.map(Filter::parse).collect::<Result<_, _>>()? })
}

impl Filter {
    fn parse(text: &str) -> Result<Filter, String> {
        let (name, argument) = text.split_once(':').unwrap_or((text, ""));
        Ok(match (name.trim(), argument.is_empty()) {
            ("name", true) => Filter::Name,
            ("stem", true) => Filter::Stem,
            ("answer", true) => Filter::Answer,
            ("lower", true) => Filter::Lower,
            ("pair", true) => Filter::Pair,
            ("before", false) => Filter::Before(argument.to_owned()),
            ("after", false) => Filter::After(argument.to_owned()),
            ("without", false) => Filter::Without(argument.to_owned()),
            _ => {
                return Err(format!(
                    "unknown filter {text:?}; known: name, stem, before:X, after:X, without:X, answer, lower, pair"
                ));
            }
        })
    }

    fn apply(&self, value: String) -> Result<String, Reason> {
        let name = |value: &str| value.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        Ok(match self {
            Filter::Name => name(&value),
            Filter::Stem => {
                let name = name(&value);
                name.rsplit_once('.').map_or(name.clone(), |(stem, _)| stem.to_owned())
            }
            Filter::Before(mark) => value.split_once(mark).map_or(value.clone(), |(it, _)| it.to_owned()),
            Filter::After(mark) => value.split_once(mark).map_or(value.clone(), |(_, it)| it.to_owned()),
            Filter::Without(mark) => value.replace(mark, ""),
            Filter::Answer => crate::Answer::parse(&value).result,
            Filter::Lower => value.to_lowercase(),
            Filter::Pair => match value.trim().parse::<u64>() {
                Ok(number @ 1..) => number.div_ceil(2).to_string(),
                _ => return Err(format!("{value:?} is no number from 1 that could be one of a pair")),
            },
        })
    }
}

fn find<'a>(row: &'a Row, paths: &[String]) -> Result<&'a Value, Reason> {
    let found = paths.iter().find_map(|path| at(row, path));
    found.ok_or_else(|| format!("{}: nothing there", paths.join(" // ")))
}

/// The value at a path; a key that holds dots itself is found too.
pub(super) fn at<'a>(row: &'a Row, path: &str) -> Option<&'a Value> {
    let there = |value: &&Value| !value.is_null() && value.as_str() != Some("");
    if let Some(value) = row.get(path) {
        return Some(value).filter(there);
    }
    let mut steps = path.split('.');
    let mut value = row.get(steps.next()?)?;
    for step in steps {
        value = match value {
            Value::Object(map) => map.get(step)?,
            Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value).filter(there)
}

/// A value as text; lists and objects are none.
pub(super) fn scalar(value: &Value, name: &str) -> Result<String, Reason> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        other => Err(format!("{name}: expected a text or a number, found {}", brief(other))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn row() -> Row {
        let row = json!({"a": "x", "n": 5.0, "i": 7, "none": null, "empty": "", "deep": {"b": ["p", "q"]}, "m.n": 1,
            "path": "./v/film.tar.mp4", "said": "<think>no</think> <answer>B</answer>", "flag": true});
        match row {
            Value::Object(row) => row,
            _ => Row::new(),
        }
    }

    #[test]
    fn keys_become_text() {
        let check = |source: &str, expect: &str| {
            let text = Expression::parse(source).unwrap().text(&row());
            assert_eq!(text.as_deref(), Ok(expect), "{source}");
        };
        check("", "");
        check("plain", "plain");
        check("{a}-{n}-{i}-{flag}", "x-5.0-7-true");
        check("{{a}} {a}", "{a} x");
        check("{deep.b.1}{m.n}", "q1");
        check("{none // empty // a}", "x");
        check("{path|name} {path|stem}", "film.tar.mp4 film.tar");
        check("{path|name|before:.} {path|after:v/}", "film film.tar.mp4");
        check("{path|before:zzz}", "./v/film.tar.mp4");
        check("{said|answer}{said|answer|lower}", "Bb");
        check("{path|without:.}", "/v/filmtarmp4");
        check("{i|pair}", "4");
    }

    #[test]
    fn what_is_missing_is_named() {
        let check = |source: &str, part: &str| {
            let error = Expression::parse(source).and_then(|e| e.text(&row())).unwrap_err();
            assert!(error.contains(part), "{source}: {error}");
        };
        check("{b}", "b: nothing there");
        check("{none // empty}", "none // empty: nothing there");
        check("{deep}", "deep: expected a text or a number, found an object of 1 keys");
        check("{a", "a lone \"{\"");
        check("a}", "a lone \"}\"");
        check("{}", "a key without a name");
        check("{a|upper}", "unknown filter \"upper\"");
        check("{a|pair}", "no number from 1");
        assert_eq!(Expression::parse("{b}").unwrap().text_if_any(&row()), Ok(None));
    }

    proptest! {
        #[test]
        fn no_source_panics(source in "[{}|:/.a0 pair]{0,30}") {
            if let Ok(expression) = Expression::parse(&source) {
                let _ = expression.text(&row());
            }
        }
    }
}
