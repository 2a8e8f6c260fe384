//! Where a text thinks. What is inside a thought is never an action: a tag that a thought names is a word there. Every
//! reader of turns and answers asks this file, so that `eval`, an episode and a reward agree about one text.
//!
//! A thought runs from `<think>` to its `</think>`. Tags in it may be nested: the `</think>` that brings their number to
//! zero ends it, or the first one where none does ("I use <think> tags</think>"). Text before a `</think>` that nothing
//! opened is a thought too, because some chat templates open it in the prompt. A thought without an end reaches to the
//! end of the text: it was cut off, and nothing in it acts. Tags count in every case. Code fences change nothing.

use std::ops::Range;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// A thought, as byte ranges of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thought {
    /// With its tags.
    pub(crate) whole: Range<usize>,
    /// Without them.
    pub(crate) inside: Range<usize>,
    /// Whether it ends, beyond doubt: a text that is still being written may yet move the end of one whose inner tags
    /// are not all closed.
    pub(crate) ended: bool,
}

/// A tag of thoughts: where it is and whether it opens.
struct Tag {
    at: Range<usize>,
    opens: bool,
}

/// The thoughts of a text, from left to right.
pub(crate) fn thoughts(text: &str) -> Vec<Thought> {
    let tags = tags(text);
    let mut found: Vec<Thought> = Vec::new();
    let mut next = 0;
    while let Some(first) = tags.get(next) {
        if !first.opens {
            // A template's prompt opened it, unless the tag is one too many after the end.
            let before = found.is_empty() && !text[first.at.end..].trim().is_empty();
            let before = before || (found.is_empty() && !acts(&text[..first.at.start]));
            if before {
                found.push(Thought { whole: 0..first.at.end, inside: 0..first.at.start, ended: true });
            }
            next += 1;
            continue;
        }
        let (end, ended) = end(&tags[next..]);
        match end.map(|end| next + end) {
            Some(end) => {
                let close = &tags[end].at;
                let (whole, inside) = (first.at.start..close.end, first.at.end..close.start);
                found.push(Thought { whole, inside, ended });
                next = end + 1;
            }
            None => {
                let (whole, inside) = (first.at.start..text.len(), first.at.end..text.len());
                found.push(Thought { whole, inside, ended: false });
                break;
            }
        }
    }
    found
}

/// Which of the tags ends the thought that the first one opens, and whether all inner ones are closed by then.
fn end(tags: &[Tag]) -> (Option<usize>, bool) {
    let mut depth = 0;
    for (index, tag) in tags.iter().enumerate() {
        depth += if tag.opens { 1 } else { -1 };
        if depth == 0 {
            return (Some(index), true);
        }
    }
    (tags.iter().position(|tag| !tag.opens), false)
}

/// Whether a text has an action in it.
fn acts(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["<answer>", "<tool>"].iter().any(|tag| lower.contains(tag))
}

fn tags(text: &str) -> Vec<Tag> {
    let is = |at: usize, tag: &str| {
        text.as_bytes().get(at..at + tag.len()).is_some_and(|part| part.eq_ignore_ascii_case(tag.as_bytes()))
    };
    let tag = |(at, _): (usize, &str)| {
        let (length, opens) = if is(at, OPEN) {
            (OPEN.len(), true)
        } else if is(at, CLOSE) {
            (CLOSE.len(), false)
        } else {
            return None;
        };
        Some(Tag { at: at..at + length, opens })
    };
    text.match_indices('<').filter_map(tag).collect()
}

/// The text with the tags of protocols in small letters and none left inside a thought, byte for byte in the same
/// places: what readers search. Text outside tags is as it was.
pub fn without_inner_tags(text: &str) -> String {
    const TAGS: [&str; 6] = ["think", "answer", "tool", "information", "observe", "scene"];
    let mut bytes = text.as_bytes().to_vec();
    let mut small = |at: usize| {
        let name = at + 1 + usize::from(bytes.get(at + 1) == Some(&b'/'));
        let known = TAGS.iter().find(|tag| {
            let end = name + tag.len();
            bytes.get(name..end).is_some_and(|part| part.eq_ignore_ascii_case(tag.as_bytes()))
                && bytes.get(end) == Some(&b'>')
        });
        if let Some(tag) = known {
            bytes[name..name + tag.len()].make_ascii_lowercase();
        }
    };
    text.match_indices('<').for_each(|(at, _)| small(at));
    for thought in thoughts(text) {
        bytes[thought.inside].iter_mut().filter(|byte| **byte == b'<').for_each(|byte| *byte = b' ');
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn where_a_text_thinks() {
        let check = |text: &str, expect: &[&str], ended: bool| {
            let found = thoughts(text);
            let inside: Vec<&str> = found.iter().map(|thought| &text[thought.inside.clone()]).collect();
            assert_eq!(
                (inside, found.iter().all(|thought| thought.ended)),
                (expect.to_vec(), ended),
                "{text:?}"
            );
        };
        check("<think>a</think>b", &["a"], true);
        check("<think>a</think>b<think>c</think>", &["a", "c"], true);
        check("<think>a <answer>A</answer> b</think>", &["a <answer>A</answer> b"], true);
        check("<THINK>a</Think>b", &["a"], true);
        check("<think>a<think>b</think>c</think>d", &["a<think>b</think>c"], true);
        check("<think>I use <think> tags</think>d", &["I use <think> tags"], false);
        check("<think>use <think> tags</think>d<think>e</think>", &["use <think> tags", "e"], false);
        check("a</think>b", &["a"], true);
        check("name <answer>A</answer></think><answer>B</answer>", &["name <answer>A</answer>"], true);
        check("<answer>B</answer></think>\n", &[], true);
        check("cut off</think>", &["cut off"], true);
        check("<think>a</think></think>b", &["a"], true);
        check("<think>a", &["a"], false);
        check("<think>", &[""], false);
        check("a < b <thinking>c</thinking>", &[], true);
        check("", &[], true);
    }

    #[test]
    fn tags_that_are_searched() {
        let check = |text: &str, expect: &str| assert_eq!(without_inner_tags(text), expect);
        check(
            "<Think>é <tool></THINK><ANSWER>A <b></Answer>",
            "<think>é  tool></think><answer>A <b></answer>",
        );
        check("<think>a<tool>b", "<think>a tool>b");
        check("<Tool>{\"a\": \"<Answer>\"}", "<tool>{\"a\": \"<answer>\"}");
        check("<", "<");
    }

    proptest! {
        #[test]
        fn thoughts_lie_apart_and_in_order(
            text in "(<think>|</think>|<THINK>|<answer>|</answer>|<|é|a| ){0,14}",
        ) {
            let mut from = 0;
            for thought in thoughts(&text) {
                prop_assert!(from <= thought.whole.start && thought.whole.end <= text.len());
                prop_assert!(thought.whole.start <= thought.inside.start && thought.inside.end <= thought.whole.end);
                from = thought.whole.end;
                let _ = &text[thought.inside];
            }
            prop_assert_eq!(without_inner_tags(&text).len(), text.len());
        }
    }
}
