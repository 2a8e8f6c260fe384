//! Tools, calls and results in words, for chat templates that know none: those of Qwen2.5's template, which Qwen's
//! checkpoints were trained on. What a template knows is left to it.

use std::borrow::Cow;

use firsthand_base::{Conversation, Message, Part, Role};
use serde_json::Value;

use crate::python::dumps;

/// What of tools a template writes in its own words.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Takes {
    /// The tools of a request.
    pub(crate) tools: bool,
    /// The calls of an assistant's turn.
    pub(crate) calls: bool,
    /// Turns of the role `tool`.
    pub(crate) results: bool,
}

/// The conversation and the tools as a template with these abilities is to be given them. `system` are the words that the
/// template says for itself where no system turn is.
pub(crate) fn in_words<'a>(
    conversation: &'a Conversation,
    tools: &'a [Value],
    takes: Takes,
    system: Option<&str>,
) -> (Cow<'a, Conversation>, &'a [Value]) {
    let describes = !tools.is_empty() && !takes.tools;
    let says = |message: &Message| {
        (calls(message).is_some() && !takes.calls) || (message.role == Role::Tool && !takes.results)
    };
    if !describes && !conversation.messages.iter().any(says) {
        return (Cow::Borrowed(conversation), tools);
    }
    let mut messages: Vec<Message> = Vec::new();
    let mut was_result = false;
    for message in &conversation.messages {
        let is_result = message.role == Role::Tool && !takes.results;
        match messages.last_mut() {
            // Results in a row share one turn.
            Some(last) if is_result && was_result => {
                last.parts.push(Part::Text("\n".into()));
                last.parts.extend(result(message));
            }
            _ if is_result => messages.push(Message::new(Role::User, result(message).collect())),
            _ if !takes.calls && calls(message).is_some() => messages.push(called(message)),
            _ => messages.push(message.clone()),
        }
        was_result = is_result;
    }
    if describes {
        describe(&mut messages, tools, system);
    }
    (Cow::Owned(Conversation { messages }), if describes { &[] } else { tools })
}

fn calls(message: &Message) -> Option<&Vec<Value>> {
    message.fields.get("tool_calls")?.as_array()
}

/// What a tool gave, between its marks.
fn result(message: &Message) -> impl Iterator<Item = Part> + '_ {
    let open = Part::Text("<tool_response>\n".into());
    let close = Part::Text("\n</tool_response>".into());
    std::iter::once(open).chain(message.parts.iter().cloned()).chain([close])
}

/// A turn with its calls in the words in which the model made them.
fn called(message: &Message) -> Message {
    let mut turn = message.clone();
    turn.fields.shift_remove("tool_calls");
    let is_silent = turn.parts.iter().all(|part| matches!(part, Part::Text(text) if text.is_empty()));
    let mut words = String::new();
    for (index, call) in calls(message).into_iter().flatten().enumerate() {
        let function = call.get("function").unwrap_or(call);
        let name = function["name"].as_str().unwrap_or_default();
        let blank = if index == 0 && is_silent { "" } else { "\n" };
        words += &format!(
            "{blank}<tool_call>\n{{\"name\": \"{name}\", \"arguments\": {}}}\n</tool_call>",
            dumps(&function["arguments"])
        );
    }
    turn.parts.push(Part::Text(words));
    turn
}

/// What Qwen2.5's template says of tools, JSON schemas of functions as OpenAI writes them.
pub fn described(tools: &[Value]) -> String {
    let lines: String = tools.iter().map(|tool| format!("\n{}", dumps(tool))).collect();
    // The file's last line ends as lines of files do.
    format!(include_str!("tools.txt"), tools = lines).trim_end().to_owned()
}

/// Tells of tools after the system's words.
fn describe(messages: &mut Vec<Message>, tools: &[Value], system: Option<&str>) {
    let words = described(tools);
    match messages.first_mut() {
        Some(first) if first.role == Role::System => first.parts.push(Part::Text(format!("\n\n{words}"))),
        _ => {
            let words = system.map_or_else(|| words.clone(), |system| format!("{system}\n\n{words}"));
            messages.insert(0, Message::new(Role::System, vec![Part::Text(words)]));
        }
    }
}
