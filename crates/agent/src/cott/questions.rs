//! Questions in the form of EgoLifeQA: one JSON list, or a line for each. The time of asking and the wearer come from the
//! row; a row without them is refused, because no default would be right.

use std::collections::BTreeSet;
use std::path::Path;

use firsthand_base::{Moment, json};
use serde_json::Value;

use crate::{Error, Question, Result};

/// A question with its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The question.
    pub question: Question,
    /// The letter of the right option, counted from 0.
    pub gold: usize,
    /// When what decides happened; the last of several.
    pub target: Option<Moment>,
    /// The row's type.
    pub kind: String,
}

/// The questions of a file. `wearer` is whose rows without an `identity` are.
pub fn read_questions(path: &Path, wearer: Option<&str>) -> Result<Vec<Asked>> {
    let bad = |reason: String| Error::File {
        path: path.display().to_string(),
        reason,
        remedy: "give rows of EgoLifeQA: ID, question, choice_a to choice_d, answer, query_time, target_time",
    };
    let bytes = fs_err::read(path).map_err(|error| bad(error.kind().to_string()))?;
    let rows = json::rows(&bytes).map_err(bad)?;
    let mut seen = BTreeSet::new();
    let mut all = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let value: Value = json::read_object(row.bytes)
            .map_err(|fault| bad(format!("row {}: {}", index + 1, fault.from_line(row.line))))?;
        let asked = asked(&value, wearer).map_err(|reason| {
            let inside = json::nested(row.bytes).filter(|_| rows.len() == 1);
            let reason = json::explain(row.bytes, row.line, "", reason);
            let reason = [Some(reason), inside].into_iter().flatten().collect::<Vec<_>>().join("; ");
            bad(format!("row {}: {reason}", index + 1))
        })?;
        if !seen.insert((asked.question.wearer.clone(), asked.question.id.clone())) {
            return Err(bad(format!("row {}: ID {} is there twice", index + 1, asked.question.id)));
        }
        all.push(asked);
    }
    Ok(all)
}

fn asked(row: &Value, wearer: Option<&str>) -> std::result::Result<Asked, String> {
    let text = |name: &str| row[name].as_str().ok_or_else(|| format!("no {name}"));
    let id = id(&row["ID"]).ok_or("no ID")?;
    let options: Vec<String> = ["choice_a", "choice_b", "choice_c", "choice_d"]
        .iter()
        .map(|name| row[*name].as_str().unwrap_or_default().trim().to_owned())
        .take_while(|option| !option.is_empty())
        .collect();
    if options.len() < 2 {
        return Err("fewer than two choices".to_owned());
    }
    let answer = text("answer")?;
    let gold = firsthand_tasks::letter(answer).filter(|gold| *gold < options.len());
    let gold = gold.ok_or_else(|| format!("the answer {answer:?} is no letter of a choice"))?;
    let clock = moment(&row["query_time"], &row["query_time"]["time"]).ok_or("no query_time")?;
    let target = &row["target_time"];
    // Several targets are a list of times; the last decides.
    let last = match (&target["time"], &target["time_list"]) {
        (Value::Array(all), _) | (_, Value::Array(all)) => all.last().cloned().unwrap_or_default(),
        (time, _) => time.clone(),
    };
    let wearer =
        row["identity"].as_str().or(wearer).ok_or("no identity, and --wearer does not say whose it is")?;
    let question =
        Question { id, text: text("question")?.to_owned(), options, clock, wearer: wearer.to_owned() };
    Ok(Asked {
        question,
        gold,
        target: moment(target, &last),
        kind: row["type"].as_str().unwrap_or_default().to_owned(),
    })
}

/// An id as text, whatever it was written as, so that `"7"` and `7` are one question.
fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `{"date": "DAY1", "time": "11210217"}`, of a longer time its first eight characters.
fn moment(of: &Value, time: &Value) -> Option<Moment> {
    let time: String = time.as_str()?.chars().take(8).collect();
    format!("{}_{time}", of["date"].as_str()?).parse().ok()
}

/// Ids that must not become training rows: a JSON list of ids or rows, or a line for each id.
pub fn read_ids(path: &Path) -> Result<BTreeSet<String>> {
    let bad = |reason: String| Error::File {
        path: path.display().to_string(),
        reason,
        remedy: "give a list of ids, or rows with ID",
    };
    let text = json::text(fs_err::read(path)?).map_err(bad)?;
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('[') {
        return Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect());
    }
    let rows: Vec<Value> = json::read(text.as_bytes()).map_err(|fault| bad(fault.to_string()))?;
    Ok(rows.iter().filter_map(|row| id(row).or_else(|| id(&row["ID"]))).collect())
}
