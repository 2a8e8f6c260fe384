//! config.json of Qwen2.5-VL: the shared decoder's fields and a vision tower with attention windows.

use serde_json::{Map, Value};

use crate::decoder::config::{DecoderConfig, Fields};
use crate::qwen2_vl::config::DECODER_DEFAULTS;
use crate::vision::config::TowerSizes;

/// Sizes of a Qwen2.5-VL checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The decoder.
    pub decoder: DecoderConfig,
    /// What all vision towers have.
    pub tower: TowerSizes,
    /// Width inside the vision SwiGLU.
    pub intermediate_size: usize,
    /// Side of an attention window in merge units.
    pub window_side: usize,
    /// Blocks that attend to the whole temporal slice; the others attend within windows.
    pub full_attention: Vec<usize>,
}

impl Config {
    /// Reads a whole config.json.
    pub fn read(root: &Map<String, Value>) -> Result<Config, String> {
        let decoder = DecoderConfig::read(root, &DECODER_DEFAULTS)?;
        let vision = Fields(root).object("vision_config")?;
        let fields = Fields(&vision);
        fields.only("hidden_act", "silu")?;
        let width = fields.count("hidden_size", 3584)?;
        let out = fields.count("out_hidden_size", 3584)?;
        let tower = TowerSizes::read(&fields, width, out)?;
        tower.validate(decoder.hidden_size)?;
        let window = fields.count("window_size", 112)?;
        let window_side = window / tower.merge / tower.patch;
        if window_side == 0 {
            return Err(format!("vision window_size {window} is smaller than one merged patch"));
        }
        let full_attention = match vision.get("fullatt_block_indexes") {
            None | Some(Value::Null) => vec![7, 15, 23, 31],
            Some(value) => serde_json::from_value(value.clone())
                .map_err(|_| format!("fullatt_block_indexes must be a list of block numbers, got {value}"))?,
        };
        let intermediate_size = fields.count("intermediate_size", 3420)?;
        Ok(Config { decoder, tower, intermediate_size, window_side, full_attention })
    }
}
