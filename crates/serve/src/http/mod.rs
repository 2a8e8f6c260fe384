//! The way in: connections with bounds on time and number, and the guard that every request passes.

pub(crate) mod guard;
pub(crate) mod listener;
