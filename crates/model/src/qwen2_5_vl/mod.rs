//! Qwen2.5-VL: a vision tower with RMS norms, SwiGLU and attention windows, in front of the shared decoder.

pub mod config;
pub mod vision;
