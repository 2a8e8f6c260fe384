//! `score`: rewards of replies in a JSON-lines file, one line for each row, in the order of the file. A row that cannot
//! be judged is named by file and line and has its reason in place of a reward; the rest goes on.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::Result;
use clap::{Args, ValueEnum};
use firsthand_base::json::{self, Row as Found};
use firsthand_tasks::reward::{self, Mode, Reward, Row, Scored};
use serde_json::{Map, Value};

use crate::failure::{failure, wrong_usage};
use crate::progress::{Progress, Unit};
use crate::reading;

/// Bad rows that are named on stderr; all are in the output.
const SHOWN: usize = 20;

static HELP: LazyLock<String> = LazyLock::new(|| {
    let rewards: Vec<String> =
        reward::NAMES.iter().map(|(name, what)| format!("  {name:<20} {what}")).collect();
    format!(
        "Rewards:\n{}\n\n\
Examples:
  firsthand score --reward video-r1 replies.jsonl
  firsthand score --reward spatialthinker --mode strict --set count=0.3 replies.jsonl > rewards.jsonl

IN holds JSON lines or one JSON list. Each row is one object: `completion` (what the model wrote) and `solution` (the gold answer as the system's data
stores it, tags included), and where the reward asks for it `problem`, `problem_type`, `group` (rows of one prompt share
it; terms over a group look at all of them) and further keys.
Each line of the output belongs to the row of IN in the same place: {{\"reward\": 1.5, \"parts\": {{...}}}},
with \"unread\": true where no answer could be read in the reply, or {{\"error\": ...}} where a row cannot be judged. Exit
code 1 when there are such rows.",
        rewards.join("\n")
    )
});

/// Whose faults count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModeFlag {
    /// Equal to the published code on every case, quirks included.
    Compatible,
    /// Without its known faults.
    Strict,
}

/// Score replies with a published reward.
#[derive(Args)]
#[command(after_help = HELP.as_str())]
pub(crate) struct ScoreOptions {
    /// The replies.
    #[arg(value_name = "IN.jsonl")]
    input: PathBuf,
    /// Which reward.
    #[arg(long, value_name = "NAME")]
    reward: String,
    /// Whose faults count.
    #[arg(long, value_name = "MODE", default_value = "compatible")]
    mode: ModeFlag,
    /// A constant of the reward in place of the published one. May be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Scores every row and prints.
pub(crate) fn run(options: &ScoreOptions) -> Result<()> {
    let mode = match options.mode {
        ModeFlag::Compatible => Mode::Compatible,
        ModeFlag::Strict => Mode::Strict,
    };
    let reward = reward::named(&options.reward, mode, &settings(&options.set)?)?;
    let bytes = reading::bytes(&options.input, reading::LARGEST_QUESTIONS)?;
    let lines = json::rows(&bytes).map_err(|what| anyhow::anyhow!("{what}: {}", options.input.display()))?;
    if lines.is_empty() {
        return Err(failure(
            format!("no rows: {}", options.input.display()),
            "write one JSON object per line; see `firsthand score --help`",
        ));
    }
    let progress = Progress::new("judging", lines.len() as u64, &Unit::Things("rows"));
    let mut judged = judge_all(&lines, reward.as_ref(), &progress);
    group_terms(&mut judged, reward.as_ref());
    drop(progress);
    let bad = write(&options.input, &lines, &judged)?;
    let unread = judged.iter().flatten().filter(|(_, scored)| scored.unread).count();
    if unread > 0 {
        let judged = judged.len() - bad;
        writeln!(
            std::io::stderr(),
            "note: of {unread} of {judged} replies no answer could be read; they earn what a wrong one earns"
        )?;
    }
    if bad > 0 {
        return Err(failure(
            format!("{bad} of {} rows cannot be judged: {}", judged.len(), options.input.display()),
            "their lines of the output say why",
        ));
    }
    Ok(())
}

/// `key=value` pairs; a value that is no JSON is a text.
fn settings(pairs: &[String]) -> Result<Map<String, Value>> {
    let mut settings = Map::new();
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(wrong_usage(format!("--set takes KEY=VALUE, not {pair:?}")));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        if settings.insert(key.to_owned(), value).is_some() {
            return Err(wrong_usage(format!("--set {key} is given twice")));
        }
    }
    Ok(settings)
}

type Judged = Result<(Row, Scored), String>;

/// Every row by itself, on all cores.
fn judge_all(lines: &[Found<'_>], reward: &dyn Reward, progress: &Progress) -> Vec<Judged> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = lines.len().div_ceil(cores).max(1);
    let one = |found: &Found<'_>| -> Judged {
        let row: Row = json::read_object(found.bytes).map_err(|fault| {
            let inside = json::nested(found.bytes).filter(|_| lines.len() == 1);
            let inside = inside.map(|hint| format!("; {hint}")).unwrap_or_default();
            let fault = fault.from_line(found.line);
            format!("not a row: {} at column {}{inside}", fault.what, fault.column)
        })?;
        let scored = reward.score(&row).map_err(|error| {
            json::explain(found.bytes, found.line, "", error.to_string().replace('\n', "; "))
        })?;
        Ok((row, scored))
    };
    std::thread::scope(|threads| {
        let parts: Vec<_> = lines
            .chunks(share)
            .map(|part| {
                let told = |line: &Found<'_>| {
                    let judged = one(line);
                    progress.add(1);
                    judged
                };
                threads.spawn(move || part.iter().map(told).collect::<Vec<_>>())
            })
            .collect();
        parts.into_iter().flat_map(|part| part.join().expect("rewards do not panic")).collect()
    })
}

/// Terms over the rows that share a group.
fn group_terms(judged: &mut [Judged], reward: &dyn Reward) {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, row) in judged.iter().enumerate() {
        if let Ok((Row { group: Some(group), .. }, _)) = row {
            groups.entry(group.to_string()).or_default().push(index);
        }
    }
    for members in groups.into_values() {
        let together: Vec<(&Row, Scored)> = members
            .iter()
            .filter_map(|&i| judged[i].as_ref().ok())
            .map(|(row, s)| (row, s.clone()))
            .collect();
        let (rows, mut scored): (Vec<&Row>, Vec<Scored>) = together.into_iter().unzip();
        reward.group(&rows, &mut scored);
        for (&index, new) in members.iter().zip(scored) {
            if let Ok((_, scored)) = &mut judged[index] {
                *scored = new;
            }
        }
    }
}

/// Prints rewards on stdout, names bad rows on stderr, and answers how many there are.
fn write(path: &Path, lines: &[Found<'_>], judged: &[Judged]) -> Result<usize> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut bad = 0;
    for (found, row) in lines.iter().zip(judged) {
        match row {
            Ok((_, scored)) => writeln!(out, "{}", serde_json::to_string(scored)?)?,
            Err(reason) => {
                bad += 1;
                let named = format!("{}:{}: {reason}", path.display(), found.line);
                if bad <= SHOWN {
                    writeln!(std::io::stderr(), "note: {named}")?;
                }
                writeln!(out, "{}", serde_json::json!({ "error": named }))?;
            }
        }
    }
    out.flush()?;
    Ok(bad)
}
