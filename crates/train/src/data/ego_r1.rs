//! Questions about days of someone's recordings, as EgoLifeQA and Ego-R1 keep them: what is asked, when, about whom, and
//! the letter that is right. They show no medium; whoever answers looks with tools, or not at all.

use firsthand_base::{Message, Moment, Part, Role};
use firsthand_tasks::Kind;
use serde_json::Value;

use super::fields::{Fields, Reason};
use super::row::Row;
use super::source::Reader;

/// Keys that are read of a parquet file.
pub(super) const COLUMNS: [&str; 5] = ["ID", "id", "question", "golden_answer", "identity"];
const OPEN: &str = "<timestamp>";
const CLOSE: &str = "</timestamp>";

pub(super) fn read(reader: &Reader<'_>, fields: Fields<'_>, row: &mut Row) -> Result<(), Reason> {
    let text = fields.text("question")?;
    let (question, options, clock) = match fields.get("query_time") {
        Some(_) => (text.trim().to_owned(), columns(fields)?, asked_at(fields)?),
        None => inline(text).ok_or_else(|| {
            fields.wrong(
                "question",
                "words, <timestamp>DAYd_HHMMSSFF</timestamp> and options by letter, or query_time beside it",
            )
        })?,
    };
    let clock: Moment = clock.parse().map_err(|error| format!("{error}"))?;
    let answer = gold(fields)?;
    let right = answer.bytes().next().filter(|_| answer.len() == 1);
    if right.is_none_or(|letter| usize::from(letter.wrapping_sub(b'A')) >= options.len()) {
        return Err(format!("the answer is {answer:?}, which is none of {} options", options.len()));
    }
    let wearer = match fields.text_if_any("identity")? {
        Some(wearer) => wearer.to_owned(),
        None => of_file(row).ok_or_else(|| {
            fields.wrong("identity", "whose recordings, here or in the file's name as EgoLifeQA_A1_JAKE.json")
        })?,
    };
    reader.open(row, None);
    let mut words = format!("{question} {OPEN}{clock}{CLOSE}");
    for (letter, option) in ('A'..='Z').zip(&options) {
        words.push_str(&format!("\n{letter}. {option}"));
    }
    row.conversation.messages.push(Message::new(Role::User, vec![Part::Text(words)]));
    reader.say(row, format!("<answer>{answer}</answer>"));
    row.id = fields.id(&["ID", "id"]);
    row.facts.insert("problem".into(), question.into());
    row.facts.insert("problem_type".into(), "multiple choice".into());
    row.facts.insert("wearer".into(), wearer.into());
    row.facts.insert("clock".into(), clock.to_string().into());
    (row.kind, row.options, row.solution) = (Some(Kind::MultipleChoice), options, Some(answer));
    Ok(())
}

/// Options in a column each; the empty ones at the end are none.
fn columns(fields: Fields<'_>) -> Result<Vec<String>, Reason> {
    let mut options = Vec::new();
    for key in ["choice_a", "choice_b", "choice_c", "choice_d"] {
        options.push(fields.text_if_any(key)?.unwrap_or_default().trim().to_owned());
    }
    options.truncate(options.iter().rposition(|option| !option.is_empty()).map_or(0, |last| last + 1));
    match options.len() {
        0 | 1 => Err("choice_a and choice_b: expected options".into()),
        _ => Ok(options),
    }
}

/// `query_time`: an object of `date` and `time`, or one text.
fn asked_at(fields: Fields<'_>) -> Result<String, Reason> {
    match fields.get("query_time") {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Object(time)) => match (time.get("date"), time.get("time")) {
            (Some(Value::String(date)), Some(Value::String(time))) => Ok(format!("{date}_{time}")),
            _ => Err(fields.wrong("query_time", "date and time")),
        },
        _ => Err(fields.wrong("query_time", "date and time")),
    }
}

