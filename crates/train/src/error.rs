//! Everything that can go wrong in this room, one line each: what, where, and what to do about it.

use std::path::PathBuf;

/// A failure to prepare or to carry out a training run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A file could not be read or written; the message of `fs_err` names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The model room refused something.
    #[error(transparent)]
    Model(#[from] firsthand_model::ModelError),
    /// The input room refused something.
    #[error(transparent)]
    Input(#[from] firsthand_input::Error),
    /// The tensor library refused something.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A recipe that cannot be followed.
    #[error("{}: {reason}", .file.display())]
    Recipe {
        /// The recipe.
        file: PathBuf,
        /// What is wrong, with the remedy.
        reason: String,
    },
    /// Data that cannot be trained on.
    #[error("{0}")]
    Data(String),
    /// The run asks the model for something it has not got.
    #[error("{0}")]
    Setup(String),
    /// The run does not fit.
    #[error("{0}")]
    Memory(String),
    /// A checkpoint that cannot be continued from, or written.
    #[error("{}: {reason}", .dir.display())]
    Checkpoint {
        /// Its folder.
        dir: PathBuf,
        /// What is wrong, with the remedy.
        reason: String,
    },
    /// Loss or gradients were not finite too often in a row.
    #[error(
        "step {step} of phase {phase:?}: {count} steps in a row gave no finite gradient, or one of zeros (loss {loss}); lower learning_rate, set clip, or train in f32"
    )]
    NotFinite {
        /// Name of the phase.
        phase: String,
        /// Step within it.
        step: u64,
        /// Steps in a row.
        count: u32,
        /// The last loss.
        loss: f64,
    },
    /// The loss rose and stayed up.
    #[error(
        "step {step} of phase {phase:?}: the loss diverges, it rose from {best:.3} to {now:.3} and stays there; lower learning_rate or lengthen the warm-up"
    )]
    Diverged {
        /// Name of the phase.
        phase: String,
        /// Step within it.
        step: u64,
        /// Lowest smoothed loss so far.
        best: f64,
        /// Smoothed loss now.
        now: f64,
    },
    /// Held-out questions show that a policy lost what it could.
    #[error(
        "step {step}: the policy collapsed, right answers to held-out questions fell from {best:.3} to {now:.3}; the best model is in {}; lower learning_rate, or give kl a weight", .kept.display()
    )]
    Collapsed {
        /// Steps of the phase.
        step: u64,
        /// The best share of right answers.
        best: f64,
        /// The last one.
        now: f64,
        /// Where the best model is.
        kept: PathBuf,
    },
    /// Somebody asked to stop; a checkpoint was written first.
    #[error("stopped at step {step}; the same command continues from {}", .checkpoint.display())]
    Stopped {
        /// Steps done over all phases.
        step: u64,
        /// Where it continues from.
        checkpoint: PathBuf,
    },
}

/// Shorthand of this room.
pub type Result<T, E = TrainError> = std::result::Result<T, E>;
