//! `/tokenize` and `/detokenize`: the ids of a text, or of a conversation with its media, and back.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use serde_json::{Value, json};

use crate::app::{App, key_of};
use crate::chat::asking::render;
use crate::chat::fields::Fields;
use crate::chat::messages;
use crate::chat::request::OFF;
use crate::chat::tools::Tools;
use crate::refusal::{Answered, Refusal};

/// Ids of `prompt`, or of `messages` as the model gets them, placeholders expanded.
pub(crate) async fn tokenize(State(app): State<Arc<App>>, request: Request) -> Answered<Json<Value>> {
    let key = key_of(&request);
    let mut fields = Fields::of(app.json(request).await?, "")?;
    let ready = app.ready()?;
    app.check_model(&fields.string("model")?.unwrap_or_default())?;
    let ids = match (fields.string("prompt")?, fields.take("messages")) {
        (Some(prompt), None) => ready
            .renderer
            .tokenizer()
            .encode(&prompt)
            .map_err(|error| Refusal::bad(app.public(&error.to_string())))?,
        (None, Some(list)) => {
            let tools = Tools::read(fields.take("tools"), None)?;
            let conversation = messages::conversation(list, &messages::extras(&mut fields)?)?;
            let _ticket = app.gate.enter(key)?;
            render(&app, &ready, key, conversation, &tools).await?.input.ids
        }
        _ => return Err(fields.wrong("prompt", "give prompt or messages")),
    };
    fields.only_off(&OFF)?;
    fields.end()?;
    Ok(Json(json!({"count": ids.len(), "max_model_len": ready.renderer.context_length(), "tokens": ids})))
}

/// The text of `tokens`, special ones left out.
pub(crate) async fn detokenize(State(app): State<Arc<App>>, request: Request) -> Answered<Json<Value>> {
    let mut fields = Fields::of(app.json(request).await?, "")?;
    let ready = app.ready()?;
    app.check_model(&fields.string("model")?.unwrap_or_default())?;
    let ids = fields.take("tokens").and_then(|value| {
        value.as_array()?.iter().map(|id| u32::try_from(id.as_u64()?).ok()).collect::<Option<Vec<u32>>>()
    });
    let ids = ids.ok_or_else(|| fields.wrong("tokens", "expected a list of ids"))?;
    fields.end()?;
    Ok(Json(json!({"prompt": ready.renderer.tokenizer().decode(&ids)})))
}
