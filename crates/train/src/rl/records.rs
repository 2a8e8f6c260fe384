//! The tool `rag` over files of records about someone's days, one file for each level, in the layout that Ego-R1
//! publishes: a JSON list of `generated_text`, `date`, `start_time` and `end_time`. Words decide, the same way every time;
//! what ended after the question was asked is not there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use firsthand_agent::{Context, Description, Evidence, Observation, Tool, ToolError, Trouble};
use firsthand_base::Moment;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Stands for the wearer in the names of files.
pub const WEARER: &str = "{wearer}";
/// Most records of an answer.
const MOST: usize = 3;
const HOUR_MS: i64 = 3_600_000;

/// The tool.
pub struct Records {
    description: Description,
    /// Files by level.
    files: BTreeMap<String, PathBuf>,
    known: Mutex<HashMap<String, Result<Arc<Levels>, String>>>,
}

/// One person's records by level.
pub(super) type Levels = BTreeMap<String, Vec<Record>>;

/// What happened in a stretch of time.
pub(super) struct Record {
    start: Moment,
    end: Moment,
    text: String,
    words: HashSet<String>,
}

/// As files have it.
#[derive(Deserialize)]
struct Written {
    generated_text: Value,
    date: u32,
    start_time: Value,
    end_time: Value,
}

impl Records {
    /// Of files by level, whose names hold the wearer's.
    pub fn new(files: &BTreeMap<String, PathBuf>) -> Records {
        let levels: Vec<&str> = files.keys().map(String::as_str).collect();
        let schema = json!({"type": "object", "properties": {
            "level": {"type": "string", "enum": levels, "description": "how wide a stretch to look through"},
            "keywords": {"type": "array", "items": {"type": "string"}, "description": "words to look for"},
            "start_time": {"type": "string", "format": "moment", "description": "from when on, DAYd_HHMMSSFF"},
            "query_time": {"type": "string", "format": "moment-or-now", "description": "the time of the question"},
        }, "required": ["level", "keywords"]});
        let example = json!({"level": levels.first(), "keywords": ["screwdriver"]}).as_object().cloned();
        let about = "finds what was recorded about the days before the question".to_owned();
        let description = Description { name: "rag".into(), about, schema, example };
        Records { description, files: files.clone(), known: Mutex::default() }
    }

    /// Someone's records, read once.
    pub(super) fn of(&self, wearer: &str) -> Result<Arc<Levels>, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(wearer.to_owned()).or_insert_with(|| self.read(wearer).map(Arc::new)).clone()
    }

    fn read(&self, wearer: &str) -> Result<Levels, String> {
        if wearer.contains(['/', '\\']) || wearer.starts_with('.') {
            return Err(format!("the wearer {wearer:?} is no name of a folder"));
        }
        let mut levels = Levels::new();
        for (level, pattern) in &self.files {
            let path = PathBuf::from(pattern.to_string_lossy().replace(WEARER, wearer));
            let text = fs_err::read_to_string(&path)
                .map_err(|error| format!("rl.tools.records.{level}: {error}"))?;
            let written: Vec<Written> = serde_json::from_str(&text)
                .map_err(|error| format!("rl.tools.records.{level}: {}: {error}", path.display()))?;
            let read = |(i, written): (usize, Written)| {
                record(written).map_err(|reason| format!("{}: record {}: {reason}", path.display(), i + 1))
            };
            levels
                .insert(level.clone(), written.into_iter().enumerate().map(read).collect::<Result<_, _>>()?);
        }
        Ok(levels)
    }
}

fn record(written: Written) -> Result<Record, String> {
    let time = |value: &Value| match value {
        Value::Number(number) => {
            let clock =
                number.as_u64().and_then(|n| u32::try_from(n).ok()).ok_or("a time of eight digits")?;
            Moment::from_clock_number(written.date, clock).map_err(|error| error.to_string())
        }
        Value::String(clock) => {
            Moment::from_clock_digits(written.date, clock).map_err(|error| error.to_string())
        }
        _ => Err("times are numbers or texts of eight digits".into()),
    };
    let text = match &written.generated_text {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "),
        _ => return Err("generated_text is neither a text nor a list of texts".into()),
    };
    let (start, end) = (time(&written.start_time)?, time(&written.end_time)?);
    Ok(Record { start, end, words: words(&text).collect(), text })
}

/// Words in lower case, plurals without their s.
fn words(text: &str) -> impl Iterator<Item = String> {
    let plain = |word: &str| {
        let word = word.to_lowercase();
        match word.strip_suffix('s') {
            Some(one) if one.len() > 2 && !one.ends_with('s') => one.to_owned(),
            _ => word,
        }
    };
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(plain)
}

/// The records that hold the rarest of some words, best first; the later of equals.
fn best<'a>(records: &[&'a Record], wanted: &HashSet<String>) -> Vec<&'a Record> {
    let weight = |word: &String| {
        let holding = records.iter().filter(|record| record.words.contains(word)).count();
        (1.0 + records.len() as f64 / holding.max(1) as f64).ln()
    };
    let mut weights: Vec<(&String, f64)> = wanted.iter().map(|word| (word, weight(word))).collect();
    // One order of sums whatever the order of the set.
    weights.sort_by(|a, b| a.0.cmp(b.0));
    let score = |record: &Record| {
        weights.iter().filter(|(word, _)| record.words.contains(*word)).map(|(_, weight)| weight).sum::<f64>()
    };
    let mut scored: Vec<(f64, &Record)> =
        records.iter().map(|record| (score(record), *record)).filter(|(score, _)| *score > 0.0).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.start.cmp(&a.1.start)));
    scored.into_iter().take(MOST).map(|(_, record)| record).collect()
}

