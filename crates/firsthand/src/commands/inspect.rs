//! `inspect`: what a model would see of a medium, without a model: the file, the chosen frames, their size after
//! resizing, the patch grid, the tokens.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use firsthand_base::{Conversation, FrameId, Part, Sampling, VideoPart, VideoSource};
use firsthand_media::{Opener, Picture, Prepared, Probe, SizeRule, Survey};
use serde::Serialize;

use crate::canvas;
use crate::options::media::MediaFlags;
use crate::progress::Progress;
use crate::session;

const EXAMPLES: &str = "\
Examples:
  firsthand inspect clip.mp4
  firsthand inspect clip.mp4 --frames 16 --contact-sheet frames.png
  firsthand inspect clip.mp4 --fps 1 --start 60 --end 90 --max-pixels 200704 --json
  firsthand inspect photo.jpg
  firsthand inspect moving.gif --frames 8

What a file is, its bytes say. A GIF, APNG or WebP that moves is a film where a flag chooses frames, and one picture
otherwise. Flags that choose frames are refused where there are none.

Sizes and tokens are those of Qwen2-VL and Qwen2.5-VL: patches of 14 pixels, merged 2 x 2, two frames to a temporal
patch, and the limits of qwen-vl-utils. The hash of a frame is BLAKE3 over its width, height and decoded pixels.";

/// Columns of a frame on a contact sheet.
const TILE: usize = 240;
/// Patch side in pixels.
const PATCH: usize = 14;
/// Patches merged into one token, along each side.
const MERGE: usize = 2;
/// Frames in one temporal patch.
const TEMPORAL_PATCH: usize = 2;

/// Show what a model will see: container, codec, rotation, chosen frames, size, grid, tokens.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InspectOptions {
    /// An image or a video: a path, file://, http(s):// or data: location.
    medium: String,
    /// Draw the frames as the model sees them, with their times, into a PNG file.
    #[arg(long, value_name = "FILE.png")]
    contact_sheet: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    media: MediaFlags,
}

/// Everything that is shown.
#[derive(Serialize)]
struct Report {
    medium: String,
    kind: &'static str,
    #[serde(flatten)]
    probe: Probe,
    /// `[height, width]` after resizing.
    resized: [usize; 2],
    /// `[t, h, w]` in patches.
    grid: [usize; 3],
    /// Tokens the medium takes in a prompt, without the two that enclose it.
    tokens: usize,
    sample_fps: Option<f64>,
    decoder: String,
    chosen: Vec<Chosen>,
}

#[derive(Serialize)]
struct Chosen {
    index: usize,
    time_s: f64,
    hash: String,
    /// Whether the decoder made up some of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    damaged: bool,
}

/// Opens, samples, prints.
pub(crate) fn run(options: &InspectOptions) -> Result<()> {
    let rules = options.media.rules()?;
    let opener = session::opener(false, options.media.damaged.value())?;
    let conversation = Conversation::user(vec![rules.part(&options.medium, &opener)?]);
    rules.check_used(&conversation)?;
    let part = &conversation.messages[0].parts[0];
    let rule = SizeRule::qwen_vl_utils(PATCH * MERGE);
    let opening = Progress::working("opening");
    let (kind, seen, pictures) = match part {
        Part::Image(image) => with_pictures("image", opener.image(image, &rule)?),
        // Only a contact sheet needs the pictures; a film of hours has too many to hold.
        Part::Video(video) if options.contact_sheet.is_none() => {
            ("video", opener.survey(video, &rule)?, Vec::new())
        }
        Part::Video(video) => with_pictures("video", opener.video(video, &rule)?),
        Part::Text(_) => unreachable!("a location is a medium"),
    };
    let report = report(options, kind, probe(options, part, &opener)?, &seen);
    if let Some(path) = &options.contact_sheet {
        let captions: Vec<_> = seen.frames.iter().map(caption).collect();
        canvas::contact_sheet(&pictures, &captions, TILE).save(path)?;
    }
    drop(opening);
    let mut stdout = std::io::stdout().lock();
    if options.json {
        writeln!(stdout, "{}", serde_json::to_string_pretty(&report)?)?;
        return Ok(());
    }
    print(&mut stdout, &report)
}

