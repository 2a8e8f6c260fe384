//! Rows of STVQA-7K: one picture, a prompt that is stored whole, and the scene graph with the answer. The published
//! rows hold no observation and no reasoning; files that do put the whole answer into `response`.
//!
//! In parquet the picture's bytes are in the row and reach the conversation as a `data:` location.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firsthand_base::{Message, Part, Role};
use firsthand_tasks::{Kind, Question};
use serde_json::Value;

use super::fields::{Fields, Reason, brief};
use super::row::Row;
use super::source::Reader;

/// Keys that are read.
pub(super) const COLUMNS: [&str; 9] = [
    "id",
    "image_id",
    "images",
    "problem",
    "question_only",
    "options",
    "answer_option_text",
    "answer_option_text_only",
    "response",
];

pub(super) fn read(reader: &Reader<'_>, fields: Fields<'_>, row: &mut Row) -> Result<(), Reason> {
    let picture = picture(reader, fields)?;
    let options = fields.texts("options")?;
    match reader.config.style {
        // As the published trainer puts it: marks out, one picture, one text that begins with a blank.
        None => {
            let text = fields.text("problem")?.replace("<image>", "");
            reader.open(row, None);
            let parts = vec![picture, Part::Text(format!(" {}", text.trim()))];
            row.conversation.messages.push(Message::new(Role::User, parts));
        }
        Some(style) => {
            let text = fields.text("question_only")?;
            let size = fields.text_if_any("problem")?.and_then(stated_size);
            let question = Question { text, kind: Kind::MultipleChoice, options: &options, size };
            reader.ask(row, style, vec![picture], &question)?;
        }
    }
    let graph = fields.text_if_any("answer_option_text")?;
    let answer = match (reader.config.reasoning, fields.text_if_any("response")?) {
        (true, Some(response)) => response.to_owned(),
        (true, None) => fields.text("answer_option_text")?.to_owned(),
        (false, _) => format!("<answer>{}</answer>", fields.text("answer_option_text_only")?),
    };
    reader.say(row, answer);
    row.id = fields.id(&["id", "image_id"]);
    (row.kind, row.options, row.solution) = (Some(Kind::MultipleChoice), options, graph.map(str::to_owned));
    Ok(())
}

/// `images`: a location, or an object with the `bytes` in base64 or the `path`; a list may hold one of these.
fn picture(reader: &Reader<'_>, fields: Fields<'_>) -> Result<Part, Reason> {
    let wrong = || fields.wrong("images", "one picture: a location, or an object with bytes or path");
    let value = match fields.get("images") {
        Some(Value::Array(items)) => match &items[..] {
            [one] => one,
            _ => return Err(wrong()),
        },
        Some(value) => value,
        None => return Err(wrong()),
    };
    match value {
        Value::String(location) => reader.media.image(location),
        Value::Object(fields) => match (fields.get("bytes"), fields.get("path")) {
            (Some(Value::String(bytes)), _) => reader.media.image(&format!("data:image/jpeg;base64,{bytes}")),
            (None | Some(Value::Null), Some(Value::String(path))) => reader.media.image(path),
            _ => Err(wrong()),
        },
        other => Err(format!("images: expected one picture, found {}", brief(other))),
    }
}

/// The picture's bytes as the JSON form of the row holds them.
pub(super) fn encoded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// `[height, width]` from the words `Image size: (W x H)` of the stored prompt.
fn stated_size(problem: &str) -> Option<[usize; 2]> {
    let (_, rest) = problem.split_once("Image size: (")?;
    let (width, rest) = rest.split_once(" x ")?;
    let (height, _) = rest.split_once(')')?;
    Some([height.parse().ok()?, width.parse().ok()?])
}
