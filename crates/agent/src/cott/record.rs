//! What is kept of one question, in the published raw form, with the wearer (which the published one leaves out) and the
//! trace.

use firsthand_base::Moment;
use firsthand_tasks::format::Step;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::questions::Asked;
use crate::tool::Outcome;
use crate::{Said, Trace, Verdict};

/// A step as the published raw files have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RawStep {
    /// Counted from 1.
    pub step: usize,
    /// The thought.
    pub thought: Option<String>,
    /// `{"id", "name", "arguments": "<JSON text>"}`; none in the last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<Value>,
    /// What came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observation: Option<String>,
    /// The answer; only in the last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// A question that a teacher has answered or given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The question's id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Whose question.
    pub identity: String,
    /// Its type.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// The question.
    pub question: String,
    /// Its options.
    pub options: Vec<String>,
    /// The steps.
    pub cot: Vec<RawStep>,
    /// The right letter.
    pub ground_truth: String,
    /// From what decides to the question: `query_time`, `target_time`, `span` in seconds, `span_str`.
    pub reasoning_span: Value,
    /// Everything.
    pub trace: Trace,
}

/// A question whose teacher broke.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The question's id.
    pub id: String,
    /// Whose question.
    pub identity: String,
    /// What was asked.
    pub prompt: String,
    /// What went wrong.
    pub error: String,
    /// After how many steps.
    pub step: usize,
}

impl Record {
    /// Of a finished trace.
    pub fn of(asked: &Asked, trace: Trace) -> Record {
        let step = |(index, turn): (usize, &crate::TracedTurn)| {
            let done = &turn.done;
            let tool = done.called.as_ref().map(|called| {
                let arguments = Value::Object(called.call.arguments.clone()).to_string();
                json!({"id": format!("call_{}", index + 1), "name": called.call.name, "arguments": arguments})
            });
            let (observation, answer) = match &done.said {
                Said::Observation(text) => (Some(text.clone()), None),
                Said::Answer(answer) => (None, Some(answer.clone())),
                Said::Over(_) => (None, None),
            };
            RawStep { step: index + 1, thought: Step::parse(&done.text).thinking, tool, observation, answer }
        };
        Record {
            id: asked.question.id.clone(),
            identity: asked.question.wearer.clone(),
            kind: asked.kind.clone(),
            question: asked.question.text.clone(),
            options: asked.question.options.clone(),
            cot: trace.turns.iter().enumerate().map(step).collect(),
            ground_truth: char::from(b'A' + asked.gold.min(25) as u8).to_string(),
            reasoning_span: span(asked.question.clock, asked.target),
            trace,
        }
    }

    /// Whether the agent's own answer is the right option.
    pub fn is_right(&self) -> bool {
        match self.trace.verdict {
            Some(Verdict::Option(option)) => firsthand_tasks::letter(&self.ground_truth) == Some(option),
            _ => false,
        }
    }

    /// Whether it was said that the memory does not hold the answer.
    pub fn is_not_in_memory(&self) -> bool {
        self.trace.verdict == Some(Verdict::NotInMemory)
    }

    /// Calls that reached a tool, and whether each found something.
    pub fn calls(&self) -> impl Iterator<Item = (&str, bool)> {
        self.trace
            .turns
            .iter()
            .filter_map(|turn| turn.done.called.as_ref())
            .map(|called| (called.call.name.as_str(), matches!(called.outcome, Outcome::Found(_))))
    }
}

fn span(query: Moment, target: Option<Moment>) -> Value {
    let Some(target) = target else { return json!({"query_time": query.to_string()}) };
    let seconds = ((query.ms() - target.ms()) / 1000).max(0);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    let told = match days {
        0 => clock,
        1 => format!("1 day {clock}"),
        days => format!("{days} days {clock}"),
    };
    json!({"query_time": query.to_string(), "target_time": target.to_string(), "span": seconds, "span_str": told})
}
