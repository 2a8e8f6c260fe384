//! Runs below one folder: which there are, their curves thinned to what a screen shows, their results, two of `eval`
//! against each other. A run is named by its path in the folder; names that lead out of it, through `..` or a link, are
//! nobody's.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use firsthand_tasks::runner;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{apart, missing, rollouts, told};
use crate::app::App;
use crate::refusal::{Answered, Refusal};

const METRICS: &str = "metrics.jsonl";
const RESULTS: &str = "results.json";
/// What `eval` writes beside its results.
const ROWS: &str = "rows.jsonl";
/// How deep runs may lie, how many are shown, how many folders are looked at.
const DEEPEST: usize = 3;
const MOST_RUNS: usize = 200;
const MOST_FOLDERS: usize = 5000;
/// Most bytes of a results file and of metrics.
const MOST_RESULT_BYTES: u64 = 16 << 20;
const MOST_METRIC_BYTES: u64 = 256 << 20;
/// Points of a curve.
const POINTS: usize = 600;

fn root(app: &App) -> Answered<PathBuf> {
    let root = app.shown.runs.as_ref();
    root.cloned().ok_or_else(|| missing("no runs are open", "start firsthand serve with --runs"))
}

/// Which run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub(super) run: String,
}

/// The folder of a run.
pub(super) fn folder(app: &App, name: &str) -> Answered<PathBuf> {
    let root = root(app)?;
    let missing = || missing(format!("no run {name:.120}"), "choose one of the list");
    let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || (name != "." && !plain) {
        return Err(missing());
    }
    let root = fs_err::canonicalize(&root).map_err(|_| missing())?;
    let found = fs_err::canonicalize(root.join(name)).map_err(|_| missing())?;
    // A link may lead anywhere.
    if found.starts_with(&root) && found.is_dir() { Ok(found) } else { Err(missing()) }
}

pub(super) async fn list(State(app): State<Arc<App>>) -> Answered<Json<Value>> {
    let root = root(&app)?;
    apart(move || {
        let mut runs = Vec::new();
        let mut looked = 0;
        let mut queue = vec![(root.clone(), 0)];
        while let Some((path, depth)) = queue.pop() {
            looked += 1;
            if runs.len() >= MOST_RUNS || looked > MOST_FOLDERS {
                break;
            }
            let about = about(&root, &path);
            let is_run = about.is_some();
            runs.extend(about);
            // What lies in a run, its checkpoints for example, is not another run.
            if is_run || depth >= DEEPEST {
                continue;
            }
            let Ok(entries) = fs_err::read_dir(&path) else { continue };
            let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            queue.extend(folders.map(|entry| (entry.path(), depth + 1)));
        }
        runs.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
        Ok(Json(json!({"runs": runs})))
    })
    .await
}

/// What a folder holds; `None` for one that is no run.
fn about(root: &Path, path: &Path) -> Option<Value> {
    let has = |name: &str| path.join(name).is_file();
    let (metrics, results, rows) = (has(METRICS), has(RESULTS), has(ROWS));
    if !metrics && !results && !rows {
        return None;
    }
    let name = match path.strip_prefix(root).ok()?.to_str()? {
        "" => ".",
        name => name,
    };
    let steps = if metrics { last_step(&path.join(METRICS)) } else { 0 };
    let samples = rollouts::steps(path).len();
    Some(json!({"name": name, "steps": steps, "results": results, "rollouts": samples, "rows": rows}))
}

/// The step of the last whole line, without reading the file.
fn last_step(path: &Path) -> u64 {
    use std::io::{Seek, SeekFrom};
    let read = || -> std::io::Result<Option<u64>> {
        let mut file = fs_err::File::open(path)?;
        let back = file.metadata()?.len().min(64 << 10);
        file.seek(SeekFrom::End(-(back as i64)))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        let whole = tail.rsplitn(2, |byte| *byte == b'\n').nth(1).unwrap_or_default();
        let line = whole.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let value: Option<Value> = serde_json::from_slice(line).ok();
        Ok(value.and_then(|value| value["step"].as_u64()))
    };
    read().ok().flatten().unwrap_or(0)
}

pub(super) async fn metrics(
    State(app): State<Arc<App>>,
    Query(asked): Query<Named>,
) -> Answered<Json<Value>> {
    let path = folder(&app, &asked.run)?.join(METRICS);
    apart(move || Ok(Json(curves(&path)?))).await
}

/// One number of a step, by the name that the page shows.
fn numbers(record: &Value) -> BTreeMap<String, Option<f64>> {
    let mut found = BTreeMap::new();
    for name in ["loss", "gradient_norm", "tokens_per_second", "skipped"] {
        found.insert(name.to_owned(), record[name].as_f64());
    }
    let rates = record["learning_rate"].as_object();
    let rate = rates.map(|rates| rates.values().filter_map(Value::as_f64).fold(0.0, f64::max));
    found.insert("learning_rate".to_owned(), rate);
    for (name, value) in record["more"].as_object().into_iter().flatten() {
        found.insert(name.clone(), value.as_f64());
    }
    found
}

