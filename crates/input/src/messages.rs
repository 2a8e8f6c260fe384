//! Reads the reference message format (`role`, `content`, parts of text, image and video with their sampling and
//! size keys, as qwen-vl-utils takes them), and the `image_url` / `video_url` parts of the OpenAI format.
//!
//! It opens no media and judges no sizes; a key it does not know is an error, because a misspelt `max_pixel`
//! that is silently ignored changes every answer.

use firsthand_base::json;
use firsthand_base::{
    Conversation, Damaged, ImagePart, Message, Part, PixelLimits, Role, Sampling, Span, VideoPart,
    VideoSource,
};
use firsthand_media::inline_pictures;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::json::{brief, integral};

/// Longest message text accepted, in bytes: room for a few pictures as `data:` locations.
const LARGEST_TEXT: usize = 256 << 20;
/// Most messages of a conversation.
const MOST_MESSAGES: usize = 16_384;
/// Most parts of a conversation, and most images of a video given as a list.
const MOST_PARTS: usize = 65_536;

const IMAGE_KEYS: [&str; 2] = ["image", "image_url"];
const VIDEO_KEYS: [&str; 2] = ["video", "video_url"];
/// Location keys of the transformers format; the part's `type` says what they hold.
const PLAIN_KEYS: [&str; 2] = ["url", "path"];
const SIZE_KEYS: [&str; 4] = ["min_pixels", "max_pixels", "resized_height", "resized_width"];
const VIDEO_ONLY_KEYS: [&str; 11] = [
    "fps",
    "nframes",
    "min_frames",
    "max_frames",
    "video_start",
    "video_end",
    "total_pixels",
    "sample_fps",
    "raw_fps",
    "timestamps",
    "damaged",
];

/// Reads messages from JSON text: a list of `{"role", "content"}`.
pub fn read_messages(text: &str) -> Result<Conversation> {
    if text.len() > LARGEST_TEXT {
        let what = format!("{} bytes of JSON, more than {LARGEST_TEXT}; give media as files", text.len());
        return Err(Error::message("messages", what));
    }
    let value: Value = json::read(text.as_bytes())
        .map_err(|fault| Error::message("messages", format!("broken JSON: {fault}")))?;
    read_message_list(&value)
}

/// Reads messages that are already parsed.
pub fn read_message_list(value: &Value) -> Result<Conversation> {
    let Value::Array(items) = value else {
        let what = format!("expected a list of {{\"role\", \"content\"}}, found {}", brief(value));
        return Err(Error::message("messages", what));
    };
    if items.is_empty() {
        return Err(Error::message("messages", "empty; a conversation needs at least one message"));
    }
    if items.len() > MOST_MESSAGES {
        return Err(Error::message(
            "messages",
            format!("{} messages, more than {MOST_MESSAGES}", items.len()),
        ));
    }
    let mut conversation = Conversation::default();
    let mut parts = 0;
    for (index, item) in items.iter().enumerate() {
        let message = read_message(item, &format!("messages[{index}]"))?;
        parts += message.parts.len();
        if parts > MOST_PARTS {
            return Err(Error::message("messages", format!("more than {MOST_PARTS} parts")));
        }
        conversation.messages.push(message);
    }
    Ok(conversation)
}

fn read_message(value: &Value, at: &str) -> Result<Message> {
    let Value::Object(fields) = value else {
        let hint = if value.is_array() { "; give one conversation, not a batch" } else { "" };
        return Err(Error::message(at, format!("expected an object, found {}{hint}", brief(value))));
    };
    let role = match fields.get("role").and_then(Value::as_str) {
        Some("system") => Role::System,
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("tool") => Role::Tool,
        _ => {
            let found = fields.get("role").map_or_else(|| "nothing".to_owned(), brief);
            let what = format!("expected system, user, assistant or tool, found {found}");
            return Err(Error::message(format!("{at}.role"), what));
        }
    };
    let extra = read_fields(role, fields, at)?;
    let parts = match fields.get("content") {
        None | Some(Value::Null) if extra.contains_key("tool_calls") => Vec::new(),
        Some(Value::String(text)) => vec![Part::Text(text.clone())],
        Some(Value::Array(items)) => items
            .iter()
            .enumerate()
            .map(|(index, item)| read_part(item, &format!("{at}.content[{index}]")))
            .collect::<Result<_>>()?,
        other => {
            let found = other.map_or_else(|| "nothing".to_owned(), brief);
            let what = format!("expected a string or a list of parts, found {found}");
            return Err(Error::message(format!("{at}.content"), what));
        }
    };
    Ok(Message { role, parts, fields: extra })
}

