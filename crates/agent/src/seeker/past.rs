//! A conversation as the searcher sees it: the question taken apart, each call and what it gave.

use firsthand_base::{Conversation, Moment, Part, Role};
use firsthand_tasks::format::{Action, Step, ToolCall};
use serde_json::{Value, json};

use super::same_call;
use super::words::{Reading, Which, content, keywords, overlap, read};
use crate::tools::RagLevel;

/// A record that was shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shown {
    pub(super) start: Moment,
    pub(super) end: Moment,
    pub(super) text: String,
}

/// A call and what it gave.
#[derive(Clone, Debug)]
pub(super) struct Look {
    call: ToolCall,
    /// Of a search of records.
    pub(super) level: Option<RagLevel>,
    pub(super) start: Option<Moment>,
    pub(super) shown: Vec<Shown>,
}

/// What has been asked and found so far.
pub(super) struct Past {
    pub(super) question: String,
    pub(super) options: Vec<String>,
    pub(super) clock: Moment,
    pub(super) tools: Vec<String>,
    pub(super) looks: Vec<Look>,
}

fn text(message: &firsthand_base::Message) -> String {
    let words = message.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        _ => None,
    });
    words.collect()
}

impl Past {
    /// Reads a conversation of an episode.
    pub(super) fn of(conversation: &Conversation) -> Result<Past, String> {
        let said =
            |role: Role| conversation.messages.iter().filter(move |message| message.role == role).map(text);
        let asked = said(Role::User).next().ok_or("nobody asks anything")?;
        let (question, rest) = asked.split_once(" <timestamp>").ok_or("the question has no <timestamp>")?;
        let (clock, options) = rest.split_once("</timestamp>").ok_or("the <timestamp> does not end")?;
        let clock = clock.trim().parse::<Moment>().map_err(|error| error.to_string())?;
        let options =
            options.lines().filter_map(|line| line.split_once(". ")).map(|(_, option)| option.to_owned());
        let system = said(Role::System).next().unwrap_or_default();
        let tools =
            ["rag", "video_llm", "vlm"].map(str::to_owned).into_iter().filter(|name| system.contains(name));
        let mut past = Past {
            question: question.to_owned(),
            options: options.collect(),
            clock,
            tools: tools.collect(),
            looks: Vec::new(),
        };
        for (turn, observed) in said(Role::Assistant).zip(said(Role::User).skip(1)) {
            if let Action::Tool(call) = Step::parse(&turn).action {
                past.looks.push(look(call, &observed));
            }
        }
        Ok(past)
    }

    /// The first search.
    pub(super) fn opening(&self) -> String {
        let what = keywords(&self.question).join(" , ");
        // "on day 3" says where to begin.
        let named = self.question.to_lowercase();
        let day = named.split_once("day ").and_then(|(_, rest)| {
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok().filter(|day| *day >= 1)
        });
        let start = day.and_then(|day| Moment::on_day(day, 0)).filter(|start| *start <= self.clock);
        match start {
            Some(start) => {
                let thought = format!("i look for {what} on day {} .", start.day());
                search(&thought, RagLevel::Day, self, start)
            }
            None => search(&format!("i look for {what} in the week ."), RagLevel::Week, self, Moment::START),
        }
    }

    /// A search, if it was not made before.
    pub(super) fn unless_made(&self, level: RagLevel, start: Moment, thought: &str) -> Option<String> {
        let turn = search(thought, level, self, start.min(self.clock));
        let Action::Tool(call) = Step::parse(&turn).action else { return None };
        (!self.looks.iter().any(|look| same_call(&look.call, &call))).then_some(turn)
    }

    /// Records that searches of a level gave.
    pub(super) fn records(&self, level: RagLevel) -> Vec<&Shown> {
        let looks = self.looks.iter().filter(|look| look.level == Some(level));
        let mut found: Vec<&Shown> = Vec::new();
        for shown in looks.flat_map(|look| &look.shown) {
            if !found.iter().any(|other| other.start == shown.start) {
                found.push(shown);
            }
        }
        found
    }

    /// Records of a level that no search has looked into.
    pub(super) fn open(&self, level: RagLevel) -> Vec<&Shown> {
        let next = super::below(level);
        let opened = |shown: &Shown| {
            self.looks
                .iter()
                .any(|look| look.level == next && look.start == Some(shown.start.min(self.clock)))
        };
        self.records(level).into_iter().filter(|shown| !opened(shown)).collect()
    }

