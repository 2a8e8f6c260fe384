//! What can go wrong in this room before a question is asked: tool files, settings, traces, question files. What goes
//! wrong while one is answered is told to the model (`ToolError`) or ends the episode (`Over`); it is data, not an error.

/// An error of this room. One line: what, where; the remedy after `hint:`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tool that cannot be offered.
    #[error("tool {tool}: {reason}\nhint: {remedy}")]
    Tool {
        /// Its name.
        tool: String,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A file that is not what it should be.
    #[error("{path}: {reason}\nhint: {remedy}")]
    File {
        /// The file.
        path: String,
        /// What is wrong, and where in it.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A question that cannot be asked.
    #[error("question {id}: {reason}")]
    Question {
        /// Which.
        id: String,
        /// What it lacks.
        reason: String,
    },
    /// A replay that took another way than its trace.
    #[error("turn {turn} of the replay differs: {what}")]
    Differs {
        /// Counted from 1.
        turn: usize,
        /// What differs and how.
        what: String,
    },
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A prompt and the code that fills it have drifted apart.
    #[error("{0}")]
    Prompt(#[from] firsthand_tasks::Error),
}

/// Result of this room.
pub type Result<T> = std::result::Result<T, Error>;
