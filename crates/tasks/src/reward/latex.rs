//! LaTeX as the graders of mathematics see it: one spelling for roots and fractions, and a plain form that can be
//! computed. Commands that are not known here vanish, as they do there.

use crate::format::tags::strip;

/// `\sqrt3` becomes `\sqrt{3}`; a root of nothing is a stumble.
pub(super) fn braced_roots(text: &str) -> Option<String> {
    let mut pieces = text.split("\\sqrt");
    let mut done = pieces.next()?.to_owned();
    for piece in pieces {
        let first = piece.chars().next()?;
        let rest = &piece[first.len_utf8()..];
        match first {
            '{' => done.push_str(&format!("\\sqrt{piece}")),
            _ => done.push_str(&format!("\\sqrt{{{first}}}{rest}")),
        }
    }
    Some(done)
}

/// `\frac12` becomes `\frac{1}{2}`. A fraction of one character leaves the whole text alone.
pub(super) fn braced_fractions(text: &str) -> Option<String> {
    let mut pieces = text.split("\\frac");
    let mut done = pieces.next()?.to_owned();
    for piece in pieces {
        done.push_str("\\frac");
        let mut chars = piece.chars();
        let first = chars.next()?;
        if first == '{' {
            done.push_str(piece);
            continue;
        }
        let Some(second) = chars.next() else { return Some(text.to_owned()) };
        let rest = chars.as_str();
        done.push_str(&match second {
            '{' => format!("{{{first}}}{{{rest}"),
            _ => format!("{{{first}}}{{{second}}}{rest}"),
        });
    }
    Some(done)
}

/// A text without `^\circ`.
pub(super) fn without_degrees(text: &str) -> String {
    let mut pieces = text.split("\\circ");
    let mut done = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match done.trim_end_matches(' ').strip_suffix('^').map(str::len) {
            Some(length) => done.truncate(length),
            None => done.push_str("\\circ"),
        }
        done.push_str(piece);
    }
    done
}

/// A text without `,\!`, which sets thousands apart.
pub(super) fn without_thin_spaces(text: &str) -> String {
    let mut pieces = text.split(",\\!");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |done, piece| done + piece.trim_start_matches(' '))
}

/// LaTeX as plain text: `\frac{a}{b}` is `a/b` without parentheses, as the grader has it.
pub(super) fn plain_latex(text: &str) -> String {
    let mut text =
        text.replace("\\tfrac", "\\frac").replace("\\dfrac", "\\frac").replace("\\frac", " \\frac");
    while let Some(at) = text.rfind("\\frac") {
        let (above, rest) = group(&text[at + 5..]);
        let (below, rest) = group(rest);
        text = format!("{}{above}/{below}{rest}", &text[..at]);
    }
    while let Some(at) = text.rfind("\\sqrt") {
        let (inside, rest) = group(&text[at + 5..]);
        text = format!("{}sqrt({inside}){rest}", &text[..at]);
    }
    for name in ["\\text", "\\mathrm", "\\mathbf", "\\textbf", "\\mbox"] {
        while let Some(at) = text.rfind(&format!("{name}{{")) {
            let (inside, rest) = group(&text[at + name.len()..]);
            text = format!("{}{inside}{rest}", &text[..at]);
        }
    }
    // Braces of groups go there, and with them what keeps blanks from the ends.
    strip(&spelled_out(&text).replace(['{', '}'], "")).to_owned()
}

/// The argument a text opens with, in braces or one character, and the rest.
fn group(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let Some(inside) = text.strip_prefix('{') else {
        return text.split_at(text.chars().next().map_or(0, char::len_utf8));
    };
    let mut depth = 0;
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return (&inside[..at], &inside[at + 1..]),
            '}' => depth -= 1,
            _ => {}
        }
    }
    (inside, "")
}

/// Commands as the signs they stand for.
fn spelled_out(text: &str) -> String {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        done.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let end = if letters > 0 { letters } else { after.chars().next().map_or(0, char::len_utf8) };
        let (name, next) = after.split_at(end);
        done.push_str(match name {
            "cdot" | "times" => "*",
            "pi" => "pi",
            "infty" => "inf",
            "cup" => "U",
            "{" => "{",
            "}" => "}",
            "%" => "%",
            "," | ";" | " " | "quad" => " ",
            _ => "",
        });
        rest = if letters > 0 { next.trim_start_matches(' ') } else { next };
    }
    done.push_str(rest);
    const SIGNS: &[(&str, &str)] =
        &[("√", "sqrt"), ("π", "pi"), ("∞", "inf"), ("∪", "U"), ("·", "*"), ("×", "*")];
    SIGNS.iter().fold(done, |text, (from, to)| text.replace(from, to))
}
