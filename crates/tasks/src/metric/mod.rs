//! How close two values are, for rewards and benchmarks alike.

pub mod overlap;
