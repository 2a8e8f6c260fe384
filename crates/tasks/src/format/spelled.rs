//! Numbers in English words: "four", "twenty-three", "two and a half", "a dozen", "minus five", "three quarters"; and the
//! ways to write digits and fractions, brought to one.

/// Words that are numbers below a hundred.
const SMALL: &[(&str, f64)] = &[
    ("zero", 0.0),
    ("one", 1.0),
    ("two", 2.0),
    ("three", 3.0),
    ("four", 4.0),
    ("five", 5.0),
    ("six", 6.0),
    ("seven", 7.0),
    ("eight", 8.0),
    ("nine", 9.0),
    ("ten", 10.0),
    ("eleven", 11.0),
    ("twelve", 12.0),
    ("thirteen", 13.0),
    ("fourteen", 14.0),
    ("fifteen", 15.0),
    ("sixteen", 16.0),
    ("seventeen", 17.0),
    ("eighteen", 18.0),
    ("nineteen", 19.0),
    ("twenty", 20.0),
    ("thirty", 30.0),
    ("forty", 40.0),
    ("fifty", 50.0),
    ("sixty", 60.0),
    ("seventy", 70.0),
    ("eighty", 80.0),
    ("ninety", 90.0),
];

/// Words that multiply what stands before them.
const LARGE: &[(&str, f64)] =
    &[("dozen", 12.0), ("hundred", 100.0), ("thousand", 1000.0), ("million", 1_000_000.0)];

/// Parts of one.
const PARTS: &[(&str, f64)] = &[
    ("half", 0.5),
    ("halves", 0.5),
    ("third", 1.0 / 3.0),
    ("thirds", 1.0 / 3.0),
    ("quarter", 0.25),
    ("quarters", 0.25),
];

/// Words that may stand before a single "one" that counts; elsewhere it is a pronoun.
const BEFORE_ONE: &[&str] =
    &["is", "are", "answer", "exactly", "only", "about", "around", "approximately", "just"];

fn value(table: &[(&str, f64)], word: &str) -> Option<f64> {
    table.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
}

/// The only number that a text spells out, and the word after it; `None` if there is none or several.
pub(super) fn spelled(text: &str) -> Option<(f64, Option<String>)> {
    let lower = text.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty()).collect();
    let mut found = None;
    let mut at = 0;
    while at < words.len() {
        let Some((number, length)) = number(&words[at..]) else {
            at += 1;
            continue;
        };
        let before = at.checked_sub(1).map(|before| words[before]);
        let pronoun = length == 1
            && words[at] == "one"
            && (words.get(at + 1) == Some(&"of")
                || before.is_some_and(|before| !BEFORE_ONE.contains(&before) && before != "minus"));
        if !pronoun {
            if found.is_some() {
                return None;
            }
            let sign = if matches!(before, Some("minus" | "negative")) { -1.0 } else { 1.0 };
            found = Some((sign * number, words.get(at + length).map(|word| (*word).to_owned())));
        }
        at += length;
    }
    found
}

/// The number that words begin with, and how many of them it takes.
fn number(words: &[&str]) -> Option<(f64, usize)> {
    let (mut total, mut group, mut at, mut last) = (0.0, 0.0, 0, f64::INFINITY);
    let article = |at: usize| matches!(words.get(at), Some(&("a" | "an")));
    if article(0) {
        let next = *words.get(1)?;
        if let Some(part) = value(PARTS, next).filter(|_| next != "third") {
            return Some((part, 2));
        }
        value(LARGE, next)?;
        (group, at, last) = (1.0, 1, 1.0);
    }
    loop {
        let word = words.get(at).copied().unwrap_or_default();
        if let Some(small) = value(SMALL, word) {
            // "two three" are two numbers, "twenty three" and "hundred three" are one.
            let fits = last.is_infinite() || last >= 100.0 || (last >= 20.0 && small < 10.0 && small > 0.0);
            if !fits {
                break;
            }
            (group, last) = (group + small, small);
        } else if let Some(large) = value(LARGE, word).filter(|_| group > 0.0) {
            if large >= 1000.0 {
                (total, group) = (total + group * large, 0.0);
            } else {
                group *= large;
            }
            last = large;
        } else if let Some(part) = value(PARTS, word).filter(|_| group > 0.0 && total == 0.0 && at == 1) {
            return Some((group * part, 2));
        } else if word == "and" && at > 0 {
            let half = words.get(at + 2).and_then(|part| value(PARTS, part)).filter(|_| article(at + 1));
            if let Some(part) = half {
                return Some((total + group + part, at + 3));
            }
            let more = words.get(at + 1).is_some_and(|next| value(SMALL, next).is_some());
            if last < 100.0 || !more {
                break;
            }
        } else {
            break;
        }
        at += 1;
    }
    (at > 0).then_some((total + group, at))
}

