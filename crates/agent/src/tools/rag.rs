//! `rag`: looks things up in the records of a memory. The levels follow the published naming: a level names the time that
//! is searched, and the records are one finer. `week` gives days, `day` hours, `hour` ten minutes, `10min` clips.
//!
//! Search is the memory's own: local, the same every time, and blind to what ends after the clock.

use std::sync::PoisonError;

use firsthand_base::Moment;
use firsthand_memory::{Hit, Level, Memory, Parts, Query, Record, Scope, State, stem, terms};
use serde_json::{Map, Value, json};

use crate::memories::Memories;
use crate::tool::{Context, Description, Evidence, Observation, Seen, Tool, ToolError, Trouble, micro};

/// How much time a search covers; records are one level finer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RagLevel {
    /// All days so far.
    Week,
    /// The day of the start time.
    Day,
    /// The hour that begins at the start time.
    Hour,
    /// The ten minutes that begin at the start time.
    TenMinutes,
}

/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;

impl RagLevel {
    /// All of them.
    pub const ALL: [RagLevel; 4] = [RagLevel::Week, RagLevel::Day, RagLevel::Hour, RagLevel::TenMinutes];

    /// The name in calls.
    pub fn name(self) -> &'static str {
        match self {
            RagLevel::Week => "week",
            RagLevel::Day => "day",
            RagLevel::Hour => "hour",
            RagLevel::TenMinutes => "10min",
        }
    }

    /// The level of that name.
    pub fn named(name: &str) -> Option<RagLevel> {
        RagLevel::ALL.into_iter().find(|level| level.name() == name)
    }

    /// The level of the records it gives.
    pub fn records(self) -> Level {
        match self {
            RagLevel::Week => Level::Day,
            RagLevel::Day => Level::Hour,
            RagLevel::Hour => Level::TenMinutes,
            RagLevel::TenMinutes => Level::Clip,
        }
    }

    /// The time searched.
    fn window(self, start: Moment) -> [Moment; 2] {
        match self {
            RagLevel::Week => [Moment::START, Moment::END],
            RagLevel::Day => [start.midnight(), start.midnight().plus_ms(Moment::DAY_MS)],
            RagLevel::Hour => [start, start.plus_ms(HOUR_MS)],
            RagLevel::TenMinutes => [start, start.plus_ms(HOUR_MS / 6)],
        }
    }
}

/// What a search gives.
#[derive(Clone, Debug)]
pub struct Found {
    /// Records, best first.
    pub matches: Vec<Match>,
    /// Whether the keywords were found in the time asked for; otherwise the records are those of that time, or the ones
    /// nearest to it.
    pub exact: bool,
}

/// A record, and the clips in its time that the keywords were found in: a summary leaves out most of what happened.
#[derive(Clone, Debug)]
pub struct Match {
    /// The record.
    pub hit: Hit,
    /// Clips, best first; none for a record that is a clip.
    pub clips: Vec<Hit>,
}

/// Clips that are shown with a record.
const MOST_CLIPS: usize = 2;
/// Clips that are looked at for each record shown.
const CLIPS_PER_RECORD: usize = 8;

/// The tool.
pub struct Rag {
    description: Description,
    memories: Memories,
    /// Records of one observation.
    top: usize,
    /// Characters of one text.
    most_characters: usize,
}

/// What one search knows.
struct Search<'a> {
    level: RagLevel,
    words: String,
    window: [Moment; 2],
    clock: Moment,
    wearer: &'a str,
}

impl Search<'_> {
    fn query(&self, level: Level, top: usize) -> Query {
        Query {
            level: Some(level),
            wearer: Some(self.wearer.to_owned()),
            from: Some(self.window[0]),
            to: Some(self.window[1]),
            clock: Some(self.clock),
            top,
            ..Query::new(self.words.clone())
        }
    }

    fn scope(&self, [from, to]: [Moment; 2]) -> Scope {
        Scope {
            level: Some(self.level.records()),
            wearer: Some(self.wearer.to_owned()),
            from: Some(from),
            to: Some(to),
            ended_by: Some(self.clock),
        }
    }

    /// Records of a level that have the words. Words that name a time find everything of that time: a hit needs a word
    /// or a meaning in common.
    fn find(&self, memory: &mut Memory, level: Level, top: usize) -> Result<Vec<Hit>, ToolError> {
        let hits = memory.recall(&self.query(level, top)).map_err(told)?;
        let found = |hit: &Hit| hit.parts.text.is_some_and(|p| p > 0.0) || hit.parts.vector.is_some();
        Ok(hits.into_iter().filter(found).collect())
    }

    /// The record that a clip belongs to. Of a time that is not over there may be none yet: then what had happened by the
    /// clock.
    fn holder(&self, memory: &mut Memory, clip: &Record) -> Result<Record, ToolError> {
        let scope = self.scope([clip.start, clip.start.plus_ms(1)]);
        let mut held = memory.store().range(&scope, 1).map_err(told)?;
        if let Some(record) = held.pop() {
            return Ok(record);
        }
        let span = match self.level {
            RagLevel::Week => Moment::DAY_MS,
            RagLevel::Day => HOUR_MS,
            RagLevel::Hour | RagLevel::TenMinutes => HOUR_MS / 6,
        };
        let start = clip.start.plus_ms(-(clip.start.ms_of_day() % span));
        let end = start.plus_ms(span).min(self.clock);
        let record = Record::new(self.level.records(), self.wearer, start, end, String::new());
        Ok(Record { state: State::Partial, ..record })
    }
}

