//! Traces of agent runs: the JSON files of one folder, by name and question, and one of them whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use firsthand_agent::Trace;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{apart, missing, told};
use crate::app::App;
use crate::refusal::Answered;

/// Most files looked at, and most bytes of one.
const MOST_TRACES: usize = 200;
const MOST_BYTES: u64 = 32 << 20;

fn folder(app: &App) -> Answered<PathBuf> {
    app.shown
        .traces
        .clone()
        .ok_or_else(|| missing("no traces are open", "start firsthand serve with --traces"))
}

pub(super) async fn list(State(app): State<Arc<App>>) -> Answered<Json<Value>> {
    let folder = folder(&app)?;
    apart(move || {
        let mut names: Vec<String> = fs_err::read_dir(&folder)
            .map_err(told)?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| is_name(name))
            .collect();
        names.sort();
        names.truncate(MOST_TRACES);
        let told = names.into_iter().filter_map(|name| {
            let trace = read(&folder, &name).ok()?;
            Some(json!({"name": name, "question": trace.question.text}))
        });
        Ok(Json(json!({"traces": told.collect::<Vec<Value>>()})))
    })
    .await
}

/// Which one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    name: String,
}

pub(super) async fn one(State(app): State<Arc<App>>, Query(asked): Query<Named>) -> Answered<Json<Value>> {
    let folder = folder(&app)?;
    apart(move || Ok(Json(json!(read(&folder, &asked.name)?)))).await
}

/// A plain name of a JSON file: no folder, nothing hidden.
fn is_name(name: &str) -> bool {
    name.ends_with(".json") && !name.starts_with('.') && !name.contains(['/', '\\'])
}

fn read(folder: &Path, name: &str) -> Answered<Trace> {
    let missing = || missing(format!("no trace {name:.80}"), "choose one of the list");
    if !is_name(name) {
        return Err(missing());
    }
    let path = folder.join(name);
    let about = fs_err::symlink_metadata(&path).map_err(|_| missing())?;
    if !about.is_file() || about.len() > MOST_BYTES {
        return Err(missing());
    }
    let text = fs_err::read_to_string(&path).map_err(told)?;
    Trace::parse(&text, name).map_err(told)
}
