//! A conversation that has its answers already, for learning: rendered without the opening of a further turn, with
//! the tokens each assistant turn is made of. Who learns from which of them is not decided here.
//!
//! The turns are found by rendering, never by looking for words in the prompt: what the template writes before a turn
//! (the prompt a generation would start from) and what it writes up to the turn's end. The prompt is encoded in the
//! pieces that fall between these, because a generation is: its first token can never be merged with the prompt's
//! last. Where no answer begins with a line break, the ids are those of the whole text.

use std::ops::Range;

use firsthand_base::{Conversation, Part, Rendered, Role, VisionItem};

use crate::error::{Error, Result};
use crate::renderer::Renderer;

/// A rendered conversation and the tokens of its assistant turns.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The whole conversation.
    pub rendered: Rendered,
    /// Per assistant turn, in order, the tokens of `rendered.input.ids` that the model would have generated: the
    /// words and the token that ends the turn. What the template writes after that token is not among them.
    pub answers: Vec<Range<usize>>,
}

impl Renderer {
    /// Renders a conversation whose assistant turns are to be learned.
    pub fn answered(&self, conversation: &Conversation) -> Result<Answered> {
        self.check(conversation)?;
        let (text, turns) = self.turns(conversation)?;
        let stops = &self.generation_defaults().stop.tokens;
        let (mut ids, mut answers, mut done) = (Vec::new(), Vec::new(), 0);
        for turn in turns {
            ids.extend(self.tokenizer().encode(&text[done..turn.start])?);
            let words = self.tokenizer().encode(&text[turn.clone()])?;
            // The last one is the template's: words that spell a stop token stand before it.
            let end = words.iter().rposition(|id| stops.contains(id));
            let end = end.ok_or_else(|| {
                self.refused("ends the assistant's turn without a stop token, so a model that learns it would never stop")
            })?;
            answers.push(ids.len()..ids.len() + end + 1);
            ids.extend(words);
            done = turn.end;
        }
        ids.extend(self.tokenizer().encode(&text[done..])?);
        let rendered = self.with_media(conversation, text, &ids)?;
        let vision = &rendered.input.vision;
        let answers =
            answers.into_iter().map(|at| expanded(vision, at.start)..expanded(vision, at.end)).collect();
        Ok(Answered { rendered, answers })
    }

    /// The whole text, and where in it each assistant turn is.
    fn turns(&self, conversation: &Conversation) -> Result<(String, Vec<Range<usize>>)> {
        let text = self.template().render_answered(conversation)?;
        let mut turns = Vec::new();
        let mut before = Conversation::default();
        for (index, message) in conversation.messages.iter().enumerate() {
            if message.role != Role::Assistant {
                before.messages.push(message.clone());
                continue;
            }
            let at = format!("messages[{index}]");
            if before.messages.is_empty() {
                return Err(Error::message(at, "the assistant speaks first; there is nothing to answer"));
            }
            if message.parts.iter().any(|part| !matches!(part, Part::Text(_))) {
                return Err(Error::message(at, "the assistant shows a medium; only words can be learned"));
            }
            let asked = self.template().render(&before)?;
            before.messages.push(message.clone());
            let said = self.template().render_answered(&before)?;
            if !said.starts_with(&asked) || !text.starts_with(&said) {
                return Err(self.refused(
                    "writes a turn differently when more follows it, so what the model would say cannot be told \
                     from the prompt; learn one answer per row, or use another template",
                ));
            }
            turns.push(asked.len()..said.len());
        }
        Ok((text, turns))
    }
}

/// Where a token is after the placeholders before it were expanded.
fn expanded(vision: &[VisionItem], place: usize) -> usize {
    let mut shift = 0;
    for item in vision {
        if item.span.start - shift >= place {
            break;
        }
        shift += item.span.len() - 1;
    }
    place + shift
}

#[cfg(test)]
#[path = "answered_tests.rs"]
mod tests;