/// What a message has beside role and content: `tool_calls` of the assistant, `tool_call_id` of a tool, a `name`.
fn read_fields(role: Role, fields: &Map<String, Value>, at: &str) -> Result<Map<String, Value>> {
    let mut read = Map::new();
    for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let at = format!("{at}.{key}");
        let value = match (key.as_str(), role, value) {
            ("role" | "content", ..) => continue,
            ("tool_calls", Role::Assistant, Value::Array(calls)) if !calls.is_empty() => {
                let read = |(index, call)| read_call(call, &format!("{at}[{index}]"));
                calls.iter().enumerate().map(read).collect::<Result<_>>()?
            }
            ("tool_calls", Role::Assistant, Value::Array(_)) => {
                return Err(Error::message(at, "empty; leave it out where the turn calls nothing"));
            }
            ("tool_calls", Role::Assistant, _) => {
                let what =
                    "expected [{\"id\", \"type\": \"function\", \"function\": {\"name\", \"arguments\"}}]";
                return Err(Error::message(at, format!("{what}, found {}", brief(value))));
            }
            ("tool_calls", ..) => return Err(Error::message(at, "only the assistant calls tools")),
            ("tool_call_id", Role::Tool, Value::String(_)) | ("name", _, Value::String(_)) => value.clone(),
            ("tool_call_id", Role::Tool, _) | ("name", ..) => {
                return Err(Error::message(at, format!("expected a string, found {}", brief(value))));
            }
            ("tool_call_id", ..) => {
                return Err(Error::message(at, "only a message of the role tool answers a call"));
            }
            _ => {
                let what = "unknown key; a message has role, content, name, tool_calls and tool_call_id";
                return Err(Error::message(at, what));
            }
        };
        read.insert(key.clone(), value);
    }
    Ok(read)
}

/// A call, its arguments as the value that their text says: templates write them as JSON. Text that is no JSON stays as it
/// is; no text at all is no arguments.
fn read_call(call: &Value, at: &str) -> Result<Value> {
    let mut call = call.clone();
    let (function, at) = match call.get("function") {
        Some(_) => (&mut call["function"], format!("{at}.function")),
        None => (&mut call, at.to_owned()),
    };
    let Value::Object(function) = function else {
        return Err(Error::message(at, format!("expected an object, found {}", brief(function))));
    };
    if function.get("name").and_then(Value::as_str).is_none_or(str::is_empty) {
        let found = function.get("name").map_or_else(|| "nothing".to_owned(), brief);
        return Err(Error::message(
            format!("{at}.name"),
            format!("expected a function's name, found {found}"),
        ));
    }
    let none = || Value::Object(Map::new());
    let arguments = match function.get("arguments") {
        None | Some(Value::Null) => none(),
        Some(Value::String(text)) if text.trim().is_empty() => none(),
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Null) => none(),
            Ok(value) => value,
            Err(_) => Value::String(text.clone()),
        },
        Some(value @ Value::Object(_)) => value.clone(),
        Some(value) => {
            let what =
                format!("expected an object or its JSON as text (\"{{}}\" for none), found {}", brief(value));
            return Err(Error::message(format!("{at}.arguments"), what));
        }
    };
    function.insert("arguments".to_owned(), arguments);
    Ok(call)
}

/// What a part is, from its keys first (as qwen-vl-utils decides) and its `type` where the keys leave it open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Image,
    Video,
}

fn read_part(value: &Value, at: &str) -> Result<Part> {
    let Value::Object(fields) = value else {
        return Err(Error::message(at, format!("expected an object, found {}", brief(value))));
    };
    let fields = Fields { fields, at };
    let declared = match fields.get("type").map(|value| (value, value.as_str())) {
        None => None,
        Some((_, Some("text"))) => Some(Kind::Text),
        Some((_, Some("image" | "image_url"))) => Some(Kind::Image),
        Some((_, Some("video" | "video_url"))) => Some(Kind::Video),
        Some((value, _)) => {
            let what = format!("expected text, image, image_url, video or video_url, found {}", brief(value));
            return Err(fields.wrong("type", what));
        }
    };
    let carried = [("text", Kind::Text)]
        .into_iter()
        .chain(IMAGE_KEYS.map(|key| (key, Kind::Image)))
        .chain(VIDEO_KEYS.map(|key| (key, Kind::Video)))
        .chain(PLAIN_KEYS.into_iter().filter_map(|key| Some((key, declared.filter(|&d| d != Kind::Text)?))))
        .filter(|(key, _)| fields.get(key).is_some())
        .collect::<Vec<_>>();
    let (key, kind) = match carried[..] {
        [one] => one,
        [] => return Err(Error::message(at, "no text, image, image_url, video or video_url in this part")),
        [first, second, ..] => {
            let what = format!("has both {} and {}; make them two parts", first.0, second.0);
            return Err(Error::message(at, what));
        }
    };
    if declared.is_some_and(|declared| declared != kind) {
        return Err(fields.wrong("type", format!("does not fit the part's {key}")));
    }
    fields.refuse_unknown(key, kind)?;
    match kind {
        Kind::Text => fields.string(key).map(Part::Text),
        Kind::Image => {
            Ok(Part::Image(ImagePart { location: fields.location(key)?, limits: fields.pixel_limits()? }))
        }
        Kind::Video => read_video(&fields, key).map(Part::Video),
    }
}

