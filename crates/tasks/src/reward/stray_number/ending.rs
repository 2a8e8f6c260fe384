//! How much of a number or an expression may stand before an `=`: the verifier takes the longest beginning of it that no
//! `=` follows.

use super::{Found, currency_at, expression, expression_end, number, percent_at};
use crate::format::tags::is_blank;

/// A number or an expression that no `=` follows, or as much of it as none follows.
pub(super) fn not_before_equals(text: &str, found: Found) -> Option<Found> {
    let free = |end: usize| !text[end..].trim_start_matches(is_blank).starts_with('=');
    if free(found.end) {
        return Some(found);
    }
    if let Some(shorter) = shorter_expression(text, found, free) {
        return Some(shorter);
    }
    let begin = found.begin;
    let from = begin + currency_at(text, begin);
    let mut endings = number_endings(&text[from..]).into_iter().flat_map(|length| {
        let end = from + length;
        let percent = percent_at(text, end).map(|after| (after, true));
        percent.into_iter().chain([(end, false)]).map(move |(after, percent)| (end, after, percent))
    });
    let (end, after, percent) = endings.find(|(_, after, _)| free(*after))?;
    let value = text[from..end].replace(',', ".").parse().ok().or_else(|| Some(number(&text[from..end])?.0));
    Some(Found { begin, end: after, value, percent, lost: false })
}

/// The longest beginning of an expression that may stand alone and has no `=` behind it.
fn shorter_expression(text: &str, found: Found, free: impl Fn(usize) -> bool) -> Option<Found> {
    let whole = &text[found.begin..found.end];
    let mut ends = whole.char_indices().rev().map(|(at, _)| at);
    let end = ends.find(|&at| {
        let (head, rest) = whole.split_at(at);
        let rest = rest.strip_prefix("**").unwrap_or(rest);
        let mut after = rest.chars();
        let suffix = after.next().is_some_and(|c| is_blank(c) || matches!(c, '.' | ',' | ':' | ')' | '$'));
        let after = found.end - after.as_str().len();
        suffix && free(after) && expression_end(head) == Some(head.len())
    })?;
    Some(expression(&whole[..end], found.begin))
}

/// Where the number that a text opens with may end, the best first: as thousands, with decimals, and whole, each with
/// ever fewer digits.
fn number_endings(text: &str) -> Vec<usize> {
    let digits =
        |from: usize| text.get(from..).map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    let mark = |at: usize, marks: &[u8]| text.as_bytes().get(at).is_some_and(|byte| marks.contains(byte));
    let sign = usize::from(text.starts_with('-'));
    let whole = digits(sign);
    let mut ends = Vec::new();
    if (1..=3).contains(&whole) && !mark(sign, b"0") {
        let groups = (0..).take_while(|k| {
            let at = sign + whole + 4 * k;
            mark(at, b", ") && digits(at + 1) >= 3
        });
        for count in (1..=groups.count()).rev() {
            let end = sign + whole + 4 * count;
            let decimals = if mark(end, b".") { digits(end + 1) } else { 0 };
            ends.extend((1..=decimals).rev().map(|count| end + 1 + count));
            ends.push(end);
        }
    }
    let point = sign + whole;
    let decimals = if mark(point, b".,") { digits(point + 1) } else { 0 };
    if whole > 0 || sign == 0 && mark(point, b".") {
        ends.extend((1..=decimals).rev().map(|count| point + 1 + count));
    }
    ends.extend((1..=whole).rev().map(|count| sign + count));
    ends
}
