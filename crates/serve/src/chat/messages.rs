//! Messages in OpenAI's words, turned into the reference message format and read by the one reader of it, so that a
//! served conversation and a file given to `ask --messages` cannot mean two things.

use firsthand_base::Conversation;
use serde_json::{Map, Value, json};

use crate::chat::fields::Fields;
use crate::refusal::{Answered, Refusal};

/// Keys of a whole request that stand for those of every video part that says nothing itself, and what they are called
/// there.
const VIDEO_EXTRAS: [(&str, &str); 10] = [
    ("fps", "fps"),
    ("frames", "nframes"),
    ("min_frames", "min_frames"),
    ("max_frames", "max_frames"),
    ("video_start", "video_start"),
    ("video_end", "video_end"),
    ("min_pixels", "min_pixels"),
    ("max_pixels", "max_pixels"),
    ("total_pixels", "total_pixels"),
    ("damaged", "damaged"),
];
/// Those that also apply to images.
const IMAGE_EXTRAS: [&str; 2] = ["min_pixels", "max_pixels"];
/// A part that has one of these chooses its frames itself.
const CHOOSING: [&str; 5] = ["fps", "nframes", "min_frames", "max_frames", "timestamps"];

/// Takes the extras of a request.
pub(crate) fn extras(fields: &mut Fields) -> Answered<Map<String, Value>> {
    let mut extras = Map::new();
    for (key, name) in VIDEO_EXTRAS {
        if let Some(value) = fields.take(key) {
            extras.insert(name.to_owned(), value);
        }
    }
    Ok(extras)
}

/// Refuses extras that choose frames where no part of a request has frames to choose from.
fn check_used(extras: &Map<String, Value>, messages: &[Value]) -> Answered<()> {
    let parts = messages.iter().filter_map(|message| message.get("content")?.as_array()).flatten();
    if parts.filter_map(Value::as_object).any(|part| holds(part, ["video", "video_url"])) {
        return Ok(());
    }
    let is_given = |(_, name): &&(&str, &str)| !IMAGE_EXTRAS.contains(name) && extras.contains_key(*name);
    match VIDEO_EXTRAS.iter().find(is_given) {
        None => Ok(()),
        Some((key, _)) => {
            let what = "is about frames, and no part of the request is a video; send a video or a moving picture as video_url, or leave it out";
            Err(Refusal::field(*key, format!("{key}: {what}")))
        }
    }
}

/// Whether a part is of a kind, by its `type` or by the key of its location.
fn holds(part: &Map<String, Value>, names: [&str; 2]) -> bool {
    let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
    names.iter().any(|name| kind == *name || part.contains_key(*name))
}

/// The conversation that a list of messages is.
pub(crate) fn conversation(list: Value, extras: &Map<String, Value>) -> Answered<Conversation> {
    let Value::Array(list) = list else {
        return Err(Refusal::field("messages", "messages: expected a list"));
    };
    let messages: Vec<Value> = list
        .into_iter()
        .enumerate()
        .map(|(index, message)| plain(message, &format!("messages[{index}]"), extras))
        .collect::<Answered<_>>()?;
    check_used(extras, &messages)?;
    firsthand_input::read_message_list(&Value::Array(messages)).map_err(|error| {
        let message = error.to_string();
        let param = message.split_once(": ").map_or("messages", |(at, _)| at).to_owned();
        Refusal::field(param, message)
    })
}

/// A message in the reference format.
fn plain(message: Value, at: &str, extras: &Map<String, Value>) -> Answered<Value> {
    let mut fields = Fields::of(message, at)?;
    let role = fields.string("role")?.ok_or_else(|| fields.wrong("role", "missing"))?;
    let role = if role == "developer" { "system".to_owned() } else { role };
    let content = fields.take("content");
    // What templates may write: the reader of the reference format judges it.
    let told: Vec<(&str, Value)> = ["tool_calls", "tool_call_id", "name"]
        .into_iter()
        .filter_map(|key| Some((key, fields.take(key)?)))
        .collect();
    if role == "assistant" {
        fields.ignore(&["annotations", "reasoning_content"]);
    }
    fields.end()?;
    let content = match content {
        Some(Value::Array(parts)) => {
            parts.into_iter().map(|part| with_extras(part, extras)).collect::<Vec<_>>().into()
        }
        Some(other) => other,
        None => Value::Null,
    };
    let mut message = json!({"role": role, "content": content});
    told.into_iter().for_each(|(key, value)| message[key] = value);
    Ok(message)
}

