//! `world show`: a contact sheet of a stretch of the simulated home, with what the ground truth says drawn on it.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use firsthand_media::Picture;
use firsthand_world::{Frame, FrameTruth, Kind, World};

use super::{CameraFlags, MomentFlags, check_day, plan, world};
use crate::canvas::{self, Canvas, Rgb};

/// Length of a stretch that is asked for without `--minutes`.
const MINUTES: f64 = 0.2;
/// Frames are drawn on at the least multiple of their size that is this wide, so that names are readable.
const READABLE: usize = 640;
/// Dots of a letter, in pixels.
const SCALE: usize = 2;
/// Objects with fewer visible pixels, of 224x168, are left without a name: nobody can tell what they are.
const VISIBLE: f64 = 60.0 / (224.0 * 168.0);

const OBJECT: Rgb = [240, 190, 40];
const PERSON: Rgb = [220, 80, 220];
const FIXTURE: Rgb = [90, 150, 230];
const HAND: Rgb = [60, 200, 90];
const CONTACT: Rgb = [240, 60, 50];

const EXAMPLES: &str = "\
Examples:
  firsthand world show --seed 7 --out sheet.png
  firsthand world show --seed 7 --day 2 --at 08:00 --minutes 0.5 --frames 16 --furniture --out sheet.png

Objects are yellow, people violet, hands green, and red where they touch or hold something.";

/// Draw frames of the simulated home with boxes, names, hands and contact.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ShowOptions {
    /// Fixes everything about the home and the life in it.
    #[arg(long, value_name = "N")]
    seed: u64,
    /// The picture to write.
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
    #[command(flatten)]
    moment: MomentFlags,
    /// Frames, spread evenly over the stretch.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=64))]
    frames: u16,
    /// Also name the furniture, in blue.
    #[arg(long)]
    furniture: bool,
    /// Draw nothing on the frames.
    #[arg(long, conflicts_with = "furniture")]
    plain: bool,
    #[command(flatten)]
    camera: CameraFlags,
}

/// Draws and saves.
pub(super) fn run(options: &ShowOptions) -> Result<()> {
    let MomentFlags { day, at, minutes } = &options.moment;
    let world = world(options.seed, *day)?;
    check_day(&world, *day)?;
    let stretch = plan::moment(&world, *day, *at, 60.0 * minutes.unwrap_or(MINUTES));
    let count = usize::from(options.frames);
    // 240 is the fastest a clip goes; a shorter stretch has fewer frames.
    let rate = (count as f64 / stretch.seconds).min(240.0);
    let camera = options.camera.options(rate)?;
    let (mut tiles, mut captions) = (Vec::new(), Vec::new());
    for (frame, truth) in world.clip(stretch.day, stretch.start_s, stretch.seconds, &camera)? {
        captions.push(caption(&world, &truth));
        tiles.push(tile(&world, &frame, &truth, options));
    }
    let width = tiles.first().map_or(READABLE, |tile| tile.width);
    canvas::contact_sheet(&tiles, &captions, width).save(&options.out)?;
    let mut stdout = std::io::stdout().lock();
    let range = format!("{} s from {}", stretch.seconds, clock(stretch.start_s));
    writeln!(stdout, "{}: {} frames, day {day}, {range}", options.out.display(), tiles.len())?;
    for event in world.events().iter().filter(|event| {
        event.day == *day
            && event.end_s > stretch.start_s
            && event.start_s < stretch.start_s + stretch.seconds
    }) {
        writeln!(stdout, "{} {}", clock(event.start_s), event.text)?;
    }
    Ok(())
}

fn clock(seconds: f64) -> String {
    let whole = seconds as u64;
    format!("{:02}:{:02}:{:04.1}", whole / 3600, whole / 60 % 60, seconds % 60.0)
}

fn caption(world: &World, truth: &FrameTruth) -> String {
    let room = world.home.rooms[usize::from(truth.room)].kind.name();
    let mut text = format!("{} {room}", clock(truth.time_s));
    for hand in &truth.hands {
        if let Some(thing) = hand.contact.and_then(|id| world.thing(id)) {
            text += &format!(" / {:?} {}", hand.side, thing.phrase());
        }
    }
    text
}

/// One frame, enlarged, with boxes and names.
fn tile(world: &World, frame: &Frame, truth: &FrameTruth, options: &ShowOptions) -> Picture {
    let picture = Picture::new(frame.height, frame.width, frame.rgb.clone());
    let times = READABLE.div_ceil(frame.width);
    let mut canvas = Canvas::filled(frame.height * times, frame.width * times, [0; 3]);
    canvas.place(&picture, [0, 0], [frame.height * times, frame.width * times]);
    if options.plain {
        return canvas.picture();
    }
    let least = (VISIBLE * (frame.width * frame.height) as f64) as u32;
    // The largest first, so that the names of small things lie on top.
    let mut things: Vec<_> = truth.things.iter().filter(|seen| seen.pixels >= least).collect();
    things.sort_by_key(|seen| std::cmp::Reverse(seen.pixels));
    let touched: Vec<_> = truth.hands.iter().filter_map(|hand| hand.contact).collect();
    for seen in things {
        let Some(thing) = world.thing(seen.id) else { continue };
        let colour = match thing.kind {
            _ if touched.contains(&seen.id) => CONTACT,
            Kind::Object(_) => OBJECT,
            Kind::Person => PERSON,
            _ if options.furniture => FIXTURE,
            _ => continue,
        };
        let phrase = thing.phrase();
        let state = seen.on.and_then(|on| Some(thing.kind.states()?[usize::from(on)]));
        let name = phrase.strip_prefix("the ").unwrap_or(&phrase);
        let label = state.map_or_else(|| name.to_owned(), |state| format!("{name} ({state})"));
        mark(&mut canvas, seen.bounds, &label, times, colour, frame.width * times);
    }
    for hand in &truth.hands {
        if let Some(bounds) = hand.bounds {
            let colour = if hand.contact.is_some() { CONTACT } else { HAND };
            mark(&mut canvas, bounds, &format!("{:?}", hand.side), times, colour, frame.width * times);
        }
    }
    canvas.picture()
}

fn mark(canvas: &mut Canvas, bounds: [u32; 4], label: &str, times: usize, colour: Rgb, width: usize) {
    let corners = bounds.map(|side| side as usize * times);
    // The last two are exclusive.
    let [x1, y1, x2, y2] = corners.map(|side| side as f64);
    canvas.outline([x1, y1, x2 - 1.0, y2 - 1.0], 1, colour);
    let [rows, columns] = Canvas::extent(label, SCALE);
    let top = corners[1].saturating_sub(rows + SCALE);
    let left = corners[0].min(width.saturating_sub(columns));
    canvas.fill([top, left], [rows + SCALE, columns], colour);
    canvas.write(label, [top + SCALE / 2, left + SCALE / 2], SCALE, [20; 3]);
}
