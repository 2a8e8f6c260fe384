//! Layers as plain pairs `forward` / `backward` over f32 activations in candle tensors of `[tokens, features]`.
//! Sequences are packed one after another; there is no batch dimension and no padding, segments say where one
//! ends. A tensor may be a `narrow` of wider rows wherever a matrix is read.
//!
//! No autograd graph: `backward` takes what `forward` took (and `dy`) and recomputes what is cheap. Gradients of
//! parameters are added to the tensor given, those of inputs are returned. Wrong shapes are errors of the caller
//! and panic; anything a checkpoint can cause is an error.

mod activation;
mod attention;
mod buffer;
mod cache;
mod embedding;
mod linear;
mod lora;
mod loss;
mod norm;
mod rope;
mod rows;

pub use activation::{Activation, swiglu, swiglu_backward};
pub use attention::{Attended, Heads, Mask, Segment, attention, attention_backward, cached_attention};
pub use buffer::{Buffer, Element};
pub use cache::{CacheRow, CacheType, KvCache};
pub use embedding::Embedding;
pub use linear::{Linear, Weight};
pub use lora::Lora;
pub use loss::{Beside, LossRow, Scores, cross_entropy, distances, log_probabilities, log_probability};
pub use norm::{LayerNorm, RmsNorm};
pub use rope::Rope;
pub use rows::{add, add_rows, gather_rows, place_rows, spread_rows};

#[cfg(test)]
mod tests;
