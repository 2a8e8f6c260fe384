//! A new checkpoint folder of the Qwen2.5-VL architecture: sizes from a recipe, a tokenizer made of a list of words,
//! weights drawn from a seed. The folder is an ordinary checkpoint that any loader of the family opens.
//!
//! Knows no data and no training. A word's row in the token table depends on the word and the seed alone, so a
//! vocabulary may grow between runs without moving what a vision tower has learnt to point at.

mod tokenizer;
mod weights;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use tokenizer::pieces;

/// Sizes of a new checkpoint, as a recipe spells them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewModel {
    /// Seed of the weights.
    pub seed: u64,
    /// Width of the decoder.
    pub width: usize,
    /// Blocks of the decoder.
    pub layers: usize,
    /// Query heads of the decoder; with `width` they fix a head's width, a multiple of 8.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width inside the decoder's SwiGLU.
    pub intermediate: usize,
    /// Key heads of the first block that start out looking at the token before, the one before that, and so on. What
    /// follows a word that was read earlier is found through such heads, and from nothing they form late or never.
    #[serde(default)]
    pub look_back: usize,
    /// Longest sequence, tokens.
    pub context: usize,
    /// Width of the vision tower.
    pub vision_width: usize,
    /// Blocks of the vision tower.
    pub vision_layers: usize,
    /// Heads of the vision tower.
    pub vision_heads: usize,
    /// Width inside the vision tower's SwiGLU.
    pub vision_intermediate: usize,
    /// Blocks of the vision tower that see the whole picture; the others see windows of `window` pixels.
    pub vision_full: Vec<usize>,
    /// Side of a window, pixels.
    #[serde(default = "window")]
    pub window: usize,
    /// Fewest and most pixels of an image or frame; the prompt builder obeys them.
    pub pixels: [usize; 2],
    /// A checkpoint folder whose vision tower is taken over instead of drawing a new one: one that an earlier recipe
    /// taught, with another vocabulary. Its sizes must be those given here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tower: Option<PathBuf>,
}

fn window() -> usize {
    112
}

