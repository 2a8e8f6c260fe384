//! JSON with segments or words: Whisper and its ports (faster-whisper, whisper.cpp, whisperX), the OpenAI API and
//! Transformers. Keys in any case. A segment that cannot be read is told by its number.

use serde_json::Value;

use super::words::{self, Word};
use super::{LONGEST_MS, Notes, Said, clock, one_line, shown};

/// Names of the list: segments, then words without any.
const LISTS: [&str; 4] = ["segments", "transcription", "chunks", "results"];
const WORD_LISTS: [&str; 2] = ["word_segments", "words"];

/// Reads what is said; an error if the file is no JSON or has no list.
pub(super) fn read(text: &str, notes: &mut Notes) -> Result<Vec<Said>, String> {
    let root: Value = firsthand_base::json::read(text.as_bytes())
        .map_err(|fault| format!("it is not JSON: {fault}; write it again with the tool that made it"))?;
    let named = |names: &[&str]| {
        names.iter().find_map(|name| key(&root, &[name])?.as_array()).filter(|list| !list.is_empty())
    };
    let list = named(&LISTS).or_else(|| root.as_array());
    if let Some(list) = list.filter(|list| !list.iter().all(is_word) || list.is_empty()) {
        let mut said = Vec::new();
        for (index, row) in list.iter().enumerate() {
            match segment(row) {
                Ok(line) => said.push(line),
                Err(reason) => notes.add(|| format!("segment {index}: {reason}; it is left out")),
            }
        }
        return Ok(said);
    }
    if let Some(list) = list.or_else(|| named(&WORD_LISTS)) {
        return Ok(words::lines(&word_list(list)));
    }
    let is_empty =
        LISTS.iter().chain(&WORD_LISTS).any(|name| key(&root, &[name]).is_some_and(Value::is_array));
    if is_empty {
        return Ok(Vec::new());
    }
    Err("it has no list of segments; a transcript in JSON has segments, transcription, chunks or words"
        .into())
}

/// The value of the first of these keys that there is, whatever the case of its letters; null counts as missing.
fn key<'a>(row: &'a Value, names: &[&str]) -> Option<&'a Value> {
    let row = row.as_object()?;
    let found =
        |name: &&str| row.iter().find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null());
    names.iter().find_map(found).map(|(_, value)| value)
}

/// Whether a row is a word of a list: it has `word` and no text.
fn is_word(row: &Value) -> bool {
    key(row, &["word"]).is_some() && key(row, &["text"]).is_none()
}

fn segment(row: &Value) -> Result<Said, String> {
    let words =
        key(row, &["words"]).and_then(Value::as_array).map(|list| word_list(list)).unwrap_or_default();
    let text = match key(row, &["text", "transcript", "word"]) {
        Some(Value::String(text)) => one_line(text),
        Some(other) => return Err(format!("its text is no text: {}", shown(&other.to_string()))),
        None if words.is_empty() => return Err("it has no text".into()),
        None => words::text(&words),
    };
    let (start, end) = match times(row)? {
        Some(times) => times,
        None => words::extent(&words).ok_or("it has no start and end in seconds, and no words with times")?,
    };
    let speaker = speaker(row);
    let speaker = if speaker.is_empty() { words::speaker(&words).to_owned() } else { speaker };
    let text = if text.is_empty() { text } else { speaker + &text };
    Ok(Said { start_ms: start, end_ms: end.max(start), text })
}

fn word_list(list: &[Value]) -> Vec<Word> {
    let word = |row: &Value| {
        let text = key(row, &["word", "text", "punctuated_word"])?.as_str()?.to_owned();
        Some(Word { times: times(row).ok().flatten(), text, speaker: speaker(row) })
    };
    list.iter().filter_map(word).collect()
}

/// Milliseconds: seconds by name or as a pair, clocks, or milliseconds as whisper.cpp writes them. A missing end is the
/// start; what lies before the recording is its start; `None` without a start.
fn times(row: &Value) -> Result<Option<(i64, i64)>, String> {
    let pair =
        |value: Option<&Value>, index: usize| value.and_then(|value| value.get(index)).and_then(moment);
    let side =
        |value: Option<&Value>, name: &str| value.and_then(|value| key(value, &[name])).and_then(moment);
    let (stamp, offsets, clocks) =
        (key(row, &["timestamp"]), key(row, &["offsets"]), key(row, &["timestamps"]));
    let named = |names: &[&str]| key(row, names).and_then(moment);
    let found = [
        (named(&["start", "start_time", "startTime"]), named(&["end", "end_time", "endTime"])),
        (pair(stamp, 0), pair(stamp, 1)),
        (side(offsets, "from").map(|ms| ms / 1000.0), side(offsets, "to").map(|ms| ms / 1000.0)),
        (side(clocks, "from"), side(clocks, "to")),
    ];
    let Some((start, end)) = found.into_iter().find_map(|(start, end)| Some((start?, end.unwrap_or(start?))))
    else {
        return Ok(None);
    };
    if start > LONGEST_MS || end > LONGEST_MS {
        return Err(format!("its times are out of range: {start} to {end} ms"));
    }
    let ms = |ms: f64| ms.round().max(0.0) as i64;
    Ok(Some((ms(start), ms(end).max(ms(start)))))
}

/// Milliseconds of a number of seconds or of a clock in words; `None` for what is no number.
fn moment(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => {
            number.as_f64().filter(|seconds| seconds.is_finite()).map(|seconds| seconds * 1000.0)
        }
        Value::String(text) => clock::read(text).map(|read| read.ms as f64),
        _ => None,
    }
}

/// `Anna: `, or `Speaker 1: ` of a number; nothing where nobody is named.
fn speaker(row: &Value) -> String {
    let name = key(row, &["speaker", "speaker_id", "speaker_label"]);
    let name = name.and_then(|name| key(name, &["name", "label", "id"])).or(name);
    let name = match name {
        Some(Value::String(name)) => one_line(name),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    if name.is_empty() {
        String::new()
    } else if name.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("Speaker {name}: ")
    } else {
        format!("{name}: ")
    }
}
