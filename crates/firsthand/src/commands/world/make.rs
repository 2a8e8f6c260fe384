//! `world make`: films of the simulated home with everything that is true of them. Options, the plan, the estimate
//! and the summary; drawing and encoding are in `film`.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use firsthand_media::{Rate, VideoCodec, VideoWriter};
use firsthand_world::{ClipOptions, World, write_lines};
use serde::Serialize;

use super::film::Studio;
use super::folder::Folder;
use super::plan::{self, Stretch};
use super::{CameraFlags, MomentFlags, check_day, length, world};
use crate::progress::{Progress, Unit};
use crate::screen;

/// Length of a film that is asked for without `--minutes`.
const MINUTES: f64 = 2.0;
/// Frames drawn to see how long the rest will take.
const TRIALS: usize = 12;
/// Shorter work is not announced.
const ANNOUNCED_S: f64 = 15.0;
/// Encoding, truths and the wait for each other, as a share of the drawing.
const BESIDES: f64 = 1.25;
/// Bytes of a frame's truth and of a pixel's film, for the announcement; measured at 224x168.
const TRUTH_BYTES: f64 = 2900.0;
const PIXEL_BYTES: f64 = 0.025;

const EXAMPLES: &str = "\
Examples:
  firsthand world make --seed 7 --minutes 2 --out home7
  firsthand world make --seed 7 --day 3 --at 08:00 --minutes 10 --width 640 --height 480 --fps 30 --out morning
  firsthand world make --seed 7 --days 7 --out week7

OUT gets, for every film, DAYn/DAYn_HHMMSSFF.mp4 (day and time of its first frame), beside it .frames.jsonl (camera,
boxes, visible pixels, depth, hands and contact of each frame) and .srt (what people say); and once, card.json (rooms,
furniture, things, habits) and events.jsonl (everything that happens on the filmed days, with start and end).

--days films the stretches in which something is done and leaves out nights and quiet hours: sixty films, two
hours, a day. Equal settings give equal frames. Run the same command again after an interruption: films that are
there are kept.";

/// Film the simulated home, with exact ground truth beside it.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MakeOptions {
    /// Fixes everything about the home and the life in it.
    #[arg(long, value_name = "N")]
    seed: u64,
    /// The folder to write to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    moment: MomentFlags,
    /// Film so many whole days, from the first.
    #[arg(long, value_name = "N", conflicts_with_all = ["day", "at", "minutes"], value_parser = clap::value_parser!(u32).range(1..=366))]
    days: Option<u32>,
    /// Frames per second.
    #[arg(long, value_name = "RATE", default_value_t = ClipOptions::default().rate)]
    fps: f64,
    /// Frames per second whose truths are written. Default: every frame, with --days one a second.
    #[arg(long, value_name = "RATE")]
    truth_fps: Option<f64>,
    #[command(flatten)]
    camera: CameraFlags,
    /// Print one JSON object: folder, films, frames, seconds, frames per second.
    #[arg(long)]
    json: bool,
}

/// What fixes every byte of the folder.
#[derive(Serialize)]
struct Recipe {
    made_by: &'static str,
    seed: u64,
    lived_days: u32,
    options: ClipOptions,
    truth_every: usize,
    films: Vec<Stretch>,
}

/// What was done.
#[derive(Serialize)]
struct Summary {
    out: PathBuf,
    seed: u64,
    films: usize,
    /// Films that an earlier run had made.
    kept: usize,
    /// Frames drawn by this run.
    frames: usize,
    film_s: f64,
    wall_s: f64,
    frames_per_s: f64,
    /// Seconds of film in a second.
    times_real_time: f64,
    files: Vec<PathBuf>,
}

/// Plans, says how long it will take, films.
pub(super) fn run(options: &MakeOptions) -> Result<()> {
    let camera = options.camera.options(options.fps)?;
    VideoWriter::check(&options.out, camera.width, camera.height)?;
    Rate::new(options.fps)?;
    let living = Progress::working("living the days");
    let world = world(options.seed, options.days.unwrap_or(options.moment.day))?;
    let films = plan(options, &world)?;
    drop(living);
    let truth_every = match options.truth_fps {
        Some(rate) if rate > 0.0 => (options.fps / rate).round().max(1.0) as usize,
        Some(rate) => return Err(crate::failure::wrong_usage(format!("--truth-fps is not above 0: {rate}"))),
        None if options.days.is_some() => options.fps.round().max(1.0) as usize,
        None => 1,
    };
    let made_by = crate::cli::PROGRAM;
    let recipe =
        Recipe { made_by, seed: world.seed, lived_days: world.days, options: camera, truth_every, films };
    let folder = Folder::open(&options.out, &recipe)?;
    let missing: Vec<Stretch> =
        recipe.films.iter().filter(|film| !film.file(&folder.path, "mp4").is_file()).copied().collect();
    let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let studio = Studio { world: &world, options: camera, truth_every, workers, folder: &folder };
    announce(&studio, &missing)?;
    let started = Instant::now();
    write_world(&world, &folder, &recipe.films)?;
    let frames = missing.iter().map(|film| frames_of(film, &camera)).sum::<usize>();
    let progress = Progress::new("filming", frames as u64, &Unit::Things("frames"));
    studio.film(&missing, &progress)?;
    drop(progress);
    summarize(options, &recipe, &missing, frames, started.elapsed().as_secs_f64())
}

