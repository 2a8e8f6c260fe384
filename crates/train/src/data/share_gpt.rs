//! Rows of LLaVA and LLaMA-Factory: turns in `conversations` or `messages`, or one exchange in `instruction`, `input`,
//! `output` with earlier ones in `history`; `<image>` and `<video>` in the user's words stand for the row's media.
//!
//! Calls of tools as turns of their own (`function_call`) are refused: their wire format is another model family's.

use firsthand_base::{Message, Part, Role, Span, VideoSource};
use serde_json::Value;

use super::fields::{Fields, Reason, brief};
use super::media::{Waiting, marked};
use super::row::Row;
use super::source::Reader;

/// One turn before its media are in place.
struct Turn {
    role: Role,
    text: String,
}

pub(super) fn read(reader: &Reader<'_>, fields: Fields<'_>, row: &mut Row) -> Result<(), Reason> {
    row.id = fields.id(&["id", "sample_id"]);
    let mut turns = match fields.get("conversations").or_else(|| fields.get("messages")) {
        Some(list) => conversation(fields, list)?,
        None => exchange(fields)?,
    };
    // LLaVA's readers drop what a model says before anyone has spoken.
    let spoken = turns.iter().position(|turn| turn.role != Role::Assistant).unwrap_or(turns.len());
    turns.drain(..spoken);
    let first_is_system = turns.first().is_some_and(|turn| turn.role == Role::System);
    let system = fields.text_if_any("system")?.filter(|text| !text.is_empty());
    match (system, first_is_system) {
        (Some(_), true) => return Err("system: given both as a key and as a turn".into()),
        (_, true) => {}
        (system, false) => reader.open(row, system),
    }
    check_order(&turns)?;
    let mut waiting = media(reader, fields)?;
    for Turn { role, text } in turns {
        let parts = match role {
            Role::Assistant if marked(&text) => {
                return Err("an <image> or <video> mark in the assistant's words".into());
            }
            Role::Assistant => vec![Part::Text(text)],
            _ => waiting.place(&text)?,
        };
        row.conversation.messages.push(Message::new(role, parts));
    }
    waiting.check_empty()
}

/// `from`/`value` or `role`/`content`, by whatever names people have given the speakers.
fn conversation(fields: Fields<'_>, list: &Value) -> Result<Vec<Turn>, Reason> {
    let Value::Array(items) = list else {
        return Err(format!("conversations: expected a list of turns, found {}", brief(list)));
    };
    let _ = fields;
    let read = |(index, item): (usize, &Value)| {
        let word = |keys: [&str; 2]| keys.iter().find_map(|key| item.get(*key)).and_then(Value::as_str);
        let at = format!("conversations[{index}]");
        let (Some(speaker), Some(text)) = (word(["from", "role"]), word(["value", "content"])) else {
            return Err(format!("{at}: expected from and value (or role and content), both strings"));
        };
        let role = match speaker {
            "human" | "user" => Role::User,
            "gpt" | "assistant" => Role::Assistant,
            "system" => Role::System,
            "observation" | "tool" => Role::Tool,
            "function_call" => {
                return Err(format!(
                    "{at}: function_call; write the call into a gpt turn as the model should say it"
                ));
            }
            other => {
                return Err(format!(
                    "{at}: an unknown speaker: {other}; known are human, gpt, system, observation"
                ));
            }
        };
        Ok(Turn { role, text: text.to_owned() })
    };
    items.iter().enumerate().map(read).collect()
}

/// One exchange and those before it.
fn exchange(fields: Fields<'_>) -> Result<Vec<Turn>, Reason> {
    let turn = |role: Role, text: &str| Turn { role, text: text.to_owned() };
    let mut turns = Vec::new();
    if let Some(history) = fields.get("history") {
        let pairs = history.as_array().ok_or_else(|| fields.wrong("history", "a list of pairs"))?;
        for pair in pairs {
            let pair: Vec<_> = pair.as_array().into_iter().flatten().map(Value::as_str).collect();
            let [Some(asked), Some(said)] = pair[..] else {
                return Err(fields.wrong("history", "a list of pairs of strings"));
            };
            turns.push(turn(Role::User, asked));
            turns.push(turn(Role::Assistant, said));
        }
    }
    let Some(instruction) = fields.text_if_any("instruction")? else {
        return Err(
            "neither conversations, messages nor instruction; name the file's keys under columns".into()
        );
    };
    let input = fields.text_if_any("input")?.unwrap_or("");
    // LLaMA-Factory joins the two by a newline and leaves out the empty one.
    let asked: Vec<&str> = [instruction, input].into_iter().filter(|text| !text.is_empty()).collect();
    turns.push(turn(Role::User, &asked.join("\n")));
    turns.push(turn(Role::Assistant, fields.text("output")?));
    Ok(turns)
}

/// The user (or a tool) and the assistant take turns, a system turn comes first, the assistant ends.
fn check_order(turns: &[Turn]) -> Result<(), Reason> {
    let spoken = match turns {
        [first, rest @ ..] if first.role == Role::System => rest,
        all => all,
    };
    for (index, turn) in spoken.iter().enumerate() {
        let expected = if index % 2 == 0 { "the user or a tool" } else { "the assistant" };
        let fits = match turn.role {
            Role::User | Role::Tool => index % 2 == 0,
            Role::Assistant => index % 2 == 1,
            Role::System => false,
        };
        if !fits {
            let at = index + turns.len() - spoken.len();
            return Err(format!(
                "conversations[{at}]: {} speaks where it is the turn of {expected}",
                turn.role.name()
            ));
        }
    }
    Ok(())
}

/// `image`, `images`, `video`, `videos`: a location, or a list; a list inside `videos` is one video by its frames.
fn media(reader: &Reader<'_>, fields: Fields<'_>) -> Result<Waiting, Reason> {
    let span = Span { start_s: fields.seconds("start")?, end_s: fields.seconds("end")? };
    if let (Some(start), Some(end)) = (span.start_s, span.end_s)
        && start >= end
    {
        return Err(format!("start: {start} is not before end: {end}"));
    }
    let items = |one: &'static str, many: &'static str| match (fields.get(one), fields.get(many)) {
        (Some(_), Some(_)) => Err(format!("both {one} and {many}; give one of them")),
        (Some(value), None) | (None, Some(value)) => Ok(match value {
            Value::Array(items) => items.iter().collect(),
            single => vec![single],
        }),
        (None, None) => Ok(Vec::new()),
    };
    let expected = |what: &str, found: &Value| format!("{what}: expected a location, found {}", brief(found));
    let images = items("image", "images")?
        .into_iter()
        .map(|item| reader.media.image(item.as_str().ok_or_else(|| expected("images", item))?))
        .collect::<Result<_, _>>()?;
    let source = |item: &Value| match item {
        Value::String(location) => Ok(VideoSource::File(location.clone())),
        Value::Array(frames) if !frames.is_empty() => frames
            .iter()
            .map(|frame| frame.as_str().map(str::to_owned).ok_or_else(|| expected("videos", frame)))
            .collect::<Result<_, _>>()
            .map(VideoSource::Images),
        other => Err(expected("videos", other)),
    };
    let videos = items("video", "videos")?
        .into_iter()
        .map(|item| reader.media.video(source(item)?, span))
        .collect::<Result<_, _>>()?;
    Ok(Waiting { images, videos })
}
