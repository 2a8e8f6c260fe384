//! `/v1/responses`, as far as one turn goes: input and instructions become a conversation, the answer becomes output.
//! Nothing is stored, so a request that builds on an earlier response is refused.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use firsthand_base::Finish;
use firsthand_engine::Answer;
use serde_json::{Map, Value, json};

use super::responses_input::as_chat;
use super::responses_stream::streamed;
use crate::app::{App, key_of, now_s};
use crate::chat::asking::{self, Facts};
use crate::chat::reply::{Complete, gather, usage};
use crate::chat::request::{self, Reading};
use crate::chat::tools::Call;
use crate::refusal::{Answered, Refusal};

/// What is known of a response before its first word.
pub(super) struct Shell {
    pub(super) app: Arc<App>,
    pub(super) id: String,
    pub(super) created_s: u64,
    /// What of its request it repeats.
    repeated: Map<String, Value>,
}

/// Answers one turn, at once or as it is said.
pub(crate) async fn respond(State(app): State<Arc<App>>, request: Request) -> Answered<Response> {
    let key = key_of(&request);
    let ready = app.ready()?;
    let converted = as_chat(app.json(request).await?)?;
    let reading = Reading { defaults: ready.renderer.generation_defaults(), limits: &app.options.limits };
    let refused = |refusal| converted.refused(refusal);
    let asked = request::chat(converted.body.clone(), &reading).map_err(refused)?;
    let is_streamed = asked.is_streamed;
    let mut answering = asking::begin(&app, key, asked).await.map_err(refused)?;
    let shell = Shell { id: app.files.name("resp"), created_s: now_s(), app, repeated: converted.repeated };
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
        let mut object = json!({
            "id": self.id, "object": "response", "created_at": self.created_s, "model": self.app.model,
            "status": status, "incomplete_details": details, "error": null, "previous_response_id": null,
            "store": false, "truncation": "disabled", "output": output, "usage": usage,
        });
        self.repeated.iter().for_each(|(key, value)| object[key] = value.clone());
        object
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

/// A call; one whose arguments were cut is incomplete.
pub(super) fn call_item(id: &str, status: &str, call: &Call) -> Value {
    let is_whole = serde_json::from_str::<Value>(&call.arguments).is_ok();
    let status = if status == "completed" && !is_whole { "incomplete" } else { status };
    json!({
        "id": id, "call_id": id, "type": "function_call", "status": status,
        "name": call.name, "arguments": call.arguments,
    })
}
