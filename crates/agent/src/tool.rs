//! What a tool is: a name, a schema, and a call that gives a structured observation or a structured error a model can
//! act on. Tools see the question's clock and wearer through [`Context`] and nothing else of the episode.

use std::time::{Duration, Instant};

use firsthand_base::Moment;
use firsthand_tasks::format::ToolCall;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a tool may know of the question.
#[derive(Clone, Debug)]
pub struct Context {
    /// When the question is asked. No tool gives anything later.
    pub clock: Moment,
    /// Whose recordings.
    pub wearer: String,
    /// When the caller stops waiting; a tool that can stop by then does.
    pub deadline: Option<Instant>,
}

impl Context {
    /// Of a question asked then by that wearer.
    pub fn new(clock: Moment, wearer: impl Into<String>) -> Context {
        Context { clock, wearer: wearer.into(), deadline: None }
    }

    /// Whether the caller has stopped waiting.
    pub fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// A stretch of someone's time that an observation stands on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where it begins.
    pub start: Moment,
    /// Where it ends.
    pub end: Moment,
    /// What was read or seen there.
    pub text: String,
    /// Which tool gave it.
    pub tool: String,
    /// Where in which files it can be seen; none for what is only written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Seen>,
}

/// Seconds to the microsecond. Such numbers are written with few digits and read back with the very same bits, which a
/// replay needs.
pub(crate) fn micro(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The file, as media are named.
    pub file: String,
    /// Where it begins, in seconds from the file's first frame.
    pub start_s: f64,
    /// Where it ends.
    pub end_s: f64,
}

/// What a tool found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// What the model reads: a text as it is, anything else as JSON.
    pub value: Value,
    /// What it stands on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

impl Observation {
    /// Words, or a structure, that stand on nothing in particular.
    pub fn of(value: impl Into<Value>) -> Observation {
        Observation { value: value.into(), evidence: Vec::new() }
    }
}

/// What kind of thing went wrong in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// No tool has that name.
    UnknownTool,
    /// An argument is missing, unknown, of the wrong type or out of range.
    BadArgument,
    /// It asks for what was later than the question.
    LaterThanNow,
    /// Nothing there: no recording, no record.
    NotFound,
    /// It took too long.
    TimedOut,
    /// The tool broke.
    Failed,
}

/// Why a call gave nothing, and what to do about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolError {
    /// The kind.
    pub error: Trouble,
    /// What was wrong, in one line.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Whether the same call may go well another time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_passing: bool,
}

impl ToolError {
    /// Of a kind, with a remedy.
    pub fn new(error: Trouble, message: impl Into<String>, remedy: impl Into<String>) -> ToolError {
        ToolError { error, message: message.into(), remedy: Some(remedy.into()), is_passing: false }
    }

    /// The tool broke; no remedy is known.
    pub fn failed(message: impl Into<String>) -> ToolError {
        ToolError { error: Trouble::Failed, message: message.into(), remedy: None, is_passing: false }
    }

    /// One that may pass: the call is tried again.
    pub fn passing(mut self) -> ToolError {
        self.is_passing = true;
        self
    }

    /// What the model reads.
    pub fn value(&self) -> Value {
        let mut told = json!({"error": self.error, "message": self.message});
        if let Some(remedy) = &self.remedy {
            told["remedy"] = Value::from(remedy.as_str());
        }
        told
    }
}

/// What a model is told about a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The name it is called by.
    pub name: String,
    /// What it is good for, what it costs.
    pub about: String,
    /// JSON schema of its arguments, an object; see `schema.rs` for the words it may use.
    pub schema: Value,
    /// Arguments of an example call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Map<String, Value>>,
}

/// Something that looks into recordings or elsewhere.
pub trait Tool: Send + Sync {
    /// What a model is told about it.
    fn description(&self) -> &Description;

    /// Does it. Arguments fit the schema, and no time in them is later than the clock.
    fn call(&self, arguments: &Map<String, Value>, context: &Context) -> Result<Observation, ToolError>;

    /// How long a caller waits; `None` for what is always quick and is called in place.
    fn patience(&self) -> Option<Duration> {
        None
    }

    /// Whether equal calls give equal results, so that a result may be given again.
    fn is_repeatable(&self) -> bool {
        true
    }
}

/// A call and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Called {
    /// The call as it was made: arguments completed, times cut at the clock.
    pub call: Call,
    /// What was done to the arguments, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What it gave.
    pub outcome: Outcome,
    /// What the model reads, before anything the episode adds.
    pub text: String,
    /// Characters of the whole result, where more were found than shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_from: Option<usize>,
    /// Seconds it took, tries and waits included.
    pub seconds: f64,
    /// Times it was tried; 0 for one answered from the cache or refused.
    pub tries: u32,
}

/// Name and arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
}

/// What a call gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Something.
    Found(Observation),
    /// Nothing, and why.
    Failed(ToolError),
}

/// The tools of an episode, wherever they run: [`Toolbox`](crate::Toolbox) calls them, a replay repeats what they said.
pub trait Tools: Send + Sync {
    /// What a model is told about them, in order.
    fn descriptions(&self) -> Vec<Description>;

    /// Calls one. Never fails: what goes wrong is in the outcome.
    fn call(&self, call: &ToolCall, context: &Context) -> Called;
}
