//! One file per verb. This file only sends the parsed options to theirs.

pub(crate) mod ask;
pub(crate) mod batch;
pub(crate) mod compare;
pub(crate) mod data;
pub(crate) mod docs;
pub(crate) mod doctor;
pub(crate) mod dump;
pub(crate) mod eval;
pub(crate) mod fetch;
pub(crate) mod forget;
pub(crate) mod inspect;
pub(crate) mod mcp;
pub(crate) mod media_worker;
pub(crate) mod memory;
pub(crate) mod recall;
pub(crate) mod remember;
pub(crate) mod score;
pub(crate) mod serve;
pub(crate) mod trace;
pub(crate) mod train;
pub(crate) mod world;

use crate::cli::Command;

/// Runs one verb to its end.
pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Ask(options) => ask::run(&options),
        Command::Batch(options) => batch::run(&options),
        Command::Inspect(options) => inspect::run(&options),
        Command::Dump(options) => dump::run(&options),
        Command::Eval(options) => eval::run(&options),
        Command::Compare(options) => compare::run(&options),
        Command::Score(options) => score::run(&options),
        Command::Doctor(options) => doctor::run(&options),
        Command::Remember(options) => remember::run(&options),
        Command::Fetch(options) => fetch::run(&options),
        Command::World(options) => world::run(&options),
        Command::Data(options) => data::run(&options),
        Command::Trace(options) => trace::run(&options),
        Command::Train(options) => train::run(&options),
        Command::Serve(options) => serve::run(*options),
        Command::Mcp(options) => mcp::run(*options),
        Command::MediaWorker(options) => media_worker::run(&options),
        Command::Recall(options) => recall::run(&options),
        Command::Forget(options) => forget::run(&options),
        Command::Memory(options) => memory::run(&options),
        Command::Docs(options) => docs::run(&options),
    }
}
