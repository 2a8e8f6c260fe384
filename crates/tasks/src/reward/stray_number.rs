//! What a general-purpose verifier of mathematics (math-verify) takes for the answer of a free text: what follows
//! "final answer … is" or stands in a box, else what follows "answer", else any number or formula; of several, the last.
//! Numbers count where they stand at a word's beginning, with thousands, decimals and percent, and so does arithmetic
//! like `3/4`, which hides the numbers in it until it proves to be none. Formulas are `stray_latex`'s.

use super::arithmetic::value_with_roots;
use super::stray_latex::{Formula, Value, bare_box, formula_at, formulas};
use crate::format::tags::is_blank;

/// A number or an expression and where it lies. An expression that cannot be computed has no value, but hides the
/// number it begins with.
#[derive(Clone, Copy)]
struct Found {
    begin: usize,
    end: usize,
    value: Option<f64>,
    percent: bool,
}

/// What a text is taken to say: a value, and how the first thing that was tried is written. The verifier compares both.
#[derive(Debug, Default)]
pub(super) struct Stray {
    value: Option<Value>,
    text: String,
}

impl Stray {
    /// Whether the verifier takes two texts to say the same.
    pub(super) fn same(&self, other: &Stray) -> bool {
        let values = self.value.as_ref().zip(other.value.as_ref()).is_some_and(|(a, b)| a.same(b));
        values || (!self.text.is_empty() && self.text == other.text)
    }
}

/// Reads a text.
pub(super) fn stray(text: &str) -> Stray {
    let starts = word_starts(text);
    let numbers = scan(&starts, |at| number_at(text, at));
    let expressions = scan(&starts, |at| expression_at(text, at));
    let hidden = |number: &&Found| !expressions.iter().any(|e| e.begin == number.begin);
    let mut both: Vec<Found> = expressions.iter().chain(numbers.iter().filter(hidden)).copied().collect();
    both.sort_by_key(|found| found.begin);
    let lower = text.to_ascii_lowercase();
    let written =
        |found: Vec<Found>| -> Vec<Formula> { found.iter().map(|found| found.formula(text)).collect() };
    let all: Vec<Found> = expressions.iter().chain(&numbers).copied().collect();
    let groups: [&dyn Fn() -> Vec<Formula>; 4] = [
        &|| {
            let mut found = written(final_answers(text, &lower, &both));
            found.extend(formulas_after_final(text, &lower));
            found.extend(formulas(text, true));
            found.extend(bare_box(text));
            found
        },
        &|| {
            let mut found = written(answers(text, &lower, &both, "answer:"));
            found.extend(formulas_after(text, &lower, "answer:"));
            found
        },
        &|| {
            let mut found = written(answers(text, &lower, &both, "answer"));
            found.extend(formulas_after(text, &lower, "answer"));
            found
        },
        &|| {
            let mut found = formulas(text, false);
            found.extend(written(all.clone()));
            found
        },
    ];
    let mut said = Stray::default();
    for group in groups {
        let mut found = group();
        found.sort_by_key(|found| std::cmp::Reverse((found.end, std::cmp::Reverse(found.begin))));
        for found in found {
            if said.text.is_empty() {
                said.text = found.text.trim_matches(is_blank).to_owned();
            }
            if found.value.is_some() {
                said.value = found.value;
                return said;
            }
        }
    }
    said
}

impl Found {
    fn formula(&self, text: &str) -> Formula {
        let raw = &text[self.begin..self.end];
        let number = |value: f64| Value::Number { value, percent: self.percent };
        // Numbers are written back without marks between thousands and zeros before them.
        let plain = number_text(raw).unwrap_or_else(|| raw.to_owned());
        Formula { begin: self.begin, end: self.end, value: self.value.map(number), text: plain }
    }
}

/// A number as the verifier writes it, `None` of an expression.
fn number_text(raw: &str) -> Option<String> {
    let raw = raw.trim_start_matches(is_currency);
    let end = raw.find(|c: char| !(c.is_ascii_digit() || "-., ".contains(c))).unwrap_or(raw.len());
    let (digits, after) = (raw[..end].trim_end_matches(is_blank), raw[end..].trim_matches(is_blank));
    if !(after.is_empty() || after.starts_with(['%', 'p', 'P']))
        || digits[1.min(digits.len())..].contains('-')
    {
        return None;
    }
    let (value, _) = number(digits)?;
    let decimals = digits
        .rfind(['.', ','])
        .filter(|at| *at == 0 || digits.len() - at != 4 || digits[*at..].starts_with('.'));
    let (whole, decimals) = digits.split_at(decimals.unwrap_or(digits.len()));
    let whole: String = whole.chars().filter(|c| !matches!(c, ',' | ' ')).collect();
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    value.is_finite().then(|| format!("{whole}{}", decimals.replace(',', ".")))
}

