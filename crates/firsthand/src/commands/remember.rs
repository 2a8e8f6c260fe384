//! `remember`: video becomes memory. Options, what is looked at by whom, and the report; the rules by which a memory grows
//! are `memory::build`'s, the files are `media`'s below, and the model is `mind`'s.

pub(crate) mod live;
mod media;
mod mind;
mod report;
mod transcript;
mod words;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use firsthand_base::{PixelLimits, SamplingOptions, StopRules};
use firsthand_engine::{EngineOptions, Local};
use firsthand_media::Opener;
use firsthand_memory::build::{
    self, Builder, Caption, Clip, Extract, Ledger, Maker, Step, Summarise, Untold, read_captions,
};
use firsthand_memory::{Embed, Encoder, Memory, Record};

use crate::cli::PROGRAM;
use crate::commands::eval::endpoint::EndpointFlags;
use crate::commands::recall;
use crate::embed::EncoderFlags;
use crate::failure::{failure, wrong_usage};
use crate::interrupt;
use crate::options::media::DamagedFlag;
use crate::options::model::ModelFlags;
use crate::progress::{Progress, Unit};
use crate::reading;
use crate::session::{self, STEP_TOKENS, Session};
use mind::{Mind, Place};

const EXAMPLES: &str = "\
Examples:
  firsthand remember recordings/DAY1/*.mp4 --memory days --wearer A1_JAKE --model Qwen/Qwen2.5-VL-3B-Instruct
  firsthand remember clips/*.mp4 --memory days --start 2026-03-01T08:00 --endpoint http://127.0.0.1:8000/v1 --endpoint-model NAME --parallel 8
  firsthand remember --captions clips.json --memory days
  firsthand remember --captions corrected.json --replace --memory days
  firsthand remember --memory days     # writes the summaries that wait, and shows what the memory cost

Every recording is cut into clips of 30 seconds; each gets a caption and what is said in it (FILE.srt, .vtt or .json beside
the file), and the frames that were looked at are its evidence. Summaries of ten minutes, hours, days and weeks follow.
Where a recording starts is in its name (DAY3_11210217.mp4, DAY3_A1_JAKE_11210217.mp4) or given by --start.

Transcripts are SubRip, WebVTT, or the JSON of Whisper, whisper.cpp, whisperX and the OpenAI API, in any encoding. A cue that
cannot be read is told and left out. One that comes later, or was mended, is read by the next run: the clips get its words
without being looked at again, and the summaries above them are written anew.

A file of captions may have many of one stretch; each is a record, and only the same caption counts as there. Where one was
corrected, --replace puts those of the file in the place of all that were of the same stretch, proves that nothing of the old
text is left, and brings back time that was forgotten.

Run the same command again after an interruption, or with more files: what is remembered is not looked at again, what was
forgotten does not come back, and only the summaries that new clips fall into are written again. Clips that cannot be
decoded are told, kept in the memory's manifest, and passed over.";

/// Of `--model`, which has no default here: a memory of what a model for simulated homes sees in real film is worth nothing.
const MODEL: &str = "Checkpoint that looks at the clips and writes: a directory, or owner/name of one that `firsthand fetch` \
downloaded. No default: recordings need --model, --endpoint or --captions";

/// Fewest pixels of a video frame by qwen-vl-utils, which enlarges smaller ones.
const SMALLEST_PIXELS: usize = 128 * 28 * 28;

/// Who writes summaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Summaries {
    /// The model that writes captions.
    Model,
    /// Nobody: sentences of the captions, chosen and put in order.
    Extractive,
}

/// Turn recordings into a memory: captions, transcripts and summaries, with their evidence.
#[derive(Args)]
#[command(after_help = EXAMPLES, mut_arg("model", |flag| flag.help(MODEL).long_help(MODEL)))]
pub(crate) struct RememberOptions {
    /// Recordings: video files.
    #[arg(value_name = "MEDIA")]
    media: Vec<String>,
    /// The memory: a folder, made if it is missing, or postgres://USER@HOST/DATABASE.
    #[arg(long, value_name = "DIR|URL")]
    memory: String,
    /// Whose eyes, e.g. A1_JAKE. Default: what the names of the files say, else me.
    #[arg(long, value_name = "NAME")]
    wearer: Option<String>,
    /// When the first recording without a time in its name starts: 2026-03-01T08:00 or DAY1_08000000.
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// Take captions from a JSON list of clips instead of asking a model.
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["model", "endpoint"])]
    captions: Option<PathBuf>,
    /// Put the captions of the file in the place of those that are of the same stretch, also where it was forgotten.
    #[arg(long, requires = "captions")]
    replace: bool,
    /// Who writes summaries. Default: the model, where there is one.
    #[arg(long, value_name = "WHO")]
    summaries: Option<Summaries>,
    /// Frames per second that are looked at.
    #[arg(long, value_name = "RATE", default_value_t = 1.0)]
    fps: f64,
    /// Most pixels of a frame after resizing.
    #[arg(long, value_name = "N")]
    max_pixels: Option<usize>,
    #[command(flatten)]
    damaged: DamagedFlag,
    /// Most new tokens of a caption or summary.
    #[arg(long, value_name = "N", default_value_t = 800)]
    max_tokens: usize,
    /// Clips that a server is asked about at the same time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,
    /// How long a server may stay away before the work stops, to go on with the next run.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    patience: u64,
    /// Look at clips that failed in an earlier run again.
    #[arg(long)]
    retry_failed: bool,
    /// Print one JSON object: what was done, and the memory's manifest (costs, failures, recordings, makers).
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelFlags,
    #[command(flatten)]
    endpoint: EndpointFlags,
    #[command(flatten)]
    encoder: EncoderFlags,
}

/// Remembers and reports.
pub(crate) fn run(options: &RememberOptions) -> Result<()> {
    if !(options.fps > 0.0 && options.fps <= 60.0) {
        return Err(wrong_usage("--fps must be above 0 and at most 60"));
    }
    let opener = session::opener(false, options.damaged.value())?;
    let mind = open_mind(options, &opener)?.map(RefCell::new);
    let by_model = match (options.summaries, &mind) {
        (Some(Summaries::Model), None) => {
            return Err(wrong_usage("--summaries model needs --model, or --endpoint and --endpoint-model"));
        }
        (Some(Summaries::Extractive), _) | (None, None) => false,
        (_, Some(_)) => true,
    };
    if mind.is_none() && options.captions.is_none() && !options.media.is_empty() {
        return Err(wrong_usage("say who looks at the recordings: --model, --endpoint or --captions"));
    }
    let told = options.captions.as_deref().map(|path| told(path, options.wearer.as_deref())).transpose()?;
    let encoder = options.encoder.open()?;
    let (encodes, started) = (encoder.is_some(), Instant::now());
    let (mut memory, _lock) = open_memory(&options.memory)?;
    if let Some(encoder) = encoder {
        // Said now, not after hours of captions.
        let kept = Encoder { name: encoder.name().to_owned(), dimensions: encoder.dimensions() };
        memory.store().set_encoder(Some(&kept))?;
        memory.attach(Box::new(encoder));
    }
    let start = options.start.as_deref().map(|text| media::start(text, memory.store())).transpose()?;
    let looking = Progress::working("looking at the recordings");
    let mut found = media::find(&options.media, &opener, options.wearer.as_deref(), start);
    found.notes.extend(media::keep(&found.recordings, memory.store())?);
    drop(looking);
    if let Some(mut clips) = told {
        media::locate(&mut clips, &found.recordings, memory.store())?;
        (found.clips, found.said) = (clips, Vec::new());
    }
    keep_maker(options, mind.as_ref(), by_model, &mut memory)?;
    let mut looking: Box<dyn Caption> = match &mind {
        Some(mind) => {
            // Small frames are not made larger than what was asked for.
            let min_pixels = options.max_pixels.filter(|most| *most < SMALLEST_PIXELS);
            let max_pixels = options.max_pixels;
            let limits = PixelLimits { min_pixels, max_pixels, ..PixelLimits::default() };
            Box::new(words::Looking { mind, fps: options.fps, limits })
        }
        None => Box::new(Untold),
    };
    let mut writing: Box<dyn Summarise> = match &mind {
        Some(mind) if by_model => Box::new(words::Writing { mind }),
        _ => Box::new(Extract),
    };
    let (before, began) = (report::model_ms(&mut memory)?, Instant::now());
    let mut mended = report::Mended::default();
    let done = build(options, &mut memory, &found, &mut mended, &mut *looking, &mut *writing)?;
    let model_s = (report::model_ms(&mut memory)? - before) as f64 / 1000.0;
    let beside_s = began.elapsed().as_secs_f64() - model_s;
    drop((looking, writing));
    // Its memory is wanted for the encoder.
    drop(mind);
    if encodes && matches!(done.ended, build::Ended::Done) {
        encode(&mut memory)?;
    }
    let spent = report::Spent { wall_s: started.elapsed().as_secs_f64(), model_s, beside_s };
    report::show(options.json, &mut memory, &found, (&done, &mended), &spent)
}

/// The clips of a captions file.
fn told(path: &Path, wearer: Option<&str>) -> Result<Vec<Clip>> {
    Ok(read_captions(&reading::text(path)?, &path.display().to_string(), wearer)?)
}

/// Gives a vector to every record that has none.
fn encode(memory: &mut Memory) -> Result<()> {
    let (waiting, stop) = (memory.store().without_vector(usize::MAX)?.len(), interrupt::ask_to_stop());
    let bar = Progress::new("encoding", waiting as u64, &Unit::Things("records"));
    let mut last = 0;
    memory.embed_missing(64, &mut |made| {
        bar.add(made - std::mem::replace(&mut last, made));
        !stop.load(Ordering::Relaxed)
    })?;
    Ok(())
}

/// The model that looks and writes, if one is named.
fn open_mind(options: &RememberOptions, opener: &Arc<Opener>) -> Result<Option<Mind>> {
    let served = options.endpoint.open(opener)?;
    if served.is_none() && options.model.model.is_none() {
        return Ok(None);
    }
    let asked_to_stop = interrupt::ask_to_stop();
    let sampling = SamplingOptions::default();
    let patience = Duration::from_secs(options.patience);
    let mut stop = StopRules { max_tokens: options.max_tokens.max(1), ..StopRules::default() };
    let (place, mut manifest, parallel) = match served {
        Some(endpoint) => {
            let manifest = endpoint.manifest().clone();
            (Place::Served(Box::new(endpoint)), manifest, usize::from(options.parallel))
        }
        None => {
            let session = Session::open(&options.model, opener.clone())?;
            stop.tokens = session.renderer.generation_defaults().stop.tokens.clone();
            let manifest = session.manifest.clone();
            let (renderer, runner) = session.load_for_many(1)?;
            let step =
                EngineOptions { step_tokens: STEP_TOKENS, max_sequences: 1, ..EngineOptions::default() };
            (Place::Here(Box::new(Local::new(runner, renderer, step)?)), manifest, 1)
        }
    };
    manifest.prompt = words::prompts_hash();
    let settings = [("fps", options.fps.to_string()), ("max_tokens", stop.max_tokens.to_string())];
    manifest.options.extend(settings.map(|(name, value)| (name.to_owned(), value)));
    if let Some(pixels) = options.max_pixels {
        manifest.options.insert("max_pixels".to_owned(), pixels.to_string());
    }
    Ok(Some(Mind { place, sampling, stop, manifest, patience, parallel, asked_to_stop }))
}

/// The memory, which nobody else builds at the same time.
fn open_memory(location: &str) -> Result<(Memory, Option<fs_err::File>)> {
    let folder = Path::new(location);
    if recall::is_shared(location) {
        return Ok((recall::open(folder)?, None));
    }
    let memory = Memory::open_or_create(folder)?;
    let lock = fs_err::File::create(folder.join(".lock"))?;
    lock.file().try_lock().with_context(|| format!("another process builds {location}"))?;
    Ok((memory, Some(lock)))
}

fn keep_maker(
    options: &RememberOptions,
    mind: Option<&RefCell<Mind>>,
    by_model: bool,
    memory: &mut Memory,
) -> Result<()> {
    let captions = match (mind, &options.captions) {
        (Some(mind), _) => mind.borrow().manifest.clone(),
        (None, Some(path)) => firsthand_base::Manifest {
            program: PROGRAM.to_owned(),
            model: path.display().to_string(),
            ..Default::default()
        },
        (None, None) => return Ok(()),
    };
    let maker = Maker { summaries: if by_model { "model" } else { "extractive" }.to_owned(), captions };
    let name = blake3::hash(&serde_json::to_vec(&maker)?).to_hex();
    Ok(Ledger::keep_maker(memory.store(), &name[..16], &maker)?)
}

fn build(
    options: &RememberOptions,
    memory: &mut Memory,
    found: &media::Found,
    mended: &mut report::Mended,
    looking: &mut dyn Caption,
    writing: &mut dyn Summarise,
) -> Result<build::Report> {
    let stop = interrupt::ask_to_stop();
    let bar = Progress::new("remembering", found.clips.len() as u64, &Unit::Things("clips"));
    // Goes on with what a killed run was replacing, too.
    let outdated = if options.replace { build::outdated(memory, &found.clips)? } else { Vec::new() };
    (mended.replaced, mended.proof) = (outdated.len() as u64, memory.replace_clips(&outdated)?);
    let mut builder = Builder::new(memory);
    if options.replace {
        builder = builder.bringing_back();
    }
    if options.retry_failed {
        builder.retry()?;
    }
    tell_of_files(options, found, &bar, &mut builder)?;
    match hear(found, &mut builder, writing, mended) {
        Err(firsthand_memory::Error::Stopped(reason)) => {
            return Ok(build::Report::none(build::Ended::Stopped(reason)));
        }
        Ok(false) => return Ok(build::Report::none(build::Ended::Asked)),
        Ok(true) => {}
        Err(error) => return Err(error.into()),
    }
    let mut forgotten: Option<String> = None;
    let mut watch = |step: Step<'_>| {
        match step {
            Step::Known(_) => bar.skip(1),
            Step::Forgotten(clip) => {
                bar.skip(1);
                forgotten.get_or_insert_with(|| format!("{} {} to {}", clip.wearer, clip.start, clip.end));
            }
            Step::Remembered(..) => bar.add(1),
            Step::Failed(clip, reason) => {
                bar.add(1);
                // What cannot be said to people is in the manifest.
                let _ = tell(&bar, &format!("the clip at {} cannot be remembered: {reason}", clip.start));
            }
        }
        !stop.load(Ordering::Relaxed)
    };
    let report = build::remember(&mut builder, found.clips.iter().cloned(), looking, writing, &mut watch)?;
    if let Some(first) = forgotten {
        let count = report.forgotten;
        tell(
            &bar,
            &format!(
                "{count} captions are of time that was forgotten on purpose and stay out, first {first}: --replace brings them back"
            ),
        )?;
    }
    if report.ended == build::Ended::Done && memory.store().counts()?.open > 0 {
        Builder::new(memory).rewrite(writing)?;
    }
    Ok(report)
}

/// Notes which files there are and which cannot be opened, and says what people should know of them.
fn tell_of_files(
    options: &RememberOptions,
    found: &media::Found,
    bar: &Progress,
    builder: &mut Builder<'_>,
) -> Result<()> {
    for recording in &found.recordings {
        builder.recording(&recording.wearer, recording.start, &recording.source.file, None)?;
    }
    for (file, reason) in &found.lost {
        tell(bar, &format!("{file} cannot be remembered: {reason}"))?;
        let (start, name) = build::named(file).unwrap_or_default();
        let wearer = options.wearer.clone().or(name).unwrap_or_else(|| "me".to_owned());
        builder.recording(&wearer, start, file, Some(reason))?;
    }
    for note in &found.notes {
        tell(bar, note)?;
    }
    Ok(())
}

/// Has clips that are there read the transcripts that came later or were mended. Whether all of them were read.
fn hear(
    found: &media::Found,
    builder: &mut Builder<'_>,
    writing: &mut dyn Summarise,
    mended: &mut report::Mended,
) -> firsthand_memory::Result<bool> {
    let stop = interrupt::ask_to_stop();
    let lines = found.said.iter().map(|(_, said)| said.len() as u64).sum();
    let bar = Progress::new("reading transcripts", lines, &Unit::Things("lines"));
    for (index, said) in &found.said {
        let recording = media::kept(&found.recordings[*index]);
        let goes_on = &mut |_: &Record| !stop.load(Ordering::Relaxed);
        mended.reworded += build::hear(builder, &recording, said, writing, goes_on)?;
        bar.add(said.len() as u64);
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A note, above the bar where there is one.
fn tell(bar: &Progress, line: &str) -> Result<()> {
    bar.note(&format!("note: {line}"));
    Ok(())
}

/// What stopped the work, as an error with its remedy.
fn stopped(reason: &str) -> anyhow::Error {
    failure(
        format!("the memory is not finished: {reason}"),
        "run the same command again when that is mended: what is remembered is kept",
    )
}
