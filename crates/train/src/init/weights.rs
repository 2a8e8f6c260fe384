//! First weights. The token table has a unit vector per word; matrices keep the size of what passes through them,
//! and those that write into the residual stream start ten times smaller, so that at first a row still reads as its
//! word whatever the blocks add.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::{InitError, NewModel, tokenizer::Tokens};

/// How much smaller the matrices that write into the stream start.
const WRITERS: f32 = 0.1;
/// How much queries are like keys, and outputs like values.
const ALIKE: f32 = 0.7;
/// What is left of queries and keys in heads that look at places.
const CONTENT: f32 = 0.25;
/// Length of a rotary pair of their biases: one token beside the right place then counts a seventh.
const PLACE: f32 = 4.5;
/// Natural logarithm of the rotary base that new checkpoints have, 1,000,000.
const LN_THETA: f64 = 13.815_510_557_964_274;
/// How much of a word's row it shares with its other spellings: "cup", " cup", "Cup".
const SHARED: f32 = 0.8;

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

pub(super) fn write(model: &NewModel, tokens: &Tokens, path: &Path) -> Result<(), InitError> {
    let mut tensors = draw(model, tokens);
    if let Some(dir) = &model.tower {
        take_tower(&mut tensors, dir)?;
    }
    let bytes: BTreeMap<&String, (Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(key, (shape, values))| {
            (key, (shape.clone(), values.iter().flat_map(|value| value.to_le_bytes()).collect()))
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(key, (shape, data))| Ok((key.as_str(), TensorView::new(Dtype::F32, shape.clone(), data)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    let data = safetensors::serialize(views, Some(metadata))?;
    Ok(fs_err::write(path, data)?)
}

/// Replaces every tensor of the vision tower by the one of the same name in another checkpoint.
fn take_tower(tensors: &mut Tensors, dir: &Path) -> Result<(), InitError> {
    let refuse = |reason: String| InitError::Tower { dir: dir.to_owned(), reason };
    let data = fs_err::read(dir.join("model.safetensors")).map_err(|error| refuse(error.to_string()))?;
    let file = SafeTensors::deserialize(&data).map_err(|error| refuse(error.to_string()))?;
    for (key, (shape, values)) in tensors.iter_mut().filter(|(key, _)| key.starts_with("visual.")) {
        let found = file
            .tensor(key)
            .map_err(|_| refuse(format!("no tensor {key}; name one that this recipe's sizes fit")))?;
        if found.shape() != shape || found.dtype() != Dtype::F32 {
            return Err(refuse(format!(
                "{key} is {:?} {:?} there, and f32 {shape:?} here",
                found.dtype(),
                found.shape()
            )));
        }
        *values = found.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    }
    Ok(())
}

fn draw(model: &NewModel, tokens: &Tokens) -> Tensors {
    let mut made = Drawing { seed: model.seed, tensors: Tensors::new() };
    let NewModel { width, intermediate, vision_width, vision_intermediate, .. } = *model;
    let table = tokens.texts().flat_map(|text| made.row(&text, width)).collect();
    made.put("model.embed_tokens.weight", &[tokens.len(), width], table);
    for i in 0..model.layers {
        let key = |rest: &str| format!("model.layers.{i}.{rest}");
        made.ones(&key("input_layernorm.weight"), width);
        made.attention(&key("self_attn"), model, if i == 0 { model.look_back } else { 0 });
        made.ones(&key("post_attention_layernorm.weight"), width);
        made.linear(&key("mlp.gate_proj"), intermediate, width, 1.0, false);
        made.linear(&key("mlp.up_proj"), intermediate, width, 1.0, false);
        made.linear(&key("mlp.down_proj"), width, intermediate, WRITERS, false);
    }
    made.ones("model.norm.weight", width);
    let kernel = [vision_width, 3, 2, 14, 14];
    let patch =
        made.matrix("visual.patch_embed.proj.weight", vision_width, kernel[1..].iter().product(), 1.0);
    made.put("visual.patch_embed.proj.weight", &kernel, patch);
    for i in 0..model.vision_layers {
        let key = |rest: &str| format!("visual.blocks.{i}.{rest}");
        made.ones(&key("norm1.weight"), vision_width);
        made.linear(&key("attn.qkv"), 3 * vision_width, vision_width, 1.0, true);
        made.linear(&key("attn.proj"), vision_width, vision_width, WRITERS, true);
        made.ones(&key("norm2.weight"), vision_width);
        made.linear(&key("mlp.gate_proj"), vision_intermediate, vision_width, 1.0, true);
        made.linear(&key("mlp.up_proj"), vision_intermediate, vision_width, 1.0, true);
        made.linear(&key("mlp.down_proj"), vision_width, vision_intermediate, WRITERS, true);
    }
    made.ones("visual.merger.ln_q.weight", vision_width);
    made.linear("visual.merger.mlp.0", 4 * vision_width, 4 * vision_width, 1.0, true);
    made.linear("visual.merger.mlp.2", width, 4 * vision_width, 1.0, true);
    made.tensors
}

struct Drawing {
    seed: u64,
    tensors: Tensors,
}

impl Drawing {
    fn put(&mut self, key: &str, shape: &[usize], values: Vec<f32>) {
        self.tensors.insert(key.to_owned(), (shape.to_vec(), values));
    }

    fn ones(&mut self, key: &str, width: usize) {
        self.put(key, &[width], vec![1.0; width]);
    }

    /// Normal with deviation `scale / sqrt(inputs)`.
    fn matrix(&self, key: &str, outputs: usize, inputs: usize, scale: f32) -> Vec<f32> {
        let deviation = scale / (inputs as f32).sqrt();
        let mut normal = Normal::new(self.seed, key);
        (0..outputs * inputs).map(|_| normal.next() * deviation).collect()
    }

    fn linear(&mut self, key: &str, outputs: usize, inputs: usize, scale: f32, bias: bool) {
        let weight = format!("{key}.weight");
        let values = self.matrix(&weight, outputs, inputs, scale);
        self.put(&weight, &[outputs, inputs], values);
        if bias {
            self.put(&format!("{key}.bias"), &[outputs], vec![0.0; outputs]);
        }
    }

    /// Queries start half like the keys they meet and outputs half like the values they carry, so that at first a
    /// token looks at what resembles it and takes over what it sees (after Trockman and Kolter 2023, "Mimetic
    /// Initialization of Self-Attention Layers").
    ///
    /// The first `look_back` key heads look at places instead: what they read counts little, and their biases are
    /// turned against each other by as many tokens as they look back.
    fn attention(&mut self, key: &str, model: &NewModel, look_back: usize) {
        let (width, head) = (model.width, model.head());
        let (rows, shared) = (model.heads * head, model.kv_heads * head);
        let mut keys = self.matrix(&format!("{key}.k_proj.weight"), shared, width, 1.0);
        let values = self.matrix(&format!("{key}.v_proj.weight"), shared, width, 1.0);
        let mut queries = self.matrix(&format!("{key}.q_proj.weight"), rows, width, 1.0);
        let mut outputs = self.matrix(&format!("{key}.o_proj.weight"), width, rows, WRITERS);
        let mix = |own: f32, other: f32| (1.0 - ALIKE * ALIKE).sqrt() * own + ALIKE * other;
        for row in 0..rows {
            let source = row / head / (model.heads / model.kv_heads) * head + row % head;
            for column in 0..width {
                let (own, like) = (&mut queries[row * width + column], keys[source * width + column]);
                *own = ALIKE * mix(*own, like);
                let (own, like) = (&mut outputs[column * rows + row], values[source * width + column]);
                *own = mix(*own, WRITERS * like);
            }
        }
        let (mut query_bias, mut key_bias) = (vec![0.0; rows], vec![0.0; shared]);
        for back in 0..look_back.min(model.kv_heads) {
            let group = model.heads / model.kv_heads;
            let own = back * group * head..(back + 1) * group * head;
            queries[own.start * width..own.end * width].iter_mut().for_each(|value| *value *= CONTENT);
            keys[back * head * width..][..head * width].iter_mut().for_each(|value| *value *= CONTENT);
            for query in query_bias[own].chunks_mut(head) {
                turned(query, back + 1);
            }
            turned(&mut key_bias[back * head..][..head], 0);
        }
        self.put(&format!("{key}.o_proj.weight"), &[width, rows], outputs);
        let all = [
            ("q", rows, queries, query_bias),
            ("k", shared, keys, key_bias),
            ("v", shared, values, vec![0.0; shared]),
        ];
        for (name, count, values, bias) in all {
            self.put(&format!("{key}.{name}_proj.weight"), &[count, width], values);
            self.put(&format!("{key}.{name}_proj.bias"), &[count], bias);
        }
    }

    /// A unit vector for a token, near those of its other spellings. Single letters share nothing: "A" is an option,
    /// "a" a column.
    fn row(&self, text: &str, width: usize) -> Vec<f32> {
        let own = self.unit(&format!("token {text}"), width);
        let plain = text.trim().to_lowercase();
        if plain.chars().count() < 2 {
            return own;
        }
        let shared = self.unit(&format!("word {plain}"), width);
        let rest = (1.0 - SHARED * SHARED).sqrt();
        unit(shared.iter().zip(&own).map(|(s, o)| SHARED * s + rest * o).collect())
    }

    fn unit(&self, name: &str, width: usize) -> Vec<f32> {
        let mut normal = Normal::new(self.seed, name);
        unit((0..width).map(|_| normal.next()).collect())
    }
}

/// A bias that meets its like best when that stands `back` tokens earlier: the fastest quarter of the rotary pairs,
/// turned back by as many steps. Sums and products alone, so that it is the same on every machine.
fn turned(bias: &mut [f32], back: usize) {
    let half = bias.len() / 2;
    // Each pair turns slower than the one before by the same ratio: theta to the power of -1/half.
    let slower = exp(-LN_THETA / half as f64);
    let mut step = back as f64;
    for pair in 0..half / 4 {
        let (sin, cos) = sin_cos(step);
        bias[pair] = PLACE * cos as f32;
        bias[pair + half] = -PLACE * sin as f32;
        step *= slower;
    }
}

/// e to the power of a small number.
fn exp(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for n in 1..40 {
        term *= x / f64::from(n);
        sum += term;
    }
    sum
}

/// Of an angle of a few turns at most.
fn sin_cos(x: f64) -> (f64, f64) {
    let (mut sin, mut cos, mut term) = (0.0, 0.0, 1.0);
    for n in 0..60 {
        match n % 4 {
            0 => cos += term,
            1 => sin += term,
            2 => cos -= term,
            _ => sin -= term,
        }
        term *= x / f64::from(n + 1);
    }
    (sin, cos)
}

fn unit(values: Vec<f32>) -> Vec<f32> {
    let length = values.iter().map(|x| x * x).sum::<f32>().sqrt();
    values.into_iter().map(|x| x / length).collect()
}

/// Nearly normal numbers (sums of twelve uniform ones), the same on every machine: no function of a maths library
/// takes part.
struct Normal {
    state: u64,
}

impl Normal {
    fn new(seed: u64, name: &str) -> Normal {
        let digest = blake3::hash(format!("{seed} {name}").as_bytes());
        let head: [u8; 8] = digest.as_bytes()[..8].try_into().expect("a digest has 32 bytes");
        Normal { state: u64::from_le_bytes(head) }
    }

    fn next(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }

    /// Splitmix64.
    fn uniform(&mut self) -> f32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_bias_meets_its_like_that_many_tokens_earlier() {
        for (head, back) in [(64, 1), (64, 2), (64, 3), (32, 1)] {
            let (mut query, mut key) = (vec![0.0; head], vec![0.0; head]);
            turned(&mut query, back);
            turned(&mut key, 0);
            let half = head / 2;
            let score = |distance: usize| -> f64 {
                let pair = |i: usize| {
                    // A query at 0 and a key that many tokens before it, turned as rotary positions turn them.
                    let angle = -(distance as f64) * 1e6f64.powf(-(i as f64) / half as f64);
                    let (sin, cos) = angle.sin_cos();
                    let (a, b) = (f64::from(key[i]), f64::from(key[i + half]));
                    f64::from(query[i]) * (a * cos - b * sin)
                        + f64::from(query[i + half]) * (b * cos + a * sin)
                };
                (0..half).map(pair).sum()
            };
            let best = (0..500).max_by(|a, b| score(*a).total_cmp(&score(*b)));
            assert_eq!(best, Some(back), "head {head}");
            // In a softmax the next best place counts a fraction.
            assert!((score(back) - score(back + 1)) / (head as f64).sqrt() > 0.5);
        }
    }
}
