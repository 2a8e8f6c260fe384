//! config.json of any supported checkpoint: finds the family and hands the fields to it.

use std::path::Path;

use firsthand_base::json;
use serde_json::Value;

use crate::decoder::config::DecoderConfig;
use crate::error::{ModelError, Result};
use crate::vision::config::TowerSizes;
use crate::{qwen2, qwen2_5_vl, qwen2_vl};

/// The sizes of a checkpoint, by family.
#[derive(Clone, Debug, PartialEq)]
pub enum Config {
    /// Qwen2 and Qwen2.5 text.
    Qwen2(DecoderConfig),
    /// Qwen2-VL.
    Qwen2Vl(qwen2_vl::config::Config),
    /// Qwen2.5-VL.
    Qwen2_5Vl(qwen2_5_vl::config::Config),
}

impl Config {
    /// Reads and checks `config.json` of a checkpoint directory.
    pub fn read(dir: &Path) -> Result<Config> {
        let file = dir.join("config.json");
        let bytes = fs_err::read(&file)?;
        let refuse = |reason: String| ModelError::Config { file: file.clone(), reason };
        let root: Value = json::read(&bytes).map_err(|what| refuse(format!("not JSON: {what}")))?;
        let Value::Object(root) = root else { return Err(refuse("not a JSON object".into())) };
        let read = match root.get("model_type").and_then(Value::as_str) {
            Some("qwen2") => qwen2::config::read(&root).map(Config::Qwen2),
            Some("qwen2_vl") => qwen2_vl::config::Config::read(&root).map(Config::Qwen2Vl),
            Some("qwen2_5_vl") => qwen2_5_vl::config::Config::read(&root).map(Config::Qwen2_5Vl),
            other => {
                let got = other.map_or("without a model_type".into(), |name| format!("{name:?}"));
                return Err(ModelError::Architecture { file, got });
            }
        };
        read.map_err(|reason| refuse(json::explain(&bytes, 1, "", reason)))
    }

    /// The decoder's sizes.
    pub fn decoder(&self) -> &DecoderConfig {
        match self {
            Config::Qwen2(decoder) => decoder,
            Config::Qwen2Vl(config) => &config.decoder,
            Config::Qwen2_5Vl(config) => &config.decoder,
        }
    }

    /// The vision tower's sizes, where there is one.
    pub fn tower(&self) -> Option<&TowerSizes> {
        match self {
            Config::Qwen2(_) => None,
            Config::Qwen2Vl(config) => Some(&config.tower),
            Config::Qwen2_5Vl(config) => Some(&config.tower),
        }
    }

    /// Width inside the vision tower's network; 0 without a tower.
    pub fn tower_inner(&self) -> usize {
        match self {
            Config::Qwen2(_) => 0,
            Config::Qwen2Vl(config) => config.intermediate_size,
            Config::Qwen2_5Vl(config) => config.intermediate_size,
        }
    }
}
