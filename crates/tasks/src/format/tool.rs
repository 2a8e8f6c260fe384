//! One turn of Ego-R1: a thought, then a tool call or an answer, and the dialogue such turns make. Tool calls are read
//! in the strict JSON its prompt shows and in the Python form its published model writes, whose arguments are a JSON
//! string. Which tools exist and what they do is not known here.

use serde_json::{Map, Value, json};

use super::literal::{literal, repr};
use super::tags;
use crate::answer::Answer;
use crate::{Error, Result};

/// A tool and what it is called with.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// The tool's name.
    pub name: String,
    /// Its arguments by name.
    pub arguments: Map<String, Value>,
}

impl ToolCall {
    /// Reads the inside of a `<tool>` section in either form, code fences and words around it left out.
    pub fn parse(text: &str) -> Result<ToolCall> {
        let bad = |reason: &str| Error::Tool(reason.to_owned());
        let start = text.find('{').ok_or_else(|| bad("no object in it"))?;
        let end = text.rfind('}').filter(|end| *end > start).ok_or_else(|| bad("the object does not end"))?;
        let value = any(&text[start..=end]).ok_or_else(|| bad("neither JSON nor a Python literal"))?;
        let field = |name: &str| value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        let (_, name) = field("name").ok_or_else(|| bad("no \"name\""))?;
        let name = name.as_str().ok_or_else(|| bad("\"name\" is not a string"))?.to_owned();
        let (_, arguments) = field("arguments").ok_or_else(|| bad("no \"arguments\""))?;
        let arguments = match arguments {
            Value::String(text) => any(text),
            value => Some(value.clone()),
        };
        match arguments {
            Some(Value::Object(arguments)) => Ok(ToolCall { name, arguments }),
            _ => Err(bad("\"arguments\" is not an object")),
        }
    }

    /// Reads the inside of a `<tool>` section that is exactly `{"name": …, "arguments": {…}}` in JSON.
    pub fn strict(text: &str) -> Result<ToolCall> {
        let bad = |reason: String| Error::Tool(reason);
        let value: Value = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        match value {
            Value::Object(mut fields) if fields.len() == 2 => {
                match (fields.remove("name"), fields.remove("arguments")) {
                    (Some(Value::String(name)), Some(Value::Object(arguments))) => {
                        Ok(ToolCall { name, arguments })
                    }
                    _ => Err(bad("not a string \"name\" and an object \"arguments\"".to_owned())),
                }
            }
            _ => Err(bad("not an object of \"name\" and \"arguments\" alone".to_owned())),
        }
    }

    /// The strict form.
    pub fn to_json(&self) -> String {
        json!({"name": self.name, "arguments": self.arguments}).to_string()
    }

    /// The form of the published model: a Python dictionary whose arguments are a JSON string.
    pub fn to_literal(&self) -> String {
        let arguments = Value::Object(self.arguments.clone()).to_string();
        format!("{{'name': {}, 'arguments': {}}}", repr(&self.name), repr(&arguments))
    }

    /// Whether the published format check would find a call here: a quoted name, and after `arguments` an object
    /// that is JSON up to its first closing brace. Python literals and nested objects fail it.
    pub(crate) fn is_published(text: &str) -> bool {
        let quoted = |key: &str| {
            ['\'', '"'].iter().flat_map(|a| ['\'', '"'].map(|b| format!("{a}{key}{b}"))).find_map(|key| {
                let rest = &text[text.find(&key)? + key.len()..];
                Some(rest.trim_start().strip_prefix(':')?.trim_start())
            })
        };
        let name = quoted("name").and_then(|rest| rest.strip_prefix(['\'', '"']));
        let named = name.and_then(|name| name.find(['\'', '"'])).is_some_and(|end| end > 0);
        let arguments = quoted("arguments").filter(|rest| rest.starts_with('{'));
        let object = arguments.and_then(|rest| rest.find('}').map(|end| &rest[..=end]));
        named && object.is_some_and(|object| serde_json::from_str::<Map<String, Value>>(object).is_ok())
    }
}