fn read_video(fields: &Fields<'_>, key: &str) -> Result<VideoPart> {
    let source = match fields.get(key) {
        Some(Value::Array(frames)) => VideoSource::Images(read_frames(fields, key, frames)?),
        _ => {
            let location = fields.location(key)?;
            inline_pictures(&location).map_or(VideoSource::File(location), VideoSource::Images)
        }
    };
    let mut sample_fps = fields.positive("sample_fps")?;
    fields.positive("raw_fps")?;
    let sampling = match source {
        VideoSource::File(_) => read_sampling(fields)?,
        VideoSource::Images(_) => read_list_sampling(fields, &mut sample_fps)?,
    };
    Ok(VideoPart {
        source,
        sampling,
        span: Span { start_s: fields.number("video_start")?, end_s: fields.number("video_end")? },
        limits: fields.pixel_limits()?,
        sample_fps,
        damaged: read_damaged(fields)?,
    })
}

fn read_damaged(fields: &Fields<'_>) -> Result<Damaged> {
    let Some(value) = fields.get("damaged") else { return Ok(Damaged::Refuse) };
    let wrong = || fields.wrong("damaged", format!("expected refuse or show, found {}", brief(value)));
    value.as_str().and_then(Damaged::named).ok_or_else(wrong)
}

fn read_frames(fields: &Fields<'_>, key: &str, frames: &[Value]) -> Result<Vec<String>> {
    if frames.is_empty() || frames.len() > MOST_PARTS {
        return Err(fields.wrong(key, format!("{} images; a video needs 1 to {MOST_PARTS}", frames.len())));
    }
    let read = |(index, frame): (usize, &Value)| match frame {
        Value::String(location) if !location.is_empty() => Ok(location.clone()),
        other => {
            Err(fields.wrong(&format!("{key}[{index}]"), format!("expected a path, found {}", brief(other))))
        }
    };
    frames.iter().enumerate().map(read).collect()
}

fn read_sampling(fields: &Fields<'_>) -> Result<Sampling> {
    if let Some(times) = fields.times("timestamps")? {
        let others = ["fps", "nframes", "min_frames", "max_frames"];
        if let Some(other) = others.into_iter().find(|key| fields.get(key).is_some()) {
            return Err(fields.wrong("timestamps", format!("given together with {other}; give one of them")));
        }
        return Ok(Sampling::Timestamps(times));
    }
    let min_frames = fields.count("min_frames")?;
    let max_frames = fields.count("max_frames")?;
    match (fields.positive("fps")?, fields.count("nframes")?) {
        (Some(_), Some(_)) => Err(fields.wrong("fps", "given together with nframes; give one of them")),
        // The reference ignores min_frames and max_frames beside nframes.
        (None, Some(nframes)) => Ok(Sampling::Frames(nframes)),
        (fps, None) => Ok(Sampling::Rate {
            fps: fps.unwrap_or(Sampling::DEFAULT_FPS),
            min_frames: min_frames.unwrap_or(Sampling::DEFAULT_MIN_FRAMES),
            max_frames: max_frames.unwrap_or(Sampling::DEFAULT_MAX_FRAMES),
        }),
    }
}

/// What is chosen from a list of pictures: all of them unless something is said. `fps` alone says how many a second there
/// are, as it does to transformers' and vLLM's processors; beside `sample_fps`, which says that, it chooses.
fn read_list_sampling(fields: &Fields<'_>, sample_fps: &mut Option<f64>) -> Result<Sampling> {
    let bounds = [fields.count("min_frames")?, fields.count("max_frames")?];
    if fields.get("timestamps").is_some() {
        return read_sampling(fields);
    }
    let mut wanted = fields.positive("fps")?;
    if sample_fps.is_none() {
        *sample_fps = wanted.take();
    }
    match (wanted, fields.count("nframes")?) {
        (Some(_), Some(_)) => Err(fields.wrong("fps", "given together with nframes; give one of them")),
        (None, Some(nframes)) => Ok(Sampling::Frames(nframes)),
        (None, None) if bounds == [None, None] => Ok(Sampling::Every),
        (fps, None) => Ok(Sampling::Rate {
            fps: fps.or(*sample_fps).unwrap_or(Sampling::DEFAULT_FPS),
            min_frames: bounds[0].unwrap_or(Sampling::DEFAULT_MIN_FRAMES),
            max_frames: bounds[1].unwrap_or(MOST_PARTS),
        }),
    }
}

