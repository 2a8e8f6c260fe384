//! Whether two answers to a mathematical question are the same, as the grader behind the published rewards decides it
//! (mathruler, after the grader of PRM800K): equal after one of two tidyings, or equal in value. Value is decided by
//! computing both at a few points instead of by a computer algebra system; LaTeX beyond fractions, roots, text and the
//! common signs is compared as text.

use super::arithmetic::value_at;
use super::latex::{braced_fractions, braced_roots, plain_latex, without_degrees, without_thin_spaces};
use crate::format::{python_float, tags};

/// Units the grader deletes wherever they stand, inside words too.
const UNITS: [&str; 16] = [
    "degree",
    "cm",
    "centimeter",
    "meter",
    "mile",
    "second",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "year",
    "foot",
    "feet",
    "inch",
    "yard",
];

/// Whether `given` equals `truth`.
pub(super) fn same_answer(given: &str, truth: &str) -> bool {
    if tidy(given) == tidy(truth) {
        return true;
    }
    let (given, truth) = (normal(given), normal(truth));
    if given == truth {
        return true;
    }
    if given.is_empty() {
        return false;
    }
    let (said, expected) = (elements(&given), elements(&truth));
    let ends = |text: &str| (text.chars().next(), text.chars().next_back());
    if said.len() != expected.len() || (expected.len() > 1 && ends(&given) != ends(&truth)) {
        return false;
    }
    !expected.is_empty() && expected.iter().zip(&said).all(|(expected, said)| same_element(expected, said))
}

/// Fractions must be reduced alike and whole numbers written as such; the rest may be computed.
fn same_element(expected: &str, said: &str) -> bool {
    if is_fraction(expected) && is_fraction(said) {
        return expected == said;
    }
    is_whole(expected) == is_whole(said) && same_value(expected, said)
}

fn same_value(a: &str, b: &str) -> bool {
    let both = format!("({a})-({b})");
    let mut letters: Vec<char> = both.replace("sqrt", "").replace("frac", "").chars().collect();
    letters.retain(|c| c.is_alphabetic());
    letters.sort_unstable();
    letters.dedup();
    let powers = both.match_indices('^').map(|(at, _)| &both[at + 1..]);
    let hard = |after: &str| {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        after.starts_with(['{', '(']) || digits > 1 || (digits > 0 && after[digits..].starts_with('^'))
    };
    if letters.len() > 2 || powers.into_iter().any(hard) {
        return false;
    }
    (0..3).all(|point| match (value_at(a, point), value_at(b, point)) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0),
        _ => false,
    })
}

/// The inside of a text that is `\text{…}` as a whole.
fn unwrap_text(text: &str) -> Option<&str> {
    let inside = text.strip_prefix("\\text{")?.strip_suffix('}')?;
    (!inside.is_empty() && !inside.contains('\n')).then_some(inside)
}

/// The first tidying: LaTeX is brought to one spelling, blanks go. What it stumbles over stays as it is.
fn tidy(answer: &str) -> String {
    let answer = tags::strip(answer);
    let answer = unwrap_text(answer).map_or(answer, tags::strip);
    tidied(answer).unwrap_or_else(|| answer.to_owned())
}

fn tidied(answer: &str) -> Option<String> {
    const REPLACED: &[(&str, &str)] = &[
        ("\n", ""),
        ("\\!", ""),
        ("\\\\", "\\"),
        ("tfrac", "frac"),
        ("dfrac", "frac"),
        ("\\left", ""),
        ("\\right", ""),
        ("^{\\circ}", ""),
        ("^\\circ", ""),
        ("\\$", ""),
    ];
    let mut text = REPLACED.iter().fold(answer.to_owned(), |text, (from, to)| text.replace(from, to));
    // "\text{ " begins a unit.
    if let Some((before, after)) = text.split_once("\\text{ ") {
        if after.contains("\\text{ ") {
            return None;
        }
        text = before.to_owned();
    }
    text = text.replace("\\%", "").replace('%', "").replace(" .", " 0.").replace("{.", "{0.");
    if text.starts_with('.') {
        text.insert(0, '0');
    }
    // "k = 5" is 5.
    if let Some((name, value)) = text.split_once('=')
        && !value.contains('=')
        && name.chars().count() <= 2
    {
        text = value.to_owned();
    }
    text = braced_roots(&text)?.replace(' ', "");
    text = braced_fractions(&text)?;
    if text == "0.5" {
        text = "\\frac{1}{2}".to_owned();
    }
    let plain = |number: &str| {
        let digits = number.strip_prefix('-').unwrap_or(number);
        let canonical = digits == "0" && number == "0" || !digits.starts_with('0');
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && canonical
    };
    match text.split_once('/') {
        Some((a, b)) if plain(a) && plain(b) => Some(format!("\\frac{{{a}}}{{{b}}}")),
        _ => Some(text),
    }
}

