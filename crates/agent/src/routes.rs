//! The published tool servers as plain functions: a request's JSON in, status and JSON out. Who listens, and on which
//! port, is not known here. Shapes and error texts are those of the published servers; what they get wrong is not kept
//! (`faults_tests.rs` lists it). A request may name the clock of its question as `clock`, which is more than the published
//! ones take; it and the server's own clock bound everything that is looked at.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use firsthand_base::{Conversation, Moment, Part, Sampling, Span, VideoPart, VideoSource};
use serde_json::{Value, json};

use crate::memories::wearer_named;
use crate::tool::{Context, Tool, ToolError, Trouble};
use crate::tools::{ImageTool, Looking, Match, Rag, RagLevel, VideoTool};

/// What the routes answer from. Parts that are missing answer with an error that says so.
#[derive(Clone)]
pub struct Service {
    /// Records.
    pub rag: Arc<Rag>,
    /// Looks at ranges.
    pub video: Option<Arc<VideoTool>>,
    /// Looks at moments.
    pub image: Option<Arc<ImageTool>>,
    /// The model behind `/video/infer`.
    pub watching: Option<Looking>,
    /// Folders that `/video/infer` may open files of.
    pub roots: Vec<PathBuf>,
    /// The wearers there are, by their full names.
    pub wearers: Vec<String>,
    /// The wearer of requests that name none, as the published servers have one each.
    pub wearer: Option<String>,
    /// Now, for requests that do not say when their question was asked. `None`: all that is stored has happened.
    pub clock: Option<Moment>,
}

/// A reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Value,
}

impl Reply {
    fn ok(body: Value) -> Reply {
        Reply { status: 200, body }
    }

    fn detail(status: u16, detail: impl Into<Value>) -> Reply {
        Reply { status, body: json!({"detail": detail.into()}) }
    }

    /// A body that is not what the route takes.
    fn invalid(place: &[&str], message: &str) -> Reply {
        let loc: Vec<&str> = ["body"].iter().chain(place).copied().collect();
        let kind = if message == "Field required" { "missing" } else { "value_error" };
        Reply::detail(422, json!([{"type": kind, "loc": loc, "msg": message}]))
    }
}

/// A field that must be a text.
fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, Reply> {
    match body.get(name) {
        None => Err(Reply::invalid(&[name], "Field required")),
        Some(value) => {
            value.as_str().ok_or_else(|| Reply::invalid(&[name], "Input should be a valid string"))
        }
    }
}

/// A moment as requests write it: `DAY1_11210217`, or eight digits (with or without a name before `_`) for media whose
/// time is day 1.
fn moment(text: &str) -> Option<Moment> {
    let digits = text.rsplit('_').next().unwrap_or_default();
    text.parse().ok().or_else(|| Moment::from_clock_digits(1, digits).ok())
}

impl Service {
    /// The wearer and clock of a request; `identity` as `A1` or `A1_JAKE`, `vid_id` for short videos.
    fn context(&self, body: &Value) -> Result<Context, String> {
        let named = ["identity", "vid_id"].iter().find_map(|key| body.get(*key).and_then(Value::as_str));
        let wearer = match (named, &self.wearer) {
            (Some(name), _) => {
                wearer_named(&self.wearers, name).ok_or_else(|| format!("nobody here is called {name}"))?
            }
            (None, Some(wearer)) => wearer.clone(),
            (None, None) => match &self.wearers[..] {
                [only] => only.clone(),
                _ => return Err("identity is required: there are several wearers".to_owned()),
            },
        };
        let own = self.clock.unwrap_or(Moment::END);
        let clock = match body.get("clock").and_then(Value::as_str) {
            Some(text) => moment(text).ok_or_else(|| format!("clock is not a moment: {text}"))?.min(own),
            None => own,
        };
        Ok(Context::new(clock, wearer))
    }

    /// `POST /query`.
    pub fn query(&self, body: &Value) -> Reply {
        self.search(body).unwrap_or_else(|reply| reply)
    }