/// The keys of one part and where the part stands.
struct Fields<'a> {
    fields: &'a Map<String, Value>,
    at: &'a str,
}

impl Fields<'_> {
    /// The value of `key`; JSON null counts as absent.
    fn get(&self, key: &str) -> Option<&Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    fn wrong(&self, key: &str, what: impl Into<String>) -> Error {
        Error::message(format!("{}.{key}", self.at), what)
    }

    fn refuse_unknown(&self, location: &str, kind: Kind) -> Result<()> {
        for (key, value) in self.fields {
            let key = key.as_str();
            let sized = kind != Kind::Text && SIZE_KEYS.contains(&key);
            let timed = kind == Kind::Video && VIDEO_ONLY_KEYS.contains(&key);
            if key == "type" || key == location || sized || timed || value.is_null() {
                continue;
            }
            let what = if VIDEO_ONLY_KEYS.contains(&key) || SIZE_KEYS.contains(&key) {
                let to = match kind {
                    Kind::Image => "an image; give a moving picture as a video",
                    _ => "text",
                };
                format!("does not apply to {to}")
            } else {
                "unknown key".to_owned()
            };
            return Err(self.wrong(key, what));
        }
        Ok(())
    }

    fn string(&self, key: &str) -> Result<String> {
        match self.get(key) {
            Some(Value::String(text)) => Ok(text.clone()),
            other => {
                let found = other.map_or_else(|| "nothing".to_owned(), brief);
                Err(self.wrong(key, format!("expected a string, found {found}")))
            }
        }
    }

    /// A location: a string, or the OpenAI object `{"url": ..}` (its `detail` asks for a size and is not used).
    fn location(&self, key: &str) -> Result<String> {
        let location = match self.get(key) {
            Some(Value::Object(inner)) if key.ends_with("_url") => {
                if let Some(unknown) = inner.keys().find(|name| !["url", "detail"].contains(&name.as_str())) {
                    return Err(self.wrong(&format!("{key}.{unknown}"), "unknown key"));
                }
                let at = format!("{}.{key}", self.at);
                Fields { fields: inner, at: &at }.string("url")?
            }
            _ => self.string(key)?,
        };
        if location.is_empty() {
            return Err(self.wrong(key, "empty; give a path or a location"));
        }
        Ok(location)
    }

    fn number(&self, key: &str) -> Result<Option<f64>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = value.as_f64().filter(|number| number.is_finite());
        number.map(Some).ok_or_else(|| self.wrong(key, format!("expected a number, found {}", brief(value))))
    }

    /// Times in seconds: of the frames to take from a file, or when each image of a list was taken.
    fn times(&self, key: &str) -> Result<Option<Vec<f64>>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let is_time = |time: &f64| time.is_finite() && *time >= 0.0;
        let times = value.as_array().filter(|times| !times.is_empty() && times.len() <= MOST_PARTS);
        let times: Option<Vec<f64>> =
            times.and_then(|times| times.iter().map(|time| time.as_f64().filter(is_time)).collect());
        let wrong = || self.wrong(key, format!("expected times in seconds, found {}", brief(value)));
        times.map(Some).ok_or_else(wrong)
    }

    fn positive(&self, key: &str) -> Result<Option<f64>> {
        let number = self.number(key)?;
        if number.is_some_and(|number| number <= 0.0) {
            return Err(self.wrong(key, "must be larger than 0"));
        }
        Ok(number)
    }

    /// A whole number that fits the arithmetic of frame and pixel counts, also when written as a float.
    fn count(&self, key: &str) -> Result<Option<usize>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let count = integral(value).filter(|&count| count <= 1 << 40);
        let wrong = || self.wrong(key, format!("expected a whole number, found {}", brief(value)));
        count.map(|count| Some(count as usize)).ok_or_else(wrong)
    }

    fn pixel_limits(&self) -> Result<PixelLimits> {
        let sides = (self.count("resized_height")?, self.count("resized_width")?);
        let resized = match sides {
            (Some(height), Some(width)) if height > 0 && width > 0 => Some([height, width]),
            (None, None) => None,
            (Some(_), Some(_)) => return Err(self.wrong("resized_height", "a resized side of 0 pixels")),
            (Some(_), None) => return Err(self.wrong("resized_height", "given without resized_width")),
            (None, Some(_)) => return Err(self.wrong("resized_width", "given without resized_height")),
        };
        Ok(PixelLimits {
            min_pixels: self.count("min_pixels")?,
            max_pixels: self.count("max_pixels")?,
            total_pixels: self.count("total_pixels")?,
            resized,
        })
    }
}

#[cfg(test)]
#[path = "messages_tests.rs"]
mod tests;
