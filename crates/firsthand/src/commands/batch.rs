//! `batch`: many questions from one file into another, several at once, resumable after a kill. A row that fails is
//! recorded with its reason; nothing ever stands in for it.

mod journal;
mod rows;

use std::cell::RefCell;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use firsthand_base::{Digest, GenerateError, Manifest};
use firsthand_engine::{EngineOptions, Local, Request};
use firsthand_input::Family;
use firsthand_media::Opener;

use crate::failure::failure;
use crate::options::media::{MediaFlags, MediaRules, Moving};
use crate::options::model::ModelFlags;
use crate::options::question::QuestionFlags;
use crate::options::sampling::{Choosing, SamplingFlags};
use crate::progress::{Progress, Unit};
use crate::reply::{Reply, View};
use crate::screen::note;
use crate::session::{self, STEP_TOKENS, Session};
use journal::{Journal, Record};
use rows::{Asked, Row, Rows};

const EXAMPLES: &str = "\
Examples:
  firsthand batch questions.jsonl answers.jsonl --model Video-R1/Video-R1-7B --style video-r1 --frames 16
  firsthand batch questions.jsonl answers.jsonl --model ./checkpoint --retry-failed

IN holds JSON lines or one JSON list. Each row is one object: a unique `id`, and either `messages` (reference format) or `question` with `media`
(a location or a list of them). A row may also have `style`, `type`, `options`, and `extra`, which is copied.
  {\"id\": 1, \"media\": \"clip.mp4\", \"question\": \"What is picked up?\", \"options\": [\"a cup\", \"a key\"]}
  {\"id\": \"b\", \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}

Each line of OUT is one answer, with `answer`, `thinking`, `finish` and the manifest, or one failed row with `error`.
An answer that names one of the options has its `option`, from 0, and the option's words as `answer_text`.
Flags that choose frames are for the rows with a video or a moving picture; a note counts the others.
Lines appear when they are ready and are on the disk before the next one starts. Run the same command again after an
interruption: rows that OUT has are skipped, a torn last line is repaired. OUT that was made with other settings is
refused. Exit code 1 when rows have failed.";

/// Answer many questions from a JSON-lines file, resumable.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BatchOptions {
    /// The questions.
    #[arg(value_name = "IN.jsonl")]
    input: PathBuf,
    /// The answers, appended.
    #[arg(value_name = "OUT.jsonl")]
    output: PathBuf,
    /// Questions answered at the same time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,
    /// Ask rows that failed in an earlier run again.
    #[arg(long)]
    retry_failed: bool,
    #[command(flatten)]
    question: QuestionFlags,
    #[command(flatten)]
    model: ModelFlags,
    #[command(flatten)]
    sampling: SamplingFlags,
    #[command(flatten)]
    media: MediaFlags,
}

/// What is the same for every row.
struct Common {
    rules: MediaRules,
    choosing: Choosing,
    manifest: Manifest,
    family: Family,
    opener: Arc<Opener>,
    /// Names the settings that shape answers; rows of another recipe do not belong into the same file.
    recipe: String,
}

/// Answers every row that OUT does not have.
pub(crate) fn run(options: &BatchOptions) -> Result<()> {
    let rules = options.media.rules()?;
    let rows = Rows::open(&options.input, &options.question)?;
    let opener = session::opener(false, options.media.damaged.value())?;
    let session = Session::open(&options.model, opener.clone())?;
    let choosing = options.sampling.resolve(session.renderer.generation_defaults())?;
    let recipe = recipe(&session.manifest, &choosing, &rules, &options.question);
    let family = session.renderer.family();
    let common = Common { rules, choosing, manifest: session.manifest.clone(), family, opener, recipe };
    let journal = Journal::open(&options.output, &common.recipe, options.retry_failed)?;
    let known = rows.iter().filter(|row| journal.has(&row.key)).count();
    let parallel = usize::from(options.parallel);
    let journal = RefCell::new(journal);
    if known < rows.len() {
        let (renderer, runner) = session.load_for_many(parallel)?;
        let step = EngineOptions {
            step_tokens: STEP_TOKENS.max(parallel),
            max_sequences: parallel,
            ..EngineOptions::default()
        };
        let mut local = Local::new(runner, renderer, step)?;
        let unused = answer_all(&mut local, &rows, &common, &journal)?;
        if let Some((flag, rows)) = unused {
            note(&format!("{flag} chose nothing in {rows} rows without a video or moving picture"))?;
        }
    }
    let journal = journal.into_inner();
    let (answered, failed) = (journal.answered, journal.failed);
    writeln!(
        std::io::stdout(),
        "{}: {answered} answered, {failed} failed, {known} were there",
        options.output.display()
    )?;
    if failed > 0 {
        return Err(failure(
            format!("{failed} of {} rows failed: {}", rows.len(), options.output.display()),
            "their `error` says why; repair them and run again with --retry-failed",
        ));
    }
    Ok(())
}

fn recipe(manifest: &Manifest, choosing: &Choosing, rules: &MediaRules, question: &QuestionFlags) -> String {
    let text = format!(
        "{} {} {} {:?} {:?} {rules:?} {:?} {:?} {:?}",
        manifest.weights,
        manifest.dtype,
        manifest.decoder,
        manifest.options,
        choosing.settings(),
        question.style,
        question.kind,
        question.options,
    );
    Digest(*blake3::hash(text.as_bytes()).as_bytes()).to_hex()[..16].to_owned()
}

/// Feeds the engine and writes each result as it comes. Gives the flag that chooses frames, and how many rows had none to
/// choose from.
fn answer_all(
    local: &mut Local<firsthand_model::ModelRunner, firsthand_input::Renderer>,
    rows: &Rows,
    common: &Common,
    journal: &RefCell<Journal>,
) -> Result<Option<(&'static str, usize)>> {
    let progress = Progress::new("answering", rows.len() as u64, &Unit::Things("rows"));
    // Rows in the order the engine took them; the engine numbers them so.
    let taken: RefCell<Vec<(&Row, Asked)>> = RefCell::default();
    let trouble: RefCell<Option<anyhow::Error>> = RefCell::default();
    let unused: RefCell<Option<(&'static str, usize)>> = RefCell::default();
    let write = |record: Record<'_>| -> bool {
        progress.add(1);
        let written = journal.borrow_mut().write(&record);
        written.map_err(|error| trouble.replace(Some(error))).is_ok()
    };
    let requests = rows.iter().filter_map(|row| {
        if trouble.borrow().is_some() {
            return None;
        }
        if journal.borrow().has(&row.key) {
            progress.skip(1);
            return None;
        }
        match rows.ask(row, &common.rules, &common.opener) {
            Ok(asked) => {
                let Choosing { sampling, stop, .. } = &common.choosing;
                let conversation = asked.conversation.clone();
                if let Some(flag) = common.rules.unused(&conversation) {
                    let rows = unused.borrow().map_or(0, |(_, rows)| rows);
                    unused.replace(Some((flag, rows + 1)));
                }
                taken.borrow_mut().push((row, asked));
                Some(Request { conversation, sampling: sampling.clone(), stop: stop.clone() })
            }
            Err(error) => {
                write(Record::failed(row, &common.recipe, &error));
                None
            }
        }
    });
    let outcome = local.batch(requests, &mut |index, outcome| {
        let taken = taken.borrow();
        let (row, asked) = &taken[index];
        match outcome {
            Ok(finished) => {
                let reply = reply(finished, asked, common);
                write(Record::answered(row, &common.recipe, asked.extra.as_ref(), &reply))
            }
            Err(error) => write(Record::failed(row, &common.recipe, &failed_row(&error))),
        }
    });
    match trouble.into_inner() {
        Some(error) => Err(error),
        None => Ok(outcome.map(|()| unused.into_inner())?),
    }
}

fn failed_row(error: &GenerateError) -> anyhow::Error {
    anyhow::Error::msg(error.to_string())
}

fn reply(finished: firsthand_engine::Answer, asked: &Asked, common: &Common) -> Reply {
    let mut settings = common.choosing.settings();
    settings.push(("style".to_owned(), asked.style.name().to_owned()));
    settings.extend(Moving::setting(&asked.moving));
    let generation = &finished.generation;
    let manifest =
        firsthand_input::manifest(&common.manifest, &generation.prompt, &generation.media, settings);
    let view =
        View { style: asked.style, family: common.family, opener: &common.opener, options: &asked.options };
    Reply::new(finished, manifest, &view, &asked.conversation)
}
