//! What an answer looks like, how a question is put and how good a reply is: the published prompts of each reasoning
//! style, readers of every published answer format, metrics and rewards.
//!
//! This room knows no model, no tensor and no network: text in, values out.
#![deny(missing_docs)]

mod answer;
mod assignment;
pub mod benchmark;
mod boxes;
mod error;
pub mod format;
mod json;
mod likeness;
pub mod metric;
mod python;
mod reading;
pub mod reward;
pub mod runner;
mod scene;
mod score;
mod sections;
mod style;
mod template;
mod thoughts;

pub use answer::Answer;
pub use boxes::{BoundingBox, Coordinates, LabelledBox, boxes};
pub use error::{Error, Result};
pub use metric::overlap::{box_overlap, interval_overlap};
pub use reading::{letter, numbers};
pub use scene::{Relation, Scene, SceneObject};
pub use score::Score;
pub use sections::{Section, Splitter};
pub use style::{Kind, Prompt, Question, Style};
pub use template::fill;
