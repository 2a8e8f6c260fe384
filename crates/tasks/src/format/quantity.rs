//! One number in a result, with the commas, fractions, units and percent signs people write, in digits or in words. Two
//! numbers in a result are no answer, unless one of them is announced or the others stand in brackets. Ranges are not
//! read.

use super::spelled::{plain, spelled, without_brackets};
use crate::format::tags::strip;

/// A number and what it counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    /// The number as written: `50` for `50%`.
    pub value: f64,
    /// Whether a percent sign or word follows.
    pub percent: bool,
    /// The word that follows, if any: `m`, `chairs`.
    pub unit: Option<String>,
}

/// Units that may replace each other: spellings, what they measure, how much of its base unit they are.
const UNITS: &[(&[&str], &str, f64)] = &[
    (&["mm", "millimeter", "millimeters", "millimetre", "millimetres"], "m", 0.001),
    (&["cm", "centimeter", "centimeters", "centimetre", "centimetres"], "m", 0.01),
    (&["m", "meter", "meters", "metre", "metres"], "m", 1.0),
    (&["km", "kilometer", "kilometers", "kilometre", "kilometres"], "m", 1000.0),
    (&["inch", "inches"], "m", 0.0254),
    (&["ft", "foot", "feet"], "m", 0.3048),
    (&["ms", "millisecond", "milliseconds"], "s", 0.001),
    (&["s", "sec", "secs", "second", "seconds"], "s", 1.0),
    (&["min", "mins", "minute", "minutes"], "s", 60.0),
    (&["h", "hr", "hrs", "hour", "hours"], "s", 3600.0),
    (&["g", "gram", "grams"], "g", 1.0),
    (&["kg", "kilogram", "kilograms"], "g", 1000.0),
];

impl Quantity {
    /// The quantity a result gives: its only number, else the only one outside brackets, else the number right after
    /// its last `=` or "answer is", else the only number that it spells out. Of a `\boxed{…}` the content counts.
    pub fn read(result: &str) -> Option<Quantity> {
        let text = plain(super::choice::boxed(result).unwrap_or(result));
        let only = |text: &str| match <[Found; 1]>::try_from(scan(text)) {
            Ok([found]) => Some(found.quantity),
            Err(_) => None,
        };
        let found = scan(&text);
        if found.is_empty() {
            let (value, unit) = spelled(&text)?;
            let percent = unit.as_deref().is_some_and(is_percent);
            return Some(Quantity { value, percent, unit: unit.filter(|_| !percent) });
        }
        only(&text).or_else(|| only(&without_brackets(&text))).or_else(|| announced(&text, found))
    }

    /// Whether two quantities are the same to so many decimals. Units are converted; a unit that only one of them has,
    /// or that is not known, is passed over; `50%` is both 0.5 and, beside a number above 1, 50.
    pub fn same(&self, other: &Quantity, decimals: i32) -> bool {
        let scale = 10f64.powi(decimals);
        let near = |a: f64, b: f64| a.is_finite() && b.is_finite() && (a - b).abs() * scale <= 0.5 + 1e-9;
        if self.percent != other.percent {
            let (percent, plain) = if self.percent { (self, other) } else { (other, self) };
            return near(percent.value / 100.0, plain.value)
                || (plain.value.abs() > 1.0 && near(percent.value, plain.value));
        }
        match (self.measure(), other.measure()) {
            (Some((a, of_a)), Some((b, of_b))) if a == b => near(self.value * of_a / of_b, other.value),
            (Some(_), Some(_)) => false,
            _ => near(self.value, other.value),
        }
    }

    fn measure(&self) -> Option<(&'static str, f64)> {
        let unit = self.unit.as_deref()?.to_lowercase();
        let row = UNITS.iter().find(|(names, ..)| names.contains(&unit.as_str()))?;
        Some((row.1, row.2))
    }
}

/// The number right after the last words or sign that announce one.
fn announced(text: &str, found: Vec<Found>) -> Option<Quantity> {
    let lower = text.to_ascii_lowercase();
    let ends = |cue: &str| lower.rfind(cue).map(|at| at + cue.len());
    let end = ends("answer is").max(ends("answer:")).max(ends("="))?;
    let number = found.into_iter().find(|found| found.begin >= end)?;
    let near = text[end..number.begin].chars().all(|c| !c.is_alphanumeric());
    (near && explains(&text[number.end..])).then_some(number.quantity)
}

