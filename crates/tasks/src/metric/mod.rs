//! Measures of answers: how near a text, a number or a span is to the true one, and how sure a mean of such measures
//! is. Pure functions of values already read; which text an answer comes from is the business of rewards and benchmarks.

pub mod mra;
pub mod overlap;
pub mod statistics;
mod stem;
mod student;
pub mod text;
