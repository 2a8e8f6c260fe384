//! A finished answer, taken apart: what was observed, the scene graph as text, the reasoning, the result.
//! Tolerant of what models really write; strict scoring formats are not this file's business. What a thought is, and
//! that no tag in it counts, is `thoughts`'s.

use crate::sections::{Event, Section, Splitter};
use crate::thoughts::thoughts;

/// The parts of an answer, trimmed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The last `<observe>` section.
    pub observed: Option<String>,
    /// The last `<scene>` section, unparsed.
    pub scene: Option<String>,
    /// The `<think>` sections, joined by blank lines, tags in them included.
    pub thinking: Option<String>,
    /// The last complete `<answer>`, else the last one begun, else the text outside all tags.
    pub result: String,
    /// Whether there was an `<answer>` tag.
    pub tagged: bool,
}

impl Answer {
    /// Takes a text apart. Every text is an answer.
    pub fn parse(text: &str) -> Answer {
        let mut reader = Reader::default();
        let mut from = 0;
        for thought in thoughts(text) {
            reader.speech(&text[from..thought.whole.start]);
            reader.store(false);
            reader.thoughts.push(text[thought.inside].to_owned());
            from = thought.whole.end;
        }
        reader.speech(&text[from..]);
        reader.end()
    }
}

#[derive(Default)]
struct Reader {
    open: Option<Section>,
    text: String,
    outside: String,
    observed: Option<String>,
    scene: Option<String>,
    thoughts: Vec<String>,
    complete: Option<String>,
    begun: Option<String>,
}

impl Reader {
    /// Text between thoughts.
    fn speech(&mut self, text: &str) {
        Splitter::default().events(text, true).into_iter().for_each(|event| self.take(event));
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Text(text) if self.open.is_some() => self.text.push_str(&text),
            Event::Text(text) => self.outside.push_str(&text),
            Event::Open(section) => {
                self.store(false);
                self.open = Some(section);
            }
            Event::Close(section) if self.open == Some(section) => self.store(true),
            // A stray closing tag: what was open was only mentioned.
            Event::Close(_) => self.store(false),
        }
    }

    fn store(&mut self, closed: bool) {
        let text = std::mem::take(&mut self.text);
        match self.open.take() {
            Some(Section::Observe) => self.observed = Some(text),
            Some(Section::Scene) => self.scene = Some(text),
            // The published EgoThinker prompt shows its example with `/answer>`, and models copy it.
            Some(Section::Answer) if closed || text.trim_end().ends_with("/answer>") => {
                self.complete = Some(text.trim_end().trim_end_matches("/answer>").to_owned());
            }
            Some(Section::Answer) => self.begun = Some(text),
            Some(Section::Think | Section::Outside) | None => {}
        }
    }

    fn end(mut self) -> Answer {
        self.store(false);
        let trimmed = |text: String| text.trim().to_owned();
        let thoughts: Vec<_> =
            self.thoughts.into_iter().map(trimmed).filter(|text| !text.is_empty()).collect();
        let tagged = self.complete.is_some() || self.begun.is_some();
        Answer {
            observed: self.observed.map(trimmed),
            scene: self.scene.map(trimmed),
            thinking: (!thoughts.is_empty()).then(|| thoughts.join("\n\n")),
            result: self.complete.or(self.begun).unwrap_or(self.outside).trim().to_owned(),
            tagged,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_models_write() {
        let check = |text: &str, thinking: Option<&str>, result: &str| {
            let answer = Answer::parse(text);
            assert_eq!((answer.thinking.as_deref(), answer.result.as_str()), (thinking, result), "{text:?}");
        };
        check("B", None, "B");
        check("", None, "");
        check("<think>why</think>\n<answer> B </answer>", Some("why"), "B");
        check("<think>why</think> The cup.", Some("why"), "The cup.");
        check("why</think><answer>B</answer>", Some("why"), "B");
        check("<think>why <answer>B</answer>", Some("why <answer>B</answer>"), "");
        check("<think>cut off", Some("cut off"), "");
        check("<think>a</think><answer>B", Some("a"), "B");
        check("<answer>A</answer><think>no</think><answer>C</answer>", Some("no"), "C");
        check(
            "<think>put it in <answer> tags</think><answer>D</answer>",
            Some("put it in <answer> tags"),
            "D",
        );
        check(
            "<think>maybe <answer>A</answer>?</think> The cup.",
            Some("maybe <answer>A</answer>?"),
            "The cup.",
        );
        check("maybe <answer>A</answer>?</think><answer>B</answer>", Some("maybe <answer>A</answer>?"), "B");
        check(
            "<think>a<think>b</think><answer>A</answer></think><answer>B",
            Some("a<think>b</think><answer>A</answer>"),
            "B",
        );
        check("<THINK>a</THINK><Answer>C</ANSWER>", Some("a"), "C");
        check("<answer>B</answer></think>", None, "B");
        check("<answer>B <think>or A</think></answer>", Some("or A"), "B");
        check("<answer>[0.1, 0.2, 0.3, 0.4]/answer>", None, "[0.1, 0.2, 0.3, 0.4]");
        check("a < b <b>c</b>", None, "a < b <b>c</b>");
        let full =
            Answer::parse("<observe>o</observe><scene>{}</scene><think>t</think><answer>(A) x</answer>");
        assert_eq!((full.observed.as_deref(), full.scene.as_deref()), (Some("o"), Some("{}")));
        assert!(full.tagged && full.result == "(A) x");
    }

    proptest! {
        #[test]
        fn sections_survive_a_round_trip(
            observed in "[^<]{0,20}", scene in "[^<]{0,20}", thinking in "[^<]{1,20}", result in "[^</]{0,20}",
        ) {
            let text = format!(
                "<observe>{observed}</observe>\n<scene>{scene}</scene><think>{thinking}</think>\n<answer>{result}</answer>"
            );
            let answer = Answer::parse(&text);
            prop_assert_eq!(answer.observed.as_deref(), Some(observed.trim()));
            prop_assert_eq!(answer.scene.as_deref(), Some(scene.trim()));
            prop_assert_eq!(answer.thinking.unwrap_or_default(), thinking.trim());
            prop_assert_eq!(answer.result, result.trim());
        }

        #[test]
        fn any_text_is_an_answer(text in "\\PC{0,60}") {
            Answer::parse(&text);
        }
    }
}
