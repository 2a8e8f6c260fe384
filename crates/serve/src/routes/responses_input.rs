//! A request for a response as a chat request: items become messages, so that one history has the same prompt whichever way
//! it is sent, and what is wrong is told in the words of the request that was sent.

use serde_json::{Map, Value, json};

use crate::chat::fields::Fields;
use crate::refusal::{Answered, Refusal};

/// What a response repeats of its request, and what it says where the request says nothing.
const REPEATED: [(&str, &str); 11] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("reasoning", "null"),
    ("temperature", "null"),
    ("text", "{\"format\": {\"type\": \"text\"}}"),
    ("tool_choice", "\"auto\""),
    ("tools", "[]"),
    ("top_p", "null"),
    ("user", "null"),
];

/// A request for a response, read as a chat request.
#[derive(Debug)]
pub(crate) struct Converted {
    pub(crate) body: Value,
    /// Where the request says what each message says.
    places: Vec<Place>,
    /// What the response repeats.
    pub(crate) repeated: Map<String, Value>,
}

/// A message's place among the items, and those of its calls.
#[derive(Debug, Default)]
struct Place {
    at: String,
    calls: Vec<String>,
}

/// Messages so far.
#[derive(Default)]
struct Turns {
    messages: Vec<Value>,
    places: Vec<Place>,
}

/// The chat request that a request for a response is.
pub(crate) fn as_chat(body: Value) -> Answered<Converted> {
    let Value::Object(mut body) = body else { return Err(Refusal::bad("expected an object")) };
    let repeated = repeated(&body);
    for (key, harmless) in
        [("store", json!(false)), ("background", json!(false)), ("truncation", json!("disabled"))]
    {
        if let Some(value) = body.shift_remove(key) {
            // Clients ask for storage by default; nothing is stored and nothing can be asked of it.
            if value != harmless && !value.is_null() && key != "store" {
                return Err(Refusal::field(key, format!("{key}: only {harmless} here")));
            }
        }
    }
    for key in ["previous_response_id", "conversation", "prompt", "include", "n", "messages"] {
        if body.shift_remove(key).is_some_and(|value| !value.is_null() && value != json!([])) {
            return Err(Refusal::unknown(key));
        }
    }
    let mut turns = Turns::default();
    if let Some(words) = body.shift_remove("instructions").filter(|words| !words.is_null()) {
        turns.push(json!({"role": "system", "content": words}), "instructions");
    }
    match body.shift_remove("input") {
        Some(Value::String(text)) => turns.push(json!({"role": "user", "content": text}), "input"),
        Some(Value::Array(items)) => {
            for (index, item) in items.into_iter().enumerate() {
                turns.item(&item, &format!("input[{index}]"))?;
            }
        }
        _ => return Err(Refusal::field("input", "input: expected a text or a list")),
    }
    let Turns { messages, places } = turns;
    body.insert("messages".into(), messages.into());
    if let Some(most) = body.shift_remove("max_output_tokens") {
        body.insert("max_tokens".into(), most);
    }
    if let Some(Value::Array(tools)) = body.get_mut("tools") {
        // Functions stand flat here and one level deeper there.
        for tool in tools.iter_mut().filter(|tool| tool.get("function").is_none()) {
            let kind = tool.as_object_mut().and_then(|tool| tool.shift_remove("type"));
            *tool = json!({"type": kind, "function": tool.take()});
        }
    }
    if let Some(text) = body.shift_remove("text").filter(|text| !text.is_null()) {
        let mut fields = Fields::of(text, "text")?;
        fields.ignore(&["verbosity"]);
        if let Some(mut format) = fields.take("format") {
            if format["type"] == "json_schema" {
                let schema = format.get("schema").cloned();
                format = json!({"type": "json_schema", "json_schema": {"schema": schema}});
            }
            body.insert("response_format".into(), format);
        }
        fields.end()?;
    }
    Ok(Converted { body: Value::Object(body), places, repeated })
}