    fn search(&self, body: &Value) -> Result<Reply, Reply> {
        let said = |words: &str| Ok(Reply::ok(json!({"response": words})));
        let name = text(body, "level")?;
        let keywords = body.get("keywords").ok_or_else(|| Reply::invalid(&["keywords"], "Field required"))?;
        let keywords: Option<Vec<String>> = keywords
            .as_array()
            .and_then(|all| all.iter().map(|word| word.as_str().map(str::to_owned)).collect());
        let keywords =
            keywords.ok_or_else(|| Reply::invalid(&["keywords"], "Input should be a list of strings"))?;
        let level =
            RagLevel::named(name).ok_or_else(|| Reply::detail(500, format!("unknown level: {name}")))?;
        let context = self.context(body).map_err(|reason| Reply::detail(500, reason))?;
        let asked = match body.get("query_time") {
            None | Some(Value::Null) => None,
            Some(value) => Some(
                value
                    .as_str()
                    .and_then(moment)
                    .ok_or_else(|| Reply::detail(500, "query_time is not a moment"))?,
            ),
        };
        let now = asked.map_or(context.clock, |asked| asked.min(context.clock));
        let starts = starts(body.get("start_time"), asked)?;
        if starts.is_empty() && level != RagLevel::Week {
            return said("error: start_time is required");
        }
        if asked.is_some_and(|asked| starts.iter().any(|start| *start > asked)) {
            return said("error: invalid search. start_time should not later than query_time");
        }
        let mut found = Vec::new();
        for start in if starts.is_empty() { vec![Moment::START] } else { starts.clone() } {
            let one = self.rag.search(level, &keywords, start, now, &context.wearer);
            let one = one.map_err(|error| Reply::detail(500, error.message))?;
            // As published, one record for each start: the best.
            found.extend(one.matches.into_iter().next().map(|best| record(level, &best, one.exact, body)));
        }
        Ok(match found.len() {
            0 => {
                let name = name[..1].to_uppercase() + &name[1..];
                return said(&format!("No available data for {name} level Query"));
            }
            1 if starts.len() <= 1 => Reply::ok(json!({"response": found.remove(0)})),
            _ => Reply::ok(json!({"response": found})),
        })
    }

    /// `POST /video_llm`: one item, or a list in which null and "" stay null. Failures are texts in their places.
    pub fn video_llm(&self, body: &Value) -> Reply {
        let Value::Array(items) = body else {
            return match self.watch(body) {
                Ok(answer) => Reply::ok(answer),
                Err(reply) => reply,
            };
        };
        let one = |item: &Value| match item {
            Value::Null => Ok(Value::Null),
            Value::String(text) if text.is_empty() => Ok(Value::Null),
            item => self.watch(item),
        };
        match items.iter().map(one).collect::<Result<Vec<Value>, Reply>>() {
            Ok(answers) => Reply::ok(Value::Array(answers)),
            Err(reply) => reply,
        }
    }

    fn watch(&self, item: &Value) -> Result<Value, Reply> {
        let (question, range) = (text(item, "question")?, text(item, "range")?);
        Ok(self
            .watched(item, question, range)
            .unwrap_or_else(|reason| Value::from(format!("error: {reason}"))))
    }

    fn watched(&self, item: &Value, question: &str, range: &str) -> Result<Value, String> {
        let context = self.context(item)?;
        let video = self.video.as_ref().ok_or("no model that watches video is set up")?;
        let (start, end) = range.split_once('-').ok_or("a range is two moments joined by -")?;
        let at = |text: &str| moment(text.trim()).ok_or_else(|| format!("not a moment: {text}"));
        let (start, end) = (at(start)?, at(end)?);
        if start > context.clock {
            return Err(format!("the range is later than now: {start}"));
        }
        let end = end.min(context.clock);
        let context = waiting(context, video.patience());
        let watched = video.watch(question, start, end, &context).map_err(told)?;
        let length = watched.cut.ms() as f64 / 1000.0;
        let exact = watched.cut.gaps.is_empty();
        Ok(
            json!({"query_time": range, "question": question, "answer": watched.answer, "exact_match": exact, "length": length}),
        )
    }

    /// `POST /vlm`.
    pub fn vlm(&self, body: &Value) -> Reply {
        let looked = || -> Result<Reply, Reply> {
            let (question, timestamp) = (text(body, "question")?, text(body, "timestamp")?);
            let answer = self.looked(body, question, timestamp);
            Ok(answer.map_or_else(|reason| Reply::detail(500, reason), Reply::ok))
        };
        looked().unwrap_or_else(|reply| reply)
    }

    fn looked(&self, body: &Value, question: &str, timestamp: &str) -> Result<Value, String> {
        let context = self.context(body)?;
        let image = self.image.as_ref().ok_or("no model that looks at pictures is set up")?;
        let at = moment(timestamp).ok_or_else(|| format!("not a moment: {timestamp}"))?;
        if at > context.clock {
            return Err(format!("the timestamp is later than now: {at}"));
        }
        let context = waiting(context, image.patience());
        let glance = image.glance(question, at, &context).map_err(told)?;
        let exact = glance.at == at;
        Ok(
            json!({"query_time": timestamp, "question": question, "answer": glance.answer, "exact_match": exact}),
        )
    }

