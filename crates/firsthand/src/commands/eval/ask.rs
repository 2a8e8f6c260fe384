//! `eval NAME...`: asks a model the questions of benchmarks and writes rows, figures and what made them into a
//! folder. The runner is `tasks`'; this file turns flags into its plan and lends it media and a judge;
//! `answerer` is the model.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use firsthand_base::{Damaged, Manifest, PixelLimits, Sampling};
use firsthand_input::Family;
use firsthand_media::Opener;
use firsthand_tasks::runner::{Frames, Outside, Plan, Results, Run};
use firsthand_tasks::{Coordinates, Style};

use super::answerer::Answerer;
use super::benchmarks;
use super::endpoint::EndpointFlags;
use super::judge::{Judge, JudgeFlags};
use crate::failure::{failure, wrong_usage};
use crate::options::media::{DamagedFlag, Spread, spread_frames};
use crate::options::model::ModelFlags;
use crate::options::question::StyleFlag;
use crate::options::sampling::{Choosing, SamplingFlags};
use crate::progress::Progress;
use crate::reply;
use crate::session::{self, Session};

pub(super) const EXAMPLES: &str = "\
Examples:
  firsthand eval vsi-bench --data ~/data/vsi-bench --model Video-R1/Video-R1-7B --style video-r1 --frames 16,32 --out run
  firsthand eval mvbench tempcompass --data ~/data --model ./checkpoint --limit 100 --blind --shuffled --out run
  firsthand eval vsi-bench --data ~/data --endpoint http://127.0.0.1:8000/v1 --endpoint-model qwen2.5-vl-7b --parallel 16 --frames 32 --out run
  firsthand eval my-kitchen.toml --data ~/data/my-kitchen --model ./checkpoint --out run
  firsthand eval --data ~/data/homes --model ./checkpoint --out run -- world

Files are looked for in DIR/NAME where the files with the questions are there, else in DIR. `firsthand eval list` says
where they come from. The benchmark called world needs the `--` before it, because `eval world` is a measurement of its own.

OUT gets rows.jsonl (one line per question and setting, as they are answered), manifest.json (what made them),
results.json and results.md (computed from all rows). Run the same command again after an interruption: rows that are
there are not asked again. --limit, --blind and --shuffled may change, other settings may not. `firsthand compare` explains two runs.
Exit code 1 when rows have failed or rows of the files cannot be used.";

/// Flags of `eval NAME...`.
#[derive(Args)]
pub(crate) struct AskOptions {
    /// Benchmarks by name, or TOML files of your own.
    #[arg(value_name = "BENCH", required = true)]
    benchmarks: Vec<String>,
    /// Folder of the benchmark's files.
    #[arg(long, value_name = "DIR", required = true)]
    data: Option<PathBuf>,
    /// Folder for rows and results; a run that is there goes on.
    #[arg(long, value_name = "DIR", required = true)]
    out: Option<PathBuf>,
    /// Whose published prompt to use in place of the benchmark's own.
    #[arg(long, value_name = "NAME")]
    style: Option<StyleFlag>,
    /// Ask only the first N items of each benchmark.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Also ask without any picture or video.
    #[arg(long)]
    blind: bool,
    /// Also ask about videos with their frames out of order.
    #[arg(long)]
    shuffled: bool,
    /// Ask multiple-choice items once for every place of the right option, right only together.
    #[arg(long)]
    circular: bool,
    /// Questions answered at the same time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,
    /// Ask rows that failed in an earlier run again.
    #[arg(long)]
    retry_failed: bool,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    showing: ShowingFlags,
    #[command(flatten)]
    model: ModelFlags,
    #[command(flatten)]
    endpoint: EndpointFlags,
    #[command(flatten)]
    sampling: SamplingFlags,
    #[command(flatten)]
    judge: JudgeFlags,
}

