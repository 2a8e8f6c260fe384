//! Reinforcement learning: completions sampled from the model that learns, judged by `tasks`, and turned into a
//! weighted cross-entropy. Rollouts and gradients use the same weights, tokens and order of sums.

pub mod algorithms;
pub mod critic;
pub mod environment;
pub mod held_out;
pub mod judge;
pub mod learner;
pub mod objective;
pub mod recipe;
pub mod roller;
pub mod rollout;
pub mod round;
pub mod sampler;
pub mod show;
pub mod tools;
pub mod trajectory;
mod views;

#[cfg(test)]
mod tests;

pub use algorithms::{Algorithm, Sample};
pub use critic::Critic;
pub use environment::{Environment, Environments, Heard};
pub use held_out::{Change, HeldOut, Measured, Results};
pub use learner::{Learner, Stage};
pub use objective::{Averaging, Clip, Estimator, KlPlace, KlRecipe, Objective, Ratio};
pub use recipe::RlRecipe;
pub use rollout::Rollout;
pub use round::{Drawn, Round};
pub use sampler::Sampler;
