//! What can keep a server from starting or end it. What a request does wrong is `refusal.rs`.

use std::path::PathBuf;

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Options that are unsafe or cannot work.
    #[error("{what}\nhint: {remedy}")]
    Options {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The address cannot be taken.
    #[error("cannot listen on {address}: {reason}\nhint: choose another --port, or 0 for a free one")]
    Listen {
        /// Where.
        address: String,
        /// The system's reason.
        reason: String,
    },
    /// The folder of uploads and live sessions cannot be used.
    #[error("cannot use the folder {}: {reason}\nhint: name another one with --state", path.display())]
    Files {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// The model cannot be loaded, or has failed for good.
    #[error("{0}")]
    Model(String),
    /// The system refuses what every server needs.
    #[error("cannot start the server: {0}")]
    System(String),
}