/// Flags that choose frames and sizes, several at a time.
#[derive(Args)]
#[command(next_help_heading = "Frames and pixels")]
struct ShowingFlags {
    /// Take this many frames from a video; several numbers are several settings, each asked about every item.
    #[arg(long, value_name = "N,N...", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=4096))]
    frames: Vec<u64>,
    /// How --frames are spread over the video. Default even.
    #[arg(long, value_name = "RULE", requires = "frames")]
    spread: Option<Spread>,
    /// Frames per second to take from a video. Default 2, at least 4 and at most 768 frames.
    #[arg(long, value_name = "RATE")]
    fps: Option<f64>,
    /// Fewest pixels of a picture after resizing. Default 3136 for images, 100352 for frames.
    #[arg(long, value_name = "N")]
    min_pixels: Option<usize>,
    /// Most pixels of a picture after resizing. Default 12845056 for images, 602112 for frames.
    #[arg(long, value_name = "N")]
    max_pixels: Option<usize>,
    /// Most pixels of a video over all its frames. Default 90316800.
    #[arg(long, value_name = "N")]
    total_pixels: Option<usize>,
    #[command(flatten)]
    damaged: DamagedFlag,
}

impl ShowingFlags {
    fn frames(&self) -> Result<Vec<Frames>> {
        if self.fps.is_some_and(|fps| !fps.is_finite() || fps <= 0.0) {
            return Err(wrong_usage("--fps must be a number above 0"));
        }
        let spread = self.spread.unwrap_or(Spread::Even);
        if self.frames.is_empty() {
            let rate = Sampling::Rate {
                fps: self.fps.unwrap_or(Sampling::DEFAULT_FPS),
                min_frames: Sampling::DEFAULT_MIN_FRAMES,
                max_frames: Sampling::DEFAULT_MAX_FRAMES,
            };
            return Ok(vec![Frames { name: "by rate".to_owned(), sampling: rate }]);
        }
        if self.fps.is_some() && spread != Spread::StR1 {
            return Err(wrong_usage("give --fps or --frames, not both (both only with --spread st-r1)"));
        }
        let mut counts = self.frames.clone();
        counts.sort_unstable();
        counts.dedup();
        let frames = |count: u64| Frames {
            name: count.to_string(),
            sampling: spread_frames(count as usize, spread, self.fps),
        };
        Ok(counts.into_iter().map(frames).collect())
    }

    fn limits(&self) -> PixelLimits {
        PixelLimits {
            min_pixels: self.min_pixels,
            max_pixels: self.max_pixels,
            total_pixels: self.total_pixels,
            resized: None,
        }
    }
}

/// What the runner cannot see from its room.
struct World {
    opener: Arc<Opener>,
    family: Family,
    judge: Option<Judge>,
}

impl Outside for World {
    fn size(&self, location: &str) -> Result<[usize; 2], String> {
        self.opener.probe(location).map(|probe| probe.size).map_err(|error| error.to_string())
    }

    fn coordinates(&self, style: Style, original: [usize; 2], shown: [usize; 2]) -> Coordinates {
        reply::coordinates(style, self.family, original, shown)
    }

    fn judge(&self, system: &str, user: &str) -> Option<Result<String, String>> {
        self.judge.as_ref().map(|judge| judge.ask(system, user))
    }
}

