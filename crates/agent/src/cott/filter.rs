//! Which traces are good enough to learn from. A trace is rejected for the first reason that holds; reasons are counted.

use std::collections::BTreeSet;

use firsthand_tasks::format::{Step, without_inner_tags};
use serde::{Deserialize, Serialize};

use super::record::Record;
use crate::{Outcome, Said};

/// What a trace must be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Most steps, the answer included. Published: 8.
    pub most_steps: usize,
    /// Fewest calls that found something.
    pub least_calls: usize,
    /// Most characters of the whole dialogue without the system prompt.
    pub most_characters: usize,
    /// Whether a call that failed spoils a trace.
    pub no_failed_calls: bool,
    /// Ids of benchmark questions.
    pub excluded: BTreeSet<String>,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter {
            most_steps: 8,
            least_calls: 1,
            most_characters: 60_000,
            no_failed_calls: true,
            excluded: BTreeSet::new(),
        }
    }
}

/// Why a trace is not learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejected {
    /// The question is one of a benchmark.
    Benchmark,
    /// It ended without an answer.
    NoAnswer,
    /// It says that the memory does not hold the answer.
    NotInMemory,
    /// The answer is another option.
    Wrong,
    /// A turn is not a thought followed by one call or one answer.
    Form,
    /// Too few calls found something.
    TooFewCalls,
    /// A call failed.
    FailedCall,
    /// The last sentence of a thought names another tool than the one called.
    OtherTool,
    /// Too many steps.
    TooManySteps,
    /// Too long.
    TooLong,
}

impl Filter {
    /// Why a record is not learned from; `None` for one that is.
    pub fn rejects(&self, record: &Record) -> Option<Rejected> {
        let turns = &record.trace.turns;
        if self.excluded.contains(&record.id) {
            return Some(Rejected::Benchmark);
        }
        if !matches!(record.trace.end, Said::Answer(_)) {
            return Some(Rejected::NoAnswer);
        }
        if record.is_not_in_memory() {
            return Some(Rejected::NotInMemory);
        }
        if !record.is_right() {
            return Some(Rejected::Wrong);
        }
        if !turns.iter().all(|turn| is_formed(&turn.done)) {
            return Some(Rejected::Form);
        }
        if record.calls().filter(|(_, found)| *found).count() < self.least_calls {
            return Some(Rejected::TooFewCalls);
        }
        if self.no_failed_calls && record.calls().any(|(_, found)| !found) {
            return Some(Rejected::FailedCall);
        }
        if turns.iter().any(|turn| names_another(&turn.done)) {
            return Some(Rejected::OtherTool);
        }
        if turns.len() > self.most_steps {
            return Some(Rejected::TooManySteps);
        }
        let length: usize = turns
            .iter()
            .map(|turn| {
                let back = match &turn.done.said {
                    Said::Observation(text) => text.chars().count(),
                    _ => 0,
                };
                turn.done.text.chars().count() + back
            })
            .sum();
        (length > self.most_characters).then_some(Rejected::TooLong)
    }
}

/// A thought, then one action, nothing else.
fn is_formed(done: &crate::Done) -> bool {
    let text = done.text.trim();
    let step = Step::parse(text);
    let acts = match &done.said {
        Said::Observation(_) => done.called.is_some(),
        Said::Answer(_) => true,
        Said::Over(_) => false,
    };
    let searched = without_inner_tags(text);
    let one = |tag: &str| searched.matches(&format!("<{tag}>")).count();
    let thought = searched.starts_with("<think>") && step.thinking.is_some_and(|thought| !thought.is_empty());
    thought && acts && one("think") == 1 && one("tool") + one("answer") == 1 && one("information") == 0
}

/// Whether a thought ends by naming a tool that is not the one called.
fn names_another(done: &crate::Done) -> bool {
    let Some(called) = &done.called else { return false };
    let thought = Step::parse(&done.text).thinking.unwrap_or_default().to_lowercase();
    let last = thought
        .split(['.', '!', '?', '\n'])
        .map(str::trim)
        .rfind(|part| !part.is_empty())
        .unwrap_or_default();
    let names = |tool: &str| last.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == tool);
    let named = ["rag", "video_llm", "vlm"].iter().any(|tool| names(tool));
    debug_assert!(matches!(called.outcome, Outcome::Found(_) | Outcome::Failed(_)));
    named && !names(&called.call.name.to_lowercase())
}
