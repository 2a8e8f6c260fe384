//! Tagged sections as the published regular expressions see them: the first pair of tags counts, a dot may or may not
//! cross lines, blanks are Python's. What a person would call the answer is `Answer`'s business, not this file's.

/// Whether Python counts a character as blank: Unicode's white space and four separators of ASCII.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// A text without Python's blanks at its ends.
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(is_blank)
}

/// The inside of the first `<tag>…</tag>`, lines and all.
pub(crate) fn first<'a>(text: &'a str, tag: &str) -> Option<&'a str> {
    let inside = after(text, &format!("<{tag}>"))?;
    inside.find(&format!("</{tag}>")).map(|end| &inside[..end])
}

/// The insides of all `<tag>…</tag>` that lie on one line, left to right, none overlapping.
pub(crate) fn on_one_line<'a>(text: &'a str, tag: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(inside) = after(rest, &open) {
        match inside.find(&close) {
            Some(end) if !inside[..end].contains('\n') => {
                found.push(&inside[..end]);
                rest = &inside[end + close.len()..];
            }
            Some(_) => rest = inside,
            None => break,
        }
    }
    found
}

/// Whether a text is these sections one after the other, with nothing but blanks between them. A section may hold
/// any text, tags included, as a lazy pattern allows. `whole` refuses text after the last one.
pub(crate) fn in_order(text: &str, tags: &[&str], whole: bool) -> bool {
    let Some((last, others)) = tags.split_last() else { return text.is_empty() || !whole };
    let Some(mut inside) = text.strip_prefix(&format!("<{}>", tags[0])) else { return false };
    for (tag, next) in others.iter().zip(&tags[1..]) {
        match next_section(inside, &format!("</{tag}>"), &format!("<{next}>")) {
            Some(rest) => inside = rest,
            None => return false,
        }
    }
    let close = format!("</{last}>");
    if whole { inside.ends_with(&close) } else { inside.contains(&close) }
}

/// What follows the first `close`, blanks, `open`.
fn next_section<'a>(mut inside: &'a str, close: &str, open: &str) -> Option<&'a str> {
    loop {
        inside = after(inside, close)?;
        if let Some(rest) = inside.trim_start_matches(is_blank).strip_prefix(open) {
            return Some(rest);
        }
    }
}

/// Whether these sections, each once and none empty, are the whole text, blanks aside.
pub(crate) fn exactly(text: &str, tags: &[&str]) -> bool {
    let once = |tag: &&str| {
        text.matches(&format!("<{tag}>")).count() == 1
            && text.matches(&format!("</{tag}>")).count() == 1
            && first(text, tag).is_some_and(|inside| !inside.trim().is_empty())
    };
    in_order(text.trim(), tags, true) && tags.iter().all(once)
}

fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.find(mark).map(|at| &text[at + mark.len()..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn first_and_one_line() {
        assert_eq!(first("x<answer> a\nb </answer><answer>c</answer>", "answer"), Some(" a\nb "));
        assert_eq!(first("<answer>a", "answer"), None);
        assert_eq!(first("</answer><answer>", "answer"), None);
        let check = |text: &str, expect: &[&str]| assert_eq!(on_one_line(text, "answer"), expect, "{text:?}");
        check("<answer>A</answer> <answer>B</answer>", &["A", "B"]);
        check("<answer>\nA\n</answer>", &[]);
        check("<answer>x\n<answer>B</answer>", &["B"]);
        check("<answer>A<answer>B</answer>", &["A<answer>B"]);
        check("<answer>A", &[]);
    }

    #[test]
    fn order() {
        let check = |text: &str, whole: bool, prefix: bool, strict: bool| {
            let tags = ["think", "answer"];
            let found = (in_order(text, &tags, true), in_order(text, &tags, false), exactly(text, &tags));
            assert_eq!(found, (whole, prefix, strict), "{text:?}");
        };
        check("<think>a</think><answer>b</answer>", true, true, true);
        check("<think>a</think>\n <answer>b</answer>", true, true, true);
        check("<think></think><answer></answer>", true, true, false);
        check("<think>a</think><answer>b</answer>\n", false, true, true);
        check(" <think>a</think><answer>b</answer>", false, false, true);
        check("<think>a</think>so<answer>b</answer>", false, false, false);
        check("<think>a</think>x</think><answer>b</answer>", true, true, false);
        check("<think>a</think><answer>b</answer> c</answer>", true, true, false);
        check("<think>a</think><answer>b</answer><think>a</think><answer>b</answer>", true, true, false);
        check("<think>a<answer>b</answer>", false, false, false);
        check("<think>a</think><answer>", false, false, false);
        check("", false, false, false);
        assert!(!in_order("<a></b>", &["a", "b"], true), "one closing tag cannot close two sections");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(<think>|</think>|<answer>|</answer>|é|\n| |a){0,12}") {
            first(&text, "answer");
            on_one_line(&text, "answer");
            let whole = in_order(&text, &["think", "answer"], true);
            prop_assert!(!whole || in_order(&text, &["think", "answer"], false));
            prop_assert!(!exactly(&text, &["think", "answer"]) || in_order(text.trim(), &["think", "answer"], true));
        }
    }
}