    /// The record that says most of what is asked.
    pub(super) fn best<'a>(&self, open: &[&'a Shown]) -> Option<&'a Shown> {
        let asked = content(&self.question);
        let which = Which::of(&self.question);
        let mut best: Option<(usize, &'a Shown)> = None;
        for shown in open.iter().copied() {
            let words = overlap(&asked, &shown.text);
            let better = best.is_none_or(|(most, before)| {
                let later = if which == Which::Latest {
                    shown.start > before.start
                } else {
                    shown.start < before.start
                };
                words > most || words == most && words > 0 && later
            });
            if better {
                best = Some((words, shown));
            }
        }
        best.map(|(_, shown)| shown)
    }

    /// Why a record is opened, in words that it shows.
    pub(super) fn reason(&self, shown: &Shown) -> String {
        let asked = content(&self.question);
        let has: Vec<String> =
            asked.into_iter().filter(|word| overlap(std::slice::from_ref(word), &shown.text) > 0).collect();
        match has.is_empty() {
            true => format!("{} may have it .", shown.start),
            false => format!("{} has {} .", shown.start, has.join(" ")),
        }
    }

    /// What decides, of everything that was read. Clips come before coarser records; a teacher's target before all.
    pub(super) fn read(&self, target: Option<Moment>) -> Option<Reading> {
        let of = |level: RagLevel| -> Vec<(Moment, &str)> {
            self.records(level).into_iter().map(|shown| (shown.start, shown.text.as_str())).collect()
        };
        let clips = self.records(RagLevel::TenMinutes);
        if let Some(target) = target {
            let there = clips.iter().filter(|shown| shown.start <= target && target < shown.end.plus_ms(1));
            let there: Vec<(Moment, &str)> = there.map(|shown| (shown.start, shown.text.as_str())).collect();
            if let Some(reading) = read(&self.question, &self.options, &there) {
                return Some(reading);
            }
        }
        let watched: Vec<(Moment, String)> = self.watched();
        let watched: Vec<(Moment, &str)> = watched.iter().map(|(at, text)| (*at, text.as_str())).collect();
        let levels = [RagLevel::TenMinutes, RagLevel::Hour, RagLevel::Day, RagLevel::Week];
        levels
            .into_iter()
            .map(of)
            .chain([watched])
            .find_map(|records| read(&self.question, &self.options, &records))
    }

    /// What looking at recordings gave, as a sentence with the question, which it answers.
    fn watched(&self) -> Vec<(Moment, String)> {
        let looks = self.looks.iter().filter(|look| look.level.is_none());
        let shown = looks.flat_map(|look| &look.shown);
        shown
            .map(|shown| (shown.start, format!("{} {}", self.question.replace(['?', '.'], ""), shown.text)))
            .collect()
    }
}

fn search(thought: &str, level: RagLevel, past: &Past, start: Moment) -> String {
    let words = match keywords(&past.question) {
        words if words.is_empty() => vec![past.question.trim().to_owned()],
        words => words,
    };
    let arguments = json!({
        "level": level.name(), "keywords": words, "start_time": start.to_string(), "query_time": past.clock.to_string(),
    });
    call(thought, "rag", &arguments)
}

/// A turn that calls a tool.
pub(super) fn call(thought: &str, name: &str, arguments: &Value) -> String {
    format!("<think>{thought}</think> <tool>{}</tool>", json!({"name": name, "arguments": arguments}))
}

/// A call and its observation, taken apart.
fn look(call: ToolCall, observed: &str) -> Look {
    let level = call.arguments.get("level").and_then(Value::as_str).and_then(RagLevel::named);
    let moment = |value: &Value| value.as_str()?.parse::<Moment>().ok();
    let start = call.arguments.get("start_time").and_then(moment);
    // Notes stand on lines of their own.
    let inside = observed.trim_start_matches("<information>").trim_end_matches("</information>");
    let found = inside.lines().find_map(|line| serde_json::from_str::<Value>(line).ok()).unwrap_or_default();
    let record = |value: &Value| {
        let text = value["relevant_content"].as_str()?.to_owned();
        Some(Shown { start: moment(&value["start_time"])?, end: moment(&value["end_time"])?, text })
    };
    let mut shown: Vec<Shown> =
        found["records"].as_array().into_iter().flatten().filter_map(record).collect();
    if let (Some(answer), Some((from, to))) =
        (found["answer"].as_str(), found["range"].as_str().and_then(|range| range.split_once('-')))
        && let (Ok(start), Ok(end)) = (from.parse(), to.parse())
    {
        shown.push(Shown { start, end, text: answer.to_owned() });
    }
    Look { call, level, start, shown }
}
