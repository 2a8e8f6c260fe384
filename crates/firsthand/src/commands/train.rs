//! `train`: teaches a checkpoint by a recipe. What a recipe means, the loop and its checkpoints are the room
//! `train`'s; this file finds the starting checkpoint, shows progress, draws the loss and answers Ctrl-C.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use firsthand_train::left_out::{Found, LEFT_OUT, Line};
use firsthand_train::metrics::Record;
use firsthand_train::recipe::PhaseKind;
use firsthand_train::rl::Stage;
use firsthand_train::{Outcome, Outline, Recipe, Run, Watch};
use serde_json::json;

use crate::checkpoint;
use crate::failure::failure;
use crate::interrupt;
use crate::plot;
use crate::policy::ServedPolicy;
use crate::progress::{self, Progress, Shown, Unit};
use crate::session;

const EXAMPLES: &str = "\
Examples:
  firsthand train sft recipe.toml --dry-run
  firsthand train sft recipe.toml

A recipe, with the keys most runs need (paths are relative to where the program runs):
  output = \"runs/first\"
  [model]
  start = \"Qwen/Qwen2.5-VL-3B-Instruct\"          # a directory, or owner/name that `firsthand fetch` downloaded
  dtype = \"bf16\"                                 # auto, f32, bf16 (the optimizer keeps f32 masters)
  [[source]]
  name = \"cot\"
  format = \"video-r1\"                            # video-r1, st-r1, sharegpt, stvqa, messages
  path = \"Video-R1-COT-165k.json\"
  only = { problem_type = [\"multiple choice\"] }   # rows with one of these values; all if left out
                                                 # sharegpt rows of words alone: media = false
  [train]
  epochs = 1.0                                   # or steps
  batch = 1
  accumulate = 8
  learning_rate = { language = 1e-5, merger = 0.0, vision = 0.0 }
  warm_up_ratio = 0.03
  clip = 1.0
  pass_tokens = 8192                             # bounds memory; other values add in another order: another run
Several [[phase]] tables in place of [train] follow one another. [adapter] trains a low-rank adapter (PEFT).

OUTPUT then has checkpoints/step-*/ (checkpoint directories with the trainer's state), metrics.jsonl, TensorBoard
events, loss.png, left-out.jsonl (each row that was not used, with the reason), and in the end final/. The same command
continues a run that was interrupted or killed, to the same weights bit for bit. Ctrl-C writes a checkpoint first;
pressed twice it does not.";

const RL_EXAMPLES: &str = "\
Examples:
  firsthand train rl recipes/quick-rl.toml --dry-run
  firsthand train rl recipes/quick-rl.toml --out runs/quick

A recipe has what `firsthand train sft --help` shows, and in place of its [train]:
  [train]
  kind = \"rl\"
  steps = 100
  batch = 8                                      # prompts of a step
  learning_rate = { language = 1e-6, merger = 1e-6, vision = 1e-6 }
  [train.rl]
  algorithm = \"grpo\"                           # grpo, dr-grpo, dapo, gspo, cispo, rloo, reinforce++, remax, ppo
  group = 8                                      # samples of each prompt
  max_tokens = 768
  kl = { weight = 0.04, estimator = \"k3\" }       # k1, k2, k3, abs, chi2, full (whole vocabulary)
  max_prompt = 4096                              # a longer prompt is refused, never cut
  temporal = { form = \"contrast\", level = \"frame\" }  # T-GRPO: compatible or contrast; frames or temporal patches
  held_out = { source = \"held-out\", every = 20 }
  [[train.rl.reward]]
  name = \"video-r1\"                            # a name of `firsthand score --list`
  [train.rl.tools]                             # samples call tools, turn by turn, about rows of format \"ego-r1\"
  memory = \"memories\"                           # what the tool `rag` looks into: a memory, or a folder of them
  budgets = { turns = 10, tokens = 8192 }

OUTPUT then has what `train sft` writes, reward.png, samples as text in rollouts/, and with held_out results.json:
accuracy before and after, and what changed, question by question, with its interval. The same command continues a
killed run, to the same weights bit for bit.";

/// Rows that a dry run names one by one.
const LISTED: usize = 20;

/// Train a checkpoint.
#[derive(Args)]
pub(crate) struct TrainOptions {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Supervised fine-tuning by a recipe: full or low-rank, in phases, resumable to the bit.
    #[command(after_help = EXAMPLES)]
    Sft(RunOptions),
    /// Reinforcement learning by a recipe: the model answers, rewards judge, resumable to the bit.
    #[command(after_help = RL_EXAMPLES)]
    Rl(RlOptions),
    Merge(MergeOptions),
}

/// Add a low-rank adapter (a PEFT folder) to its checkpoint and write the sum as a checkpoint.
#[derive(Args)]
struct MergeOptions {
    /// The folder with adapter_config.json and adapter_model.safetensors, or owner/name of one that was downloaded.
    #[arg(value_name = "DIR|owner/name")]
    adapter: String,
    /// The checkpoint it was made for: a directory, or owner/name of one that `firsthand fetch` downloaded.
    #[arg(long, value_name = "DIR|owner/name")]
    model: String,
    /// The folder to write; it must not exist.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// A recipe and what to do with it.
#[derive(Args)]
struct RunOptions {
    /// The recipe.
    #[arg(value_name = "RECIPE.toml")]
    recipe: PathBuf,
    /// Folder for the run instead of the recipe's `output`.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Check everything, say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object when done.
    #[arg(long)]
    json: bool,
}

/// A recipe of reinforcement learning, and who samples.
#[derive(Args)]
struct RlOptions {
    #[command(flatten)]
    run: RunOptions,
    /// Take samples from a vLLM or SGLang server, e.g. http://127.0.0.1:8000/v1, which serves the checkpoint that the
    /// recipe starts from and sees the output folder. It is given the weights after every update (vLLM: started with
    /// VLLM_SERVER_DEV_MODE=1, or for an adapter with VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 and --enable-lora).
    /// OPENAI_API_KEY is sent with requests.
    #[arg(long, value_name = "URL")]
    rollouts: Option<String>,
    /// Longest wait for one answer of that server; a request is tried four times.
    #[arg(long, value_name = "SECONDS", default_value_t = 600.0, requires = "rollouts")]
    patience: f64,
}

/// Runs one of the verbs.
pub(crate) fn run(options: &TrainOptions) -> Result<()> {
    match &options.verb {
        Verb::Sft(options) => train(options, false, None),
        Verb::Rl(options) => {
            let served = options.rollouts.as_deref().map(|url| (url, options.patience));
            train(&options.run, true, served)
        }
        Verb::Merge(options) => merge(options),
    }
}

fn merge(options: &MergeOptions) -> Result<()> {
    let start = checkpoint::directory(&options.model, "main").context("--model")?;
    let adapter = checkpoint::adapter(&options.adapter)?;
    let merging = Progress::working("merging");
    firsthand_train::merge(&start, &adapter, &options.out)?;
    drop(merging);
    writeln!(std::io::stdout(), "{}", options.out.display())?;
    Ok(())
}

/// Runs a recipe, `rl` or not: a run that samples takes other time and memory than its author may have meant.
fn train(options: &RunOptions, rl: bool, served: Option<(&str, f64)>) -> Result<()> {
    let mut recipe = Recipe::read(&options.recipe)?;
    let samples = recipe.phases.iter().any(|phase| phase.kind == PhaseKind::Rl);
    if samples != rl {
        let (has, verb) = if samples { ("a phase", "rl") } else { ("no phase", "sft") };
        return Err(failure(
            format!("{}: the recipe has {has} of kind \"rl\"", options.recipe.display()),
            format!("run `firsthand train {verb}` with it"),
        ));
    }
    if let Some(out) = &options.out {
        recipe.output.clone_from(out);
    }
    let start = match &recipe.model.start {
        Some(start) => Some(checkpoint::directory(start, "main").context("[model] start")?),
        None => None,
    };
    let output = recipe.output.clone();
    // A dry run leaves nothing behind, the questions that a source makes neither.
    let passing = tempfile::tempdir()?;
    if options.dry_run && recipe.sources.iter().any(|source| source.make.is_some()) {
        recipe.output = passing.path().to_owned();
    }
    let opener = session::opener(false, firsthand_base::Damaged::Refuse)?;
    let mut run = Run::open(recipe, start, opener.clone(), Arc::new(Shown::default()))?;
    if let Some((url, patience)) = served {
        run = run.sampled_by(Arc::new(ServedPolicy::open(url, patience, opener)?));
    }
    let mut stdout = std::io::stdout().lock();
    if options.dry_run {
        let outline = run.rehearse()?;
        if options.json {
            writeln!(stdout, "{:#}", describe(&outline))?;
        } else {
            print(&mut stdout, &outline, &output)?;
            list(&mut stdout, &outline)?;
        }
        return Ok(());
    }
    let mut screen = Screen {
        quiet: options.json,
        stop: interrupt::ask_to_stop(),
        output: output.clone(),
        progress: None,
        last: String::new(),
    };
    let outcome = run.train(&mut screen);
    drop(screen);
    draw(&output)?;
    let Outcome { dir, state, was_finished, results, left_out } = outcome?;
    let changes = results.iter().filter_map(|(phase, results)| Some((phase, results.change?)));
    if options.json {
        let held_out: Vec<_> =
            changes.map(|(phase, change)| json!({"phase": phase, "change": change})).collect();
        let report = json!({
            "final": dir,
            "steps": state.total_step,
            "tokens": state.tokens,
            "seconds": state.seconds,
            "skipped": state.skipped,
            "left_out": left_out,
            "left_out_file": (left_out > 0).then(|| output.join(LEFT_OUT)),
            "was_finished": was_finished,
            "held_out": held_out,
        });
        writeln!(stdout, "{report:#}")?;
    } else {
        let how = if was_finished { "was finished before" } else { "done" };
        let (steps, tokens) = (state.total_step, state.tokens);
        writeln!(stdout, "{}: {how}, {steps} steps, {tokens} tokens, {:.0} s", dir.display(), state.seconds)?;
        for (phase, change) in changes {
            writeln!(stdout, "{phase}: {}", change.told())?;
        }
        if left_out > 0 {
            writeln!(stdout, "left out {left_out} rows: {}", output.join(LEFT_OUT).display())?;
        }
    }
    Ok(())
}

/// What a person sees of a run.
struct Screen {
    quiet: bool,
    stop: &'static AtomicBool,
    output: PathBuf,
    progress: Option<Progress>,
    /// What the last step came to.
    last: String,
}

impl Watch for Screen {
    fn begin(&mut self, outline: &Outline) {
        if !self.quiet {
            // A closed pipe is no reason to stop training.
            let _ = print(&mut std::io::stdout(), outline, &self.output);
        }
        let progress = Progress::new("training", outline.steps(), &Unit::Things("steps"));
        progress.skip(outline.done);
        self.progress = Some(progress);
    }

    fn note(&mut self, line: &str) {
        progress::note(&format!("note: {line}"));
    }

    fn stage(&mut self, stage: Stage) {
        let Some(progress) = &self.progress else { return };
        let what = match stage {
            Stage::Rollout => "sampling",
            Stage::Reward => "judging",
            Stage::Backward => "gradients",
            Stage::Update => "moving the weights",
            Stage::Checkpoint => "writing a checkpoint",
        };
        match self.last.is_empty() {
            true => progress.say(what),
            false => progress.say(&format!("{}; {what}", self.last)),
        }
    }

    fn step(&mut self, record: &Record) {
        let Some(progress) = &self.progress else { return };
        let loss = record.loss.map_or_else(|| "not finite".to_owned(), |loss| format!("{loss:.4}"));
        let what = match record.more.get("reward") {
            Some(reward) => format!("reward {reward:.3}"),
            None => format!("loss {loss}"),
        };
        self.last = format!("{}: {what}, {:.0} tokens/s", record.phase, record.tokens_per_second);
        progress.say(&self.last);
        progress.add(1);
    }

    fn saved(&mut self, dir: &Path) {
        self.note(&format!("saved {}", dir.display()));
        if let Some(progress) = &self.progress {
            progress.say(&self.last);
        }
        // The picture can be drawn again from metrics.jsonl; a full disk must not end the run here.
        let _ = draw(&self.output);
    }

    fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Draws the loss of all steps so far.
fn draw(output: &Path) -> Result<()> {
    let path = output.join(firsthand_train::metrics::LINES);
    if !path.exists() {
        return Ok(());
    }
    let text = fs_err::read_to_string(path)?;
    let records: Vec<Record> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if records.is_empty() {
        return Ok(());
    }
    if records.iter().any(|record| record.more.contains_key("reward")) {
        let reward = |record: &Record| record.more.get("reward").copied();
        plot::curve(&records, "REWARD", &reward).save(&output.join("reward.png"))?;
    }
    plot::curve(&records, "LOSS", &|record| record.loss).save(&output.join("loss.png"))
}

fn print(out: &mut impl Write, outline: &Outline, output: &Path) -> Result<()> {
    writeln!(out, "from     {}", outline.from.display())?;
    for (name, rows) in &outline.sources {
        writeln!(out, "source   {name}: {rows} rows")?;
    }
    for (name, steps) in &outline.phases {
        writeln!(out, "phase    {name}: {steps} steps")?;
    }
    if let Some(memory) = &outline.memory {
        writeln!(out, "memory   at most {memory}")?;
    }
    writeln!(out, "output   {}", output.display())?;
    if outline.done > 0 {
        writeln!(out, "resumes  after step {} of {}", outline.done, outline.steps())?;
    }
    if let Some(first) = outline.skipped.first() {
        writeln!(out, "left out {} rows; the first: {first}", outline.skipped.len())?;
    }
    out.flush()?;
    Ok(())
}

/// Names the rows that would be left out, as far as they are known before media are opened.
fn list(out: &mut impl Write, outline: &Outline) -> Result<()> {
    for bad in outline.skipped.iter().skip(1).take(LISTED - 1) {
        writeln!(out, "         {bad}")?;
    }
    if outline.skipped.len() > LISTED {
        let rest = outline.skipped.len() - LISTED;
        writeln!(out, "         and {rest} more, which --json lists; the run writes all to {LEFT_OUT}")?;
    }
    Ok(())
}

fn describe(outline: &Outline) -> serde_json::Value {
    let named = |pairs: &[(String, u64)], unit: &str| -> Vec<serde_json::Value> {
        pairs.iter().map(|(name, count)| json!({"name": name, unit: count})).collect()
    };
    let sources: Vec<(String, u64)> =
        outline.sources.iter().map(|(name, rows)| (name.clone(), *rows as u64)).collect();
    let skipped: Vec<Line> = outline.skipped.iter().map(|bad| Line::of(bad, Found::Reading)).collect();
    json!({
        "from": outline.from,
        "sources": named(&sources, "rows"),
        "phases": named(&outline.phases, "steps"),
        "left_out": skipped,
        "memory_bytes": outline.memory.map(|memory| memory.total()),
    })
}
