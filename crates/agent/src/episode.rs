//! One question from its first prompt to its end, whoever writes the turns: a state machine that takes a model's turn
//! and says what comes back. `ask`, generation of reasoning traces and reinforcement learning all drive this one, so that
//! what a model reads while it learns is what it reads when it is used.
//!
//! It makes no text of the model's and waits for nobody but its tools. Equal turns and equal tools give equal episodes;
//! seconds are told by the caller and by the tools.

use std::collections::HashMap;
use std::sync::Arc;

use firsthand_base::{Conversation, Message, Part, Role};
use firsthand_tasks::format::{Action, Step, ToolCall};
use serde::{Deserialize, Serialize};

use crate::tool::{Call, Called, Context, Tools, micro};
use crate::{Prompt, Question, Result};

/// The tool that ends an episode, known to every tool set.
pub const TERMINATE: &str = "terminate";

/// What an episode may cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budgets {
    /// Turns of the model, the answer included. The published evaluation has 12.
    pub turns: usize,
    /// Tokens that the model may generate in all turns together; 0 sets no limit.
    pub tokens: usize,
    /// Seconds of the model and its tools together; 0 sets no limit.
    pub seconds: f64,
    /// Times that one call may be made before the episode is over.
    pub repeats: usize,
    /// Turns in a row without a call or an answer before the episode is over.
    pub malformed: usize,
}

impl Default for Budgets {
    fn default() -> Budgets {
        Budgets { turns: 12, tokens: 0, seconds: 0.0, repeats: 3, malformed: 3 }
    }
}

/// What a turn of the model cost. Zeros where nobody counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Generated tokens.
    pub tokens: usize,
    /// Seconds.
    pub seconds: f64,
}

/// Why an episode ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// No turn is left.
    Turns,
    /// No token is left.
    Tokens,
    /// No time is left.
    Seconds,
    /// The same call again and again.
    Repeated(String),
    /// Turn after turn with neither a call nor an answer: what was wrong with the last.
    Malformed(String),
    /// Whoever wrote the turns could not go on.
    Broken(String),
}

impl std::fmt::Display for Over {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Over::Turns => f.write_str("no turn is left"),
            Over::Tokens => f.write_str("no token is left"),
            Over::Seconds => f.write_str("no time is left"),
            Over::Repeated(call) => write!(f, "the same call again and again: {call}"),
            Over::Malformed(reason) => write!(f, "neither a call nor an answer: {reason}"),
            Over::Broken(reason) => write!(f, "the model could not go on: {reason}"),
        }
    }
}

/// What comes back to the model after its turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// To be shown as a user turn, wrapped by [`information`].
    Observation(String),
    /// The answer, blanks around it left out.
    Answer(String),
    /// The end, without an answer.
    Over(Over),
}

/// An observation as the model's next user turn.
pub fn information(observation: &str) -> String {
    format!("<information>{observation}</information>")
}

/// What one turn of the model did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// The turn, without what followed its action.
    pub text: String,
    /// What it cost.
    pub cost: Cost,
    /// The call it made, if it made one that reached a tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called: Option<Called>,
    /// What came back.
    pub said: Said,
}

/// What an episode has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// Turns of the model.
    pub turns: usize,
    /// Tokens it generated.
    pub tokens: usize,
    /// Seconds of the model and the tools.
    pub seconds: f64,
}

/// One question being answered.
#[derive(Clone)]
pub struct Episode {
    question: Question,
    tools: Arc<dyn Tools>,
    budgets: Budgets,
    spent: Spent,
    /// How often each call was made, by name and arguments.
    made: HashMap<String, usize>,
    malformed: usize,
    conversation: Conversation,
    done: Vec<Done>,
    over: Option<Said>,
}

impl Episode {
    /// A question that nobody has answered yet. Fails only where a prompt cannot be filled.
    pub fn new(
        question: Question,
        tools: Arc<dyn Tools>,
        budgets: Budgets,
        prompt: Prompt,
    ) -> Result<Episode> {
        let system = prompt.system(&tools.descriptions())?;
        let messages = vec![message(Role::System, system), message(Role::User, question.prompt())];
        Ok(Episode {
            question,
            tools,
            budgets,
            spent: Spent::default(),
            made: HashMap::new(),
            malformed: 0,
            conversation: Conversation { messages },
            done: Vec::new(),
            over: None,
        })
    }

    /// What is asked.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// Everything said so far: the system prompt and the question, then the model's turns and what came back. It only
    /// grows.
    pub fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// What each turn did.
    pub fn done(&self) -> &[Done] {
        &self.done
    }

    /// What has been used.
    pub fn spent(&self) -> Spent {
        self.spent
    }

    /// What may be used.
    pub fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// The answer or the end, once there is one.
    pub fn over(&self) -> Option<&Said> {
        self.over.as_ref()
    }

    /// Tokens that the next turn may have, of at most `most`.
    pub fn tokens_left(&self, most: usize) -> usize {
        match self.budgets.tokens {
            0 => most,
            limit => most.min(limit.saturating_sub(self.spent.tokens)),
        }
    }

