//! `fetch`: a checkpoint from a hub into the cache. Options and output; the work is in `hub`.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::environment;
use crate::failure::failure;
use crate::hub::{self, Cache, Client, Order, Repository, Retry};
use crate::progress::{Progress, Unit};
use crate::screen;

const EXAMPLES: &str = "\
Examples:
  firsthand fetch Video-R1/Video-R1-7B
  firsthand fetch Qwen/Qwen2.5-VL-3B-Instruct --include '*.json' --include '*.txt'
  HF_TOKEN=hf_... firsthand fetch owner/private-model --revision v1.0
  firsthand ask clip.mp4 \"What happens?\" --model Video-R1/Video-R1-7B

Files go to $HF_HUB_CACHE (default ~/.cache/huggingface/hub), in the layout of the Python hub client: what either
downloaded, both see. An interrupted download resumes where it stopped; every large file is checked against its
SHA-256. HF_ENDPOINT names another hub or a mirror, HF_TOKEN opens private and gated repositories.";

/// Download a checkpoint from the Hugging Face hub, resumable and checked.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FetchOptions {
    /// The repository, as owner/name.
    repository: String,
    /// Branch, tag or commit.
    #[arg(long, value_name = "NAME", default_value = "main")]
    revision: String,
    /// Only files that match; `*` stands for any characters. May be given several times.
    #[arg(long, value_name = "PATTERN")]
    include: Vec<String>,
    /// Every file, also weights in formats Firsthand does not read (.bin, .gguf, .onnx, ...).
    #[arg(long, conflicts_with = "include")]
    all: bool,
    /// Files downloaded at the same time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=32))]
    jobs: u16,
    /// Tries in a row that bring nothing before giving up.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=100))]
    retries: u32,
    /// First pause between tries, in milliseconds; each further one is twice as long.
    #[arg(long, value_name = "MS", default_value_t = 500, hide = true)]
    pause_ms: u64,
    /// Print one JSON object: repository, revision, commit, snapshot directory, files.
    #[arg(long)]
    json: bool,
}

/// Downloads, then prints the snapshot directory.
pub(crate) fn run(options: &FetchOptions) -> Result<()> {
    let repository = Repository::parse(&options.repository).ok_or_else(|| {
        failure(format!("not a repository: {}", options.repository), "write it as owner/name")
    })?;
    if !hub::safe_revision(&options.revision) {
        return Err(failure(format!("not a revision: {}", options.revision), "name a branch, tag or commit"));
    }
    if environment::hub_offline() {
        return Err(failure(
            format!("the network is off (HF_HUB_OFFLINE): {repository}"),
            "unset HF_HUB_OFFLINE to download",
        ));
    }
    let retry = Retry { attempts: options.retries, pause: Duration::from_millis(options.pause_ms) };
    let client = Client::new(environment::hub_endpoint(), environment::hub_token(), retry);
    let cache = Cache::new(environment::hub_cache()?);
    let asking = Progress::working(&format!("asking for {repository}"));
    let revision = client.revision(&repository, &options.revision)?;
    drop(asking);
    let files = hub::choose(&revision.files, &options.include, options.all);
    if files.is_empty() {
        return Err(failure(
            format!("no file to download: {repository} at {}", revision.name),
            "see what the repository holds on the hub, or pass --all",
        ));
    }
    let total = files.iter().filter_map(|file| file.size).sum();
    let progress = Progress::new(&repository.to_string(), total, &Unit::Bytes);
    let order = Order { client: &client, cache: &cache, repository: &repository, revision: &revision };
    let fetched = hub::fetch(&order, &files, usize::from(options.jobs), &progress)?;
    drop(progress);

    let snapshot = cache.snapshot(&repository, &revision.commit);
    let mut stdout = std::io::stdout().lock();
    if options.json {
        let report = serde_json::json!({
            "repository": repository.to_string(),
            "revision": revision.name,
            "commit": revision.commit,
            "snapshot": snapshot,
            "files": fetched,
        });
        writeln!(stdout, "{report:#}")?;
    } else {
        let size = fetched.iter().map(|file| file.size).sum();
        let fresh = fetched.iter().filter(|file| !file.cached).count();
        writeln!(stdout, "{}", snapshot.display())?;
        writeln!(stdout, "{} files, {}, {fresh} downloaded", fetched.len(), screen::bytes(size))?;
    }
    Ok(())
}
