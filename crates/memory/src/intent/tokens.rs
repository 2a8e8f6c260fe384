//! The words of a question as tokens: plain words, numbers (written either way), clock times and whole moments.

use firsthand_base::Moment;

use super::{HOUR, MINUTE};
use crate::terms::words;

/// One token. `text` is what it was, for the case that it turns out not to be about time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) kind: Kind,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Word,
    /// Digits.
    Number(u32),
    /// `10:30`, `10:30:15`, `3pm`: milliseconds from midnight, and how exactly it was given.
    Clock {
        ms: i64,
        within_ms: i64,
    },
    /// `DAY3_11210217`.
    Moment(Moment),
    /// `day3`, `DAY3`.
    Day(u32),
}

/// Reads the tokens of a text.
pub(super) fn read(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    for piece in
        text.split(|c: char| !(c.is_alphanumeric() || matches!(c, ':' | '_' | '.' | '\'' | '\u{2019}')))
    {
        let piece = piece.trim_matches(|c| matches!(c, ':' | '.' | '\'' | '_' | '\u{2019}'));
        let lower = match piece.to_lowercase() {
            dotted if dotted == "a.m" || dotted == "p.m" => dotted.replace('.', ""),
            lower => lower,
        };
        if let Some(kind) =
            moment(piece).or_else(|| day(&lower)).or_else(|| clock(&lower)).or_else(|| number(&lower))
        {
            tokens.push(Token { text: lower, kind });
        } else {
            tokens.extend(words(&lower).into_iter().map(|text| Token { text, kind: Kind::Word }));
        }
    }
    meridiems(tokens)
}

/// `10 am`, `10:30 p.m.`: a number or clock and what follows it.
fn meridiems(tokens: Vec<Token>) -> Vec<Token> {
    let mut joined: Vec<Token> = Vec::new();
    for token in tokens {
        let half = match token.text.as_str() {
            "am" => Some("am"),
            "pm" => Some("pm"),
            "oclock" => Some(""),
            _ => None,
        };
        if let (Some(half), Some(last)) = (half, joined.last_mut())
            && matches!(last.kind, Kind::Number(_) | Kind::Clock { .. })
            && let Some(kind) = clock(&format!("{}{half}", last.text)).or_else(|| whole_hour(last, half))
        {
            last.kind = kind;
            continue;
        }
        joined.push(token);
    }
    joined
}

/// `3 o'clock`: an hour of the day that is meant most.
fn whole_hour(token: &Token, half: &str) -> Option<Kind> {
    match token.kind {
        Kind::Number(hour) if half.is_empty() => {
            waking_hour(hour).map(|ms| Kind::Clock { ms, within_ms: 20 * MINUTE })
        }
        _ => None,
    }
}

/// A bare hour as people mean it by day: 1 to 6 are in the afternoon.
pub(super) fn waking_hour(hour: u32) -> Option<i64> {
    match hour {
        1..=6 => Some(i64::from(hour + 12) * HOUR),
        7..=23 => Some(i64::from(hour) * HOUR),
        0 | 24 => Some(0),
        _ => None,
    }
}

fn moment(piece: &str) -> Option<Kind> {
    let (day, _) = piece.split_once('_')?;
    let named = day.get(..3).is_some_and(|name| name.eq_ignore_ascii_case("day"));
    named.then(|| piece.to_ascii_uppercase().parse().ok().map(Kind::Moment)).flatten()
}

fn day(lower: &str) -> Option<Kind> {
    let digits = lower.strip_prefix("day")?;
    digits_of(digits, 7).filter(|day| *day > 0).map(Kind::Day)
}

fn number(lower: &str) -> Option<Kind> {
    digits_of(lower, 9).map(Kind::Number)
}

fn digits_of(text: &str, most: usize) -> Option<u32> {
    let plain = !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// `10:30`, `10:30:15`, `10:30am`, `3pm`.
fn clock(lower: &str) -> Option<Kind> {
    let (digits, half) = match lower.strip_suffix("am").map(|rest| (rest, 0)) {
        Some(found) => (found.0, Some(found.1)),
        None => match lower.strip_suffix("pm") {
            Some(rest) => (rest, Some(12)),
            None => (lower, None),
        },
    };
    let parts: Option<Vec<u32>> = digits.split(':').map(|part| digits_of(part, 2)).collect();
    let parts = parts.filter(|parts| parts.len() <= 3 && (parts.len() > 1 || half.is_some()))?;
    let hour = match half {
        Some(noon) if (1..=12).contains(&parts[0]) => parts[0] % 12 + noon,
        Some(_) => return None,
        None => parts[0],
    };
    let [minute, second] = [1, 2].map(|i| parts.get(i).copied().unwrap_or(0));
    if hour > 24 || minute > 59 || second > 59 {
        return None;
    }
    let ms = i64::from(hour) * HOUR + i64::from(minute) * MINUTE + i64::from(second) * 1000;
    let within_ms = [20, 10, 2][parts.len() - 1] * MINUTE;
    Some(Kind::Clock { ms, within_ms })
}

/// Counting words.
pub(super) fn counting_word(word: &str) -> Option<u32> {
    const WORDS: [&str; 13] = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve",
    ];
    match word {
        "a" | "an" => Some(1),
        "couple" => Some(2),
        "few" => Some(3),
        "several" => Some(4),
        "fifteen" => Some(15),
        "twenty" => Some(20),
        "thirty" => Some(30),
        "forty" => Some(40),
        "fifty" => Some(50),
        _ => WORDS.iter().position(|known| *known == word).map(|n| n as u32),
    }
}

/// Ordinal words up to a week, and `3rd`.
pub(super) fn ordinal_word(word: &str) -> Option<u32> {
    const WORDS: [&str; 7] = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh"];
    let counted = WORDS.iter().position(|known| *known == word).map(|n| n as u32 + 1);
    counted.or_else(|| {
        let digits = ["st", "nd", "rd", "th"].iter().find_map(|ending| word.strip_suffix(ending))?;
        digits_of(digits, 7).filter(|n| *n > 0)
    })
}
