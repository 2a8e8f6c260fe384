//! What of its earlier steps a teaching model is shown before the next: the published modes. The row that is learned
//! from always has everything; this only shapes what the teacher sees.

use firsthand_base::{
    Conversation, Generate, GenerateError, Generation, Message, Part, Role, SamplingOptions, StopRules,
};
use firsthand_tasks::format::{Action, Step};

/// How much a teacher sees of what came before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Observations {
    /// Every step with its observation.
    #[default]
    All,
    /// Every step, but only the latest observation.
    Single,
    /// Of earlier steps the calls alone, as `Previous actions (step-N): {…}`; the latest step whole.
    AllActions,
    /// Nothing earlier: the latest step alone.
    Null,
}

impl Observations {
    /// All of them.
    pub const ALL: [Observations; 4] =
        [Observations::All, Observations::Single, Observations::AllActions, Observations::Null];

    /// The published name.
    pub fn name(self) -> &'static str {
        match self {
            Observations::All => "all",
            Observations::Single => "single",
            Observations::AllActions => "all_actions",
            Observations::Null => "null",
        }
    }

    /// A conversation of an episode as the teacher sees it.
    pub fn shown(self, conversation: &Conversation) -> Conversation {
        let messages = &conversation.messages;
        // System, question, then pairs of turn and observation.
        let (opening, steps) = messages.split_at(messages.len().min(2));
        let earlier = steps.len().saturating_sub(2);
        let (before, latest) = steps.split_at(earlier);
        let mut shown = opening.to_vec();
        match self {
            Observations::All => shown.extend_from_slice(before),
            Observations::Single => {
                for message in before {
                    let mut message = message.clone();
                    if message.role == Role::User {
                        message.parts = vec![Part::Text(crate::information("[not shown again]"))];
                    }
                    shown.push(message);
                }
            }
            Observations::AllActions => {
                let calls = before.iter().filter(|message| message.role == Role::Assistant).enumerate();
                let lines: Vec<String> =
                    calls.filter_map(|(index, message)| action(index + 1, message)).collect();
                if let (false, Some(question)) = (lines.is_empty(), shown.last_mut()) {
                    question.parts.push(Part::Text(format!("\n\n{}", lines.join("\n"))));
                }
            }
            Observations::Null => {}
        }
        shown.extend_from_slice(latest);
        Conversation { messages: shown }
    }
}

fn action(number: usize, message: &Message) -> Option<String> {
    let [Part::Text(text)] = &message.parts[..] else { return None };
    match Step::parse(text).action {
        Action::Tool(call) => Some(format!("Previous actions (step-{number}): {}", call.to_json())),
        _ => None,
    }
}

/// A teacher that sees its past through a mode.
pub struct Seeing<'a> {
    /// The teacher.
    pub teacher: &'a mut dyn Generate,
    /// How much it sees.
    pub mode: Observations,
}

impl Generate for Seeing<'_> {
    fn generate(
        &mut self,
        conversation: &Conversation,
        sampling: &SamplingOptions,
        stop: &StopRules,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Generation, GenerateError> {
        self.teacher.generate(&self.mode.shown(conversation), sampling, stop, on_text)
    }
}
