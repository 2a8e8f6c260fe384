//! `trace`: what was done to answer a question, shown as a page or done again without tools, memory or network.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use firsthand_agent::footage::SLACK_S;
use firsthand_agent::{Evidence, Manner, Trace, page, regenerate};
use firsthand_base::{Damaged, PixelLimits, Sampling, SamplingOptions, Span, VideoPart, VideoSource};
use firsthand_media::{Opener, png};

use crate::atomic::AtomicFile;
use crate::failure::failure;
use crate::options::model::ModelFlags;
use crate::progress::Progress;
use crate::reading;
use crate::role::Role;
use crate::session;
use crate::showing;

const EXAMPLES: &str = "\
Examples:
  firsthand ask --memory week \"where did i leave the red cup ?\" --trace cup.json
  firsthand trace show cup.json --html cup.html
  firsthand trace replay cup.json
  firsthand trace replay cup.json --agent-model ./agent

A replay goes the same way with the findings of the trace and fails where anything differs; with --agent-model that
model writes the turns anew, greedily or with the settings of the trace.";

/// Show or repeat how a question was answered.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TraceOptions {
    /// What to do.
    #[command(subcommand)]
    command: TraceCommand,
}

#[derive(Subcommand)]
enum TraceCommand {
    /// Show a trace as text, or as one page of HTML.
    Show(ShowOptions),
    /// Go the same way again, offline, bit for bit.
    Replay(Box<ReplayOptions>),
}

#[derive(Args)]
struct ShowOptions {
    /// A trace that `ask --memory --trace` wrote.
    trace: PathBuf,
    /// Write a page that stands alone, with pictures of the evidence where its files are still there.
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
}

#[derive(Args)]
struct ReplayOptions {
    /// A trace that `ask --memory --trace` wrote.
    trace: PathBuf,
    /// Let this model write the turns anew: what --model takes, or URL#NAME, or seeker.
    #[arg(long, value_name = "WHO")]
    agent_model: Option<String>,
    /// Write what came out.
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,
    #[command(flatten)]
    model: ModelFlags,
}

/// Runs one of the two.
pub(crate) fn run(options: &TraceOptions) -> Result<()> {
    match &options.command {
        TraceCommand::Show(options) => show(options),
        TraceCommand::Replay(options) => replay(options),
    }
}

fn read(path: &Path) -> Result<Trace> {
    let text = reading::text(path)?;
    Ok(Trace::parse(&text, &path.display().to_string())?)
}

fn write(path: &Path, text: &str) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(text.as_bytes())?;
    file.commit()
}

fn show(options: &ShowOptions) -> Result<()> {
    let trace = read(&options.trace)?;
    if let Some(place) = &options.html {
        let opener = session::opener(true, Damaged::Refuse)?;
        let _drawing = Progress::working("drawing what was seen");
        return write(place, &page(&trace, &|evidence| thumbnails(evidence, &opener))?);
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", trace.question.prompt())?;
    for turn in &trace.turns {
        writeln!(out, "\n{}", turn.done.text)?;
        if let firsthand_agent::Said::Observation(text) = &turn.done.said {
            writeln!(out, "  {text}")?;
        }
    }
    match (&trace.verdict, &trace.end) {
        (Some(verdict), _) => writeln!(out, "\nAnswer: {}", trace.question.told(verdict))?,
        (None, end) => writeln!(out, "\nNo answer: {end:?}")?,
    }
    Ok(())
}

/// Most pictures of one piece of evidence.
const MOST_PICTURES: usize = 3;
/// Most pixels of one.
const PICTURE_PIXELS: usize = 160 * 120;

/// Pictures from the beginning, the middle and the end of what was seen. Files that are gone have none.
fn thumbnails(evidence: &Evidence, opener: &Opener) -> Vec<String> {
    let Some(seen) = evidence.seen.first() else { return Vec::new() };
    let length = seen.end_s - seen.start_s;
    let at = |share: f64| seen.start_s + (length * share).min((length - 0.05).max(0.0)) + SLACK_S;
    let times: Vec<f64> = if length > 0.0 { [0.0, 0.5, 1.0].map(at).to_vec() } else { vec![at(0.0)] };
    let part = VideoPart {
        source: VideoSource::File(seen.file.clone()),
        sampling: Sampling::Timestamps(times),
        span: Span::default(),
        limits: PixelLimits {
            min_pixels: Some(PICTURE_PIXELS / 4),
            max_pixels: Some(PICTURE_PIXELS),
            ..PixelLimits::default()
        },
        sample_fps: None,
        damaged: firsthand_base::Damaged::Refuse,
    };
    let Ok(prepared) = opener.video(&part, &showing::sizes()) else { return Vec::new() };
    let picture = |picture: &firsthand_media::Picture| {
        let bytes = png(&seen.file, picture.width, picture.height, &picture.rgb).ok()?;
        Some(format!("data:image/png;base64,{}", STANDARD.encode(bytes)))
    };
    prepared.pictures.iter().take(MOST_PICTURES).filter_map(picture).collect()
}

fn replay(options: &ReplayOptions) -> Result<()> {
    let trace = read(&options.trace)?;
    let replaying = Progress::working("replaying");
    let again = match &options.agent_model {
        None => trace.replay()?,
        Some(word) => {
            let opener = session::opener(false, Damaged::Refuse)?;
            let mut role = Role::open("agent-model", Some(word), &options.model, &opener, 32_768)?;
            let manner = Manner {
                prompt: trace.prompt,
                budgets: trace.budgets.clone(),
                sampling: sampling(&trace),
                turn_tokens: setting(&trace, "max_tokens").unwrap_or(1024),
            };
            regenerate(&trace, &mut *role.model, &manner)?
        }
    };
    if options.agent_model.is_none() && again.to_json() != trace.to_json() {
        return Err(failure("the replay has other bits than the trace", "was the trace edited by hand?"));
    }
    if let Some(place) = &options.out {
        write(place, &again.to_json())?;
    }
    drop(replaying);
    let turns = again.turns.len();
    writeln!(std::io::stdout(), "{turns} turns and {} findings are the same", again.evidence().len())?;
    Ok(())
}

/// A setting of the agent that the trace names.
fn setting<T: std::str::FromStr>(trace: &Trace, name: &str) -> Option<T> {
    trace.manifests.get("agent")?.options.get(name)?.parse().ok()
}

/// How the agent chose tokens.
fn sampling(trace: &Trace) -> SamplingOptions {
    let default = SamplingOptions::default();
    SamplingOptions {
        temperature: setting(trace, "temperature").unwrap_or(default.temperature),
        top_k: setting(trace, "top_k").unwrap_or(default.top_k),
        top_p: setting(trace, "top_p").unwrap_or(default.top_p),
        repetition_penalty: setting(trace, "repetition_penalty").unwrap_or(default.repetition_penalty),
        seed: setting(trace, "seed").unwrap_or(default.seed),
    }
}
