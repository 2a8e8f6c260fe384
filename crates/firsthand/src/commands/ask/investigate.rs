//! `ask --memory`: a question about days. An agent searches the memory and looks at recordings; what it did is shown as it
//! happens, the evidence with the answer, and a trace is left of all of it.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use firsthand_agent::{
    Budgets, Done, Event, Evidence, Manner, Prompt, Question, Said, Seeker, Trace, Verdict, investigate,
    summarize,
};
use firsthand_base::SamplingOptions;
use serde_json::{Value, json};

use super::AskOptions;
use super::show::note;
use crate::atomic::AtomicFile;
use crate::environment;
use crate::failure::{failure, wrong_usage};
use crate::progress::Progress;
use crate::recollection::{Recollection, ToolFlags};
use crate::role::Role;
use crate::screen::Paint;
use crate::session;

/// Tokens planned for the conversation of an agent.
const AGENT_TOKENS: usize = 32_768;
/// Characters of an observation that a terminal shows.
const MOST_SHOWN: usize = 240;

/// Flags of questions about days.
#[derive(Args)]
#[command(next_help_heading = "Memory")]
pub(crate) struct MemoryFlags {
    /// Ask about what is remembered here instead of media: a folder that `firsthand remember` or `firsthand world memory`
    /// made. An agent searches it and looks at its recordings.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["messages", "draw", "style", "kind"])]
    pub(crate) memory: Option<PathBuf>,
    /// Whose memory, e.g. A1. Default: the only one there is.
    #[arg(long, value_name = "NAME", requires = "memory")]
    wearer: Option<String>,
    /// Who searches: what --model takes, URL#NAME, or `seeker`, which searches by rule and needs no model.
    #[arg(long, value_name = "WHO", default_value = Seeker::NAME)]
    agent_model: String,
    /// Let another model answer too, from everything that was found; it is reported apart.
    #[arg(long, value_name = "WHO", requires = "memory")]
    summary_model: Option<String>,
    /// Most turns of the agent, the answer included.
    #[arg(long, value_name = "N", default_value_t = 12)]
    turns: usize,
    /// Most tokens the agent may write in all turns; 0 sets no limit.
    #[arg(long, value_name = "N", default_value_t = 0)]
    token_budget: usize,
    /// Most seconds for all of it; 0 sets no limit.
    #[arg(long, value_name = "S", default_value_t = 0.0)]
    second_budget: f64,
    /// Name the tools in one line instead of describing them, for agents that learned the protocol from examples alone.
    #[arg(long)]
    brief: bool,
    /// Where the trace goes. Default: the cache.
    #[arg(long, value_name = "FILE.json")]
    trace: Option<PathBuf>,
    #[command(flatten)]
    tools: ToolFlags,
}

/// Asks and shows.
pub(super) fn run(options: &AskOptions, folder: &Path) -> Result<()> {
    let flags = &options.memory;
    let [text] = &options.words[..] else {
        return Err(wrong_usage("with --memory there is one word: the question"));
    };
    if text.trim().is_empty() {
        return Err(wrong_usage("the question is empty"));
    }
    if flags.turns == 0 {
        return Err(wrong_usage("--turns must be at least 1"));
    }
    options.media.refuse_frames_of_days()?;
    let recollection = Recollection::open(folder, &flags.tools, &options.model)?;
    let wearer = recollection.wearer(flags.wearer.as_deref())?;
    let question = Question {
        id: "ask".to_owned(),
        text: text.trim().to_owned(),
        options: options.question.options.clone(),
        clock: recollection.clock(options.media.moment(), &wearer)?,
        wearer,
    };
    let opener = session::opener(false, options.media.damaged.value())?;
    let mut agent =
        Role::open("agent-model", Some(&flags.agent_model), &options.model, &opener, AGENT_TOKENS)?;
    let choosing = options.sampling.resolve(&agent.defaults)?;
    let manner = Manner {
        prompt: if flags.brief { Prompt::Brief } else { Prompt::Full },
        budgets: Budgets {
            turns: flags.turns,
            tokens: flags.token_budget,
            seconds: flags.second_budget,
            ..Budgets::default()
        },
        sampling: choosing.sampling.clone(),
        turn_tokens: choosing.stop.max_tokens,
    };
    if !options.json {
        note(&format!(
            "{} records of {}, asked at {}, agent {}",
            recollection.memories.records(),
            question.wearer,
            question.clock,
            agent.manifest.model
        ))?;
    }
    let mut screen = Screen { silent: options.json, open: false, waiting: Some(Progress::working(WAITING)) };
    let mut trace = investigate(question, &recollection.tools, &mut *agent.model, &manner, &mut |event| {
        screen.show(&event).is_ok()
    })?;
    drop(screen);
    trace.manifests = recollection.manifests.clone();
    let mut manifest = agent.manifest.clone();
    manifest.options.extend(choosing.settings());
    trace.manifests.insert("agent".to_owned(), manifest);
    let mut unsummed = None;
    if let Some(word) = &flags.summary_model {
        let mut role = Role::open("summary-model", Some(word), &options.model, &opener, AGENT_TOKENS)?;
        let manner = Manner { sampling: SamplingOptions::default(), ..manner.clone() };
        match summarize(&trace, &mut *role.model, &manner)? {
            Ok(summary) => trace.summary = Some(summary),
            Err(reason) => unsummed = Some(reason),
        }
        trace.manifests.insert("summary".to_owned(), role.manifest);
    }
    let place = keep(&trace, flags.trace.as_deref())?;
    if options.json {
        let mut told = told(&trace, &place);
        if let Some(reason) = &unsummed {
            told["summary"] = json!({"error": reason});
        }
        writeln!(std::io::stdout(), "{told:#}")?;
    } else {
        finish(&trace, unsummed.as_deref(), &place)?;
    }
    match &trace.end {
        Said::Over(over) => Err(failure(
            format!("no answer: {over}"),
            format!("firsthand trace show {} --html trace.html", place.display()),
        )),
        _ => Ok(()),
    }
}

