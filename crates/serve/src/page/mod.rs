//! The page in the browser: its files, which are part of the program, and the JSON that only it needs: which frames the
//! model would see, a reply taken apart, records of a time, traces, runs. Everything else it asks of the same routes as
//! other clients.
//!
//! It reads nothing but uploads of the key that asks, recordings that the memory names, and what lies below the two
//! folders that the server was started with. It changes nothing but the memory, and that only to forget.

mod assets;
mod look;
mod memory;
mod question;
mod rollouts;
mod runs;
mod traces;

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use firsthand_agent::SharedMemory;
use firsthand_tasks::Style;
use serde_json::{Value, json};

use crate::app::App;
use crate::refusal::{Answered, Refusal};

/// What the page may show beside the model.
#[derive(Default)]
pub struct Shown {
    /// The memory, if one is open.
    pub memory: Option<SharedMemory>,
    /// The folder of traces.
    pub traces: Option<PathBuf>,
    /// The folder of runs.
    pub runs: Option<PathBuf>,
    /// What a person should know of the model, in one line.
    pub note: Option<String>,
}

/// The page itself tells nothing of anybody and needs no key.
pub(crate) const OPEN: [&str; 2] = ["/", "/page/{file}"];

/// The routes: `/`, and everything below `/page`.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(assets::index))
        .route("/page/{file}", get(assets::file))
        .route("/page/api/state", get(state))
        .route("/page/api/look", post(look::look))
        .route("/page/api/frame", get(look::frame))
        .route("/page/api/question", post(question::question))
        .route("/page/api/read", post(question::read))
        .route("/page/api/memory", get(memory::counts))
        .route("/page/api/memory/range", get(memory::range))
        .route("/page/api/memory/record/{id}", get(memory::record))
        .route("/page/api/memory/search", post(memory::search))
        .route("/page/api/memory/forget", post(memory::forget))
        .route("/page/api/memory/still", get(memory::still))
        .route("/page/api/traces", get(traces::list))
        .route("/page/api/trace", get(traces::one))
        .route("/page/api/runs", get(runs::list))
        .route("/page/api/runs/metrics", get(runs::metrics))
        .route("/page/api/runs/results", get(runs::results))
        .route("/page/api/runs/compare", get(runs::compare))
        .route("/page/api/runs/rollouts", get(rollouts::list))
        .route("/page/api/runs/rollout", get(rollouts::one))
}

/// What this server has.
async fn state(State(app): State<Arc<App>>) -> Json<Value> {
    let shown = &app.shown;
    Json(json!({
        "program": concat!("firsthand ", env!("CARGO_PKG_VERSION")),
        "models": [app.model],
        "note": shown.note,
        "memory": shown.memory.is_some(),
        "traces": shown.traces.is_some(),
        "runs": shown.runs.is_some(),
        "styles": Style::ALL.map(Style::name),
    }))
}

/// Does work that reads files, off the threads that serve.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Answered<T> + Send + 'static) -> Answered<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Refusal::internal(&error.to_string())))
}

/// Something the page asks for that is not there, and what to do.
fn missing(what: impl std::fmt::Display, remedy: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "not_found", format!("{what}; {remedy}"))
}

/// An error of another room, which says itself what to do, on one line.
fn told(error: impl std::fmt::Display) -> Refusal {
    Refusal::bad(error.to_string().replace("\nhint: ", "; ").replace('\n', " "))
}