/// A result that is nothing but a finite decimal number, blanks aside.
pub fn plain_number(result: &str) -> Option<f64> {
    let text = result.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    (all_digits(whole) && all_digits(fraction)).then(|| text.parse().ok())?.filter(|n: &f64| n.is_finite())
}

/// A number as Python's `float` reads it: blanks around it, single underscores between digits, `inf` and `nan`,
/// digits of other scripts.
pub(crate) fn python_float(text: &str) -> Option<f64> {
    let ascii: String;
    let text = if text.is_ascii() {
        strip(text)
    } else {
        ascii = strip(text)
            .chars()
            .map(|c| crate::python::digit(c).and_then(|value| char::from_digit(value, 10)).unwrap_or(c))
            .collect();
        &ascii
    };
    if !text.contains('_') {
        return text.parse().ok();
    }
    let pieces: Vec<&str> = text.split('_').collect();
    let digit_at = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let between_digits = pieces
        .windows(2)
        .all(|pair| digit_at(pair[0].as_bytes().last()) && digit_at(pair[1].as_bytes().first()));
    between_digits.then(|| pieces.concat().parse().ok())?
}

/// A number in a text: where it begins and ends, its unit included.
struct Found {
    begin: usize,
    end: usize,
    quantity: Quantity,
}

/// Every number of a text in plain spelling.
fn scan(text: &str) -> Vec<Found> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let starts = bytes[at].is_ascii_digit()
            || (bytes[at] == b'.' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit));
        if !starts {
            at += 1;
            continue;
        }
        let in_word = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let in_list = text[..at].ends_with(['(', '[', '{', ',']);
        let (value, length) = number(&text[at..], in_list);
        if in_word {
            at += length;
            continue;
        }
        let sign = sign(&text[..at]);
        if let Some(value) = value.filter(|value| value.is_finite()) {
            let (percent, unit, taken) = unit(&text[at + length..]);
            let quantity = Quantity { value: sign * value, percent, unit };
            found.push(Found { begin: at, end: at + length + taken, quantity });
        }
        at += length;
    }
    found
}

/// The number a text opens with, fractions and mixed numbers included, and how many bytes it took.
fn number(text: &str, in_list: bool) -> (Option<f64>, usize) {
    let (digits, length) = digits(text, in_list);
    let value = digits.parse::<f64>().ok();
    if !text[..length].bytes().all(|b| b.is_ascii_digit()) {
        return (value, length);
    }
    let over = |text: &str| {
        let run = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let above = run(text);
        let below = text[above..].strip_prefix('/').map(|rest| (rest, run(rest)))?;
        let (rest, below_length) = below;
        // "1/2/2024" and "1/2.5" are no fractions.
        let ends = !rest[below_length..].starts_with(|c: char| c == '/' || c.is_alphanumeric())
            && !rest[below_length..].trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
        let (above, below): (f64, f64) = (text[..above].parse().ok()?, rest[..below_length].parse().ok()?);
        let length = text.len() - rest.len() + below_length;
        (ends && below > 0.0).then_some((above, below, length))
    };
    if let Some((above, below, length)) = over(text) {
        return (Some(above / below), length);
    }
    let mixed = text[length..].strip_prefix(' ').and_then(over).filter(|(above, below, _)| above < below);
    match (value, mixed) {
        (Some(whole), Some((above, below, more))) => (Some(whole + above / below), length + 1 + more),
        _ => (value, length),
    }
}

