//! `eval`: measures a checkpoint, on benchmarks (`eval NAME...`) or on the simulated home (`eval world`). Each
//! measurement has a file of its own.

mod answerer;
mod ask;
mod benchmarks;
pub(crate) mod endpoint;
mod families;
mod grade;
mod items;
mod judge;
mod list;
mod world;

pub(crate) use endpoint::Endpoint;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Measure a checkpoint.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = ask::EXAMPLES)]
pub(crate) struct EvalOptions {
    /// On what else.
    #[command(subcommand)]
    measure: Option<Measure>,
    #[command(flatten)]
    ask: Box<ask::AskOptions>,
}

#[derive(Subcommand)]
enum Measure {
    World(Box<world::WorldOptions>),
    List(list::ListOptions),
}

/// Runs one measurement.
pub(crate) fn run(options: &EvalOptions) -> Result<()> {
    match &options.measure {
        Some(Measure::World(options)) => world::run(options),
        Some(Measure::List(options)) => list::run(options),
        None => ask::run(&options.ask),
    }
}
