//! `video_llm` and `vlm`: a model looks at a range of the recordings, or at the frame on screen at one moment, and
//! answers a question about it. What is cut is what was asked for, to the millisecond, over files and gaps.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use firsthand_base::{
    Conversation, Finish, FrameId, Generate, GenerateError, Moment, Part, PixelLimits, SamplingOptions,
    StopRules,
};
use firsthand_media::Opener;
use firsthand_tasks::Answer;
use serde_json::{Map, Value, json};

use crate::footage::{Cut, Footage, Stretch, still};
use crate::tool::{Context, Description, Evidence, Observation, Seen, Tool, ToolError, Trouble, micro};

/// Longest range, in milliseconds: ten minutes.
const MOST_MS: i64 = 600_000;
/// A still may be this far from the moment asked for, told; farther is not there.
const NEAREST_MS: i64 = 60_000;

/// A model that looks, and how it is asked.
#[derive(Clone)]
pub struct Looking {
    /// The model. One call at a time.
    pub model: Arc<Mutex<dyn Generate + Send>>,
    /// How it chooses tokens.
    pub sampling: SamplingOptions,
    /// Most tokens of an answer.
    pub max_tokens: usize,
    /// Frames a second of a range.
    pub fps: f64,
    /// Most frames of a range.
    pub max_frames: usize,
    /// Sizes of pictures.
    pub limits: PixelLimits,
    /// Longest wait for an answer.
    pub patience: Duration,
}

impl Looking {
    /// With the published budgets: one frame a second, at most 64, 400 seconds.
    pub fn new(model: Arc<Mutex<dyn Generate + Send>>) -> Looking {
        Looking {
            model,
            sampling: SamplingOptions::default(),
            max_tokens: 512,
            fps: 1.0,
            max_frames: 64,
            limits: PixelLimits::default(),
            patience: Duration::from_secs(400),
        }
    }

