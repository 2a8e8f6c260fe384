//! The model as the engine drives it: rows of new tokens against a paged cache, vision features kept by key.
//! Decides nothing: which block, which row and when are the engine's.

use std::borrow::Borrow;
use std::collections::HashMap;

use candle_core::Tensor;
use firsthand_base::{Digest, Position, VisionItem};
use firsthand_engine::{Limits, Row, Runner};

use crate::error::{ModelError, Result};
use crate::layers::{CacheRow, CacheType, KvCache, log_probability, place_rows};
use crate::model::Model;

/// Size and number type of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// Tokens in one block.
    pub block_tokens: usize,
    /// Tokens the whole cache holds, rounded up to whole blocks.
    pub tokens: usize,
    /// How keys and values are stored.
    pub kind: CacheType,
}

/// A model, owned or borrowed, with its cache and the features of the items in use.
pub struct ModelRunner<M = Model> {
    model: M,
    cache: KvCache,
    features: HashMap<Digest, Tensor>,
    /// Computed elsewhere: not to be computed again.
    known: HashMap<Digest, Tensor>,
    limits: Limits,
}

impl<M: Borrow<Model>> ModelRunner<M> {
    /// Allocates the cache. Its pages become resident as they are written.
    pub fn new(model: M, options: CacheOptions) -> ModelRunner<M> {
        let config = model.borrow().config.decoder();
        let block_tokens = options.block_tokens.max(1);
        let blocks = options.tokens.div_ceil(block_tokens).max(1);
        let cache =
            KvCache::new(config.layers, blocks, block_tokens, config.kv_heads, config.head_dim, options.kind);
        let limits =
            Limits { block_tokens, blocks, max_context: config.max_context, vocab: config.vocab_size };
        ModelRunner { model, cache, features: HashMap::new(), known: HashMap::new(), limits }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        self.model.borrow()
    }

    /// Takes features of items that were computed before with this model's tower.
    pub fn know(&mut self, features: &HashMap<Digest, Tensor>) {
        self.known.extend(features.iter().map(|(key, features)| (*key, features.clone())));
    }

    /// Refuses rows that do not fit the cache or each other.
    fn check(&self, row: &Row<'_>) -> Result<()> {
        let refuse = |reason: String| Err(ModelError::Input(reason));
        let (tokens, end) = (row.tokens.len(), row.start + row.tokens.len());
        if tokens == 0 || row.positions.len() != tokens {
            return refuse(format!("a row of {tokens} tokens with {} positions", row.positions.len()));
        }
        if end > self.limits.max_context {
            return refuse(format!(
                "{end} tokens are more than the checkpoint's context of {}",
                self.limits.max_context
            ));
        }
        if row.blocks.len() * self.limits.block_tokens < end {
            return refuse(format!("{} blocks do not hold {end} tokens", row.blocks.len()));
        }
        if let Some(block) = row.blocks.iter().find(|&&block| block as usize >= self.limits.blocks) {
            return refuse(format!("block {block} of {}", self.limits.blocks));
        }
        for slot in &row.vision {
            let Some(features) = self.features.get(&slot.key) else {
                return refuse(format!("vision item {} was not encoded", slot.key));
            };
            if slot.at.end > tokens || slot.from + slot.at.len() > features.dims()[0] {
                return refuse(format!("features {}.. for tokens {:?} of {tokens}", slot.from, slot.at));
            }
        }
        Ok(())
    }

    /// Token rows of all sequences with vision features in their places.
    fn embed(&self, rows: &[Row<'_>]) -> Result<Tensor> {
        let ids: Vec<u32> = rows.iter().flat_map(|row| row.tokens).copied().collect();
        let mut embeds = self.model().decoder.embed.layer.forward(&ids)?;
        let mut first = 0;
        for row in rows {
            for slot in &row.vision {
                let index: Vec<usize> = slot.at.clone().map(|token| first + token).collect();
                let part = self.features[&slot.key].narrow(0, slot.from, slot.at.len())?;
                place_rows(&mut embeds, &index, &part)?;
            }
            first += row.tokens.len();
        }
        Ok(embeds)
    }

    /// Names what most likely made a logit NaN or infinite.
    fn diagnose(&self, token: usize, value: f32) -> ModelError {
        let cause = match self.model().check_weights() {
            Err(broken) => broken.to_string(),
            Ok(()) => "numbers grew too large for their type; try --dtype f32".into(),
        };
        ModelError::Logits { value, token, cause }
    }
}

impl<M: Borrow<Model>> Runner for ModelRunner<M> {
    type Error = ModelError;

    fn limits(&self) -> Limits {
        self.limits
    }

    fn encode(&mut self, item: &VisionItem) -> Result<()> {
        let features = match self.known.get(&item.key) {
            Some(features) => features.clone(),
            None => self.model().features(item)?,
        };
        self.features.insert(item.key, features);
        Ok(())
    }

    fn forget(&mut self, key: &Digest) {
        self.features.remove(key);
    }

    fn log_probability(&self, logits: &[f32], id: u32) -> f32 {
        log_probability(logits, id)
    }

    fn forward(&mut self, rows: &[Row<'_>]) -> Result<Vec<Option<Vec<f32>>>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        rows.iter().try_for_each(|row| self.check(row))?;
        // 1. Embed and place features                                              [tokens, width]
        let embeds = self.embed(rows)?;
        let positions: Vec<Position> = rows.iter().flat_map(|row| row.positions).copied().collect();
        let places: Vec<CacheRow<'_>> = rows
            .iter()
            .map(|row| CacheRow { tokens: row.tokens.len(), start: row.start, blocks: row.blocks })
            .collect();
        let wanted: Vec<usize> = (0..rows.len()).filter(|&at| rows[at].logits).collect();
        // 2. Blocks over the cache, norm of the last tokens that are asked for     [wanted, width]
        let decoder = &self.model.borrow().decoder;
        let normed = decoder.forward_cached(embeds, &positions, &places, &mut self.cache, &wanted)?;
        if wanted.is_empty() {
            return Ok(rows.iter().map(|_| None).collect());
        }
        // 3. Head                                                                  [wanted, vocab]
        let mut logits = decoder.logits(&normed)?.to_vec2::<f32>()?.into_iter();
        let mut answers = Vec::with_capacity(rows.len());
        for row in rows {
            let answer = row.logits.then(|| logits.next().expect("one row of logits per wanted row"));
            if let Some(value) = answer.iter().flatten().find(|value| !value.is_finite()) {
                return Err(self.diagnose(row.start + row.tokens.len() - 1, *value));
            }
            answers.push(answer);
        }
        Ok(answers)
    }
}