/// Formulas right after "final answer … is".
fn formulas_after_final(text: &str, lower: &str) -> Vec<Formula> {
    let cue = "final answer";
    let after = |at: usize| {
        let from = at + cue.len();
        let window: usize = text[from..].chars().take(104).map(char::len_utf8).sum();
        lower[from..from + window].match_indices("is").find_map(|(is, _)| {
            let blank = text[..from + is].ends_with(is_blank);
            let rest = &text[from + is + 2..];
            let rest = rest.strip_prefix(':').unwrap_or(rest).trim_start_matches(is_blank);
            formula_at(text, text.len() - rest.len(), false)
                .filter(|_| blank)
                .map(|found| Formula { begin: at, ..found })
        })
    };
    lower.match_indices(cue).filter_map(|(at, _)| after(at)).collect()
}

/// The first formula within fifty characters of each cue.
fn formulas_after(text: &str, lower: &str, cue: &str) -> Vec<Formula> {
    let mut found: Vec<Formula> = Vec::new();
    for (at, _) in lower.match_indices(cue) {
        if found.last().is_some_and(|last| last.end > at) {
            continue;
        }
        let from = at + cue.len();
        let places = text[from..].char_indices().map(|(place, _)| from + place).take(51);
        let next = places.clone().find_map(|place| formula_at(text, place, false));
        found.extend(next.map(|found| Formula { begin: at, ..found }));
    }
    found
}

/// The numbers right after "final answer … is".
fn final_answers(text: &str, lower: &str, numbers: &[Found]) -> Vec<Found> {
    let cue = "final answer";
    let after = |at: usize| {
        let from = at + cue.len();
        let window: usize = text[from..].chars().take(104).map(char::len_utf8).sum();
        lower[from..from + window].match_indices("is").find_map(|(place, _)| {
            let (before, is) = (&text[..from + place], from + place + 2);
            let is = is + usize::from(text[is..].starts_with(':'));
            // One blank or `=` may come before, and the stars of bold type.
            let joined = |found: &&Found| {
                let between = text.get(is..found.begin).unwrap_or("no");
                let mut mark = between.strip_suffix("**").unwrap_or(between).chars();
                mark.next().is_some_and(|c| is_blank(c) || c == '=') && mark.next().is_none()
            };
            numbers.iter().find(joined).filter(|_| before.ends_with(is_blank)).copied()
        })
    };
    lower.match_indices(cue).filter_map(|(at, _)| after(at)).collect()
}

/// The numbers that follow a cue on its line: within a hundred characters and right after a `=`, else within fifty.
fn answers(text: &str, lower: &str, numbers: &[Found], cue: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = lower[from..].find(cue) {
        let begin = from + at + cue.len();
        // What lies between the cue and the blank before the number.
        let near = |limit: usize, number: &Found| {
            let between = text.get(begin..number.begin).unwrap_or_default();
            let between = between.strip_suffix("**").unwrap_or(between);
            let mut between = between.chars();
            between.next_back();
            between.as_str().chars().count() <= limit && !between.as_str().contains('\n')
        };
        let later: Vec<Found> = numbers
            .iter()
            .filter(|number| number.begin >= begin)
            .filter_map(|number| not_before_equals(text, *number))
            .collect();
        let equals = |number: &&Found| text[begin..number.begin].trim_end_matches(is_blank).ends_with('=');
        let mut later = later.iter();
        let number = later
            .clone()
            .filter(equals)
            .rfind(|number| near(101, number))
            .or_else(|| later.find(|number| near(50, number)));
        from = number.map_or(begin, |number| number.end);
        found.extend(number);
    }
    found
}

