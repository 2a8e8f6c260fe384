//! One file per verb. This file only sends the parsed options to theirs.

pub(crate) mod docs;
pub(crate) mod doctor;
pub(crate) mod fetch;

use crate::cli::Command;

/// Runs one verb to its end.
pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Doctor(options) => doctor::run(&options),
        Command::Fetch(options) => fetch::run(&options),
        Command::Docs(options) => docs::run(&options),
    }
}
