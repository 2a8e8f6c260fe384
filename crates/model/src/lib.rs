//! Models: layers with forward and backward passes, one folder per architecture, weights from published
//! checkpoint directories, devices, and the runner that the engine drives.
//!
//! This room knows no text and opens no media: it takes `base::ModelInput` and gives logits, losses and gradients.

pub mod adapter;
pub mod backend;
pub mod bert;
pub mod config;
pub mod decoder;
pub mod error;
pub mod layers;
pub mod model;
mod pack;
pub mod parameters;
pub mod parts;
pub mod plan;
pub mod qwen2;
pub mod qwen2_5_vl;
pub mod qwen2_vl;
pub mod runner;
pub mod tower;
mod training;
pub mod vision;
pub mod weights;

pub use adapter::AdapterConfig;
pub use backend::{Order, Precision};
pub use config::Config;
pub use decoder::Keep;
pub use error::ModelError;
pub use model::{Checkpoint, LoadOptions, Model};
pub use parameters::{Parameter, Part};
pub use parts::Gradients;
pub use plan::{Plan, Workload};
pub use runner::{CacheOptions, ModelRunner};
pub use tower::Tower;
pub use training::{Example, Known, Loss, Training, next_tokens};
pub use weights::{Dtype, Quantize};

#[cfg(test)]
mod tests;