/// The second tidying: a form that can be computed, in lower case, without units and blanks.
fn normal(answer: &str) -> String {
    const REPLACED: &[(&str, &str)] = &[
        ("\\%", "%"),
        ("\\$", "$"),
        ("$", ""),
        ("%", ""),
        (" or ", " , "),
        (" and ", " , "),
        ("million", "*10^6"),
        ("billion", "*10^9"),
        ("trillion", "*10^12"),
    ];
    let answer = unwrap_text(answer).unwrap_or(answer).to_owned();
    let text = REPLACED.iter().fold(answer, |text, (from, to)| text.replace(from, to));
    let mut text = UNITS.iter().fold(text, |text, unit| without_unit(&text, unit));
    text = without_degrees(&text);
    if text.starts_with('{') && text.ends_with('}') && text.len() > 1 {
        text = text[1..text.len() - 1].to_owned();
    }
    text = without_thin_spaces(&text);
    if let Some(value) = python_float(&text).filter(|value| is_near_whole(*value)) {
        text = whole_text(value.round());
    }
    if text.contains('\\') {
        text = plain_latex(&text);
    }
    while text.contains("- ") {
        text = text.replace("- ", "-");
    }
    text = with_mixed_numbers(&text).replace([' ', '{', '}'], "").to_lowercase();
    if is_whole(&text)
        && let Some(value) = python_float(&text.replace(',', ""))
    {
        text = whole_text(value.trunc());
    }
    text
}

fn whole_text(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { format!("{value:.0}") }
}

fn is_near_whole(value: f64) -> bool {
    value.is_finite() && (value - value.round()).abs() <= 1e-7
}

fn is_whole(text: &str) -> bool {
    python_float(&without_thousands(text)).is_some_and(is_near_whole)
}

/// A text without a unit, its plural and its power.
fn without_unit(text: &str, unit: &str) -> String {
    let mut pieces = text.split(unit);
    let mut done = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.strip_prefix("es").unwrap_or(piece);
        let rest = rest.strip_prefix('s').unwrap_or(rest).trim_start_matches(' ');
        let power =
            rest.strip_prefix('^').map(|power| power.trim_start_matches(|c: char| c.is_ascii_digit()));
        let power = power.filter(|after| after.len() + 1 < rest.len());
        done.push_str(power.unwrap_or(rest));
    }
    done
}

/// Commas before exactly three digits go, in passes from the left: what one pass has used as the end of a group cannot
/// begin another, so of four groups the last comma goes before the second.
fn without_thousands(text: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    loop {
        let mut next = Vec::with_capacity(chars.len());
        let mut at = 0;
        while at < chars.len() {
            let digit = |i: usize| chars.get(at + i).is_some_and(char::is_ascii_digit);
            if digit(0) && chars.get(at + 1) == Some(&',') && (2..5).all(digit) && !digit(5) {
                next.push(chars[at]);
                next.extend(&chars[at + 2..(at + 6).min(chars.len())]);
                at += 6;
            } else {
                next.push(chars[at]);
                at += 1;
            }
        }
        if next == chars {
            return next.into_iter().collect();
        }
        chars = next;
    }
}

/// `7 3/4` becomes `7+3/4`.
fn with_mixed_numbers(text: &str) -> String {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(' ') {
        let after = rest[at..].trim_start_matches(' ');
        done.push_str(&rest[..at]);
        let between =
            done.ends_with(|c: char| c.is_ascii_digit()) && after.starts_with(|c: char| c.is_ascii_digit());
        done.push(if between { '+' } else { ' ' });
        rest = after;
    }
    done + rest
}