/// A failure of the memory as a model is told it.
fn told(error: firsthand_memory::Error) -> ToolError {
    match error {
        firsthand_memory::Error::Query(reason) => {
            ToolError::new(Trouble::BadArgument, reason, "give keywords that name things, people or doings")
        }
        error => ToolError::failed(error.to_string()),
    }
}

impl Rag {
    /// Over these memories; at most `top` records are shown.
    pub fn new(memories: Memories, top: usize) -> Rag {
        Rag { description: described(), memories, top: top.max(1), most_characters: 600 }
    }

    /// The memories.
    pub fn memories(&self) -> &Memories {
        &self.memories
    }

    /// Searches. Nothing that ends after `clock` is found.
    pub fn search(
        &self,
        level: RagLevel,
        keywords: &[String],
        start: Moment,
        clock: Moment,
        wearer: &str,
    ) -> Result<Found, ToolError> {
        let Some(memory) = self.memories.of(wearer) else {
            return Err(ToolError::failed(format!("{wearer} is not remembered")));
        };
        let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
        let search = Search { level, words: keywords.join(" "), window: level.window(start), clock, wearer };
        let time = memory.intent(&search.query(level.records(), 1)).map_err(told)?;
        if let Some(reason) = time.nothing() {
            let remedy = "search without those words, or level week to see which days there are";
            return Err(ToolError::new(Trouble::NotFound, reason, remedy));
        }
        let matches = self.matches(&search, &mut memory)?;
        if !matches.is_empty() {
            return Ok(Found { matches, exact: true });
        }
        let mut records = memory.store().range(&search.scope(search.window), 4096).map_err(told)?;
        if records.is_empty() && level != RagLevel::Week {
            // The nearest there is, as the published server does, on the same day; told by `exact_match`.
            let day = search.scope(RagLevel::Day.window(start));
            records = memory.store().range(&day, 4096).map_err(told)?;
            records.sort_by_key(|record| ((record.start.ms() - start.ms()).abs(), record.id));
            records.truncate(1);
        } else if level == RagLevel::Week {
            // Of all days, the latest.
            records.reverse();
        }
        records.truncate(self.top);
        let plain = |record: Record| Match {
            hit: Hit { record, score: 0.0, parts: Parts::default() },
            clips: Vec::new(),
        };
        Ok(Found { matches: records.into_iter().map(plain).collect(), exact: false })
    }

    /// Records that have the words themselves or in one of their clips.
    fn matches(&self, search: &Search<'_>, memory: &mut Memory) -> Result<Vec<Match>, ToolError> {
        let records = search.level.records();
        let own = search.find(memory, records, self.top)?;
        let mut matches: Vec<Match> = own.into_iter().map(|hit| Match { hit, clips: Vec::new() }).collect();
        if records == Level::Clip {
            return Ok(matches);
        }
        for clip in search.find(memory, Level::Clip, CLIPS_PER_RECORD * self.top)? {
            let at = clip.record.start;
            let holds = |one: &&mut Match| one.hit.record.start <= at && at < one.hit.record.end;
            let place = match matches.iter_mut().find(holds) {
                Some(place) => place,
                None => {
                    let record = search.holder(memory, &clip.record)?;
                    matches.push(Match { hit: Hit { record, ..clip.clone() }, clips: Vec::new() });
                    let last = matches.len() - 1;
                    &mut matches[last]
                }
            };
            place.hit.score = place.hit.score.max(clip.score);
            place.clips.push(clip);
        }
        matches.sort_by(|a, b| {
            let key = |one: &Match| (one.hit.record.start, one.hit.record.id);
            b.hit.score.total_cmp(&a.hit.score).then(key(a).cmp(&key(b)))
        });
        matches.truncate(self.top);
        matches.iter_mut().for_each(|one| one.clips.truncate(MOST_CLIPS));
        Ok(matches)
    }
}

