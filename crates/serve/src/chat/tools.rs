//! Tools: what a request offers, how the model is told of them, and the calls in what it says. The words are those of
//! the Hermes format that Qwen's checkpoints were trained on: `<tool_call>{"name", "arguments"}</tool_call>`.

use serde_json::{Value, json};

use crate::chat::fields::Fields;
use crate::refusal::{Answered, Refusal};

const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";
/// Most tools of a request.
const MOST_TOOLS: usize = 128;

/// Whether a tool is to be called.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Choice {
    /// Never.
    None,
    /// When the model says so.
    Auto,
    /// One of these functions, each with the schema of its arguments.
    OneOf(Vec<(String, Value)>),
}

/// The tools of a request.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    /// As OpenAI writes them; empty where none may be called.
    pub(crate) offered: Vec<Value>,
    pub(crate) choice: Choice,
}

/// A call the model made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// JSON, as text.
    pub(crate) arguments: String,
}

impl Tools {
    /// No tools.
    pub(crate) fn none() -> Tools {
        Tools { offered: Vec::new(), choice: Choice::None }
    }

    pub(crate) fn read(tools: Option<Value>, choice: Option<Value>) -> Answered<Tools> {
        let list = match tools {
            None => Vec::new(),
            Some(Value::Array(list)) if list.len() <= MOST_TOOLS => list,
            Some(_) => {
                return Err(Refusal::field(
                    "tools",
                    format!("tools: expected a list of at most {MOST_TOOLS}"),
                ));
            }
        };
        let mut functions = Vec::new();
        for (index, tool) in list.iter().enumerate() {
            let function = &tool["function"];
            let name = function["name"].as_str().filter(|name| !name.is_empty() && name.len() <= 64);
            let (Some("function"), Some(name)) = (tool["type"].as_str(), name) else {
                let at = format!("tools[{index}]");
                return Err(Refusal::field(
                    at.clone(),
                    format!("{at}: expected {{type: function, function: {{name, ..}}}}"),
                ));
            };
            let schema = function.get("parameters").cloned().unwrap_or_else(|| json!({"type": "object"}));
            functions.push((name.to_owned(), schema));
        }
        let wrong = |what: &str| Err(Refusal::field("tool_choice", format!("tool_choice: {what}")));
        let choice = match choice {
            None => Choice::Auto,
            Some(Value::String(word)) => match word.as_str() {
                "none" => Choice::None,
                "auto" => Choice::Auto,
                "required" if !functions.is_empty() => Choice::OneOf(functions),
                "required" => return wrong("there are no tools"),
                _ => return wrong("expected none, auto, required or a function"),
            },
            Some(named) => {
                let name = named["function"]["name"].as_str().or_else(|| named["name"].as_str());
                let found = functions.into_iter().find(|(known, _)| Some(known.as_str()) == name);
                match found {
                    Some(function) => Choice::OneOf(vec![function]),
                    None => return wrong("it names no tool of this request"),
                }
            }
        };
        let offered = if choice == Choice::None { Vec::new() } else { list };
        Ok(Tools { offered, choice })
    }

    /// Whether the answer must be a call.
    pub(crate) fn is_forced(&self) -> bool {
        matches!(self.choice, Choice::OneOf(_))
    }

    /// What a forced answer must look like: the JSON of one call.
    pub(crate) fn schema(&self) -> Option<Value> {
        let Choice::OneOf(functions) = &self.choice else { return None };
        let call = |(name, arguments): &(String, Value)| {
            json!({
                "type": "object",
                "properties": {"name": {"const": name}, "arguments": arguments},
                "required": ["name", "arguments"],
                "additionalProperties": false,
            })
        };
        let calls: Vec<Value> = functions.iter().map(call).collect();
        Some(match &calls[..] {
            [one] => one.clone(),
            _ => json!({"anyOf": calls}),
        })
    }

    /// The words by which a model is told of tools where its chat template has none: those of Qwen2.5's template.
    pub(crate) fn description(&self) -> String {
        let lines: String = self.offered.iter().map(|tool| format!("\n{tool}")).collect();
        format!(include_str!("tools.txt"), tools = lines)
    }
}

