//! Everything that happened while a question was answered, as one JSON value: enough to see why the answer is what it is,
//! and to go the same way again without tools, memory or network.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use firsthand_base::{Finish, Manifest, Part, json};
use firsthand_tasks::format::ToolCall;
use serde::{Deserialize, Serialize};

use crate::tool::{Call, Called, Context, Description, Evidence, Outcome, ToolError, Tools};
use crate::toolbox::shown;
use crate::{Budgets, Cost, Done, Episode, Error, Prompt, Question, Result, Said, Spent, Verdict};

/// The version of this format.
const FORMAT: u32 = 1;

/// Records of a search that are named as what an answer stands on.
const MOST_DECISIVE: usize = 3;

/// One turn of a trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TracedTurn {
    /// What was said and done.
    #[serde(flatten)]
    pub done: Done,
    /// The whole turn, where more was written than counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<String>,
    /// Tokens of the prompt of this turn; 0 where nobody counts.
    pub prompt_tokens: usize,
    /// Why the generation ended.
    pub finish: Finish,
}

/// What another model made of everything that was found. It never takes the place of the agent's own answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What it said.
    pub text: String,
    /// What that comes to.
    pub verdict: Verdict,
    /// What it cost.
    pub cost: Cost,
}

/// A trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// Version of the format.
    pub format: u32,
    /// What was asked.
    pub question: Question,
    /// Which words came before it.
    pub prompt: Prompt,
    /// Those words.
    pub system: String,
    /// What the tools were.
    pub tools: Vec<Description>,
    /// What it might cost.
    pub budgets: Budgets,
    /// The turns in order.
    pub turns: Vec<TracedTurn>,
    /// The answer, or why there is none.
    pub end: Said,
    /// What the agent's own answer comes to; none without an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// What a second model made of the findings, if one was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// What it cost.
    pub spent: Spent,
    /// What made it, by role: `agent`, `video`, `image`, `summary`, `memory`.
    #[serde(default)]
    pub manifests: BTreeMap<String, Manifest>,
}

impl Trace {
    /// Of an episode; `turns` says of each turn what the episode does not know.
    pub fn of(episode: &Episode, prompt: Prompt, tools: &dyn Tools, turns: Vec<TracedTurn>) -> Trace {
        let end =
            episode.over().cloned().unwrap_or_else(|| Said::Over(crate::Over::Broken("not finished".into())));
        let verdict = match &end {
            Said::Answer(answer) => Some(episode.question().read(answer)),
            _ => None,
        };
        Trace {
            format: FORMAT,
            question: episode.question().clone(),
            prompt,
            system: system(episode),
            tools: tools.descriptions(),
            budgets: episode.budgets().clone(),
            turns,
            end,
            verdict,
            summary: None,
            spent: episode.spent(),
            manifests: BTreeMap::new(),
        }
    }

    /// Reads one.
    pub fn parse(text: &str, path: &str) -> Result<Trace> {
        let bad = |reason: String| Error::File {
            path: path.to_owned(),
            reason,
            remedy: "name a trace that this program wrote",
        };
        let trace: Trace = json::read_object(text.as_bytes()).map_err(|fault| bad(fault.to_string()))?;
        match trace.format {
            FORMAT => Ok(trace),
            other => Err(bad(format!("its format is {other}, and this program reads {FORMAT}"))),
        }
    }