impl Tool for Rag {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call(&self, arguments: &Map<String, Value>, context: &Context) -> Result<Observation, ToolError> {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
        let moment =
            |name: &str| text(name).parse::<Moment>().map_err(|error| ToolError::failed(error.to_string()));
        let level = RagLevel::named(text("level")).ok_or_else(|| ToolError::failed("no such level"))?;
        let keywords: Vec<String> = arguments["keywords"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect();
        // The model may look back from an earlier time, never from a later one.
        let now = moment("query_time")?.min(context.clock);
        let start = moment("start_time")?;
        if start > now {
            return Err(ToolError::new(
                Trouble::BadArgument,
                "start_time is later than query_time",
                format!("start_time is where the search begins, at {now} or earlier"),
            ));
        }
        let Found { matches, exact } = self.search(level, &keywords, start, now, &context.wearer)?;
        if matches.is_empty() {
            return Err(ToolError::new(
                Trouble::NotFound,
                format!("there are no records of the {} at {start} that ended by {now}", level.name()),
                "search level week to see which days there are",
            ));
        }
        let shown: Vec<Value> = matches.iter().map(|one| self.shown(one, &keywords)).collect();
        let records =
            matches.iter().flat_map(|one| one.clips.iter().chain([&one.hit])).map(|hit| &hit.record);
        Ok(Observation {
            value: json!({"level": level.name(), "exact_match": exact, "records": shown}),
            evidence: records.map(|record| self.evidence(record)).collect(),
        })
    }
}

impl Rag {
    fn shown(&self, one: &Match, keywords: &[String]) -> Value {
        let record = &one.hit.record;
        let mut shown = json!({
            "start_time": record.start.to_string(),
            "end_time": record.end.to_string(),
            "relevant_content": relevant(&record.words(), keywords, self.most_characters),
        });
        if !one.clips.is_empty() {
            let clip = |clip: &Hit| {
                let text = relevant(&clip.record.words(), keywords, self.most_characters);
                json!({"start_time": clip.record.start.to_string(), "text": text})
            };
            shown["clips"] = one.clips.iter().map(clip).collect();
        }
        if one.hit.score > 0.0 {
            shown["score"] = json!((f64::from(one.hit.score) * 100.0).round() / 100.0);
        }
        shown
    }

    fn evidence(&self, record: &Record) -> Evidence {
        let seen = |evidence: &firsthand_memory::Evidence| Seen {
            file: evidence.file.clone(),
            start_s: micro(evidence.start_s),
            end_s: micro(evidence.end_s),
        };
        Evidence {
            start: record.start,
            end: record.end,
            text: cut(&record.words(), self.most_characters),
            tool: "rag".to_owned(),
            seen: record.evidence.iter().map(seen).collect(),
        }
    }
}

/// The first characters of a text, with a word where it is cut.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}… [cut]", &text[..at]),
        None => text.to_owned(),
    }
}

/// The sentences of a text that have one of the words, in order; the text from its beginning where none has.
pub(crate) fn relevant(text: &str, keywords: &[String], most: usize) -> String {
    let stems = |text: &str| -> Vec<String> { terms(text).iter().map(|term| stem(term)).collect() };
    let wanted = stems(&keywords.join(" "));
    let mut sentences: Vec<&str> = Vec::new();
    for line in text.lines() {
        // A full stop ends a sentence where a blank follows.
        sentences.extend(line.split_inclusive(". ").map(str::trim).filter(|sentence| !sentence.is_empty()));
    }
    let shares = |sentence: &str| {
        let has = stems(sentence);
        wanted.iter().filter(|word| has.contains(word)).count()
    };
    let best = sentences.iter().map(|sentence| shares(sentence)).max().unwrap_or(0);
    if best == 0 {
        return cut(text, most);
    }
    // Sentences that have far fewer of the words than the best one are about something else.
    let kept: Vec<&str> = sentences
        .into_iter()
        .filter(|sentence| 2 * shares(sentence) > best || best == 1 && shares(sentence) == 1)
        .collect();
    cut(&kept.join(" "), most)
}

fn described() -> Description {
    let schema = json!({"type": "object", "properties": {
        "level": {"type": "string", "enum": RagLevel::ALL.map(RagLevel::name),
            "description": "How much time to search: week (gives days), day (gives hours), hour (gives ten-minute records), 10min (gives clips)."},
        "keywords": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 200}, "minItems": 1, "maxItems": 32,
            "description": "Words to look for: things, places, people, doings."},
        "start_time": {"type": "string", "format": "moment",
            "description": "Where the search begins, as DAYd_HHMMSSFF: the day to search for level day, the hour for level hour, the ten minutes for level 10min."},
        "query_time": {"type": "string", "format": "moment-or-now",
            "description": "The time of the question, as DAYd_HHMMSSFF. Nothing later is found."},
    }, "required": ["level", "keywords", "start_time", "query_time"]});
    let example = json!({"level": "day", "keywords": ["screwdriver", "applause"],
        "start_time": "DAY1_11210217", "query_time": "DAY1_11220217"});
    Description {
        name: "rag".to_owned(),
        about: "Searches written records of the recordings. Cheap; use it first, from week to day to hour, to find when something happened.".to_owned(),
        schema,
        example: example.as_object().cloned(),
    }
}

#[cfg(test)]
#[path = "rag_tests.rs"]
mod tests;