/// Writes the trace whole.
fn keep(trace: &Trace, place: Option<&Path>) -> Result<PathBuf> {
    let text = trace.to_json();
    let place = match place {
        Some(place) => place.to_owned(),
        None => {
            let folder = environment::firsthand_cache()?.join("traces");
            fs_err::create_dir_all(&folder)?;
            let hash = blake3::hash(text.as_bytes()).to_hex();
            folder.join(format!("{}-{}.json", trace.question.clock, &hash[..12]))
        }
    };
    let mut file = AtomicFile::create(&place)?;
    file.write_all(text.as_bytes())?;
    file.commit()?;
    Ok(place)
}

/// What `--json` prints.
fn told(trace: &Trace, place: &Path) -> Value {
    let spoken = |verdict: &Verdict| {
        json!({
            "answer": trace.question.told(verdict),
            "option": match verdict { Verdict::Option(option) => json!(option), _ => Value::Null },
            "in_memory": *verdict != Verdict::NotInMemory,
        })
    };
    let mut told = json!({
        "question": trace.question,
        "agent": trace.verdict.as_ref().map(&spoken),
        "evidence": trace.decisive(),
        "end": trace.end,
        "spent": trace.spent,
        "trace": place.display().to_string(),
        "manifests": trace.manifests,
    });
    if trace.decisive().is_empty() {
        told["searched"] = json!(trace.searched());
    }
    if let Some(summary) = &trace.summary {
        told["summary"] = spoken(&summary.verdict);
        told["summary"]["cost"] = json!(summary.cost);
    }
    told
}

/// What a silent model does.
const WAITING: &str = "thinking";

/// What happens, on its way to the terminal.
struct Screen {
    silent: bool,
    /// A line of thought is being written.
    open: bool,
    /// Shown while nothing is written.
    waiting: Option<Progress>,
}

impl Screen {
    fn show(&mut self, event: &Event<'_>) -> Result<()> {
        if self.silent {
            return Ok(());
        }
        self.waiting = None;
        match event {
            Event::Text(piece) => self.text(piece),
            Event::Turn(done) => {
                self.turn(done)?;
                self.waiting = Some(Progress::working(WAITING));
                Ok(())
            }
        }
    }

    /// The model's words as they come, tags and all.
    fn text(&mut self, piece: &str) -> Result<()> {
        let mut out = std::io::stdout().lock();
        if !piece.is_empty() {
            self.open = true;
            write!(out, "{}", Paint::stdout().faint(piece))?;
            out.flush()?;
        }
        Ok(())
    }

    fn turn(&mut self, done: &Done) -> Result<()> {
        let mut out = std::io::stdout().lock();
        if std::mem::take(&mut self.open) {
            writeln!(out)?;
        }
        if let Said::Observation(text) = &done.said {
            let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
            if let Some((at, _)) = line.char_indices().nth(MOST_SHOWN) {
                line.truncate(at);
                line.push('…');
            }
            writeln!(out, "  {line}\n")?;
        }
        Ok(())
    }
}

/// The answer, what it stands on, what it cost.
fn finish(trace: &Trace, unsummed: Option<&str>, place: &Path) -> Result<()> {
    let (mut out, paint) = (std::io::stdout().lock(), Paint::stdout());
    writeln!(out)?;
    match &trace.verdict {
        Some(verdict) => {
            writeln!(out, "{}\n{}", paint.strong("Answer:"), trace.question.told(verdict))?;
            if *verdict == Verdict::NotInMemory {
                writeln!(
                    out,
                    "{}",
                    paint.faint("what was searched does not say it; the trace has what was searched")
                )?;
            }
        }
        None => writeln!(out, "{}", paint.strong("No answer"))?,
    }
    if let Some(summary) = &trace.summary {
        let told = trace.question.told(&summary.verdict);
        writeln!(out, "\n{}\n{told}", paint.strong("Answer with the summary model:"))?;
    }
    if let Some(reason) = unsummed {
        writeln!(out, "\n{} {reason}", paint.faint("the summary model gave no answer:"))?;
    }
    let decisive = trace.decisive();
    if !decisive.is_empty() {
        writeln!(out, "\n{}", paint.strong("Evidence:"))?;
    }
    for evidence in decisive {
        proof(&mut out, evidence, paint)?;
    }
    out.flush()?;
    let spent = trace.spent;
    note(&format!(
        "{} turns, {} tokens, {:.2} s; trace: {}",
        spent.turns,
        spent.tokens,
        spent.seconds,
        place.display()
    ))
}

fn proof(out: &mut impl Write, evidence: &Evidence, paint: Paint) -> Result<()> {
    writeln!(out, "{}-{}  {}", evidence.start, evidence.end, evidence.text.replace('\n', " "))?;
    for seen in &evidence.seen {
        let place = format!("  {} {:.2}-{:.2} s", seen.file, seen.start_s, seen.end_s);
        writeln!(out, "{}", paint.faint(&place))?;
    }
    Ok(())
}
