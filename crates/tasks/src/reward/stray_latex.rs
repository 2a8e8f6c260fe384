//! LaTeX in a free text as a general-purpose verifier of mathematics (math-verify) finds and reads it: `$…$`, `$$…$$`,
//! `\(…\)`, `\[…\]`, `[…]` between blanks, a bare `\frac{1}{2}`, and `\boxed{…}` anywhere. What is inside is a number, a
//! name, `x = 3`, or several of them; deeper mathematics has no value here.

use super::arithmetic::value_at;
use super::latex::plain_latex;
use crate::format::tags::is_blank;

/// How a number is written, which decides what it may be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Whole,
    Decimal,
    /// An expression.
    Computed,
    /// An expression of which a part was too small to count.
    Rounded,
}

/// What is said.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// A number; of a percentage what stands before its sign.
    Number { value: f64, percent: bool, form: Form },
    /// A name that stands for itself.
    Name(String),
    /// A name and its value.
    Equation(String, f64, Form),
    /// Several, each once, in no order.
    Set(Vec<Value>),
}

impl Value {
    /// A plain number.
    #[cfg(test)]
    pub(super) fn number(value: f64) -> Value {
        Value::Number { value, percent: false, form: Form::Whole }
    }

    /// Whether two are one member of a set, however they are written.
    fn is(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Number { value: a, percent: p, .. }, Value::Number { value: b, percent: q, .. }) => {
                a == b && p == q
            }
            _ => self == other,
        }
    }

    /// Whether the verifier takes two values for the same: numbers to six decimals where one is written with decimals
    /// and exactly elsewhere, a percentage as its share or its count, a set of one as what is in it.
    pub(super) fn same(&self, other: &Value) -> bool {
        let near = |a: f64, b: f64| (a * 1e6).round() == (b * 1e6).round();
        let exact = |a: f64, b: f64| a == b || (a - b).abs() < 1e-12 * a.abs().max(b.abs()).min(f64::MAX);
        let readings = |value: f64, percent: bool| [value, if percent { value / 100.0 } else { value }];
        match (self, other) {
            (Value::Set(members), one) | (one, Value::Set(members))
                if members.len() == 1 && !matches!(one, Value::Set(_)) =>
            {
                members[0].same(one)
            }
            (
                Value::Number { value: a, percent: p, form },
                Value::Number { value: b, percent: q, form: other },
            ) => {
                let forms = [*form, *other];
                let same = |a: f64, b: f64| match () {
                    () if forms.contains(&Form::Decimal) => near(a, b),
                    () if forms.contains(&Form::Rounded) && forms.contains(&Form::Whole) => false,
                    () if forms.contains(&Form::Whole) => exact(a, b),
                    () => exact(a, b) || (a - b).abs() < 1e-15,
                };
                if p == q {
                    return same(*a, *b);
                }
                readings(*a, *p).iter().any(|a| readings(*b, *q).iter().any(|b| same(*a, *b)))
            }
            (Value::Equation(_, value, form), number @ Value::Number { .. })
            | (number @ Value::Number { .. }, Value::Equation(_, value, form)) => {
                number.same(&Value::Number { value: *value, percent: false, form: *form })
            }
            (Value::Equation(a, x, _), Value::Equation(b, y, _)) => a == b && near(*x, *y),
            (Value::Name(a), Value::Name(b)) => a == b,
            (Value::Set(a), Value::Set(b)) => {
                a.len() == b.len() && a.iter().all(|a| b.iter().any(|b| a.same(b)))
            }
            _ => false,
        }
    }
}

/// A formula and where it lies, with what it comes to, if anything, and how it is written.
#[derive(Clone, Debug)]
pub(super) struct Formula {
    pub(super) begin: usize,
    pub(super) end: usize,
    pub(super) value: Option<Value>,
    pub(super) text: String,
}

/// One environment: its content, and where it ends with the percent sign and the blanks behind it.
struct Environment<'a> {
    content: &'a str,
    percent: bool,
    end: usize,
}

