//! Reinforcement learning: completions sampled from the model that learns, judged by `tasks`, and turned into a
//! weighted cross-entropy. Rollouts and gradients use the same weights, tokens and order of sums.

pub mod algorithms;
pub mod objective;

#[cfg(test)]
mod tests;

pub use algorithms::{Algorithm, Sample};
pub use objective::{Averaging, Clip, Estimator, KlPlace, KlRecipe, Objective, Ratio};
