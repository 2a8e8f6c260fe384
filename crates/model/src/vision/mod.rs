//! What the vision towers of Qwen2-VL and Qwen2.5-VL share: patch geometry, attention over patches, the merger.
//! Their blocks and the order of their patches differ and live with each architecture.

mod attention;
pub mod config;
pub mod geometry;
mod merger;

pub use attention::{Attention, AttentionSaved, Place};
pub use merger::{Merger, MergerSaved};
