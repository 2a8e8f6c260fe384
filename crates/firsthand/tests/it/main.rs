//! The binary as its users run it. One module per concern; every test runs the program that was just built.
#![allow(
    clippy::unwrap_used,
    reason = "the whole crate is tests; clippy only sees that inside test functions"
)]

mod ask;
mod bad_input;
mod batch;
mod chat_server;
#[cfg(unix)]
mod checkpoints;
mod damaged_film;
mod days;
mod docs;
mod doctor;
mod dump;
mod endpoint;
mod eval;
mod fetch;
mod hub_server;
mod inspect;
mod interrupt;
mod kinds;
mod live;
mod long_film;
mod manifest;
mod memory;
mod page;
mod page_home;
mod policy_server;
mod program;
mod recipes;
mod remember;
mod remember_mended;
mod rl;
mod score;
mod scripted;
mod serve;
mod serve_clients;
mod serve_crowd;
mod serve_killed;
mod served;
mod stages;
mod tiny;
mod tools;
mod train;
mod train_bad;
mod world;
