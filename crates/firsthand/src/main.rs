//! The one binary, as a table of contents: read the command line, run one verb, turn the outcome into an exit
//! code. Everything a verb does is in `commands/<verb>.rs`; nothing outside this crate reads arguments or the
//! environment.

mod atomic;
mod canvas;
mod chat;
mod checkpoint;
mod cli;
mod commands;
mod embed;
mod environment;
mod failure;
mod hub;
mod interrupt;
mod options;
mod pace;
mod plot;
mod policy;
mod progress;
mod reading;
mod recollection;
mod reply;
mod role;
mod screen;
mod session;
mod showing;
mod tensors;
mod tiny;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    interrupt::install();
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::usage(&error),
    };
    match commands::run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
