//! The number a general-purpose verifier of mathematics (math-verify) takes for the answer of a free text: one that
//! follows "final answer … is", else one that follows "answer", else any; of several, the last. Numbers count where they
//! stand at a word's beginning, with thousands, decimals and percent, and so does arithmetic like `3/4`, which hides the
//! numbers in it until it proves to be none. LaTeX is not looked for.

use super::arithmetic::value_at;

/// A number or an expression and where it lies. An expression that cannot be computed has no value, but hides the
/// number it begins with.
#[derive(Clone, Copy)]
struct Found {
    begin: usize,
    end: usize,
    value: Option<f64>,
}

/// The number a text is taken to say.
pub(super) fn stray_number(text: &str) -> Option<f64> {
    let starts = word_starts(text);
    let numbers = scan(&starts, |at| number_at(text, at));
    let expressions = scan(&starts, |at| expression_at(text, at));
    let hidden = |number: &&Found| !expressions.iter().any(|e| e.begin == number.begin);
    let mut both: Vec<Found> = expressions.iter().chain(numbers.iter().filter(hidden)).copied().collect();
    both.sort_by_key(|found| found.begin);
    let lower = text.to_ascii_lowercase();
    let last = |mut found: Vec<Found>| {
        found.sort_by_key(|found| (found.end, std::cmp::Reverse(found.begin)));
        found.into_iter().rev().find_map(|found| found.value)
    };
    last(final_answers(text, &lower, &both))
        .or_else(|| last(answers(text, &lower, &both, "answer:")))
        .or_else(|| last(answers(text, &lower, &both, "answer")))
        .or_else(|| last(expressions.iter().chain(&numbers).copied().collect()))
}

/// The numbers right after "final answer … is".
fn final_answers(text: &str, lower: &str, numbers: &[Found]) -> Vec<Found> {
    let cue = "final answer";
    let after = |at: usize| {
        let from = at + cue.len();
        let window: usize = text[from..].chars().take(104).map(char::len_utf8).sum();
        let is = lower[from..from + window].find(" is").map(|is| from + is + 3)?;
        let is = is + usize::from(text[is..].starts_with(':'));
        numbers.iter().copied().find(|found| found.begin >= is && text[is..found.begin].trim().is_empty())
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
        let follows =
            |number: &&Found| number.begin >= begin && !text[number.end..].trim_start().starts_with('=');
        let equals = |number: &&Found| text[begin..number.begin].trim_end().ends_with('=');
        let mut later = numbers.iter().filter(follows);
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

/// Where a number may begin: at the start, after a blank or `=`, and after the two stars of bold type there.
fn word_starts(text: &str) -> Vec<usize> {
    let separates = |c: char| c.is_whitespace() || c == '=';
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
    Some(Found { begin, end: begin + currency + length, value: Some(value) })
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
    let run = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c.is_whitespace() || operator(c)));
    let run = &rest[..run.unwrap_or(rest.len())];
    let ended = rest[run.len()..].chars().next().is_none_or(|c| matches!(c, ',' | ':' | '$'));
    let end = if ended { run.len() } else { run.rfind(|c: char| c == '.' || c == ')' || c.is_whitespace())? };
    let inside = rest.get(first..end)?;
    let mut marks = inside.char_indices().filter(|(_, c)| operator(*c));
    if !marks.any(|(at, c)| at + c.len_utf8() < inside.len()) {
        return None;
    }
    let whole = &rest[..end];
    // Products need their sign in the language the verifier computes in, and only its own signs.
    let tight: Vec<char> = whole.chars().filter(|c| !c.is_whitespace()).collect();
    let implied = tight.windows(2).any(|pair| pair[1] == '(' && (pair[0].is_ascii_digit() || pair[0] == ')'))
        || tight.windows(2).any(|pair| pair[0] == ')' && pair[1].is_ascii_digit());
    let value = if implied || whole.contains(['×', '÷']) { None } else { value_at(whole, 0) };
    Some(Found { begin, end: begin + end, value })
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From `parse(text)` of math-verify 0.9.
    #[test]
    fn stray_numbers_are_math_verifys() {
        let case = |text: &str, expect: Option<f64>| assert_eq!(stray_number(text), expect, "{text:?}");
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
        let case = |text: &str, expect: Option<f64>| assert_eq!(stray_number(text), expect, "{text:?}");
        case("12:. then -3. 3 + 4. turn left", Some(4.0));
        case("then -3\n10-15 m", Some(10.0));
        case("10-15 m", Some(-5.0));
        case("<answer>the answer is 7 **8**", Some(8.0));
        case("<answer>= 5 2 - 3 steps go 2 or 3 steps</answer>", Some(3.0));
        case("3 + 4, $5", Some(5.0));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(answer|final answer is|[0-9]{1,4}|[.,:=*$%()/+é×\n -]|is){0,16}") {
            stray_number(&text);
        }
    }
}
