//! Rows of LLaVA and LLaMA-Factory: turns in `conversations` or `messages`, or one exchange in `instruction`, `input`,
//! `output` with earlier ones in `history`; `<image>` and `<video>` in the user's words stand for the row's media. Tools,
//! calls and what they gave are put into words by `tools`. Keys that the formats know and this program does not follow are
//! refused by name.

use std::collections::VecDeque;

use firsthand_base::{Message, Part, Role, Span, VideoSource};
use serde_json::Value;

use super::fields::{Fields, Reason, brief};
use super::media::{Waiting, marked};
use super::row::Row;
use super::source::Reader;
use super::tools;

/// What a recipe says of a source whose rows show nothing.
const NO_MEDIA: &str = "if the rows of the source show nothing, set media = false and the marks are words";

/// One turn before its media are in place.
struct Turn {
    role: Role,
    text: String,
    /// An assistant's, that the row itself says is not learned.
    unlearned: bool,
}

pub(super) fn read(reader: &Reader<'_>, fields: Fields<'_>, row: &mut Row) -> Result<(), Reason> {
    refuse_other_kinds(fields)?;
    row.id = fields.id(&["id", "sample_id"]);
    let mut turns = match fields.get("conversations").or_else(|| fields.get("messages")) {
        Some(list) => conversation(list)?,
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
    row.tools = fields.get("tools").map_or(Ok(None), tools::described)?;
    check_order(&turns)?;
    let assistants = turns.iter().filter(|turn| turn.role == Role::Assistant).enumerate();
    row.unlearned = assistants.filter(|(_, turn)| turn.unlearned).map(|(turn, _)| turn).collect();
    let mut waiting = media(reader, fields)?;
    for Turn { role, text, .. } in turns {
        let mut place = |text: &str| match reader.config.media {
            true => waiting.place(text).map_err(|reason| format!("{reason}; {NO_MEDIA}")),
            false => Ok(vec![Part::Text(text.to_owned())]),
        };
        let (role, parts) = match role {
            Role::Assistant if reader.config.media && marked(&text) => {
                return Err(format!("an <image> or <video> mark in the assistant's words; {NO_MEDIA}"));
            }
            Role::Assistant => (role, vec![Part::Text(text)]),
            // As LLaMA-Factory's Qwen templates and Qwen's own put it.
            Role::Tool => (Role::User, place(&tools::given(&text).concat())?),
            _ => (role, place(&text)?),
        };
        row.conversation.messages.push(Message::new(role, parts));
    }
    waiting.check_empty()
}

/// Columns of LLaMA-Factory's formats for other ways of training, and media that no model here takes.
fn refuse_other_kinds(fields: Fields<'_>) -> Result<(), Reason> {
    for key in ["chosen", "rejected"] {
        if fields.get(key).is_some() {
            return Err(format!(
                "{key}: pairs of answers for preference training are not learned here; write the better one as the last turn and leave chosen and rejected out"
            ));
        }
    }
    if fields.get("kto_tag").is_some() {
        return Err("kto_tag: feedback for KTO is not learned here; keep the rows with good answers and leave kto_tag out".into());
    }
    for key in ["audio", "audios"] {
        if fields.get(key).is_some_and(|value| !locations(value).is_empty()) {
            return Err(format!(
                "{key}: sound is not supported; leave {key} and the <audio> marks out, or the row"
            ));
        }
    }
    Ok(())
}

/// `from`/`value` or `role`/`content`, by whatever names people have given the speakers.
fn conversation(list: &Value) -> Result<Vec<Turn>, Reason> {
    let Value::Array(items) = list else {
        return Err(format!("conversations: expected a list of turns, found {}", brief(list)));
    };
    let mut turns: Vec<Turn> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let at = format!("conversations[{index}]");
        let turn = turn(item, &at)?;
        match turns.last_mut() {
            // What several calls gave, one after another, is one turn of the user.
            Some(last) if last.role == Role::Tool && turn.role == Role::Tool => {
                let [open, _, close] = tools::given("");
                last.text += &format!("{close}\n{open}{}", turn.text);
            }
            _ => turns.push(turn),
        }
    }
    Ok(turns)
}

