//! `doctor`: what this machine can do and what is missing. Looks only; installs and downloads nothing.

mod machine;

use std::io::Write;

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;

use crate::environment;
use crate::screen::{self, Paint};

const EXAMPLES: &str = "\
Examples:
  firsthand doctor
  firsthand doctor --json | jq '.checks[] | select(.state != \"good\")'

Exit code 1 when something that Firsthand needs is missing.";

/// Show what this machine can do: FFmpeg, processor, memory, GPU, caches, and what to install.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DoctorOptions {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// How a check came out.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Good,
    /// Works, but less well than it could.
    Fair,
    /// Does not work.
    Bad,
}

/// One line of the report.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    state: State,
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Check {
    fn good(name: &'static str, found: impl Into<String>) -> Self {
        Check { name, state: State::Good, found: found.into(), remedy: None }
    }

    fn fair(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Check { name, state: State::Fair, found: found.into(), remedy: Some(remedy.into()) }
    }

    fn bad(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Check { name, state: State::Bad, found: found.into(), remedy: Some(remedy.into()) }
    }
}

/// Prints the report; fails when a check is bad.
pub(crate) fn run(options: &DoctorOptions) -> Result<()> {
    let checks = vec![ffmpeg(), processor(), threads(), memory(), gpu(), media_cache(), hub_cache(), hub()];
    let mut stdout = std::io::stdout().lock();
    if options.json {
        let report = serde_json::json!({ "program": crate::cli::PROGRAM, "checks": checks });
        writeln!(stdout, "{report:#}")?;
    } else {
        let paint = Paint::stdout();
        for check in &checks {
            let mark = match check.state {
                State::Good => paint.good("ok  "),
                State::Fair => paint.good("note"),
                State::Bad => paint.bad("bad "),
            };
            writeln!(stdout, "{mark} {:<10} {}", check.name, check.found)?;
            if let Some(remedy) = &check.remedy {
                writeln!(stdout, "     {:<10} -> {remedy}", "")?;
            }
        }
    }
    let bad: Vec<_> =
        checks.iter().filter(|check| check.state == State::Bad).map(|check| check.name).collect();
    if !bad.is_empty() {
        bail!("not ready: {}", bad.join(", "));
    }
    Ok(())
}

fn ffmpeg() -> Check {
    let missing: Vec<_> = firsthand_media::missing_decoders();
    let version = firsthand_media::decoder_version();
    if missing.is_empty() {
        return Check::good("video", format!("{version}: all common decoders"));
    }
    Check::fair(
        "video",
        format!("{version}: no decoder for {}", missing.join(", ")),
        "install your system's full FFmpeg (Debian and Ubuntu: apt install ffmpeg; macOS: brew install ffmpeg)",
    )
}

fn processor() -> Check {
    let features = machine::processor_features();
    let found = format!("{}: {}", std::env::consts::ARCH, features.join(" "));
    if cfg!(target_arch = "x86_64") && !features.contains(&"avx2") {
        return Check::fair("processor", found, "a processor with AVX2 is several times faster");
    }
    Check::good("processor", found)
}

fn threads() -> Check {
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Check::good("threads", format!("{count} available to this process"))
}

fn memory() -> Check {
    let Some(memory) = machine::memory() else {
        return Check::fair("memory", "unknown", "make sure that the checkpoint fits");
    };
    let mut found = format!("{} free of {}", screen::bytes(memory.available), screen::bytes(memory.total));
    if let Some(limit) = memory.limit {
        found.push_str(&format!(", limited to {} by the control group", screen::bytes(limit)));
    }
    if memory.available < 4 << 30 {
        return Check::fair(
            "memory",
            found,
            "a 3B checkpoint needs about 8 GiB in bf16, 3 GiB with --quantize q4_k",
        );
    }
    Check::good("memory", found)
}

fn gpu() -> Check {
    match (machine::gpus(), cfg!(feature = "cuda")) {
        (gpus, true) if !gpus.is_empty() => Check::good("gpu", gpus.join("; ")),
        (gpus, false) if !gpus.is_empty() => Check::fair(
            "gpu",
            format!("{}, unused: this program was not built with cuda", gpus.join("; ")),
            "build with --features cuda",
        ),
        _ => Check::good("gpu", "none found; models run on the processor"),
    }
}

/// A directory that will be written to: made on demand, so its nearest existing parent counts.
fn directory(name: &'static str, path: Result<std::path::PathBuf>, variable: &str) -> Check {
    let path = match path {
        Ok(path) => path,
        Err(error) => {
            return Check::bad(name, format!("{error:#}"), format!("set {variable} to a directory"));
        }
    };
    let existing = path.ancestors().find(|path| path.exists()).unwrap_or(&path).to_owned();
    match tempfile::Builder::new().prefix(".firsthand-doctor").tempfile_in(&existing) {
        Ok(_) => Check::good(name, path.display().to_string()),
        Err(error) => Check::bad(
            name,
            format!("{} cannot be written: {error}", path.display()),
            format!("make it writable, or set {variable} to another directory"),
        ),
    }
}

fn media_cache() -> Check {
    directory("cache", environment::firsthand_cache(), "XDG_CACHE_HOME")
}

fn hub_cache() -> Check {
    directory("models", environment::hub_cache(), "HF_HOME")
}

fn hub() -> Check {
    let token = if environment::hub_token().is_some() { "with a token" } else { "without a token" };
    let offline = if environment::hub_offline() { ", offline (HF_HUB_OFFLINE)" } else { "" };
    Check::good("hub", format!("{} {token}{offline}", environment::hub_endpoint()))
}
