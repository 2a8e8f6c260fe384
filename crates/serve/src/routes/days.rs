//! The published tool routes over a memory of days: `/query`, `/video_llm`, `/vlm`, `/video/infer`. What they say is the
//! agent room's; here they get a thread to wait on and a place in the queue.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use firsthand_agent::routes::{Reply, Service};
use serde_json::Value;

use crate::app::{App, key_of};
use crate::refusal::{Answered, Refusal};

async fn answer(app: Arc<App>, request: Request, route: fn(&Service, &Value) -> Reply) -> Answered<Response> {
    let key = key_of(&request);
    let body = app.json(request).await?;
    let _ticket = app.enter(key)?;
    let work = move || -> Answered<Reply> { Ok(route(&app.days()?.service, &body)) };
    let reply = tokio::task::spawn_blocking(work).await;
    let Reply { status, body } = reply.map_err(|error| Refusal::internal(&error.to_string()))??;
    Ok((StatusCode::from_u16(status).unwrap_or(StatusCode::OK), Json(body)).into_response())
}

/// Searches records.
pub(crate) async fn query(State(app): State<Arc<App>>, request: Request) -> Answered<Response> {
    answer(app, request, Service::query).await
}

/// Watches ranges.
pub(crate) async fn video_llm(State(app): State<Arc<App>>, request: Request) -> Answered<Response> {
    answer(app, request, Service::video_llm).await
}

/// Looks at moments.
pub(crate) async fn vlm(State(app): State<Arc<App>>, request: Request) -> Answered<Response> {
    answer(app, request, Service::vlm).await
}

/// Watches a file.
pub(crate) async fn video_infer(State(app): State<Arc<App>>, request: Request) -> Answered<Response> {
    answer(app, request, Service::video_infer).await
}
