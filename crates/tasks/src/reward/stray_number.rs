//! The number a general-purpose verifier of mathematics (math-verify) takes for the answer of a free text: one that
//! follows "final answer … is", else one that follows "answer", else any; of several, the last. Numbers count where they
//! stand at a word's beginning, with thousands, decimals and percent, and so does arithmetic like `3/4`. LaTeX is not
//! looked for.

use super::arithmetic::value_at;

/// A number of a text and where it lies.
struct Found {
    begin: usize,
    end: usize,
    value: f64,
}

/// The number a text is taken to say.
pub(super) fn stray_number(text: &str) -> Option<f64> {
    let numbers = scan(text);
    let lower = text.to_ascii_lowercase();
    let last =
        |announced: Vec<&Found>| announced.into_iter().max_by_key(|found| found.end).map(|found| found.value);
    last(final_answers(text, &lower, &numbers))
        .or_else(|| last(answers(text, &lower, &numbers, "answer:")))
        .or_else(|| last(answers(text, &lower, &numbers, "answer")))
        .or_else(|| last(numbers.iter().collect()))
}

/// The numbers right after "final answer … is".
fn final_answers<'a>(text: &str, lower: &str, numbers: &'a [Found]) -> Vec<&'a Found> {
    let cue = "final answer";
    let after = |at: usize| {
        let from = at + cue.len();
        let window: usize = text[from..].chars().take(104).map(char::len_utf8).sum();
        let is = lower[from..from + window].find(" is").map(|is| from + is + 3)?;
        let is = is + usize::from(text[is..].starts_with(':'));
        numbers.iter().find(|found| found.begin >= is && text[is..found.begin].trim().is_empty())
    };
    lower.match_indices(cue).filter_map(|(at, _)| after(at)).collect()
}

/// The numbers that follow a cue on its line: within fifty characters, or within a hundred after a `=`.
fn answers<'a>(text: &str, lower: &str, numbers: &'a [Found], cue: &str) -> Vec<&'a Found> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = lower[from..].find(cue) {
        let begin = from + at + cue.len();
        let near = |limit: usize, number: &Found| {
            let between = text.get(begin..number.begin);
            between.is_some_and(|between| {
                between.chars().count() <= limit + 1 && !between.trim_end().contains('\n')
            })
        };
        let follows = |number: &&Found| !text[number.end..].trim_start().starts_with('=');
        let equals = |number: &&Found| text[..number.begin].trim_end().ends_with('=');
        let mut later = numbers.iter().filter(|number| number.begin >= begin).filter(follows);
        let number = later
            .clone()
            .filter(equals)
            .rfind(|number| near(100, number))
            .or_else(|| later.find(|number| near(50, number)));
        from = number.map_or(begin, |number| number.end);
        found.extend(number);
    }
    found
}

/// Every number that begins a word, or an expression of numbers, from the left.
fn scan(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let mut begins = true;
    let mut skip = 0;
    for (at, c) in text.char_indices() {
        if at >= skip && begins {
            let start = at + if is_currency(c) { c.len_utf8() } else { 0 };
            if let Some((value, length)) = number(&text[start..]) {
                let (value, length) = expression(&text[at..]).unwrap_or((value, start - at + length));
                found.push(Found { begin: at, end: at + length, value });
                skip = at + length;
            }
        }
        // Two stars, which set bold, may stand before a number.
        begins = c.is_whitespace()
            || c == '='
            || (c == '*' && text[..at + 1].ends_with("**") && {
                let before = &text[..at - 1];
                before.is_empty() || before.ends_with(|c: char| c.is_whitespace() || c == '=')
            });
    }
    found
}

fn is_currency(c: char) -> bool {
    c == '$' || ('\u{20a0}'..='\u{20bf}').contains(&c) || matches!(c, '£' | '¥' | '฿')
}

/// The number a text opens with and its length.
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
    let after = text[end..].trim_start();
    let percent = ["%", "percent", "Percent", "pct", "Pct"].iter().find(|word| after.starts_with(**word));
    let length = percent.map_or(end, |word| text.len() - after.len() + word.len());
    Some((if percent.is_some() { value / 100.0 } else { value }, length))
}

/// The arithmetic a text opens with: at least one operator after its first digit, and a word's end behind it.
fn expression(text: &str) -> Option<(f64, usize)> {
    let part = |c: char| c.is_ascii_digit() || c.is_whitespace() || ".+-*×/^()÷".contains(c);
    let end = text.find(|c| !part(c)).unwrap_or(text.len());
    let run = text[..end].trim_end();
    let closed = text[run.len()..].chars().next().is_none_or(|c| c.is_whitespace() || ".,:)$".contains(c));
    let run = run.strip_suffix('.').unwrap_or(run);
    let operator = run.get(1..)?.contains(['+', '-', '*', '×', '/', '^', '÷']);
    (closed && operator).then(|| value_at(run, 0).map(|value| (value, run.len())))?
}
