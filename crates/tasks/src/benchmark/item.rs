//! One question of a benchmark with everything a run needs: media named but not opened, options, the gold answer, the
//! groups it counts in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::description::Benchmark;
use crate::{Kind, Prompt, Question, Style};

/// What a medium is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A video.
    Video,
    /// A folder of pictures in order.
    Frames,
    /// A folder of recordings, days of a life.
    Days,
}

/// A medium, named.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaRef {
    /// A path, or a `data:` location.
    pub path: String,
    /// What it is.
    pub kind: MediaKind,
    /// Where its part begins, in seconds.
    pub start: Option<f64>,
    /// Where its part ends, in seconds.
    pub end: Option<f64>,
    /// Pictures per second of a folder of frames.
    pub fps: Option<f64>,
}

/// The gold answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Gold {
    /// Index of the right option.
    Choice(usize),
    /// A number.
    Number(f64),
    /// Words.
    Text(String),
    /// Start and end in seconds.
    Interval([f64; 2]),
    /// `[x1, y1, x2, y2]` in the frame that the benchmark's answers state.
    Box([f64; 4]),
}

impl Gold {
    /// As a model would write it: a letter, a number, words, `(start,end)`, `[x1, y1, x2, y2]`.
    pub fn text(&self) -> String {
        match self {
            Gold::Choice(index) => letter(*index),
            Gold::Number(number) => number.to_string(),
            Gold::Text(text) => text.clone(),
            Gold::Interval([start, end]) => format!("({start:.2},{end:.2})"),
            Gold::Box(corners) => format!("{corners:?}"),
        }
    }
}

/// The letter of an option.
pub(super) fn letter(index: usize) -> String {
    u8::try_from(index)
        .ok()
        .filter(|index| *index < 26)
        .map_or(String::new(), |i| char::from(b'A' + i).into())
}

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its name; no other item of the benchmark has it.
    pub id: String,
    /// What it is about, in the order in which it is shown.
    pub media: Vec<MediaRef>,
    /// The question without its options.
    pub question: String,
    /// The options as the file has them, with or without letters. Only of multiple choice.
    pub options: Vec<String>,
    /// What is right.
    pub gold: Gold,
    /// The gold answer as the file writes it; numerical rewards look at its decimals.
    pub answer: String,
    /// The type of answer.
    pub kind: Kind,
    /// Names of its groups; `type` is among them.
    pub groups: BTreeMap<String, String>,
    /// What its neighbours share: the video, unless the benchmark says otherwise.
    pub cluster: String,
    /// Items of one such name are right only together.
    pub together: Option<String>,
    /// When it is asked; nothing later may be looked at.
    pub asked_at: Option<String>,
    /// The prompt in the benchmark's own words, where it has some; see [`Item::prompt`].
    pub own_prompt: Option<Prompt>,
    /// What a judge is told before and after the prediction.
    pub judge: Option<[String; 2]>,
    /// The file it is in.
    pub file: PathBuf,
    /// Where in the file, from 1; in tables of the caller the row.
    pub line: usize,
}

impl Item {
    /// How the question is put: in the given style, else in the benchmark's words or published style, else plainly.
    /// `size` is `[height, width]` of the first medium's original pictures, which one style states.
    pub fn prompt(
        &self,
        benchmark: &Benchmark,
        style: Option<Style>,
        size: Option<[usize; 2]>,
    ) -> crate::Result<Prompt> {
        if let (None, Some(prompt)) = (style, &self.own_prompt) {
            return Ok(prompt.clone());
        }
        let question = Question { text: &self.question, kind: self.kind, options: &self.options, size };
        style.or(benchmark.prompt.style).unwrap_or_default().prompt(&question)
    }

    /// The same question with its options moved `by` places on, the last ones first, for circular accuracy. The own
    /// prompt, which holds the options in their order, is left out. Other types than multiple choice have no turns.
    pub fn turned(&self, by: usize) -> Option<Item> {
        let Gold::Choice(right) = self.gold else { return None };
        let count = self.options.len();
        let mut turned = self.clone();
        turned.options = bare(&self.options);
        turned.options.rotate_right(by % count);
        turned.gold = Gold::Choice((right + by) % count);
        (turned.answer, turned.own_prompt, turned.judge) = (turned.gold.text(), None, None);
        turned.together = Some(self.id.clone());
        turned.id = format!("{}~{}", self.id, by % count);
        Some(turned)
    }
}

/// The options without their letters, if all of them have the right one.
pub(super) fn bare(options: &[String]) -> Vec<String> {
    let without: Option<Vec<String>> = options
        .iter()
        .enumerate()
        .map(|(index, option)| unlettered(option, index).map(str::to_owned))
        .collect();
    without.unwrap_or_else(|| options.to_vec())
}

pub(super) fn unlettered(option: &str, index: usize) -> Option<&str> {
    crate::style::without_letter(option, &letter(index))
}
