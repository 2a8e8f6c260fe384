//! Conversation to model input, and tokens to text: chat template, tokenizer, patches and positions, for one
//! checkpoint. What it makes equals, bit for bit, what the reference library makes of the same conversation.
//!
//! This room knows no tensors and runs no model; pictures come decoded and resized from `media`.
#![deny(missing_docs)]

mod answered;
mod config;
mod continued;
mod error;
mod json;
mod manifest;
mod marked;
mod messages;
mod positions;
mod preprocess;
mod python;
mod renderer;
mod template;
mod template_file;
mod tokenizer;
mod tools;

pub use answered::Answered;
pub use config::{Broken, Family, GenerationDefaults};
pub use error::{Error, Result};
pub use manifest::manifest;
pub use marked::MarkedTokenizer;
pub use messages::{read_message_list, read_messages};
pub use positions::{TextAfter, VideoTime};
pub use python::dumps as python_json;
pub use renderer::{RenderOptions, Renderer};
pub use tokenizer::Tokenizer;
pub use tools::described as tools_in_words;
