//! `eval memory`: how often questions about days are answered right by one who looks for himself, beside the same
//! questions with what one search finds, with the summaries of all days, and with nothing; and how often search alone
//! finds the moment that decides. What is asked and how comes from the room `agent`; this file counts.

mod against;
mod search;
mod table;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Instant;

use anyhow::Result;
use clap::{Args, ValueEnum};
use firsthand_agent::cott::Asked;
use firsthand_agent::{Budgets, Manner, Plain, Prompt, Seeker, Verdict, investigate};
use firsthand_base::{Damaged, Generate, StopRules};
use firsthand_memory::Memory;
use firsthand_tasks::{Answer, Score};
use serde::{Deserialize, Serialize};

use crate::failure::{failure, wrong_usage};
use crate::options::model::ModelFlags;
use crate::progress::{Progress, Unit};
use crate::recollection::{Recollection, ToolFlags};
use crate::role::Role;
use crate::session;

const EXAMPLES: &str = "\
Examples:
  firsthand world memory --seeds 0..10 --held-out --items 40 --out weeks
  firsthand eval memory weeks --agent-model seeker --ways tools
  firsthand eval memory weeks --agent-model runs/search/final --brief --json
  firsthand eval memory weeks --agent-model runs/practise/final --brief --ways tools --against before.jsonl
  firsthand eval memory weeks --ways recall

A question counts as right when its letter is; one that is not answered is wrong. Intervals are 95% (Wilson); of what
changed against an earlier run they are paired by question and know whose days it is about.";

/// Tokens planned for one question with everything that was found.
const TOKENS: usize = 32_768;

/// A way of answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    /// Thinks, calls tools, reads, answers.
    Tools,
    /// The clips that one search for the question finds.
    Flat,
    /// The summaries of all days.
    Summaries,
    /// The question alone.
    Blind,
    /// No answer: whether search finds the moment that decides.
    Recall,
}

impl Way {
    fn plain(self) -> Option<Plain> {
        match self {
            Way::Flat => Some(Plain::Flat),
            Way::Summaries => Some(Plain::Summaries),
            Way::Blind => Some(Plain::Blind),
            Way::Tools | Way::Recall => None,
        }
    }
}

/// Ask about remembered days.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MemoryOptions {
    /// A memory, or a folder of them as `world memory` writes it.
    memory: PathBuf,
    /// Questions in the form of EgoLifeQA. Default: egolife-qa.json beside the memories.
    #[arg(long, value_name = "FILE")]
    questions: Option<PathBuf>,
    /// Whose questions rows without an identity are.
    #[arg(long, value_name = "NAME")]
    wearer: Option<String>,
    /// Who answers: what --model takes, URL#NAME, or `seeker`, who needs no model and knows the way `tools` alone.
    #[arg(long, value_name = "WHO")]
    agent_model: Option<String>,
    /// Ways of answering.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Way::Tools, Way::Flat, Way::Summaries, Way::Blind, Way::Recall])]
    ways: Vec<Way>,
    /// Only the first questions.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Most turns of a question.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..))]
    turns: u16,
    /// Name the tools in one line instead of describing them: for models taught so.
    #[arg(long)]
    brief: bool,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// Also write every question with what became of it to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Also say what changed since the run that wrote these --answers, paired by question.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    #[command(flatten)]
    tools: ToolFlags,
    #[command(flatten)]
    model: ModelFlags,
}

/// One way, measured.
#[derive(Serialize)]
struct Row {
    way: Way,
    items: usize,
    accuracy: Option<f64>,
    interval: Option<[f64; 2]>,
    /// Share said not to be in the memory.
    not_in_memory: f64,
    /// Answers of which no option could be read, an episode without an answer among them; they are wrong.
    unread: usize,
    calls: f64,
    median_s: f64,
    kinds: BTreeMap<String, (usize, f64)>,
}

#[derive(Serialize)]
struct Report {
    model: Option<String>,
    weights: Option<String>,
    questions: usize,
    /// What a guess among the options is right with.
    chance: f64,
    rows: Vec<Row>,
    /// Since the run of --against, for each way that both took.
    changes: Vec<against::Change>,
    recall: Vec<search::Found>,
}

/// What became of one question.
#[derive(Serialize)]
struct One<'a> {
    way: Way,
    id: &'a str,
    wearer: &'a str,
    kind: &'a str,
    right: bool,
    /// Whether no option could be read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unread: bool,
    #[serde(skip)]
    not_in_memory: bool,
    calls: usize,
    seconds: f64,
    text: String,
}

