//! The decoder's part of config.json, which all three families share, in both published layouts: flat at the top
//! level with `rope_scaling`, or nested under `text_config` with `rope_parameters`. Absent fields take the
//! reference library's defaults, because it saves only what differs from them. Refuses what is not computed here.

use serde_json::{Map, Value};

/// A decoder's sizes and constants.
#[derive(Clone, Debug, PartialEq)]
pub struct DecoderConfig {
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside the SwiGLU.
    pub intermediate_size: usize,
    /// Blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// RMSNorm epsilon.
    pub norm_eps: f64,
    /// Base wavelength of the rotary embedding.
    pub rope_theta: f64,
    /// Frequencies that turn with time, height and width; sums to `head_dim / 2`. Text-only models turn all by
    /// the one position they have.
    pub rope_sections: [usize; 3],
    /// Most tokens of one sequence: the position limit, or less where a layer attends to a sliding window. Within
    /// the window, windowed and full attention are the same.
    pub max_context: usize,
    /// Whether the output head is the embedding table.
    pub tied: bool,
}

/// Defaults in which the families differ.
pub struct Defaults {
    /// `hidden_size`, `intermediate_size`, `num_hidden_layers`, `num_attention_heads`, `num_key_value_heads`.
    pub sizes: [usize; 5],
    /// `vocab_size`.
    pub vocab_size: usize,
    /// `rms_norm_eps`.
    pub norm_eps: f64,
    /// `rope_theta`.
    pub rope_theta: f64,
    /// `max_window_layers`.
    pub max_window_layers: usize,
    /// Whether positions have three axes.
    pub three_axes: bool,
}

/// No side of a published model comes near; products of sides stay far from overflow.
const LARGEST: usize = 1 << 22;
/// The same for layers, heads, and whatever else is multiplied with several others.
pub const LARGEST_FACTOR: usize = 1 << 12;

/// Typed reading of one JSON object with defaults; every error names the key.
pub struct Fields<'a>(pub &'a Map<String, Value>);

impl Fields<'_> {
    /// A count, at least 1.
    pub fn count(&self, key: &str, default: usize) -> Result<usize, String> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => match value.as_u64() {
                Some(n) if n > 0 && n <= LARGEST as u64 => Ok(n as usize),
                _ => Err(format!("{key} must be an integer from 1 to {LARGEST}, got {value}")),
            },
        }
    }

    /// A positive number.
    pub fn number(&self, key: &str, default: f64) -> Result<f64, String> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => match value.as_f64() {
                Some(x) if x > 0.0 && x.is_finite() => Ok(x),
                _ => Err(format!("{key} must be a positive number, got {value}")),
            },
        }
    }

    /// A truth value.
    pub fn flag(&self, key: &str, default: bool) -> Result<bool, String> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(b)) => Ok(*b),
            Some(value) => Err(format!("{key} must be true or false, got {value}")),
        }
    }

    /// Checks that a word is the one supported.
    pub fn only(&self, key: &str, supported: &str) -> Result<(), String> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(()),
            Some(Value::String(word)) if word == supported => Ok(()),
            Some(value) => Err(format!("{key} {value} is not supported, only \"{supported}\"")),
        }
    }

    /// A nested object; absent or null is empty.
    pub fn object(&self, key: &str) -> Result<Map<String, Value>, String> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map.clone()),
            Some(value) => Err(format!("{key} must be an object, got {value}")),
        }
    }
}

