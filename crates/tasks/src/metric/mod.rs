//! Measures of answers: how near a text, a number or a span is to the true one. Pure functions of values already
//! read; which text an answer comes from is the business of rewards and benchmarks.

pub mod mra;
mod stem;
pub mod text;
