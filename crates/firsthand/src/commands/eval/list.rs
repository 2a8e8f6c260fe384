//! `eval list`: which benchmarks there are, where their files come from and under which terms, how a folder of them is
//! laid out, and whether one is complete.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use firsthand_tasks::benchmark::{self, Benchmark, Check};
use serde_json::{Value, json};

use super::benchmarks::{find, folder, tables};
use crate::failure::failure;

/// Faults of one kind that are printed; all are in the JSON.
const SHOWN: usize = 10;

const EXAMPLES: &str = "\
Examples:
  firsthand eval list
  firsthand eval list vsi-bench --data ~/data
  firsthand eval list my-own.toml --data ~/data/my-own

With --data, the rows are read through and media are looked for: in DIR/NAME where the files with the questions are
there, else in DIR.
Exit code 1 when something cannot be used.";

/// Benchmarks: sources, layouts, licences, and whether a folder is complete.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListOptions {
    /// Names, or TOML files of your own; all built-in ones if left out.
    #[arg(value_name = "BENCH")]
    names: Vec<String>,
    /// Check the files in this folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print one JSON object per benchmark.
    #[arg(long)]
    json: bool,
}

/// Lists, and checks where there is something to check.
pub(crate) fn run(options: &ListOptions) -> Result<()> {
    let all: Vec<Benchmark> = match options.names.is_empty() {
        true => benchmark::list()?,
        false => options.names.iter().map(|name| find(name)).collect::<Result<_>>()?,
    };
    let mut out = std::io::stdout().lock();
    let mut faulty = Vec::new();
    for benchmark in &all {
        // Of all that are known, those that the folder has; of named ones, each.
        let check = match &options.data {
            Some(data) if !options.names.is_empty() || data.join(&benchmark.name).is_dir() => {
                Some(benchmark.check_folder(&folder(data, benchmark)?, Some(&tables)))
            }
            _ => None,
        };
        if check.as_ref().is_some_and(|check| !check.is_whole()) {
            faulty.push(benchmark.name.clone());
        }
        match options.json {
            true => writeln!(out, "{}", to_json(benchmark, check.as_ref()))?,
            false => write(&mut out, benchmark, check.as_ref(), options)?,
        }
    }
    if faulty.is_empty() {
        return Ok(());
    }
    Err(failure(
        format!("not complete: {}", faulty.join(", ")),
        "get what is missing; `eval` goes on without it and says so",
    ))
}

fn to_json(benchmark: &Benchmark, check: Option<&Check>) -> Value {
    let mut line = json!({ "name": benchmark.name, "title": benchmark.title, "source": benchmark.source });
    if let Some(check) = check {
        let bad: Vec<String> = check.bad.iter().map(ToString::to_string).collect();
        let kinds: serde_json::Map<String, Value> =
            check.kinds.iter().map(|(kind, count)| (kind.name().to_owned(), json!(count))).collect();
        line["check"] = json!({
            "whole": check.is_whole(), "items": check.items, "left_out": check.left_out, "unusable": bad, "types": kinds,
            "groups": check.groups, "positions": check.positions, "chance": check.positions.chance(),
            "media": check.media, "missing": check.missing, "clusters": check.clusters,
        });
    }
    line
}

fn write(
    out: &mut impl Write,
    benchmark: &Benchmark,
    check: Option<&Check>,
    options: &ListOptions,
) -> Result<()> {
    writeln!(out, "{:<16} {}", benchmark.name, benchmark.title)?;
    if options.names.is_empty() && options.data.is_some() && check.is_none() {
        return Ok(());
    }
    let source = &benchmark.source;
    for (name, text) in [("from", &source.home), ("licence", &source.licence), ("layout", &source.layout)] {
        writeln!(out, "    {name:<8} {}", text.split_whitespace().collect::<Vec<_>>().join(" "))?;
    }
    let Some(check) = check else { return Ok(()) };
    let items = format!("{} items, {} rows left out", check.items, check.left_out);
    writeln!(
        out,
        "    {:<8} {items}, {} media, {} independent groups",
        "check", check.media, check.clusters
    )?;
    if let Some(chance) = check.positions.chance() {
        let always = check.positions.always(0).accuracy().unwrap_or(0.0);
        writeln!(out, "    {:<8} guessing {:.1}%, always A {:.1}%", "blind", 100.0 * chance, 100.0 * always)?;
    }
    let bad: Vec<String> = check.bad.iter().map(ToString::to_string).collect();
    for (what, faults) in [("unusable", &bad), ("missing", &check.missing)] {
        for fault in faults.iter().take(SHOWN) {
            writeln!(out, "    {what:<8} {fault}")?;
        }
        if faults.len() > SHOWN {
            writeln!(out, "    {what:<8} and {} more", faults.len() - SHOWN)?;
        }
    }
    Ok(())
}
