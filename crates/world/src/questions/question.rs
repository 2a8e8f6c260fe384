//! A question with its answer, its reasons and what is true of the picture it is about. Plain data: who asks and
//! how a file spells it is decided elsewhere.

use serde::{Deserialize, Serialize};

use super::Family;

/// Ends a question that wants an observation and a scene graph before the reasons.
const WITH_SCENE: &str = "answer with a scene .";

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    /// One picture.
    Frame {
        /// Day, from 1.
        day: u32,
        /// Seconds since midnight.
        time_s: f64,
    },
    /// A stretch of video.
    Clip {
        /// Day, from 1.
        day: u32,
        /// Its start, seconds since midnight.
        start_s: f64,
        /// Its length.
        seconds: f64,
    },
    /// Everything lived before the query.
    Days {
        /// When the question is asked; nothing later may be used.
        query: Clock,
        /// When the deciding moment was.
        target: Clock,
    },
}

/// A moment of a life.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Clock {
    /// Day, from 1.
    pub day: u32,
    /// Seconds since midnight.
    pub time_s: f64,
}

/// How an answer looks and is scored, in Video-R1's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ProblemType {
    /// A letter.
    #[serde(rename = "multiple choice")]
    MultipleChoice,
    /// A number that is right or wrong.
    #[serde(rename = "numerical")]
    Numerical,
    /// Text read from the picture.
    #[serde(rename = "OCR")]
    Ocr,
    /// Words.
    #[serde(rename = "free-form")]
    FreeForm,
    /// A number scored by how near it is.
    #[serde(rename = "regression")]
    Regression,
}

/// The right answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gold {
    /// Index into the options.
    Option(usize),
    /// A number.
    Number(f64),
    /// Words.
    Text(String),
    /// Start and end, seconds from the start of the clip.
    Span([f64; 2]),
    /// `[x1, y1, x2, y2]` in pixels of the picture.
    Box([u32; 4]),
}

/// A thing of a scene graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// `<name>.<number>`, words joined by `_`.
    pub id: String,
    /// `[x1, y1, x2, y2]` in pixels of the picture.
    pub bbox: [u32; 4],
}

/// How one thing stands to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Id of the first.
    pub subject: String,
    /// What holds between them.
    pub predicate: String,
    /// Id of the second.
    pub object: String,
}

/// The part of a scene that a question is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// The things.
    pub objects: Vec<Node>,
    /// Relations between them.
    pub relationships: Vec<Link>,
}

/// A question about a world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Unique among all worlds: seed, moment, family and kind.
    pub id: String,
    /// Its family.
    pub family: Family,
    /// Which of the family's questions, e.g. `left or right`.
    pub kind: String,
    /// What it is about.
    pub medium: Medium,
    /// How its answer looks.
    pub problem_type: ProblemType,
    /// The question, without options; for a box the thing, for an interval the event.
    pub question: String,
    /// Options without letters; empty unless a letter is wanted.
    pub options: Vec<String>,
    /// The answer.
    pub answer: Gold,
    /// How often a guess is right.
    pub chance: f64,
    /// Reasons without tags; they end in the answer.
    pub think: String,
    /// What is seen, for single frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observe: Option<String>,
    /// The scene, for single frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene: Option<Graph>,
}

impl Question {
    /// The letter of the right option.
    pub fn letter(&self) -> Option<char> {
        match self.answer {
            Gold::Option(i) => Some(letter(i)),
            _ => None,
        }
    }

    /// What goes between the answer tags: a letter, a number, words, `(start,end)` or `[x1, y1, x2, y2]`.
    pub fn answer_text(&self) -> String {
        match &self.answer {
            Gold::Option(i) => letter(*i).to_string(),
            Gold::Number(value) => number(*value),
            Gold::Text(text) => text.clone(),
            Gold::Span([start, end]) => format!("({start:.2},{end:.2})"),
            Gold::Box([x1, y1, x2, y2]) => format!("[{x1}, {y1}, {x2}, {y2}]"),
        }
    }

    /// The right option with its letter, `(B) red cup`; other answers as they are.
    pub fn option_text(&self) -> String {
        match self.answer {
            Gold::Option(i) => format!("({}) {}", letter(i), self.options[i]),
            _ => self.answer_text(),
        }
    }

    /// The question followed by its options, one `A. red cup` to a line.
    pub fn prompt(&self) -> String {
        let mut text = self.question.clone();
        for (i, option) in self.options.iter().enumerate() {
            text.push_str(&format!("\n{}. {option}", letter(i)));
        }
        text
    }

    /// The prompt of a question that wants an observation and a scene graph before the reasons; `None` where there is
    /// nothing to draw.
    pub fn scene_prompt(&self) -> Option<String> {
        let drawn =
            self.observe.is_some() && self.scene.as_ref().is_some_and(|scene| !scene.objects.is_empty());
        drawn.then(|| format!("{}\n{WITH_SCENE}", self.prompt()))
    }

    /// The reasons; of a choice they name each option before its letter and end in the right one with its letter. A
    /// small model copies a letter from beside the words within minutes, and did not learn in any time given to it
    /// to fetch it from before them.
    pub fn reasons(&self) -> String {
        let Some(right) = self.letter() else { return self.think.clone() };
        let options: Vec<String> =
            self.options.iter().enumerate().map(|(i, option)| format!("{option} {}", letter(i))).collect();
        let (facts, decision) = self.think.rsplit_once(" . so ").unwrap_or(("", &self.think));
        format!("{facts} . {} . so {decision} {right}", options.join(" , "))
    }

    /// The whole reply in the family's tags: with observation and scene for a picture of SpatialThinker's kind,
    /// reasons and answer alone otherwise.
    pub fn completion(&self) -> String {
        match (&self.observe, &self.scene) {
            (Some(observe), Some(scene)) => format!(
                "<observe>{observe}</observe>\n<scene>{}</scene>\n<think>{}</think>\n<answer>{}</answer>",
                scene.json(),
                self.reasons(),
                self.option_text()
            ),
            _ => self.short_completion(),
        }
    }

    /// Reasons and answer alone.
    pub fn short_completion(&self) -> String {
        format!("<think>{}</think>\n<answer>{}</answer>", self.reasons(), self.answer_text())
    }
}

impl Graph {
    /// The graph as one line of JSON.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("strings and whole numbers are JSON")
    }
}

/// The letter of an option.
pub(crate) fn letter(index: usize) -> char {
    char::from(b'A' + index as u8)
}

/// Whole numbers without a point, others with one decimal.
pub(crate) fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}
