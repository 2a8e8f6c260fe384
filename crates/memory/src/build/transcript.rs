//! Transcripts beside a recording: SubRip (.srt), WebVTT (.vtt) and JSON with segments, as Whisper and its ports write it.
//! Foreign bytes: what is no cue is passed over, a cue whose times cannot be read is an error with its line.

use firsthand_base::json;
use serde_json::Value;

/// Something said, in milliseconds from the start of the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// When it begins.
    pub start_ms: i64,
    /// When it is over.
    pub end_ms: i64,
    /// `Anna: Good morning.`, the name where it is known.
    pub text: String,
}

/// A format of transcripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TranscriptFormat {
    /// SubRip and WebVTT, which differ in nothing that matters here.
    Cues,
    /// JSON with segments.
    Segments,
}

impl TranscriptFormat {
    /// Endings of files that may lie beside a recording, in the order in which they are looked for.
    pub const ENDINGS: [(&'static str, TranscriptFormat); 3] = [
        ("srt", TranscriptFormat::Cues),
        ("vtt", TranscriptFormat::Cues),
        ("json", TranscriptFormat::Segments),
    ];
}

/// Longest time that is read: a year.
const LONGEST_MS: f64 = 366.0 * 86_400_000.0;

/// Reads a transcript. Lines come by start. The error is a reason in one line.
pub fn read_transcript(text: &str, format: TranscriptFormat) -> Result<Vec<Said>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut said = match format {
        TranscriptFormat::Cues => cues(text)?,
        TranscriptFormat::Segments => segments(text)?,
    };
    said.retain(|said| !said.text.is_empty());
    said.sort_by_key(|said| (said.start_ms, said.end_ms));
    Ok(said)
}

/// What is said by the end of a clip and was not over before it; the last clip of a recording takes what remains.
pub fn said_in(said: &[Said], start_ms: i64, end_ms: i64, is_last: bool) -> Option<String> {
    let is_first = start_ms == 0;
    let lines = said.iter().filter(|said| {
        (said.end_ms > start_ms || (is_first && said.end_ms <= 0)) && (said.end_ms <= end_ms || is_last)
    });
    let text = lines.map(|said| said.text.as_str()).collect::<Vec<_>>().join("\n");
    (!text.is_empty()).then_some(text)
}

fn cues(text: &str) -> Result<Vec<Said>, String> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some((from, to)) = line.split_once("-->") else { continue };
        // WebVTT puts settings after the end.
        let to = to.split_whitespace().next().unwrap_or_default();
        let (Some(start_ms), Some(end_ms)) = (stamp(from.trim()), stamp(to)) else {
            let shown: String = line.chars().take(60).collect();
            return Err(format!(
                "line {}: {shown:?} has no times such as 00:01:02,500 --> 00:01:04,000",
                number + 1
            ));
        };
        let words: Vec<String> = lines
            .by_ref()
            .map(|(_, line)| line.trim())
            .take_while(|line| !line.is_empty())
            .map(plain)
            .collect();
        found.push(Said { start_ms, end_ms: end_ms.max(start_ms), text: one_line(&words.join(" ")) });
    }
    if found.is_empty()
        && text.contains(|letter: char| letter.is_alphanumeric())
        && !text.starts_with("WEBVTT")
    {
        return Err("it has no cue; a line such as 00:01:02,500 --> 00:01:04,000 begins one".into());
    }
    Ok(found)
}

/// `01:02:03,450`, `02:03.45` or `3`, in milliseconds.
fn stamp(text: &str) -> Option<i64> {
    let (clock, fraction) = match text.split_once([',', '.']) {
        Some((clock, fraction)) => (clock, fraction),
        None => (text, ""),
    };
    let digits =
        |part: &str| part.len() <= 4 && !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = clock.split(':').collect();
    if parts.is_empty() || parts.len() > 3 || !parts.iter().all(|part| digits(part)) {
        return None;
    }
    let seconds = parts.iter().try_fold(0i64, |sum, part| Some(sum * 60 + part.parse::<i64>().ok()?))?;
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ms = format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok()?;
    Some(seconds * 1000 + ms)
}

/// A line of a cue without marks: `<v Anna>Hello</v>` is `Anna: Hello`, `<i>` and `{\an8}` go.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(['<', '{']) {
        text.push_str(&rest[..at]);
        let close = if rest[at..].starts_with('<') { '>' } else { '}' };
        let Some(length) = rest[at..].find(close) else {
            text.push_str(&rest[at..]);
            return text;
        };
        let mark = &rest[at + 1..at + length];
        if close == '>' {
            // Classes may follow the letter: `<v.loud Anna>`.
            let voice = mark.split_once(' ').filter(|(tag, _)| *tag == "v" || tag.starts_with("v."));
            if let Some((_, name)) = voice {
                text.push_str(name.trim());
                text.push_str(": ");
            }
        } else if !mark.starts_with('\\') {
            // Braces that are no SubRip styling are words.
            text.push_str(&rest[at..=at + length]);
        }
        rest = &rest[at + length + 1..];
    }
    text.push_str(rest);
    text
}

fn segments(text: &str) -> Result<Vec<Said>, String> {
    let root: Value = json::read(text.as_bytes()).map_err(|what| format!("it is not JSON: {what}"))?;
    let list = [&root["segments"], &root["transcription"], &root["chunks"], &root]
        .into_iter()
        .find_map(Value::as_array);
    let list = list.ok_or("it has no list of segments")?;
    list.iter()
        .enumerate()
        .map(|(index, row)| segment(row).map_err(|why| format!("segment {index}: {why}")))
        .collect()
}