/// A text with its numbers in plain spelling: digits of every script, fractions of one character and of LaTeX,
/// thousands that blanks set apart.
pub(super) fn plain(text: &str) -> String {
    const FRACTIONS: &[(char, &str)] = &[
        ('½', "1/2"),
        ('⅓', "1/3"),
        ('⅔', "2/3"),
        ('¼', "1/4"),
        ('¾', "3/4"),
        ('⅕', "1/5"),
        ('⅖', "2/5"),
        ('⅗', "3/5"),
        ('⅘', "4/5"),
        ('⅙', "1/6"),
        ('⅛', "1/8"),
        ('⅜', "3/8"),
        ('⅝', "5/8"),
        ('⅞', "7/8"),
    ];
    let text = text.replace("\\%", "%").replace("\\,", "").replace("\\text{", "{");
    let text = with_fractions(&text).unwrap_or(text);
    let chars: Vec<char> = text.chars().collect();
    let mut plain = String::with_capacity(text.len());
    for (at, &c) in chars.iter().enumerate() {
        let digits = |from: usize| chars.iter().skip(from).take_while(|c| c.is_ascii_digit()).count();
        let thousands = matches!(c, '\u{a0}' | '\u{202f}' | '\u{2009}' | '\'')
            && plain.ends_with(|c: char| c.is_ascii_digit())
            && digits(at + 1) == 3;
        match FRACTIONS.iter().find(|(sign, _)| *sign == c) {
            _ if thousands => {}
            Some((_, fraction)) => {
                if plain.ends_with(|c: char| c.is_ascii_digit()) {
                    plain.push(' ');
                }
                plain.push_str(fraction);
            }
            None => plain.push(match c {
                '．' => '.',
                '，' => ',',
                '％' => '%',
                '⁄' | '∕' => '/',
                c => crate::python::digit(c).and_then(|value| char::from_digit(value, 10)).unwrap_or(c),
            }),
        }
    }
    plain
}

/// `\frac{1}{2}`, `\dfrac12` as `1/2`, after a blank where a whole number stands before it.
fn with_fractions(text: &str) -> Option<String> {
    let (before, after) = text.split_once("frac")?;
    let before = before.strip_suffix(['d', 't']).unwrap_or(before).strip_suffix('\\')?;
    let part = |text: &str| -> Option<(String, usize)> {
        match text.strip_prefix('{') {
            Some(inside) => inside.find('}').map(|end| (inside[..end].trim().to_owned(), end + 2)),
            None => text.chars().next().filter(char::is_ascii_digit).map(|c| (c.to_string(), 1)),
        }
    };
    let (above, used) = part(after)?;
    let (below, more) = part(&after[used..])?;
    let whole = before.ends_with(|c: char| c.is_ascii_digit());
    let rest = &after[used + more..];
    let rest = with_fractions(rest).unwrap_or_else(|| rest.to_owned());
    Some(format!("{before}{}{above}/{below}{rest}", if whole { " " } else { "" }))
}

/// A text without what stands in brackets, which explains.
pub(super) fn without_brackets(text: &str) -> String {
    let mut depth = 0usize;
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        depth += usize::from(matches!(c, '(' | '（'));
        if depth == 0 {
            plain.push(c);
        }
        depth = depth.saturating_sub(usize::from(matches!(c, ')' | '）')));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_words() {
        let check = |text: &str, expect: Option<f64>| {
            assert_eq!(spelled(text).map(|(value, _)| value), expect, "{text:?}");
        };
        check("four", Some(4.0));
        check("There are four chairs.", Some(4.0));
        check("Twenty-three", Some(23.0));
        check("one hundred and five", Some(105.0));
        check("two thousand three hundred", Some(2300.0));
        check("two and a half meters", Some(2.5));
        check("half a meter", None);
        check("a half", Some(0.5));
        check("three quarters", Some(0.75));
        check("a dozen", Some(12.0));
        check("minus five", Some(-5.0));
        check("one", Some(1.0));
        check("There is one chair.", Some(1.0));
        check("One of them is red", None);
        check("the red one", None);
        check("three or four", None);
        check("two three", None);
        check("the chair", None);
        check("", None);
        assert_eq!(spelled("fifty percent"), Some((50.0, Some("percent".to_owned()))));
    }
}
