//! What a benchmark is: where its files come from, where in them the rows are, which keys mean what, how the answers
//! are scored. Read from TOML, so that anyone adds one with a file and no code; the built-in ones are such files too.
//! Unknown keys are refused, so that a misspelt one does not silently mean nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::expression::Expression;
use super::scoring::{Form, Frame, Judge, Metric};
use super::walk::Step;
use crate::{Error, Kind, Result, Style};

/// A benchmark, as its TOML file describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Benchmark {
    /// The name on command lines: small letters, digits and hyphens.
    pub name: String,
    /// One line about what it measures.
    pub title: String,
    /// Where its files come from.
    pub source: Source,
    /// The files with its rows.
    pub files: Vec<Files>,
    /// The way to the rows within a JSON file; a list of rows when nothing is said. See [`Step`].
    #[serde(default)]
    pub walk: Vec<Step>,
    /// Rows are kept whose key has one of these values, e.g. `question_type = ["multiple-choice"]`; others are left out.
    #[serde(default)]
    pub keep: BTreeMap<String, Vec<String>>,
    /// Answers that stand in a file of their own.
    pub join: Option<Join>,
    /// What is asked.
    pub item: ItemKeys,
    /// What it is asked about.
    #[serde(default)]
    pub media: Vec<MediaKeys>,
    /// What is right.
    pub answer: AnswerKeys,
    /// Groups whose scores are reported apart. A group whose key is absent in a row is left out there.
    #[serde(default)]
    pub groups: BTreeMap<String, Group>,
    /// Names of groups that are read as another, e.g. three difficulties as one task.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
    /// How answers are scored, by their type, where it is not as usual ([`Metric::usual`]).
    #[serde(default)]
    pub metric: BTreeMap<Kind, Metric>,
    /// Further scores of the same answers. Each makes one more set of figures, in which it stands for the scores of the
    /// types that name it.
    #[serde(default)]
    pub also: BTreeMap<Kind, Vec<Metric>>,
    /// The published figures, each a mean of group means: `"task"`, or `"part/source"` for sources within parts.
    /// `"type"` is the answer's type. The plain mean is always reported.
    #[serde(default)]
    pub headline: Vec<String>,
    /// How the question is put, where its authors publish that.
    #[serde(default)]
    pub prompt: PromptKeys,
    /// How a judge is asked, for the metric of that name.
    pub judge: Option<Judge>,
}

/// Where a benchmark's files come from.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Where to get them.
    pub home: String,
    /// Under which terms, as far as is known.
    pub licence: String,
    /// Where the layout is documented, and what of it was not seen in a published file.
    pub documented: String,
    /// The folder that is expected.
    pub layout: String,
}

/// Files of one kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Path from the folder; the last part may hold one `*`, which stands for anything. Endings: json, jsonl, csv,
    /// tsv, parquet; an ending `.*` takes whichever is there.
    pub path: String,
    /// The way to their rows, where it is not the benchmark's.
    pub walk: Option<Vec<Step>>,
    /// Values that every row of these files gets, e.g. the name of the task.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// Whether they may be absent.
    #[serde(default)]
    pub optional: bool,
}

/// A JSON object in a file of its own that adds one key to the rows. Rows that it does not know are left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// Path from the folder.
    pub path: String,
    /// What a row is called there.
    pub by: Expression,
    /// The key under which the value is put.
    pub key: String,
}

/// What is asked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemKeys {
    /// What the item is called; no two may be called the same.
    pub id: Expression,
    /// The question. `{stem}` is what stands before options that were found in a text.
    pub question: Expression,
    /// The options, if there are any.
    pub options: Option<Options>,
    /// What its neighbours share: the video, unless said otherwise. See [`crate::metric::statistics`].
    pub cluster: Option<Expression>,
    /// Items that count as one question, right only if all are: views, pairs, orders of options.
    pub together: Option<Expression>,
    /// When it is asked, for questions about days; nothing later may be looked at.
    pub asked_at: Option<Expression>,
}

/// Where the options are.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "options: expected \"{key}\", [\"{a}\", \"{b}\"] or { text = \"{key}\" }")]
pub enum Options {
    /// One expression per option; absent ones at the end are no options.
    Each(Vec<Expression>),
    /// A list of texts, or an object whose keys are letters.
    List(Expression),
    /// A lettered list within a text.
    Within(Within),
}

/// A text that holds a question with its options.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Within {
    /// The text.
    pub text: Expression,
    /// What stands before the options; the question is what stands before that.
    #[serde(default)]
    pub after: String,
    /// What stands behind them.
    #[serde(default)]
    pub before: String,
    /// Whether every line but the first is an option, letters or not.
    #[serde(default)]
    pub lines: bool,
}

/// A picture, a video, a folder of either.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaKeys {
    /// Path from the folder, or a `data:` location for pictures that are in the row.
    pub path: Expression,
    /// `image`, `video`, `frames` (a folder of pictures) or `days` (a folder of recordings). By the path's ending,
    /// pictures or else videos, when nothing is said.
    pub kind: Option<Expression>,
    /// Where its part begins, in seconds; the beginning when absent.
    pub start: Option<Expression>,
    /// Where its part ends, in seconds; the end when absent.
    pub end: Option<Expression>,
    /// What `start` and `end` count per second, where they count something else, e.g. 30 frames.
    #[serde(default = "one")]
    pub per_second: f64,
    /// Pictures per second of a folder of frames.
    pub fps: Option<f64>,
    /// Whether a row may do without it.
    #[serde(default)]
    pub optional: bool,
}

