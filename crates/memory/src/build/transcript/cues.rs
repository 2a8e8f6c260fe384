//! SubRip and WebVTT, which files in the wild mix. A line of two times begins a cue, wherever it stands; what follows up
//! to the next one is its text, but for the number or name of the next cue and, in WebVTT, comments, styles and regions.

use super::{Notes, Said, clock, lines, marks, shown};

/// A cue as it stands in the file.
struct Cue<'a> {
    /// Where its times stand, counted from 1.
    line: usize,
    /// Its times; `None` for what stands before the first cue, and for a cue whose times cannot be read.
    times: Option<(i64, i64)>,
    /// Whether it is what stands before the first cue.
    is_head: bool,
    lines: Vec<&'a str>,
}

/// A line that may hold times.
enum Times<'a> {
    /// None: the line is text, or nothing.
    Not,
    /// From, to, and what follows them.
    Read(i64, i64, &'a str),
    /// Times were meant.
    Damaged,
}

/// Reads the cues of a text; an error if it has none.
pub(super) fn read(text: &str, notes: &mut Notes) -> Result<Vec<Said>, String> {
    let is_vtt = text.trim_start().starts_with("WEBVTT");
    let (mut found, mut number, mut skipped, mut has_cues) = (Vec::new(), None, None, false);
    let mut cue = Cue { line: 1, times: None, is_head: true, lines: Vec::new() };
    for (index, line) in text.split('\n').enumerate() {
        if is_vtt && skipped.is_none() {
            skipped = block(&cue, line);
        }
        if line.is_empty() {
            skipped = None;
        }
        // A cue may follow the header without an empty line; what comments and styles hold is none.
        let times = match skipped {
            Some(Block::Silent) => Times::Not,
            Some(Block::Header) if !line.contains("-->") => Times::Not,
            _ => times(line, is_at_block(&cue, is_vtt)),
        };
        let (from_to, rest) = match times {
            Times::Not if skipped.is_some() => continue,
            Times::Not => {
                cue.lines.push(line);
                continue;
            }
            Times::Read(from, to, rest) => (Some((from, to.max(from))), rest),
            Times::Damaged => {
                notes.add(|| {
                    format!(
                        "line {}: {} has no times such as 00:01:02,500 --> 00:01:04,000; the cue is left out",
                        index + 1,
                        shown(line)
                    )
                });
                (None, "")
            }
        };
        skipped = None;
        has_cues = true;
        number = take_name(&mut cue, is_vtt, number, false);
        finish(cue, is_vtt, &mut found, notes);
        let lines = if is_vtt || is_settings(rest) { Vec::new() } else { vec![rest] };
        cue = Cue { line: index + 1, times: from_to, is_head: false, lines };
    }
    take_name(&mut cue, is_vtt, number, true);
    finish(cue, is_vtt, &mut found, notes);
    if !has_cues && !is_vtt && text.contains(|letter: char| letter.is_alphanumeric()) {
        return Err("it has no cue; a line such as 00:01:02,500 --> 00:01:04,000 begins one".into());
    }
    Ok(lines::once(found))
}

/// A part of WebVTT that is no cue and ends at an empty line.
#[derive(Clone, Copy)]
enum Block {
    /// It stands again where segments of a stream were put together.
    Header,
    /// Comments, styles and regions.
    Silent,
}

/// The block that a line begins.
fn block(cue: &Cue<'_>, line: &str) -> Option<Block> {
    let is_first = cue.lines.last().map_or(cue.is_head, |before| before.is_empty());
    let word = line.split([' ', '\t']).next().filter(|_| is_first)?;
    match (word, line.trim_end()) {
        ("WEBVTT", _) => Some(Block::Header),
        ("NOTE", _) | (_, "STYLE" | "REGION") => Some(Block::Silent),
        _ => None,
    }
}

/// Whether a cue may begin with the next line: what stands before it is blank, or the number or name of a cue.
fn is_at_block(cue: &Cue<'_>, is_vtt: bool) -> bool {
    let Some(last) = cue.lines.last() else { return cue.is_head };
    let before = cue.lines.iter().rev().nth(1);
    last.trim().is_empty()
        || as_number(last).is_some()
        || (is_vtt && before.map_or(cue.is_head, |before| before.is_empty()))
}

fn as_number(line: &str) -> Option<u64> {
    let line = line.trim();
    let is_number = !line.is_empty() && line.len() <= 9 && line.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| line.parse().ok()).flatten()
}

