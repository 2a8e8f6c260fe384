//! Splits an answer into its tagged sections while it is being written. Tolerant: a tag that is opened inside
//! another section ends it, a tag that never closes ends with the text, unknown tags are text. Inside a thought every
//! tag but `</think>` is text. Tags count in every case.

/// What a piece of an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// Outside every tag.
    Outside,
    /// `<observe>`: what is seen.
    Observe,
    /// `<scene>`: the scene graph.
    Scene,
    /// `<think>`: the reasoning.
    Think,
    /// `<answer>`: the result.
    Answer,
}

const TAGS: [(&str, Section, bool); 8] = [
    ("<observe>", Section::Observe, true),
    ("</observe>", Section::Observe, false),
    ("<scene>", Section::Scene, true),
    ("</scene>", Section::Scene, false),
    ("<think>", Section::Think, true),
    ("</think>", Section::Think, false),
    ("<answer>", Section::Answer, true),
    ("</answer>", Section::Answer, false),
];

/// One thing that happened in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// More text of the current section.
    Text(String),
    /// A section begins.
    Open(Section),
    /// A closing tag of this section, which need not be the current one.
    Close(Section),
}

/// Cuts text that arrives in pieces. How it is cut into pieces makes no difference.
#[derive(Debug)]
pub struct Splitter {
    current: Section,
    /// Text that could be the start of a tag.
    held: String,
}

impl Default for Splitter {
    fn default() -> Self {
        Splitter { current: Section::Outside, held: String::new() }
    }
}

impl Splitter {
    /// The section the next text belongs to.
    pub fn current(&self) -> Section {
        self.current
    }

    /// Takes the next piece; returns the text that is certain by now, with its section.
    pub fn push(&mut self, piece: &str) -> Vec<(Section, String)> {
        let mut current = self.current;
        let events = self.events(piece, false);
        texts(&mut current, events)
    }

    /// Ends the text; returns what was held back.
    pub fn finish(&mut self) -> Vec<(Section, String)> {
        let mut current = self.current;
        let events = self.events("", true);
        texts(&mut current, events)
    }

    pub(crate) fn events(&mut self, piece: &str, last: bool) -> Vec<Event> {
        self.held.push_str(piece);
        let mut events = Vec::new();
        let mut text = String::new();
        let mut rest = self.held.as_str();
        loop {
            let Some(at) = rest.find('<') else {
                text.push_str(rest);
                rest = "";
                break;
            };
            text.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(&(tag, section, opens)) =
                tags_in(self.current).find(|(tag, ..)| same_start(rest, tag) == tag.len())
            {
                if !text.is_empty() {
                    events.push(Event::Text(std::mem::take(&mut text)));
                }
                self.current = if opens { section } else { Section::Outside };
                events.push(if opens { Event::Open(section) } else { Event::Close(section) });
                rest = &rest[tag.len()..];
            } else if !last && tags_in(self.current).any(|(tag, ..)| same_start(rest, tag) == rest.len()) {
                break;
            } else {
                text.push('<');
                rest = &rest[1..];
            }
        }
        self.held = rest.to_owned();
        if !text.is_empty() {
            events.push(Event::Text(text));
        }
        events
    }
}

/// Tags that are not text within a section.
fn tags_in(current: Section) -> impl Iterator<Item = &'static (&'static str, Section, bool)> {
    let thinking = current == Section::Think;
    TAGS.iter().filter(move |(_, section, opens)| !thinking || (*section == Section::Think && !opens))
}

/// How many bytes two texts have in common at their beginning, letters' case aside.
fn same_start(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
}

fn texts(current: &mut Section, events: Vec<Event>) -> Vec<(Section, String)> {
    let mut out = Vec::new();
    for event in events {
        match event {
            Event::Text(text) => out.push((*current, text)),
            Event::Open(section) => *current = section,
            Event::Close(_) => *current = Section::Outside,
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(pieces: &[&str]) -> Vec<(Section, String)> {
        let mut splitter = Splitter::default();
        let mut out: Vec<(Section, String)> = Vec::new();
        let mut add = |parts: Vec<(Section, String)>| {
            for (section, text) in parts {
                match out.last_mut() {
                    Some((last, so_far)) if *last == section => so_far.push_str(&text),
                    _ => out.push((section, text)),
                }
            }
        };
        for piece in pieces {
            add(splitter.push(piece));
        }
        add(splitter.finish());
        out
    }

    #[test]
    fn text_is_shown_as_soon_as_it_is_certain() {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.push("<thi"), vec![]);
        assert_eq!(splitter.push("nk>a < b"), vec![(Section::Think, "a < b".to_owned())]);
        assert_eq!(splitter.push("</th"), vec![]);
        assert_eq!(splitter.push("e "), vec![(Section::Think, "</the ".to_owned())]);
        assert_eq!(splitter.push("<answer>"), vec![(Section::Think, "<answer>".to_owned())]);
        assert_eq!(splitter.push("</THINK><Ans"), vec![]);
        assert_eq!(splitter.push("wer>B<"), vec![(Section::Answer, "B".to_owned())]);
        assert_eq!(splitter.finish(), vec![(Section::Answer, "<".to_owned())]);
    }

    proptest! {
        #[test]
        fn cutting_makes_no_difference(
            parts in prop::collection::vec(
                prop::sample::select(vec!["<think>", "</think>", "<answer>", "</answer>", "<", "</", "a", "é>", "<scene>", "<thin"]),
                0..12,
            ),
            cut in 0usize..60,
        ) {
            let text = parts.concat();
            let mut cut = cut.min(text.len());
            while !text.is_char_boundary(cut) {
                cut -= 1;
            }
            prop_assert_eq!(whole(&[&text]), whole(&[&text[..cut], &text[cut..]]));
        }
    }
}
