//! Models: layers with forward and backward passes, one folder per architecture, weights from published
//! checkpoint directories, devices, and the runner that the engine drives.
//!
//! This room knows no text and opens no media: it takes `base::ModelInput` and gives logits, losses and gradients.

pub mod backend;
pub mod config;
pub mod decoder;
pub mod error;
pub mod layers;
pub mod model;
pub mod parts;
pub mod plan;
pub mod qwen2;
pub mod qwen2_5_vl;
pub mod qwen2_vl;
pub mod runner;
pub mod tower;
pub mod vision;
pub mod weights;

pub use config::Config;
pub use error::ModelError;
pub use model::{Checkpoint, Example, LoadOptions, Model, Training, next_tokens};
pub use plan::{Plan, Workload};
pub use runner::{CacheOptions, ModelRunner};
pub use weights::{Dtype, Quantize};

#[cfg(test)]
mod tests;