/// JSON, else a Python literal.
fn any(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().or_else(|| literal(text))
}

/// What a turn does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Calls a tool.
    Tool(ToolCall),
    /// Answers.
    Answer(String),
    /// Neither: the reason, to be told to the model.
    Nothing(String),
}

/// One turn of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The thought before it.
    pub thinking: Option<String>,
    /// What it does.
    pub action: Action,
    /// Where in the text its action ends; what follows does not count. The whole text where there is no action.
    pub end: usize,
}

impl Step {
    /// Takes a turn apart: its first complete `<tool>` or `<answer>` section counts, whichever opens first.
    pub fn parse(text: &str) -> Step {
        let at = |tag: &str| {
            let open = text.find(&format!("<{tag}>"))?;
            let inside = tags::first(text, tag)?;
            Some((open, inside, open + 2 * tag.len() + "<></>".len() + inside.len()))
        };
        let (action, end) = match (at("tool"), at("answer")) {
            (Some((tool, call, end)), answer) if answer.is_none_or(|(answer, ..)| tool < answer) => {
                let nothing = |error: Error| Action::Nothing(error.to_string());
                (ToolCall::parse(call).map_or_else(nothing, Action::Tool), end)
            }
            (_, Some((_, answer, end))) => (Action::Answer(answer.trim().to_owned()), end),
            _ => (Action::Nothing("neither a <tool> nor an <answer> section".to_owned()), text.len()),
        };
        Step { thinking: Answer::parse(&text[..end]).thinking, action, end }
    }
}

/// Whether a whole dialogue keeps to the protocol: thoughts, each followed by a tool call that `is_call` accepts and
/// perhaps its `<information>`, or by the answer. Nothing but blanks in between, no protocol tag inside a section.
/// What follows the answer is not looked at.
pub fn well_formed(dialogue: &str, is_call: impl Fn(&str) -> bool) -> bool {
    let mut rest = dialogue;
    loop {
        if section(&mut rest, "think").is_none() {
            return false;
        }
        if section(&mut rest, "answer").is_some() {
            return true;
        }
        match section(&mut rest, "tool") {
            Some(call) if is_call(call) => {}
            _ => return false,
        }
        section(&mut rest, "information");
    }
}

