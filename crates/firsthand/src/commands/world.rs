//! `world`: the simulated home as films, pictures and question files. The verbs' options and what they share; the
//! home itself, its renderer and its truths are the room `world`.

mod diary;
mod film;
mod folder;
mod lessons;
mod make;
mod memory;
mod order;
mod plan;
mod questions;
mod show;
mod transcript;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use firsthand_world::{ClipOptions, World};

use crate::failure::failure;

/// Days of the world of a seed, however few of them are asked for: habits are drawn for the days there are, so that
/// every verb speaks of the same life.
const LIVED_DAYS: u32 = 7;

/// A simulated home, seen through the eyes of one who lives there: films, ground truth, questions.
#[derive(Args)]
pub(crate) struct WorldOptions {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Make(make::MakeOptions),
    Memory(memory::MemoryOptions),
    Lessons(lessons::LessonsOptions),
    Questions(questions::QuestionsOptions),
    Show(show::ShowOptions),
}

/// Runs one of the verbs.
pub(crate) fn run(options: &WorldOptions) -> Result<()> {
    match &options.verb {
        Verb::Make(options) => make::run(options),
        Verb::Memory(options) => memory::run(options),
        Verb::Lessons(options) => lessons::run(options),
        Verb::Questions(options) => questions::run(options),
        Verb::Show(options) => show::run(options),
    }
}

/// How frames are drawn.
#[derive(Args)]
struct CameraFlags {
    /// Pixels per row; even.
    #[arg(long, value_name = "PIXELS", default_value_t = ClipOptions::default().width)]
    width: usize,
    /// Rows; even.
    #[arg(long, value_name = "PIXELS", default_value_t = ClipOptions::default().height)]
    height: usize,
    /// Samples per pixel and direction, 1 to 4: more make smoother edges and take their square in time.
    #[arg(long, value_name = "N", default_value_t = ClipOptions::default().samples)]
    samples: usize,
}

impl CameraFlags {
    /// Checked options at a rate.
    fn options(&self, rate: f64) -> Result<ClipOptions> {
        let ClipOptions { field_of_view, .. } = ClipOptions::default();
        let options = ClipOptions {
            width: self.width,
            height: self.height,
            rate,
            samples: self.samples,
            field_of_view,
        };
        options.validate()?;
        Ok(options)
    }
}

/// Which stretch of one day.
#[derive(Args)]
struct MomentFlags {
    /// Which day.
    #[arg(long, value_name = "N", default_value_t = 1)]
    day: u32,
    /// When it begins, e.g. 08:00 or 08:00:30.5. Default: where the most happens.
    #[arg(long, value_name = "TIME", value_parser = clock)]
    at: Option<f64>,
    /// How long it is.
    #[arg(long, value_name = "MINUTES", value_parser = minutes)]
    minutes: Option<f64>,
}

/// The world of a seed, long enough for a day.
fn world(seed: u64, days: u32) -> Result<World> {
    World::lived(seed, days.max(LIVED_DAYS)).context("cannot make the world")
}

/// `8:00`, `08:00:30`, `23:59:59.5` as seconds since midnight.
fn clock(text: &str) -> Result<f64, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let whole = |part: &str, most: u32| part.parse::<u32>().ok().filter(|value| *value <= most);
    let seconds = |part: &str| part.parse::<f64>().ok().filter(|value| (0.0..60.0).contains(value));
    let time = match parts[..] {
        [hours, minutes] => whole(hours, 23).zip(whole(minutes, 59)).map(|(h, m)| (h, m, 0.0)),
        [hours, minutes, rest] => whole(hours, 23)
            .zip(whole(minutes, 59))
            .zip(seconds(rest))
            .map(|((hours, minutes), seconds)| (hours, minutes, seconds)),
        _ => None,
    };
    let time = time.map(|(hours, minutes, seconds)| f64::from(hours * 3600 + minutes * 60) + seconds);
    time.ok_or_else(|| "write a time of day as HH:MM or HH:MM:SS".to_owned())
}

/// More than nothing, at most a day.
fn minutes(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok().filter(|value| *value > 0.0 && *value <= 1440.0);
    value.ok_or_else(|| "give minutes above 0, up to 1440".to_owned())
}

/// `3:05` or `2:03:05`.
fn length(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A day that is not lived.
fn check_day(world: &World, day: u32) -> Result<()> {
    if (1..=world.days).contains(&day) {
        return Ok(());
    }
    Err(failure(format!("there is no day {day}"), format!("choose 1 to {}", world.days)))
}
