//! One line of a run's rows: which question under which setting, and either what was said and how good it was, or why
//! there is nothing. A row holds all that figures are made of, so that they need neither the model nor the files again.

use std::collections::BTreeMap;

use firsthand_base::{Finish, MediumId};
use serde::{Deserialize, Serialize};

use super::plan::Shown;
use crate::Kind;
use crate::benchmark::{Gold, Item, Metric};

/// A row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The benchmark.
    pub benchmark: String,
    /// The item.
    pub id: String,
    /// The way of choosing frames, by name; `none` where nothing is shown.
    pub frames: String,
    /// What was shown.
    pub shown: Shown,
    /// The file of the item.
    pub file: String,
    /// Where in the file, from 1.
    pub line: usize,
    /// The type of answer.
    pub kind: Kind,
    /// How it is scored.
    pub metric: Metric,
    /// What must not be called independent of it.
    pub cluster: String,
    /// Names of its groups.
    pub groups: BTreeMap<String, String>,
    /// Items of one such name are right only together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together: Option<String>,
    /// The right answer as a model would write it.
    pub gold: String,
    /// Index of the right option.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// How many options there were.
    pub options: usize,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was said.
    #[serde(flatten)]
    pub reply: Option<Reply>,
}

/// What was said, and how good it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The prompt as the model's template renders it.
    pub prompt: String,
    /// Everything that was said.
    pub text: String,
    /// The answer as it was understood.
    pub parsed: String,
    /// Its score; `None` where a judge gave none.
    pub score: Option<f64>,
    /// Whether no answer of the type that was asked for could be read. It scores as a wrong one.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub unread: bool,
    /// Further scores of the same answer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub also: BTreeMap<Metric, f64>,
    /// Why a judge gave no score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unjudged: Option<String>,
    /// Why it ended.
    pub finish: Finish,
    /// What was looked at, frame by frame.
    pub media: Vec<MediumId>,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens that were said.
    pub new_tokens: usize,
    /// Seconds it took.
    pub seconds: f64,
}

/// Which row it is: benchmark, item, frames, what was shown.
pub(super) type Key = (String, String, String, Shown);

impl Record {
    /// The row of an item, without an outcome.
    pub(super) fn of(benchmark: &str, item: &Item, metric: Metric, frames: &str, shown: Shown) -> Record {
        Record {
            benchmark: benchmark.to_owned(),
            id: item.id.clone(),
            frames: frames.to_owned(),
            shown,
            file: item.file.to_string_lossy().into_owned(),
            line: item.line,
            kind: item.kind,
            metric,
            cluster: item.cluster.clone(),
            groups: item.groups.clone(),
            together: item.together.clone(),
            gold: item.gold.text(),
            position: match item.gold {
                Gold::Choice(index) => Some(index),
                _ => None,
            },
            options: item.options.len(),
            error: None,
            reply: None,
        }
    }

    /// Which row it is.
    pub(super) fn key(&self) -> Key {
        (self.benchmark.clone(), self.id.clone(), self.frames.clone(), self.shown)
    }

    /// Whether asking again may help: there is no answer, or no judge's score of it.
    pub(super) fn is_failed(&self) -> bool {
        self.error.is_some() || self.reply.as_ref().is_some_and(|reply| reply.unjudged.is_some())
    }

    /// Whether it was answered, but with nothing that could be read.
    pub fn is_unread(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| reply.unread)
    }

    /// Its score, by another metric where one is named and applies.
    pub fn score(&self, by: Option<Metric>) -> Option<f64> {
        let reply = self.reply.as_ref()?;
        by.and_then(|metric| reply.also.get(&metric).copied()).or(reply.score)
    }
}
