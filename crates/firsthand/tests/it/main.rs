//! The binary as its users run it. One module per concern; every test runs the program that was just built.

mod docs;
mod fetch;
mod hub_server;
mod program;
