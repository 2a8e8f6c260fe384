//! `data`: makes rows to learn from. What a row is, the rooms know; this file only lists what can be made.

mod cott;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Make rows to train on.
#[derive(Args)]
pub(crate) struct DataOptions {
    /// What to make.
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Subcommand)]
enum DataCommand {
    Cott(Box<cott::CottOptions>),
}

/// Makes it.
pub(crate) fn run(options: &DataOptions) -> Result<()> {
    match &options.command {
        DataCommand::Cott(options) => cott::run(options),
    }
}
