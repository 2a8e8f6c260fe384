//! Everything that can go wrong in this room, one line each: what, where, and what to do about it.

use std::path::PathBuf;

/// A failure to load or to run a checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file could not be read; the message of `fs_err` names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Neither one weight file nor an index.
    #[error("no weights in {}: expected model.safetensors or model.safetensors.index.json; point at a checkpoint directory", .0.display())]
    NoWeights(PathBuf),
    /// A file that the index names is absent.
    #[error("{} is missing, though {} names it; download the shard again", .shard.display(), .index.display())]
    ShardMissing {
        /// The absent file.
        shard: PathBuf,
        /// The index that names it.
        index: PathBuf,
    },
    /// A weight or index file that cannot be understood.
    #[error("{} is damaged: {reason}; download it again", .file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor that no file holds.
    #[error("tensor {name} is in no weight file of {}; {remedy}", .dir.display())]
    TensorMissing {
        /// The name looked for.
        name: String,
        /// The checkpoint directory.
        dir: PathBuf,
        /// What to do.
        remedy: &'static str,
    },
    /// A tensor whose sides disagree with config.json.
    #[error("tensor {name} in {} has shape {got:?}, config.json asks for {expected:?}; config and weights are of different checkpoints", .file.display())]
    Shape {
        /// Its name.
        name: String,
        /// Its file.
        file: PathBuf,
        /// Shape by the config.
        expected: Vec<usize>,
        /// Shape in the file.
        got: Vec<usize>,
    },
    /// A tensor of a number type that is not read.
    #[error("tensor {name} in {} holds {got}; only F32, BF16 and F16 weights are read, use the unquantised checkpoint", .file.display())]
    Dtype {
        /// Its name.
        name: String,
        /// Its file.
        file: PathBuf,
        /// Its number type.
        got: String,
    },
    /// A weight that is NaN or infinite.
    #[error("tensor {name} in {} holds {value} at element {index}; the checkpoint is broken, download or train it again", .file.display())]
    NonFinite {
        /// Its name.
        name: String,
        /// Its file.
        file: PathBuf,
        /// Flat index of the first bad element seen.
        index: usize,
        /// The value.
        value: f32,
    },
    /// A config.json that cannot be understood.
    #[error("{}: {reason}", .file.display())]
    Config {
        /// The file.
        file: PathBuf,
        /// What is wrong, with the remedy.
        reason: String,
    },
    /// A model family that is not implemented.
    #[error("{}: architecture {got} is not known; supported model_type: qwen2, qwen2_vl, qwen2_5_vl", .file.display())]
    Architecture {
        /// The config file.
        file: PathBuf,
        /// What it says.
        got: String,
    },
    /// The checkpoint does not fit.
    #[error("{0}")]
    Memory(String),
    /// An input the model cannot take.
    #[error("{0}")]
    Input(String),
    /// Logits that are NaN or infinite.
    #[error("the model computed a logit of {value} at token {token}; likely cause: {cause}")]
    Logits {
        /// The value.
        value: f32,
        /// Position in the row.
        token: usize,
        /// The likely cause, with the remedy.
        cause: String,
    },
    /// The tensor library refused something.
    #[error("{0}")]
    Tensor(#[from] candle_core::Error),
}

/// Shorthand of this room.
pub type Result<T, E = ModelError> = std::result::Result<T, E>;
