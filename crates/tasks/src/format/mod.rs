//! The shapes answers come in: tagged sections, option letters, quantities, spans of time, tool calls. Each reader
//! has a tolerant form for what models really write and, where a score depends on obedience, a strict one.
//! No reader panics, guesses or falls back to a default: what cannot be read is `None` or an error.

mod choice;
mod literal;
mod quantity;
mod span;
mod spelled;
pub(crate) mod tags;
mod tool;

pub use crate::thoughts::without_inner_tags;
pub use choice::{choice, choice_among};
pub(crate) use literal::literal;
pub(crate) use quantity::python_float;
pub use quantity::{Quantity, plain_number};
pub use span::{plain_span, spans};
pub use tool::{Action, Step, ToolCall, well_formed};
