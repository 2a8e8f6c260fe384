//! The words of the project as types, and the traits that let rooms meet without knowing each other: [`Render`]
//! (conversation to model input, tokens to text), [`Generate`] (conversation in, text out) and [`Report`] (how far long
//! work is).
//!
//! This room knows no codec, no tokenizer, no tensor and no network. Foreign formats are read at the edges
//! (`input` reads messages, `model` reads checkpoints) and become these types there.
#![deny(missing_docs)]

mod conversation;
mod frame;
mod generate;
mod hash;
mod input;
pub mod json;
mod manifest;
mod moment;
mod patches;
mod report;
mod sampling;
mod time;
mod trace;

pub use conversation::{Conversation, ImagePart, Message, Part, Role, VideoPart, VideoSource};
pub use frame::{FrameId, MediumId};
pub use generate::{
    Finish, Generate, GenerateError, Generation, Render, Rendered, SamplingOptions, StopRules, settings,
};
pub use hash::Digest;
pub use input::{ModelInput, Position, VisionItem, VisionKind};
pub use manifest::Manifest;
pub use moment::{Moment, MomentError};
pub use patches::{CHANNELS, Levels, Patches};
pub use report::{Begun, Report, Silent, Unit};
pub use sampling::{Damaged, PixelLimits, ResizeMode, Sampling, Span};
pub use time::MediaTime;
pub use trace::{Trace, Turn};
