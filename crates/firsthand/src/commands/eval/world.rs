//! `eval world`: asks a checkpoint about simulated homes that nobody trained on, and prints how often it is right,
//! family by family, beside chance, a grey medium and shuffled frames.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use firsthand_base::{Damaged, SamplingOptions, StopRules};
use firsthand_engine::{EngineOptions, Local, Request};
use firsthand_input::Renderer;
use firsthand_model::ModelRunner;
use firsthand_tasks::Score;
use firsthand_world::questions::{Family, Scope};
use serde_json::json;

use super::families::{Report, Row};
use super::grade::grade;
use super::items::{self, Item, Shown};
use crate::failure::{failure, wrong_usage};
use crate::options::model::ModelFlags;
use crate::progress::{Progress, Unit};
use crate::session::{self, STEP_TOKENS, Session};

const EXAMPLES: &str = "\
Examples:
  firsthand eval world --seed 1 --items 200
  firsthand eval world --seed 1 --items 50 --families colour,order --model ./run/final --json

An interval or box counts as right from an overlap (intersection over union) of 0.5, a measured number within 15%.
Worlds of `eval` are never those of `world questions`: their seeds have the top bit set.";

/// Ask about held-out simulated homes.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WorldOptions {
    /// Which held-out worlds.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// Questions of each family.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    items: u32,
    /// Families to ask, by name; all about pictures and clips if left out.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    families: Vec<String>,
    /// Questions answered at the same time.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,
    /// Leave out the controls: a grey medium, and shuffled frames.
    #[arg(long)]
    no_controls: bool,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// Also write every question with its answer to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Keep the pictures and clips in this folder.
    #[arg(long, value_name = "DIR")]
    media: Option<PathBuf>,
    /// Most tokens of an answer.
    #[arg(long, value_name = "N", default_value_t = 320, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: u32,
    #[command(flatten)]
    model: ModelFlags,
}

/// Asks, grades and prints.
pub(crate) fn run(options: &WorldOptions) -> Result<()> {
    let started = Instant::now();
    let families = families(&options.families)?;
    let opener = session::opener(false, Damaged::Refuse)?;
    let session = Session::open(&options.model, opener)?;
    // Greedy: the same command prints the same table.
    let defaults = session.renderer.generation_defaults();
    let stop = StopRules { max_tokens: options.max_tokens as usize, ..defaults.stop.clone() };
    let manifest = session.manifest.clone();
    let parallel = usize::from(options.parallel);
    let passing = tempfile::tempdir()?;
    let dir = options.media.as_deref().unwrap_or(passing.path());
    fs_err::create_dir_all(dir)?;
    let items = items::collect(options.seed, options.items as usize, &families, dir)?;
    let (renderer, runner) = session.load_for_many(parallel)?;
    let engine = EngineOptions {
        step_tokens: STEP_TOKENS.max(parallel),
        max_sequences: parallel,
        ..EngineOptions::default()
    };
    let mut local = Local::new(runner, renderer, engine)?;
    let texts = ask(&mut local, &items, Shown::Medium, &stop)?;
    let (blank, shuffled) = match options.no_controls {
        true => (vec![None; items.len()], vec![None; items.len()]),
        false => {
            (ask(&mut local, &items, Shown::Blank, &stop)?, ask(&mut local, &items, Shown::Shuffled, &stop)?)
        }
    };
    if let Some(path) = &options.answers {
        write_answers(path, &items, &texts)?;
    }
    let rows: Vec<Row> = families
        .iter()
        .map(|&family| row(family, &items, [&texts, &blank, &shuffled]))
        .filter(|row| row.items > 0)
        .collect();
    let mean = rows.iter().filter_map(|row| row.accuracy).sum::<f64>() / rows.len().max(1) as f64;
    let report = Report {
        model: manifest.model,
        weights: manifest.weights,
        seed: options.seed,
        rows,
        mean,
        seconds: started.elapsed().as_secs_f64(),
    };
    let mut out = std::io::stdout().lock();
    match options.json {
        true => writeln!(out, "{}", serde_json::to_string(&report)?)?,
        false => report.write(&mut out)?,
    }
    Ok(())
}

