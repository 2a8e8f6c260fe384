//! `/v1/chat/completions`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use crate::app::{App, key_of, now_s};
use crate::chat::asking::{self, Answering};
use crate::chat::reply::{Telling, response, streamed, whole};
use crate::chat::request::{self, Asked, Reading};
use crate::refusal::Answered;

/// Asks for the manifest, whatever the body says.
pub(super) const MANIFEST_HEADER: &str = "x-firsthand-manifest";

/// Answers a conversation, at once or as it is said.
pub(crate) async fn completions(State(app): State<Arc<App>>, request: Request) -> Answered<Response> {
    let key = key_of(&request);
    let wants_manifest = request.headers().contains_key(MANIFEST_HEADER);
    let body = app.json(request).await?;
    let ready = app.ready()?;
    let reading = Reading { defaults: ready.renderer.generation_defaults(), limits: &app.options.limits };
    let asked = request::chat(body, &reading)?;
    let telling = telling(&app, &asked, wants_manifest);
    let is_streamed = asked.is_streamed;
    let answering = asking::begin(&app, key, asked).await?;
    told(telling, answering, is_streamed).await
}

/// How a question is to be answered.
pub(super) fn telling(app: &App, asked: &Asked, wants_manifest: bool) -> Telling {
    Telling {
        id: app.files.name("chatcmpl"),
        created_s: now_s(),
        model: app.model.clone(),
        tells_usage: asked.tells_usage,
        logprobs: asked.top.is_some(),
        manifest: wants_manifest || asked.manifest.unwrap_or(!asked.is_streamed),
        prompt: asked.prompt,
        live: None,
    }
}

/// The answers, at once or as they are said.
pub(super) async fn told(
    telling: Telling,
    mut answering: Answering,
    is_streamed: bool,
) -> Answered<Response> {
    if is_streamed {
        return Ok(streamed(telling, answering));
    }
    Ok(response(whole(&telling, &mut answering).await?))
}
