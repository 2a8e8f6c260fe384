//! A conversation as the searcher sees it: the question taken apart, each call and what it gave.

use firsthand_base::{Conversation, Moment, Part, Role};
use firsthand_tasks::format::{Action, Step, ToolCall};
use serde_json::{Value, json};

use super::same_call;
use super::words::{Reading, Which, content, overlap, read, sought};
use crate::tools::RagLevel;

/// Milliseconds of a clip.
const CLIP_MS: i64 = 30_000;

/// A record that was shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shown {
    pub(super) start: Moment,
    pub(super) end: Moment,
    pub(super) text: String,
    /// Clips in its time that have the keywords, by when they begin.
    pub(super) clips: Vec<(Moment, String)>,
}

impl Shown {
    /// Everything that was shown of it.
    fn words(&self) -> String {
        let clips = self.clips.iter().map(|(_, text)| text.as_str());
        [self.text.as_str()].into_iter().chain(clips).collect::<Vec<_>>().join("\n")
    }
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
    /// Whether searches say which of several is looked for.
    says_which: bool,
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
    pub(super) fn of(conversation: &Conversation, says_which: bool) -> Result<Past, String> {
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
            says_which,
        };
        for (turn, observed) in said(Role::Assistant).zip(said(Role::User).skip(1)) {
            if let Action::Tool(call) = Step::parse(&turn).action {
                past.looks.push(look(call, &observed));
            }
        }
        Ok(past)
    }

    /// The day that the question names, if it has begun.
    pub(super) fn named_day(&self) -> Option<Moment> {
        let named = self.question.to_lowercase();
        let (_, rest) = named.split_once("day ")?;
        let day =
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok().filter(|day| *day >= 1)?;
        Moment::on_day(day, 0).filter(|start| *start <= self.clock)
    }

    /// The first search. "on day 3" says where to begin.
    pub(super) fn opening(&self) -> String {
        let words = self.sought();
        let what = words.join(" , ");
        match self.named_day() {
            Some(start) => {
                let thought = format!("i look for {what} on day {} .", start.day());
                self.search(&thought, RagLevel::Day, start, &words)
            }
            None => self.search(
                &format!("i look for {what} in the week ."),
                RagLevel::Week,
                Moment::START,
                &words,
            ),
        }
    }

    /// What a search looks for: the question's words, and the order it asks for.
    fn sought(&self) -> Vec<String> {
        let words = match sought(&self.question, &self.options) {
            words if words.is_empty() => vec![self.question.trim().to_owned()],
            words => words,
        };
        // Search knows what these ask for.
        let asked = self.question.to_lowercase();
        let order =
            ["last", "first"].into_iter().find(|order| asked.split_whitespace().any(|word| word == *order));
        // Where something was left is where it was put last.
        let order = order.or_else(|| asked.split_whitespace().any(|word| word == "leave").then_some("last"));
        self.and_which(words, order)
    }

    /// Words of a search, with the one that says which of several is looked for.
    pub(super) fn and_which(&self, mut words: Vec<String>, which: Option<&str>) -> Vec<String> {
        words.extend(which.filter(|_| self.says_which).map(str::to_owned));
        words
    }

    /// A turn that searches.
    fn search(&self, thought: &str, level: RagLevel, start: Moment, words: &[String]) -> String {
        let arguments = json!({
            "level": level.name(), "keywords": words, "start_time": start.min(self.clock).to_string(),
            "query_time": self.clock.to_string(),
        });
        call(thought, "rag", &arguments)
    }

    /// A search, if it was not made before.
    pub(super) fn unless_made(&self, level: RagLevel, start: Moment, thought: &str) -> Option<String> {
        self.unless_searched(level, start, thought, &self.sought())
    }

    /// A search for words, if it was not made before.
    pub(super) fn unless_searched(
        &self,
        level: RagLevel,
        start: Moment,
        thought: &str,
        words: &[String],
    ) -> Option<String> {
        let turn = self.search(thought, level, start, words);
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
            let words = overlap(&asked, &shown.words());
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
        let has: Vec<String> = asked
            .into_iter()
            .filter(|word| overlap(std::slice::from_ref(word), &shown.words()) > 0)
            .collect();
        match has.is_empty() {
            true => format!("{} may have it .", shown.start),
            false => format!("{} has {} .", shown.start, has.join(" ")),
        }
    }

    /// What clips say, by when they begin: those that were searched for and those shown with coarser records.
    pub(super) fn clips(&self) -> Vec<(Moment, &str)> {
        let own =
            self.records(RagLevel::TenMinutes).into_iter().map(|shown| (shown.start, shown.text.as_str()));
        let all = self.looks.iter().flat_map(|look| &look.shown);
        own.chain(all.flat_map(|shown| shown.clips.iter().map(|(at, text)| (*at, text.as_str())))).collect()
    }

    /// Whether a clip begins there.
    pub(super) fn is_clip(&self, at: Moment) -> bool {
        self.clips().iter().any(|(start, _)| *start == at)
    }

    /// What decides, of everything that was read: clips before coarser records, these before what was watched.
    pub(super) fn read(&self) -> Option<Reading> {
        let of = |level: RagLevel| -> Vec<(Moment, &str)> {
            self.records(level).into_iter().map(|shown| (shown.start, shown.text.as_str())).collect()
        };
        let watched: Vec<(Moment, String)> = self.watched();
        let watched: Vec<(Moment, &str)> = watched.iter().map(|(at, text)| (*at, text.as_str())).collect();
        let coarser = [RagLevel::Hour, RagLevel::Day, RagLevel::Week].into_iter().map(of);
        [self.clips()]
            .into_iter()
            .chain(coarser)
            .chain([watched])
            .find_map(|records| read(&self.question, &self.options, &records))
    }

    /// What clips at a moment say.
    pub(super) fn read_at(&self, target: Moment) -> Option<Reading> {
        let mut there = self.clips();
        there.retain(|(start, _)| *start <= target && target < start.plus_ms(CLIP_MS));
        read(&self.question, &self.options, &there)
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
        let clip = |clip: &Value| Some((moment(&clip["start_time"])?, clip["text"].as_str()?.to_owned()));
        let clips = value["clips"].as_array().into_iter().flatten().filter_map(clip).collect();
        Some(Shown { start: moment(&value["start_time"])?, end: moment(&value["end_time"])?, text, clips })
    };
    let mut shown: Vec<Shown> =
        found["records"].as_array().into_iter().flatten().filter_map(record).collect();
    if let (Some(answer), Some((from, to))) =
        (found["answer"].as_str(), found["range"].as_str().and_then(|range| range.split_once('-')))
        && let (Ok(start), Ok(end)) = (from.parse(), to.parse())
    {
        shown.push(Shown { start, end, text: answer.to_owned(), clips: Vec::new() });
    }
    Look { call, level, start, shown }
}
