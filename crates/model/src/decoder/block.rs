//! One decoder block: attention with grouped heads and rotary positions, then SwiGLU, each behind an RMSNorm and
//! added to the stream. The same for Qwen2, Qwen2-VL and Qwen2.5-VL.

use candle_core::Tensor;

use crate::error::Result;
use crate::layers::{
    Attended, CacheRow, Heads, KvCache, Linear, Mask, RmsNorm, Rope, Segment, add, attention,
    attention_backward, cached_attention, gather_rows, spread_rows,
};
use crate::parts::{Gradients, Named, SwiGlu, SwiGluSaved, parts};

/// The parameters, in order of the forward pass.
#[derive(Clone, Debug)]
pub struct Block {
    /// Norm before attention.
    pub norm_attention: Named<RmsNorm>,
    /// `[heads * dim, width]`
    pub q: Named<Linear>,
    /// `[kv_heads * dim, width]`
    pub k: Named<Linear>,
    /// `[kv_heads * dim, width]`
    pub v: Named<Linear>,
    /// `[width, heads * dim]`
    pub o: Named<Linear>,
    /// Norm before the SwiGLU.
    pub norm_mlp: Named<RmsNorm>,
    /// The SwiGLU.
    pub mlp: SwiGlu,
    /// Heads of the attention.
    pub heads: Heads,
}

parts!(Block { norm_attention, q, k, v, o, norm_mlp, mlp });

/// What the backward pass needs besides the block's input.
#[derive(Debug)]
pub struct Saved {
    /// Turned queries, turned keys, values.
    qkv: [Tensor; 3],
    attended: Attended,
    /// The rows of `attended.y` that go on, where not all do.
    taken: Option<Tensor>,
    /// The stream between the two halves.
    middle: Tensor,
    mlp: SwiGluSaved,
}

/// What is the same for all blocks of a whole-sequence pass.
#[derive(Clone, Copy)]
pub struct Pack<'a> {
    /// Angles of every token.
    pub rope: &'a Rope,
    /// The sequences, each a range of rows.
    pub segments: &'a [Segment],
    /// The rows whose result is wanted, ascending; `None` for all. The others are only attended to.
    pub only: Option<&'a [usize]>,
}

/// The tokens whose hidden state is wanted of a pass: the last of some rows.
pub struct LastTokens<'a> {
    /// Their places among all tokens of the pass.
    pub index: &'a [usize],
    /// Each as a row of one token.
    pub rows: &'a [CacheRow<'a>],
}

impl Block {
    /// Whole sequences, `[n, width]` to `[n or wanted, width]`.
    pub fn forward(&self, x: &Tensor, pack: Pack<'_>) -> Result<(Tensor, Saved)> {
        // 1. Queries, keys, values, turned by position                             [n, heads * dim]
        let [q, k, v] = self.project(x, pack.rope)?;
        // 2. Causal attention within each sequence                                 [n, heads * dim]
        let attended = attention(&q, &k, &v, pack.segments, self.heads, Mask::Causal)?;
        // 3. Add to the stream                                                     [n or wanted, width]
        let taken = pack.only.map(|rows| gather_rows(&attended.y, rows)).transpose()?;
        let change = self.o.forward(taken.as_ref().unwrap_or(&attended.y))?;
        let middle = match pack.only {
            None => add(x, &change)?,
            Some(rows) => add(&gather_rows(x, rows)?, &change)?,
        };
        // 4. SwiGLU, add to the stream                                             [n or wanted, width]
        let (change, mlp) = self.mlp.forward(&self.norm_mlp.forward(&middle)?)?;
        let out = add(&middle, &change)?;
        Ok((out, Saved { qkv: [q, k, v], attended, taken, middle, mlp }))
    }

    /// New tokens of sequences whose past is in the cache, `[n, width]` to the same. With `only`, the rows of the
    /// result that are wanted: `[wanted, width]`; keys and values are remembered of all.
    pub fn forward_cached(
        &self,
        x: &Tensor,
        rope: &Rope,
        rows: &[CacheRow<'_>],
        (cache, layer): (&mut KvCache, usize),
        only: Option<&LastTokens<'_>>,
    ) -> Result<Tensor> {
        // 1. Queries, keys, values, turned by position                             [n, heads * dim]
        let [q, k, v] = self.project(x, rope)?;
        // 2. Remember the new keys and values, attend to all                       [n or wanted, heads * dim]
        cache.write(layer, rows, &k, &v)?;
        let (y, x) = match only {
            None => (cached_attention(&q, rows, cache, layer, self.heads)?, x.clone()),
            Some(last) => {
                let q = gather_rows(&q, last.index)?;
                (cached_attention(&q, last.rows, cache, layer, self.heads)?, gather_rows(x, last.index)?)
            }
        };
        // 3. Add to the stream                                                     [n or wanted, width]
        let middle = add(&x, &self.o.forward(&y)?)?;
        // 4. SwiGLU, add to the stream                                             [n or wanted, width]
        Ok(add(&middle, &self.mlp.infer(&self.norm_mlp.forward(&middle)?)?)?)
    }

    /// `dx` from the same `x`.
    pub fn backward(
        &self,
        x: &Tensor,
        saved: &Saved,
        dy: &Tensor,
        pack: Pack<'_>,
        grads: &mut Gradients<'_>,
    ) -> Result<Tensor> {
        let Saved { qkv: [q, k, v], attended, taken, middle, mlp } = saved;
        // 4. SwiGLU; the stream passes the gradient on                             [n or wanted, width]
        let dnormed = self.mlp.backward(&self.norm_mlp.forward(middle)?, mlp, dy, grads)?;
        let mut dmiddle = add(dy, &self.norm_mlp.backward(middle, &dnormed, grads)?)?;
        // 3. Output projection                                                     [n, heads * dim], [n, width]
        let mut dattended = self.o.backward(taken.as_ref().unwrap_or(&attended.y), &dmiddle, grads)?;
        if let Some(rows) = pack.only {
            let n = x.dims()[0];
            dattended = spread_rows(&dattended, rows, n)?;
            dmiddle = spread_rows(&dmiddle, rows, n)?;
        }
        // 2. Attention                                                             [n, heads * dim]
        let (mut dq, mut dk, dv) =
            attention_backward(q, k, v, attended, &dattended, pack.segments, self.heads, Mask::Causal)?;
        pack.rope.apply_inverse(&mut dq)?;
        pack.rope.apply_inverse(&mut dk)?;
        // 1. Three projections of one input                                        [n, width]
        let normed = self.norm_attention.forward(x)?;
        let mut dnormed = self.q.backward(&normed, &dq, grads)?;
        dnormed = add(&dnormed, &self.k.backward(&normed, &dk, grads)?)?;
        dnormed = add(&dnormed, &self.v.backward(&normed, &dv, grads)?)?;
        Ok(add(&dmiddle, &self.norm_attention.backward(x, &dnormed, grads)?)?)
    }

    fn project(&self, x: &Tensor, rope: &Rope) -> Result<[Tensor; 3]> {
        let normed = self.norm_attention.forward(x)?;
        let mut q = self.q.forward(&normed)?;
        let mut k = self.k.forward(&normed)?;
        let v = self.v.forward(&normed)?;
        rope.apply(&mut q)?;
        rope.apply(&mut k)?;
        Ok([q, k, v])
    }
}
