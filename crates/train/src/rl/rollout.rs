//! What was sampled: tokens with their log-probabilities, in one go or in turns with what an environment said between
//! them. Values only.

use std::ops::Range;

use firsthand_tasks::format::{Action, Step};

/// Tokens that the model read after its prompt, and which of them it chose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stretch {
    /// All of them.
    pub ids: Vec<u32>,
    /// Those that were sampled with everything before them in view. The others are an environment's, or were sampled
    /// in an earlier stretch.
    pub sampled: Vec<Range<usize>>,
}

/// One sampled completion.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rollout {
    /// One, or several where what an environment had said was shortened on the way: after that the model read another
    /// text than before.
    pub stretches: Vec<Stretch>,
    /// Log-probability of each sampled token, in order, those that end turns included.
    pub logs: Vec<f32>,
    /// Whether it ended by itself.
    pub is_finished: bool,
    /// What was said in turns, where there was somebody to talk to.
    pub dialogue: Option<Dialogue>,
}

/// A completion in turns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dialogue {
    /// What the model said, up to the end of each action, and what came back.
    pub turns: Vec<Turn>,
    /// Why it ended.
    pub end: End,
    /// Tokens that were the environment's.
    pub heard_tokens: usize,
    /// Observations that were shortened so that the next turn found room.
    pub shortened: usize,
    /// Tokens of the contexts of turns after the first, and how many of them were not computed again.
    pub context_tokens: [usize; 2],
}

/// One turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The model's words.
    pub said: String,
    /// The environment's; empty after the last turn.
    pub heard: String,
}

/// Why a dialogue ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It did not yet.
    #[default]
    Open,
    /// With this answer.
    Answered(String),
    /// The environment had enough: a budget, a loop, turns that did nothing.
    Over(String),
    /// The context was full.
    Full,
    /// The environment failed: what the model did is worth nothing known.
    Failed(String),
}

impl Rollout {
    /// Tokens sampled in one go.
    pub fn of(ids: Vec<u32>, logs: Vec<f32>, is_finished: bool) -> Rollout {
        let sampled = std::iter::once(0..ids.len()).collect();
        Rollout { stretches: vec![Stretch { ids, sampled }], logs, is_finished, dialogue: None }
    }

    /// The tokens it chose, in order.
    pub fn sampled(&self) -> impl Iterator<Item = u32> {
        self.stretches.iter().flat_map(|stretch| {
            stretch.sampled.iter().cloned().flat_map(|range| stretch.ids[range].iter().copied())
        })
    }

    /// Tokens it chose.
    pub fn len(&self) -> usize {
        self.logs.len()
    }

    /// Whether it chose none.
    pub fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// Why nobody can say what it is worth.
    pub fn failure(&self) -> Option<&str> {
        match &self.dialogue.as_ref()?.end {
            End::Failed(reason) => Some(reason),
            _ => None,
        }
    }
}

impl Dialogue {
    /// The model's turns as one text for judges, without anything that was said to it. An answer that was given by a
    /// call stands in the tags of an answer.
    pub fn said(&self) -> String {
        let mut turns: Vec<&str> = self.turns.iter().map(|turn| turn.said.as_str()).collect();
        let by_call = match (&self.end, turns.last().map(|last| (last, Step::parse(last)))) {
            (End::Answered(answer), Some((last, Step { action: Action::Tool(_), begin, .. }))) => {
                Some(format!("{}<answer>{answer}</answer>", &last[..begin]))
            }
            _ => None,
        };
        if let Some(by_call) = &by_call {
            turns.pop();
            turns.push(by_call);
        }
        turns.join("\n")
    }

    /// Everything that was said, for people.
    pub fn transcript(&self) -> String {
        let mut text = String::new();
        for Turn { said, heard } in &self.turns {
            text.push_str(said);
            text.push('\n');
            if !heard.is_empty() {
                text.push_str(heard);
                text.push('\n');
            }
        }
        match &self.end {
            End::Open | End::Answered(_) => {}
            End::Over(reason) => text.push_str(&format!("(over: {reason})")),
            End::Full => text.push_str("(over: the context is full)"),
            End::Failed(reason) => text.push_str(&format!("(failed: {reason})")),
        }
        text.truncate(text.trim_end().len());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn judges_read_the_models_turns_alone() {
        let turn = |said: &str, heard: &str| Turn { said: said.into(), heard: heard.into() };
        let look = "<think>a</think><tool>{}</tool>";
        let check = |last: &str, end: End, expected: &str| {
            let turns = vec![turn(look, "<information><answer>C</answer></information>"), turn(last, "")];
            let said = Dialogue { turns, end, ..Dialogue::default() }.said();
            assert_eq!(said, format!("{look}\n{expected}"));
        };
        let answered = || End::Answered("B".into());
        check("<answer>B</answer>", answered(), "<answer>B</answer>");
        let call =
            "<think>b</think><tool>{\"name\": \"terminate\", \"arguments\": {\"answer\": \"B\"}}</tool>";
        check(call, answered(), "<think>b</think><answer>B</answer>");
        let named = "<think><answer> tags</think><tool>{\"name\": \"terminate\", \"arguments\": {\"answer\": \"B\"}}</tool>";
        check(named, answered(), "<think><answer> tags</think><answer>B</answer>");
        check("hm", End::Over("no turn is left".into()), "hm");
    }
}
