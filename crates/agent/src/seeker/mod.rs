//! A searcher that is no model: it goes down the records from week to clip by rule, reads what they say, and answers with
//! what it read. It writes turns as a model would, so that it can stand wherever a model stands: as the default of
//! `ask`, where no checkpoint is at hand, and as the teacher of reasoning traces about simulated homes.
//!
//! It sees the conversation and nothing else. A teacher may know when what decides happened; it then looks there first,
//! but says only what observations show, and answers only from them.

mod order;
mod past;
mod words;

use firsthand_base::{
    Conversation, Finish, Generate, GenerateError, Generation, Moment, SamplingOptions, StopRules,
};
use firsthand_memory::Record;
use firsthand_tasks::format::ToolCall;
use serde_json::json;

use crate::Question;
use crate::tools::RagLevel;
use past::{Past, Shown};
pub(crate) use words::Reading;

/// The searcher.
#[derive(Clone, Debug, Default)]
pub struct Seeker {
    /// When what decides happened, where the teacher knows.
    pub target: Option<Moment>,
    /// Calls before it gives up.
    pub most_calls: usize,
    /// Whether it watches recordings where records leave a question open.
    pub watches: bool,
    /// Whether its searches say which of several it looks for: the last or the first.
    pub says_which: bool,
}

impl Seeker {
    /// The name in manifests and flags.
    pub const NAME: &'static str = "seeker";

    /// One that knows nothing beforehand.
    pub fn new() -> Seeker {
        Seeker { target: None, most_calls: 10, watches: true, says_which: true }
    }

    /// The next turn.
    fn turn(&self, past: &Past) -> String {
        if past.looks.len() < self.most_calls
            && let Some(turn) = order::turn(past)
        {
            return turn;
        }
        let decided = match self.target {
            Some(target) => past.read_at(target),
            None => past.read(),
        };
        // What decides is looked at closely before it is said: clips have the time.
        let closely =
            past.looks.iter().any(|look| look.level == Some(RagLevel::TenMinutes) && !look.shown.is_empty());
        let has_calls = past.looks.len() < self.most_calls;
        if let Some(reading) = &decided {
            if closely || !has_calls {
                return answer(past, reading);
            }
            let thought =
                format!("at {} : {} . i look closer .", reading.at, reading.sentence.to_lowercase());
            if past.is_clip(reading.at)
                && let Some(turn) = past.unless_made(RagLevel::TenMinutes, reading.at, &thought)
            {
                return turn;
            }
        }
        if has_calls && let Some(turn) = self.descend(past) {
            return turn;
        }
        let reading = decided.or_else(|| past.read());
        if has_calls
            && reading.is_none()
            && self.watches
            && let Some(turn) = watch(past)
        {
            return turn;
        }
        match reading {
            Some(reading) => answer(past, &reading),
            None => "<think>what i read does not say it .</think> <answer>N/A</answer>".to_owned(),
        }
    }

    /// The next search: one level down from the best record that was not opened yet, the deepest first.
    fn descend(&self, past: &Past) -> Option<String> {
        if past.looks.is_empty() {
            return Some(past.opening());
        }
        let mut levels = [RagLevel::Hour, RagLevel::Day, RagLevel::Week];
        // Where a level has no records, the next one down is searched from the day of the question.
        if let Some(last) = past.looks.last().filter(|last| last.shown.is_empty() && last.level.is_some()) {
            let next = below(last.level?)?;
            let start = last.start.unwrap_or(past.clock);
            return past.unless_made(next, start, "nothing there . i look at a finer level .");
        }
        levels.sort_by_key(|level| level.records());
        for level in levels {
            let open: Vec<&Shown> = past.open(level);
            let Some(pick) = self.pick(past, &open) else { continue };
            let next = below(level)?;
            let thought = format!("{} i look into it .", past.reason(pick));
            if let Some(turn) = past.unless_made(next, pick.start, &thought) {
                return Some(turn);
            }
        }
        None
    }

