//! One row of training data, its address, and what can be wrong with it. Values only.

use std::fmt;
use std::path::PathBuf;

use firsthand_base::Conversation;
use firsthand_tasks::Kind;
use serde_json::{Map, Value};

use super::config::Answers;

/// Where a row is: which source of the dataset, and which of its usable rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId {
    /// Index of the source.
    pub source: usize,
    /// Index among the source's usable rows.
    pub index: usize,
}

/// One row, read. Media are named, not opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The turns; the last one is the assistant's.
    pub conversation: Conversation,
    /// Which assistant turns are learned.
    pub answers: Answers,
    /// Assistant turns, counted from 0, that the row itself says are not.
    pub unlearned: Vec<usize>,
    /// What the system turn says of tools, after its own words or those of the chat template.
    pub tools: Option<String>,
    /// Name of the source.
    pub source: String,
    /// The file.
    pub file: PathBuf,
    /// Where in the file.
    pub at: At,
    /// What the file calls it.
    pub id: Option<String>,
    /// What kind of answer is wanted, where the file says so.
    pub kind: Option<Kind>,
    /// Options of a multiple-choice question.
    pub options: Vec<String>,
    /// The gold answer as the file has it, tags included.
    pub solution: Option<String>,
    /// The other keys of the row, which rewards may read; not its turns and not the bytes of its media.
    pub facts: Map<String, Value>,
}

/// Where in its file a row is, counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct At {
    /// The line it begins on; in parquet, the row.
    pub line: usize,
    /// Which row it is, blank lines not counted. A JSON list may have all its rows on one line.
    pub row: usize,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At { line, row } if line == row => write!(f, "{line}"),
            At { line, row } => write!(f, "{line} (row {row})"),
        }
    }
}

/// A row that cannot be used. One line: where, what, remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{at}: {reason}", file.display())]
pub struct BadRow {
    /// Name of the source.
    pub source_name: String,
    /// The file.
    pub file: PathBuf,
    /// Where in the file.
    pub at: At,
    /// What is wrong.
    pub reason: String,
}

impl Row {
    /// This row as one that cannot be used: its media do not open, it is too long, nobody can judge what it earns.
    pub fn blame(&self, reason: impl Into<String>) -> BadRow {
        let (source_name, file) = (self.source.clone(), self.file.clone());
        BadRow { source_name, file, at: self.at, reason: reason.into() }
    }
}

/// Why data cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// One row.
    #[error(transparent)]
    Row(#[from] BadRow),
    /// A source as a whole.
    #[error("source {name}: {what}")]
    Source {
        /// Its name.
        name: String,
        /// What is wrong and the remedy.
        what: String,
    },
    /// A file that the system would not give; its name is in the message.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// `std::result::Result` with this folder's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;
