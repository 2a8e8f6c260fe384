//! Everything that happened while answering one question. A trace can be scored, replayed and shown; it is data,
//! and failures are recorded in it rather than thrown.

use serde::{Deserialize, Serialize};

use crate::{Finish, Manifest, Role};

/// One turn of the conversation as it was held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Who spoke.
    pub role: Role,
    /// The words, special tokens left out.
    pub text: String,
    /// Tokens of the turn: generated ones for the assistant, prompt tokens else.
    pub tokens: usize,
    /// Seconds the turn took.
    pub seconds: f64,
}

/// Everything that happened while answering one question.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The turns in order.
    pub turns: Vec<Turn>,
    /// Why the last generation ended.
    pub finish: Option<Finish>,
    /// What went wrong, if anything did.
    pub error: Option<String>,
    /// What made it.
    pub manifest: Manifest,
}