fn repeated(body: &Map<String, Value>) -> Map<String, Value> {
    let said = |(key, default): &(&str, &str)| {
        let value = body.get(*key).filter(|value| !value.is_null()).cloned();
        // The table is JSON.
        (key.to_string(), value.unwrap_or_else(|| serde_json::from_str(default).unwrap_or_default()))
    };
    REPEATED.iter().map(said).collect()
}

impl Converted {
    /// A refusal in the words of the request that was sent.
    pub(crate) fn refused(&self, mut refusal: Refusal) -> Refusal {
        let mut names: Vec<(String, String)> = Vec::new();
        for (index, place) in self.places.iter().enumerate() {
            let at = format!("messages[{index}]");
            for (number, call) in place.calls.iter().enumerate() {
                names.push((format!("{at}.tool_calls[{number}].function"), call.clone()));
                names.push((format!("{at}.tool_calls[{number}]"), call.clone()));
            }
            if !place.at.contains('[') {
                names.push((format!("{at}.content"), place.at.clone()));
            }
            names.push((at, place.at.clone()));
        }
        let fixed = [
            ("response_format.json_schema", "text.format"),
            ("response_format", "text.format"),
            ("max_tokens", "max_output_tokens"),
            ("].function.parameters", "].parameters"),
        ];
        names.extend(fixed.map(|(old, new)| (old.to_owned(), new.to_owned())));
        for (old, new) in names {
            refusal.message = refusal.message.replace(&old, &new);
            refusal.param = refusal.param.map(|param| param.replace(&old, &new));
        }
        refusal
    }
}

impl Turns {
    fn push(&mut self, message: Value, at: &str) {
        self.messages.push(message);
        self.places.push(Place { at: at.to_owned(), calls: Vec::new() });
    }

    /// The assistant's turn that is not over: words and calls that no other item parts are one turn.
    fn open(&mut self) -> Option<(&mut Value, &mut Place)> {
        let turn = self.messages.last_mut().filter(|message| message["role"] == "assistant")?;
        Some((turn, self.places.last_mut()?))
    }

    fn item(&mut self, item: &Value, at: &str) -> Answered<()> {
        let kind = item["type"].as_str().unwrap_or("message").to_owned();
        match kind.as_str() {
            "message" => self.message(item, at),
            "function_call" => {
                let function = json!({"name": item["name"], "arguments": item["arguments"]});
                let call = json!({"id": item["call_id"], "type": "function", "function": function});
                if self.open().is_none() {
                    self.push(json!({"role": "assistant"}), at);
                }
                if let Some((turn, place)) = self.open() {
                    match &mut turn["tool_calls"] {
                        Value::Array(calls) => calls.push(call),
                        none => *none = json!([call]),
                    }
                    place.calls.push(at.to_owned());
                }
            }
            "function_call_output" => {
                let (id, content) = (&item["call_id"], content(&item["output"]));
                self.push(json!({"role": "tool", "tool_call_id": id, "content": content}), at);
            }
            _ => {
                let at = format!("{at}.type");
                let message = format!("{at}: unknown: {}", crate::app::brief(&kind));
                return Err(Refusal::field(at, message));
            }
        }
        Ok(())
    }

    fn message(&mut self, item: &Value, at: &str) {
        let content = content(&item["content"]);
        let is_assistant = item["role"] == "assistant";
        match self.open().filter(|(turn, _)| is_assistant && turn["tool_calls"].is_array()) {
            // Words after calls, before any result.
            Some((turn, _)) => {
                let mut parts = parts(turn["content"].take());
                parts.extend(self::parts(content));
                turn["content"] = parts.into();
            }
            None => self.push(json!({"role": item["role"], "content": content}), at),
        }
    }
}

/// Content in the words of chat requests.
fn content(content: &Value) -> Value {
    match content {
        Value::Array(parts) => parts.iter().map(part).collect(),
        other => other.clone(),
    }
}

fn parts(content: Value) -> Vec<Value> {
    match content {
        Value::Null => Vec::new(),
        Value::Array(parts) => parts,
        text => vec![json!({"type": "text", "text": text})],
    }
}