    /// The record to open: where the target is, for one who knows; else the one that says most of what is asked, of
    /// equal ones the latest for "last", the earliest for "first", else the best found.
    fn pick<'a>(&self, past: &Past, open: &[&'a Shown]) -> Option<&'a Shown> {
        if let Some(target) = self.target
            && let Some(there) =
                open.iter().find(|shown| shown.start <= target && target < shown.end.plus_ms(1))
        {
            return Some(there);
        }
        past.best(open)
    }
}

/// The level that looks into the records of a level.
fn below(level: RagLevel) -> Option<RagLevel> {
    let at = RagLevel::ALL.iter().position(|other| *other == level)?;
    RagLevel::ALL.get(at + 1).copied()
}

fn answer(past: &Past, reading: &Reading) -> String {
    let said = format!("at {} : {}", reading.at, reading.sentence.to_lowercase());
    match reading.option {
        Some(option) => choose(past, &said, option),
        None => format!("<think>{said} . that is the answer .</think> <answer>{}</answer>", reading.sentence),
    }
}

/// A turn that gives an option, and why.
fn choose(past: &Past, said: &str, option: usize) -> String {
    chosen(&past.options, &format!("{said} . "), option)
}

/// Every option is said with its letter before one is chosen: a small model then finds the letter by what it just read
/// after the same words, and need not look backwards through a list.
fn chosen(options: &[String], said: &str, option: usize) -> String {
    let letter = |option: usize| char::from(b'A' + option.min(25) as u8);
    let each = options.iter().enumerate().map(|(place, words)| format!("{words} {}", letter(place)));
    let (all, words, letter) = (each.collect::<Vec<_>>().join(" , "), &options[option], letter(option));
    format!("<think>{said}{all} . so {words} {letter} .</think> <answer>{letter}</answer>")
}

/// The right answer to a question, with the sentence that decides it, where one does.
pub(crate) fn told(question: &Question, gold: usize, decisive: Option<&Reading>) -> String {
    let said = decisive.map(|reading| format!("at {} : {} . ", reading.at, reading.sentence.to_lowercase()));
    chosen(&question.options, &said.unwrap_or_default(), gold)
}

/// The sentence of some records that speaks for the right answer.
pub(crate) fn decisive(question: &Question, gold: usize, records: &[Record]) -> Option<Reading> {
    let words: Vec<(Moment, String)> = records.iter().map(|record| (record.start, record.words())).collect();
    let words: Vec<(Moment, &str)> = words.iter().map(|(at, text)| (*at, text.as_str())).collect();
    words::read(&question.text, &question.options, &words).filter(|reading| reading.option == Some(gold))
}

/// Watching the clip that is nearest to what is asked.
fn watch(past: &Past) -> Option<String> {
    let clips: Vec<&Shown> = past.records(RagLevel::TenMinutes);
    let clip = past.best(&clips)?;
    let end = clip.end.min(clip.start.plus_ms(600_000)).min(past.clock);
    let watched = past.looks.iter().any(|look| look.level.is_none());
    if watched || end <= clip.start || !past.tools.iter().any(|tool| tool == "video_llm") {
        return None;
    }
    let arguments = json!({"question": past.question, "range": format!("{}-{end}", clip.start)});
    let thought = "the records do not say it . i watch the clip .";
    Some(past::call(thought, "video_llm", &arguments))
}

impl Generate for Seeker {
    fn generate(
        &mut self,
        conversation: &Conversation,
        _: &SamplingOptions,
        _: &StopRules,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Generation, GenerateError> {
        let past = Past::of(conversation, self.says_which).map_err(GenerateError::Request)?;
        let text = self.turn(&past);
        on_text(&text);
        Ok(Generation {
            new_tokens: text.split_whitespace().count(),
            text,
            ids: Vec::new(),
            logprobs: Vec::new(),
            finish: Finish::Stop,
            prompt_tokens: 0,
            cached_tokens: 0,
            prompt: String::new(),
            media: Vec::new(),
        })
    }
}

/// Whether a call is the one of a turn; how turns are told apart from each other.
pub(crate) fn same_call(a: &ToolCall, b: &ToolCall) -> bool {
    a.name == b.name && a.arguments == b.arguments
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
