//! Generation as policy: which sequence runs when, which cache blocks are whose, which token is chosen, when to
//! stop. Everything over the trait [`Runner`]; this room knows no tensors, no tokenizer and no media.
//!
//! [`Engine`] turns token ids into token ids; [`Local`] adds a [`Render`](firsthand_base::Render) and speaks
//! conversations.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod blocks;
mod distribution;
mod engine;
mod error;
mod features;
mod local;
mod runner;
mod sampler;
mod scheduler;
mod sequence;
mod text;
#[cfg(test)]
mod toy;

pub use engine::{Engine, EngineOptions, Event, Stats, Summary};
pub use error::{Error, Result, RunnerError};
pub use local::{Answer, Local, Request, Told, Update};
pub use runner::{Limits, Row, Runner, VisionSlot};
pub use sampler::{TokenMask, Wishes};
pub use sequence::{SequenceId, Timing};