/// A part with the request's extras where it says nothing itself.
fn with_extras(part: Value, extras: &Map<String, Value>) -> Value {
    let Value::Object(mut part) = part else { return part };
    if let Some(frames) = part.shift_remove("frames") {
        part.entry("nframes").or_insert(frames);
    }
    let is_video = holds(&part, ["video", "video_url"]);
    if !is_video && !holds(&part, ["image", "image_url"]) {
        return Value::Object(part);
    }
    let chooses = CHOOSING.iter().any(|key| part.contains_key(*key));
    for (key, value) in extras {
        let applies = if is_video {
            !(chooses && CHOOSING.contains(&key.as_str()))
        } else {
            IMAGE_EXTRAS.contains(&key.as_str())
        };
        if applies && !part.contains_key(key) {
            part.insert(key.clone(), value.clone());
        }
    }
    Value::Object(part)
}

#[cfg(test)]
mod tests {
    use firsthand_base::{Part, Sampling, VideoSource};

    use super::*;

    fn parts(body: Value) -> Answered<Vec<Part>> {
        let mut fields = Fields::of(body, "")?;
        let extras = extras(&mut fields)?;
        let list = fields.take("messages").expect("messages");
        fields.end()?;
        Ok(conversation(list, &extras)?.parts().cloned().collect())
    }

    #[test]
    fn extras_of_a_request_are_those_of_parts_that_say_nothing() {
        let user = |parts: Value| json!([{"role": "user", "content": parts}]);
        let video = json!({"type": "video_url", "video_url": {"url": "a.mp4"}});
        let own = json!({"type": "video_url", "video_url": "a.mp4", "timestamps": [1.0, 2.0]});
        let image = json!({"type": "image_url", "image_url": {"url": "a.png"}});
        let body = json!({"messages": user(json!([video, own, image])), "frames": 8, "max_pixels": 5000, "video_start": 2});
        let found = parts(body).unwrap();
        let [Part::Video(first), Part::Video(second), Part::Image(third)] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!((&first.sampling, first.span.start_s), (&Sampling::Frames(8), Some(2.0)));
        assert_eq!((first.limits.max_pixels, third.limits.max_pixels), (Some(5000), Some(5000)));
        assert_eq!(second.sampling, Sampling::Timestamps(vec![1.0, 2.0]));
    }

    #[test]
    fn inline_picture_lists_become_pictures() {
        let part = json!({"type": "video_url", "video_url": {"url": "data:video/jpeg;base64,AA==,BB=="}});
        let found = parts(json!({"messages": [{"role": "user", "content": [part]}]})).unwrap();
        let Part::Video(video) = &found[0] else { panic!("{found:?}") };
        let list = ["AA==", "BB=="].map(|body| format!("data:image/jpeg;base64,{body}"));
        assert_eq!(video.source, VideoSource::Images(list.to_vec()));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (message, param) in [
            (json!({"role": "user"}), "messages[0].content"),
            (json!({"role": "user", "content": "a", "name": 3}), "messages[0].name"),
            (json!({"role": "user", "content": "a", "nmae": "b"}), "messages[0].nmae"),
            (json!({"role": "assistant", "tool_calls": []}), "messages[0].tool_calls"),
            (json!({"role": "user", "content": "a", "tool_calls": [{}]}), "messages[0].tool_calls"),
            (
                json!({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": [1]}}]}),
                "messages[0].tool_calls[0].function.arguments",
            ),
            (
                json!({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}),
                "messages[0].content[0].type",
            ),
            (
                json!({"role": "user", "content": [{"type": "text", "text": "a", "fsp": 1}]}),
                "messages[0].content[0].fsp",
            ),
            (json!({"role": "king", "content": "a"}), "messages[0].role"),
        ] {
            let refusal = parts(json!({"messages": [message]})).unwrap_err();
            assert_eq!(
                (refusal.status.as_u16(), refusal.param.as_deref()),
                (400, Some(param)),
                "{refusal:?}"
            );
        }
    }
}
