//! config.json of Qwen2-VL: the shared decoder's fields and a vision tower whose own width is `embed_dim`;
//! its `hidden_size` is the width it hands to the decoder.

use serde_json::{Map, Value};

use crate::decoder::config::{DecoderConfig, Defaults, Fields};
use crate::vision::config::TowerSizes;

/// What the reference library assumes for absent decoder fields, in both VL families.
pub const DECODER_DEFAULTS: Defaults = Defaults {
    sizes: [8192, 29_568, 80, 64, 8],
    vocab_size: 152_064,
    norm_eps: 1e-5,
    rope_theta: 1e6,
    max_window_layers: 80,
    three_axes: true,
};

/// Sizes of a Qwen2-VL checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The decoder.
    pub decoder: DecoderConfig,
    /// What all vision towers have.
    pub tower: TowerSizes,
    /// Width inside the vision MLP.
    pub intermediate_size: usize,
}

impl Config {
    /// Reads a whole config.json.
    pub fn read(root: &Map<String, Value>) -> Result<Config, String> {
        let decoder = DecoderConfig::read(root, &DECODER_DEFAULTS)?;
        let vision = Fields(root).object("vision_config")?;
        let fields = Fields(&vision);
        fields.only("hidden_act", "quick_gelu")?;
        let width = fields.count("embed_dim", 1280)?;
        let out = fields.count("hidden_size", 3584)?;
        // The ratio may be written 4 or 4.0.
        let intermediate_size = (width as f64 * fields.number("mlp_ratio", 4.0)?.min(1024.0)) as usize;
        let tower = TowerSizes::read(&fields, width, out)?;
        tower.validate(decoder.hidden_size)?;
        Ok(Config { decoder, tower, intermediate_size })
    }
}
