//! The prompts that published checkpoints were evaluated or trained with, byte for byte, as files in `prompts/`. A
//! style turns a question, its type and its options into the text of one user turn. Which frames a checkpoint saw is
//! not decided here.

use serde::{Deserialize, Serialize};

use crate::template::fill;
use crate::{Error, Result};

/// Whose prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// The question as it is.
    #[default]
    Plain,
    /// Video-R1, evaluation and inference prompt.
    VideoR1,
    /// Video-R1, the prompt of its training rows, which differs by two words. Options keep the letters they came with.
    VideoR1Training,
    /// ST-R1: the inference prompt for multiple choice, the training prompt for everything else.
    StR1,
    /// SpatialThinker, the prompt of its model card: the picture's size filled in, then question and options.
    #[serde(rename = "spatialthinker")]
    SpatialThinker,
    /// SpatialThinker, the prompt of its evaluation scripts, with the placeholders that they leave unfilled.
    #[serde(rename = "spatialthinker-eval-literal")]
    SpatialThinkerEvalLiteral,
    /// SpatialThinker, a long prompt in the order of its training rows: task, output, example, size, question. The rows of
    /// STVQA-7K carry the published words themselves, and are learned from with those.
    #[serde(rename = "spatialthinker-train")]
    SpatialThinkerTrain,
    /// EgoThinker: EgoTaskQA's prompt for multiple choice, the reinforcement prompts for intervals and boxes.
    #[serde(rename = "egothinker")]
    EgoThinker,
}

/// What kind of answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The letter of an option.
    MultipleChoice,
    /// A number.
    Numerical,
    /// Text read from the picture.
    Ocr,
    /// Words.
    FreeForm,
    /// A number scored by how close it is.
    Regression,
    /// A start and an end in seconds.
    Interval,
    /// A box around an object.
    Box,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 7] = {
        use Kind::*;
        [MultipleChoice, Numerical, Ocr, FreeForm, Regression, Interval, Box]
    };

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The name on command lines and in files.
    pub fn name(self) -> &'static str {
        match self {
            Kind::MultipleChoice => "multiple-choice",
            Kind::Numerical => "numerical",
            Kind::Ocr => "ocr",
            Kind::FreeForm => "free-form",
            Kind::Regression => "regression",
            Kind::Interval => "interval",
            Kind::Box => "box",
        }
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The question; for a box, the object; for an interval, the event.
    pub text: &'a str,
    /// What kind of answer is wanted.
    pub kind: Kind,
    /// The options, with or without their letters. Only for multiple choice.
    pub options: &'a [String],
    /// `[height, width]` of the first medium's original pictures, for [`Style::states_size`].
    pub size: Option<[usize; 2]>,
}

/// What is said to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// An explicit system turn. `None` leaves it to the chat template.
    pub system: Option<String>,
    /// Text of the user turn.
    pub user: String,
    /// Whether images and videos come before the text.
    pub media_first: bool,
}

impl Style {
    /// All of them.
    pub const ALL: [Style; 8] = {
        use Style::*;
        [
            Plain,
            VideoR1,
            VideoR1Training,
            StR1,
            SpatialThinker,
            SpatialThinkerEvalLiteral,
            SpatialThinkerTrain,
            EgoThinker,
        ]
    };

    /// Whether its prompt states the size of the first medium's original pictures. Boxes are then in pixels of these.
    pub fn states_size(self) -> bool {
        matches!(self, Style::SpatialThinker | Style::SpatialThinkerEvalLiteral | Style::SpatialThinkerTrain)
    }

    /// The name on command lines and in files.
    pub fn name(self) -> &'static str {
        match self {
            Style::Plain => "plain",
            Style::VideoR1 => "video-r1",
            Style::VideoR1Training => "video-r1-training",
            Style::StR1 => "st-r1",
            Style::SpatialThinker => "spatialthinker",
            Style::SpatialThinkerEvalLiteral => "spatialthinker-eval-literal",
            Style::SpatialThinkerTrain => "spatialthinker-train",
            Style::EgoThinker => "egothinker",
        }
    }

    /// The types of question the style has a prompt for.
    pub fn kinds(self) -> &'static [Kind] {
        use Kind::*;
        match self {
            Style::EgoThinker => &[MultipleChoice, Numerical, Ocr, FreeForm, Regression, Interval, Box],
            _ => &[MultipleChoice, Numerical, Ocr, FreeForm, Regression],
        }
    }

    /// Puts a question the way the style's authors did.
    pub fn prompt(self, question: &Question<'_>) -> Result<Prompt> {
        self.check(question)?;
        let (system, user) = match self {
            Style::Plain => (None, plain(question)),
            Style::VideoR1 => {
                let options = lettered(question.options, "", ". ");
                (None, video_r1(question, &options, include_str!("../prompts/video-r1.md"))?)
            }
            Style::VideoR1Training => {
                let options = lettered_as_they_came(question.options);
                (None, video_r1(question, &options, include_str!("../prompts/video-r1-training.md"))?)
            }
            Style::StR1 => (None, st_r1(question)?),
            Style::SpatialThinker => {
                (None, self.spatialthinker(question, include_str!("../prompts/spatialthinker.md"))?)
            }
            Style::SpatialThinkerEvalLiteral => {
                let file = include_str!("../prompts/spatialthinker-eval-literal.md");
                (None, self.spatialthinker(question, file)?)
            }
            Style::SpatialThinkerTrain => {
                (None, self.spatialthinker(question, include_str!("../prompts/spatialthinker-train.md"))?)
            }
            Style::EgoThinker => egothinker(question)?,
        };
        let text_first = self == Style::EgoThinker && matches!(question.kind, Kind::Interval | Kind::Box);
        Ok(Prompt { system, user, media_first: !text_first })
    }

    fn check(self, question: &Question<'_>) -> Result<()> {
        let (kind, count) = (question.kind, question.options.len());
        if !self.kinds().contains(&kind) {
            let known: Vec<_> = self.kinds().iter().map(|kind| kind.name()).collect();
            return Err(Error::NoPrompt { style: self.name(), kind: kind.name(), known: known.join(", ") });
        }
        let remedy = match (kind, count) {
            (Kind::MultipleChoice, 0 | 1) => "give two options or more",
            (Kind::MultipleChoice, 27..) => "give at most 26 options, one per letter",
            (Kind::MultipleChoice, _) if question.options.iter().any(|option| option.trim().is_empty()) => {
                "one option is empty; give every option words"
            }
            (Kind::MultipleChoice, _) | (_, 0) => return Ok(()),
            _ => "give options only with multiple-choice questions",
        };
        Err(Error::Options { kind: kind.name(), count, remedy })
    }

    fn spatialthinker(self, question: &Question<'_>, file: &str) -> Result<String> {
        let [height, width] = question.size.ok_or(Error::NoSize { style: self.name() })?;
        let text = match question.kind {
            Kind::MultipleChoice => {
                format!("{}\nOptions:\n{}", question.text, lettered(question.options, "(", ") ").join("\n"))
            }
            _ => question.text.to_owned(),
        };
        let values =
            [("width", &*width.to_string()), ("height", &*height.to_string()), ("question", text.as_str())];
        fill(file, &values)
    }
}

