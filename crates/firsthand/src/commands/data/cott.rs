//! `data cott`: a teacher answers questions about days with the tools; what is good enough becomes rows for supervised
//! training and for reinforcement learning.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use firsthand_agent::cott::{
    Asked, Filter, Generation, ModelTeacher, Observations, Record, SeekerTeacher, Statistics, Teacher,
    export, plain_rows, read_ids,
};
use firsthand_agent::{Budgets, Manner, Prompt, Seeker};
use firsthand_base::{Damaged, SamplingOptions};
use serde_json::json;

use crate::failure::{failure, wrong_usage};
use crate::options::model::ModelFlags;
use crate::options::sampling::SamplingFlags;
use crate::progress::{Progress, Unit};
use crate::recollection::{Recollection, ToolFlags};
use crate::role::Role;
use crate::screen::Paint;
use crate::session;

const EXAMPLES: &str = "\
Examples:
  firsthand data cott questions/egolife.json --memory week --out cott --teacher seeker
  firsthand data cott EgoLifeQA_A1_JAKE.json --memory week --out cott --wearer A1_JAKE \\
      --teacher http://127.0.0.1:8000/v1#Qwen2.5-72B-Instruct --parallel 16 --observations all_actions

OUT gets raw/<wearer>/<ID>.json (the published raw form and the whole trace) for every question as it is answered,
errors/ for those whose teacher broke, and in the end sft_share_gpt.json (a row a trace), sft_alpaca.json (a row a step,
the published form), rl.parquet and rl.jsonl (the published form with identity and clock), rejected.json and
statistics.json. The same command goes on after a kill; failures are tried again.
The seeker is a teacher that knows when what decides happened, and otherwise only what its searches show.";

/// What of its own past a teaching model is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum ObservationFlag {
    /// Every step with its observation.
    All,
    /// Every step, only the latest observation.
    Single,
    /// Of earlier steps the calls alone.
    AllActions,
    /// The latest step alone.
    Null,
}

impl ObservationFlag {
    fn mode(self) -> Observations {
        match self {
            ObservationFlag::All => Observations::All,
            ObservationFlag::Single => Observations::Single,
            ObservationFlag::AllActions => Observations::AllActions,
            ObservationFlag::Null => Observations::Null,
        }
    }
}

/// Generate reasoning traces with tool calls from a file of questions about days.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CottOptions {
    /// Questions in the form of EgoLifeQA, as a JSON list or lines.
    questions: PathBuf,
    /// The memory they are about.
    #[arg(long, value_name = "DIR")]
    memory: PathBuf,
    /// Where everything goes. A folder of the same run goes on.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Who answers: what --model takes, URL#NAME, or `seeker`.
    #[arg(long, value_name = "WHO", default_value = Seeker::NAME)]
    teacher: String,
    /// The seeker searches in two ways, drawn for each question: one time in four it says which of several it looks for (the
    /// last, the first), else it leaves that out, as who knows when may. Practice then has something to choose between.
    #[arg(long)]
    vary: bool,
    /// Whose questions rows without an identity are.
    #[arg(long, value_name = "NAME")]
    wearer: Option<String>,
    /// What of its own past a teaching model is shown; rows always have everything.
    #[arg(long, value_name = "MODE", default_value = "all")]
    observations: ObservationFlag,
    /// Questions answered at the same time by a served teacher or the seeker.
    #[arg(long, value_name = "N", default_value_t = 1)]
    parallel: usize,
    /// Most turns of a question.
    #[arg(long, value_name = "N", default_value_t = 20)]
    turns: usize,
    /// Most steps of a trace that is learned from, the answer included.
    #[arg(long, value_name = "N", default_value_t = 8)]
    most_steps: usize,
    /// Learn from traces in which a call failed, too.
    #[arg(long)]
    failed_calls: bool,
    /// Ids of benchmark questions, which never become rows: a JSON list, rows with ID, or lines.
    #[arg(long, value_name = "FILE")]
    exclude: Option<PathBuf>,
    /// Name of the split in the rows of reinforcement learning.
    #[arg(long, value_name = "NAME", default_value = "train")]
    split: String,
    /// Name the tools in one line instead of describing them.
    #[arg(long)]
    brief: bool,
    /// Also write sft_plain.json: the same questions put in one turn, with what one search finds, with the summaries of all
    /// days and with nothing, which a policy must learn too if it is to be compared with itself without tools; and
    /// sft_lessons.json: short rows from which a model that knows nothing learns to copy and to find letters.
    #[arg(long)]
    plain: bool,
    #[command(flatten)]
    tools: ToolFlags,
    #[command(flatten)]
    model: ModelFlags,
    #[command(flatten)]
    sampling: SamplingFlags,
}

