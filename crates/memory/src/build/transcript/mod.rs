//! Transcripts beside a recording: SubRip, WebVTT, and the JSON of Whisper and its ports. Foreign bytes, read a cue at a
//! time: a cue that cannot be read is told with its line and the reason, and the rest is kept. What a file is, its bytes
//! say: its name only decides which of several files is taken. Formats that are none of these are refused by name.

#[cfg(test)]
mod cases;
mod clock;
mod cues;
mod encoding;
mod lines;
mod marks;
mod segments;
mod words;

use serde::{Deserialize, Serialize};

/// Something said, in milliseconds from the start of the recording, or of the part of it that is in hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// When it begins; in a part of a recording it may be before the part.
    pub start_ms: i64,
    /// When it is over; never before it begins.
    pub end_ms: i64,
    /// `Anna: Good morning.`, the name where it is known; of a recording one line, never empty.
    pub text: String,
}

/// What a file says, and what of it cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// What is said, by start, then end.
    pub said: Vec<Said>,
    /// What was passed over or mended, a line each: where and why.
    pub notes: Vec<String>,
}

/// Endings of files that may lie beside a recording, in the order in which they are looked for.
pub const TRANSCRIPT_ENDINGS: [&str; 3] = ["srt", "vtt", "json"];

/// Largest file: ten hours of words with times are about 10 MB.
const LARGEST_BYTES: usize = 64 << 20;
/// Longest time that is read: a year.
const LONGEST_MS: f64 = 366.0 * 86_400_000.0;
/// Notes of one kind that are told one by one; the rest is counted.
const MOST_NOTES: usize = 20;

/// Reads a transcript. The error is a reason in one line, with a remedy: no word of the file can be used.
pub fn read_transcript(bytes: &[u8]) -> Result<Transcript, String> {
    if bytes.len() > LARGEST_BYTES {
        return Err(format!(
            "it has {} MB, and a transcript at most {}; cut it, or take it away",
            bytes.len() >> 20,
            LARGEST_BYTES >> 20
        ));
    }
    let mut notes = Notes::default();
    let text = encoding::decode(bytes, &mut notes)?;
    let start = text.trim_start();
    let is_json = start.starts_with(['{', '[']);
    let read = if is_json { segments::read(&text, &mut notes) } else { cues::read(&text, &mut notes) };
    // What begins like JSON may be a caption such as `[Music]` in front of the first cue.
    let read = match read {
        Err(reason) if is_json => cues::read(&text, &mut notes).map_err(|_| reason),
        read => read,
    };
    let mut said = read.map_err(|reason| other_format(start).map_or(reason, str::to_owned))?;
    said.retain(|said| !said.text.is_empty());
    said.sort_by_key(|said| (said.start_ms, said.end_ms));
    // The very same once more is a copy: people do not say two things at once in the same words.
    let mut seen = std::collections::HashSet::new();
    said.retain(|said| seen.insert((said.start_ms, said.end_ms, said.text.clone())));
    Ok(Transcript { said, notes: notes.told() })
}

/// Names a format of subtitles that is not read here, with the command that makes one that is.
fn other_format(start: &str) -> Option<&'static str> {
    let head: String = start.chars().take(2000).collect::<String>().to_lowercase();
    let first = head.lines().next().unwrap_or_default().trim();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_frames = |line: &str| {
        let numbers = line.strip_prefix('{').and_then(|rest| rest.split_once("}{"));
        numbers.is_some_and(|(from, rest)| is_number(from) && rest.split('}').next().is_some_and(is_number))
    };
    let is_lyric = |line: &str| {
        let inner = line.trim().strip_prefix('[').and_then(|rest| rest.split_once(']'));
        inner.is_some_and(|(stamp, _)| clock::read(stamp).is_some_and(|read| read.has_colon))
    };
    if head.contains("[script info]") || head.contains("[v4+ styles]") || head.contains("\ndialogue:") {
        return Some("it is ASS or SSA; `ffmpeg -i FILE.ass FILE.srt` makes SubRip of it");
    }
    if head.starts_with("<sami") {
        return Some("it is SAMI; `ffmpeg -i FILE.smi FILE.srt` makes SubRip of it");
    }
    if head.starts_with("<tt") || (head.starts_with("<?xml") && head.contains("<tt")) {
        return Some(
            "it is TTML; `tt convert -i FILE.ttml -o FILE.srt` (pip install ttconv) makes SubRip of it",
        );
    }
    if is_frames(first) {
        return Some("it is MicroDVD; `ffmpeg -f microdvd -i FILE.sub FILE.srt` makes SubRip of it");
    }
    head.lines().any(is_lyric).then_some("it is LRC; `ffmpeg -i FILE.lrc FILE.srt` makes SubRip of it")
}

/// What people should know of a file, told one by one until it is too much.
#[derive(Default)]
struct Notes {
    told: Vec<String>,
    more: usize,
}

impl Notes {
    fn add(&mut self, note: impl FnOnce() -> String) {
        if self.told.len() < MOST_NOTES {
            self.told.push(note());
        } else {
            self.more += 1;
        }
    }

    fn told(mut self) -> Vec<String> {
        if self.more > 0 {
            self.told.push(format!("{} more of its parts cannot be read", self.more));
        }
        self.told
    }
}

/// A text as it is shown in a note: the beginning of one line.
fn shown(text: &str) -> String {
    let mut shown: String = text.trim().chars().take(60).collect();
    if text.trim().chars().count() > 60 {
        shown.push('…');
    }
    format!("{shown:?}")
}

/// Blanks of every kind as single spaces.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A part of what is said: the lines that are over by its end and were not before its beginning, timed from its beginning.
/// The first part takes what was over before, the last one what remains, so that every line is in one part.
pub fn said_in(said: &[Said], (from_ms, to_ms): (i64, i64), is_first: bool, is_last: bool) -> Vec<Said> {
    let is_in = |said: &&Said| (said.end_ms > from_ms || is_first) && (said.end_ms <= to_ms || is_last);
    let timed = |said: &Said| Said {
        start_ms: said.start_ms - from_ms,
        end_ms: said.end_ms - from_ms,
        text: said.text.clone(),
    };
    said.iter().filter(is_in).map(timed).collect()
}

/// What is said as a text, a line each; `None` if nothing is.
pub fn lines_of(said: &[Said]) -> Option<String> {
    (!said.is_empty()).then(|| said.iter().map(|said| said.text.as_str()).collect::<Vec<_>>().join("\n"))
}