    /// Its answer to a conversation, reasoning left out. Stops where the caller no longer waits.
    pub fn answer(&self, conversation: &Conversation, context: &Context) -> Result<String, ToolError> {
        let stop = StopRules { max_tokens: self.max_tokens, ..StopRules::default() };
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        let said = model.generate(conversation, &self.sampling, &stop, &mut |_| !context.is_late());
        match said {
            Ok(generation) if generation.finish == Finish::Cancelled && context.is_late() => {
                Err(ToolError::new(
                    Trouble::TimedOut,
                    format!("no answer within {} s", self.patience.as_secs_f64()),
                    "ask for less, or use another tool",
                ))
            }
            Ok(generation) => Ok(Answer::parse(&generation.text).result),
            Err(GenerateError::Request(reason)) => Err(ToolError::failed(one_line(&reason))),
            Err(error) => Err(ToolError::failed(one_line(&error.to_string())).passing()),
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `video_llm`.
pub struct VideoTool {
    description: Description,
    footage: Arc<dyn Footage>,
    looking: Looking,
}

/// What came of looking at a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// The model's answer.
    pub answer: String,
    /// What was shown and what was missing.
    pub cut: Cut,
}

impl VideoTool {
    /// Over these recordings, with this model.
    pub fn new(footage: Arc<dyn Footage>, looking: Looking) -> VideoTool {
        VideoTool { description: video_described(), footage, looking }
    }

    /// Looks at a range; `end` is at the clock or earlier.
    pub fn watch(
        &self,
        question: &str,
        start: Moment,
        end: Moment,
        context: &Context,
    ) -> Result<Watched, ToolError> {
        let ms = end.ms() - start.ms();
        if ms <= 0 || ms > MOST_MS {
            let (what, remedy) = match ms <= 0 {
                true => ("the range has no length", "ask vlm about one moment"),
                false => ("the range is longer than 10 minutes", "ask about at most 10 minutes at a time"),
            };
            return Err(ToolError::new(Trouble::BadArgument, what, remedy));
        }
        let found = self.footage.stretches(&context.wearer, start, end).map_err(ToolError::failed)?;
        let cut = Cut::of(&found, start, end);
        if cut.stretches.is_empty() {
            return Err(self.nothing(start, end, context));
        }
        let Looking { fps, max_frames, limits, .. } = self.looking;
        let answer = self.looking.answer(&cut.show(fps, max_frames, limits, question), context)?;
        Ok(Watched { answer, cut })
    }

    /// Says where the nearest recordings are.
    fn nothing(&self, start: Moment, end: Moment, context: &Context) -> ToolError {
        let remedy = match nearest(&*self.footage, &context.wearer, start, context.clock) {
            Some(near) => format!("the nearest recording is {}-{}", near.start, near.end.min(context.clock)),
            None => "nothing was recorded within a day of it; look for the time with rag".to_owned(),
        };
        ToolError::new(Trouble::NotFound, format!("nothing was recorded from {start} to {end}"), remedy)
    }
}

/// The recording nearest to a moment, within a day, that began before the clock.
fn nearest(footage: &dyn Footage, wearer: &str, at: Moment, clock: Moment) -> Option<Stretch> {
    [HOUR_MS, DAY_MS].into_iter().find_map(|around| {
        let (from, to) = (at.plus_ms(-around), at.plus_ms(around).min(clock));
        let found = footage.stretches(wearer, from, to).ok()?;
        found.into_iter().filter(|one| one.start < clock).min_by_key(|one| away(one, at, clock))
    })
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Milliseconds from a moment to a stretch that is cut at the clock.
fn away(stretch: &Stretch, at: Moment, clock: Moment) -> i64 {
    let end = stretch.end.min(clock);
    (stretch.start.ms() - at.ms()).max(at.ms() - end.ms()).max(0)
}

fn seen_of(cut: &Cut) -> Vec<Seen> {
    cut.stretches.iter().map(Stretch::seen).collect()
}

impl Tool for VideoTool {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call(&self, arguments: &Map<String, Value>, context: &Context) -> Result<Observation, ToolError> {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
        let broken = || ToolError::failed("the range is not two moments");
        let (start, end) = text("range").split_once('-').ok_or_else(broken)?;
        let (start, end): (Moment, Moment) =
            (start.parse().map_err(|_| broken())?, end.parse().map_err(|_| broken())?);
        let Watched { answer, cut } = self.watch(text("question"), start, end, context)?;
        let mut value =
            json!({"range": format!("{start}-{end}"), "answer": answer, "exact_match": cut.gaps.is_empty()});
        if !cut.gaps.is_empty() {
            let gaps: Vec<String> = cut.gaps.iter().map(|[from, to]| format!("{from}-{to}")).collect();
            value["not_recorded"] = json!(gaps);
        }
        let evidence =
            Evidence { start, end, text: answer, tool: "video_llm".to_owned(), seen: seen_of(&cut) };
        Ok(Observation { value, evidence: vec![evidence] })
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.looking.patience)
    }
}

/// `vlm`.
pub struct ImageTool {
    description: Description,
    footage: Arc<dyn Footage>,
    opener: Arc<Opener>,
    looking: Looking,
}

/// What came of looking at a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Glance {
    /// The model's answer.
    pub answer: String,
    /// The moment whose frame was shown.
    pub at: Moment,
    /// Where it is.
    pub seen: Seen,
    /// Which frame.
    pub frame: FrameId,
}

impl ImageTool {
    /// Over these recordings, with this model. `opener` keeps originals.
    pub fn new(footage: Arc<dyn Footage>, opener: Arc<Opener>, looking: Looking) -> ImageTool {
        ImageTool { description: image_described(), footage, opener, looking }
    }

