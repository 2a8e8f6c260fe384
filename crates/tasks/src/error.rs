//! Why a question or an answer cannot be used.

/// A failure of this room. One line, lower case, what, where, remedy.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The style has no published prompt for this type of question.
    #[error(
        "style {style} has no published prompt for questions of type {kind}\nhint: choose one of: {known}"
    )]
    NoPrompt {
        /// The style.
        style: &'static str,
        /// The type asked for.
        kind: &'static str,
        /// The types it has.
        known: String,
    },
    /// A multiple-choice question without options, or options without a multiple-choice question.
    #[error("a question of type {kind} with {count} options\nhint: {remedy}")]
    Options {
        /// The type.
        kind: &'static str,
        /// How many options came with it.
        count: usize,
        /// What to do.
        remedy: &'static str,
    },
    /// The prompt states the picture's size, which is not known.
    #[error(
        "style {style} states the size of the picture, but there is none\nhint: ask about an image or a video"
    )]
    NoSize {
        /// The style.
        style: &'static str,
    },
    /// A prompt file and the code that fills it disagree.
    #[error("prompt template: {0}")]
    Template(String),
    /// A benchmark's description that does not describe one.
    #[error("benchmark {name}: {what}")]
    Benchmark {
        /// Its name, or the line of the description.
        name: String,
        /// What is wrong and the remedy.
        what: String,
    },
    /// A scene graph that is not one.
    #[error("not a scene graph: {0}")]
    Scene(String),
    /// A tool call that is not one.
    #[error("not a tool call: {0}")]
    Tool(String),
    /// A name that nothing has.
    #[error("unknown {what} \"{name}\"\nhint: choose one of: {known}")]
    Unknown {
        /// What kind of thing was named.
        what: &'static str,
        /// The name.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A setting that a reward does not have or cannot use.
    #[error("settings of reward {reward}: {reason}")]
    Setting {
        /// The reward.
        reward: &'static str,
        /// What is wrong with them.
        reason: String,
    },
    /// A file of word vectors that is none.
    #[error("word vectors {path}: {reason}")]
    Vectors {
        /// The file.
        path: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// A row that a reward cannot judge.
    #[error("reward {reward}: {reason}")]
    Row {
        /// The reward.
        reward: &'static str,
        /// What the row lacks, and the remedy.
        reason: String,
    },
    /// A run that cannot go on. What, where, remedy.
    #[error("{0}")]
    Run(String),
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        Error::Run(error.to_string())
    }
}

impl Error {
    /// A name that is none of these.
    pub(crate) fn unknown(what: &'static str, name: &str, known: &[&str]) -> Error {
        Error::Unknown { what, name: name.to_owned(), known: known.join(", ") }
    }

    /// A row that `reward` cannot judge, and why.
    pub(crate) fn row(reward: &'static str, reason: impl Into<String>) -> Error {
        Error::Row { reward, reason: reason.into() }
    }
}

/// Result of this room.
pub type Result<T> = std::result::Result<T, Error>;
