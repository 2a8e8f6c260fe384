//! What can go wrong in the engine, grouped by who can act on it. Errors of the device keep their source; they are
//! never formatted here.

use firsthand_base::GenerateError;

/// An error of a [`Runner`](crate::Runner), its type forgotten.
pub type RunnerError = Box<dyn std::error::Error + Send + Sync>;

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of one sequence, or of building the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // The request.
    /// Nothing to continue.
    #[error("the prompt is empty: give at least one token")]
    EmptyPrompt,
    /// The prompt leaves no room in the model's context.
    #[error(
        "the prompt is too long: {tokens} tokens, and the context holds {context} with the answer; \
         use fewer frames, a smaller max_pixels or less text"
    )]
    PromptExceedsContext {
        /// Length of the prompt.
        tokens: usize,
        /// Context length of the model.
        context: usize,
    },
    /// The prompt leaves no room in the key-value cache.
    #[error(
        "the prompt does not fit the cache: {tokens} tokens, and the cache holds {cache} with the answer; \
         give the cache more memory, or use fewer frames or a smaller max_pixels"
    )]
    PromptExceedsCache {
        /// Length of the prompt.
        tokens: usize,
        /// Tokens the cache holds.
        cache: usize,
    },
    /// The arrays of a model input contradict each other.
    #[error("the model input is malformed: {0}")]
    MalformedInput(String),
    /// A sampling or stop option is out of its range.
    #[error("{option} is out of range: {value}; {remedy}")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// What it was set to.
        value: String,
        /// What it may be.
        remedy: &'static str,
    },

    // The machinery.
    /// The runner's limits or the engine's options cannot work.
    #[error("the engine cannot be set up: {0}")]
    Setup(String),
    /// The vision tower failed.
    #[error("the vision tower failed")]
    Encode(#[source] RunnerError),
    /// The decoder failed.
    #[error("the model failed on a step of {tokens} tokens at position {start}")]
    Forward {
        /// Tokens the sequence had in the cache.
        start: usize,
        /// Tokens of the step.
        tokens: usize,
        /// Why.
        #[source]
        source: RunnerError,
    },
    /// A mask over tokens failed.
    #[error("the constraint on the answer failed: {0}")]
    Mask(String),
    /// A runner broke its contract.
    #[error("the runner answered wrongly: {0}")]
    Contract(String),
    /// The model produced logits that are no distribution.
    #[error(
        "the logits of token {position} are {what}: the weights or the arithmetic are broken; \
         check the weight files or use --dtype f32"
    )]
    Logits {
        /// Index of the token that was to be chosen.
        position: usize,
        /// What they are.
        what: &'static str,
    },
}

impl Error {
    /// Whether asking differently would help.
    pub fn is_request(&self) -> bool {
        matches!(
            self,
            Error::EmptyPrompt
                | Error::PromptExceedsContext { .. }
                | Error::PromptExceedsCache { .. }
                | Error::MalformedInput(_)
                | Error::Option { .. }
        )
    }
}

impl From<Error> for GenerateError {
    /// One line: the error and its sources.
    fn from(error: Error) -> Self {
        let mut line = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            line.push_str(": ");
            line.push_str(&cause.to_string());
            source = cause.source();
        }
        if error.is_request() { GenerateError::Request(line) } else { GenerateError::Backend(line) }
    }
}
