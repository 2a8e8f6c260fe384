//! Reading one published file. Every fault names the file, the row and what is wrong with it.

use std::collections::BTreeSet;
use std::path::Path;

use firsthand_base::{Moment, json};
use serde_json::Value;

use crate::{Error, Level, Record, RecordId, Result};

/// Most rows of a file: a year of clips.
const MOST_ROWS: usize = 2_000_000;
/// A record of a video file that is longer is one of ten minutes.
const LONGEST_CLIP_MS: i64 = 120_000;

/// What a file's name says of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    /// Whose records: `A1_JAKE` of `A1_JAKE_1day.json`, else the whole name without its ending.
    pub wearer: String,
    /// Their level, where the name ends in one; by their length otherwise.
    pub level: Option<Level>,
    /// Whether it is one record a line (`.jsonl`).
    pub lines: bool,
}

pub(super) const ENDINGS: [(&str, Level); 5] = [
    ("_30sec", Level::Clip),
    ("_10min", Level::TenMinutes),
    ("_1hour", Level::Hour),
    ("_1day", Level::Day),
    ("_1week", Level::Week),
];

impl FileName {
    /// Reads a file's name.
    pub fn of(path: &Path) -> FileName {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let lines = path.extension().is_some_and(|ending| ending == "jsonl");
        let named = ENDINGS.iter().find_map(|(ending, level)| Some((stem.strip_suffix(ending)?, *level)));
        match named.filter(|(wearer, _)| !wearer.is_empty()) {
            Some((wearer, level)) => FileName { wearer: wearer.into(), level: Some(level), lines },
            None => FileName { wearer: stem, level: None, lines },
        }
    }
}

/// What a file held.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its records. Those of `.jsonl` files have ids that hold among themselves, the others are [`RecordId::NEW`].
    pub records: Vec<Record>,
    /// Keys that were passed over.
    pub passed_over: BTreeSet<String>,
}

/// Reads the text of one file.
pub fn read(text: &str, name: &FileName, location: &str) -> Result<Found> {
    let text = text.trim_start_matches('\u{feff}');
    if name.lines {
        return read_lines(text, location);
    }
    let fault = |reason: String| Error::File { location: location.into(), reason };
    let rows: Vec<Value> = json::read(text.as_bytes())
        .map_err(|what| fault(format!("it is not a JSON list of records: {what}")))?;
    if rows.len() > MOST_ROWS {
        return Err(fault(format!("{} records, more than the {MOST_ROWS} of a year", rows.len())));
    }
    let mut found = Found { records: Vec::with_capacity(rows.len()), passed_over: BTreeSet::new() };
    for (i, row) in rows.iter().enumerate() {
        let record = read_row(row, name, &mut found.passed_over).map_err(|reason| {
            let reason = json::explain(text.as_bytes(), 1, &format!("[{i}]"), reason);
            Error::File { location: format!("{location}, record {}", i + 1), reason }
        })?;
        found.records.push(record);
    }
    if name.level.is_none() {
        let long = found.records.iter().any(|record| record.end.ms() - record.start.ms() > LONGEST_CLIP_MS);
        let level = if long { Level::TenMinutes } else { Level::Clip };
        found.records.iter_mut().for_each(|record| record.level = level);
    }
    Ok(found)
}

fn read_lines(text: &str, location: &str) -> Result<Found> {
    let mut records: Vec<Record> = Vec::new();
    let mut ids = BTreeSet::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let fault = |reason: String| Error::File { location: format!("{location}, line {}", i + 1), reason };
        let record: Record = json::read_object(line.as_bytes())
            .map_err(|what| fault(format!("it is not a record: {}", what.what)))?;
        if record.id.0 <= 0 || record.sources.iter().any(|source| source.0 <= 0) || !ids.insert(record.id) {
            return Err(fault(format!(
                "its id {} or a source is not a number of its own above 0",
                record.id
            )));
        }
        record.validate().map_err(|error| fault(error.to_string()))?;
        records.push(record);
    }
    // Numbered by place, so that records of several files can be told apart.
    let places: Vec<RecordId> = ids.into_iter().collect();
    let place = |id: RecordId| places.binary_search(&id).ok().map(|place| RecordId(place as i64 + 1));
    for record in &mut records {
        record.id = place(record.id).unwrap_or(RecordId::NEW);
        record.sources = record.sources.iter().filter_map(|source| place(*source)).collect();
    }
    Ok(Found { records, passed_over: BTreeSet::new() })
}

fn read_row(
    row: &Value,
    name: &FileName,
    passed_over: &mut BTreeSet<String>,
) -> std::result::Result<Record, String> {
    let fields = row.as_object().ok_or("it is not an object")?;
    let known = ["generated_text", "date", "start_time", "end_time"];
    passed_over.extend(fields.keys().filter(|key| !known.contains(&key.as_str())).cloned());
    let text = match fields.get("generated_text") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(lines)) => {
            let lines: Option<Vec<&str>> = lines.iter().map(Value::as_str).collect();
            lines.ok_or("generated_text holds something else than strings")?.join("\n")
        }
        _ => return Err("generated_text is neither a string nor a list of strings".into()),
    };
    let day = match fields.get("date") {
        Some(Value::Number(day)) => day.as_u64().and_then(|day| u32::try_from(day).ok()),
        _ => None,
    };
    let day = day
        .filter(|day| (1..=Moment::LAST_DAY).contains(day))
        .ok_or("date is not a day number, 1 or more")?;
    let time = |key: &str| match fields.get(key) {
        Some(value) => clock(day, value).map_err(|reason| format!("{key}: {reason}")),
        None => Err(format!("{key} is missing")),
    };
    let (start, mut end) = (time("start_time")?, time("end_time")?);
    let level = name.level.unwrap_or(Level::Clip);
    if end < start && (level >= Level::Day || start.ms() - end.ms() > Moment::DAY_MS / 2) {
        // Past midnight.
        end = end.plus_ms(Moment::DAY_MS);
    }
    let record = Record::new(level, name.wearer.clone(), start, end, text);
    record.validate().map_err(|error| error.to_string())?;
    Ok(record)
}

/// `11090000` counts frames at 20 a second, `"00003000"` at 30: the first are recordings, the second cut videos.
fn clock(day: u32, value: &Value) -> std::result::Result<Moment, String> {
    match value {
        Value::Number(number) => {
            let number = number.as_u64().and_then(|number| u32::try_from(number).ok());
            let number = number.ok_or("it is not a clock of eight digits")?;
            Moment::from_clock_number(day, number).map_err(|error| error.reason.into())
        }
        Value::String(text) => {
            let frame =
                text.get(6..8).and_then(|frame| frame.parse::<i64>().ok()).filter(|frame| *frame < 30);
            let whole = text.get(..6).filter(|_| text.len() == 8).map(|seconds| format!("{seconds}00"));
            let whole = whole.ok_or("it is not a clock of eight digits")?;
            let moment = Moment::from_clock_digits(day, &whole).map_err(|error| error.reason.to_owned())?;
            if !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err("it is not a clock of eight digits".into());
            }
            Ok(moment.plus_ms(frame.unwrap_or(0) * 1000 / 30))
        }
        _ => Err("it is neither a number nor a string of eight digits".into()),
    }
}
