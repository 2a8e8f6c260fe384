//! Tools: what a request offers, and the calls in what the model says. They are read in the words of the Hermes format that
//! Qwen's checkpoints were trained on: `<tool_call>{"name", "arguments"}</tool_call>`. How the model is told of tools and of
//! earlier calls is the chat template's business.

use serde_json::Value;

use crate::chat::schema::{Form, Function, call_opening};
use crate::refusal::{Answered, Refusal};

const OPEN: &str = "<tool_call>";
/// Ends a call.
pub(crate) const CLOSE: &str = "</tool_call>";
/// Most tools of a request.
const MOST_TOOLS: usize = 128;

/// Whether a tool is to be called.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Choice {
    /// Never.
    None,
    /// When the model says so.
    Auto,
    /// One of these functions.
    OneOf(Vec<Function>),
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
            let parameters = function.get("parameters").cloned().unwrap_or(Value::Null);
            functions.push(Function { index, name: name.to_owned(), parameters });
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
                let found = functions.into_iter().find(|function| Some(function.name.as_str()) == name);
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
    pub(crate) fn form(&self) -> Option<Form> {
        match &self.choice {
            Choice::OneOf(functions) => Some(Form::Call(functions.clone())),
            Choice::None | Choice::Auto => None,
        }
    }

    /// The call that a forced answer is, as far as it goes: an answer that was cut is a call that was cut.
    pub(crate) fn forced(&self, text: &str) -> Option<Call> {
        let Choice::OneOf(functions) = &self.choice else { return None };
        if let Some(call) = call(text) {
            return Some(call);
        }
        let opened = functions.iter().find_map(|function| {
            let arguments = text.strip_prefix(&call_opening(&function.name))?;
            Some(Call { name: function.name.clone(), arguments: arguments.to_owned() })
        });
        opened.or_else(|| {
            // Cut before the arguments: the function is known where no other begins so.
            let mut begun =
                functions.iter().filter(|function| call_opening(&function.name).starts_with(text));
            let name = begun.next().filter(|_| begun.next().is_none()).map(|function| function.name.clone());
            Some(Call { name: name.unwrap_or_default(), arguments: String::new() })
        })
    }
}

/// The call that text after `<tool_call>` was to become when it was cut, if it names the function.
fn cut(text: &str) -> Option<Call> {
    let rest = text.trim_start().strip_prefix('{')?.trim_start().strip_prefix("\"name\"")?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    let mut names = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let name = names.next()?.ok()?;
    let rest = rest[names.byte_offset()..].trim_start();
    let rest = rest.strip_prefix(',').map(str::trim_start).and_then(|rest| {
        let rest = rest.strip_prefix("\"arguments\"").or_else(|| rest.strip_prefix("\"parameters\""))?;
        Some(rest.trim_start().strip_prefix(':')?.trim_start())
    });
    Some(Call { name, arguments: rest.unwrap_or_default().to_owned() })
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

    /// What is left when nothing more comes. A call that lacks only its closing mark is whole, and one that was cut
    /// (`is_cut`) is told as far as it goes; what names no function is words.
    pub(crate) fn finish(&mut self, is_cut: bool) -> Vec<Heard> {
        let mut heard = Vec::new();
        let held = std::mem::take(&mut self.held);
        let begun = held.strip_prefix(OPEN);
        match begun.and_then(|text| call(text).or_else(|| cut(text).filter(|_| is_cut))) {
            Some(call) => heard.push(Heard::Call(call)),
            None => say(&mut heard, held),
        }
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
            heard.extend(listening.finish(false));
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
    fn a_call_that_was_cut_is_told_as_far_as_it_goes() {
        let check = |text: &str, is_cut: bool, expected: Heard| {
            let mut listening = Listening::default();
            assert!(listening.push(text).is_empty(), "{text}");
            assert_eq!(listening.finish(is_cut), [expected], "{text}");
        };
        let call = |name: &str, arguments: &str| {
            Heard::Call(Call { name: name.to_owned(), arguments: arguments.to_owned() })
        };
        let words = |text: &str| Heard::Words(text.to_owned());
        let open = "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"room\": \"ha";
        check(open, true, call("look", "{\"room\": \"ha"));
        check(open, false, words(open));
        check("<tool_call>{\"name\":\"look\",", true, call("look", ""));
        check("<tool_call>{\"name\": \"lo", true, words("<tool_call>{\"name\": \"lo"));
        for is_cut in [true, false] {
            check("<tool_call>\n{\"name\": \"look\", \"arguments\": {}}\n", is_cut, call("look", "{}"));
            check("<tool_c", is_cut, words("<tool_c"));
        }
    }

    #[test]
    fn a_forced_answer_is_a_call_wherever_it_ends() {
        let functions: Vec<Value> = ["look", "lose"]
            .map(|name| serde_json::json!({"type": "function", "function": {"name": name}}))
            .into();
        let check = |count: usize, text: &str, name: &str, arguments: &str| {
            let tools =
                Tools::read(Some(functions[..count].to_vec().into()), Some("required".into())).unwrap();
            let expected = Call { name: name.to_owned(), arguments: arguments.to_owned() };
            assert_eq!(tools.forced(text), Some(expected), "{text}");
        };
        check(2, "{\"name\": \"lose\", \"arguments\": {\"a\": 1}}", "lose", "{\"a\":1}");
        check(2, "{\"name\": \"lose\", \"arguments\": {\"a\": [", "lose", "{\"a\": [");
        check(2, "{\"name\": \"los", "lose", "");
        check(1, "{\"na", "look", "");
        // Nobody knows which.
        check(2, "{\"name\": \"lo", "", "");
    }
}
