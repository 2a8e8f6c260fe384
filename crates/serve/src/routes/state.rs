//! How the server is: health, the model it has, counters.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::app::App;
use crate::refusal::Answered;

/// 200 when requests are answered; 503 while the model is loaded and when the server stops.
pub(crate) async fn health(State(app): State<Arc<App>>) -> Response {
    let (status, word) = match (app.gate.is_closed(), app.loaded.get()) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        (false, None) => (StatusCode::SERVICE_UNAVAILABLE, "loading"),
        (false, Some(_)) => (StatusCode::OK, "ok"),
    };
    (status, Json(json!({"status": word, "model": app.model}))).into_response()
}

fn description(app: &App) -> Value {
    let mut model = json!({
        "id": app.model, "object": "model", "created": app.created_s, "owned_by": "firsthand",
    });
    if let Some(ready) = app.loaded.get() {
        model["max_model_len"] = json!(ready.renderer.context_length());
        model["firsthand"] = json!({
            "weights": ready.manifest.weights, "dtype": ready.manifest.dtype, "device": ready.manifest.device,
            "sees": ready.renderer.sizes().is_some(),
        });
    }
    model
}

fn encoder_description(app: &App, name: &str) -> Value {
    json!({"id": name, "object": "model", "created": app.created_s, "owned_by": "firsthand", "firsthand": {"embeds": true}})
}

/// The one model, and the encoder, as a list.
pub(crate) async fn models(State(app): State<Arc<App>>) -> Json<Value> {
    let encoder = app.encoder.as_ref().map(|encoder| encoder_description(&app, &encoder.name));
    let data: Vec<Value> = std::iter::once(description(&app)).chain(encoder).collect();
    Json(json!({"object": "list", "data": data}))
}

/// The one model.
pub(crate) async fn model(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answered<Json<Value>> {
    if app.encoder.as_ref().is_some_and(|encoder| encoder.name == name) {
        return Ok(Json(encoder_description(&app, &name)));
    }
    app.check_model(&name)?;
    Ok(Json(description(&app)))
}

/// Counters.
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, app.gauges.page(app.gate.inside(), app.live.all().len())).into_response()
}
