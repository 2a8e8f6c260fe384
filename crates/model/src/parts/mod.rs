//! What every architecture is assembled from, above single layers: parameters that know their checkpoint key,
//! the gradients collected under those keys, the SwiGLU, and the tap for tests.

mod held;
mod named;
mod probe;
mod swiglu;

pub use held::{Held, HeldMut, Name, Parts};
pub(crate) use held::{LORA_A, LORA_B, parts};
pub use named::{Gradients, Named};
pub use probe::{listen, probe};
pub use swiglu::{SwiGlu, SwiGluSaved};
