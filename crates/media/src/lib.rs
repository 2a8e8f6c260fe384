//! Bytes to timestamped pictures: opening images and videos from anywhere, choosing frames by the named sampling
//! rules, decoding exactly those, rotating, hashing and resizing them the way each reference library does.
//!
//! This room owns the codec libraries. It knows no tensors and no text: what leaves it are RGB8 pictures and
//! the identity of the frames they came from.
#![deny(missing_docs)]

mod error;
mod opener;
mod picture;
mod sampling;
mod size;

pub use error::{Error, Result};
pub use opener::{Opener, OpenerOptions};
pub use picture::{Picture, Prepared, Probe};
pub use sampling::{Choice, Timeline, choose};
pub use size::{SizeRule, smart_resize};