    /// As JSON.
    pub fn to_json(&self) -> String {
        // Nothing in it can fail to be JSON: all keys are text.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// What the answer may stand on: everything that was found, in order, each once.
    pub fn evidence(&self) -> Vec<&Evidence> {
        let mut all: Vec<&Evidence> = Vec::new();
        for turn in &self.turns {
            let Some(Called { outcome: Outcome::Found(found), .. }) = &turn.done.called else { continue };
            for evidence in &found.evidence {
                if !all.contains(&evidence) {
                    all.push(evidence);
                }
            }
        }
        all
    }

    /// What the answer stands on: [`Trace::searched`], or nothing where there is no answer or it is not in the memory, for
    /// then what was searched is of other things.
    pub fn decisive(&self) -> Vec<&Evidence> {
        let verdicts = self.verdict.iter().chain(self.summary.iter().map(|summary| &summary.verdict));
        match verdicts.into_iter().any(|verdict| *verdict != Verdict::NotInMemory) {
            true => self.searched(),
            false => Vec::new(),
        }
    }

    /// What was looked at, else the finest records of the last search that found something.
    pub fn searched(&self) -> Vec<&Evidence> {
        let watched: Vec<&Evidence> =
            self.evidence().into_iter().filter(|evidence| evidence.tool != "rag").collect();
        if !watched.is_empty() {
            return watched;
        }
        let found = |turn: &TracedTurn| match &turn.done.called {
            Some(Called { outcome: Outcome::Found(found), .. }) => !found.evidence.is_empty(),
            _ => false,
        };
        let Some(last) = self.turns.iter().rev().find(|turn| found(turn)) else { return Vec::new() };
        let Some(Called { outcome: Outcome::Found(found), .. }) = &last.done.called else {
            return Vec::new();
        };
        let length = |evidence: &Evidence| evidence.end.ms() - evidence.start.ms();
        let shortest = found.evidence.iter().map(length).min().unwrap_or(0);
        let finest = found.evidence.iter().filter(|evidence| length(evidence) <= shortest.max(1) * 2);
        finest.take(MOST_DECISIVE).collect()
    }

    /// Goes the same way again with the turns and findings of the trace, and says where the way differs. What comes out
    /// has the bits of the trace.
    pub fn replay(&self) -> Result<Trace> {
        self.again(&mut |turn, _| Ok(self.turns[turn].clone()))
    }

    /// Goes the way again with turns from elsewhere, of which each must be the turn of the trace; tools answer from the
    /// trace.
    pub fn again(
        &self,
        speak: &mut dyn FnMut(usize, &Episode) -> std::result::Result<TracedTurn, String>,
    ) -> Result<Trace> {
        let tools = std::sync::Arc::new(Recorded::of(self));
        let mut episode =
            Episode::new(self.question.clone(), tools.clone(), self.budgets.clone(), self.prompt)?;
        let differs = |turn: usize, what: String| Error::Differs { turn: turn + 1, what };
        if system(&episode) != self.system {
            return Err(differs(
                0,
                "the system prompt is another; this program's words have changed".to_owned(),
            ));
        }
        let mut turns = Vec::new();
        for (index, traced) in self.turns.iter().enumerate() {
            let spoken = speak(index, &episode).map_err(|reason| differs(index, reason))?;
            let text = spoken.whole.as_ref().unwrap_or(&spoken.done.text);
            if spoken.done.text != traced.done.text {
                let what = first_difference(&traced.done.text, &spoken.done.text);
                return Err(differs(index, format!("the model's words: {what}")));
            }
            let said = episode.turn(text, traced.done.cost);
            if said != traced.done.said {
                return Err(differs(
                    index,
                    format!("what came back is {said:?}, not {:?}", traced.done.said),
                ));
            }
            // What is shown as evidence is what the model read.
            if let Some(called) = &traced.done.called
                && called.cut_from.is_none()
                && shown(called.outcome.clone(), usize::MAX).text != called.text
            {
                return Err(differs(index, "what its tool found is not what the model read".to_owned()));
            }
            let Some(done) = episode.done().last().cloned() else { break };
            turns.push(TracedTurn { done, ..spoken });
        }
        if let (Said::Over(crate::Over::Broken(reason)), None) = (&self.end, episode.over()) {
            episode.break_off(reason.clone());
        }
        let mut trace = Trace::of(&episode, self.prompt, &*tools, turns);
        // What stands beside the way is not gone again.
        trace.summary = self.summary.clone();
        trace.manifests = self.manifests.clone();
        if trace.end != self.end {
            return Err(differs(
                self.turns.len(),
                format!("it ends with {:?}, not {:?}", trace.end, self.end),
            ));
        }
        Ok(trace)
    }
}

/// Where two texts part.
fn first_difference(old: &str, new: &str) -> String {
    let at = old.chars().zip(new.chars()).take_while(|(a, b)| a == b).count();
    let piece = |text: &str| text.chars().skip(at.saturating_sub(10)).take(40).collect::<String>();
    format!("from character {at}, {:?} instead of {:?}", piece(new), piece(old))
}

fn system(episode: &Episode) -> String {
    match episode.conversation().messages.first().map(|message| &message.parts[..]) {
        Some([Part::Text(text)]) => text.clone(),
        _ => String::new(),
    }
}

/// The findings of a trace, given again in order.
struct Recorded {
    descriptions: Vec<Description>,
    calls: Mutex<VecDeque<Called>>,
}

impl Recorded {
    fn of(trace: &Trace) -> Recorded {
        let calls = trace.turns.iter().filter_map(|turn| turn.done.called.clone()).collect();
        Recorded { descriptions: trace.tools.clone(), calls: Mutex::new(calls) }
    }
}

impl Tools for Recorded {
    fn descriptions(&self) -> Vec<Description> {
        self.descriptions.clone()
    }

    fn call(&self, call: &ToolCall, _: &Context) -> Called {
        let next = self.calls.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        next.filter(|called| called.call.name.eq_ignore_ascii_case(call.name.trim())).unwrap_or_else(|| {
            let error = ToolError::failed("the trace holds no result of this call");
            Called {
                call: Call { name: call.name.clone(), arguments: call.arguments.clone() },
                notes: Vec::new(),
                text: error.value().to_string(),
                outcome: Outcome::Failed(error),
                cut_from: None,
                seconds: 0.0,
                tries: 0,
            }
        })
    }
}

#[cfg(test)]
#[path = "trace_tests.rs"]
mod tests;
