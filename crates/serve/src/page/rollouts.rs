//! Samples of reinforcement learning as `train rl` writes them for people, taken apart again: the question, the right
//! answer, each sample with its reward.

use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::runs::{Named, folder};
use super::{apart, missing, told};
use crate::app::App;
use crate::refusal::Answered;

/// Most bytes of a file of samples.
const MOST_BYTES: u64 = 8 << 20;

/// The steps of which a run kept samples.
pub(super) fn steps(run: &Path) -> Vec<u64> {
    let entries = fs_err::read_dir(run.join("rollouts")).into_iter().flatten().flatten();
    let step =
        |name: std::ffi::OsString| name.to_str()?.strip_prefix("step-")?.strip_suffix(".txt")?.parse().ok();
    let mut found: Vec<u64> = entries.filter_map(|entry| step(entry.file_name())).collect();
    found.sort_unstable();
    found
}

pub(super) async fn list(State(app): State<Arc<App>>, Query(asked): Query<Named>) -> Answered<Json<Value>> {
    let run = folder(&app, &asked.run)?;
    apart(move || Ok(Json(json!({"steps": steps(&run)})))).await
}

/// Which samples.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct At {
    run: String,
    step: u64,
}

pub(super) async fn one(State(app): State<Arc<App>>, Query(asked): Query<At>) -> Answered<Json<Value>> {
    let path = folder(&app, &asked.run)?.join("rollouts").join(format!("step-{:06}.txt", asked.step));
    apart(move || {
        let missing = || missing(format!("no samples of step {}", asked.step), "choose another step");
        let about = fs_err::symlink_metadata(&path).map_err(|_| missing())?;
        if !about.is_file() || about.len() > MOST_BYTES {
            return Err(missing());
        }
        let text = fs_err::read_to_string(&path).map_err(told)?;
        Ok(Json(json!({"groups": groups(&text)})))
    })
    .await
}

/// A question and its samples.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Group {
    name: String,
    question: String,
    right: String,
    samples: Vec<Sample>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Sample {
    kind: String,
    reward: f64,
    parts: String,
    text: String,
}

/// Reads `# name`, the question, `right: ...`, and for each sample `## kind: reward R (parts), N tokens` and its text.
fn groups(text: &str) -> Vec<Group> {
    let mut found: Vec<Group> = Vec::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("## ").and_then(sample) {
            match found.last_mut() {
                Some(group) => group.samples.push(head),
                None => found.push(Group { samples: vec![head], ..Group::default() }),
            }
            continue;
        }
        if let Some(name) = line.strip_prefix("# ") {
            found.push(Group { name: name.to_owned(), ..Group::default() });
            continue;
        }
        let Some(group) = found.last_mut() else { continue };
        match group.samples.last_mut() {
            Some(sample) => push(&mut sample.text, line),
            None => match line.strip_prefix("right: ") {
                Some(right) => group.right = right.to_owned(),
                None => push(&mut group.question, line),
            },
        }
    }
    for group in &mut found {
        group.question = group.question.trim().to_owned();
        group.samples.iter_mut().for_each(|sample| sample.text = sample.text.trim().to_owned());
    }
    found
}

fn push(text: &mut String, line: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
}

/// `sample 1: reward 0.582 (egothinker-iou/iou 0.582), 51 tokens`
fn sample(head: &str) -> Option<Sample> {
    let (kind, rest) = head.split_once(": reward ")?;
    let (reward, rest) = rest.split_once(" (")?;
    let (parts, tokens) = rest.rsplit_once("), ")?;
    let parts = [parts, tokens].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    Some(Sample { kind: kind.to_owned(), reward: reward.parse().ok()?, parts, text: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_taken_apart() {
        let text = "# row 7\nwhere is it ?\nsay\n\nright: [1, 2]\n\n## sample 1: reward 0.582 (iou 0.582), 51 tokens\n<think>so</think>\n\n# not a heading of a sample\n## greedy 2: reward -1.000 (), 3 tokens\nB\n";
        let found = groups(text);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].question.as_str(), found[0].right.as_str()), ("where is it ?\nsay", "[1, 2]"));
        assert_eq!(found[0].samples[0].text, "<think>so</think>");
        assert_eq!(found[0].samples[0].parts, "iou 0.582, 51 tokens");
        assert_eq!((found[1].samples[0].reward, found[1].samples[0].kind.as_str()), (-1.0, "greedy 2"));
        assert!(groups("").is_empty() && groups("## broken").is_empty());
    }
}