/// Digits with marks between thousands removed and a point before decimals, and how many bytes they took. A comma
/// before exactly three digits sets thousands apart, another one begins decimals, unless it may separate a list.
fn digits(text: &str, in_list: bool) -> (String, usize) {
    let bytes = text.as_bytes();
    let run = |from: usize| {
        bytes.get(from..).map_or(0, |rest| rest.iter().take_while(|b| b.is_ascii_digit()).count())
    };
    let grouped = |mark: u8| {
        let mut end = run(0);
        if (1..=3).contains(&end) && bytes[0] != b'0' {
            while bytes.get(end) == Some(&mark) && run(end + 1) == 3 {
                end += 4;
            }
        }
        end
    };
    // "1.234,5" and "1.234.567" are written with points between thousands.
    let end = grouped(b'.');
    if (end > 7 || (end > 4 && bytes.get(end) == Some(&b',') && run(end + 1) > 0)) && end > run(0) {
        let decimals = if bytes.get(end) == Some(&b',') { run(end + 1) } else { 0 };
        let length = end + if decimals > 0 { 1 + decimals } else { 0 };
        return (text[..length].replace('.', "").replace(',', "."), length);
    }
    let mut end = grouped(b',');
    if end == run(0) && end > 0 && bytes.get(end) == Some(&b',') && !in_list {
        let decimals = run(end + 1);
        let more = matches!(bytes.get(end + 1 + decimals), Some(b',' | b')' | b']' | b'}'));
        if decimals > 0 && !more {
            let length = end + 1 + decimals;
            return (text[..length].replace(',', "."), length);
        }
    }
    if bytes.get(end) == Some(&b'.') && run(end + 1) > 0 {
        end += 1 + run(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let signed = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
        if signed < bytes.len() && run(signed) > 0 {
            end = signed + run(signed);
        }
    }
    (text[..end].replace(',', ""), end)
}

/// Whether nothing after a number may correct it: the end, or a mark or word that begins an explanation.
fn explains(rest: &str) -> bool {
    let rest = rest.trim_start_matches(['*', '"', '\'', '$', '}']);
    let word = rest.trim_start();
    let because = ["because", "since", "as ", "which"].iter().any(|cue| word.to_lowercase().starts_with(cue));
    let comma = rest.strip_prefix(',').is_some_and(|rest| {
        rest.starts_with(char::is_whitespace)
            && !rest.trim_start().starts_with(|c: char| c.is_ascii_digit() || c == 'o')
    });
    word.is_empty() || rest.starts_with(['.', ';', '\n', '(']) || word.starts_with('(') || comma || because
}

/// -1 after a minus that is not a hyphen or the middle of a range.
fn sign(before: &str) -> f64 {
    let before = before.strip_suffix(['$', '€', '£']).unwrap_or(before);
    let Some(rest) = before.strip_suffix(['-', '−']) else { return 1.0 };
    let hyphen = rest.trim_end().ends_with(|c: char| c.is_alphanumeric());
    if hyphen { 1.0 } else { -1.0 }
}

/// Whether a percent sign or word follows, else the word that follows, and how many bytes that took.
fn unit(text: &str) -> (bool, Option<String>, usize) {
    let after = text.trim_start_matches([' ', '\u{a0}']);
    let blanks = text.len() - after.len();
    if after.starts_with('%') {
        return (true, None, blanks + 1);
    }
    let word: String = after.chars().take_while(|c| c.is_alphabetic() || *c == '°').collect();
    if word.is_empty() {
        return (false, None, 0);
    }
    let (percent, taken) = (is_percent(&word), blanks + word.len());
    // "3 or 4", "4 because": such words belong to the sentence.
    if ["or", "to", "and", "because", "since", "as", "which"].contains(&word.to_lowercase().as_str()) {
        return (false, None, 0);
    }
    (percent, (!percent).then_some(word), taken)
}

fn is_percent(word: &str) -> bool {
    ["percent", "percentage", "pct"].contains(&word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities() {
        let check = |text: &str, expect: Option<(f64, bool, Option<&str>)>| {
            let found = Quantity::read(text);
            let found = found.as_ref().map(|q| (q.value, q.percent, q.unit.as_deref()));
            assert_eq!(found, expect, "{text:?}");
        };
        check("5", Some((5.0, false, None)));
        check(" -3.5\n", Some((-3.5, false, None)));
        check("1,234,567.5", Some((1_234_567.5, false, None)));
        check("$1,000", Some((1000.0, false, None)));
        check("50%", Some((50.0, true, None)));
        check("12.5 percent", Some((12.5, true, None)));
        check("5cm", Some((5.0, false, Some("cm"))));
        check("about 3 chairs.", Some((3.0, false, Some("chairs"))));
        check("1e-3", Some((0.001, false, None)));
        check(".5", Some((0.5, false, None)));
        check("2 + 3 = 5", Some((5.0, false, None)));
        check("Of 4 cups, 2 are red, so the answer is 2.", Some((2.0, false, None)));
        check("−4", Some((-4.0, false, None)));
        check("a 90-degree turn", Some((90.0, false, None)));
        check("1/2", Some((0.5, false, None)));
        check("2 1/2 m", Some((2.5, false, Some("m"))));
        check("-3/4", Some((-0.75, false, None)));
        check("\\frac{1}{2}", Some((0.5, false, None)));
        check("$2\\dfrac{1}{2}$", Some((2.5, false, None)));
        check("\\boxed{\\frac12}", Some((0.5, false, None)));
        check("½", Some((0.5, false, None)));
        check("2½ meters", Some((2.5, false, Some("meters"))));
        check("50 %", Some((50.0, true, None)));
        check("50\\%", Some((50.0, true, None)));
        check("fifty percent", Some((50.0, true, None)));
        check("four", Some((4.0, false, None)));
        check("There are four chairs.", Some((4.0, false, Some("chairs"))));
        check("2,5", Some((2.5, false, None)));
        check("0,125 m", Some((0.125, false, Some("m"))));
        check("1,234", Some((1234.0, false, None)));
        check("1.234,5", Some((1234.5, false, None)));
        check("1.234.567", Some((1_234_567.0, false, None)));
        check("1\u{202f}234", Some((1234.0, false, None)));
        check("４．５", Some((4.5, false, None)));
        check("٤", Some((4.0, false, None)));
        check("4 (1 by the door, 3 at the desk)", Some((4.0, false, None)));
        check("(4)", Some((4.0, false, None)));
        check("The answer is 4, since 2 are here and 2 there.", Some((4.0, false, None)));
        check("The answer is 4 chairs because I see 1 and 3.", Some((4.0, false, Some("chairs"))));
        for none in [
            "",
            "the chair",
            "3 or 4",
            "5-7",
            "room2",
            "A1",
            "1e999",
            "=",
            "answer is 3 or 4",
            "answer is 3, 4",
            "..",
            "é",
            "1/2/2024",
            "1/0",
            "(1,2)",
            "[1,2]",
            "1,2,3",
            "three or four",
            "the red one",
            "2 to 3",
            "There are 4 chairs and 2 tables.",
        ] {
            check(none, None);
        }
    }

    #[test]
    fn sameness() {
        let check = |a: &str, b: &str, expect: bool| {
            let (one, two) = (Quantity::read(a).unwrap(), Quantity::read(b).unwrap());
            assert_eq!((one.same(&two, 2), two.same(&one, 2)), (expect, expect), "{a} {b}");
        };
        check("1,000", "1000", true);
        check("5", "5.0", true);
        check("5", "5.01", false);
        check("50%", "50", true);
        check("50%", "0.5", true);
        check("0.5%", "0.5", false);
        check("50%", "51%", false);
        check("150 cm", "1.5 m", true);
        check("5 m", "5 cm", false);
        check("5 m", "5 s", false);
        check("5 m", "5", true);
        check("3 chairs", "3 people", true);
        check("-3", "3", false);
        check("1/2", "0.5", true);
        check("2 1/2 m", "250 cm", true);
        check("\\frac{1}{3}", "0.33", true);
        check("1/3", "0.5", false);
    }

    #[test]
    fn strict_and_python_numbers() {
        let check = |text: &str, plain: Option<f64>, python: Option<f64>| {
            assert_eq!((plain_number(text), python_float(text)), (plain, python), "{text:?}");
        };
        check("42", Some(42.0), Some(42.0));
        check(" -3.25 ", Some(-3.25), Some(-3.25));
        check("1e3", None, Some(1000.0));
        check("inf", None, Some(f64::INFINITY));
        check("-Infinity", None, Some(f64::NEG_INFINITY));
        check("1_000", None, Some(1000.0));
        check("1__0", None, None);
        check("_1", None, None);
        check("5.", None, Some(5.0));
        check(".5", None, Some(0.5));
        check("\u{1f}7", None, Some(7.0));
        check("1,000", None, None);
        check("5 m", None, None);
        check("", None, None);
        check("٣.５", None, Some(3.5));
        assert!(python_float("NaN").unwrap().is_nan());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[-0-9.,eE%$ a=é−_]{0,24}") {
            Quantity::read(&text);
            plain_number(&text);
            python_float(&text);
        }

        #[test]
        fn numbers_survive_a_round_trip(n in -1_000_000..1_000_000i32, decimals in 0..4i32) {
            let value = f64::from(n) / 10f64.powi(decimals);
            prop_assert_eq!(Quantity::read(&value.to_string()).map(|q| q.value), Some(value));
            prop_assert_eq!(plain_number(&value.to_string()), Some(value));
            prop_assert_eq!(python_float(&value.to_string()), Some(value));
        }
    }
}
