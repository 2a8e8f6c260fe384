//! Training: data, supervised fine-tuning, optimizer and checkpoints.
//!
//! This room knows no network.
#![deny(missing_docs)]

pub mod data;