fn curves(path: &Path) -> Answered<Value> {
    let missing = |_| missing("the run has no metrics", "it writes them while it trains");
    let file = fs_err::File::open(path).map_err(missing)?;
    let (mut steps, mut phases, mut series) = (Vec::new(), Vec::new(), Vec::new());
    for line in BufReader::new(file.take(MOST_METRIC_BYTES)).split(b'\n') {
        let line = line.map_err(told)?;
        // The last line may still be on its way.
        let Ok(record) = serde_json::from_slice::<Value>(&line) else { continue };
        steps.push(record["step"].as_u64().unwrap_or(0));
        phases.push(record["phase"].as_str().unwrap_or_default().to_owned());
        series.push(numbers(&record));
    }
    let lines = steps.len();
    // Means of neighbours: a point stands for all the steps it covers.
    let each = lines.div_ceil(POINTS).max(1);
    let names: std::collections::BTreeSet<&String> = series.iter().flat_map(BTreeMap::keys).collect();
    let curve = |name: &String| -> Vec<Option<f64>> {
        let mean = |part: &[BTreeMap<String, Option<f64>>]| {
            let values: Vec<f64> =
                part.iter().filter_map(|record| record.get(name).copied().flatten()).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        series.chunks(each).map(mean).collect()
    };
    let curves: BTreeMap<&String, Vec<Option<f64>>> = names.iter().map(|&name| (name, curve(name))).collect();
    let last = |part: &[u64]| part.last().copied().unwrap_or(0);
    let steps: Vec<u64> = steps.chunks(each).map(last).collect();
    let phases: Vec<&String> = phases.chunks(each).filter_map(<[String]>::last).collect();
    Ok(json!({"lines": lines, "steps": steps, "phases": phases, "series": curves}))
}

pub(super) async fn results(
    State(app): State<Arc<App>>,
    Query(asked): Query<Named>,
) -> Answered<Json<Value>> {
    let path = folder(&app, &asked.run)?.join(RESULTS);
    apart(move || {
        let missing = || missing("the run has no results", "eval and train rl write them at their end");
        let about = fs_err::metadata(&path).map_err(|_| missing())?;
        if about.len() > MOST_RESULT_BYTES {
            return Err(Refusal::bad("the results are too large to show; read the file itself"));
        }
        let bytes = fs_err::read(&path).map_err(|_| missing())?;
        let value: Value = serde_json::from_slice(&bytes)
            .map_err(|error| Refusal::bad(format!("results.json: {error}; let the run write it again")))?;
        Ok(Json(value))
    })
    .await
}

/// Which two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Two {
    first: String,
    second: String,
}

pub(super) async fn compare(State(app): State<Arc<App>>, Query(asked): Query<Two>) -> Answered<Json<Value>> {
    let (first, second) = (folder(&app, &asked.first)?, folder(&app, &asked.second)?);
    apart(move || {
        let first = runner::read(&first).map_err(told)?;
        let second = runner::read(&second).map_err(told)?;
        Ok(Json(json!(runner::compare(&first, &second))))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_means_of_neighbours_and_a_torn_line_is_no_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(METRICS);
        let line = |step: usize| {
            let loss = if step == 3 { Value::Null } else { json!(step as f64) };
            json!({"step": step, "phase": "a", "loss": loss, "learning_rate": {"language": 0.5, "named": true},
                "more": {"reward": 1.0}})
        };
        let write = |count: usize, rest: &str| {
            let lines: String = (1..=count).map(|step| format!("{}\n", line(step))).collect();
            fs_err::write(&path, lines + rest).unwrap();
        };
        write(4, "{\"step\": 5, \"lo");
        let read = curves(&path).unwrap();
        assert_eq!((read["lines"].clone(), read["steps"].clone()), (json!(4), json!([1, 2, 3, 4])));
        assert_eq!(read["series"]["loss"], json!([1.0, 2.0, null, 4.0]));
        assert_eq!(read["series"]["learning_rate"], json!([0.5, 0.5, 0.5, 0.5]));
        assert_eq!(last_step(&path), 4);
        write(2 * POINTS, "");
        let read = curves(&path).unwrap();
        assert_eq!(read["steps"].as_array().unwrap().len(), POINTS);
        // Step 3 has no loss: its point is that of step 4 alone.
        assert_eq!(read["series"]["loss"].as_array().unwrap()[..2], [json!(1.5), json!(4.0)]);
        assert_eq!(last_step(&path), 2 * POINTS as u64);
    }
}
