//! What a measurement says, and how sure it is.

pub mod statistics;
mod student;
