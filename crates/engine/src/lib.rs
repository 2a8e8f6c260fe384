//! Generation as policy: which sequence runs when, which cache blocks are whose, which token is chosen, when to
//! stop. Everything over the trait [`Runner`]; this room knows no tensors, no tokenizer and no media.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod runner;

pub use runner::{Limits, Row, Runner, VisionSlot};