fn families(names: &[String]) -> Result<Vec<Family>> {
    let shown: Vec<Family> =
        Family::ALL.iter().copied().filter(|family| family.scope() != Scope::Days).collect();
    if names.is_empty() {
        return Ok(shown);
    }
    names
        .iter()
        .map(|name| {
            shown.iter().copied().find(|family| family.name() == name).ok_or_else(|| {
                let known: Vec<_> = shown.iter().map(|family| family.name()).collect();
                wrong_usage(format!(
                    "--families: no family {name:?} about pictures or clips; known: {}",
                    known.join(", ")
                ))
            })
        })
        .collect()
}

/// The reply to every item, `None` where there is no such control.
fn ask(
    local: &mut Local<ModelRunner, Renderer>,
    items: &[Item],
    shown: Shown,
    stop: &StopRules,
) -> Result<Vec<Option<String>>> {
    let asked: Vec<usize> = (0..items.len()).filter(|&i| items[i].conversation(shown).is_some()).collect();
    let what = match shown {
        Shown::Medium => "answering",
        Shown::Blank => "answering about grey media",
        Shown::Shuffled => "answering about shuffled frames",
    };
    let progress = Progress::new(what, asked.len() as u64, &Unit::Things("questions"));
    let mut texts: Vec<Option<String>> = vec![None; items.len()];
    let mut trouble = None;
    let requests = asked.iter().filter_map(|&i| {
        let conversation = items[i].conversation(shown)?;
        Some(Request { conversation, sampling: SamplingOptions::default(), stop: stop.clone() })
    });
    local.batch(requests, &mut |index, outcome| {
        progress.add(1);
        match outcome {
            Ok(answer) => texts[asked[index]] = Some(answer.generation.text),
            Err(error) => trouble = Some(error),
        }
        trouble.is_none()
    })?;
    match trouble {
        Some(error) => {
            Err(failure(error.to_string(), "the checkpoint must take images and videos of 224x168 pixels"))
        }
        None => Ok(texts),
    }
}

fn row(family: Family, items: &[Item], [texts, blank, shuffled]: [&[Option<String>]; 3]) -> Row {
    let of_family: Vec<usize> = (0..items.len()).filter(|&i| items[i].question.family == family).collect();
    let score = |texts: &[Option<String>]| {
        let mut score = Score::default();
        for &i in &of_family {
            if let Some(text) = &texts[i] {
                score.add(grade(&items[i].question, text) == Some(true));
            }
        }
        score
    };
    let scored = score(texts);
    let unread = of_family.iter().filter_map(|&i| Some((i, texts[i].as_ref()?)));
    let unread = unread.filter(|(i, text)| grade(&items[*i].question, text).is_none()).count();
    let chance =
        of_family.iter().map(|&i| items[i].question.chance).sum::<f64>() / of_family.len().max(1) as f64;
    Row {
        family: family.name(),
        scope: if family.scope() == Scope::Frame { "frame" } else { "clip" },
        items: scored.items,
        accuracy: scored.accuracy(),
        unread,
        interval: scored.interval(),
        chance,
        blind: score(blank).accuracy(),
        shuffled: score(shuffled).accuracy(),
    }
}

fn write_answers(path: &PathBuf, items: &[Item], texts: &[Option<String>]) -> Result<()> {
    let mut lines = String::new();
    for (item, text) in items.iter().zip(texts) {
        let question = &item.question;
        let graded = text.as_ref().and_then(|text| grade(question, text));
        let (right, unread) = (graded == Some(true), text.is_some() && graded.is_none());
        let line = json!({
            "id": question.id, "family": question.family, "kind": question.kind, "messages": item.messages(),
            "right": right, "unread": unread, "answer": question.answer_text(), "reference": question.short_completion(), "text": text,
        });
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    Ok(fs_err::write(path, lines)?)
}
