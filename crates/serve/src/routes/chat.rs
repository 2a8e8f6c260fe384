//! `/v1/chat/completions`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use crate::app::{App, key_of, now_s};
use crate::chat::asking;
use crate::chat::reply::{Telling, response, streamed, whole};
use crate::chat::request::{self, Reading};
use crate::refusal::Answered;

/// Asks for the manifest, whatever the body says.
const MANIFEST_HEADER: &str = "x-firsthand-manifest";

/// Answers a conversation, at once or as it is said.
pub(crate) async fn completions(State(app): State<Arc<App>>, request: Request) -> Answered<Response> {
    let key = key_of(&request);
    let wants_manifest = request.headers().contains_key(MANIFEST_HEADER);
    let body = app.json(request).await?;
    let ready = app.ready()?;
    let reading = Reading { defaults: ready.renderer.generation_defaults(), limits: &app.options.limits };
    let asked = request::chat(body, &reading)?;
    let telling = Telling {
        id: app.files.name("chatcmpl"),
        created_s: now_s(),
        model: app.model.clone(),
        tells_usage: asked.tells_usage,
        logprobs: asked.top.is_some(),
        manifest: wants_manifest || asked.manifest.unwrap_or(!asked.is_streamed),
    };
    let is_streamed = asked.is_streamed;
    let mut answering = asking::begin(&app, key, asked).await?;
    if is_streamed {
        return Ok(streamed(telling, answering));
    }
    Ok(response(whole(&telling, &mut answering).await?))
}
