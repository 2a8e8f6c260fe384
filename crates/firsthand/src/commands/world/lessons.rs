//! `world lessons`: pictures, clips and rows that a trainer's `messages` source reads. The question files of other
//! systems are `world questions`'s.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::Result;
use clap::Args;
use firsthand_world::questions::{Family, Plan, Scope, is_held_out, write_lessons};
use serde_json::json;

use super::CameraFlags;
use crate::failure::{failure, wrong_usage};
use crate::interrupt;
use crate::progress::{Progress, Unit};

const EXAMPLES: &str = "\
Examples:
  firsthand world lessons --seeds 1000..1400 --out worlds/train

OUT/pictures.jsonl and OUT/clips.jsonl have questions with their reasons and descriptions, each with its picture or
clip under OUT/media; OUT/facts.jsonl has questions whose facts stand in the text. All are rows for
`format = \"messages\"` in a recipe.
The same command continues what was interrupted. `eval world` never asks about these worlds.";

/// Write pictures and clips with rows to learn from.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct LessonsOptions {
    /// Worlds, from the first to before the last.
    #[arg(long, value_name = "FIRST..END", value_parser = seeds)]
    seeds: std::ops::Range<u64>,
    /// Folder for the files.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Clips of each world.
    #[arg(long, value_name = "N", default_value_t = 24)]
    clips: usize,
    /// Pictures of each world.
    #[arg(long, value_name = "N", default_value_t = 12)]
    frames: usize,
    /// Most questions about one picture or clip.
    #[arg(long, value_name = "N", default_value_t = 5)]
    questions: usize,
    /// Length of a clip, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 4.0)]
    seconds: f64,
    /// Worlds made at the same time. Default: one per core.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Print one JSON object when done.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    camera: CameraFlags,
}

fn seeds(text: &str) -> Result<std::ops::Range<u64>, String> {
    let parsed = text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    match parsed {
        Some(range) if range.start < range.end && !is_held_out(range.end) => Ok(range),
        _ => Err("write FIRST..END with FIRST below END and both below 2^63, e.g. 1000..1400".to_owned()),
    }
}

/// Writes the folder.
pub(super) fn run(options: &LessonsOptions) -> Result<()> {
    if !(options.seconds.is_finite() && (1.0..=600.0).contains(&options.seconds)) {
        return Err(wrong_usage("--seconds must be 1 to 600"));
    }
    let families = Family::ALL.iter().copied().filter(|family| family.scope() != Scope::Days).collect();
    let plan = Plan {
        families,
        frames: options.frames,
        clips: options.clips,
        days: 0,
        seconds: options.seconds,
        questions: options.questions,
        lived: 1,
        options: options.camera.options(firsthand_world::questions::SAMPLE_RATE)?,
    };
    let threads =
        options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let stop = interrupt::ask_to_stop();
    let worlds = options.seeds.end - options.seeds.start;
    let progress = Progress::new("living and drawing", worlds, &Unit::Things("worlds"));
    let done = || {
        progress.add(1);
        !stop.load(Ordering::Relaxed)
    };
    let written = write_lessons(&options.out, options.seeds.clone(), &plan, threads, &done)?;
    drop(progress);
    let Some([pictures, clips, facts]) = written else {
        return Err(failure("stopped", "the same command continues"));
    };
    let mut out = std::io::stdout();
    if options.json {
        let report = json!({"out": options.out, "worlds": worlds, "pictures": pictures, "clips": clips, "facts": facts});
        writeln!(out, "{report}")?;
    } else {
        let place = options.out.display();
        writeln!(
            out,
            "{place}: rows of {worlds} worlds: {pictures} on pictures, {clips} on clips, {facts} facts"
        )?;
    }
    Ok(())
}