/// Calls of an earlier turn, in the words in which the model made them.
pub(crate) fn as_text(calls: &Value, at: &str) -> Answered<String> {
    let wrong = || {
        let at = format!("{at}.tool_calls");
        Refusal::field(
            at.clone(),
            format!("{at}: expected [{{id, type: function, function: {{name, arguments}}}}]"),
        )
    };
    let text = |call: &Value| {
        let mut fields = Fields::of(call["function"].clone(), at)?;
        let name = fields.string("name")?.ok_or_else(wrong)?;
        let arguments: Value = match fields.take("arguments") {
            Some(Value::String(text)) => serde_json::from_str(&text).map_err(|_| wrong())?,
            Some(other) => other,
            None => json!({}),
        };
        Ok(format!("{OPEN}\n{}\n{CLOSE}", json!({"name": name, "arguments": arguments})))
    };
    let calls = calls.as_array().filter(|calls| !calls.is_empty()).ok_or_else(wrong)?;
    Ok(calls.iter().map(text).collect::<Answered<Vec<_>>>()?.join("\n"))
}

/// The call that a piece of JSON is.
pub(crate) fn call(text: &str) -> Option<Call> {
    let value: Value = serde_json::from_str(text.trim()).ok()?;
    let name = value["name"].as_str()?.to_owned();
    let arguments = value.get("arguments").or_else(|| value.get("parameters"));
    let arguments = arguments.map_or_else(
        || "{}".to_owned(),
        |arguments| match arguments {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        },
    );
    Some(Call { name, arguments })
}

/// What a model says, taken apart as it comes: words, and calls once they are whole.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    held: String,
}

/// A piece of what was said.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Words(String),
    Call(Call),
}

impl Listening {
    /// Takes in new text.
    pub(crate) fn push(&mut self, piece: &str) -> Vec<Heard> {
        self.held.push_str(piece);
        let mut heard = Vec::new();
        loop {
            match self.held.find(OPEN) {
                None => {
                    // The end may be the beginning of a call.
                    let keep =
                        (1..OPEN.len()).rev().find(|&count| self.held.ends_with(&OPEN[..count])).unwrap_or(0);
                    let words: String = self.held.drain(..self.held.len() - keep).collect();
                    say(&mut heard, words);
                    return heard;
                }
                Some(start) => {
                    let words: String = self.held.drain(..start).collect();
                    say(&mut heard, words);
                    let Some(end) = self.held.find(CLOSE) else { return heard };
                    let whole: String = self.held.drain(..end + CLOSE.len()).collect();
                    match call(&whole[OPEN.len()..end]) {
                        Some(call) => heard.push(Heard::Call(call)),
                        None => say(&mut heard, whole),
                    }
                }
            }
        }
    }

    /// What is left when nothing more comes. A call that was cut is told as words.
    pub(crate) fn finish(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        say(&mut heard, std::mem::take(&mut self.held));
        heard
    }
}

fn say(heard: &mut Vec<Heard>, words: String) {
    if !words.is_empty() {
        heard.push(Heard::Words(words));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_however_the_text_is_cut() {
        let text = "I look.\n<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": 3}}\n</tool_call>\n<tool_call>{\"name\": \"f\"}</tool_call> a < b <tool_call>broken</tool_call><tool_cal";
        let look = Call { name: "look".into(), arguments: "{\"at\":3}".into() };
        for size in 1..text.len() {
            let mut listening = Listening::default();
            let (mut words, mut calls) = (String::new(), Vec::new());
            let chars: Vec<char> = text.chars().collect();
            let mut heard: Vec<Heard> = chars
                .chunks(size)
                .flat_map(|piece| listening.push(&piece.iter().collect::<String>()))
                .collect();
            heard.extend(listening.finish());
            for piece in heard {
                match piece {
                    Heard::Words(text) => words += &text,
                    Heard::Call(call) => calls.push(call),
                }
            }
            assert_eq!(words, "I look.\n\n a < b <tool_call>broken</tool_call><tool_cal", "pieces of {size}");
            assert_eq!(calls, [look.clone(), Call { name: "f".into(), arguments: "{}".into() }]);
        }
    }

    #[test]
    fn earlier_calls_are_written_as_the_model_wrote_them() {
        let calls = json!([{"id": "a", "type": "function", "function": {"name": "look", "arguments": "{\"at\": 3}"}}]);
        let text = as_text(&calls, "messages[1]").unwrap();
        assert_eq!(text, "<tool_call>\n{\"name\":\"look\",\"arguments\":{\"at\":3}}\n</tool_call>");
        assert!(
            as_text(&json!([]), "m").is_err()
                && as_text(&json!([{"function": {"name": "f", "arguments": "{"}}]), "m").is_err()
        );
    }
}