fn plan(options: &MakeOptions, world: &World) -> Result<Vec<Stretch>> {
    if let Some(days) = options.days {
        return Ok((1..=days).flat_map(|day| plan::log(world, day)).collect());
    }
    let MomentFlags { day, at, minutes } = &options.moment;
    check_day(world, *day)?;
    let seconds = 60.0 * minutes.unwrap_or(MINUTES);
    Ok(vec![plan::moment(world, *day, *at, seconds)])
}

fn frames_of(film: &Stretch, camera: &ClipOptions) -> usize {
    (film.seconds * camera.rate - 1e-6).ceil() as usize
}

/// Says what is to come, when it takes long.
fn announce(studio: &Studio<'_>, films: &[Stretch]) -> Result<()> {
    let camera = &studio.options;
    let frames: usize = films.iter().map(|film| frames_of(film, camera)).sum();
    let started = Instant::now();
    let mut drawn = 0;
    for trial in 0..TRIALS.min(films.len() * TRIALS) {
        let film = &films[trial * films.len() / TRIALS];
        let at = frames_of(film, camera) * (trial + 1) / (TRIALS + 2);
        let clip = studio.world.clip(film.day, film.start_s, film.seconds, camera)?;
        drawn += clip.between(at..at + 1).count();
    }
    let each_s = started.elapsed().as_secs_f64() / drawn.max(1) as f64;
    let expected_s = frames as f64 * each_s * BESIDES / studio.workers as f64;
    if expected_s < ANNOUNCED_S {
        return Ok(());
    }
    let pixels = (frames * camera.width * camera.height) as f64;
    let bytes = pixels * PIXEL_BYTES + frames as f64 / studio.truth_every as f64 * TRUTH_BYTES;
    writeln!(
        std::io::stderr(),
        "note: {} of film in {} files, about {} on {} cores and {}",
        length(films.iter().map(|film| film.seconds).sum()),
        films.len(),
        length(expected_s),
        studio.workers,
        screen::bytes(bytes as u64),
    )?;
    Ok(())
}

/// The home and what happens in it, and a folder for every day.
fn write_world(world: &World, folder: &Folder, films: &[Stretch]) -> Result<()> {
    let mut days: Vec<u32> = films.iter().map(|film| film.day).collect();
    days.dedup();
    for day in &days {
        folder.below(&format!("DAY{day}"))?;
    }
    folder.write("card.json", &(serde_json::to_vec_pretty(&world.card())?))?;
    let mut lines = Vec::new();
    write_lines(&mut lines, world.events().iter().filter(|event| days.contains(&event.day)))?;
    folder.write("events.jsonl", &lines)
}

fn summarize(
    options: &MakeOptions,
    recipe: &Recipe,
    made: &[Stretch],
    frames: usize,
    wall_s: f64,
) -> Result<()> {
    let film_s = made.iter().map(|film| film.seconds).sum::<f64>();
    let summary = Summary {
        out: options.out.clone(),
        seed: recipe.seed,
        films: recipe.films.len(),
        kept: recipe.films.len() - made.len(),
        frames,
        film_s,
        wall_s,
        frames_per_s: frames as f64 / wall_s,
        times_real_time: film_s / wall_s,
        files: recipe.films.iter().map(|film| film.file(&options.out, "mp4")).collect(),
    };
    let mut stdout = std::io::stdout().lock();
    if options.json {
        writeln!(stdout, "{}", serde_json::to_string_pretty(&summary)?)?;
        return Ok(());
    }
    for film in &summary.files {
        writeln!(stdout, "{}", film.display())?;
    }
    writeln!(
        stdout,
        "{} films, {} of them made now: {frames} frames, {} of film in {wall_s:.1} s, {:.0} frames per second, {:.1} times real time",
        summary.films,
        made.len(),
        length(film_s),
        summary.frames_per_s,
        summary.times_real_time,
    )?;
    if VideoCodec::best() != Some(VideoCodec::X264) && !made.is_empty() {
        writeln!(std::io::stderr(), "note: this FFmpeg has no x264; another encoder was taken")?;
    }
    Ok(())
}
