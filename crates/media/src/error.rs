//! Why a medium cannot be used. Every message names the medium and, where there is one, the remedy.

use std::path::PathBuf;

/// A failure of this room. One line, lower case, what, where, remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is missing or cannot be read.
    #[error("cannot read {location}: {reason}")]
    Read {
        /// The medium as the user named it.
        location: String,
        /// The system's reason.
        reason: String,
    },
    /// The bytes are not an image or a video, or they are damaged.
    #[error("cannot decode {location}: {reason}; {remedy}")]
    Decode {
        /// The medium as the user named it.
        location: String,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The request cannot be met by this medium.
    #[error("cannot choose frames of {location}: {reason}; {remedy}")]
    Choice {
        /// The medium as the user named it.
        location: String,
        /// Which rule cannot be met.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The size limits contradict each other or the picture.
    #[error("cannot size {location}: {reason}; {remedy}")]
    Size {
        /// The medium as the user named it.
        location: String,
        /// Which limit is broken.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The medium exceeds a budget of [`crate::OpenerOptions`].
    #[error("{location} is too large: {reason}; {remedy}")]
    Budget {
        /// The medium as the user named it.
        location: String,
        /// What was found and what is allowed.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The location is not one this room can open.
    #[error("cannot open {location}: {reason}; {remedy}")]
    Location {
        /// The medium as the user named it, shortened.
        location: String,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A download failed.
    #[error("cannot fetch {location}: {reason}; try again, or download the file and give its path")]
    Fetch {
        /// The address.
        location: String,
        /// The network's reason.
        reason: String,
    },
    /// A video or picture cannot be written.
    #[error("cannot write {location}: {reason}; {remedy}")]
    Encode {
        /// The file.
        location: String,
        /// What is wrong.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// What another process of this program said when it opened a medium; already one line with its remedy.
    #[error("{0}")]
    Elsewhere(String),
    /// The download cache cannot be written.
    #[error("cannot write the download cache {}: {reason}", path.display())]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
}

impl Error {
    /// A file that cannot be read, in the system's own words without the path, which the message has already.
    pub(crate) fn read(location: &str, error: &std::io::Error) -> Self {
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".into(),
            std::io::ErrorKind::PermissionDenied => "permission denied".into(),
            std::io::ErrorKind::IsADirectory => "it is a folder".into(),
            _ => error.to_string(),
        };
        Error::Read { location: location.into(), reason }
    }

    /// A rule that cannot be met by this medium.
    pub(crate) fn choice(location: &str, (reason, remedy): Refusal) -> Self {
        Error::Choice { location: location.into(), reason, remedy }
    }

    /// Limits that cannot be met by this medium.
    pub(crate) fn size(location: &str, (reason, remedy): Refusal) -> Self {
        Error::Size { location: location.into(), reason, remedy }
    }
}

/// Why a pure rule refuses: the reason and the remedy. The caller adds which medium.
pub type Refusal = (String, &'static str);

/// Result of this room.
pub type Result<T> = std::result::Result<T, Error>;