    /// `POST /video/infer`: a question about a file below one of the roots.
    pub fn video_infer(&self, body: &Value) -> Reply {
        let infer = || -> Result<Reply, Reply> {
            let (path, prompt) = (text(body, "video_path")?, text(body, "prompt")?);
            let count = |name: &str, default: u64| match body.get(name) {
                None | Some(Value::Null) => Ok(default),
                Some(value) => value
                    .as_u64()
                    .filter(|count| (1..=4096).contains(count))
                    .ok_or_else(|| Reply::invalid(&[name], "Input should be a whole number from 1 to 4096")),
            };
            let (frames, _) = (count("max_frames", 64)?, count("frame_step", 1)?);
            Ok(Reply::ok(match self.inferred(path, prompt, frames as usize) {
                Ok(answer) => json!({"response": answer}),
                Err(reason) => json!({"error": reason}),
            }))
        };
        infer().unwrap_or_else(|reply| reply)
    }

    fn inferred(&self, path: &str, prompt: &str, frames: usize) -> Result<String, String> {
        let watching = self.watching.as_ref().ok_or("no model that watches video is set up")?;
        let real = fs_err::canonicalize(path).map_err(|_| format!("no such file: {path}"))?;
        let inside = |root: &PathBuf| fs_err::canonicalize(root).is_ok_and(|root| real.starts_with(root));
        if !self.roots.iter().any(inside) {
            return Err(format!("no such file: {path}"));
        }
        let video = Part::Video(VideoPart {
            source: VideoSource::File(real.to_string_lossy().into_owned()),
            sampling: Sampling::Uniform(frames),
            span: Span::default(),
            limits: watching.limits,
            sample_fps: None,
            damaged: firsthand_base::Damaged::Refuse,
        });
        let conversation = Conversation::user(vec![video, Part::Text(prompt.to_owned())]);
        let context = waiting(Context::new(Moment::END, ""), Some(watching.patience));
        watching.answer(&conversation, &context).map_err(told)
    }
}

/// A context whose caller waits so long from now on.
fn waiting(context: Context, patience: Option<Duration>) -> Context {
    Context { deadline: patience.map(|patience| Instant::now() + patience), ..context }
}

fn told(error: ToolError) -> String {
    match error.error {
        Trouble::TimedOut => "timeout".to_owned(),
        _ => match error.remedy {
            Some(remedy) => format!("{}; {remedy}", error.message),
            None => error.message,
        },
    }
}

/// The starts of a request: none, one, or a list. Bare digits take the day of the query time.
fn starts(value: Option<&Value>, asked: Option<Moment>) -> Result<Vec<Moment>, Reply> {
    let one = |value: &Value| {
        let written = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => format!("{:08}", number.as_u64().unwrap_or(u64::MAX)),
            _ => String::new(),
        };
        let day = asked.map_or(1, Moment::day);
        let bare = Moment::from_clock_digits(day, &written).ok();
        let refused = || {
            Reply::detail(
                500,
                format!("start_time is not a moment: {}", written.chars().take(40).collect::<String>()),
            )
        };
        bare.or_else(|| moment(&written)).ok_or_else(refused)
    };
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(all)) => all.iter().map(one).collect(),
        Some(value) => Ok(vec![one(value)?]),
    }
}

/// A record in the published words. Short videos have their times as eight digits.
fn record(level: RagLevel, best: &Match, exact: bool, body: &Value) -> Value {
    let record = &best.hit.record;
    // The published record has one text: what its clips say comes after it.
    let mut content = record.words();
    for clip in &best.clips {
        content.push_str(&format!("\n{}: {}", clip.record.start, clip.record.words()));
    }
    let content = content.trim();
    if level == RagLevel::Week {
        let day = format!("DAY{}", record.start.day());
        return json!({"day_label": day, "relevant_content": content, "level": "week", "exact_match": exact});
    }
    let start = match body.get("vid_id") {
        Some(_) => Value::from(record.start.clock_digits()),
        None => Value::from(record.start.clock_number()),
    };
    json!({"date": record.start.day(), "start_time": start, "relevant_content": content,
        "level": level.name(), "exact_match": exact})
}