/// A part in the words of chat requests.
fn part(part: &Value) -> Value {
    match part["type"].as_str() {
        Some("input_text" | "output_text") => json!({"type": "text", "text": part["text"]}),
        Some("input_image") => {
            let location = if part["image_url"].is_null() { &part["file_id"] } else { &part["image_url"] };
            json!({"type": "image_url", "image_url": {"url": location}})
        }
        _ => part.clone(),
    }
}

#[cfg(test)]
mod tests {
    use firsthand_input::GenerationDefaults;

    use super::*;
    use crate::chat::request::{Reading, chat};
    use crate::options::Limits;

    fn asked(body: Value) -> Answered<crate::chat::request::Asked> {
        let (defaults, limits) = (GenerationDefaults::default(), Limits::default());
        let reading = Reading { defaults: &defaults, limits: &limits };
        let converted = as_chat(body)?;
        chat(converted.body.clone(), &reading).map_err(|refusal| converted.refused(refusal))
    }

    #[test]
    fn a_history_of_items_is_the_history_of_messages() {
        let call = |id: &str| json!({"type": "function_call", "call_id": id, "name": "look", "arguments": "{\"at\": 1}"});
        let gave = |id: &str, output: Value| json!({"type": "function_call_output", "call_id": id, "output": output});
        let say = |text: &str| json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]});
        let function = json!({"name": "look", "arguments": "{\"at\": 1}"});
        let made = |id: &str| json!({"id": id, "type": "function", "function": function});
        let told = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "red"});
        let text = |text: &str| json!([{"type": "text", "text": text}]);
        let check = |items: Value, messages: Value| {
            let reading = |body: Value| asked(body).unwrap().conversation;
            let (defaults, limits) = (GenerationDefaults::default(), Limits::default());
            let reader = Reading { defaults: &defaults, limits: &limits };
            let expected = chat(json!({"messages": messages}), &reader).unwrap().conversation;
            assert_eq!(reading(json!({"input": items, "instructions": "brief"})), expected);
        };
        let system = json!({"role": "system", "content": "brief"});
        let user = json!({"role": "user", "content": "where?"});
        check(
            json!([
                user,
                call("a"),
                call("b"),
                gave("a", json!("red")),
                gave("b", json!([{"type": "input_text", "text": "red"}]))
            ]),
            json!([system, user, {"role": "assistant", "tool_calls": [made("a"), made("b")]}, told("a"), {"role": "tool", "tool_call_id": "b", "content": text("red")}]),
        );
        check(
            json!([
                user,
                say("I look."),
                call("a"),
                gave("a", json!("red")),
                call("b"),
                gave("b", json!("red")),
                say("Red.")
            ]),
            json!([
                system, user, {"role": "assistant", "content": text("I look."), "tool_calls": [made("a")]}, told("a"),
                {"role": "assistant", "tool_calls": [made("b")]}, told("b"), {"role": "assistant", "content": text("Red.")},
            ]),
        );
        check(
            json!([user, call("a"), say("I wait."), gave("a", json!("red"))]),
            json!([system, user, {"role": "assistant", "content": text("I wait."), "tool_calls": [made("a")]}, told("a")]),
        );
    }

    #[test]
    fn what_is_wrong_is_told_in_the_words_of_the_request() {
        let check = |body: Value, param: &str| {
            let refusal = asked(body).unwrap_err();
            assert_eq!(refusal.param.as_deref(), Some(param), "{}", refusal.message);
            assert!(refusal.message.starts_with(param), "{}", refusal.message);
            assert!(!refusal.message.contains("messages["), "{}", refusal.message);
        };
        let user = json!({"role": "user", "content": "a"});
        let call = |arguments: Value| json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments});
        check(
            json!({"input": [user, user, {"role": "user", "content": [{"type": "input_file"}]}], "instructions": "b"}),
            "input[2].content[0].type",
        );
        check(json!({"input": [user, call(json!("{}")), call(json!(3))]}), "input[2].arguments");
        check(json!({"input": [user, {"type": "reasoning"}]}), "input[1].type");
        check(json!({"input": "a", "instructions": 3}), "instructions");
        check(json!({"input": "a", "max_output_tokens": 0}), "max_output_tokens");
        check(json!({"input": "a", "text": {"format": {"type": "yaml"}}}), "text.format.type");
    }
}