fn plain(question: &Question<'_>) -> String {
    match question.kind {
        Kind::MultipleChoice => {
            format!("{}\n{}", question.text, lettered(question.options, "", ". ").join("\n"))
        }
        _ => question.text.to_owned(),
    }
}

fn video_r1(question: &Question<'_>, options: &[String], file: &str) -> Result<String> {
    let mut text = question.text.to_owned();
    if question.kind == Kind::MultipleChoice {
        // The published code puts nothing before `Options:`.
        text.push_str("Options:\n");
        for option in options {
            text.push_str(option);
            text.push('\n');
        }
    }
    let suffix = match question.kind {
        Kind::MultipleChoice => include_str!("../prompts/video-r1-multiple-choice.md"),
        Kind::Numerical | Kind::Regression => include_str!("../prompts/video-r1-numerical.md"),
        Kind::Ocr => include_str!("../prompts/video-r1-ocr.md"),
        _ => include_str!("../prompts/video-r1-free-form.md"),
    };
    let values = [("question", text.as_str()), ("suffix", &fill(suffix, &[])?)];
    fill(file, &values)
}

/// Options that all have their letters, untouched; others get them.
fn lettered_as_they_came(options: &[String]) -> Vec<String> {
    let has = |(option, letter): (&String, char)| without_letter(option, &letter.to_string()).is_some();
    match options.iter().zip('A'..='Z').all(has) {
        true => options.to_vec(),
        false => lettered(options, "", ". "),
    }
}

fn st_r1(question: &Question<'_>) -> Result<String> {
    match question.kind {
        Kind::MultipleChoice => {
            let options = lettered(question.options, "", ". ").join("\n");
            let values = [("question", question.text), ("options", options.as_str())];
            fill(include_str!("../prompts/st-r1-multiple-choice.md"), &values)
        }
        _ => fill(include_str!("../prompts/st-r1.md"), &[("question", question.text)]),
    }
}

fn egothinker(question: &Question<'_>) -> Result<(Option<String>, String)> {
    let values = [("question", question.text)];
    let user = match question.kind {
        Kind::Interval => {
            return Ok((None, fill(include_str!("../prompts/egothinker-interval.md"), &values)?));
        }
        Kind::Box => return Ok((None, fill(include_str!("../prompts/egothinker-box.md"), &values)?)),
        Kind::MultipleChoice => {
            let options = lettered(question.options, "", ": ").join("\n");
            let values = [("question", question.text), ("options", options.as_str())];
            fill(include_str!("../prompts/egothinker-multiple-choice.md"), &values)?
        }
        _ => question.text.to_owned(),
    };
    Ok((Some(fill(include_str!("../prompts/egothinker-system.md"), &[])?), user))
}

/// The options with the letters of one style. Letters they came with (`A. `, `(A) `, `A) `, `A: `) are replaced,
/// if all of them have the right one.
fn lettered(options: &[String], before: &str, after: &str) -> Vec<String> {
    let letters = || ('A'..='Z').map(String::from);
    let bare: Option<Vec<&str>> =
        options.iter().zip(letters()).map(|(option, letter)| without_letter(option, &letter)).collect();
    let bare = bare.unwrap_or_else(|| options.iter().map(|option| option.trim()).collect());
    bare.into_iter().zip(letters()).map(|(text, letter)| format!("{before}{letter}{after}{text}")).collect()
}

pub(crate) fn without_letter<'a>(option: &'a str, letter: &str) -> Option<&'a str> {
    let option = option.trim();
    let rest = match option.strip_prefix('(') {
        Some(inner) => inner.strip_prefix(letter)?.strip_prefix(')')?,
        None => option.strip_prefix(letter)?.strip_prefix(['.', ')', ':'])?,
    };
    Some(rest.trim())
}

#[cfg(test)]
#[path = "style_tests.rs"]
mod tests;
