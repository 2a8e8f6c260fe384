//! The command line: which verbs there are. The options of a verb are declared beside the verb; their doc
//! comments are the help text and the source of `docs/cli`.

use clap::{Parser, Subcommand};

use crate::commands;

/// Ask questions about images and first-person video, with any Qwen2-VL or Qwen2.5-VL checkpoint.
#[derive(Parser)]
#[command(name = "firsthand", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Name and version, for manifests.
pub(crate) const PROGRAM: &str = concat!("firsthand ", env!("CARGO_PKG_VERSION"));

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 it failed (one `error:` line, and a `hint:` line where there is a remedy),
2 the command line is wrong, 130 interrupted.

Colours follow NO_COLOR and appear only on a terminal. Progress goes to stderr, only on a terminal.";

/// The verbs.
#[derive(Subcommand)]
pub(crate) enum Command {
    Ask(Box<commands::ask::AskOptions>),
    Batch(Box<commands::batch::BatchOptions>),
    Inspect(commands::inspect::InspectOptions),
    Dump(commands::dump::DumpOptions),
    Fetch(commands::fetch::FetchOptions),
    Eval(commands::eval::EvalOptions),
    Compare(commands::compare::CompareOptions),
    Score(commands::score::ScoreOptions),
    Doctor(commands::doctor::DoctorOptions),
    Remember(Box<commands::remember::RememberOptions>),
    World(commands::world::WorldOptions),
    Train(commands::train::TrainOptions),
    Serve(Box<commands::serve::ServeVerb>),
    Mcp(Box<commands::mcp::McpOptions>),
    Data(commands::data::DataOptions),
    Trace(commands::trace::TraceOptions),
    Recall(commands::recall::RecallOptions),
    Forget(commands::forget::ForgetOptions),
    Memory(commands::memory::MemoryOptions),
    #[command(hide = true)]
    MediaWorker(commands::media_worker::MediaWorkerOptions),
    #[command(hide = true)]
    Docs(commands::docs::DocsOptions),
}
