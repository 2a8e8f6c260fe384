//! What made an output. Every answer, index, checkpoint and score carries one, so that two outputs that differ
//! can say why. Collecting the values is the maker's job; this file only fixes their names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::MediumId;

/// What made an output. Entries are flat so that two manifests can be compared key by key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The program and its version.
    pub program: String,
    /// Checkpoint location.
    pub model: String,
    /// BLAKE3 over the names, sizes and headers of the weight files and 256 pages spread over each.
    pub weights: String,
    /// BLAKE3 of the rendered prompt.
    pub prompt: String,
    /// Arithmetic of the weights: `f32`, `bf16`, `q8_0`, `q4_k`.
    pub dtype: String,
    /// Where it ran.
    pub device: String,
    /// The decoder library and its version.
    pub decoder: String,
    /// What was looked at.
    pub media: Vec<MediumId>,
    /// Every option that shaped the output, resolved, by name.
    pub options: BTreeMap<String, String>,
}
