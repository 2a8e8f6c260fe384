//! `world questions`: questions about many worlds with answers and reasons, as files in each reference's own schema.
//! Options and output; what is asked and how files look is the room `world`'s.

use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use firsthand_world::questions::{
    Family, Plan, SAMPLE_RATE, Scope, WriteOptions, held_out, is_held_out, write,
};

use super::CameraFlags;
use super::folder;
use crate::failure::failure;
use crate::interrupt;
use crate::progress::{Progress, Unit};

/// Most worlds of one run: their seeds are held in memory.
const MOST_WORLDS: u64 = 1_000_000;

const EXAMPLES: &str = "\
Examples:
  firsthand world questions --seeds 0..200 --out train
  firsthand world questions --seeds 0..20 --held-out --items 10 --out test
  firsthand world questions --seeds 0..50 --families relation,depth,order --truth --out few

OUT/questions.jsonl has every question with its options, answer, reasons and medium; beside it lie the same questions
in the files of the reference systems (Video-R1, ST-R1, STVQA, EgoThinker, EgoLifeQA), each with those it has a
place for. Pictures and clips are under OUT/media. Equal options give equal files, and the same command continues what
was interrupted.

Worlds of --held-out are others than those of the same seeds without it: nothing is trained on them.";

/// Write questions about simulated homes, in the schemas of published datasets.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct QuestionsOptions {
    /// Worlds, from the first to before the last.
    #[arg(long, value_name = "FIRST..END", value_parser = seeds)]
    seeds: Range<u64>,
    /// The folder to write to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Pictures of each world, clips of each world, and questions about days of each world: so many of each.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    items: u16,
    /// Most questions about one picture or clip.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    questions: u16,
    /// Families of questions. Default: all.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = family)]
    families: Vec<Family>,
    /// Length of a clip.
    #[arg(long, value_name = "SECONDS", default_value_t = Plan::default().seconds, value_parser = seconds)]
    seconds: f64,
    /// Take the worlds that are kept for tests.
    #[arg(long)]
    held_out: bool,
    /// Also write what is true of every drawn picture.
    #[arg(long)]
    truth: bool,
    /// Print one JSON object: folder, worlds, questions, rows of each file.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    camera: CameraFlags,
}

pub(super) fn seeds(text: &str) -> Result<Range<u64>, String> {
    let parsed = text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    match parsed {
        Some(range) if is_held_out(range.end) => Err("seeds end below 2^63".to_owned()),
        Some(range) if range.start >= range.end => Err("FIRST is not below END".to_owned()),
        Some(range) if range.end - range.start > MOST_WORLDS => Err("at most 1000000 worlds".to_owned()),
        Some(range) => Ok(range),
        None => Err("write FIRST..END, e.g. 0..200".to_owned()),
    }
}

fn family(text: &str) -> Result<Family, String> {
    let found = Family::ALL.iter().copied().find(|family| family.name().eq_ignore_ascii_case(text));
    found.ok_or_else(|| {
        let names: Vec<_> = Family::ALL.iter().map(|family| family.name()).collect();
        format!("choose from {}", names.join(", "))
    })
}

fn seconds(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok().filter(|value| (1.0..=600.0).contains(value));
    value.ok_or_else(|| "give 1 to 600 seconds".to_owned())
}

/// Writes the folder.
pub(super) fn run(options: &QuestionsOptions) -> Result<()> {
    let QuestionsOptions { out, seeds, camera, .. } = options;
    let camera = camera.options(SAMPLE_RATE)?;
    firsthand_media::VideoWriter::check(out, camera.width, camera.height)?;
    let families = if options.families.is_empty() { Family::ALL.to_vec() } else { options.families.clone() };
    let items = |scope| {
        if families.iter().any(|family| family.scope() == scope) { usize::from(options.items) } else { 0 }
    };
    let plan = Plan {
        frames: items(Scope::Frame),
        clips: items(Scope::Clip),
        days: items(Scope::Days),
        seconds: options.seconds,
        questions: options.questions.into(),
        options: camera,
        families: families.clone(),
        ..Plan::default()
    };
    let _lock = folder::open_for(out, "plan.json")?;
    let drafts = out.clone();
    interrupt::before_end(move || folder::sweep(&drafts));
    let seeds: Vec<u64> =
        seeds.clone().map(|seed| if options.held_out { held_out(seed) } else { seed }).collect();
    let bar = Progress::new("asking", seeds.len() as u64, &Unit::Things("worlds"));
    let order = WriteOptions { plan, threads: 0, truth: options.truth };
    let written = write(out, &seeds, &order, &|_| bar.add(1))?;
    drop(bar);
    if written.questions == 0 {
        return Err(failure("no question came up", "take more worlds, or more --items"));
    }
    let mut stdout = std::io::stdout().lock();
    if options.json {
        let files: serde_json::Map<_, _> =
            written.files.iter().map(|(name, rows)| ((*name).to_owned(), (*rows).into())).collect();
        let report = serde_json::json!({
            "out": out,
            "worlds": seeds.len(),
            "held_out": options.held_out,
            "questions": written.questions,
            "files": files,
        });
        writeln!(stdout, "{report:#}")?;
        return Ok(());
    }
    writeln!(stdout, "{}: {} questions about {} worlds", out.display(), written.questions, seeds.len())?;
    for (name, rows) in &written.files {
        writeln!(stdout, "  {rows:>8}  {name}")?;
    }
    Ok(())
}
