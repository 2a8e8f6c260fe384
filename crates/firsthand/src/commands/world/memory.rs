//! `world memory`: memories of simulated weeks without filming them, with questions that only they can answer. Options
//! and folders; what a clip says is in `diary`, how a memory is built is the room `memory`'s.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use firsthand_memory::Memory;
use firsthand_memory::build::{self, Builder, Clip, Extract, Untold};
use firsthand_world::World;
use firsthand_world::questions::{Family, Plan, Scope, WriteOptions, held_out, write};
use serde_json::json;

use super::{LIVED_DAYS, diary, folder, questions, world};
use crate::atomic::AtomicFile;
use crate::failure::failure;
use crate::interrupt;
use crate::progress::{Progress, Unit};

const EXAMPLES: &str = "\
Examples:
  firsthand world memory --seeds 0..20 --out memories
  firsthand world memory --seeds 0..5 --held-out --items 40 --captions --out held-out

OUT/memories/W<seed> is the memory of one week: a record for every 30 seconds in which something is done, what was said
as its transcript, and summaries of ten minutes, hours, days and the week, put together from its sentences.
OUT/questions.jsonl and OUT/egolife-qa.json ask about days of it: `identity` is the wearer, `query_time` is when the
question is asked, and nothing that ends later may be used. The same command continues what was interrupted.";

/// Make memories of simulated weeks, and questions about them.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MemoryOptions {
    /// Worlds, from the first to before the last.
    #[arg(long, value_name = "FIRST..END", value_parser = questions::seeds)]
    seeds: Range<u64>,
    /// Days of each memory; the life of fewer than 7 would be another one.
    #[arg(long, value_name = "N", default_value_t = LIVED_DAYS, value_parser = clap::value_parser!(u32).range(7..=366))]
    days: u32,
    /// The folder to write to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Questions about each memory: so many are tried for.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    items: u16,
    /// Take the worlds that are kept for tests.
    #[arg(long)]
    held_out: bool,
    /// Also write the clips of each memory to OUT/captions/W<seed>.json, for `firsthand remember --captions`.
    #[arg(long)]
    captions: bool,
    /// Print one JSON object: folder, memories, clips, questions, seconds.
    #[arg(long)]
    json: bool,
}

/// Makes the memories, then the questions.
pub(super) fn run(options: &MemoryOptions) -> Result<()> {
    let out = &options.out;
    let _lock = folder::open_for(out, "plan.json")?;
    let drafts = out.clone();
    interrupt::before_end(move || folder::sweep(&drafts));
    let seeds: Vec<u64> =
        options.seeds.clone().map(|seed| if options.held_out { held_out(seed) } else { seed }).collect();
    // First, since it says whether the folder was made with the same options.
    let plan = Plan {
        families: Family::ALL.iter().copied().filter(|family| family.scope() == Scope::Days).collect(),
        frames: 0,
        clips: 0,
        days: options.items.into(),
        lived: options.days.max(LIVED_DAYS),
        ..Plan::default()
    };
    let written = write(out, &seeds, &WriteOptions { plan, threads: 0, truth: false }, &|_| {})?;
    // Schemas with no place for questions about days.
    for (name, _) in written.files.iter().filter(|(_, rows)| *rows == 0) {
        fs_err::remove_file(out.join(name))?;
    }
    let started = Instant::now();
    let clips = remember_all(options, &seeds)?;
    let wall_s = started.elapsed().as_secs_f64();
    let mut stdout = std::io::stdout().lock();
    if options.json {
        let report = json!({
            "out": out, "memories": seeds.len(), "held_out": options.held_out, "clips": clips,
            "questions": written.questions, "wall_s": wall_s,
        });
        writeln!(stdout, "{report:#}")?;
        return Ok(());
    }
    writeln!(
        stdout,
        "{}: {} memories, {clips} clips made now in {wall_s:.1} s, {} questions",
        out.display(),
        seeds.len(),
        written.questions
    )?;
    Ok(())
}

/// Memories that are not there yet, side by side; gives the clips of those made now.
fn remember_all(options: &MemoryOptions, seeds: &[u64]) -> Result<usize> {
    let folder = options.out.join("memories");
    fs_err::create_dir_all(&folder)?;
    if options.captions {
        fs_err::create_dir_all(options.out.join("captions"))?;
    }
    let bar = Progress::new("remembering", seeds.len() as u64, &Unit::Things("weeks"));
    let (next, made, trouble) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(None));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(seeds.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match one(options, &folder, *seed) {
                        Ok(clips) => {
                            made.fetch_add(clips, Ordering::Relaxed);
                            bar.add(1);
                        }
                        Err(error) => {
                            trouble
                                .lock()
                                .unwrap_or_else(std::sync::PoisonError::into_inner)
                                .get_or_insert(error);
                            next.store(seeds.len(), Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    match trouble.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(made.into_inner()),
    }
}

/// One memory, there whole or not at all; gives its clips, 0 if it was there.
fn one(options: &MemoryOptions, folder: &Path, seed: u64) -> Result<usize> {
    let place = folder.join(format!("W{seed}"));
    let captions = options.out.join("captions").join(format!("W{seed}.json"));
    let (is_there, is_told) = (place.is_dir(), !options.captions || captions.is_file());
    if is_there && is_told {
        return Ok(0);
    }
    let world = world(seed, options.days)?;
    let clips = diary::clips(&world, options.days);
    if !is_told {
        write_captions(&captions, &clips)?;
    }
    if is_there {
        return Ok(0);
    }
    let draft = folder.join(format!(".W{seed}.draft"));
    if draft.exists() {
        fs_err::remove_dir_all(&draft)?;
    }
    let mut memory = Memory::create(&draft)?;
    fill(&mut memory, &clips, &world)?;
    drop(memory);
    fs_err::rename(&draft, &place)?;
    Ok(clips.len())
}

fn fill(memory: &mut Memory, clips: &[Clip], world: &World) -> Result<()> {
    let mut builder = Builder::grouped(memory);
    let report =
        build::remember(&mut builder, clips.iter().cloned(), &mut Untold, &mut Extract, &mut |_| true)?;
    if report.remembered != clips.len() as u64 {
        return Err(failure(
            format!("{} of {} clips of world {} were kept", report.remembered, clips.len(), world.seed),
            "report this: clips of a world do not overlap",
        ));
    }
    Ok(())
}

/// The clips as one JSON list, a record a line.
fn write_captions(path: &Path, clips: &[Clip]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    for (index, clip) in clips.iter().enumerate() {
        let row = json!({
            "view": clip.wearer,
            "date": format!("DAY{}", clip.start.day()),
            "time": format!("{}-{}", clip.start.clock_digits(), clip.end.clock_digits()),
            "text": clip.text,
            "transcript": clip.words(),
            "people": clip.people,
        });
        write!(file, "{}{row}", if index == 0 { "[\n" } else { ",\n" })?;
    }
    file.write_all(if clips.is_empty() { b"[]\n" } else { b"\n]\n" })?;
    file.commit().with_context(|| format!("cannot write {}", path.display()))
}
