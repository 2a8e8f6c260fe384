//! `mcp`: the model, and a memory, as tools of the Model Context Protocol over stdin and stdout.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use firsthand_serve::ServeOptions;

use crate::commands::serve::load;
use crate::environment;
use crate::failure;
use crate::options::model::ModelFlags;
use crate::recollection;
use crate::tiny;

const EXAMPLES: &str = "\
Examples:
  firsthand mcp --media-root ~/videos
  firsthand mcp --memory ~/days --model Qwen/Qwen2.5-VL-3B-Instruct

Tools: ask and inspect; with --memory also search_memory, look and look_at. What they say links to the file, the span and
the frame it stands on. `firsthand serve` has the same tools over HTTP at /mcp.";

/// Offer the model as tools to an MCP client, over stdin and stdout.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct McpOptions {
    /// A folder whose files may be named.
    #[arg(long, value_name = "DIR")]
    media_root: Option<PathBuf>,
    /// A memory of days, as `firsthand remember` makes it.
    #[arg(long, value_name = "DIR")]
    memory: Option<PathBuf>,
    #[command(flatten)]
    model: ModelFlags,
}

/// Serves until the client goes away.
pub(crate) fn run(verb: McpOptions) -> Result<()> {
    let name = verb.model.model.clone().unwrap_or_else(|| tiny::NAME.to_owned());
    let options = ServeOptions {
        media_root: verb.media_root,
        files_dir: environment::firsthand_cache()?.join("uploads"),
        program: environment::program()?,
        ..ServeOptions::default()
    };
    let memories = verb.memory.as_deref().map(recollection::memories).transpose()?;
    let days = memories.map(|memories| recollection::days(memories, &name));
    let (flags, sequences) = (verb.model, options.limits.sequences);
    let load = move || load(&flags, sequences).map_err(|error| failure::text(&error));
    Ok(firsthand_serve::serve_stdio(options, &name, load, days)?)
}
