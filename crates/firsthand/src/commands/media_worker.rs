//! `media-worker` (hidden): what `serve` starts to open media in a process that can be killed.

use anyhow::Result;
use clap::Args;

/// Open media for a server, over stdin and stdout.
#[derive(Args)]
pub(crate) struct MediaWorkerOptions {
    /// Address space in MiB.
    #[arg(long, value_name = "N")]
    memory_mib: u64,
}

/// Works until the server goes away.
pub(crate) fn run(options: &MediaWorkerOptions) -> Result<()> {
    Ok(firsthand_serve::open_media(options.memory_mib)?)
}
