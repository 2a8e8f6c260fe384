//! Bytes to timestamped pictures: opening images and videos from anywhere, choosing frames by the named sampling
//! rules, decoding exactly those, rotating, hashing and resizing them the way each reference library does.
//!
//! This room owns the codec libraries. It knows no tensors and no text: what leaves it are RGB8 pictures and
//! the identity of the frames they came from.
#![deny(missing_docs)]

mod animation;
mod bytes;
mod cache;
mod encode;
mod error;
mod fetch;
mod film;
mod inline;
mod jpeg;
mod kind;
mod list;
mod location;
mod moving;
mod opener;
mod picture;
mod resize;
mod sampling;
mod signatures;
mod size;
mod still;
mod tiff;
mod version;
mod video;

pub use encode::{Preset, Quality, Rate, VideoCodec, VideoOptions, VideoWriter, draft_path, png, write_png};
pub use error::{Error, Refusal, Result};
pub use fetch::discard_downloads;
pub use inline::{base64, display_location, inline_bytes, inline_pictures, is_inline};
pub use kind::{Format, Kind};
pub use opener::{OpenMedia, Opener, OpenerOptions};
pub use picture::{Picture, Prepared, Probe, Survey};
pub use sampling::{Choice, Timeline, choose};
pub use size::{SizeRule, smart_resize};
pub use version::{decoder_version, missing_decoders};

#[cfg(test)]
mod tests;
