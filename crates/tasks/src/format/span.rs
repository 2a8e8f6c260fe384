//! Spans of time in answers: `(1.5, 3.0)`, `12.54 to 17.83`, `from 00:12 to 01:03`, `[[5.2, 10.4], [12, 13]]`. Seconds
//! come out. Order is kept as written: whether a span that ends before it starts is an error is the caller's matter.

/// Every span of a text as `[start, end]` in seconds: two times with nothing but a separator between them.
pub fn spans(text: &str) -> Vec<[f64; 2]> {
    let times = times(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at + 1 < times.len() {
        let (start, end) = (&times[at], &times[at + 1]);
        if is_separator(&text[start.end..end.begin]) {
            // "1 to 2 minutes" means minutes twice.
            let factor = start.factor.or(end.factor).unwrap_or(1.0);
            found.push([start.value * factor, end.value * end.factor.unwrap_or(1.0)]);
            at += 2;
        } else {
            at += 1;
        }
    }
    found
}

/// A result that is nothing but `(start,end)`, two finite numbers in order.
pub fn plain_span(result: &str) -> Option<[f64; 2]> {
    let inside = result.trim().strip_prefix('(')?.strip_suffix(')')?;
    let (start, end) = inside.split_once(',')?;
    let span = [super::plain_number(start)?, super::plain_number(end)?];
    (span[0] <= span[1]).then_some(span)
}

struct Time {
    begin: usize,
    /// After the unit, if there is one.
    end: usize,
    /// Seconds, or whatever `factor` counts.
    value: f64,
    /// Seconds in the unit that follows; `None` without one. A clock time has 1.
    factor: Option<f64>,
}

fn times(text: &str) -> Vec<Time> {
    let bytes = text.as_bytes();
    let is_part = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b':');
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !is_part(bytes[at]) {
            at += 1;
            continue;
        }
        let begin = at;
        while at < bytes.len() && is_part(bytes[at]) {
            at += 1;
        }
        let in_word = text[..begin].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let token = text[begin..at].trim_end_matches(['.', ':']);
        if let Some(value) = clock(token).filter(|_| !in_word) {
            let end = begin + token.len();
            let (factor, length) = unit(&text[end..]);
            let factor = if token.contains(':') { Some(1.0) } else { factor };
            found.push(Time { begin, end: end + length, value, factor });
        }
    }
    found
}

/// `12.5`, `1:02.5` or `1:02:03.5`.
fn clock(token: &str) -> Option<f64> {
    let mut parts = token.split(':').rev();
    let plain = |part: &str| part.bytes().any(|b| b.is_ascii_digit()).then(|| part.parse::<f64>().ok())?;
    let mut seconds = plain(parts.next()?)?;
    for factor in [60.0, 3600.0] {
        match parts.next() {
            Some(part) if !part.contains('.') => seconds += factor * plain(part)?,
            Some(_) => return None,
            None => break,
        }
    }
    (parts.next().is_none() && seconds.is_finite()).then_some(seconds)
}

/// Seconds in the unit that opens a text, and its length with the blanks before it.
fn unit(after: &str) -> (Option<f64>, usize) {
    let blanks = after.len() - after.trim_start_matches(' ').len();
    let word: &str = after[blanks..].split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    let factor = match word.to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        _ => return (None, 0),
    };
    (Some(factor), blanks + word.len())
}

fn is_separator(between: &str) -> bool {
    matches!(
        between.trim(),
        "," | "-" | "–" | "—" | "~" | "to" | "and" | "until" | "till" | "through" | "->" | "→"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spans_as_models_write_them() {
        let check = |text: &str, expect: &[[f64; 2]]| assert_eq!(spans(text), expect, "{text:?}");
        check("(1.50,3.00)", &[[1.5, 3.0]]);
        check("[1.5, 3]", &[[1.5, 3.0]]);
        check("12.54 to 17.83", &[[12.54, 17.83]]);
        check("from 00:12 to 01:03.", &[[12.0, 63.0]]);
        check("between 3 and 5 seconds", &[[3.0, 5.0]]);
        check("5s - 10s", &[[5.0, 10.0]]);
        check("1 to 2 minutes", &[[60.0, 120.0]]);
        check("1:00:00–1:00:05.5", &[[3600.0, 3605.5]]);
        check("[[5.2, 10.4], [12, 13]]", &[[5.2, 10.4], [12.0, 13.0]]);
        check("<answer>A</answer><glue>[(5.2, 10.4)]</glue>", &[[5.2, 10.4]]);
        check("It starts at 3. It ends at 5.", &[]);
        check("9 to 4", &[[9.0, 4.0]]);
        for none in ["", "12", "a-b", "1:2:3:4 to 5", ". to .", "clip1 to clip2", "é", ":"] {
            check(none, &[]);
        }
    }

    #[test]
    fn strict_spans() {
        let check = |text: &str, expect: Option<[f64; 2]>| assert_eq!(plain_span(text), expect, "{text:?}");
        check("(1.50, 3.00)", Some([1.5, 3.0]));
        check(" (0,2) ", Some([0.0, 2.0]));
        for none in ["(3,1)", "[1,2]", "(1,2,3)", "1,2", "(a,b)", "(1,2", "(1e3,2e3)", ""] {
            check(none, None);
        }
    }

    proptest! {
        #[test]
        fn spans_survive_a_round_trip(start in 0..100_000u32, length in 0..100_000u32) {
            let span = [f64::from(start) / 4.0, f64::from(start + length) / 4.0];
            let [a, b] = span;
            for text in [format!("({a},{b})"), format!("from {a}s to {b}s"), format!("[[{a}, {b}]]")] {
                prop_assert_eq!(spans(&text), vec![span]);
            }
            prop_assert_eq!(plain_span(&format!("({a},{b})")), Some(span));
        }

        #[test]
        fn no_text_panics(text in "[0-9.:,\\-–a-z \\[\\]()]{0,30}") {
            prop_assert!(spans(&text).iter().flatten().all(|time| time.is_finite() && *time >= 0.0));
            plain_span(&text);
        }
    }
}
