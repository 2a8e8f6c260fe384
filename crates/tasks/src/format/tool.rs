//! One turn of Ego-R1: a thought, then a tool call or an answer, and the dialogue such turns make. Tool calls are read
//! in the strict JSON its prompt shows and in the Python form its published model writes, whose arguments are a JSON
//! string. Which tools exist and what they do is not known here.

use serde_json::{Map, Value, json};

use super::literal::{literal, repr};
use super::tags;
use crate::answer::Answer;
use crate::json::Json;
use crate::thoughts::{thoughts, without_inner_tags};
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

    /// Whether the published format check would find a call here: somewhere a quoted `name` with a quoted value, and
    /// somewhere `arguments` with an object that is JSON up to its first closing brace. Python literals and nested
    /// objects fail it.
    pub(crate) fn is_published(text: &str) -> bool {
        let is_quote = |c: char| matches!(c, '\'' | '"');
        // What follows each quoted key and its colon.
        let values = |key: &'static str| {
            text.match_indices(key).filter_map(move |(at, _)| {
                let rest = text[at + key.len()..].strip_prefix(is_quote)?;
                let rest = rest.trim_start_matches(tags::is_blank).strip_prefix(':')?;
                text[..at].ends_with(is_quote).then(|| rest.trim_start_matches(tags::is_blank))
            })
        };
        let named = values("name").any(|rest| {
            let value = rest.strip_prefix(is_quote).unwrap_or_default();
            value.find(is_quote).is_some_and(|end| end > 0)
        });
        let object = values("arguments")
            .find_map(|rest| rest.find('}').filter(|_| rest.starts_with('{')).map(|end| &rest[..=end]));
        // The first such place counts, as it does there.
        named && object.is_some_and(|object| matches!(Json::parse(object), Some(Json::Object(_))))
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
    /// The thoughts before its action.
    pub thinking: Option<String>,
    /// What it does.
    pub action: Action,
    /// Where in the text its action begins; the end of the text where there is none.
    pub begin: usize,
    /// Where in the text its action ends; what follows does not count. The whole text where there is no action.
    pub end: usize,
    /// Whether the action is whole, so that nothing more needs to be written: its section is closed, and no thought
    /// before it may turn out to reach further.
    pub is_whole: bool,
    /// Whether it writes an `<information>` section of its own, outside thoughts and before its action ends.
    pub informs: bool,
}

impl Step {
    /// Takes a turn apart: its first complete `<tool>` or `<answer>` section outside thoughts counts, whichever opens
    /// first; where there is none, an `<answer>` that the end of the turn cut off. A thought that does not end acts not.
    pub fn parse(text: &str) -> Step {
        let searched = without_inner_tags(text);
        let section = |tag: &str| {
            let open = searched.find(&format!("<{tag}>"))?;
            let inside = open + tag.len() + "<>".len();
            let length = searched[inside..].find(&format!("</{tag}>"))?;
            Some((open, inside..inside + length, inside + length + tag.len() + "</>".len()))
        };
        let (action, begin, end, closed) = match (section("tool"), section("answer")) {
            (Some((tool, call, end)), answer)
                if answer.as_ref().is_none_or(|(answer, ..)| tool < *answer) =>
            {
                let nothing = |error: Error| Action::Nothing(error.to_string());
                (ToolCall::parse(&text[call]).map_or_else(nothing, Action::Tool), tool, end, true)
            }
            (_, Some((begin, _, end))) => {
                (Action::Answer(Answer::parse(&text[..end]).result), begin, end, true)
            }
            _ => (
                unclosed(text, &searched),
                searched.find("<answer>").unwrap_or(text.len()),
                text.len(),
                false,
            ),
        };
        let certain = thoughts(&text[..end]).iter().all(|thought| thought.ended);
        Step {
            thinking: Answer::parse(&text[..end]).thinking,
            action,
            begin,
            end,
            is_whole: closed && certain,
            informs: searched[..end].contains("<information>"),
        }
    }
}

/// What a turn without a complete section does.
fn unclosed(text: &str, searched: &str) -> Action {
    let nothing = |reason: &str| Action::Nothing(reason.to_owned());
    if searched.contains("<answer>") {
        let answer = Answer::parse(text).result;
        return if answer.is_empty() {
            nothing("the <answer> section is empty")
        } else {
            Action::Answer(answer)
        };
    }
    let cut = thoughts(text).last().is_some_and(|thought| !thought.ended && thought.whole.end == text.len());
    match cut && !searched.trim_end().ends_with("</think>") {
        true => nothing("the thought is not closed by </think>, and nothing in it acts"),
        false => nothing("neither a <tool> nor an <answer> section"),
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
            assert!(text[..step.end].to_lowercase().ends_with("</answer>") && step.is_whole, "{text}");
        };
        check("<think>so</think> <answer>B</answer>", "B");
        check("<answer>\nB.\n</answer><tool>{}</tool>", "B.");
        check("<tool>cut off <answer>B</answer>", "B");
        check("<Answer>B</ANSWER>", "B");
        check("<answer> <answer>B</answer>", "B");
        for (nothing, reason) in [
            ("", "neither"),
            ("B", "neither"),
            ("<answer>", "empty"),
            ("<tool>{}</tool>", "not a tool call"),
            ("<tool>{", "neither"),
            ("<think>look", "thought is not closed"),
            ("<think>The form is <answer>A</answer>.", "thought is not closed"),
            ("<think>so</think>", "neither"),
        ] {
            let Action::Nothing(found) = Step::parse(nothing).action else { panic!("{nothing}") };
            assert!(found.contains(reason), "{nothing}: {found}");
        }
    }

    #[test]
    fn tags_that_a_thought_names_are_no_actions() {
        let call = format!("<tool>{JSON}</tool>");
        for thought in [
            "<think>give the letter inside <answer> and </answer> tags</think>",
            "<think>The format is <answer></answer>.</think>",
            "<think>Maybe <answer>A</answer>? I must look first.</think>",
            "<think>I could call <tool>{}</tool> and read <information>.</think>",
            "<think>a <think>b</think> <answer>A</answer></think>",
            "<THINK><Answer>A</Answer></THINK>",
            "<think>one</think>\n<think>```<answer>A</answer>```</think>",
            "the template opened it: <answer>A</answer></think>",
        ] {
            let text = format!("{thought}\n{call} and more");
            let step = Step::parse(&text);
            assert!(matches!(step.action, Action::Tool(call) if call.name == "rag"), "{text}");
            assert_eq!(
                (&text[step.begin..step.end], step.is_whole, step.informs),
                (call.as_str(), true, false)
            );
            let text = format!("{thought}<answer>C");
            let step = Step::parse(&text);
            assert_eq!(step.action, Action::Answer("C".to_owned()), "{text}");
            assert_eq!(Answer::parse(&text).result, "C", "{text}");
            assert!(!step.is_whole, "{text}");
            if thought.to_lowercase().starts_with("<think>") {
                assert!(!Step::parse(thought).is_whole, "{thought}");
            }
        }
        // While an inner thought may still be open, nothing is whole; at the end its first closing tag counts.
        let step = Step::parse("<think>I use <think> tags</think><answer>B</answer>");
        assert_eq!((step.action, step.is_whole), (Action::Answer("B".to_owned()), false));
        assert!(Step::parse("<tool>{}</tool>").is_whole, "a call that cannot be read ends a turn as well");
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