fn turn(item: &Value, at: &str) -> Result<Turn, Reason> {
    let word = |keys: [&str; 2]| keys.iter().find_map(|key| item.get(*key)).and_then(Value::as_str);
    let calls =
        item.get("tool_calls").filter(|calls| !calls.is_null() && **calls != Value::Array(Vec::new()));
    let (speaker, text) = match (word(["from", "role"]), word(["value", "content"]), calls) {
        (Some(speaker), Some(text), _) => (speaker, text),
        (Some(speaker), None, Some(_)) => (speaker, ""),
        _ => return Err(format!("{at}: expected from and value (or role and content), both strings")),
    };
    let told = |reason: Reason| format!("{at}: {reason}");
    let (role, text) = match speaker {
        "human" | "user" => (Role::User, text.to_owned()),
        "gpt" | "assistant" => match calls.map(tools::listed).transpose().map_err(told)? {
            Some(calls) if text.is_empty() => (Role::Assistant, calls),
            Some(calls) => (Role::Assistant, format!("{text}\n{calls}")),
            None => (Role::Assistant, text.to_owned()),
        },
        "system" => (Role::System, text.to_owned()),
        "observation" | "tool" | "tool_response" => (Role::Tool, text.to_owned()),
        "function_call" | "tool_call" => (Role::Assistant, tools::called(text).map_err(told)?),
        other => {
            return Err(format!(
                "{at}: an unknown speaker: {other}; known are human, gpt, system, function_call, observation"
            ));
        }
    };
    Ok(Turn { unlearned: unlearned(item, role, at)?, role, text })
}

/// Whether a turn says of itself that it is not learned: `weight` as OpenAI has it, `loss` as ms-swift, `train` as Axolotl.
fn unlearned(item: &Value, role: Role, at: &str) -> Result<bool, Reason> {
    let mut unlearned = false;
    for key in ["weight", "loss", "train", "loss_scale"] {
        let Some(value) = item.get(key).filter(|value| !value.is_null()) else { continue };
        let is_learned = match (value.as_bool(), value.as_f64()) {
            (Some(is_learned), _) => is_learned,
            (None, Some(0.0)) => false,
            (None, Some(1.0)) => true,
            _ => {
                return Err(format!(
                    "{at}.{key}: expected 0 or 1 (false or true), found {}; a turn is learned whole or not at all",
                    brief(value)
                ));
            }
        };
        if is_learned && role != Role::Assistant {
            return Err(format!(
                "{at}.{key}: only the assistant's turns can be learned, and this one is the {}'s; leave {key} out",
                role.name()
            ));
        }
        unlearned |= !is_learned;
    }
    Ok(unlearned)
}

/// One exchange and those before it.
fn exchange(fields: Fields<'_>) -> Result<Vec<Turn>, Reason> {
    let turn = |role: Role, text: &str| Turn { role, text: text.to_owned(), unlearned: false };
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
        if fields.get("text").is_some() {
            return Err(
                "text: rows of pre-training have no turns; write instruction and output, or conversations"
                    .into(),
            );
        }
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

/// The locations that a value names, itself or as a list; blank ones and null are none.
fn locations(value: &Value) -> Vec<&Value> {
    let all = match value {
        Value::Array(items) => items.iter().collect(),
        single => vec![single],
    };
    let is_one = |item: &&Value| match item {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(frames) => !frames.is_empty(),
        _ => true,
    };
    all.into_iter().filter(is_one).collect()
}

/// `image`, `images`, `video`, `videos`: a location, or a list; a list inside `videos` is one video by its frames.
fn media(reader: &Reader<'_>, fields: Fields<'_>) -> Result<Waiting, Reason> {
    let span = Span { start_s: fields.seconds("start")?, end_s: fields.seconds("end")? };
    if let (Some(start), Some(end)) = (span.start_s, span.end_s)
        && start >= end
    {
        return Err(format!("start: {start} is not before end: {end}"));
    }
    let items = |one: &'static str, many: &'static str| {
        let [first, second] = [one, many].map(|key| fields.get(key).map_or_else(Vec::new, locations));
        match (first.is_empty(), second.is_empty(), reader.config.media) {
            (false, false, _) => Err(format!("both {one} and {many}; give one of them")),
            (true, true, _) => Ok(Vec::new()),
            (.., false) => {
                let key = if first.is_empty() { many } else { one };
                Err(format!("{key}: the source says media = false; leave one of the two out"))
            }
            (first_is_empty, ..) => Ok(if first_is_empty { second } else { first }),
        }
    };
    let expected = |what: &str, found: &Value| format!("{what}: expected a location, found {}", brief(found));
    let images = items("image", "images")?
        .into_iter()
        .map(|item| reader.media.image(item.as_str().ok_or_else(|| expected("images", item))?))
        .collect::<Result<VecDeque<_>, _>>()?;
    let source = |item: &Value| match item {
        Value::String(location) => Ok(VideoSource::File(location.clone())),
        Value::Array(frames) => frames
            .iter()
            .map(|frame| frame.as_str().map(str::to_owned).ok_or_else(|| expected("videos", frame)))
            .collect::<Result<_, _>>()
            .map(VideoSource::Images),
        other => Err(expected("videos", other)),
    };
    let videos = items("video", "videos")?
        .into_iter()
        .map(|item| reader.media.video(source(item)?, span))
        .collect::<Result<VecDeque<_>, _>>()?;
    Ok(Waiting { images, videos })
}
