//! Tokens to text as they come: whole characters only, nothing that might be the start of a stop string. What the
//! ids mean is `Render::text`'s business; this file only decides how much of it is final. It relies on what byte-level
//! tokenizers give: the text of a list is that of the joined bytes of its tokens.

use firsthand_base::Render;

/// Most tokens decoded again for each new one. An unfinished character is at most 3 tokens; this is only reached in
/// a long run of bytes that are no characters.
const LONGEST_WINDOW: usize = 32;

/// Text of a growing list of ids, a final part at a time.
#[derive(Default)]
pub(crate) struct TextStream {
    /// Tokens from the last one on at which a character ended.
    window: Vec<u32>,
    /// Bytes of the window's text that were given out.
    given: usize,
}

impl TextStream {
    /// Adds a token. Answers the text that became final.
    pub(crate) fn push(&mut self, render: &impl Render, id: u32) -> String {
        self.window.push(id);
        let text = render.text(&self.window);
        // An unfinished character shows as one replacement character at the end.
        let Some(settled) = text.strip_suffix('\u{fffd}') else {
            let piece = self.give(&text);
            *self = TextStream::default();
            return piece;
        };
        let piece = self.give(settled);
        if render.text(&[id]).is_empty() {
            self.window.pop(); // a special token in the middle of a character
        }
        if self.window.len() > LONGEST_WINDOW {
            self.shorten(render, &text);
        }
        piece
    }

    /// The rest, with a replacement character for an unfinished one.
    pub(crate) fn finish(&mut self, render: &impl Render) -> String {
        let text = render.text(&self.window);
        self.give(&text)
    }

    fn give(&mut self, text: &str) -> String {
        let piece = text.get(self.given..).unwrap_or_default().to_owned();
        self.given = self.given.max(text.len());
        piece
    }

    /// Drops leading tokens whose text no longer depends on what follows.
    fn shorten(&mut self, render: &impl Render, text: &str) {
        for keep in 1..=4 {
            let (head, tail) = self.window.split_at(self.window.len() - keep);
            let head = render.text(head);
            if self.given >= head.len() && text.strip_prefix(&head) == Some(&render.text(tail)) {
                self.given -= head.len();
                self.window.drain(..self.window.len() - keep);
                return;
            }
        }
    }
}

/// Finds stop strings in text that comes in pieces.
pub(crate) struct StopStrings {
    strings: Vec<String>,
    /// Text that may be the beginning of a stop string.
    held: String,
}

impl StopStrings {
    /// Of non-empty strings.
    pub(crate) fn new(strings: &[String]) -> Self {
        StopStrings { strings: strings.to_vec(), held: String::new() }
    }

    /// Adds text. Answers what is certainly not part of a stop string, and whether one was found; after that the
    /// text is over.
    pub(crate) fn push(&mut self, piece: &str) -> (String, bool) {
        self.held.push_str(piece);
        if let Some(at) = self.strings.iter().filter_map(|stop| self.held.find(stop)).min() {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let starts = |at: &usize| {
            self.strings.iter().any(|stop| stop.as_bytes().starts_with(&self.held.as_bytes()[*at..]))
        };
        let longest = self.strings.iter().map(String::len).max().unwrap_or(0);
        let from = self.held.len().saturating_sub(longest);
        let at = (from..self.held.len()).filter(|&at| self.held.is_char_boundary(at)).find(starts);
        let rest = self.held.split_off(at.unwrap_or(self.held.len()));
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// The text is over: what was held back was text after all.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use firsthand_base::{Conversation, GenerateError, Rendered};
    use proptest::prelude::*;

    use super::*;

    /// Each id stands for a few bytes; ids from 1000 on are special and have no text.
    struct Bytes;

    impl Render for Bytes {
        fn render(&self, _: &Conversation) -> Result<Rendered, GenerateError> {
            Err(GenerateError::Request("only decodes".into()))
        }
        fn text(&self, ids: &[u32]) -> String {
            let bytes: Vec<u8> =
                ids.iter().filter(|&&id| id < 1000).flat_map(|&id| token(id).to_vec()).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
    }

    fn token(id: u32) -> &'static [u8] {
        const TOKENS: [&[u8]; 16] = [
            b"a",
            b"b",
            b" ",
            b" ab",
            b"\n",
            "é".as_bytes(),
            b"\xc3",
            b"\xa9",
            b"\xe6\x9d",
            b"\xaf",
            b"\xf0\x9f",
            b"\x91\x80",
            b"\x91",
            b"\x80",
            b"\xff",
            "\u{fffd}".as_bytes(),
        ];
        TOKENS[id as usize % TOKENS.len()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// The pieces join to the text of all ids, each a true beginning of it, and no more than one unfinished
        /// character is ever held back.
        #[test]
        fn pieces_join_to_the_whole_text(
            ids in prop_oneof![
                proptest::collection::vec(prop_oneof![0..16u32, Just(1000)], 0..40),
                proptest::collection::vec(6..15u32, 60..90),
            ],
        ) {
            let render = Bytes;
            let mut stream = TextStream::default();
            let mut joined = String::new();
            for (i, &id) in ids.iter().enumerate() {
                joined += &stream.push(&render, id);
                let so_far = render.text(&ids[..=i]);
                prop_assert!(so_far.starts_with(&joined), "{:?} is no beginning of {:?}", joined, so_far);
                prop_assert!(so_far[joined.len()..].chars().count() <= 1, "{:?} of {:?}", joined, so_far);
                prop_assert!(stream.window.len() <= LONGEST_WINDOW);
            }
            joined += &stream.finish(&render);
            prop_assert_eq!(joined, render.text(&ids));
        }

        /// However the text is cut into pieces, what comes out is the text before the stop string that ends first,
        /// and never a character too early.
        #[test]
        fn stop_strings_are_found_whatever_the_pieces(
            pieces in proptest::collection::vec("[abé]{0,4}", 0..12),
            strings in proptest::collection::vec("[abé]{1,5}", 0..4),
        ) {
            let mut stops = StopStrings::new(&strings);
            let mut out = String::new();
            let mut text = String::new();
            let mut found = false;
            for piece in &pieces {
                text += piece;
                let (piece, over) = stops.push(piece);
                out += &piece;
                found = over;
                if found {
                    break;
                }
                let held = &text[out.len()..];
                prop_assert!(held.is_empty() || strings.iter().any(|stop| stop.starts_with(held)));
            }
            let first = strings.iter().filter_map(|stop| text.find(stop)).min();
            prop_assert_eq!(found, first.is_some());
            if !found {
                out += &stops.finish();
            }
            prop_assert_eq!(&out, &text[..first.unwrap_or(text.len())]);
        }
    }

    #[test]
    fn a_character_in_parts_is_given_out_whole() {
        let render = Bytes;
        let mut stream = TextStream::default();
        let pieces: Vec<String> = [0, 10, 11, 3, 8, 9].iter().map(|&id| stream.push(&render, id)).collect();
        assert_eq!(pieces, ["a", "", "👀", " ab", "", "杯"]);
    }
}
