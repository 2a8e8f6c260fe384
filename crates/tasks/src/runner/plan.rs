//! What a run asks, and what it must be told about the world outside this room.

use std::path::PathBuf;

use firsthand_base::{PixelLimits, Sampling, SamplingOptions, StopRules};
use serde::{Deserialize, Serialize};

use crate::benchmark::Benchmark;
use crate::{Coordinates, Style};

/// One way of choosing frames.
#[derive(Clone, Debug, PartialEq)]
pub struct Frames {
    /// What rows call it.
    pub name: String,
    /// The rule.
    pub sampling: Sampling,
}

/// What is shown with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// What it is about.
    Media,
    /// Nothing: what the question gives away.
    Blind,
    /// Videos with their frames out of order; questions without a video are left out.
    Shuffled,
}

impl Shown {
    /// The name in rows and tables.
    pub fn name(self) -> &'static str {
        match self {
            Shown::Media => "media",
            Shown::Blind => "blind",
            Shown::Shuffled => "shuffled",
        }
    }
}

/// What a run asks.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Benchmarks and the folders of their files.
    pub benchmarks: Vec<(Benchmark, PathBuf)>,
    /// The ways of choosing frames, each asked about every item.
    pub frames: Vec<Frames>,
    /// Size limits of pictures.
    pub limits: PixelLimits,
    /// A published prompt in place of the benchmark's own.
    pub style: Option<Style>,
    /// Only so many items of each benchmark, the first ones.
    pub limit: Option<usize>,
    /// Whether every item is also asked about nothing.
    pub blind: bool,
    /// Whether every item about a video is also asked about its frames out of order.
    pub shuffled: bool,
    /// Whether multiple-choice items are asked once for every place of the right option, right only together.
    pub circular: bool,
    /// How tokens are chosen.
    pub sampling: SamplingOptions,
    /// When answers stop.
    pub stop: StopRules,
    /// Whether rows that failed before are asked again.
    pub retry_failed: bool,
}

/// What only those who open media and know the model can say. Errors are one line: what, where, remedy.
pub trait Outside {
    /// `[height, width]` of a medium's original pictures.
    fn size(&self, location: &str) -> Result<[usize; 2], String>;

    /// What the numbers of boxes in answers count, for pictures of these sizes, `[height, width]`.
    fn coordinates(&self, style: Style, original: [usize; 2], shown: [usize; 2]) -> Coordinates;

    /// What a judge replies to a system and a user turn; `None` where there is no judge.
    fn judge(&self, system: &str, user: &str) -> Option<Result<String, String>>;
}
