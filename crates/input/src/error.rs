//! What can go wrong between a conversation and model input. One line each: what, where, remedy.

use std::path::{Path, PathBuf};

/// A failure of this room.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Message JSON that is not in the reference format. `at` is a path such as `messages[2].content[0].fps`.
    #[error("{at}: {what}")]
    Message {
        /// Where in the messages.
        at: String,
        /// What is wrong and what would be right.
        what: String,
    },
    /// A file of the checkpoint that is missing, unreadable, or says something unsupported.
    #[error("{path}: {what}", path = path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong and the remedy.
        what: String,
    },
    /// A file that the system would not give; its name is in the message.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A conversation this checkpoint cannot take.
    #[error("{0}")]
    Conversation(String),
    /// Media that cannot be opened.
    #[error(transparent)]
    Media(#[from] firsthand_media::Error),
}

/// `std::result::Result` with this room's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn checkpoint(path: &Path, what: impl Into<String>) -> Self {
        Error::Checkpoint { path: path.to_path_buf(), what: what.into() }
    }

    pub(crate) fn message(at: impl Into<String>, what: impl Into<String>) -> Self {
        Error::Message { at: at.into(), what: what.into() }
    }
}

/// A foreign error as one line: later lines are joined, and a very long text is cut.
pub(crate) fn one_line(error: impl std::fmt::Display) -> String {
    let joined = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    match joined.char_indices().nth(300) {
        Some((end, _)) => format!("{}...", &joined[..end]),
        None => joined,
    }
}
