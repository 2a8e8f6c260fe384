//! The door to the network: OpenAI-compatible HTTP over the one front end, so that a served answer has the frames, the
//! tokens and the numbers of `ask`. The only room that knows an async runtime, and other people's JSON over HTTP.
//!
//! One thread owns the model and drains a bounded channel; handlers wait on channels of their own. Media are opened in
//! processes that can be killed. What a request may cost is bounded before it is spent.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod app;
mod chat;
mod days;
mod error;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod gauges;
mod http;
mod live;
mod log;
mod mcp;
mod mcp_lines;
mod media;
mod options;
mod page;
mod queue;
mod rates;
mod refusal;
mod routes;
mod server;
mod state;
mod worker;

pub use app::{Encode, TextEncoder};
pub use days::{Days, Looker, OpenDays};
pub use error::{Error, Result};
pub use live::{Remember, Seen};
pub use media::worker::open_media;
pub use options::{Limits, LiveLimits, MediaLimits, RateLimits, ServeOptions};
pub use page::Shown;
pub use server::{Beside, serve, serve_stdio};
pub use worker::{Embed, Loaded};
