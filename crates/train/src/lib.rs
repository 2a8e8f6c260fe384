//! Training: data, supervised fine-tuning, optimizer and checkpoints.
//!
//! This room knows no network.
#![deny(missing_docs)]

pub mod checkpoint;
pub mod data;
pub mod error;
pub mod example;
pub mod features;
pub mod feed;
pub mod guard;
pub mod init;
mod journey;
pub mod left_out;
pub mod memory;
pub mod merge;
pub mod metrics;
pub mod optimizer;
pub mod pack;
pub mod phase;
pub mod recipe;
pub mod rl;
mod rows;
pub mod run;
pub mod schedule;
pub mod vision_words;

pub use error::{Result, TrainError};
pub use merge::merge;
pub use recipe::Recipe;
pub use run::{Outcome, Outline, Run, Watch};
