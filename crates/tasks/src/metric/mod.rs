//! Measures of answers: how near a text, a number, a box or a span is to the true one. Pure functions of values already
//! read; which text an answer comes from is the business of rewards and benchmarks.

pub mod mra;
pub mod overlap;
mod stem;
pub mod text;
