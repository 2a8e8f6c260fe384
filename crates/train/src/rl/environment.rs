//! Whoever a rollout talks to: an environment for each trajectory, made from its row. It takes a turn of the model and
//! says what comes back. The trainer knows nothing else of tools, memories or clocks.

use firsthand_base::Conversation;

use crate::data::Row;

/// What a turn of the model cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Sampled tokens.
    pub tokens: usize,
    /// Seconds.
    pub seconds: f64,
}

/// What comes back for a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// To be read as the next user turn, once [`Environment::wrap`]ped.
    Observation(String),
    /// The end, with an answer.
    Answer(String),
    /// The end without one, by the model's doing.
    Over(String),
    /// The end by no fault of the model: nobody knows what the trajectory is worth.
    Failed(String),
}

/// One trajectory's partner: its own question, identity, clock and budgets.
pub trait Environment: Send {
    /// Takes a turn and says what comes back. May take its time; other trajectories go on.
    fn turn(&mut self, text: &str, cost: Cost) -> Heard;

    /// Whether a turn in progress has its action whole, so that nothing more needs to be written.
    fn is_complete(&self, text: &str) -> bool;

    /// A turn up to the end of its action.
    fn kept<'a>(&self, text: &'a str) -> &'a str;

    /// Tokens that the next turn may have, of at most `most`.
    fn tokens_left(&self, most: usize) -> usize;

    /// An observation as the model reads it.
    fn wrap(&self, observation: &str) -> String;
}

/// Makes environments for rows.
pub trait Environments: Send + Sync {
    /// What a row's trajectories begin with.
    fn prompt(&self, row: &Row) -> Result<Conversation, String>;

    /// A fresh environment for one trajectory of a row.
    fn open(&self, row: &Row) -> Result<Box<dyn Environment>, String>;
}
