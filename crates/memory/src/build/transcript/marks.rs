//! Marks in the text of cues: `<v Anna>Hello</v>` is `Anna: Hello`; `<i>`, `<c.yellow>`, `<00:00:01.000>` and `{\an8}` go;
//! `&amp;` is `&`. What only looks like a mark, as in `i <3 you and 5 > 4`, is text.

use super::{clock, one_line};

/// Tags without an annotation: those of WebVTT and SubRip, and those of HTML that stand in subtitles.
const PLAIN: [&str; 22] = [
    "b", "i", "u", "s", "c", "ruby", "rt", "rp", "em", "strong", "small", "big", "sub", "sup", "tt",
    "center", "br", "strike", "del", "ins", "p", "div",
];
/// Tags that take attributes or an annotation.
const ANNOTATED: [&str; 4] = ["v", "lang", "font", "span"];
/// Longest tag.
const LONGEST: usize = 400;

/// The lines of a cue without their marks and without those that are blank. A mark may go on in the next line.
pub(super) fn plain(text: &str) -> Vec<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '{']) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let mark = if rest.starts_with('<') { tag(rest) } else { braces(rest) };
        match mark {
            Some((length, instead)) => {
                plain.push_str(&instead);
                rest = &rest[length..];
            }
            None => {
                plain.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    plain.split('\n').map(|line| one_line(&entities(line))).filter(|line| !line.is_empty()).collect()
}

/// Bytes of the tag that a text begins with and what stands in its place; `None` if it is no tag.
fn tag(text: &str) -> Option<(usize, String)> {
    let end = text.bytes().take(LONGEST).skip(1).position(|byte| byte == b'>' || byte == b'<')? + 1;
    if text.as_bytes()[end] != b'>' {
        return None;
    }
    let inner = &text[1..end];
    let length = end + 1;
    if clock::read(inner).is_some_and(|read| read.has_colon) {
        return Some((length, String::new()));
    }
    let (is_end, inner) = match inner.strip_prefix('/') {
        Some(inner) => (true, inner),
        None => (false, inner.strip_suffix('/').unwrap_or(inner)),
    };
    // `<v.loud Anna>`: classes follow the name, an annotation follows a blank.
    let head = inner.split(|letter: char| letter == '.' || letter.is_whitespace()).next()?;
    let annotation = inner.split_once(char::is_whitespace).map(|(_, annotation)| annotation.trim());
    let annotation = annotation.unwrap_or_default();
    let name = head.to_ascii_lowercase();
    let has_attributes = annotation.is_empty() || annotation.contains('=');
    if PLAIN.contains(&name.as_str()) && has_attributes {
        let is_break = matches!(name.as_str(), "br" | "p" | "div");
        return Some((length, if is_break { "\n" } else { "" }.to_owned()));
    }
    if !ANNOTATED.contains(&name.as_str()) || (matches!(name.as_str(), "font" | "span") && !has_attributes) {
        return None;
    }
    let is_voice = name == "v" && !is_end && !annotation.is_empty();
    Some((length, if is_voice { format!("{annotation}: ") } else { String::new() }))
}

/// Styling of SubRip in braces: `{\an8}`, `{b}`, `{/i}`, `{y:i}`. Other braces are words.
fn braces(text: &str) -> Option<(usize, String)> {
    let end = text.bytes().take(LONGEST).position(|byte| byte == b'}')?;
    let inner = &text[1..end];
    let letter = inner.strip_prefix('/').unwrap_or(inner).to_ascii_lowercase();
    let is_style = inner.starts_with('\\')
        || matches!(letter.as_str(), "b" | "i" | "u" | "s")
        || letter.starts_with("y:");
    is_style.then(|| (end + 1, String::new()))
}

/// Character references, named and numbered, as letters. Controls that come out of them are nothing.
fn entities(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    html_escape::decode_html_entities(text).chars().filter_map(super::encoding::letter).collect()
}
