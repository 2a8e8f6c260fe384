//! The four sections of a reply, found in one pass and left where they are. Unlike [`crate::Answer`], which
//! makes the best of what a model wrote, this counts tags, for rewards that judge the form.

/// The sections, in the order a reply should have them.
const TAGS: [&str; 4] = ["observe>", "scene>", "think>", "answer>"];

/// Where the tags of one section are.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    opened: usize,
    closed: usize,
    /// Begin of the first opening tag.
    begin: usize,
    /// Begin of the first closing tag after it.
    end: Option<usize>,
}

/// A text with its sections.
pub(super) struct Passage<'a> {
    text: &'a str,
    parts: [Found; 4],
}

impl<'a> Passage<'a> {
    pub(super) fn of(text: &'a str) -> Passage<'a> {
        let mut parts = [Found::default(); 4];
        for (at, _) in text.match_indices('<') {
            let rest = &text.as_bytes()[at + 1..];
            let (closing, rest) = rest.strip_prefix(b"/").map_or((false, rest), |rest| (true, rest));
            let Some(which) = TAGS.iter().position(|tag| rest.starts_with(tag.as_bytes())) else { continue };
            let part = &mut parts[which];
            if closing {
                part.closed += 1;
                if part.opened > 0 && part.end.is_none() {
                    part.end = Some(at);
                }
            } else {
                if part.opened == 0 {
                    part.begin = at;
                }
                part.opened += 1;
            }
        }
        Passage { text, parts }
    }

    pub(super) fn scene(&self) -> Option<&'a str> {
        self.inner(1)
    }

    pub(super) fn answer(&self) -> Option<&'a str> {
        self.inner(3)
    }

    /// From the first opening tag to the first closing one after it.
    fn inner(&self, part: usize) -> Option<&'a str> {
        let found = self.parts[part];
        Some(&self.text[found.begin + TAGS[part].len() + 1..found.end?])
    }

    /// Whether each section is there and opened once; more closing tags are let pass, and any order.
    pub(super) fn is_complete(&self) -> bool {
        self.parts.iter().all(|part| part.opened == 1 && part.end.is_some())
    }

    /// Whether each section is there once, in order, with nothing but blanks between them.
    pub(super) fn is_exact(&self) -> bool {
        let mut at = 0;
        let placed = self.parts.iter().zip(TAGS).all(|(part, tag)| {
            let gap = self.text.get(at..part.begin);
            at = part.end.map_or(at, |end| end + tag.len() + 2);
            part.closed == 1 && gap.is_some_and(|gap| gap.trim().is_empty())
        });
        placed && self.is_complete() && self.text[at..].trim().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms() {
        let check = |text: &str, complete: bool, exact: bool| {
            let passage = Passage::of(text);
            assert_eq!((passage.is_complete(), passage.is_exact()), (complete, exact), "{text:?}");
        };
        let whole = "<observe>o</observe>\n<scene>{}</scene> <think>t</think><answer>A</answer>";
        check(whole, true, true);
        check(&format!(" {whole}\n"), true, true);
        check(&format!("well: {whole}"), true, false);
        check(&format!("{whole}."), true, false);
        check(&format!("{whole}</answer>"), true, false);
        check(&format!("</think>{whole}"), true, false);
        check(&whole.replace("{}", "{}</answer>"), true, false);
        check(&format!("{whole}<answer>B"), false, false);
        check("<think>t</think><observe>o</observe><scene></scene><answer></answer>", true, false);
        check("<observe>o<scene></observe></scene><think></think><answer></answer>", true, false);
        check("<observe></observe><scene></scene><think></think><answer>A", false, false);
        check("<OBSERVE></OBSERVE>", false, false);
        check("", false, false);
    }

    #[test]
    fn first_sections() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(Passage::of(text).answer(), expect, "{text:?}");
        };
        check("</answer><answer> A </answer><answer>B</answer>", Some(" A "));
        check("<answer>A<answer>B</answer>", Some("A<answer>B"));
        check("<<answer></answer>", Some(""));
        check("<answer>", None);
        check("</answer>", None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_passage(pieces in prop::collection::vec(0..11usize, 0..12)) {
            let known = ["<observe>", "</observe>", "<scene>", "</scene>", "<think>", "</think>", "<answer>", "</answer>", "<", "\u{e9}", " "];
            let text: String = pieces.into_iter().map(|at| known[at]).collect();
            let passage = Passage::of(&text);
            prop_assert!(passage.is_complete() || !passage.is_exact());
            for part in 0..TAGS.len() {
                let [open, close] = ["<", "</"].map(|mark| format!("{mark}{}", TAGS[part]));
                let first = text.split_once(&open).and_then(|(_, rest)| rest.split_once(&close)).map(|(inner, _)| inner);
                prop_assert_eq!(passage.inner(part), first);
            }
        }
    }
}