/// The parts of a tuple or interval; anything else is its own only part.
fn elements(text: &str) -> Vec<String> {
    let text = without_thousands(text);
    let bracket = |c: char| "()[]".contains(c);
    let inside = text.strip_prefix(bracket).and_then(|rest| rest.strip_suffix(bracket));
    match inside {
        Some(inside) if !inside.is_empty() && !inside.contains(bracket) => {
            inside.split(',').map(|part| part.trim().to_owned()).collect()
        }
        _ if text.is_empty() => Vec::new(),
        _ => vec![text],
    }
}

/// A quotient of whole numbers, with room for one mark after each.
fn is_fraction(text: &str) -> bool {
    let Some((above, below)) = text.strip_prefix('-').unwrap_or(text).split_once('/') else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let marked = |text: &str| {
        let without = text.char_indices().next_back().map_or(text, |(at, _)| &text[..at]);
        [text, without].into_iter().find(|text| digits(text)).map(str::to_owned)
    };
    marked(above).is_some() && marked(below).is_some_and(|below| below.bytes().any(|b| b != b'0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From `grade_answer` of mathruler 0.1.
    #[test]
    fn answers_are_graded_as_mathruler_does() {
        let case = |given: &str, truth: &str, expect: bool| {
            assert_eq!(same_answer(given, truth), expect, "{given:?} {truth:?}")
        };
        for (given, truth) in [
            ("(A) on top of", "(A) on top of"),
            ("(a) On Top Of", "(A) on top of"),
            ("1/2", "0.5"),
            ("0.5", "\\frac{1}{2}"),
            ("0.50", "1/2"),
            ("\\frac12", "\\frac{1}{2}"),
            ("1,000", "1000"),
            ("1000.0", "1000"),
            ("5 cm", "5"),
            ("50%", "50"),
            ("x+1", "1+x"),
            ("2x", "x*2"),
            ("(1,2)", "(1, 2)"),
            ("x=5", "5"),
            ("(x+1)^2", "x^2+2x+1"),
            ("\\pi/2", "\\frac{\\pi}{2}"),
            ("7 3/4", "31/4"),
            ("7.75", "31/4"),
            ("", ""),
            ("90^\\circ", "90"),
            ("\\text{left}", "left"),
            ("left or right", "left and right"),
            ("2.0", "2"),
            ("4.5", "9/2"),
            ("1e3", "1000"),
            ("-5", "- 5"),
            ("\\{1,2\\}", "1,2"),
            ("day", "days"),
            ("2\\sqrt{3}", "\\sqrt{12}"),
            ("0.5x", "x/2"),
            ("ab", "ba"),
            ("$5", "5"),
            ("\\frac{3}{2}x", "1.5x"),
            ("3x^2", "3*x*x"),
            ("inf", "inf"),
            ("nan", "nan"),
            ("12 inches", "12"),
            ("14.0", "14"),
            ("14.5", "14.50"),
            ("x y", "yx"),
            ("\\dfrac{1}{3}", "1/3"),
            ("(0.5,1)", "(1/2,1)"),
            ("\\left(1,2\\right)", "(1,2)"),
            ("1_000", "1000"),
            ("5.0%", "5%"),
            ("3.10", "3.1"),
            ("x^{2}", "x^2"),
        ] {
            case(given, truth, true);
        }
        for (given, truth) in [
            ("A", "(A) left"),
            ("2/4", "1/2"),
            ("[1,2]", "(1,2)"),
            ("2^3", "8"),
            ("sqrt(4)", "2"),
            ("\\sqrt{2}", "2^{0.5}"),
            ("1.41421356", "\\sqrt2"),
            ("three", "3"),
            ("3 million", "3000000"),
            ("", "a"),
            ("10^10", "10000000000"),
            ("1/3", "0.3333333"),
            ("today", "tos"),
            ("abc", "bca"),
            ("1,2", "2,1"),
            ("4!", "24"),
            ("2(3+4)", "14"),
            ("1:2", "1/2"),
            ("2**3", "8"),
            ("√4", "2"),
            ("a", ""),
        ] {
            case(given, truth, false);
        }
    }

    proptest! {
    #[test]
    fn an_answer_equals_itself(text in "[a-z0-9+*/^().,\\\\{}% -]{0,16}") {
        prop_assert!(same_answer(&text, &text));
    }
    }
}