/// Answers, filters, writes.
pub(super) fn run(options: &CottOptions) -> Result<()> {
    if options.parallel == 0 || options.turns == 0 {
        return Err(wrong_usage("--parallel and --turns must be at least 1"));
    }
    if options.vary && options.teacher != Seeker::NAME {
        return Err(wrong_usage("--vary is for the seeker; a model varies by --temperature"));
    }
    let recollection = Recollection::open(&options.memory, &options.tools, &options.model)?;
    let asked = recollection.questions(&options.questions, options.wearer.as_deref())?;
    let prompt = if options.brief { Prompt::Brief } else { Prompt::Full };
    let (mut teachers, sampling, turn_tokens) = teachers(options)?;
    let manner = Manner {
        prompt,
        budgets: Budgets { turns: options.turns, ..Budgets::default() },
        sampling,
        turn_tokens,
    };
    let generation = Generation {
        folder: &options.out,
        tools: recollection.tools.clone(),
        manner: &manner,
        observations: options.observations.mode(),
        teacher: if options.vary { "seeker, varied" } else { &options.teacher },
    };
    let bar = Progress::new("answering", asked.len() as u64, &Unit::Things("questions"));
    let mut told = 0;
    let (records, failures) = generation.run(&asked, &mut teachers, &mut |done| {
        bar.add((done - told) as u64);
        told = done;
        true
    })?;
    drop(bar);
    let excluded = options.exclude.as_deref().map(read_ids).transpose()?.unwrap_or_default();
    let filter = Filter {
        most_steps: options.most_steps,
        no_failed_calls: !options.failed_calls,
        excluded,
        ..Filter::default()
    };
    let kept: Vec<&Record> = records.iter().filter(|record| filter.rejects(record).is_none()).collect();
    // Every question that is not a benchmark's may be practised on, answered or not.
    let practised: Vec<&Asked> =
        asked.iter().filter(|asked| !filter.excluded.contains(&asked.question.id)).collect();
    let system = prompt.system(&recollection.tools.descriptions())?;
    let written = export(&options.out, &kept, &practised, &system, &options.split)?;
    if options.plain {
        let shown = (options.tools.top, options.tools.observation_characters);
        let rows = plain_rows(&practised, &recollection.memories, prompt, shown)?;
        save(options, "sft_plain.json", &json!(rows.plain))?;
        save(options, "sft_lessons.json", &json!(rows.lessons))?;
    }
    let statistics = Statistics::of(&records, failures.len(), &filter);
    let rejected: Vec<_> = records
        .iter()
        .filter_map(|record| {
            Some(json!({"ID": record.id, "identity": record.identity, "reason": filter.rejects(record)?}))
        })
        .collect();
    save(options, "statistics.json", &json!(statistics))?;
    save(options, "rejected.json", &json!(rejected))?;
    show(&statistics, written.traces, written.steps, written.questions)?;
    match failures.first() {
        Some(first) => Err(failure(
            format!(
                "{} of {} questions failed, e.g. {}: {}",
                failures.len(),
                asked.len(),
                first.id,
                first.error
            ),
            "run the same command again: what failed is tried again",
        )),
        None => Ok(()),
    }
}

/// As many as answer at the same time.
type Teachers = Vec<Box<dyn Teacher>>;

/// Whoever answers, and how they sample.
fn teachers(options: &CottOptions) -> Result<(Teachers, SamplingOptions, usize)> {
    if options.teacher == Seeker::NAME {
        // What it says is the memory's; the recordings are not watched for a guess.
        let seeker = Seeker { watches: false, ..Seeker::new() };
        let one =
            || Box::new(SeekerTeacher { seeker: seeker.clone(), varies: options.vary }) as Box<dyn Teacher>;
        return Ok(((0..options.parallel).map(|_| one()).collect(), SamplingOptions::default(), 1024));
    }
    let opener = session::opener(false, Damaged::Refuse)?;
    let served = options.teacher.contains("://");
    if !served && options.parallel > 1 {
        return Err(wrong_usage("--parallel is for teachers behind an address and the seeker"));
    }
    let mut all: Teachers = Vec::new();
    let mut choosing = None;
    for _ in 0..options.parallel {
        let role = Role::open("teacher", Some(&options.teacher), &options.model, &opener, 32_768)?;
        choosing = Some(options.sampling.resolve(&role.defaults)?);
        all.push(Box::new(ModelTeacher(role.model)));
    }
    let choosing = choosing.map_or((SamplingOptions::default(), 1024), |c| (c.sampling, c.stop.max_tokens));
    Ok((all, choosing.0, choosing.1))
}

fn save(options: &CottOptions, name: &str, value: &serde_json::Value) -> Result<()> {
    let mut file = crate::atomic::AtomicFile::create(&options.out.join(name))?;
    writeln!(file, "{value:#}")?;
    file.commit()
}

fn show(statistics: &Statistics, traces: usize, steps: usize, questions: usize) -> Result<()> {
    let (mut out, paint) = (std::io::stdout().lock(), Paint::stdout());
    let share = |share: f64| format!("{:.1} %", 100.0 * share);
    writeln!(
        out,
        "{} of {} questions right, {} not in memory, {} without an answer; {:.1} steps and {:.1} calls a question",
        paint.strong(&share(statistics.accuracy)),
        statistics.questions,
        share(statistics.not_in_memory),
        share(statistics.unanswered),
        statistics.mean_steps,
        statistics.mean_calls,
    )?;
    for (kind, right) in &statistics.by_type {
        writeln!(out, "  {kind}: {}", share(*right))?;
    }
    for (reason, count) in &statistics.rejected {
        writeln!(
            out,
            "  left out: {count} {}",
            json!(reason).as_str().unwrap_or_default().replace('_', " ")
        )?;
    }
    writeln!(out, "{traces} traces, {steps} steps, {questions} questions to practise on")?;
    Ok(())
}
