//! BERT and its small relatives as text encoders: token ids to one vector of length one per text. Forward only, in f32,
//! as sentence-transformers computes it: last states, pooled, normalised. Knows no text; ids come with their marks.

pub mod config;

use std::path::Path;

use candle_core::Tensor;

use self::config::{Config, Pooling};
use crate::backend;
use crate::error::{ModelError, Result};
use crate::layers::{Embedding, Heads, LayerNorm, Linear, Mask, Segment, add, attention};
use crate::parts::Named;
use crate::weights::{Dtype, Loader, Weights};

/// An encoder in memory.
pub struct Encoder {
    /// Sizes.
    pub config: Config,
    words: Named<Embedding>,
    positions: Named<Embedding>,
    kinds: Named<Embedding>,
    norm: Named<LayerNorm>,
    blocks: Vec<Block>,
    weights: Weights,
}

/// One block: attention and network, each added to the stream and then normed.
struct Block {
    query: Named<Linear>,
    key: Named<Linear>,
    value: Named<Linear>,
    /// `[width, width]`
    merge: Named<Linear>,
    norm_attention: Named<LayerNorm>,
    /// `[inner, width]`
    widen: Named<Linear>,
    /// `[width, inner]`
    narrow: Named<Linear>,
    norm_network: Named<LayerNorm>,
}

impl Encoder {
    /// Reads an encoder's folder in the published layout.
    pub fn open(dir: &Path) -> Result<Encoder> {
        backend::device("cpu")?;
        let (config, weights) = (Config::read(dir)?, Weights::open(dir)?);
        // Saved with a head, or alone.
        let inside = weights.find("bert.embeddings.word_embeddings.weight").is_some();
        let prefix = if inside { "bert." } else { "" };
        let mut loader = Loader::new(&weights, Dtype::F32, None);
        let (width, table) = (config.width, format!("{prefix}embeddings"));
        let words = loader.embedding(&format!("{table}.word_embeddings"), config.vocabulary, width)?;
        let positions = loader.embedding(&format!("{table}.position_embeddings"), config.positions, width)?;
        let kinds = loader.embedding(&format!("{table}.token_type_embeddings"), config.kinds, width)?;
        let norm = loader.layer_norm(&format!("{table}.LayerNorm"), width, config.norm_eps)?;
        let blocks = (0..config.depth)
            .map(|i| Block::load(&format!("{prefix}encoder.layer.{i}"), &config, &mut loader))
            .collect::<Result<_>>()?;
        Ok(Encoder { config, words, positions, kinds, norm, blocks, weights })
    }

    /// The mapped files.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// One vector of length one per text, each given as token ids with the marks its tokenizer adds.
    pub fn embed(&self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let (mut ids, mut places, mut segments) = (Vec::new(), Vec::new(), Vec::new());
        for text in texts {
            self.check(text)?;
            segments.push(Segment::from(ids.len()..ids.len() + text.len()));
            ids.extend_from_slice(text);
            places.extend(0..text.len() as u32);
        }
        // 1. Words, positions and the kind of the first sentence                   [n, width]
        let mut x = add(&self.words.layer.forward(&ids)?, &self.positions.layer.forward(&places)?)?;
        x = add(&x, &self.kinds.layer.forward(&vec![0; ids.len()])?)?;
        x = self.norm.forward(&x)?;
        // 2. Blocks                                                                [n, width]
        for block in &self.blocks {
            x = block.forward(&x, &segments, &self.config)?;
        }
        // 3. One vector per text, of length one                                    [texts, width]
        let states: Vec<f32> = x.flatten_all()?.to_vec1()?;
        Ok(segments.into_iter().map(|segment| self.pool(&states, segment)).collect())
    }

    fn check(&self, text: &[u32]) -> Result<()> {
        let Config { vocabulary, positions, .. } = self.config;
        if text.is_empty() || text.len() > positions {
            let n = text.len();
            return Err(ModelError::Input(format!(
                "a text of {n} tokens; the encoder takes 1 to {positions}"
            )));
        }
        match text.iter().find(|id| **id as usize >= vocabulary) {
            None => Ok(()),
            Some(id) => Err(ModelError::Input(format!(
                "token id {id} is outside the vocabulary of {vocabulary}; is the tokenizer of another checkpoint?"
            ))),
        }
    }

    fn pool(&self, states: &[f32], segment: Segment) -> Vec<f32> {
        let width = self.config.width;
        let mut rows = states[segment.rows.start * width..segment.rows.end * width].chunks_exact(width);
        let mut vector = vec![0f32; width];
        match self.config.pooling {
            Pooling::First => vector.copy_from_slice(rows.next().unwrap_or(&vec![0.0; width])),
            Pooling::Mean => {
                for row in rows {
                    vector.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
                }
                vector.iter_mut().for_each(|sum| *sum /= segment.rows.len() as f32);
            }
        }
        // The library divides by the length, or by 1e-12 where there is none.
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-12);
        vector.iter_mut().for_each(|value| *value /= length);
        vector
    }
}

impl Block {
    fn load(prefix: &str, config: &Config, loader: &mut Loader<'_>) -> Result<Block> {
        let Config { width, inner, norm_eps, .. } = *config;
        let mut linear = |name: &str, outputs: usize, inputs: usize| {
            loader.plain_linear(&format!("{prefix}.{name}"), &[outputs, inputs], outputs, inputs, true)
        };
        let query = linear("attention.self.query", width, width)?;
        let key = linear("attention.self.key", width, width)?;
        let value = linear("attention.self.value", width, width)?;
        let merge = linear("attention.output.dense", width, width)?;
        let widen = linear("intermediate.dense", inner, width)?;
        let narrow = linear("output.dense", width, inner)?;
        let mut norm = |name: &str| loader.layer_norm(&format!("{prefix}.{name}"), width, norm_eps);
        let norm_attention = norm("attention.output.LayerNorm")?;
        let norm_network = norm("output.LayerNorm")?;
        Ok(Block { query, key, value, merge, norm_attention, widen, narrow, norm_network })
    }

    /// `[n, width]` to the same.
    fn forward(&self, x: &Tensor, segments: &[Segment], config: &Config) -> Result<Tensor> {
        let heads = Heads { query: config.heads, key_value: config.heads, dim: config.width / config.heads };
        // 1. Attention over all of a text, added to the stream, normed             [n, width]
        let [q, k, v] = [self.query.forward(x)?, self.key.forward(x)?, self.value.forward(x)?];
        let seen = attention(&q, &k, &v, segments, heads, Mask::Full)?.y;
        let x = self.norm_attention.forward(&add(x, &self.merge.forward(&seen)?)?)?;
        // 2. Network, added to the stream, normed                                  [n, width]
        let hidden = config.activation.forward(&self.widen.forward(&x)?)?;
        self.norm_network.forward(&add(&x, &self.narrow.forward(&hidden)?)?)
    }
}
