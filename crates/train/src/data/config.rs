//! What a recipe says about one source of rows. Values only: whether they fit the file is found when it is opened.

use std::collections::BTreeMap;
use std::path::PathBuf;

use firsthand_base::{Damaged, PixelLimits, Sampling};
use firsthand_tasks::Style;
use firsthand_world::questions::{Family, Scope};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::row::{Error, Result};

/// Whose file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Video-R1: a JSON list or JSONL of `problem`, `problem_type`, `options`, `process`, `solution`, `path`.
    VideoR1,
    /// ST-R1: JSONL of `video` (or `image`), `original_question`, `solution`.
    StR1,
    /// LLaVA and LLaMA-Factory: `conversations` (or `messages`) of turns with `<image>` and `<video>` marks, or
    /// `instruction`, `input`, `output`, `system`, `history`; media in `image`, `images`, `video`, `videos`.
    #[serde(rename = "sharegpt")]
    ShareGpt,
    /// STVQA-7K: parquet (a file or a folder of `train-*.parquet`) with the image inside, or JSONL with its columns.
    Stvqa,
    /// OpenAI-style JSONL: `messages` of `role` and `content`, parts with `image_url` and `video_url` among them.
    Messages,
    /// `questions.jsonl` of `firsthand world questions`.
    World,
    /// EgoLifeQA (JSON) and the rows of Ego-R1's reinforcement learning (JSON or parquet): a question about someone's days,
    /// when it is asked, options and a letter.
    EgoR1,
}

impl Format {
    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Format::VideoR1 => "video-r1",
            Format::StR1 => "st-r1",
            Format::ShareGpt => "sharegpt",
            Format::Stvqa => "stvqa",
            Format::Messages => "messages",
            Format::World => "world",
            Format::EgoR1 => "ego-r1",
        }
    }
}

/// Which of a conversation's assistant turns are learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// Every one.
    #[default]
    All,
    /// The last one. For files that hold one row per step of the same dialogue, whose earlier steps would otherwise
    /// be learned many times.
    Last,
}

/// What `firsthand world questions` would be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MakeQuestions {
    /// Worlds, from the first to before the last.
    pub seeds: [u64; 2],
    /// Take the worlds that are kept for tests.
    #[serde(default)]
    pub held_out: bool,
    /// Pictures and clips of each world: so many of each.
    #[serde(default = "twenty")]
    pub items: usize,
    /// Most questions about one picture or clip.
    #[serde(default = "five")]
    pub questions: usize,
    /// Families of questions about pictures and clips; all if left out.
    #[serde(default)]
    pub families: Vec<Family>,
}

/// One source of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// What messages and metrics call it. Unique in a recipe.
    pub name: String,
    /// How the file is read.
    pub format: Format,
    /// The file; for `stvqa` also a folder of parquet files. Left out where `make` says what to write.
    #[serde(default)]
    pub path: PathBuf,
    /// Questions about simulated homes that the run writes itself, to `data/NAME` in its output folder. Only for `world`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub make: Option<MakeQuestions>,
    /// Folder that relative media locations start from. Default: the folder of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_root: Option<PathBuf>,
    /// Whether rows of `sharegpt` show media. Where they show none, `<image>` and `<video>` in their text are words as any
    /// other.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub media: bool,
    /// Taken off the front of media locations that begin with it, for files that name another machine's folders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_prefix: Option<String>,
    /// Share of the batches, relative to the other sources'. Give it to every source or to none; without it every
    /// row counts the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Rows that are taken: those that have one of these values under each of these keys, by the names in the file:
    /// `{ type = ["EntityLog", "EventRecall"] }`. The others are not read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub only: BTreeMap<String, Vec<Value>>,
    /// How the question is put. Default: `video-r1-training` for `video-r1`, the bare question for `st-r1`, the row's own prompt
    /// for `stvqa`; `sharegpt` and `messages` hold whole turns and take none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<Style>,
    /// System turn of rows that bring none. Default: the chat template's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Which assistant turns are learned.
    #[serde(default)]
    pub answers: Answers,
    /// Whether the answer of `video-r1`, `st-r1` and `stvqa` rows includes the reasoning.
    #[serde(default = "yes")]
    pub reasoning: bool,
    /// Whether questions of `world` that have something to draw also ask for an observation and a scene graph.
    #[serde(default)]
    pub scene: bool,
    /// Frames of videos. A row of `messages` that says it for itself is left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
    /// Whether frames that damage of a film reaches fail their row (`refuse`) or are shown as the decoder makes them
    /// up (`show`). A row of `messages` may say it for itself.
    #[serde(default, skip_serializing_if = "is_refused")]
    pub damaged: Damaged,
    /// Size limits of images, where the row says nothing.
    #[serde(default, with = "Limits")]
    pub image: PixelLimits,
    /// Size limits of videos, where the row says nothing.
    #[serde(default, with = "Limits")]
    pub video: PixelLimits,
    /// The file's name for a column, by the name it has in the format: `{ instruction = "prompt" }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, String>,
}