/// A number that no `=` follows, or as much of it as none follows: without its percent sign, else without its last digit.
fn not_before_equals(text: &str, number: Found) -> Option<Found> {
    if !text[number.end..].trim_start_matches(is_blank).starts_with('=') {
        return Some(number);
    }
    let raw = &text[number.begin..number.end];
    if number.percent {
        let end = raw.rfind(|c: char| c.is_ascii_digit())? + 1;
        return Some(Found { end: number.begin + end, percent: false, ..number });
    }
    let shorter = raw.get(..raw.len().checked_sub(1)?)?;
    let whole = !shorter.is_empty() && raw.bytes().all(|b| b.is_ascii_digit());
    whole.then(|| Found { end: number.end - 1, value: shorter.parse().ok(), ..number })
}

/// Where a number may begin: at the start, after a blank or `=`, and after the two stars of bold type there.
fn word_starts(text: &str) -> Vec<usize> {
    let separates = |c: char| is_blank(c) || c == '=';
    let mut starts: Vec<usize> = std::iter::once(0)
        .chain(text.char_indices().filter(|(_, c)| separates(*c)).map(|(at, c)| at + c.len_utf8()))
        .collect();
    let bold: Vec<usize> =
        starts.iter().filter(|at| text[**at..].starts_with("**")).map(|at| at + 2).collect();
    starts.extend(bold);
    starts.sort_unstable();
    starts
}

/// What `read` finds at those places, none inside another.
fn scan(starts: &[usize], read: impl Fn(usize) -> Option<Found>) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for &at in starts {
        if found.last().is_none_or(|last| last.end <= at) {
            found.extend(read(at));
        }
    }
    found
}

fn number_at(text: &str, begin: usize) -> Option<Found> {
    let currency = text[begin..].chars().next().filter(|c| is_currency(*c)).map_or(0, char::len_utf8);
    let (value, length) = number(&text[begin + currency..])?;
    let percent =
        text[begin + currency..begin + currency + length].ends_with(|c: char| c == '%' || c.is_alphabetic());
    Some(Found { begin, end: begin + currency + length, value: Some(value), percent })
}

/// Arithmetic: a digit, perhaps in a bracket, an operator and something behind it, up to the last mark or blank that may
/// end it.
fn expression_at(text: &str, begin: usize) -> Option<Found> {
    let rest = &text[begin..];
    let bare = rest.strip_prefix('-').unwrap_or(rest);
    let bare = bare.strip_prefix('(').unwrap_or(bare);
    let bare = bare.strip_prefix('-').unwrap_or(bare);
    if !bare.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let first = rest.len() - bare.len() + 1;
    let operator = |c: char| "+-*×/^()÷".contains(c);
    let run = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || is_blank(c) || operator(c)));
    let run = &rest[..run.unwrap_or(rest.len())];
    let ended = rest[run.len()..].chars().next().is_none_or(|c| matches!(c, ',' | ':' | '$'));
    let end = if ended { run.len() } else { run.rfind(|c: char| c == '.' || c == ')' || is_blank(c))? };
    let inside = rest.get(first..end)?;
    let mut marks = inside.char_indices().filter(|(_, c)| operator(*c));
    if !marks.any(|(at, c)| at + c.len_utf8() < inside.len()) {
        return None;
    }
    let whole = &rest[..end];
    // Products need their sign in the language the verifier computes in, and only its own signs.
    let tight: Vec<char> = whole.chars().filter(|c| !is_blank(*c)).collect();
    let implied = tight.windows(2).any(|pair| pair[1] == '(' && (pair[0].is_ascii_digit() || pair[0] == ')'))
        || tight.windows(2).any(|pair| pair[0] == ')' && pair[1].is_ascii_digit());
    let value = if implied || whole.contains(['×', '÷']) { None } else { value_with_roots(whole) };
    Some(Found { begin, end: begin + end, value, percent: false })
}

fn is_currency(c: char) -> bool {
    c == '$' || ('\u{20a0}'..='\u{20bf}').contains(&c) || matches!(c, '£' | '¥' | '฿')
}

