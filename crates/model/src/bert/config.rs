//! config.json of BERT and its small relatives (MiniLM), and how a sentence-transformers folder pools their states.

use std::path::Path;

use firsthand_base::json;
use serde_json::{Map, Value};

use crate::error::{ModelError, Result};
use crate::layers::Activation;

/// How the states of a text's tokens become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// The state of the first token.
    First,
}

/// The sizes of an encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Features of a token, and numbers of a vector.
    pub width: usize,
    /// Blocks.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
    /// Features inside a block's network.
    pub inner: usize,
    /// Rows of the token table.
    pub vocabulary: usize,
    /// Rows of the position table: the longest text in tokens.
    pub positions: usize,
    /// Rows of the table that tells two sentences apart.
    pub kinds: usize,
    /// Added to the variance in norms.
    pub norm_eps: f64,
    /// Of a block's network.
    pub activation: Activation,
    /// How vectors are made.
    pub pooling: Pooling,
}

impl Config {
    /// Reads and checks the files of an encoder's folder.
    pub fn read(dir: &Path) -> Result<Config> {
        let refuse = |reason: String| ModelError::Config { file: dir.join("config.json"), reason };
        let root = object(dir, "config.json")?.ok_or_else(|| {
            refuse("no such file; point at a folder in the sentence-transformers layout".into())
        })?;
        match root.get("model_type").and_then(Value::as_str) {
            Some("bert") => {}
            other => {
                let got = other.unwrap_or("nothing");
                return Err(refuse(format!(
                    "model_type is {got}; text encoders of model_type bert are read"
                )));
            }
        }
        let pooling = pooling(dir)?;
        let read = || -> Result<Config, String> {
            let size = |key: &str, default: usize| match root.get(key) {
                None => Ok(default),
                Some(value) => match value.as_u64() {
                    Some(size @ 1..=1_000_000) => Ok(size as usize),
                    _ => Err(format!("{key} is {value}; a whole number of at least 1 is needed")),
                },
            };
            let text = |key: &str, default: &'static str| {
                root.get(key).map_or(Some(default), Value::as_str).unwrap_or_default().to_owned()
            };
            let positions = text("position_embedding_type", "absolute");
            if positions != "absolute" {
                return Err(format!("position_embedding_type is {positions}; only absolute is read"));
            }
            if root.get("is_decoder").is_some_and(|value| *value != Value::Bool(false)) {
                return Err("is_decoder is set; an encoder is needed".into());
            }
            let name = text("hidden_act", "gelu");
            let activation = Activation::named(&name)
                .filter(|found| *found == Activation::Gelu)
                .ok_or_else(|| format!("hidden_act is {name}; only gelu is read"))?;
            let config = Config {
                width: size("hidden_size", 768)?,
                depth: size("num_hidden_layers", 12)?,
                heads: size("num_attention_heads", 12)?,
                inner: size("intermediate_size", 3072)?,
                vocabulary: size("vocab_size", 30_522)?,
                positions: size("max_position_embeddings", 512)?,
                kinds: size("type_vocab_size", 2)?,
                norm_eps: root.get("layer_norm_eps").and_then(Value::as_f64).unwrap_or(1e-12),
                activation,
                pooling,
            };
            if !config.width.is_multiple_of(config.heads) {
                return Err(format!("hidden_size {} is no multiple of {} heads", config.width, config.heads));
            }
            Ok(config)
        };
        read().map_err(refuse)
    }
}

/// What `1_Pooling/config.json` says; the mean where there is none, as the library takes it.
fn pooling(dir: &Path) -> Result<Pooling> {
    let place = "1_Pooling/config.json";
    let Some(root) = object(dir, place)? else { return Ok(Pooling::Mean) };
    let is_set = |key: &str| root.get(key) == Some(&Value::Bool(true));
    let set: Vec<&str> = root
        .keys()
        .map(String::as_str)
        .filter(|key| key.starts_with("pooling_mode_") && is_set(key))
        .collect();
    match set[..] {
        ["pooling_mode_mean_tokens"] => Ok(Pooling::Mean),
        ["pooling_mode_cls_token"] => Ok(Pooling::First),
        _ => Err(ModelError::Config {
            file: dir.join(place),
            reason: format!("pools by {}; the mean or the first token alone is read", set.join(" and ")),
        }),
    }
}

fn object(dir: &Path, name: &str) -> Result<Option<Map<String, Value>>> {
    let file = dir.join(name);
    let bytes = match fs_err::read(&file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match json::read(&bytes) {
        Ok(Value::Object(root)) => Ok(Some(root)),
        Ok(_) => Err(ModelError::Config { file, reason: "not a JSON object".into() }),
        Err(error) => Err(ModelError::Config { file, reason: format!("not JSON: {error}") }),
    }
}
