//! `eval`: measures a checkpoint. Which measurement is a subcommand; each has a file of its own.

mod grade;
mod items;
mod table;
mod world;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Measure a checkpoint.
#[derive(Args)]
pub(crate) struct EvalOptions {
    /// On what.
    #[command(subcommand)]
    measure: Measure,
}

#[derive(Subcommand)]
enum Measure {
    World(Box<world::WorldOptions>),
}

/// Runs one measurement.
pub(crate) fn run(options: &EvalOptions) -> Result<()> {
    match &options.measure {
        Measure::World(options) => world::run(options),
    }
}
