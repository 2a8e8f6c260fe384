//! The memory for people who look: how much there is, the records of a time, one record with what it stands on, a search,
//! pictures of the evidence, and forgetting.

use std::sync::{Arc, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::{Path, Query, State};
use firsthand_base::Moment;
use firsthand_memory::{Level, Memory, RecordId, Scope, Selection};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{apart, look, missing, told};
use crate::app::App;
use crate::refusal::{Answered, Refusal};

/// Most records of one look, and most hits.
const MOST_RECORDS: usize = 1000;
const MOST_HITS: usize = 100;
/// Most columns of a picture of the evidence.
const COLUMNS: usize = 640;

/// Works on the memory, off the threads that serve.
async fn with<T: Send + 'static>(
    app: Arc<App>,
    work: impl FnOnce(&mut Memory) -> Answered<T> + Send + 'static,
) -> Answered<T> {
    apart(move || {
        let shared = app.shown.memory.as_ref();
        let shared =
            shared.ok_or_else(|| missing("no memory is open", "start firsthand serve with --memory"))?;
        // A thread that broke off left whole transactions behind.
        let mut memory: MutexGuard<'_, Memory> = shared.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut memory)
    })
    .await
}

pub(super) async fn counts(State(app): State<Arc<App>>) -> Answered<Json<Value>> {
    with(app, |memory| Ok(Json(json!(memory.store().counts().map_err(told)?)))).await
}

/// A stretch of one level.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    level: Level,
    from: i64,
    to: i64,
    wearer: Option<String>,
    limit: usize,
}

pub(super) async fn range(State(app): State<Arc<App>>, Query(asked): Query<Range>) -> Answered<Json<Value>> {
    let limit = asked.limit.clamp(1, MOST_RECORDS);
    let scope = Scope {
        level: Some(asked.level),
        wearer: asked.wearer,
        from: Some(moment(asked.from)?),
        to: Some(moment(asked.to)?),
        ended_by: None,
    };
    with(app, move |memory| {
        let mut records = memory.store().range(&scope, limit + 1).map_err(told)?;
        let more = records.len() > limit;
        records.truncate(limit);
        Ok(Json(json!({"records": records, "more": more})))
    })
    .await
}

/// Milliseconds as a moment; what lies before the first day is its start.
fn moment(ms: i64) -> Result<Moment, Refusal> {
    Moment::from_ms(ms.max(0))
        .ok_or_else(|| Refusal::bad(format!("{ms} ms is no moment; count from the midnight before day 1")))
}

pub(super) async fn record(State(app): State<Arc<App>>, Path(id): Path<i64>) -> Answered<Json<Value>> {
    with(app, move |memory| {
        let store = memory.store();
        let id = RecordId(id);
        let found = store.get(&[id]).map_err(told)?.pop();
        let record = found.ok_or_else(|| missing(format!("no record {id}"), "it may have been forgotten"))?;
        let children = store.children(id).map_err(told)?;
        let above = store.parents(id).map_err(told)?;
        let parents = store.get(&above).map_err(told)?;
        Ok(Json(json!({"record": record, "children": children, "parents": parents})))
    })
    .await
}

/// A question to the memory.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    words: String,
    clock: Option<Moment>,
    level: Option<Level>,
    wearer: Option<String>,
    top: usize,
}

pub(super) async fn search(State(app): State<Arc<App>>, Json(asked): Json<Asked>) -> Answered<Json<Value>> {
    let query = firsthand_memory::Query {
        clock: asked.clock,
        level: asked.level,
        wearer: asked.wearer,
        top: asked.top.clamp(1, MOST_HITS),
        ..firsthand_memory::Query::new(asked.words)
    };
    with(app, move |memory| {
        let hits = memory.recall(&query).map_err(told)?;
        Ok(Json(json!({"hits": hits})))
    })
    .await
}

/// What to forget: all of a wearer's time between two moments.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Forgetting {
    wearer: String,
    from: Moment,
    to: Moment,
}

pub(super) async fn forget(
    State(app): State<Arc<App>>,
    Json(asked): Json<Forgetting>,
) -> Answered<Json<Value>> {
    let chosen = Selection {
        from: Some(asked.from),
        to: Some(asked.to),
        wearer: Some(asked.wearer),
        ..Selection::default()
    };
    with(app, move |memory| {
        let done = memory.forget(&chosen).map_err(told)?;
        Ok(Json(json!({"records": done.removed.values().sum::<u64>(), "rebuilt": done.rebuilt})))
    })
    .await
}

/// A picture of a piece of evidence.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Still {
    record: i64,
    evidence: usize,
    at: f64,
    width: Option<usize>,
}

pub(super) async fn still(State(app): State<Arc<App>>, Query(asked): Query<Still>) -> Answered<look::Image> {
    let id = RecordId(asked.record);
    let evidence = with(app.clone(), move |memory| {
        let found = memory.store().get(&[id]).map_err(told)?.pop();
        let evidence = found.and_then(|record| record.evidence.into_iter().nth(asked.evidence));
        evidence.ok_or_else(|| missing(format!("no evidence of {id}"), "load the record again"))
    })
    .await?;
    // Only what the memory itself names, and only the part it names.
    if !(evidence.start_s..=evidence.end_s).contains(&asked.at) {
        return Err(Refusal::bad(format!("{} s is not in the evidence; stay within its span", asked.at)));
    }
    if evidence.file.contains("://") {
        return Err(Refusal::bad("the evidence is not a file of this machine; open it where it is"));
    }
    look::still(&app, &evidence.file, asked.at, asked.width.unwrap_or(COLUMNS).clamp(16, COLUMNS)).await
}