impl DecoderConfig {
    /// Reads the decoder's fields from a whole config.json.
    pub fn read(root: &Map<String, Value>, defaults: &Defaults) -> Result<DecoderConfig, String> {
        if root.get("quantization_config").is_some_and(|value| !value.is_null()) {
            return Err("quantization_config is set, and pre-quantised weights are not read; \
                        use the unquantised checkpoint, with --quantize if memory is short"
                .into());
        }
        let nested = Fields(root).object("text_config")?;
        let fields = Fields(if nested.is_empty() { root } else { &nested });
        fields.only("hidden_act", "silu")?;
        let [hidden_size, intermediate_size, layers, heads, kv_heads] = defaults.sizes;
        let heads = fields.count("num_attention_heads", heads)?;
        let hidden_size = fields.count("hidden_size", hidden_size)?;
        // An explicit null means one key head per query head; an absent field means the default.
        let kv_heads = match fields.0.get("num_key_value_heads") {
            Some(Value::Null) => heads,
            _ => fields.count("num_key_value_heads", kv_heads)?,
        };
        let head_dim = match defaults.three_axes {
            true => hidden_size / heads,
            false => fields.count("head_dim", hidden_size / heads)?,
        };
        let layers = fields.count("num_hidden_layers", layers)?;
        let (rope_theta, rope_sections) = read_rope(&fields, defaults, head_dim)?;
        let config = DecoderConfig {
            vocab_size: fields.count("vocab_size", defaults.vocab_size)?,
            hidden_size,
            intermediate_size: fields.count("intermediate_size", intermediate_size)?,
            layers,
            heads,
            kv_heads,
            head_dim,
            norm_eps: fields.number("rms_norm_eps", defaults.norm_eps)?,
            rope_theta,
            rope_sections,
            max_context: read_context(&fields, defaults, layers)?,
            tied: Fields(root).flag("tie_word_embeddings", false)?
                || fields.flag("tie_word_embeddings", false)?,
        };
        config.validate(defaults.three_axes)?;
        Ok(config)
    }

    fn validate(&self, three_axes: bool) -> Result<(), String> {
        let Self { heads, kv_heads, head_dim, hidden_size, .. } = *self;
        for (name, factor) in [("layers", self.layers), ("heads", heads), ("numbers in a head", head_dim)] {
            if factor > LARGEST_FACTOR {
                return Err(format!("more than {LARGEST_FACTOR} {name}: {factor}"));
            }
        }
        if heads % kv_heads != 0 {
            return Err(format!(
                "num_attention_heads {heads} is not a multiple of num_key_value_heads {kv_heads}"
            ));
        }
        if three_axes && heads * head_dim != hidden_size {
            return Err(format!(
                "hidden_size {hidden_size} is not a multiple of num_attention_heads {heads}"
            ));
        }
        if head_dim == 0 || head_dim % 2 != 0 {
            return Err(format!("a head is {head_dim} wide, which the rotary embedding cannot halve"));
        }
        if self.rope_sections.iter().sum::<usize>() != head_dim / 2 {
            return Err(format!(
                "mrope_section {:?} does not sum to half a head: {}",
                self.rope_sections,
                head_dim / 2
            ));
        }
        Ok(())
    }
}

/// Base wavelength and sections, from `rope_scaling` (older) before `rope_parameters`, as the reference does.
fn read_rope(fields: &Fields<'_>, defaults: &Defaults, head_dim: usize) -> Result<(f64, [usize; 3]), String> {
    let mut rope = fields.object("rope_scaling")?;
    if rope.is_empty() {
        rope = fields.object("rope_parameters")?;
    }
    let rope = Fields(&rope);
    let kind = rope.0.get("rope_type").or_else(|| rope.0.get("type"));
    match kind {
        None | Some(Value::Null) => {}
        Some(Value::String(kind)) if kind == "default" || (kind == "mrope" && defaults.three_axes) => {}
        Some(kind) => {
            return Err(format!(
                "rope type {kind} is not supported; remove rope_scaling to run at the trained context length"
            ));
        }
    }
    let theta = rope.number("rope_theta", fields.number("rope_theta", defaults.rope_theta)?)?;
    if !defaults.three_axes {
        return Ok((theta, [head_dim / 2, 0, 0]));
    }
    let sections = match rope.0.get("mrope_section") {
        None | Some(Value::Null) => [16, 24, 24],
        Some(value) => serde_json::from_value(value.clone())
            .map_err(|_| format!("mrope_section must be three counts, got {value}"))?,
    };
    Ok((theta, sections))
}

/// The position limit, cut to the sliding window where a layer has one.
fn read_context(fields: &Fields<'_>, defaults: &Defaults, layers: usize) -> Result<usize, String> {
    let positions = fields.count("max_position_embeddings", 32_768)?;
    let windowed = match fields.0.get("layer_types") {
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "sliding_attention"),
        _ => match fields.0.get("max_window_layers").and_then(Value::as_u64) {
            Some(full) => full < layers as u64,
            None => defaults.max_window_layers < layers,
        },
    };
    // An explicit null switches the window off, as `use_sliding_window: false` does.
    let off = matches!(fields.0.get("sliding_window"), Some(Value::Null));
    if !windowed || off || !fields.flag("use_sliding_window", false)? {
        return Ok(positions);
    }
    Ok(positions.min(fields.count("sliding_window", 4096)?))
}