/// The number a text opens with and its length, a percent sign or word included.
fn number(text: &str) -> Option<(f64, usize)> {
    let bytes = text.as_bytes();
    let run = |from: usize| {
        bytes.get(from..).map_or(0, |rest| rest.iter().take_while(|b| b.is_ascii_digit()).count())
    };
    let sign = usize::from(bytes.first() == Some(&b'-'));
    let mut end = sign + run(sign);
    let mut digits = text[..end].to_owned();
    let grouped = (1..=3).contains(&(end - sign)) && bytes[sign] != b'0';
    if grouped {
        while matches!(bytes.get(end), Some(b',' | b' ')) && run(end + 1) >= 3 {
            digits.push_str(&text[end + 1..end + 4]);
            end += 4;
        }
    }
    let separators: &[u8] = if digits.len() == end { b".," } else { b"." };
    if end == sign && (sign == 1 || bytes.first() != Some(&b'.')) {
        return None;
    }
    if bytes.get(end).is_some_and(|b| separators.contains(b)) && run(end + 1) > 0 {
        digits.push('.');
        digits.push_str(&text[end + 1..end + 1 + run(end + 1)]);
        end += 1 + run(end + 1);
    }
    let value: f64 = digits.parse().ok()?;
    let after = text[end..].trim_start_matches(is_blank);
    let percent = ["%", "percent", "Percent", "pct", "Pct"].iter().find(|word| after.starts_with(**word));
    let length = percent.map_or(end, |word| text.len() - after.len() + word.len());
    Some((value, length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From `parse(text)` of math-verify 0.9.
    #[test]
    fn stray_numbers_are_math_verifys() {
        let case = |text: &str, expect: Option<f64>| {
            let found = stray(text);
            let same =
                |number: f64| found.value.as_ref().is_some_and(|value| value.same(&Value::number(number)));
            assert!(expect.map_or(found.value.is_none(), same), "{text:?}: {found:?}");
        };
        case("I saw 2 chairs", Some(2.0));
        case("The answer is 12", Some(12.0));
        case("12, 13", Some(13.0));
        case("first 3 then 4 then 5", Some(5.0));
        case("1,000 apples", Some(1000.0));
        case("50%", Some(0.5));
        case("x = 5", Some(5.0));
        case("a 0.5 m", Some(0.5));
        case("room1 and room 2 go", Some(2.0));
        case("3D", Some(3.0));
        case("turn right 90 degrees and left 45 degrees", Some(45.0));
        case("2:30", Some(2.0));
        case("-3", Some(-3.0));
        case("1/2", Some(0.5));
        case("Hence, the correct answer is 7 ok. And 8", Some(7.0));
        for none in ["", "nothing", "<answer>B</answer>", "A. left B. right", "room1", "answer"] {
            case(none, None);
        }
    }

    /// What hides a number and what does not; from the same.
    #[test]
    fn expressions_hide_numbers() {
        let case = |text: &str, expect: Option<f64>| {
            let found = stray(text);
            let same =
                |number: f64| found.value.as_ref().is_some_and(|value| value.same(&Value::number(number)));
            assert!(expect.map_or(found.value.is_none(), same), "{text:?}: {found:?}");
        };
        case("12:. then -3. 3 + 4. turn left", Some(4.0));
        case("then -3\n10-15 m", Some(10.0));
        case("10-15 m", Some(-5.0));
        case("<answer>the answer is 7 **8**", Some(8.0));
        case("<answer>= 5 2 - 3 steps go 2 or 3 steps</answer>", Some(3.0));
        case("3 + 4, $5", Some(5.0));
    }

    /// From `verify(parse(a), parse(b))` of the same.
    #[test]
    fn formulas_are_math_verifys() {
        let case = |a: &str, b: &str, expect: bool| {
            assert_eq!((stray(a).same(&stray(b)), stray(b).same(&stray(a))), (expect, expect), "{a:?} {b:?}");
        };
        case("I see \\boxed{3} and 5", "3", true);
        case("$3$ then 4", "4", true);
        case("4 then $3$", "$x=3$", true);
        case("the answer is $5$ then 6", "5", true);
        case("$\\boxed{12}$ final answer is 4", "4", true);
        case("50%", "50", true);
        case("\\boxed{50\\%}", "0.5", true);
        case("\\boxed{A}", "$A$", true);
        case("\\boxed{A}", "$B$", false);
        case("\\boxed{3} and \\boxed{4}", "$4$, $3$", true);
        case("$3$, $4$", "3", false);
        case("\\boxed{}", "$3$", false);
        case("room 1,000", "1000", true);
        case("go **8** 0.5 is", "0.5", false);
        case("Answer: \n $5 steps $$x=3$$", "3", false);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(answer|final answer is|[0-9]{1,4}|[.,:=*$%()/+é×\n -]|is){0,16}") {
            stray(&text);
        }
    }
}
