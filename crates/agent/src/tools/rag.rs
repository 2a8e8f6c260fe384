//! `rag`: looks things up in the records of a memory. The levels follow the published naming: a level names the time that
//! is searched, and the records are one finer. `week` gives days, `day` hours, `hour` ten minutes, `10min` clips.
//!
//! Search is the memory's own: local, the same every time, and blind to what ends after the clock.

use std::sync::PoisonError;

use firsthand_base::Moment;
use firsthand_memory::{Hit, Level, Parts, Query, Record, Scope};
use serde_json::{Map, Value, json};

use crate::footage::SharedMemory;
use crate::tool::{Context, Description, Evidence, Observation, Seen, Tool, ToolError, Trouble};

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
    pub hits: Vec<Hit>,
    /// Whether the keywords were found in the time asked for; otherwise the records are those of that time, or the ones
    /// nearest to it.
    pub exact: bool,
}

/// The tool.
pub struct Rag {
    description: Description,
    memory: SharedMemory,
    /// Records of one observation.
    top: usize,
    /// Characters of one record's text.
    most_characters: usize,
}

impl Rag {
    /// Over a memory; at most `top` records are shown.
    pub fn new(memory: SharedMemory, top: usize) -> Rag {
        Rag { description: described(), memory, top: top.max(1), most_characters: 2000 }
    }

    /// The memory.
    pub fn memory(&self) -> &SharedMemory {
        &self.memory
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
        let [from, to] = level.window(start);
        let broken = |error: firsthand_memory::Error| match error {
            firsthand_memory::Error::Query(reason) => ToolError::new(
                Trouble::BadArgument,
                reason,
                "give keywords that name things, people or doings",
            ),
            error => ToolError::failed(error.to_string()),
        };
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let query = Query {
            level: Some(level.records()),
            wearer: Some(wearer.to_owned()),
            from: Some(from),
            to: Some(to),
            clock: Some(clock),
            top: self.top,
            ..Query::new(keywords.join(" "))
        };
        // Words that name a time find everything of that time: a hit needs a word or a meaning in common.
        let found = |hit: &Hit| hit.parts.text.is_some_and(|p| p > 0.0) || hit.parts.vector.is_some();
        let hits = memory.recall(&query, None).map_err(broken)?;
        if hits.iter().any(found) {
            return Ok(Found { hits, exact: true });
        }
        let mut scope = Scope {
            level: Some(level.records()),
            wearer: Some(wearer.to_owned()),
            from: Some(from),
            to: Some(to),
            ended_by: Some(clock),
        };
        let mut records = memory.store().range(&scope, 4096).map_err(broken)?;
        if records.is_empty() && level != RagLevel::Week {
            // The nearest there is, as the published server does, on the same day; told by `exact_match`.
            [scope.from, scope.to] = RagLevel::Day.window(start).map(Some);
            records = memory.store().range(&scope, 4096).map_err(broken)?;
            records.sort_by_key(|record| ((record.start.ms() - start.ms()).abs(), record.id));
            records.truncate(1);
        } else if level == RagLevel::Week {
            // Of all days, the latest.
            records.reverse();
        }
        records.truncate(self.top);
        let hit = |record: Record| Hit { record, score: 0.0, parts: Parts::default() };
        Ok(Found { hits: records.into_iter().map(hit).collect(), exact: false })
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
        let Found { hits, exact } = self.search(level, &keywords, start, now, &context.wearer)?;
        if hits.is_empty() {
            return Err(ToolError::new(
                Trouble::NotFound,
                format!("there are no records of the {} at {start} that ended by {now}", level.name()),
                "search level week to see which days there are",
            ));
        }
        let shown: Vec<Value> = hits.iter().map(|hit| self.shown(hit)).collect();
        Ok(Observation {
            value: json!({"level": level.name(), "exact_match": exact, "records": shown}),
            evidence: hits.iter().map(|hit| self.evidence(&hit.record)).collect(),
        })
    }
}

impl Rag {
    fn shown(&self, hit: &Hit) -> Value {
        let record = &hit.record;
        let mut shown = json!({
            "start_time": record.start.to_string(),
            "end_time": record.end.to_string(),
            "relevant_content": cut(&record.words(), self.most_characters),
        });
        if hit.score > 0.0 {
            shown["score"] = json!((f64::from(hit.score) * 100.0).round() / 100.0);
        }
        shown
    }

    fn evidence(&self, record: &Record) -> Evidence {
        let seen = |evidence: &firsthand_memory::Evidence| Seen {
            file: evidence.file.clone(),
            start_s: evidence.start_s,
            end_s: evidence.end_s,
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
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}… [cut]", &text[..at]),
        None => text.to_owned(),
    }
}

/// The wearer of a memory that a name means: the name itself, or the only one whose short form (`A1` of `A1_JAKE`) is the
/// short form of the name.
pub fn wearer_named<'a>(known: impl IntoIterator<Item = &'a String> + Clone, name: &str) -> Option<String> {
    let short = |name: &str| name.split('_').next().unwrap_or_default().to_owned();
    if let Some(exact) = known.clone().into_iter().find(|wearer| *wearer == name) {
        return Some(exact.clone());
    }
    let mut same = known.into_iter().filter(|wearer| short(wearer) == short(name));
    let first = same.next().cloned();
    first.filter(|_| same.next().is_none())
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