fn one() -> f64 {
    1.0
}

/// What is right.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerKeys {
    /// The type of answer: one of ours (`multiple-choice`, `numerical`, `regression`, `ocr`, `free-form`,
    /// `interval`, `box`), or a word that `types` translates.
    #[serde(rename = "type", default = "multiple_choice")]
    pub kind: Expression,
    /// What the file's words for types mean.
    #[serde(default)]
    pub types: BTreeMap<String, Kind>,
    /// Types of rows that have a key, before `type` is asked: `"answer.box" = "box"`.
    #[serde(default)]
    pub when: BTreeMap<String, Kind>,
    /// The type of rows without options that would be multiple choice. Without it they cannot be used.
    pub otherwise: Option<Kind>,
    /// The gold answer; several expressions make the numbers of an interval or a box.
    pub gold: Gold,
    /// How the file says which option is right.
    #[serde(default)]
    pub form: Form,
    /// What the numbers of a box count.
    pub coordinates: Option<Frame>,
}

fn multiple_choice() -> Expression {
    Expression::parse(Kind::MultipleChoice.name()).expect("a word without braces")
}

/// One expression, or one per number.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "gold: expected \"{key}\" or [\"{start}\", \"{end}\"]")]
pub enum Gold {
    /// One.
    One(Expression),
    /// Several.
    Several(Vec<Expression>),
}

/// A group of items.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a group: expected \"{key}\" or { text = \"{key}\", find = [[words, name]] }")]
pub enum Group {
    /// The row says its name.
    Named(Expression),
    /// Words in a text say it.
    Found(Found),
}

/// The first pair whose words the text holds gives the group its name; empty words are in every text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// The text.
    pub text: Expression,
    /// Words and names.
    pub find: Vec<[String; 2]>,
}

/// How the question is put.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptKeys {
    /// A published style. With a template, the template's text is what is asked, its options within.
    pub style: Option<Style>,
    /// A system turn.
    pub system: Option<String>,
    /// The user turn in the benchmark's own words: keys of the row, `{item.question}`, `{item.options}` (one to a
    /// line), or `{item.text}` (the question, then the options if there are any).
    pub template: Option<Expression>,
    /// One option in `{item.options}`: `{letter}` and `{option}`.
    pub option: Option<Expression>,
    /// Whether the text comes before the media.
    #[serde(default)]
    pub text_first: bool,
}

impl Benchmark {
    /// Reads a description. The error names the key and what to do.
    pub fn from_toml(text: &str) -> Result<Benchmark> {
        let benchmark: Benchmark = toml::from_str(text).map_err(|error| {
            let line =
                error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count());
            Error::Benchmark { name: format!("line {}", line + 1), what: one_line(error.message()) }
        })?;
        benchmark.check().map_err(|what| Error::Benchmark { name: benchmark.name.clone(), what })?;
        Ok(benchmark)
    }

    /// How answers of a type are scored.
    pub fn metric(&self, kind: Kind) -> Metric {
        self.metric.get(&kind).copied().unwrap_or_else(|| Metric::usual(kind))
    }

    /// The metrics of [`Benchmark::also`], each once.
    pub fn further(&self) -> BTreeSet<Metric> {
        self.also.values().flatten().copied().collect()
    }

    fn check(&self) -> std::result::Result<(), String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err("name: use small letters, digits and hyphens".to_owned());
        }
        if self.files.is_empty() {
            return Err("files: name one at least".to_owned());
        }
        for files in &self.files {
            let (folder, name) = files.path.rsplit_once('/').unwrap_or(("", &files.path));
            if folder.contains('*') || name.replace(".*", "").matches('*').count() > 1 {
                return Err(format!("{}: one * in the last part, no more", files.path));
            }
            super::inside(&files.path)?;
        }
        self.check_scoring()?;
        for media in &self.media {
            if !(media.per_second > 0.0 && media.per_second.is_finite()) {
                return Err("media: per_second must be above 0".to_owned());
            }
        }
        let prompt = &self.prompt;
        let own = prompt.template.is_some();
        if (prompt.option.is_some() && !own) || (prompt.system.is_some() && (!own || prompt.style.is_some()))
        {
            return Err(
                "prompt: option and system belong to a template, system to one without a style".to_owned()
            );
        }
        Ok(())
    }

    fn check_scoring(&self) -> std::result::Result<(), String> {
        let known: Vec<&str> = self.groups.keys().map(String::as_str).chain(["type"]).collect();
        for headline in &self.headline {
            if let Some(unknown) = headline.split('/').find(|name| !known.contains(name)) {
                return Err(format!("headline: no group {unknown:?}; known: {}", known.join(", ")));
            }
        }
        if self.groups.contains_key("type") {
            return Err("groups: \"type\" is the answer's type already".to_owned());
        }
        let judged =
            self.metric.values().chain(self.also.values().flatten()).any(|metric| *metric == Metric::Judge);
        match &self.judge {
            None if judged => Err("metric: judge needs a [judge] that says what to ask".to_owned()),
            Some(_) if !judged => Err("judge: no metric uses it".to_owned()),
            Some(judge) if judge.scores.is_empty() || judge.most.is_nan() || judge.most <= 0.0 => {
                Err("judge: name the scores, and the best of each".to_owned())
            }
            _ => Ok(()),
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