fn with_pictures(kind: &'static str, prepared: Prepared) -> (&'static str, Survey, Vec<Picture>) {
    (kind, Survey::of(&prepared), prepared.pictures)
}

/// What the medium is. A list of pictures is told of by its first.
fn probe(options: &InspectOptions, part: &Part, opener: &Opener) -> Result<Probe> {
    let Part::Video(VideoPart { source: VideoSource::Images(pictures), sample_fps, .. }) = part else {
        return Ok(opener.probe(&options.medium)?);
    };
    let first = opener.probe(&pictures[0])?;
    let (frames, average_fps) = (pictures.len(), sample_fps.unwrap_or(Sampling::DEFAULT_FPS));
    Ok(Probe { frames, average_fps, duration_s: frames as f64 / average_fps, ..first })
}

fn caption(frame: &FrameId) -> String {
    format!("frame {} at {:.3} s", frame.index, frame.time.seconds())
}

fn report(options: &InspectOptions, kind: &'static str, probe: Probe, seen: &Survey) -> Report {
    let [height, width] = seen.resized;
    let grid = [seen.frames.len().div_ceil(TEMPORAL_PATCH), height / PATCH, width / PATCH];
    let chosen = |frame: &FrameId| Chosen {
        index: frame.index,
        time_s: frame.time.seconds(),
        hash: frame.hash.to_hex(),
        damaged: frame.damaged,
    };
    Report {
        medium: firsthand_media::display_location(&options.medium),
        kind,
        probe,
        resized: seen.resized,
        grid,
        tokens: grid.iter().product::<usize>() / (MERGE * MERGE),
        sample_fps: seen.sample_fps,
        decoder: firsthand_media::decoder_version(),
        chosen: seen.frames.iter().map(chosen).collect(),
    }
}

fn print(out: &mut impl Write, report: &Report) -> Result<()> {
    let Report { probe, resized, grid, .. } = report;
    writeln!(out, "{} ({})", report.medium, report.kind)?;
    writeln!(out, "  container   {}", probe.container)?;
    writeln!(out, "  codec       {}", probe.codec)?;
    writeln!(out, "  size        {} x {} (width x height, upright)", probe.size[1], probe.size[0])?;
    writeln!(out, "  rotation    {} degrees", probe.rotation)?;
    if report.kind == "video" {
        let rate = if probe.variable_rate { "on average, variable" } else { "constant" };
        writeln!(out, "  duration    {:.3} s, {} frames", probe.duration_s, probe.frames)?;
        writeln!(out, "  rate        {:.3} frames per second, {rate}", probe.average_fps)?;
        writeln!(out, "  sound       {}", if probe.has_audio { "yes" } else { "no" })?;
    } else if probe.frames > 1 {
        let (frames, seconds) = (probe.frames, probe.duration_s);
        writeln!(
            out,
            "  moves       {frames} frames in {seconds:.3} s; --frames or --fps takes it as a film"
        )?;
    }
    writeln!(out, "  decoder     {}", report.decoder)?;
    writeln!(out, "seen by Qwen2-VL and Qwen2.5-VL as")?;
    writeln!(out, "  resized     {} x {}", resized[1], resized[0])?;
    writeln!(out, "  grid        {} x {} x {} patches (time, height, width)", grid[0], grid[1], grid[2])?;
    writeln!(out, "  tokens      {}", report.tokens)?;
    if let Some(fps) = report.sample_fps {
        writeln!(out, "  sampled at  {fps:.4} frames per second")?;
    }
    writeln!(out, "  frames      {}", report.chosen.len())?;
    for frame in &report.chosen {
        let mark = if frame.damaged { "   damaged" } else { "" };
        writeln!(out, "  {:>9}   {:>10.3} s   {}{mark}", frame.index, frame.time_s, frame.hash)?;
    }
    Ok(())
}
