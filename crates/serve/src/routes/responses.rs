//! `/v1/responses`, as far as one turn goes: input and instructions become a conversation, the answer becomes output.
//! Nothing is stored, so a request that builds on an earlier response is refused.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use serde_json::{Value, json};

use crate::app::{App, key_of, now_s};
use crate::chat::asking;
use crate::chat::fields::Fields;
use crate::chat::reply::{Complete, gather, usage};
use crate::chat::request::{self, Reading};
use crate::refusal::{Answered, Refusal};

/// Answers one turn.
pub(crate) async fn respond(State(app): State<Arc<App>>, request: Request) -> Answered<Json<Value>> {
    let key = key_of(&request);
    let ready = app.ready()?;
    let body = as_chat(app.json(request).await?)?;
    let reading = Reading { defaults: ready.renderer.generation_defaults(), limits: &app.options.limits };
    let asked = request::chat(body, &reading)?;
    let mut answering = asking::begin(&app, key, asked).await?;
    let answers = gather(&mut answering).await?;
    let complete = answers.first().ok_or_else(|| Refusal::internal("no answer of one that was asked for"))?;
    let counted = usage(&answering.facts, complete.over.iter().map(|answer| &**answer));
    let is_cut = complete
        .over
        .as_ref()
        .is_some_and(|answer| answer.generation.finish == firsthand_base::Finish::Length);
    Ok(Json(json!({
        "id": app.files.name("resp"), "object": "response", "created_at": now_s(), "model": app.model,
        "status": if is_cut { "incomplete" } else { "completed" },
        "incomplete_details": if is_cut { json!({"reason": "max_output_tokens"}) } else { Value::Null },
        "error": null, "instructions": null, "metadata": {}, "parallel_tool_calls": true, "tools": [],
        "tool_choice": "auto", "temperature": null, "top_p": null, "output": output(&app, complete),
        "usage": {
            "input_tokens": counted["prompt_tokens"], "output_tokens": counted["completion_tokens"],
            "total_tokens": counted["total_tokens"],
            "input_tokens_details": {"cached_tokens": counted["prompt_tokens_details"]["cached_tokens"]},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
        "firsthand": {"manifest": answering.facts.manifest},
    })))
}

fn output(app: &App, complete: &Complete) -> Vec<Value> {
    let mut output = Vec::new();
    if !complete.text.is_empty() {
        output.push(json!({
            "id": app.files.name("msg"), "type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": complete.text, "annotations": []}],
        }));
    }
    for call in &complete.calls {
        let id = app.files.name("call");
        output.push(json!({
            "id": id, "call_id": id, "type": "function_call", "status": "completed",
            "name": call.name, "arguments": call.arguments,
        }));
    }
    output
}

/// The chat request that a request for a response is.
fn as_chat(body: Value) -> Answered<Value> {
    let Value::Object(mut body) = body else { return Err(Refusal::bad("expected an object")) };
    for (key, harmless) in [
        ("store", json!(false)),
        ("stream", json!(false)),
        ("background", json!(false)),
        ("truncation", json!("disabled")),
    ] {
        if let Some(value) = body.shift_remove(key) {
            // Clients ask for storage by default; nothing is stored and nothing can be asked of it.
            if value != harmless && !value.is_null() && key != "store" {
                return Err(Refusal::field(key, format!("{key}: only {harmless} here")));
            }
        }
    }
    for key in ["previous_response_id", "conversation", "prompt", "include"] {
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
