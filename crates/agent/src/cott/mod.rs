//! Reasoning traces to learn from: a teacher answers questions with the tools, one file a question; what is good enough
//! becomes rows for supervised training and for reinforcement learning.
//!
//! A run that was killed goes on where it was. What failed is written down and tried again the next time; it never
//! becomes a row.

mod export;
mod filter;
mod lessons;
mod observations;
mod plain_rows;
mod questions;
mod record;
mod run;
mod statistics;

pub use export::{Exported, alpaca, export, rl_rows, share_gpt};
pub use filter::{Filter, Rejected};
pub use observations::{Observations, Seeing};
pub use plain_rows::{PlainRows, plain_rows};
pub use questions::{Asked, read_ids, read_questions};
pub use record::{Failure, RawStep, Record};
pub use run::{Generation, ModelTeacher, SeekerTeacher, Teacher};
pub use statistics::Statistics;