fn environment(text: &str, begin: usize) -> Option<Environment<'_>> {
    let rest = &text[begin..];
    let before = text[..begin].chars().next_back();
    let closed = |open: &str, close: &str, lines: bool| {
        let inside = rest.strip_prefix(open).filter(|_| before != Some('\\'))?;
        let mut from = 0;
        loop {
            let at = from + inside[from..].find(close)?;
            let content = &inside[..at];
            if !lines && content.contains('\n') {
                return None;
            }
            if at > 0 && !content.ends_with('\\') {
                return Some((content, begin + open.len() + at + close.len()));
            }
            from = at + 1;
        }
    };
    let display = closed("$$", "$$", true).or_else(|| closed("\\[", "\\]", true));
    let dollar = || closed("$", "$", false).filter(|_| !before.is_some_and(|c| c.is_numeric()));
    let bracket = || {
        let inside = rest.strip_prefix(is_blank)?.strip_prefix('[')?;
        let end = inside.find(['\n', '[', ']']).filter(|end| *end > 0 && inside[*end..].starts_with(']'))?;
        let blank = inside[end + 1..].chars().next().filter(|c| is_blank(*c))?;
        Some((&inside[..end], text.len() - inside.len() + end + 1 + blank.len_utf8()))
    };
    let (content, end) = display
        .or_else(dollar)
        .or_else(|| closed("\\(", "\\)", false))
        .or_else(bracket)
        .or_else(|| fraction(text, begin))?;
    let after = text[end..].trim_start_matches(is_blank);
    let sign = ["\\%", "%", "percentage", "Percentage", "percent", "Percent", "pct", "Pct"]
        .into_iter()
        .find(|s| after.starts_with(s));
    let end = text.len() - after.len() + sign.map_or(0, str::len);
    Some(Environment { content, percent: sign.is_some(), end })
}

