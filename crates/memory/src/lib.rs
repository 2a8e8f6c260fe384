//! The memory of a wearer's days: records from clips to weeks in a store, search that knows the time, forgetting that
//! leaves no byte, and the published memory files.
//!
//! This room knows no tensor and no HTTP. Captions and summaries are written by whoever holds a model; vectors come
//! from an [`Embed`]; other stores implement [`Store`]. What ends after the clock of a question is never shown.
#![deny(missing_docs)]

pub mod build;
mod check;
mod cut;
mod error;
mod extract;
mod fold;
mod forget;
#[cfg(test)]
mod forget_scripts_tests;
#[cfg(test)]
mod forget_tests;
mod intent;
mod memory;
#[cfg(test)]
mod memory_tests;
mod names;
mod postgres;
mod proof;
pub mod published;
mod query;
mod recall;
#[cfg(test)]
mod recall_tests;
mod record;
mod replace;
mod script;
mod sqlite;
mod stem;
mod store;
#[cfg(test)]
mod store_tests;
mod terms;

pub use check::Fault;
pub use error::{Error, Result};
pub use forget::{Forgotten, Selection};
pub use intent::{Intent, Missed, Order, Weekday};
pub use memory::Memory;
pub use postgres::PostgresStore;
pub use proof::Proof;
pub use query::{By, Hit, Parts, Query};
pub use record::{Evidence, Level, Record, RecordId, State};
pub use sqlite::SqliteStore;
pub use stem::stem;
pub use store::{Change, Counts, Embed, Encoder, Glance, Scope, Store, Term};
pub use terms::{TERMS_VERSION, terms, words};
