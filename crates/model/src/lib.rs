//! stub
pub mod backend;
pub mod layers;
