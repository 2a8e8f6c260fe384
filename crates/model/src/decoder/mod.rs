//! The decoder that Qwen2, Qwen2-VL and Qwen2.5-VL share: embedding, blocks, norm, head. It takes rows of the
//! residual stream, so that whoever owns a vision tower can put features in first; it knows no vision.

mod block;
pub mod config;

use candle_core::Tensor;
use firsthand_base::Position;

pub use self::block::{Block, LastTokens, Pack, Saved};
use self::config::DecoderConfig;
use crate::error::Result;
use crate::layers::{
    Beside, CacheRow, Embedding, Heads, KvCache, Linear, LossRow, RmsNorm, Rope, Scores, Segment,
    cross_entropy, distances, log_probabilities,
};
use crate::parts::{Gradients, Held, HeldMut, Name, Named, Parts, SwiGlu, probe};
use crate::weights::Loader;

/// The parameters, in order of the forward pass.
#[derive(Clone, Debug)]
pub struct Decoder {
    /// Sizes.
    pub config: DecoderConfig,
    /// Token table `[vocab, width]`.
    pub embed: Named<Embedding>,
    /// The blocks.
    pub blocks: Vec<Block>,
    /// Norm after the last block.
    pub norm: Named<RmsNorm>,
    /// `[vocab, width]`; the table itself where the checkpoint ties them.
    pub head: Named<Linear>,
}

impl Parts for Decoder {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(Name<'a>, Held<'a>)) {
        self.embed.visit(see);
        self.blocks.visit(see);
        self.norm.visit(see);
        if !self.tied() {
            self.head.visit(see);
        }
    }

    fn visit_linears(&mut self, see: &mut dyn FnMut(&mut Named<Linear>)) {
        self.blocks.visit_linears(see);
        if !self.tied() {
            self.head.visit_linears(see);
        }
    }

    fn visit_mut(&mut self, see: &mut dyn FnMut(Name<'_>, HeldMut<'_>)) {
        self.embed.visit_mut(see);
        self.blocks.visit_mut(see);
        self.norm.visit_mut(see);
        if !self.tied() {
            self.head.visit_mut(see);
        }
    }
}

/// Sequences packed one after another, for a pass without a cache.
pub struct Sequences {
    /// Angles of every token.
    rope: Rope,
    /// Each sequence's rows, and which it begins with.
    pub segments: Vec<Segment>,
    /// The rows whose hidden state is wanted, ascending; `None` for all.
    pub wanted: Option<Vec<usize>>,
}

impl Sequences {
    /// What a block is told; the last one finishes the wanted rows only.
    fn pack(&self, is_last: bool) -> Pack<'_> {
        let only = self.wanted.as_deref().filter(|_| is_last);
        Pack { rope: &self.rope, segments: &self.segments, only }
    }
}

/// What the backward pass needs of a forward pass.
pub struct Trail {
    /// The input of every block and of the final norm.
    inputs: Vec<Tensor>,
    /// Per block; `None` where it is computed again, or never asked for.
    saved: Vec<Option<Saved>>,
}

/// What a forward pass keeps for the backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: inference.
    Nothing,
    /// The blocks' inputs; their inside is computed again (about 30 % more time, 12 times less memory).
    Inputs,
    /// All that is not cheap to compute again.
    All,
}

impl Decoder {
    /// Reads every parameter.
    pub fn load(config: &DecoderConfig, loader: &mut Loader<'_>) -> Result<Decoder> {
        let (width, eps) = (config.hidden_size, config.norm_eps);
        let embed = loader.embedding("model.embed_tokens", config.vocab_size, width)?;
        let blocks = (0..config.layers)
            .map(|i| load_block(&format!("model.layers.{i}"), config, loader))
            .collect::<Result<_>>()?;
        let norm = loader.rms_norm("model.norm", width, eps)?;
        let head = loader.head(config.tied, config.vocab_size, width)?;
        Ok(Decoder { config: config.clone(), embed, blocks, norm, head })
    }