    /// The frame on screen at a moment, or the nearest within a minute, and its part of a conversation.
    pub fn frame(&self, at: Moment, context: &Context) -> Result<(Part, Glance), ToolError> {
        let around = |ms: i64| (at.plus_ms(-ms), at.plus_ms(ms.max(1)).min(context.clock.plus_ms(1)));
        let (from, to) = around(NEAREST_MS);
        let found = self.footage.stretches(&context.wearer, from, to).map_err(ToolError::failed)?;
        let near = found
            .into_iter()
            .filter(|one| one.start <= context.clock && away(one, at, context.clock) <= NEAREST_MS)
            .min_by_key(|one| away(one, at, context.clock));
        let Some(stretch) = near else {
            let remedy = match nearest(&*self.footage, &context.wearer, at, context.clock) {
                Some(near) => {
                    format!("the nearest recording is {}-{}", near.start, near.end.min(context.clock))
                }
                None => "nothing was recorded within a day of it; look for the time with rag".to_owned(),
            };
            return Err(ToolError::new(Trouble::NotFound, format!("nothing was recorded at {at}"), remedy));
        };
        // The end of a stretch is where its last frame is no longer shown.
        let shown = at.clamp(stretch.start, stretch.end.plus_ms(-1).max(stretch.start)).min(context.clock);
        let start_s = micro(stretch.start_s + (shown.ms() - stretch.start.ms()) as f64 / 1000.0);
        let seen = Seen { file: stretch.file, start_s, end_s: start_s };
        let (part, frame) = still(&self.opener, &seen, self.looking.limits).map_err(ToolError::failed)?;
        Ok((part, Glance { answer: String::new(), at: shown, seen, frame }))
    }

    /// Looks at a moment.
    pub fn glance(&self, question: &str, at: Moment, context: &Context) -> Result<Glance, ToolError> {
        let (part, glance) = self.frame(at, context)?;
        let conversation = Conversation::user(vec![part, Part::Text(question.to_owned())]);
        Ok(Glance { answer: self.looking.answer(&conversation, context)?, ..glance })
    }
}

impl Tool for ImageTool {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call(&self, arguments: &Map<String, Value>, context: &Context) -> Result<Observation, ToolError> {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
        let at: Moment = text("timestamp").parse().map_err(|_| ToolError::failed("not a moment"))?;
        let Glance { answer, at: shown, seen, .. } = self.glance(text("question"), at, context)?;
        let evidence = Evidence {
            start: shown,
            end: shown,
            text: answer.clone(),
            tool: "vlm".to_owned(),
            seen: vec![seen],
        };
        let value = json!({"timestamp": shown.to_string(), "answer": answer, "exact_match": shown == at});
        Ok(Observation { value, evidence: vec![evidence] })
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.looking.patience)
    }
}

fn video_described() -> Description {
    let schema = json!({"type": "object", "properties": {
        "question": {"type": "string", "minLength": 1, "maxLength": 2000, "description": "What to find out from the video."},
        "range": {"type": "string", "format": "moment-range",
            "description": "The time to look at, as DAYd_HHMMSSFF-DAYd_HHMMSSFF: longer than 1 second, at most 10 minutes."},
    }, "required": ["question", "range"]});
    let example = json!({"question": "Who uses the screwdriver?", "range": "DAY1_11210217-DAY1_11220217"});
    Description {
        name: "video_llm".to_owned(),
        about: "Watches up to ten minutes of the recordings and answers a question about them. Use it when you know about when something happened.".to_owned(),
        schema,
        example: example.as_object().cloned(),
    }
}

fn image_described() -> Description {
    let schema = json!({"type": "object", "properties": {
        "question": {"type": "string", "minLength": 1, "maxLength": 2000, "description": "What to find out from the picture."},
        "timestamp": {"type": "string", "format": "moment", "description": "The moment to look at, as DAYd_HHMMSSFF."},
    }, "required": ["question", "timestamp"]});
    let example = json!({"question": "What is in my hand?", "timestamp": "DAY1_11210217"});
    Description {
        name: "vlm".to_owned(),
        about: "Looks at the frame at one moment and answers a question about it. Use it for details when you know exactly when.".to_owned(),
        schema,
        example: example.as_object().cloned(),
    }
}

#[cfg(test)]
#[path = "visual_tests.rs"]
pub(crate) mod tests;
