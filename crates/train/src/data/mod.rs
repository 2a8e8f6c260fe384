//! Training data: files in published formats become rows, rows become batches in an order that any step can
//! compute for itself, and a loader prepares them ahead of the trainer.
//!
//! A row that cannot be used is named and counted, never replaced by another. Nothing here downloads, and nothing
//! here knows gradients.

mod config;
mod dataset;
mod ego_r1;
mod fields;
mod media;
mod messages;
mod order;
mod row;
mod share_gpt;
mod source;
mod st_r1;
mod store;
mod stvqa;
mod table;
mod tools;
mod video_r1;
mod world;

pub use config::{Answers, Format, MakeQuestions, SourceConfig};
pub use dataset::Dataset;
pub use order::{Order, OrderOptions};
pub use row::{At, BadRow, Error, Result, Row, RowId};
pub use table::table_rows;
pub use world::make as make_questions;

#[cfg(test)]
mod tests;