    /// Whether the head is the token table, so that both are one parameter.
    pub fn tied(&self) -> bool {
        self.head.key == self.embed.key
    }

    /// Angles for tokens at these positions.
    pub fn rope(&self, positions: &[Position]) -> Rope {
        let DecoderConfig { rope_sections, head_dim, rope_theta, .. } = self.config;
        Rope::multimodal(positions, rope_sections, head_dim, rope_theta)
    }

    /// Describes packed sequences: positions of all tokens, and each sequence's rows.
    pub fn sequences(&self, positions: &[Position], segments: Vec<Segment>) -> Sequences {
        Sequences { rope: self.rope(positions), segments, wanted: None }
    }

    /// Whole sequences: embedded rows `[n, width]` to final hidden states, normed, `[n or wanted, width]`. Blocks
    /// below `from` are kept nothing of.
    pub fn forward(
        &self,
        embeds: Tensor,
        sequences: &Sequences,
        keep: Keep,
        from: usize,
    ) -> Result<(Tensor, Trail)> {
        let mut trail = Trail { inputs: Vec::new(), saved: Vec::new() };
        probe(format_args!("text.embeds"), &embeds);
        // 1. Blocks                                                                [n, width]
        let mut x = embeds;
        for (i, block) in self.blocks.iter().enumerate() {
            let (out, saved) = block.forward(&x, sequences.pack(i + 1 == self.blocks.len()))?;
            probe(format_args!("text.block.{i}"), &out);
            if keep != Keep::Nothing && i >= from {
                trail.inputs.push(x);
                trail.saved.push((keep == Keep::All).then_some(saved));
            }
            x = out;
        }
        // 2. Norm                                                                  [n or wanted, width]
        let normed = self.norm.forward(&x)?;
        probe(format_args!("text.norm"), &normed);
        if keep != Keep::Nothing {
            trail.inputs.push(x);
        }
        Ok((normed, trail))
    }