/// Why a checkpoint could not be made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Sizes that do not fit each other.
    #[error("[model.new]: {0}")]
    Sizes(String),
    /// A file could not be written.
    #[error("cannot write the new checkpoint: {0}")]
    Write(#[from] std::io::Error),
    /// The checkpoint whose tower was to be taken over does not have it.
    #[error("[model.new] tower = {}: {reason}", .dir.display())]
    Tower {
        /// The folder.
        dir: PathBuf,
        /// What is wrong, with the remedy.
        reason: String,
    },
    /// Weights could not be written.
    #[error("cannot write the new weights: {0}")]
    Weights(#[from] safetensors::SafeTensorError),
}

impl NewModel {
    /// Writes the folder. `words` are the pieces that get a token of their own besides the 256 bytes; see [`pieces`].
    pub fn create(&self, dir: &Path, words: &[String]) -> Result<(), InitError> {
        self.validate()?;
        fs_err::create_dir_all(dir)?;
        let tokens = tokenizer::Tokens::new(words);
        let write = |name: &str, value: &Value| {
            let text = serde_json::to_string_pretty(value).expect("values made here are JSON");
            fs_err::write(dir.join(name), text + "\n")
        };
        write("tokenizer.json", &tokens.file())?;
        write("tokenizer_config.json", &tokens.settings())?;
        fs_err::write(dir.join("chat_template.jinja"), tokenizer::TEMPLATE)?;
        write("config.json", &self.config(&tokens))?;
        let (end, filler) = (tokens.id("<|im_end|>"), tokens.id("<|endoftext|>"));
        write(
            "generation_config.json",
            &json!({"bos_token_id": filler, "pad_token_id": filler, "eos_token_id": [end, filler], "do_sample": false}),
        )?;
        write(
            "preprocessor_config.json",
            &self.preprocessing("Qwen2VLImageProcessor", "image_processor_type"),
        )?;
        write(
            "video_preprocessor_config.json",
            &self.preprocessing("Qwen2VLVideoProcessor", "video_processor_type"),
        )?;
        weights::write(self, &tokens, &dir.join("model.safetensors"))
    }

    fn validate(&self) -> Result<(), InitError> {
        let refuse = |why: String| Err(InitError::Sizes(why));
        let NewModel { width, heads, kv_heads, vision_width, vision_heads, .. } = *self;
        if heads == 0 || !width.is_multiple_of(heads) || !(width / heads).is_multiple_of(8) {
            return refuse(format!("width {width} over {heads} heads is not a multiple of 8"));
        }
        if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            return refuse(format!("{heads} heads cannot share {kv_heads} key and value heads"));
        }
        if self.look_back > kv_heads {
            return refuse(format!("look_back {} of {kv_heads} key heads", self.look_back));
        }
        if vision_heads == 0
            || !vision_width.is_multiple_of(vision_heads)
            || !(vision_width / vision_heads).is_multiple_of(4)
        {
            return refuse(format!(
                "vision_width {vision_width} over {vision_heads} heads is not a multiple of 4"
            ));
        }
        if let Some(block) = self.vision_full.iter().find(|&&block| block >= self.vision_layers) {
            return refuse(format!("vision_full names block {block} of {}", self.vision_layers));
        }
        let [least, most] = self.pixels;
        if least > most || most < 784 {
            return refuse(format!("pixels [{least}, {most}] hold no picture; give at least 784"));
        }
        Ok(())
    }

    /// Width of a decoder head.
    fn head(&self) -> usize {
        self.width / self.heads
    }

    fn config(&self, tokens: &tokenizer::Tokens) -> Value {
        // A quarter of the frequencies turn with time, the rest with height and width, as in the published family.
        let half = self.head() / 2;
        let time = half / 4;
        let sections = [time, (half - time) / 2, half - time - (half - time) / 2];
        json!({
            "architectures": ["Qwen2_5_VLForConditionalGeneration"],
            "model_type": "qwen2_5_vl",
            "tie_word_embeddings": true,
            "attention_dropout": 0.0,
            "hidden_act": "silu",
            "hidden_size": self.width,
            "initializer_range": 0.02,
            "intermediate_size": self.intermediate,
            "max_position_embeddings": self.context,
            "max_window_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "num_key_value_heads": self.kv_heads,
            "rms_norm_eps": 1e-6,
            "rope_theta": 1000000.0,
            "rope_scaling": {"type": "mrope", "mrope_section": sections},
            "use_cache": true,
            "use_sliding_window": false,
            "torch_dtype": "float32",
            "vocab_size": tokens.len(),
            "bos_token_id": tokens.id("<|endoftext|>"),
            "eos_token_id": tokens.id("<|im_end|>"),
            "vision_start_token_id": tokens.id("<|vision_start|>"),
            "vision_end_token_id": tokens.id("<|vision_end|>"),
            "vision_token_id": tokens.id("<|vision_pad|>"),
            "image_token_id": tokens.id("<|image_pad|>"),
            "video_token_id": tokens.id("<|video_pad|>"),
            "vision_config": self.vision_config()
        })
    }

    fn vision_config(&self) -> Value {
        json!({
            "model_type": "qwen2_5_vl",
            "depth": self.vision_layers,
            "hidden_act": "silu",
            "hidden_size": self.vision_width,
            "intermediate_size": self.vision_intermediate,
            "num_heads": self.vision_heads,
            "in_chans": 3,
            "out_hidden_size": self.width,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "spatial_patch_size": 14,
            "window_size": self.window,
            "fullatt_block_indexes": self.vision_full,
            "tokens_per_second": 2,
            "temporal_patch_size": 2
        })
    }

    fn preprocessing(&self, kind: &str, key: &str) -> Value {
        let [least, most] = self.pixels;
        json!({
            key: kind,
            "processor_class": "Qwen2_5_VLProcessor",
            "min_pixels": least,
            "max_pixels": most,
            "size": {"shortest_edge": least, "longest_edge": most},
            "patch_size": 14,
            "temporal_patch_size": 2,
            "merge_size": 2,
            "image_mean": [0.48145466, 0.4578275, 0.40821073],
            "image_std": [0.26862954, 0.26130258, 0.27577711],
            "firsthand_pixels": [least, most]
        })
    }
}

#[cfg(test)]
mod tests;