    /// Whether a turn in progress has its action whole, so that nothing more needs to be written.
    pub fn is_complete(text: &str) -> bool {
        Step::parse(text).is_whole
    }

    /// A turn up to the end of its action: what the conversation keeps of it.
    pub fn kept(text: &str) -> &str {
        &text[..Step::parse(text).end]
    }

    /// Takes a turn of the model and says what comes back. After the end it repeats the end.
    pub fn turn(&mut self, text: &str, cost: Cost) -> Said {
        if let Some(over) = &self.over {
            return over.clone();
        }
        let step = Step::parse(text);
        let kept = &text[..step.end];
        let cost = Cost { seconds: micro(cost.seconds), ..cost };
        self.spent.turns += 1;
        self.spent.tokens += cost.tokens;
        self.spent.seconds = micro(self.spent.seconds + cost.seconds);
        let (said, called) = match step.action {
            _ if step.informs => (self.malformed("it writes <information> itself; only tools do"), None),
            Action::Answer(answer) => (Said::Answer(answer), None),
            Action::Nothing(reason) => (self.malformed(&reason), None),
            Action::Tool(call) => self.act(&call),
        };
        self.conversation.messages.push(message(Role::Assistant, kept.to_owned()));
        match &said {
            Said::Observation(text) => {
                self.conversation.messages.push(message(Role::User, information(text)));
            }
            over => self.over = Some(over.clone()),
        }
        self.done.push(Done { text: kept.to_owned(), cost, called, said: said.clone() });
        said
    }

    /// Ends the episode because whoever writes the turns cannot.
    pub fn break_off(&mut self, reason: impl Into<String>) -> Said {
        self.over.get_or_insert(Said::Over(Over::Broken(reason.into()))).clone()
    }

    /// A budget that is used up.
    fn exhausted(&self) -> Option<Over> {
        let Budgets { turns, tokens, seconds, .. } = self.budgets;
        if self.spent.turns >= turns {
            return Some(Over::Turns);
        }
        if tokens > 0 && self.spent.tokens >= tokens {
            return Some(Over::Tokens);
        }
        (seconds > 0.0 && self.spent.seconds >= seconds).then_some(Over::Seconds)
    }

    /// A turn that does nothing: told why, and over after too many or when nothing is left.
    fn malformed(&mut self, reason: &str) -> Said {
        self.malformed += 1;
        if self.malformed >= self.budgets.malformed {
            return Said::Over(Over::Malformed(reason.to_owned()));
        }
        match self.exhausted() {
            Some(over) => Said::Over(over),
            None => Said::Observation(self.closing(format!(
                "error: {reason}. Write <think>...</think>, then one <tool>...</tool> or <answer>...</answer>."
            ))),
        }
    }

    fn act(&mut self, call: &ToolCall) -> (Said, Option<Called>) {
        self.malformed = 0;
        if call.name.eq_ignore_ascii_case(TERMINATE) {
            return match call.arguments.get("answer").and_then(serde_json::Value::as_str) {
                Some(answer) => (Said::Answer(answer.trim().to_owned()), None),
                None => (self.malformed("terminate needs \"answer\", a string"), None),
            };
        }
        if let Some(over) = self.exhausted() {
            return (Said::Over(over), None);
        }
        let context = Context::new(self.question.clock, self.question.wearer.clone());
        let called = self.tools.call(call, &context);
        self.spent.seconds = micro(self.spent.seconds + called.seconds);
        let made = self.made.entry(key(&called.call)).or_default();
        *made += 1;
        let times = *made;
        if times >= self.budgets.repeats.max(2) {
            let named = ToolCall { name: called.call.name.clone(), arguments: called.call.arguments.clone() };
            return (Said::Over(Over::Repeated(named.to_json())), Some(called));
        }
        let mut text: String = called.notes.iter().map(|note| format!("note: {note}\n")).collect();
        if times > 1 {
            text.push_str(&format!("note: this call was made before, {times} times now; it says the same\n"));
        }
        text.push_str(&called.text);
        let said = match self.exhausted() {
            Some(over @ Over::Seconds) => Said::Over(over),
            _ => Said::Observation(self.closing(text)),
        };
        (said, Some(called))
    }

    /// An observation, with a word where the next turn is the last.
    fn closing(&self, mut text: String) -> String {
        if self.spent.turns + 1 >= self.budgets.turns {
            text.push_str("\nnote: no further call is possible; answer now");
        }
        text
    }
}

fn message(role: Role, text: String) -> Message {
    Message::new(role, vec![Part::Text(text)])
}

/// What equal calls have in common, whatever the order of their arguments.
pub(crate) fn key(call: &Call) -> String {
    let mut arguments: Vec<_> =
        call.arguments.iter().map(|(name, value)| format!("{name}={value}")).collect();
    arguments.sort();
    format!("{}({})", call.name.to_lowercase(), arguments.join(","))
}

#[cfg(test)]
#[path = "episode_tests.rs"]
mod tests;
