//! Why a memory cannot be read, written or asked. Every message says what, where, and the remedy where there is one.

use std::path::PathBuf;

/// A failure of this room.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no memory in the folder.
    #[error("{} is not a memory: {reason}", path.display())]
    NotAMemory {
        /// The folder.
        path: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
    /// The store itself failed or is damaged.
    #[error("the memory in {location} failed: {reason}")]
    Store {
        /// The folder or database.
        location: String,
        /// The store's own reason.
        reason: String,
    },
    /// A level that does not exist.
    #[error("there is no level {name:?}; levels are clip, 10min, hour, day and week")]
    Level {
        /// What was asked for.
        name: String,
    },
    /// A record that cannot be kept.
    #[error("cannot keep the {what}: {reason}")]
    Record {
        /// Which record.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A question that cannot be answered as asked.
    #[error("cannot search: {0}")]
    Query(String),
    /// Vectors of one encoder cannot be compared with those of another.
    #[error(
        "the vectors of this memory are {kept}, not {given}; use that encoder, or drop the vectors first"
    )]
    Encoder {
        /// The encoder whose vectors are stored.
        kept: String,
        /// The encoder at hand.
        given: String,
    },
    /// The encoder failed.
    #[error("cannot encode a text: {0}")]
    Embed(String),
    /// A build could not go on for now.
    #[error("{0}")]
    Stopped(String),
    /// A published memory file that cannot be read.
    #[error("cannot read {location}: {reason}")]
    File {
        /// The file, and the row where it is known.
        location: String,
        /// What is wrong.
        reason: String,
    },
    /// Something that was to be forgotten is still there.
    #[error("not all is forgotten: {0}")]
    NotForgotten(String),
    /// A file system operation failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Result of this room.
pub type Result<T> = std::result::Result<T, Error>;