/// Asks what is left, computes and prints.
pub(super) fn run(options: &AskOptions) -> Result<()> {
    let (Some(data), Some(out)) = (&options.data, &options.out) else {
        return Err(wrong_usage("--data and --out are needed"));
    };
    let frames = options.showing.frames()?;
    let found = options.benchmarks.iter().map(|name| {
        let benchmark = benchmarks::find(name)?;
        let folder = benchmarks::folder(data, &benchmark)?;
        Ok((benchmark, folder))
    });
    let found = found.collect::<Result<Vec<_>>>()?;
    let opener = session::opener(false, options.showing.damaged.value())?;
    let answerer = match options.endpoint.open(&opener)? {
        Some(endpoint) => Answerer::There(Box::new(endpoint)),
        None => Answerer::Here(Box::new(Session::open(&options.model, opener.clone())?)),
    };
    let Choosing { sampling, stop, .. } = options.sampling.resolve(&answerer.defaults())?;
    let plan = Plan {
        benchmarks: found,
        frames,
        limits: options.showing.limits(),
        style: options.style.map(StyleFlag::style),
        limit: options.limit.map(|limit| limit as usize),
        blind: options.blind,
        shuffled: options.shuffled,
        circular: options.circular,
        sampling,
        stop,
        retry_failed: options.retry_failed,
    };
    let manifest = manifest(answerer.manifest(), options, &plan)?;
    let judge = options.judge.open()?;
    let world = World { opener: opener.clone(), family: answerer.family(), judge };
    let reading = Progress::working("reading the benchmarks");
    let run = Run::open(out, &plan, &manifest, &world, Some(&benchmarks::tables))?;
    drop(reading);
    let run = answerer.answer(run, &plan, usize::from(options.parallel), &opener)?;
    let progress = run.progress();
    let counting = Progress::working("computing results");
    let results = run.finish()?;
    drop(counting);
    let mut stdout = std::io::stdout().lock();
    match options.json {
        true => writeln!(stdout, "{}", serde_json::to_string(&results)?)?,
        false => {
            write!(stdout, "{}", results.to_markdown())?;
            let asked = progress.done - progress.known;
            writeln!(stdout, "\n{}: {asked} rows asked, {} were there", out.display(), progress.known)?;
        }
    }
    outcome(&results, out)
}

/// What of a run cannot be counted on.
fn outcome(results: &Results, out: &std::path::Path) -> Result<()> {
    if results.is_whole() {
        return Ok(());
    }
    let (failed, unusable, unjudged) = (results.failed, results.unusable.len(), results.unjudged);
    let mut what = Vec::new();
    what.extend((failed > 0).then(|| format!("{failed} rows failed")));
    what.extend((unjudged > 0).then(|| format!("{unjudged} answers have no judge's score")));
    what.extend(
        results
            .unusable
            .first()
            .map(|[_, first]| format!("{unusable} rows of the files cannot be used ({first})")),
    );
    what.extend(what.is_empty().then(|| "nothing was asked".to_owned()));
    Err(failure(
        format!("{}: {}", what.join(", "), out.display()),
        "rows.jsonl and results.json say why; repair it and run again with --retry-failed",
    ))
}

/// What shapes the rows, by name: what `compare` tells apart.
fn manifest(known: &Manifest, options: &AskOptions, plan: &Plan) -> Result<Manifest> {
    let mut manifest = known.clone();
    let choosing = Choosing { sampling: plan.sampling.clone(), stop: plan.stop.clone(), note: String::new() };
    manifest.options.extend(choosing.settings());
    let number = |value: Option<usize>| value.map_or_else(|| "default".to_owned(), |value| value.to_string());
    let mut say = |key: &str, value: String| drop(manifest.options.insert(key.to_owned(), value));
    say("style", plan.style.map_or("the benchmark's", Style::name).to_owned());
    for frames in &plan.frames {
        say(&format!("frames {}", frames.name), format!("{:?}", frames.sampling));
    }
    say("min_pixels", number(plan.limits.min_pixels));
    say("max_pixels", number(plan.limits.max_pixels));
    say("total_pixels", number(plan.limits.total_pixels));
    if options.showing.damaged.value() == Damaged::Show {
        say("damaged", "show".to_owned());
    }
    say("limit", plan.limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string()));
    for (key, value) in [("blind", plan.blind), ("shuffled", plan.shuffled), ("circular", plan.circular)] {
        say(key, value.to_string());
    }
    say("judge", options.judge.name());
    for (benchmark, folder) in &plan.benchmarks {
        say(&format!("benchmark {}", benchmark.name), benchmarks::digest(benchmark, folder)?);
    }
    Ok(manifest)
}
