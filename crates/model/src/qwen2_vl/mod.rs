//! Qwen2-VL: a vision tower with layer norms and full attention per temporal slice, in front of the shared
//! decoder.

pub mod config;
pub mod vision;
