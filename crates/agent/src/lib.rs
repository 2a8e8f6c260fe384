//! Answers questions about days of someone's video by looking for evidence: a model thinks, calls a tool, reads what it
//! found, and answers; everything it did is kept and can be done again.
//!
//! This room makes no text of its own and knows no tensor. It speaks to models through `Generate`, to recordings
//! through `media`, to records through `memory`. The clock is the question's: nothing later reaches any tool.
#![deny(missing_docs)]

pub mod cott;
mod episode;
mod error;
#[cfg(test)]
mod faults_tests;
pub mod footage;
mod investigate;
mod memories;
mod page;
mod prompt;
mod question;
pub mod routes;
mod schema;
#[cfg(test)]
mod scripted_memory;
#[cfg(test)]
mod scripted_tools;
mod seeker;
mod tool;
mod toolbox;
pub mod tools;
mod trace;

pub use episode::{Budgets, Cost, Done, Episode, Over, Said, Spent, TERMINATE, information};
pub use error::{Error, Result};
pub use investigate::{Event, Manner, investigate, regenerate, speak, summarize};
pub use memories::{Memories, SharedMemory, wearer_named};
pub use page::{Thumbnail, page};
pub use prompt::Prompt;
pub use question::{Question, Verdict};
pub use seeker::Seeker;
pub use tool::{
    Call, Called, Context, Description, Evidence, Observation, Outcome, Seen, Tool, ToolError, Tools, Trouble,
};
pub use toolbox::{CallRules, Toolbox};
pub use trace::{Summary, Trace, TracedTurn};