fn segment(row: &Value) -> Result<Said, String> {
    let text = row["text"].as_str().ok_or("it has no text")?;
    // Seconds by name or as a pair, or milliseconds as whisper.cpp writes them.
    let pair = [(&row["start"], &row["end"]), (&row["timestamp"][0], &row["timestamp"][1])];
    let times = pair
        .into_iter()
        .find_map(|(start, end)| Some((start.as_f64()? * 1000.0, end.as_f64().map(|end| end * 1000.0))))
        .or_else(|| Some((row["offsets"]["from"].as_f64()?, row["offsets"]["to"].as_f64())));
    let (start, end) = times.ok_or("it has no start and end in seconds")?;
    let end = end.unwrap_or(start).max(start);
    if !(0.0..=LONGEST_MS).contains(&start) || end > LONGEST_MS {
        return Err(format!("its times are out of range: {start} to {end} ms"));
    }
    let speaker = row["speaker"].as_str().map(|name| format!("{}: ", name.trim())).unwrap_or_default();
    let words = one_line(text);
    let text = if words.is_empty() { String::new() } else { speaker + &words };
    Ok(Said { start_ms: start.round() as i64, end_ms: end.round() as i64, text })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(format: TranscriptFormat, text: &str, expect: Result<&[(i64, i64, &str)], &str>) {
        match (read_transcript(text, format), expect) {
            (Ok(said), Ok(expect)) => {
                let said: Vec<_> =
                    said.iter().map(|said| (said.start_ms, said.end_ms, said.text.as_str())).collect();
                assert_eq!(said, expect, "{text}");
            }
            (Err(error), Err(expect)) => assert!(error.contains(expect), "{error}"),
            (got, expect) => panic!("{text}: {got:?}, not {expect:?}"),
        }
    }

    #[test]
    fn subtitles_are_read_in_both_dialects() {
        let cues = TranscriptFormat::Cues;
        check(
            cues,
            "\u{feff}1\r\n00:00:01,500 --> 00:00:02,000\r\nAnna: Hi.\r\nHow are you?\r\n\r\n2\r\n01:00:00,000 --> 01:00:01,25\r\n{\\an8}<i>Fine</i> {sic}\r\n",
            Ok(&[(1500, 2000, "Anna: Hi. How are you?"), (3_600_000, 3_601_250, "Fine {sic}")]),
        );
        check(
            cues,
            "WEBVTT - a title\n\nNOTE nothing\n\nintro\n00:04.000 --> 00:03.000 align:start\n<v.loud Ben>No!</v>\n\n00:01.000 --> 00:02.000\n\n",
            Ok(&[(4000, 4000, "Ben: No!")]),
        );
        check(cues, "WEBVTT\n", Ok(&[]));
        check(cues, "", Ok(&[]));
        check(cues, "I am no subtitle", Err("it has no cue"));
        check(cues, "1\n00:00:01 -> 2\n\nx --> y\nz", Err("line 4: \"x --> y\" has no times"));
        check(cues, "00:00:01,000 --> 1:2:3:4\nz", Err("line 1"));
    }

    #[test]
    fn segments_are_read_as_the_tools_write_them() {
        let json = TranscriptFormat::Segments;
        check(
            json,
            r#"{"text": "a b", "language": "en", "segments": [{"id": 1, "start": 2.5, "end": 3, "text": " b "}, {"start": 0, "end": 1.25, "text": "a", "speaker": "Anna"}]}"#,
            Ok(&[(0, 1250, "Anna: a"), (2500, 3000, "b")]),
        );
        check(
            json,
            r#"{"transcription": [{"offsets": {"from": 10, "to": 20}, "text": "x"}]}"#,
            Ok(&[(10, 20, "x")]),
        );
        check(json, r#"{"chunks": [{"timestamp": [1.0, null], "text": "x"}]}"#, Ok(&[(1000, 1000, "x")]));
        check(json, r#"[{"start": 1, "end": 2, "text": " "}]"#, Ok(&[]));
        check(json, r#"{"fps": 20}"#, Err("no list of segments"));
        check(
            json,
            r#"[{"start": -1, "end": 2, "text": "x"}]"#,
            Err("segment 0: its times are out of range"),
        );
        check(json, r#"[{"text": "x"}]"#, Err("segment 0: it has no start"));
        check(json, "{", Err("it is not JSON"));
    }

    #[test]
    fn what_is_said_belongs_to_the_clip_in_which_it_is_over() {
        let line = |start_ms, end_ms, text: &str| Said { start_ms, end_ms, text: text.into() };
        let said =
            [line(0, 0, "a"), line(1000, 30_000, "b"), line(29_000, 31_000, "c"), line(59_000, 63_000, "d")];
        assert_eq!(said_in(&said, 0, 30_000, false).as_deref(), Some("a\nb"));
        assert_eq!(said_in(&said, 30_000, 60_000, false).as_deref(), Some("c"));
        assert_eq!(said_in(&said, 30_000, 60_000, true).as_deref(), Some("c\nd"));
        assert_eq!(said_in(&said, 90_000, 120_000, true), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_every_line_lands_in_one_clip(text in "([0-9]{1,2}:?|[,.<>{}\\\\v ]|-->|\n|[a-z\u{e9}]){0,80}", cut in 1i64..50_000) {
            if let Ok(said) = read_transcript(&text, TranscriptFormat::Cues) {
                let whole = said_in(&said, 0, i64::MAX, true).map_or(0, |text| text.lines().count());
                let first = said_in(&said, 0, cut, false).map_or(0, |text| text.lines().count());
                let last = said_in(&said, cut, cut + 1, true).map_or(0, |text| text.lines().count());
                prop_assert_eq!(first + last, whole);
                prop_assert_eq!(whole, said.len());
            }
        }
    }
}
