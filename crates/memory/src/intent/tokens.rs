//! The words of a question as tokens: plain words, numbers (written either way), clock times and whole moments.

use firsthand_base::Moment;

use super::{HOUR, MINUTE};
use crate::fold::plain;
use crate::script::{is_apostrophe, is_hyphen, is_of_words};
use crate::terms::split;

/// One token. `text` is what it was, for the case that it turns out not to be about time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) kind: Kind,
    /// Other readings of it as a word: `email` of the `e` in `e-mail`.
    pub(super) also: Vec<String>,
    /// Whether it is written as a name is: with a capital where no sentence begins, or in capitals among small letters.
    pub(super) is_name: bool,
}

impl Token {
    fn new(text: String, kind: Kind) -> Token {
        Token { text, kind, also: Vec::new(), is_name: false }
    }
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
    /// `day3`, `DAY3`; 0 for a day before the first.
    Day(u32),
}

/// Reads the tokens of a text.
pub(super) fn read(text: &str) -> Vec<Token> {
    let text = plain(text);
    let has_small = text.chars().any(char::is_lowercase);
    let is_within = |letter: char| {
        is_of_words(letter) || matches!(letter, ':' | '_' | '.') || is_apostrophe(letter) || is_hyphen(letter)
    };
    let mut tokens: Vec<Token> = Vec::new();
    let mut begins = true;
    for piece in text.split_inclusive(|letter| !is_within(letter)) {
        let ends = piece.ends_with(['.', '!', '?'])
            || piece.trim_end_matches(|letter| !is_within(letter)).ends_with(['.', '!', '?']);
        let piece = piece.trim_matches(|letter: char| !is_of_words(letter));
        if !piece.is_empty() {
            let first = tokens.len();
            of_piece(piece, &mut tokens);
            let mut letters = piece.chars();
            let is_capital = letters.next().is_some_and(char::is_uppercase);
            let is_shouted = piece.chars().count() > 1 && !piece.chars().any(char::is_lowercase);
            let is_name = has_small && is_capital && (is_shouted || !begins);
            let named = tokens.iter_mut().skip(first).filter(|token| token.text.len() > 1);
            named.for_each(|token| token.is_name = is_name);
            begins = false;
        }
        begins |= ends;
    }
    meridiems(tokens)
}

/// A stretch without blanks: a time, several times with hyphens between, or words.
fn of_piece(piece: &str, tokens: &mut Vec<Token>) {
    let kind = |part: &str| {
        let part = part.trim_matches(|letter: char| !is_of_words(letter));
        let lower = match part.to_lowercase() {
            dotted if dotted == "a.m" || dotted == "p.m" => dotted.replace('.', ""),
            lower => lower,
        };
        let kind = moment(part).or_else(|| day(&lower)).or_else(|| clock(&lower)).or_else(|| number(&lower));
        (lower, kind)
    };
    let parts: Vec<(String, Option<Kind>)> = piece.split(is_hyphen).map(kind).collect();
    let is_about_time = parts.iter().any(|(_, kind)| kind.is_some());
    let whole = [(piece.to_lowercase(), None)];
    // "10:00-11:00", "days 2-4".
    let is_run = parts.len() == 2 && parts.iter().all(|(_, kind)| kind.is_some());
    for (place, (lower, kind)) in
        if is_about_time || parts.len() == 1 { &parts[..] } else { &whole[..] }.iter().enumerate()
    {
        if is_run && place == 1 {
            tokens.push(Token::new("to".to_owned(), Kind::Word));
        }
        if let Some(kind) = kind {
            tokens.push(Token::new(lower.clone(), *kind));
            continue;
        }
        for word in split(lower) {
            match tokens.last_mut() {
                Some(last) if word.also => last.also.push(word.text),
                _ => tokens.push(Token::new(word.text, Kind::Word)),
            }
        }
    }
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
    let (day, clock) = piece.split_once('_')?;
    let named = day.get(..3).is_some_and(|name| name.eq_ignore_ascii_case("day"));
    if named && digits_of(&day[3..], 7) == Some(0) && digits_of(clock, 8).is_some() {
        return Some(Kind::Day(0));
    }
    named.then(|| piece.to_ascii_uppercase().parse().ok().map(Kind::Moment)).flatten()
}

fn day(lower: &str) -> Option<Kind> {
    let digits = lower.strip_prefix("day")?;
    digits_of(digits, 7).map(Kind::Day)
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
