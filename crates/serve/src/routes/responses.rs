//! `/v1/responses`, as far as one turn goes: input and instructions become a conversation, the answer becomes output.
//! Nothing is stored, so a request that builds on an earlier response is refused.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use firsthand_base::Finish;
use firsthand_engine::Answer;
use serde_json::{Value, json};

use super::responses_stream::streamed;
use crate::app::{App, key_of, now_s};
use crate::chat::asking::{self, Facts};
use crate::chat::fields::Fields;
use crate::chat::reply::{Complete, gather, usage};
use crate::chat::request::{self, Reading};
use crate::chat::tools::Call;
use crate::refusal::{Answered, Refusal};

/// What is known of a response before its first word.
pub(super) struct Shell {
    pub(super) app: Arc<App>,
    pub(super) id: String,
    pub(super) created_s: u64,
}

/// Answers one turn, at once or as it is said.
pub(crate) async fn respond(State(app): State<Arc<App>>, request: Request) -> Answered<Response> {
    let key = key_of(&request);
    let ready = app.ready()?;
    let body = as_chat(app.json(request).await?)?;
    let reading = Reading { defaults: ready.renderer.generation_defaults(), limits: &app.options.limits };
    let asked = request::chat(body, &reading)?;
    let is_streamed = asked.is_streamed;
    let mut answering = asking::begin(&app, key, asked).await?;
    let shell = Shell { id: app.files.name("resp"), created_s: now_s(), app };
    if is_streamed {
        return Ok(streamed(shell, answering));
    }
    let answers = gather(&mut answering).await?;
    let complete = answers.first().ok_or_else(|| Refusal::internal("no answer of one that was asked for"))?;
    let output = output(&shell.app, complete);
    Ok(Json(shell.over(&answering.facts, complete.over.as_deref(), output)).into_response())
}

impl Shell {
    /// The response in a state between its beginning and its end.
    pub(super) fn object(&self, status: &str, output: Value, usage: Value) -> Value {
        let details = match status {
            "incomplete" => json!({"reason": "max_output_tokens"}),
            _ => Value::Null,
        };
        json!({
            "id": self.id, "object": "response", "created_at": self.created_s, "model": self.app.model,
            "status": status, "incomplete_details": details,
            "error": null, "instructions": null, "metadata": {}, "parallel_tool_calls": true, "tools": [],
            "tool_choice": "auto", "temperature": null, "top_p": null, "output": output, "usage": usage,
        })
    }

    /// The response at its end.
    pub(super) fn over(&self, facts: &Facts, answer: Option<&Answer>, output: Vec<Value>) -> Value {
        let counted = usage(facts, answer.into_iter());
        let usage = json!({
            "input_tokens": counted["prompt_tokens"], "output_tokens": counted["completion_tokens"],
            "total_tokens": counted["total_tokens"],
            "input_tokens_details": {"cached_tokens": counted["prompt_tokens_details"]["cached_tokens"]},
            "output_tokens_details": {"reasoning_tokens": 0},
        });
        let is_cut = answer.is_some_and(|answer| answer.generation.finish == Finish::Length);
        let status = if is_cut { "incomplete" } else { "completed" };
        let mut object = self.object(status, output.into(), usage);
        object["firsthand"] = json!({"manifest": facts.manifest});
        object
    }
}

fn output(app: &App, complete: &Complete) -> Vec<Value> {
    let mut output = Vec::new();
    if !complete.text.is_empty() {
        output.push(message_item(&app.files.name("msg"), "completed", Some(&complete.text)));
    }
    output.extend(complete.calls.iter().map(|call| call_item(&app.files.name("call"), "completed", call)));
    output
}

/// A message of the model, without its content while there is none.
pub(super) fn message_item(id: &str, status: &str, text: Option<&str>) -> Value {
    let content: Vec<Value> = text.map(text_part).into_iter().collect();
    json!({"id": id, "type": "message", "role": "assistant", "status": status, "content": content})
}

pub(super) fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": []})
}

pub(super) fn call_item(id: &str, status: &str, call: &Call) -> Value {
    json!({
        "id": id, "call_id": id, "type": "function_call", "status": status,
        "name": call.name, "arguments": call.arguments,
    })
}

/// The chat request that a request for a response is.
pub(crate) fn as_chat(body: Value) -> Answered<Value> {
    let Value::Object(mut body) = body else { return Err(Refusal::bad("expected an object")) };
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
    let mut messages = Vec::new();
    if let Some(words) = body.shift_remove("instructions").filter(|words| !words.is_null()) {
        messages.push(json!({"role": "system", "content": words}));
    }
    match body.shift_remove("input") {
        Some(Value::String(text)) => messages.push(json!({"role": "user", "content": text})),
        Some(Value::Array(items)) => {
            for (index, item) in items.into_iter().enumerate() {
                messages.push(message(item, &format!("input[{index}]"))?);
            }
        }
        _ => return Err(Refusal::field("input", "input: expected a text or a list")),
    }
    body.insert("messages".into(), messages.into());
    if let Some(most) = body.shift_remove("max_output_tokens") {
        body.insert("max_tokens".into(), most);
    }
    if let Some(tools) = body.shift_remove("tools").and_then(|tools| tools.as_array().cloned()) {
        // Functions stand flat here and one level deeper there.
        let deeper = tools.into_iter().map(|mut tool| match tool.get("function") {
            Some(_) => tool,
            None => {
                let kind = tool.as_object_mut().and_then(|tool| tool.shift_remove("type"));
                json!({"type": kind, "function": tool})
            }
        });
        body.insert("tools".into(), deeper.collect());
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
    Ok(Value::Object(body))
}

/// An item of the input as a message.
fn message(item: Value, at: &str) -> Answered<Value> {
    let kind = item["type"].as_str().unwrap_or("message").to_owned();
    match kind.as_str() {
        "message" => {}
        "function_call" => {
            let function = json!({"name": item["name"], "arguments": item["arguments"]});
            let call = json!({"id": item["call_id"], "type": "function", "function": function});
            return Ok(json!({"role": "assistant", "content": null, "tool_calls": [call]}));
        }
        "function_call_output" => return Ok(json!({"role": "tool", "content": item["output"]})),
        _ => return Err(Refusal::field(at, format!("{at}.type: unknown: {}", crate::app::brief(&kind)))),
    }
    let content = match &item["content"] {
        Value::Array(parts) => parts.iter().map(part).collect(),
        other => other.clone(),
    };
    Ok(json!({"role": item["role"], "content": content}))
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
