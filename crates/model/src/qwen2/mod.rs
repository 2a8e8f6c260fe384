//! Qwen2 and Qwen2.5 text models: the shared decoder alone.

pub mod config;