/// Takes the section a text opens with, if its inside holds no protocol tag.
fn section<'a>(rest: &mut &'a str, tag: &str) -> Option<&'a str> {
    let inside = rest.trim_start_matches(tags::is_blank).strip_prefix(&format!("<{tag}>"))?;
    let close = format!("</{tag}>");
    let end = inside.find(&close)?;
    let text = &inside[..end];
    let nested = ["think", "tool", "information", "answer"]
        .iter()
        .any(|tag| text.contains(&format!("<{tag}>")) || text.contains(&format!("</{tag}>")));
    *rest = &inside[end + close.len()..];
    (!nested).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JSON: &str = r#"{"name":"rag","arguments":{"level":"day","keywords":["screwdriver","applause"],"start_time":"DAY1_11210217","query_time":"DAY1_11220217"}}"#;
    const PYTHON: &str = r#"{'name': 'rag', 'arguments': '{"level":"day","keywords":["power bank"],"start_time":"DAY1_00000000","query_time":"DAY3_11175412"}'}"#;

    #[test]
    fn both_forms_of_a_call() {
        let call = ToolCall::strict(JSON).unwrap();
        assert_eq!((call.name.as_str(), call.arguments["keywords"][1].as_str()), ("rag", Some("applause")));
        assert_eq!(ToolCall::parse(JSON), Ok(call));
        let call = ToolCall::parse(PYTHON).unwrap();
        assert_eq!(call.arguments["query_time"], "DAY3_11175412");
        assert_eq!(call.to_literal(), PYTHON);
        assert!(ToolCall::strict(PYTHON).is_err());
        assert!(ToolCall::is_published(JSON) && !ToolCall::is_published(PYTHON));
        for tolerated in [
            "```json\n{\"name\": \"vlm\", \"arguments\": {\"question\": \"who?\"}}\n```",
            "{'name': 'vlm', 'arguments': {'question': 'who?'}}",
            "{'Name': 'vlm', 'Arguments': \"{'question': 'who?'}\"}",
        ] {
            assert_eq!(ToolCall::parse(tolerated).unwrap().arguments["question"], "who?", "{tolerated}");
        }
        for bad in [
            "",
            "{",
            "}{",
            "rag",
            "{}",
            "{\"name\": 3, \"arguments\": {}}",
            "{\"name\": \"rag\"}",
            "{'name': 'rag', 'arguments': 'x'}",
            "[1]",
            "{\"arguments\": {}}",
        ] {
            let error = ToolCall::parse(bad).unwrap_err().to_string();
            assert!(error.starts_with("not a tool call: ") && !error.contains('\n'), "{bad}: {error}");
            assert!(ToolCall::strict(bad).is_err() && !ToolCall::is_published(bad), "{bad}");
        }
    }

    #[test]
    fn turns() {
        let step = Step::parse(&format!("<think>look</think> <tool>{PYTHON}</tool>"));
        assert_eq!(step.thinking.as_deref(), Some("look"));
        assert!(matches!(step.action, Action::Tool(call) if call.name == "rag"));
        assert_eq!(step.end, "<think>look</think> <tool></tool>".len() + PYTHON.len());
        let check = |text: &str, expect: &str| {
            let step = Step::parse(text);
            assert_eq!(step.action, Action::Answer(expect.to_owned()), "{text}");
            assert!(text[..step.end].ends_with("</answer>"), "{text}");
        };
        check("<think>so</think> <answer>B</answer>", "B");
        check("<answer>\nB.\n</answer><tool>{}</tool>", "B.");
        check("<tool>cut off <answer>B</answer>", "B");
        for nothing in ["", "B", "<answer>B", "<tool>{}</tool>"] {
            assert!(matches!(Step::parse(nothing).action, Action::Nothing(_)), "{nothing}");
        }
    }

    #[test]
    fn dialogues() {
        let tolerant = |text: &str| ToolCall::parse(text).is_ok();
        let check = |text: &str, published: bool, ours: bool| {
            let found = (well_formed(text, ToolCall::is_published), well_formed(text, tolerant));
            assert_eq!(found, (published, ours), "{text}");
        };
        check("<think>a</think><answer>B</answer>", true, true);
        check("<think>a</think>\n<answer>B</answer> and more", true, true);
        let call = |call: &str| {
            format!(
                "<think>a</think><tool>{call}</tool><information>i</information>\n<think>b</think><answer>B</answer>"
            )
        };
        check(&call(JSON), true, true);
        check(&call(PYTHON), false, true);
        check(&call("{}"), false, false);
        check(&format!("<think>a</think><tool>{JSON}</tool><think>b</think><answer>B</answer>"), true, true);
        check("x<think>a</think><answer>B</answer>", false, false);
        check("<think>a<tool></think><answer>B</answer>", false, false);
        check("<answer>B</answer>", false, false);
        check(&format!("<think>a</think><tool>{JSON}</tool>"), false, false);
        check("", false, false);
    }

    proptest! {
        #[test]
        fn calls_survive_a_round_trip(name in "\\PC{1,8}", keys in prop::collection::vec(("\\PC{0,6}", "\\PC{0,8}"), 0..4)) {
            let arguments = keys.into_iter().map(|(key, value)| (key, Value::String(value))).collect();
            let call = ToolCall { name, arguments };
            prop_assert_eq!(ToolCall::strict(&call.to_json()), Ok(call.clone()));
            prop_assert_eq!(ToolCall::parse(&call.to_json()), Ok(call.clone()));
            prop_assert_eq!(ToolCall::parse(&call.to_literal()), Ok(call));
        }

        #[test]
        fn no_text_panics(text in "(<think>|</think>|<tool>|</tool>|<answer>|</answer>|[{}'\":é,a\n]){0,14}") {
            let step = Step::parse(&text);
            prop_assert!(text.is_char_boundary(step.end));
            well_formed(&text, |call| ToolCall::parse(call).is_ok());
            ToolCall::is_published(&text);
        }
    }
}
