//! The words in which a description says how answers are scored. What the words compute is the metrics' business.

use serde::{Deserialize, Serialize};

use super::expression::Expression;
use crate::{Coordinates, Kind};

/// How an answer is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Right or wrong.
    Accuracy,
    /// The same words, letters' case and outer marks aside.
    ExactMatch,
    /// Right or wrong, read by TempCompass's published rules where they read a reply.
    #[serde(rename = "tempcompass")]
    TempCompass,
    /// Mean relative accuracy as VSI-Bench publishes it.
    Mra,
    /// Mean relative accuracy as Video-R1 computes it.
    MraVideoR1,
    /// One minus the word error rate.
    Wer,
    /// Mean of ROUGE-1, ROUGE-2 and ROUGE-L.
    Rouge,
    /// Overlap of boxes.
    Iou,
    /// Overlap of intervals.
    TemporalIou,
    /// What a judge says.
    Judge,
}

impl Metric {
    /// How answers of a type are scored unless their benchmark says otherwise.
    pub fn usual(kind: Kind) -> Metric {
        match kind {
            Kind::MultipleChoice | Kind::Numerical => Metric::Accuracy,
            Kind::Ocr => Metric::Wer,
            Kind::FreeForm => Metric::Rouge,
            Kind::Regression => Metric::Mra,
            Kind::Interval => Metric::TemporalIou,
            Kind::Box => Metric::Iou,
        }
    }
}

/// How a file says which option is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Its letter: `B`, `(B)`, `b`, `B. text`.
    #[default]
    Letter,
    /// Its number from 0.
    Index,
    /// Its words, with or without the letter.
    Words,
}

/// What the numbers of gold boxes count; pixels are those of the original picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Frame {
    /// Pixels.
    Pixels,
    /// Fractions of the sides.
    Unit,
    /// Thousandths of the sides.
    Thousand,
}

impl Frame {
    /// The frame for a picture of this size, `[height, width]`.
    pub fn coordinates(self, [height, width]: [usize; 2]) -> Coordinates {
        match self {
            Frame::Pixels => Coordinates::Pixels { height: height as f64, width: width as f64 },
            Frame::Unit => Coordinates::Unit,
            Frame::Thousand => Coordinates::Thousand,
        }
    }
}

/// How a judge is asked about one answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judge {
    /// The system turn.
    pub system: String,
    /// The user turn before the prediction: keys of the row, `{item.question}`, `{item.answer}`.
    pub before: Expression,
    /// The user turn after the prediction.
    pub after: Expression,
    /// Names of the scores that the judge gives, in a Python or JSON object; their mean counts.
    pub scores: Vec<String>,
    /// The best of each; the item's score is the mean over this.
    pub most: f64,
}