/// [`PixelLimits`] as recipes hold it: a misspelt limit is an error.
#[derive(Serialize, Deserialize)]
#[serde(remote = "PixelLimits", deny_unknown_fields)]
struct Limits {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_pixels: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_pixels: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    total_pixels: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resized: Option<[usize; 2]>,
}

fn is_refused(damaged: &Damaged) -> bool {
    *damaged == Damaged::Refuse
}

fn yes() -> bool {
    true
}
fn twenty() -> usize {
    20
}
fn five() -> usize {
    5
}

impl SourceConfig {
    /// A source with nothing said beyond where and what it is.
    pub fn new(name: impl Into<String>, format: Format, path: impl Into<PathBuf>) -> SourceConfig {
        SourceConfig {
            name: name.into(),
            format,
            path: path.into(),
            make: None,
            media_root: None,
            media: true,
            media_prefix: None,
            weight: None,
            only: BTreeMap::new(),
            style: None,
            system: None,
            answers: Answers::All,
            reasoning: true,
            scene: false,
            sampling: None,
            damaged: Damaged::Refuse,
            image: PixelLimits::default(),
            video: PixelLimits::default(),
            columns: BTreeMap::new(),
        }
    }

    /// Whether a row is among those that `only` takes.
    pub(super) fn takes(&self, row: &Value) -> bool {
        self.only.iter().all(|(key, values)| row.get(key).is_some_and(|value| values.contains(value)))
    }

    /// Refuses what no file could make right. Opens nothing.
    pub fn check(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::Source { name: self.name.clone(), what });
        if self.name.trim().is_empty() {
            return refuse("a source without a name; give every source a name of its own".into());
        }
        if let Some(weight) = self.weight
            && !(weight.is_finite() && weight > 0.0)
        {
            return refuse(format!("weight: {weight}; give a number above 0, or leave the source out"));
        }
        match &self.make {
            None if self.path.as_os_str().is_empty() => {
                return refuse("path is missing; name the file".into());
            }
            Some(_) if !self.path.as_os_str().is_empty() => {
                return refuse("both path and make are given; keep one".into());
            }
            Some(_) if self.format != Format::World => {
                return refuse("make writes questions of format \"world\"; set it, or name a path".into());
            }
            Some(make) if make.seeds[0] >= make.seeds[1] || make.items == 0 || make.questions == 0 => {
                return refuse(format!(
                    "make: seeds {:?}, {} items and {} questions make nothing; give [first, end] and counts above 0",
                    make.seeds, make.items, make.questions
                ));
            }
            Some(make) if make.families.iter().any(|family| family.scope() == Scope::Days) => {
                return refuse(
                    "make: questions about days have no medium; name families of pictures and clips".into(),
                );
            }
            _ => {}
        }
        if !self.media && self.format != Format::ShareGpt {
            return refuse(format!(
                "media: only sharegpt rows mark media within their text, {} rows do not; leave media out",
                self.format.name()
            ));
        }
        if self.scene && self.format != Format::World {
            return refuse("scene: only questions of format \"world\" can ask for one; leave it out".into());
        }
        let whole = matches!(self.format, Format::ShareGpt | Format::Messages);
        if whole && self.style.is_some() {
            return refuse(format!("style: {} rows hold whole turns; leave style out", self.format.name()));
        }
        if whole && !self.reasoning {
            return refuse(format!("reasoning: {} rows hold whole turns; leave it out", self.format.name()));
        }
        Ok(())
    }
}