/// Asks, counts and prints.
pub(super) fn run(options: &MemoryOptions) -> Result<()> {
    let is_seeker = options.agent_model.as_deref() == Some(Seeker::NAME);
    if is_seeker && options.ways.iter().any(|way| way.plain().is_some()) {
        return Err(wrong_usage("the seeker answers with tools alone; give --ways tools,recall"));
    }
    let recollection = Recollection::open(&options.memory, &options.tools, &options.model)?;
    let file = options.questions.clone().unwrap_or_else(|| options.memory.join("egolife-qa.json"));
    let mut asked = recollection.questions(&file, options.wearer.as_deref())?;
    asked.truncate(options.limit.unwrap_or(usize::MAX));
    let earlier = options.against.as_deref().map(|path| against::read(path, &options.ways, &asked));
    let before = earlier.transpose()?;
    let answers = options.ways.iter().any(|way| *way != Way::Recall);
    let opener = session::opener(false, Damaged::Refuse)?;
    let mut role = match answers {
        true => {
            Some(Role::open("agent-model", options.agent_model.as_deref(), &options.model, &opener, TOKENS)?)
        }
        false => None,
    };
    let (mut rows, mut changes, mut recall) = (Vec::new(), Vec::new(), Vec::new());
    let mut lines = String::new();
    for &way in &options.ways {
        if way == Way::Recall {
            recall = search::found(&recollection, &asked)?;
        } else if let Some(role) = &mut role {
            let ones = answer(options, way, &recollection, role, &asked)?;
            for one in &ones {
                lines.push_str(&serde_json::to_string(one)?);
                lines.push('\n');
            }
            rows.push(row(way, &ones));
            changes.extend(before.as_ref().and_then(|before| against::change(way, before, &ones)));
        }
    }
    if let Some(path) = &options.answers {
        fs_err::write(path, lines)?;
    }
    let chance = asked.iter().map(|one| 1.0 / one.question.options.len() as f64).sum::<f64>();
    let manifest = role.map(|role| role.manifest);
    let report = Report {
        model: manifest.as_ref().map(|manifest| manifest.model.clone()),
        weights: manifest.map(|manifest| manifest.weights),
        questions: asked.len(),
        chance: chance / asked.len().max(1) as f64,
        rows,
        changes,
        recall,
    };
    let mut out = std::io::stdout().lock();
    match options.json {
        true => writeln!(out, "{}", serde_json::to_string(&report)?)?,
        false => table::show(&report, &mut out)?,
    }
    Ok(())
}

/// Every question answered in one way.
fn answer<'a>(
    options: &MemoryOptions,
    way: Way,
    recollection: &Recollection,
    role: &mut Role,
    asked: &'a [Asked],
) -> Result<Vec<One<'a>>> {
    let prompt = if options.brief { Prompt::Brief } else { Prompt::Full };
    let turn_tokens = role.defaults.stop.max_tokens.min(1024);
    let budgets = Budgets { turns: options.turns.into(), ..Budgets::default() };
    let manner = Manner { prompt, budgets, sampling: role.sampling()?, turn_tokens };
    let bar =
        Progress::new(&format!("answering, {}", name(way)), asked.len() as u64, &Unit::Things("questions"));
    let mut all = Vec::new();
    for one in asked {
        let started = Instant::now();
        let question = &one.question;
        let (verdict, calls, text) = match way.plain() {
            None => {
                let trace = investigate(
                    question.clone(),
                    &recollection.tools,
                    &mut *role.model,
                    &manner,
                    &mut |_| true,
                )?;
                let calls = trace.turns.iter().filter(|turn| turn.done.called.is_some()).count();
                (
                    trace.verdict.clone(),
                    calls,
                    trace.turns.last().map_or_else(String::new, |turn| turn.done.text.clone()),
                )
            }
            Some(plain) => {
                let text = plainly(plain, options, recollection, &mut *role.model, &manner, one)?;
                (Some(question.read(&Answer::parse(&text).result)), 0, text)
            }
        };
        all.push(One {
            way,
            id: &question.id,
            wearer: &question.wearer,
            kind: &one.kind,
            right: verdict == Some(Verdict::Option(one.gold)),
            unread: !matches!(verdict, Some(Verdict::Option(_) | Verdict::NotInMemory)),
            not_in_memory: verdict == Some(Verdict::NotInMemory),
            calls,
            seconds: started.elapsed().as_secs_f64(),
            text,
        });
        bar.add(1);
    }
    Ok(all)
}

/// The reply to a question put without tools.
fn plainly(
    plain: Plain,
    options: &MemoryOptions,
    recollection: &Recollection,
    model: &mut dyn Generate,
    manner: &Manner,
    one: &Asked,
) -> Result<String> {
    let shown = (options.tools.top, options.tools.observation_characters);
    let conversation = with(recollection, &one.question.wearer, |memory| {
        plain.conversation(&one.question, memory, manner.prompt, shown)
    })??;
    let stop = StopRules { max_tokens: manner.turn_tokens, ..StopRules::default() };
    Ok(model.generate(&conversation, &manner.sampling, &stop, &mut |_| true)?.text)
}

fn row(way: Way, ones: &[One<'_>]) -> Row {
    let mut score = Score::default();
    let mut kinds: BTreeMap<String, Score> = BTreeMap::new();
    for one in ones {
        score.add(one.right);
        kinds.entry(one.kind.to_owned()).or_default().add(one.right);
    }
    let count = ones.len().max(1) as f64;
    let mut seconds: Vec<f64> = ones.iter().map(|one| one.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    Row {
        way,
        items: score.items,
        accuracy: score.accuracy(),
        interval: score.interval(),
        unread: ones.iter().filter(|one| one.unread).count(),
        not_in_memory: ones.iter().filter(|one| one.not_in_memory).count() as f64 / count,
        calls: ones.iter().map(|one| one.calls as f64).sum::<f64>() / count,
        median_s: seconds.get(seconds.len() / 2).copied().unwrap_or_default(),
        kinds: kinds
            .into_iter()
            .filter_map(|(kind, score)| Some((kind, (score.items, score.accuracy()?))))
            .collect(),
    }
}

/// What `work` makes of the memory of a wearer.
fn with<T>(recollection: &Recollection, wearer: &str, work: impl FnOnce(&mut Memory) -> T) -> Result<T> {
    let memory = recollection.memories.of(wearer).ok_or_else(|| {
        failure(format!("{wearer} is not remembered"), "give the questions of this memory, or --wearer")
    })?;
    Ok(work(&mut memory.lock().unwrap_or_else(PoisonError::into_inner)))
}

fn name(way: Way) -> String {
    way.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}
