//! config.json of Qwen2 and Qwen2.5 text models: a decoder and nothing else.

use serde_json::{Map, Value};

use crate::decoder::config::{DecoderConfig, Defaults};

/// What the reference library assumes for absent fields.
const DEFAULTS: Defaults = Defaults {
    sizes: [4096, 22_016, 32, 32, 32],
    vocab_size: 151_936,
    norm_eps: 1e-6,
    rope_theta: 1e4,
    max_window_layers: 28,
    three_axes: false,
};

/// Reads the decoder's fields.
pub fn read(root: &Map<String, Value>) -> Result<DecoderConfig, String> {
    DecoderConfig::read(root, &DEFAULTS)
}
