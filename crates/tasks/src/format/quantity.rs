//! One number in a result, with the commas, units and percent signs people write. Two numbers in a result are no
//! answer, unless one of them is announced. Ranges and spelled-out numbers are not read.

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
    /// The quantity a result gives: its only number, else the number right after its last `=` or "answer is".
    pub fn read(result: &str) -> Option<Quantity> {
        let found = scan(result);
        if found.len() == 1 {
            return found.into_iter().next().map(|(_, quantity)| quantity);
        }
        let lower = result.to_ascii_lowercase();
        let ends = |cue: &str| lower.rfind(cue).map(|at| at + cue.len());
        let end = ends("answer is").max(ends("answer:")).max(ends("="))?;
        let mut announced = found.into_iter().filter(|(at, _)| *at >= end);
        let (at, quantity) = announced.next()?;
        let between = &result[end..at];
        (announced.next().is_none() && between.chars().all(|c| !c.is_alphanumeric())).then_some(quantity)
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
        ascii = strip(text).chars().map(|c| digit(c).unwrap_or(c)).collect();
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

/// The ASCII digit a decimal digit of another script stands for: Unicode's blocks of ten in the basic plane.
fn digit(c: char) -> Option<char> {
    const ZEROS: [u32; 37] = [
        0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50,
        0xED0, 0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40,
        0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x30,
    ];
    let value = ZEROS.iter().find_map(|zero| u32::from(c).checked_sub(*zero).filter(|value| *value < 10))?;
    char::from_digit(value, 10)
}

/// Every number of a text and where it begins.
fn scan(text: &str) -> Vec<(usize, Quantity)> {
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
        let (digits, length) = digits(&text[at..]);
        if in_word {
            at += length;
            continue;
        }
        let sign = sign(&text[..at]);
        if let Ok(value) = digits.parse::<f64>()
            && value.is_finite()
        {
            let (percent, unit) = unit(&text[at + length..]);
            found.push((at, Quantity { value: sign * value, percent, unit }));
        }
        at += length;
    }
    found
}

/// Digits with commas removed, and how many bytes they took.
fn digits(text: &str) -> (String, usize) {
    let bytes = text.as_bytes();
    let run = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut end = run(0);
    if (1..=3).contains(&end) {
        while bytes.get(end) == Some(&b',') && run(end + 1) == 3 {
            end += 4;
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

/// -1 after a minus that is not a hyphen or the middle of a range.
fn sign(before: &str) -> f64 {
    let before = before.strip_suffix(['$', '€', '£']).unwrap_or(before);
    let Some(rest) = before.strip_suffix(['-', '−']) else { return 1.0 };
    let hyphen = rest.trim_end().ends_with(|c: char| c.is_alphanumeric());
    if hyphen { 1.0 } else { -1.0 }
}

fn unit(after: &str) -> (bool, Option<String>) {
    let after = after.trim_start_matches([' ', '\u{a0}']);
    if after.starts_with(['%', '％']) {
        return (true, None);
    }
    let word: String = after.chars().take_while(|c| c.is_alphabetic() || *c == '°').collect();
    let percent = ["percent", "percentage", "pct"].contains(&word.to_lowercase().as_str());
    (percent, (!word.is_empty() && !percent).then_some(word))
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
        for none in
            ["", "three", "3 or 4", "5-7", "room2", "A1", "1,5", "1e999", "=", "answer is 3 or 4", "..", "é"]
        {
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
