//! A file of captions that somebody has already: a JSON list with a record per clip, in the keys that published memory
//! files use. Foreign: keys that are not asked for are passed over, a record that cannot be placed is an error.

use firsthand_base::{Moment, json};
use serde_json::Value;

use super::Clip;
use crate::{Error, Result};

/// Reads the clips of a captions file, by wearer and time. `wearer` is whose eyes those without a name are; `location`
/// names the file in errors.
///
/// A record has a caption (`text`, `caption` or `generated_text`, a string or a list of them), a day (`date`: `DAY4` or a
/// number), a time (`time`: `17240000-17243000`, or `start_time` and `end_time`: eight digits or a number), and may have a
/// wearer (`view`, `identity` or `wearer`), a `transcript` and `people`.
pub fn read_captions(text: &str, location: &str, wearer: Option<&str>) -> Result<Vec<Clip>> {
    let fault = |reason: String| Error::File { location: location.to_owned(), reason };
    let root: Value = json::read(text.as_bytes()).map_err(|what| fault(format!("it is not JSON: {what}")))?;
    let Value::Array(rows) = root else { return Err(fault("it is not a JSON list of records".into())) };
    let read = |(index, row): (usize, &Value)| {
        clip(row, wearer).map_err(|reason| {
            let reason = json::explain(text.as_bytes(), 1, &format!("[{index}]"), reason);
            fault(format!("record {index}: {reason}"))
        })
    };
    let mut clips: Vec<Clip> = rows.iter().enumerate().map(read).collect::<Result<_>>()?;
    clips.sort_by(|a, b| (&a.wearer, a.start, a.end).cmp(&(&b.wearer, b.start, b.end)));
    Ok(clips)
}

fn clip(row: &Value, wearer: Option<&str>) -> std::result::Result<Clip, String> {
    let named = ["view", "identity", "wearer"].into_iter().find_map(|key| row[key].as_str());
    let wearer = wearer.or(named).filter(|name| !name.trim().is_empty());
    let wearer = wearer.ok_or("it has no view, identity or wearer; name one with --wearer")?;
    let texts = [&row["text"], &row["caption"], &row["generated_text"]];
    let text = texts.into_iter().find_map(words).ok_or("it has no text, caption or generated_text")?;
    let day = match &row["date"] {
        Value::String(date) => date.strip_prefix("DAY").unwrap_or(date).parse().ok(),
        date => date.as_u64().and_then(|day| u32::try_from(day).ok()),
    };
    let day = day.ok_or("its date is no day such as DAY4 or 4")?;
    let times = match row["time"].as_str().and_then(|time| time.split_once('-')) {
        Some((start, end)) => (clock(day, &Value::from(start))?, clock(day, &Value::from(end))?),
        None => (clock(day, &row["start_time"])?, clock(day, &row["end_time"])?),
    };
    let (start, end) = times;
    if end <= start {
        return Err(format!("it ends at {end}, not after its start at {start}"));
    }
    let people = row["people"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let clip = Clip::told(wearer, start, end, text).saying(words(&row["transcript"]));
    Ok(Clip { people: people.map(str::to_owned).collect(), ..clip })
}

/// A string, or a list of strings as lines.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(lines) => {
            let lines: Option<Vec<&str>> = lines.iter().map(Value::as_str).collect();
            Some(lines?.join("\n"))
        }
        _ => None,
    }
}

fn clock(day: u32, value: &Value) -> std::result::Result<Moment, String> {
    let moment = match value {
        // With or without the day before it, as the query time of questions has it.
        Value::String(text) if text.starts_with("DAY") => text.parse(),
        Value::String(digits) => Moment::from_clock_digits(day, digits),
        number => match number.as_u64().and_then(|number| u32::try_from(number).ok()) {
            Some(number) => Moment::from_clock_number(day, number),
            None => return Err("its time is no time: 17240000-17243000, or start_time and end_time".into()),
        },
    };
    moment.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, wearer: Option<&str>, expect: std::result::Result<&[&str], &str>) {
        let show = |clip: &Clip| {
            format!(
                "{} {}-{} {:?} {:?} {:?}",
                clip.wearer,
                clip.start,
                clip.end,
                clip.text,
                clip.words(),
                clip.people
            )
        };
        match (read_captions(text, "c.json", wearer), expect) {
            (Ok(clips), Ok(expect)) => assert_eq!(clips.iter().map(show).collect::<Vec<_>>(), expect),
            (Err(error), Err(expect)) => assert!(error.to_string().contains(expect), "{error}"),
            (got, expect) => panic!("{text}: {got:?}, not {expect:?}"),
        }
    }

    #[test]
    fn the_published_shapes_are_read() {
        check(
            r##"[{"view": "A1", "date": "DAY4", "time": "17240000-17243000", "text": "I cook.", "more": 1},
                {"identity": "A1", "date": 1, "start_time": 11090000, "end_time": "11093000", "generated_text": ["49:#C C cuts", "x"],
                 "transcript": "Jake: hi", "people": ["Jake"]}]"##,
            None,
            Ok(&[
                "A1 DAY1_11090000-DAY1_11093000 Some(\"49:#C C cuts\\nx\") Some(\"Jake: hi\") [\"Jake\"]",
                "A1 DAY4_17240000-DAY4_17243000 Some(\"I cook.\") None []",
            ]),
        );
        check(
            r#"[{"date": 2, "time": "23593000-24000000", "caption": "a"}]"#,
            Some("me"),
            Ok(&["me DAY2_23593000-DAY3_00000000 Some(\"a\") None []"]),
        );
        check(
            "\u{feff}[{\"date\": 2, \"time\": \"10000000-10003000\", \"caption\": \"NaN\", \"score\": [NaN], \"transcript\": NaN}]",
            Some("me"),
            Ok(&["me DAY2_10000000-DAY2_10003000 Some(\"NaN\") None []"]),
        );
        check("[]", None, Ok(&[]));
    }

    #[test]
    fn what_cannot_be_placed_is_named() {
        for (text, expect) in [
            ("{}", "c.json: it is not a JSON list"),
            ("[", "it is not JSON"),
            (r#"[{"date": 2, "time": "23593000-24000000", "caption": "a"}]"#, "record 0: it has no view"),
            (r#"[{"view": "A1", "date": 2, "time": "23593000-24000000"}]"#, "record 0: it has no text"),
            (
                "[{\"view\": \"A1\", \"date\": 1, \"time\": \"10000000-10003000\", \"text\": \"a\"},\n{\"view\": \"A1\", \"date\": NaN}]",
                "record 1: it has no text, caption",
            ),
            (
                "[{\"text\": \"x\", \"date\": NaN,\n\"view\": \"A1\"}]",
                "record 0: its date is no day such as DAY4 or 4: `[0].date` is NaN at line 1 column 24",
            ),
            (r#"[{"view": "A1", "time": "23593000-24000000", "text": "a"}]"#, "record 0: its date"),
            (r#"[{"view": "A1", "date": 2, "time": "2359300-24000000", "text": "a"}]"#, "eight digits"),
            (r#"[{"view": "A1", "date": 2, "text": "a"}]"#, "its time is no time"),
            (r#"[{"view": "A1", "date": 0, "time": "00000000-00000100", "text": "a"}]"#, "days count from 1"),
            (
                r#"[{"view": "A1", "date": 2, "time": "11000000-11000000", "text": "a"}]"#,
                "not after its start",
            ),
        ] {
            check(text, None, Err(expect));
        }
    }
}