    /// New tokens of sequences whose past is in the cache: embedded rows to the normed hidden states of the last
    /// token of every row in `wanted` (row numbers, ascending), `[wanted, width]`. All rows' keys and values are
    /// remembered.
    pub fn forward_cached(
        &self,
        embeds: Tensor,
        positions: &[Position],
        rows: &[CacheRow<'_>],
        cache: &mut KvCache,
        wanted: &[usize],
    ) -> Result<Tensor> {
        let rope = self.rope(positions);
        let (index, last_rows) = last_tokens(rows, wanted);
        let last_tokens = LastTokens { index: &index, rows: &last_rows };
        // 1. Blocks; the last one finishes the wanted tokens only                  [n, width], [wanted, width]
        let mut x = embeds;
        for (layer, block) in self.blocks.iter().enumerate() {
            let only = (layer + 1 == self.blocks.len()).then_some(&last_tokens);
            x = block.forward_cached(&x, &rope, rows, (cache, layer), only)?;
        }
        // 2. Norm                                                                  [wanted, width]
        self.norm.forward(&x)
    }

    /// Logits of hidden states that [`Decoder::forward`] returned, `[n, vocab]`.
    pub fn logits(&self, normed: &Tensor) -> Result<Tensor> {
        self.head.forward(normed)
    }

    /// Log-probabilities of the targets, and the gradient of their weighted cross-entropy, with distances to `beside`
    /// where one is given, with respect to the normed hidden states; adds to the head's.
    pub fn loss(
        &self,
        normed: &Tensor,
        targets: &[LossRow],
        beside: Option<&Beside<'_>>,
        grads: &mut Gradients<'_>,
    ) -> Result<Scores> {
        let shape = [self.head.layer.outputs(), self.head.layer.inputs()];
        let slot = grads.slot(&format!("{}.weight", self.head.key), &shape)?;
        Ok(cross_entropy(normed, &self.head.layer, targets, beside, slot)?)
    }

    /// Distances of the targets' rows to `beside`, without a gradient.
    pub fn distances(&self, normed: &Tensor, targets: &[LossRow], beside: &Beside<'_>) -> Result<Vec<f32>> {
        Ok(distances(normed, &self.head.layer, targets, beside)?)
    }

    /// Log-probabilities of the targets, without a gradient.
    pub fn log_probabilities(&self, normed: &Tensor, targets: &[LossRow]) -> Result<Vec<f32>> {
        Ok(log_probabilities(normed, &self.head.layer, targets)?)
    }

    /// From the gradient of the normed hidden states to that of the input of block `from`, the one the trail
    /// starts at.
    pub fn backward(
        &self,
        mut trail: Trail,
        dnormed: &Tensor,
        sequences: &Sequences,
        from: usize,
        grads: &mut Gradients<'_>,
    ) -> Result<Tensor> {
        // 2. Norm                                                                  [n or wanted, width]
        let last = trail.inputs.pop().expect("a forward pass that keeps ends with the norm's input");
        let mut dx = self.norm.backward(&last, dnormed, grads)?;
        // 1. Blocks, last to first                                                 [n, width]
        for (i, block) in self.blocks.iter().enumerate().skip(from).rev() {
            let pack = sequences.pack(i + 1 == self.blocks.len());
            let x = trail.inputs.pop().expect("one input per kept block");
            let saved = match trail.saved.pop().expect("one entry per kept block") {
                Some(saved) => saved,
                None => block.forward(&x, pack)?.1,
            };
            dx = block.backward(&x, &saved, &dx, pack, grads)?;
        }
        Ok(dx)
    }

    /// The first block whose gradient is wanted, given whether anything before the blocks is: blocks below it
    /// need no backward pass. One past the last block if none is.
    pub fn first_wanted(&self, embeds_wanted: bool, grads: &Gradients<'_>) -> usize {
        if embeds_wanted {
            return 0;
        }
        self.blocks.iter().position(|block| block.wanted(grads)).unwrap_or(self.blocks.len())
    }
}

/// The last tokens of the wanted rows: their places among all tokens, and each as a row of one token.
fn last_tokens<'a>(rows: &[CacheRow<'a>], wanted: &[usize]) -> (Vec<usize>, Vec<CacheRow<'a>>) {
    let mut end = 0;
    let ends: Vec<usize> = rows
        .iter()
        .map(|row| {
            end += row.tokens;
            end
        })
        .collect();
    let last = |&at: &usize| {
        let CacheRow { tokens, start, blocks } = rows[at];
        (ends[at] - 1, CacheRow { tokens: 1, start: start + tokens - 1, blocks })
    };
    wanted.iter().map(last).unzip()
}

fn load_block(prefix: &str, config: &DecoderConfig, loader: &mut Loader<'_>) -> Result<Block> {
    let DecoderConfig { hidden_size: width, intermediate_size: inner, heads, kv_heads, head_dim, .. } =
        *config;
    let eps = config.norm_eps;
    let (wide, narrow) = (heads * head_dim, kv_heads * head_dim);
    Ok(Block {
        norm_attention: loader.rms_norm(&format!("{prefix}.input_layernorm"), width, eps)?,
        q: loader.linear(&format!("{prefix}.self_attn.q_proj"), wide, width, true)?,
        k: loader.linear(&format!("{prefix}.self_attn.k_proj"), narrow, width, true)?,
        v: loader.linear(&format!("{prefix}.self_attn.v_proj"), narrow, width, true)?,
        o: loader.linear(&format!("{prefix}.self_attn.o_proj"), width, wide, false)?,
        norm_mlp: loader.rms_norm(&format!("{prefix}.post_attention_layernorm"), width, eps)?,
        mlp: SwiGlu {
            gate: loader.linear(&format!("{prefix}.mlp.gate_proj"), inner, width, false)?,
            up: loader.linear(&format!("{prefix}.mlp.up_proj"), inner, width, false)?,
            down: loader.linear(&format!("{prefix}.mlp.down_proj"), width, inner, false)?,
        },
        heads: Heads { query: heads, key_value: kv_heads, dim: head_dim },
    })
}
