//! What every architecture is assembled from, above single layers: parameters that know their checkpoint key,
//! the gradients collected under those keys, the SwiGLU, and the tap for tests.

mod named;
mod probe;
mod swiglu;

pub use named::{Gradients, Named};
pub use probe::{listen, probe};
pub use swiglu::{SwiGlu, SwiGluSaved};
