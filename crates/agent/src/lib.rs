//! Answers questions about days of someone's video by looking for evidence: a model thinks, calls a tool, reads what it
//! found, and answers; everything it did is kept and can be done again.
//!
//! This room makes no text of its own and knows no tensor. It speaks to models through `Generate`, to recordings
//! through `media`, to records through `memory`. The clock is the question's: nothing later reaches any tool.
#![deny(missing_docs)]

mod episode;
mod error;
mod prompt;
mod question;
mod schema;
#[cfg(test)]
mod scripted_tools;
mod tool;
mod toolbox;

pub use episode::{Budgets, Cost, Done, Episode, Over, Said, Spent, TERMINATE, information};
pub use error::{Error, Result};
pub use prompt::Prompt;
pub use question::{Question, Verdict};
pub use tool::{
    Call, Called, Context, Description, Evidence, Observation, Outcome, Tool, ToolError, Tools, Trouble,
};
pub use toolbox::{CallRules, Toolbox};
