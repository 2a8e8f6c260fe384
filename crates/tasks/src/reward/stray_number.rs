//! What a general-purpose verifier of mathematics (math-verify) takes for the answer of a free text: what follows
//! "final answer … is" or stands in a box, else what follows "answer", else any number or formula; of several, the last.
//! Numbers count where they stand at a word's beginning, with thousands, decimals and percent, and so does arithmetic
//! like `3/4`, which hides the numbers in it until it proves to be none. Formulas are `stray_latex`'s.

mod ending;
#[cfg(test)]
mod tests;

use ending::not_before_equals;

use super::arithmetic::value_with_roots;
use super::stray_latex::{Form, Formula, Value, bare_box, formula_at, formulas};
use crate::format::tags::is_blank;

/// A number or an expression and where it lies. An expression that cannot be computed has no value, but hides the
/// number it begins with.
#[derive(Clone, Copy)]
struct Found {
    begin: usize,
    end: usize,
    value: Option<f64>,
    percent: bool,
    /// Of an expression: whether a part was too small to count.
    lost: bool,
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
        // Numbers are written back without marks between thousands and zeros before them.
        let plain = number_text(raw);
        let form = match &plain {
            None if self.lost => Form::Rounded,
            None => Form::Computed,
            Some(plain) if plain.contains('.') => Form::Decimal,
            Some(_) => Form::Whole,
        };
        let number = |value: f64| Value::Number { value, percent: self.percent, form };
        let plain = plain.unwrap_or_else(|| raw.to_owned());
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
            let line = !text[from..from + place].trim_end_matches(is_blank).contains('\n');
            let is = is + usize::from(text[is..].starts_with(':'));
            // One blank or `=` may come before, and the stars of bold type.
            let joined = |found: &&Found| {
                let between = text.get(is..found.begin).unwrap_or("no");
                let mut mark = between.strip_suffix("**").unwrap_or(between).chars();
                mark.next().is_some_and(|c| is_blank(c) || c == '=') && mark.next().is_none()
            };
            numbers.iter().find(joined).filter(|_| line && before.ends_with(is_blank)).copied()
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
        let before = |number: &Found| {
            let between = text.get(begin..number.begin).unwrap_or_default();
            let mut between = between.strip_suffix("**").unwrap_or(between).chars();
            between.next_back();
            between.as_str()
        };
        let near = |limit: usize, between: &str| between.chars().count() <= limit && !between.contains('\n');
        let later: Vec<Found> = numbers
            .iter()
            .filter(|number| number.begin >= begin)
            .filter_map(|number| not_before_equals(text, *number))
            .collect();
        // The `=` and the blank before the number are two.
        let equals = |number: &&Found| {
            let between = before(number).trim_end_matches(is_blank).strip_suffix('=');
            between.is_some_and(|between| near(100, between))
        };
        let mut later = later.iter();
        let number = later.clone().rfind(equals).or_else(|| later.find(|number| near(50, before(number))));
        from = number.map_or(begin, |number| number.end);
        found.extend(number);
    }
    found
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
    let from = begin + currency_at(text, begin);
    let (value, length) = number(&text[from..])?;
    let percent = text[from..from + length].ends_with(|c: char| c == '%' || c.is_alphabetic());
    Some(Found { begin, end: from + length, value: Some(value), percent, lost: false })
}

/// Length of a sign of money.
fn currency_at(text: &str, begin: usize) -> usize {
    text[begin..].chars().next().filter(|c| is_currency(*c)).map_or(0, char::len_utf8)
}

/// The end of a percent sign or word that follows.
fn percent_at(text: &str, end: usize) -> Option<usize> {
    let after = text[end..].trim_start_matches(is_blank);
    let word = ["%", "percent", "Percent", "pct", "Pct"].into_iter().find(|word| after.starts_with(*word))?;
    Some(text.len() - after.len() + word.len())
}

/// Arithmetic: a digit, perhaps in a bracket, an operator and something behind it, up to the last mark or blank that may
/// end it.
fn expression_at(text: &str, begin: usize) -> Option<Found> {
    let rest = &text[begin..];
    let end = expression_end(rest)?;
    Some(expression(&rest[..end], begin))
}

fn is_operator(c: char) -> bool {
    "+-*×/^()÷".contains(c)
}

/// How long the expression is that a text opens with.
fn expression_end(rest: &str) -> Option<usize> {
    let bare = rest.strip_prefix('-').unwrap_or(rest);
    let bare = bare.strip_prefix('(').unwrap_or(bare);
    let bare = bare.strip_prefix('-').unwrap_or(bare);
    if !bare.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let first = rest.len() - bare.len() + 1;
    let run = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || is_blank(c) || is_operator(c)));
    let run = &rest[..run.unwrap_or(rest.len())];
    let ended = rest[run.len()..].chars().next().is_none_or(|c| matches!(c, ',' | ':' | '$'));
    let end = if ended { run.len() } else { run.rfind(|c: char| c == '.' || c == ')' || is_blank(c))? };
    let inside = rest.get(first..end)?;
    let mut marks = inside.char_indices().filter(|(_, c)| is_operator(*c));
    marks.any(|(at, c)| at + c.len_utf8() < inside.len()).then_some(end)
}

fn expression(whole: &str, begin: usize) -> Found {
    // Products need their sign in the language the verifier computes in, and only its own signs.
    let tight: Vec<char> = whole.chars().filter(|c| !is_blank(*c)).collect();
    let implied = tight.windows(2).any(|pair| pair[1] == '(' && (pair[0].is_ascii_digit() || pair[0] == ')'))
        || tight.windows(2).any(|pair| pair[0] == ')' && pair[1].is_ascii_digit());
    let spaced: String = whole.chars().map(|c| if is_blank(c) { ' ' } else { c }).collect();
    let value = if implied || whole.contains(['×', '÷']) { None } else { value_with_roots(&spaced) };
    let (value, lost) = value.map_or((None, false), |(value, lost)| (Some(value), lost));
    Found { begin, end: begin + whole.len(), value, percent: false, lost }
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
    Some((value, percent_at(text, end).unwrap_or(end)))
}