impl Tool for Records {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call(&self, arguments: &Map<String, Value>, context: &Context) -> Result<Observation, ToolError> {
        let levels = self.of(&context.wearer).map_err(ToolError::failed)?;
        let text = |key: &str| arguments.get(key).and_then(Value::as_str);
        let level = text("level").unwrap_or_default();
        let from = text("start_time").and_then(|time| time.parse::<Moment>().ok());
        let now = context.clock.min(text("query_time").and_then(|t| t.parse().ok()).unwrap_or(context.clock));
        let within = |record: &&Record| {
            let near = match (level, from) {
                ("day", Some(from)) => record.start.day() == from.day(),
                ("hour", Some(from)) => {
                    (0..=HOUR_MS).contains(&(record.start.ms() - from.midnight().ms() - from.ms_of_day()))
                }
                _ => true,
            };
            near && record.end <= now
        };
        let there: Vec<&Record> = levels.get(level).into_iter().flatten().filter(within).collect();
        let keywords = arguments.get("keywords").and_then(Value::as_array).into_iter().flatten();
        let wanted: HashSet<String> = keywords.filter_map(Value::as_str).flat_map(words).collect();
        let found = best(&there, &wanted);
        if found.is_empty() {
            let message = format!("none of {} records before the question has these words", there.len());
            return Err(ToolError::new(Trouble::NotFound, message, "use other words or another level"));
        }
        let shown = |record: &&Record| json!({"start_time": record.start.to_string(), "end_time": record.end.to_string(), "relevant_content": record.text});
        let evidence = |record: &&Record| Evidence {
            start: record.start,
            end: record.end,
            text: record.text.clone(),
            tool: self.description.name.clone(),
            seen: Vec::new(),
        };
        let value = Value::from_iter(found.iter().map(shown));
        Ok(Observation { value, evidence: found.iter().map(evidence).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> (tempfile::TempDir, Records) {
        let folder = tempfile::tempdir().unwrap();
        let day = |text: &str, date: u32, start: u32, end: u32| json!({"generated_text": text, "date": date, "start_time": start, "end_time": end});
        for (wearer, colour) in [("A1", "red"), ("A2", "blue")] {
            let rows = json!([
                day(&format!("I put the {colour} cup on the shelf"), 1, 9_00_00_00, 9_10_00_00),
                day(&format!("I wash {colour} plates"), 1, 10_00_00_00, 10_10_00_00),
                day("I take the cup away", 2, 9_00_00_00, 9_10_00_00),
            ]);
            fs_err::write(folder.path().join(format!("{wearer}_10min.json")), rows.to_string()).unwrap();
        }
        let pattern = folder.path().join("{wearer}_10min.json");
        (folder, Records::new(&BTreeMap::from([("hour".to_owned(), pattern)])))
    }

    fn found(records: &Records, wearer: &str, clock: &str, arguments: Value) -> Result<Vec<String>, String> {
        let context = Context::new(clock.parse().unwrap(), wearer);
        let seen = records.call(arguments.as_object().unwrap(), &context).map_err(|error| error.message)?;
        let text = |record: &Value| record["relevant_content"].as_str().unwrap().to_owned();
        Ok(seen.value.as_array().unwrap().iter().map(text).collect())
    }

    #[test]
    fn words_the_clock_and_the_wearer_decide() {
        let (_folder, records) = records();
        let cup = || json!({"level": "hour", "keywords": ["cups"]});
        assert_eq!(
            found(&records, "A1", "DAY1_12000000", cup()).unwrap(),
            ["I put the red cup on the shelf"]
        );
        assert_eq!(
            found(&records, "A2", "DAY1_12000000", cup()).unwrap(),
            ["I put the blue cup on the shelf"]
        );
        // Later than the question is not there; the model's own idea of now can only narrow it.
        assert_eq!(found(&records, "A1", "DAY3_12000000", cup()).unwrap().len(), 2);
        assert!(found(&records, "A1", "DAY1_09050000", cup()).unwrap_err().contains("none of 0 records"));
        let from = json!({"level": "hour", "keywords": ["cup", "plate"], "start_time": "DAY1_09300000"});
        assert_eq!(found(&records, "A1", "DAY3_12000000", from).unwrap(), ["I wash red plates"]);
        let rare = json!({"level": "hour", "keywords": ["cup", "red", "wash"]});
        assert_eq!(found(&records, "A1", "DAY3_12000000", rare).unwrap()[0], "I wash red plates");
    }

    #[test]
    fn files_that_are_not_there_are_named() {
        let (_folder, records) = records();
        assert!(records.of("A9").err().unwrap().contains("A9_10min.json"));
        assert!(records.of("../A1").is_err());
    }
}