/// The question, its options and its time from one text, as the rows of Ego-R1's reinforcement learning have them.
fn inline(text: &str) -> Option<(String, Vec<String>, String)> {
    let (question, rest) = text.split_once(OPEN)?;
    let (clock, rest) = rest.split_once(CLOSE)?;
    let mut options = Vec::new();
    for (letter, line) in ('A'..='Z').zip(rest.lines().map(str::trim).filter(|line| !line.is_empty())) {
        let option = line.strip_prefix(letter)?.strip_prefix(['.', ')', ':'])?;
        options.push(option.trim().to_owned());
    }
    (options.len() > 1).then(|| (question.trim().to_owned(), options, clock.trim().to_owned()))
}

/// `answer`, the first of `golden_answer`, or where veRL keeps it.
fn gold(fields: Fields<'_>) -> Result<String, Reason> {
    let value = fields
        .get("answer")
        .or_else(|| fields.get("golden_answer"))
        .or_else(|| fields.get("reward_model").map(|model| &model["ground_truth"]["target"]));
    let first = match value {
        Some(Value::Array(all)) => all.first(),
        other => other,
    };
    let letter = first.and_then(Value::as_str).map(|text| text.trim().trim_end_matches('.').to_owned());
    letter.ok_or_else(|| fields.wrong("answer", "the letter that is right (or golden_answer)"))
}

/// `A1_JAKE` of `EgoLifeQA_A1_JAKE.json`.
fn of_file(row: &Row) -> Option<String> {
    let name = row.file.file_stem()?.to_str()?;
    Some(name.strip_prefix("EgoLifeQA_")?.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::data::{Dataset, Format, Row, RowId, SourceConfig};

    fn read(name: &str, row: Value) -> Result<Row, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs_err::write(&path, row.to_string()).unwrap();
        let dataset = Dataset::open(&[SourceConfig::new("days", Format::EgoR1, path)]);
        dataset.map_err(|e| e.to_string()).map(|data| data.row(RowId { source: 0, index: 0 }).unwrap())
    }

    fn of_columns() -> Value {
        json!({"ID": "7", "identity": "A1_JAKE", "query_time": {"date": "DAY1", "time": "11210217"},
            "question": "Who used the screwdriver first?", "choice_a": "Tasha", "choice_b": "Alice", "choice_c": "Shure",
            "choice_d": "", "answer": "B"})
    }

    fn of_verl() -> Value {
        json!({"question": "Who was it? <timestamp>DAY2_11210217</timestamp>\nA. Tasha\nB. Alice\n", "identity": "A2_ALICE",
            "data_source": "multi-choice", "golden_answer": ["B"], "extra_info": {"index": 3, "split": "train"}})
    }

    #[test]
    fn both_forms_say_who_when_and_what() {
        let row = read("rows.jsonl", of_columns()).unwrap();
        assert_eq!(row.options, ["Tasha", "Alice", "Shure"]);
        assert_eq!(
            (row.facts["wearer"].as_str(), row.facts["clock"].as_str()),
            (Some("A1_JAKE"), Some("DAY1_11210217"))
        );
        assert_eq!((row.solution.as_deref(), row.id.as_deref()), (Some("B"), Some("7")));
        let row = read("rows.jsonl", of_verl()).unwrap();
        assert_eq!(row.options, ["Tasha", "Alice"]);
        assert_eq!(
            (row.facts["wearer"].as_str(), row.facts["problem"].as_str()),
            (Some("A2_ALICE"), Some("Who was it?"))
        );
        // The published files of EgoLifeQA name the wearer in their own.
        let mut row = of_columns();
        row.as_object_mut().unwrap().remove("identity");
        assert_eq!(read("EgoLifeQA_A6_SHURE.json", json!([row])).unwrap().facts["wearer"], "A6_SHURE");
    }

    #[test]
    fn what_is_missing_is_named() {
        let check = |change: Value, expected: &str| {
            let mut row = of_columns();
            row.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let error = read("rows.jsonl", row).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check(json!({"answer": "D"}), "none of 3 options");
        check(json!({"answer": null}), "the letter that is right");
        check(json!({"identity": null}), "whose recordings");
        check(json!({"query_time": {"date": "DAY1", "time": "99"}}), "eight digits");
        check(json!({"query_time": null}), "query_time beside it");
        check(json!({"choice_b": "", "choice_c": ""}), "expected options");
    }
}
