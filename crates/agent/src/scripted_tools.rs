//! Tools and models that do what a test tells them to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use firsthand_base::{
    Conversation, Finish, Generate, GenerateError, Generation, Part, SamplingOptions, StopRules,
};
use serde_json::{Map, Value, json};

use crate::tool::{Context, Description, Observation, Tool, ToolError};
use crate::{CallRules, Question, Toolbox};

type Act = Box<dyn Fn(&Map<String, Value>, &Context) -> Result<Observation, ToolError> + Send + Sync>;

/// A tool made of a closure; `calls` counts how often it ran.
pub(crate) struct Scripted {
    description: Description,
    act: Act,
    patience: Option<Duration>,
    pub(crate) calls: Arc<AtomicUsize>,
}

impl Scripted {
    pub(crate) fn new(
        name: &str,
        act: impl Fn(&Map<String, Value>, &Context) -> Result<Observation, ToolError> + Send + Sync + 'static,
    ) -> Scripted {
        let schema = json!({"type": "object", "properties": {
            "question": {"type": "string", "description": "what to look for"},
            "query_time": {"type": "string", "format": "moment-or-now", "description": "now"},
            "more": {"type": "object", "description": "anything"},
        }, "required": ["question"]});
        let example = json!({"question": "where is the cup?"}).as_object().cloned();
        let description =
            Description { name: name.into(), about: "looks something up".into(), schema, example };
        Scripted { description, act: Box::new(act), patience: None, calls: Arc::default() }
    }

    pub(crate) fn patient(mut self, patience: Duration) -> Scripted {
        self.patience = Some(patience);
        self
    }

    /// A toolbox of this tool alone.
    pub(crate) fn alone(self, rules: CallRules) -> Arc<Toolbox> {
        Arc::new(Toolbox::new(vec![Arc::new(self)], rules).unwrap())
    }
}

impl Tool for Scripted {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call(&self, arguments: &Map<String, Value>, context: &Context) -> Result<Observation, ToolError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        (self.act)(arguments, context)
    }

    fn patience(&self) -> Option<Duration> {
        self.patience
    }
}

/// A tool that repeats its question.
pub(crate) fn echo() -> Scripted {
    Scripted::new("look", |arguments, _| Ok(Observation::of(arguments["question"].clone())))
}

pub(crate) fn question() -> Question {
    Question {
        id: "1".into(),
        text: "where is the cup ?".into(),
        options: vec!["table".into(), "shelf".into()],
        clock: "DAY3_12000000".parse().unwrap(),
        wearer: "A1".into(),
    }
}

pub(crate) fn call(name: &str, arguments: Value) -> String {
    format!("<think>so</think><tool>{}</tool>", json!({"name": name, "arguments": arguments}))
}

/// A model that says what it is told to, character by character. A turn that begins with `!` is a failure.
pub(crate) struct Speaker {
    turns: std::collections::VecDeque<String>,
    /// Observation characters that a conversation may have.
    pub(crate) room: usize,
    /// Characters of each turn that were taken.
    pub(crate) taken: Vec<usize>,
    /// Conversations as they were shown.
    pub(crate) seen: Vec<String>,
    /// Tokens that each turn was allowed.
    pub(crate) allowed: Vec<usize>,
}

impl Speaker {
    pub(crate) const TOKENS: usize = 7;

    pub(crate) fn new(turns: &[String]) -> Speaker {
        Speaker {
            turns: turns.iter().cloned().collect(),
            room: usize::MAX,
            taken: Vec::new(),
            seen: Vec::new(),
            allowed: Vec::new(),
        }
    }
}

impl Generate for Speaker {
    fn generate(
        &mut self,
        conversation: &Conversation,
        _: &SamplingOptions,
        stop: &StopRules,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Generation, GenerateError> {
        let texts = conversation.parts().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            _ => None,
        });
        let seen: Vec<&str> = texts.collect();
        let inside =
            seen.iter().filter(|text| text.starts_with("<information>") && !text.contains("left out"));
        if inside.map(|text| text.chars().count()).sum::<usize>() > self.room || self.room == 0 {
            return Err(GenerateError::Request("the prompt is too long: 9 tokens".into()));
        }
        self.seen.push(seen.join("\n"));
        self.allowed.push(stop.max_tokens);
        let turn = self.turns.pop_front().unwrap_or_default();
        if let Some(reason) = turn.strip_prefix('!') {
            return Err(GenerateError::Backend(reason.to_owned()));
        }
        let taken = turn.chars().take_while(|c| on_text(&c.to_string())).count();
        // The piece after which nothing more is wanted has been taken.
        self.taken.push((taken + 1).min(turn.chars().count()));
        Ok(Generation {
            text: turn,
            ids: Vec::new(),
            new_tokens: Speaker::TOKENS,
            logprobs: Vec::new(),
            finish: Finish::Stop,
            prompt_tokens: 100,
            cached_tokens: 0,
            prompt: String::new(),
            media: Vec::new(),
        })
    }
}