/// `-\frac{1}{2}` with plain numbers.
fn fraction(text: &str, begin: usize) -> Option<(&str, usize)> {
    let rest = &text[begin..];
    let bare = rest.strip_prefix('-').unwrap_or(rest).strip_prefix("\\frac{")?;
    let (above, bare) = bare.split_once("}{")?;
    let (below, bare) = bare.split_once('}')?;
    let plain = |number: &str| {
        let digits = number.strip_prefix('-').unwrap_or(number);
        let (whole, decimals) = digits.split_once(['.', ',']).unwrap_or((digits, "0"));
        [whole, decimals].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    let end = text.len() - bare.len();
    (plain(above) && plain(below)).then(|| (&text[begin..end], end))
}

/// The formula that begins here, with up to five more that "and", "or" or a comma join to it. `boxed` wants a box in each.
pub(super) fn formula_at(text: &str, begin: usize, boxed: bool) -> Option<Formula> {
    let fits = |found: &Environment<'_>| !boxed || holds_box(found.content);
    let first = environment(text, begin).filter(fits)?;
    let mut end = first.end;
    let mut parts = vec![first];
    while parts.len() < 6 {
        let rest = text[end..].trim_start_matches(is_blank);
        let Some(joined) =
            [",and", "and", ",or", "or", ","].into_iter().find_map(|word| rest.strip_prefix(word))
        else {
            break;
        };
        let at = text.len() - joined.trim_start_matches(is_blank).len();
        let Some(next) = environment(text, at).filter(fits) else { break };
        end = next.end;
        parts.push(next);
    }
    let texts: Vec<String> =
        parts.iter().map(|part| boxes(part.content, false).trim_matches(is_blank).to_owned()).collect();
    let values: Vec<Option<Value>> =
        texts.iter().zip(&parts).map(|(text, part)| as_share(value(text)?, part.percent)).collect();
    let (value, text) = match &values[..] {
        [one] => (one.clone(), texts[0].clone()),
        several => match several.iter().cloned().collect::<Option<Vec<_>>>().and_then(set) {
            Some(set) => (Some(set), texts.join(" and ")),
            None => (values[0].clone(), texts[0].clone()),
        },
    };
    Some(Formula { begin, end, value, text })
}

fn as_share(value: Value, percent: bool) -> Option<Value> {
    match value {
        Value::Number { value, form, .. } if percent => Some(Value::Number { value, percent, form }),
        other => Some(other),
    }
}

fn set(values: Vec<Value>) -> Option<Value> {
    let mut members: Vec<Value> = Vec::new();
    for value in values {
        let more = if let Value::Set(more) = value { more } else { vec![value] };
        for one in more {
            if !members.iter().any(|known| known.is(&one)) {
                members.push(one);
            }
        }
    }
    Some(Value::Set(members))
}

/// Every formula of a text, none inside another.
pub(super) fn formulas(text: &str, boxed: bool) -> Vec<Formula> {
    let mut found: Vec<Formula> = Vec::new();
    for (at, _) in text.char_indices() {
        if found.last().is_none_or(|last| last.end <= at) {
            found.extend(formula_at(text, at, boxed));
        }
    }
    found
}

fn holds_box(content: &str) -> bool {
    content
        .split_once("\\boxed{")
        .is_some_and(|(_, inside)| inside.char_indices().skip(1).any(|(_, c)| c == '}'))
}

/// From the first box to the last brace of a text.
pub(super) fn bare_box(text: &str) -> Option<Formula> {
    let begin = text.find("\\boxed{")?;
    let end = text.rfind('}').filter(|end| *end > begin + "\\boxed{".len())? + 1;
    let content = boxes(&text[begin..end], true).trim_matches(is_blank).to_owned();
    Some(Formula { begin, end, value: value(&content), text: content })
}

/// The content of the boxes of a text, or the text where there is none. `last`: of the last one, and of those before it
/// that are near or joined by "and", "or", a comma.
fn boxes(text: &str, last: bool) -> String {
    const OPEN: &str = "\\boxed";
    let mut found: Vec<String> = Vec::new();
    let (mut limit, mut next) = (text.len(), None::<usize>);
    while let Some(begin) = text[..limit].rfind(OPEN) {
        let rest = &text[begin + OPEN.len()..];
        let inside = rest.trim_start_matches(is_blank);
        let from = text.len() - inside.len();
        if from >= next.unwrap_or(text.len()) {
            break;
        }
        let closed = inside.strip_prefix('{').and_then(|inside| {
            let mut depth = 1;
            let bound = next.unwrap_or(text.len()) - from - 1;
            inside.char_indices().take_while(|(at, _)| *at < bound).find_map(|(at, c)| {
                depth += match c {
                    '{' => 1,
                    '}' => -1,
                    _ => 0,
                };
                (depth == 0).then_some(at)
            })
        });
        let Some(length) = closed else {
            if found.is_empty() {
                found.push(inside.to_owned());
            }
            break;
        };
        let content = inside[1..=length].trim_matches(is_blank).to_owned();
        if let (true, Some(next)) = (last, next) {
            let between = &text[from + 2 + length..next];
            let count = between.chars().count();
            let word = |word: &str| between.split(|c: char| !c.is_alphanumeric()).any(|piece| piece == word);
            let joined = between.contains([',', ';']) || word("and") || word("or");
            if count >= 10 && !(found.last() != Some(&content) && count < 70 && joined) {
                break;
            }
        }
        if found.last() != Some(&content) {
            found.push(content);
        }
        (limit, next) = (begin, Some(begin));
    }
    if found.is_empty() {
        return text.to_owned();
    }
    found.reverse();
    found.join(",")
}

/// What the content of a formula comes to.
fn value(content: &str) -> Option<Value> {
    let content = content.trim_matches(is_blank);
    // The verifier cannot parse an unclosed brace or a point outside a number.
    if content.is_empty() || content.starts_with('{') || content.contains(" . ") {
        return None;
    }
    // Words at the end are taken for a unit.
    let unit = content.rsplit_once("\\text{").filter(|(before, unit)| {
        !before.is_empty() && unit.split_once('}').is_some_and(|(_, after)| after.is_empty())
    });
    if let Some((before, _)) = unit {
        return value(before).filter(|_| !before.trim_matches(is_blank).ends_with(','));
    }
    // "3 and 4" are two; "3 and" is nothing.
    if let Some((first, rest)) =
        content.split_once(" and").filter(|(_, rest)| !rest.starts_with(char::is_alphanumeric))
    {
        return set(vec![value(first)?, value(rest)?]);
    }
    let form = |text: &str| match () {
        () if !text.bytes().all(|b| b.is_ascii_digit() || b".,-".contains(&b)) => Form::Computed,
        () if text.contains('.') => Form::Decimal,
        () => Form::Whole,
    };
    if let Some((name, value)) = content.split_once('=').filter(|(_, value)| !value.contains('=')) {
        let name = name.trim_matches(is_blank);
        let single = name.len() == 1 && name.bytes().all(|b| b.is_ascii_alphabetic());
        return single
            .then(|| Some(Value::Equation(name.to_lowercase(), number(value)?, form(value))))
            .flatten();
    }
    if let Some(value) = number(content) {
        return Some(Value::Number { value, percent: false, form: form(content) });
    }
    let share = content.strip_suffix('%').map(|rest| rest.strip_suffix('\\').unwrap_or(rest));
    if let Some((value, share)) = share.and_then(|share| Some((number(share)?, share))) {
        return Some(Value::Number { value, percent: true, form: form(share) });
    }
    if content.contains(',') {
        return set(content.split(',').map(value).collect::<Option<Vec<_>>>()?);
    }
    let name: String = content
        .strip_prefix("\\text{")
        .and_then(|inside| inside.strip_suffix('}'))
        .unwrap_or(content)
        .to_lowercase();
    // "5 steps" is a product of names there.
    let product = |c: char| c.is_alphanumeric() || " .+-*/^()".contains(c);
    (name.chars().all(product) && name.chars().any(char::is_alphabetic)).then_some(Value::Name(name))
}

fn number(text: &str) -> Option<f64> {
    let text = text.trim_matches(is_blank);
    let thousands = |text: &str| {
        let mut groups = text.split(',');
        let first = groups
            .next()
            .is_some_and(|g| (1..=3).contains(&g.len()) && g.bytes().all(|b| b.is_ascii_digit()));
        first && groups.all(|g| g.len() == 3 && g.bytes().all(|b| b.is_ascii_digit()))
    };
    if thousands(text) {
        return text.replace(',', "").parse().ok();
    }
    let plain = plain_latex(text);
    let letters = plain.chars().any(char::is_alphabetic) || plain.is_empty();
    if letters { None } else { value_at(&plain, 0) }
}

#[cfg(test)]
mod tests;