/// Takes the number or the name of the next cue from the lines of this one, and gives the number that was reached. A
/// number is one if it counts on, or stands right before the times where a blank line is before it or cues have numbers;
/// in WebVTT a line between an empty one and the times is a name whatever it says.
fn take_name(cue: &mut Cue<'_>, is_vtt: bool, reached: Option<u64>, is_end: bool) -> Option<u64> {
    let Some(last) = cue.lines.iter().rposition(|line| !line.trim().is_empty()) else { return reached };
    let adjoins = last + 1 == cue.lines.len() && !is_end;
    let before = last.checked_sub(1).map(|before| cue.lines[before]);
    let after_blank = before.map_or(cue.is_head, |before| before.trim().is_empty());
    let number = as_number(cue.lines[last]);
    let counts_on = number.is_some_and(|number| match reached {
        Some(reached) => number == reached + 1,
        None => cue.is_head && number <= 1,
    });
    let is_number = match number {
        Some(_) if is_end => counts_on && after_blank,
        Some(_) => counts_on || (adjoins && (after_blank || reached.is_some())),
        None => false,
    };
    let is_name = is_vtt && adjoins && before.map_or(cue.is_head, str::is_empty);
    if !is_number && !is_name {
        return reached;
    }
    cue.lines.truncate(last);
    number.or(reached)
}

/// Keeps a cue, or says what of the file is no cue.
fn finish(cue: Cue<'_>, is_vtt: bool, found: &mut Vec<lines::Shown>, notes: &mut Notes) {
    let Some((start_ms, end_ms)) = cue.times else {
        if let Some(text) = cue.lines.iter().find(|line| cue.is_head && !line.trim().is_empty()) {
            notes.add(|| format!("{} before the first cue is passed over", shown(text)));
        }
        return;
    };
    let begins = cue.lines.iter().position(|line| !line.trim().is_empty()).unwrap_or(0);
    let ends = cue.lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
    if is_vtt
        && let Some(at) =
            cue.lines[..ends].iter().position(|line| line.is_empty()).filter(|at| at + 1 >= begins)
    {
        notes.add(|| {
            format!(
                "line {}: the text after the empty line is taken as part of the cue before it",
                cue.line + at + 1
            )
        });
    }
    let lines = marks::plain(&cue.lines[..ends].join("\n"));
    if !lines.is_empty() {
        found.push(lines::Shown { start_ms, end_ms, lines });
    }
}

/// Whether what follows the times are settings of the cue: `align:start`, `X1:40`, or nothing that is said.
fn is_settings(rest: &str) -> bool {
    !rest.contains(char::is_alphabetic) || rest.split_whitespace().all(|word| word.contains(':'))
}

fn times(line: &str, is_at_block: bool) -> Times<'_> {
    let text = line.trim_start();
    if let Some(from) = clock::begin(text)
        && let Some(arrow) = Arrow::begin(text[from.length..].trim_start())
        && let Some(to) = clock::begin(arrow.rest)
    {
        let clocks = from.has_colon && (to.has_colon || is_at_block);
        let are_full = from.is_full && to.is_full;
        let are_times = match arrow.kind {
            Kind::Exact => clocks || is_at_block,
            Kind::Odd => clocks && (are_full || is_at_block),
            Kind::Bare => are_full && arrow.rest[to.length..].trim().is_empty(),
        };
        if are_times {
            return Times::Read(from.ms, to.ms, &arrow.rest[to.length..]);
        }
    }
    let Some((from, to)) = text.split_once("-->") else { return Times::Not };
    let to = to.split_whitespace().next().unwrap_or_default();
    let no_words = !from.split(|letter: char| !letter.is_alphabetic()).any(|word| word.chars().count() > 2);
    let is_damaged = is_at_block || looks_timed(from) || (looks_timed(to) && no_words);
    if is_damaged { Times::Damaged } else { Times::Not }
}

/// Whether somebody meant a time: digits and colons, and hardly a letter.
fn looks_timed(text: &str) -> bool {
    let letters = text.chars().filter(|letter| letter.is_alphabetic()).count();
    text.contains(':') && text.contains(|letter: char| letter.is_ascii_digit()) && letters <= 3
}

enum Kind {
    /// `-->`.
    Exact,
    /// `->`, `–>`, `→`, `-- >`.
    Odd,
    /// A dash or a comma (SBV) alone.
    Bare,
}

/// What stands between two times.
struct Arrow<'a> {
    kind: Kind,
    rest: &'a str,
}

impl<'a> Arrow<'a> {
    fn begin(text: &'a str) -> Option<Arrow<'a>> {
        let is_dash =
            |letter: char| matches!(letter, '-' | '–' | '—' | '−' | '‐' | '‑' | '‒' | '―' | '=' | '~');
        let is_head = |letter: char| matches!(letter, '>' | '›' | '＞' | '→' | '⟶' | '➔' | '➜' | '⇒');
        for exact in ["-->", "--&gt;"] {
            if let Some(rest) = text.strip_prefix(exact) {
                return Some(Arrow { kind: Kind::Exact, rest: rest.trim_start_matches('>').trim_start() });
            }
        }
        let after = text.trim_start_matches(|letter: char| is_dash(letter) || letter.is_whitespace());
        if after.starts_with(is_head) {
            return Some(Arrow { kind: Kind::Odd, rest: after.trim_start_matches(is_head).trim_start() });
        }
        if let Some(rest) = after.strip_prefix("&gt;") {
            return Some(Arrow { kind: Kind::Odd, rest: rest.trim_start() });
        }
        let rest =
            text.strip_prefix(',').map(str::trim_start).or((after.len() < text.len()).then_some(after))?;
        Some(Arrow { kind: Kind::Bare, rest })
    }
}
