//! `memory`: what can be done with a memory as a whole: check it, count it, and exchange it with published files.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use firsthand_memory::published::{self, Form};
use firsthand_memory::{Level, Memory};

use super::recall::open;
use crate::failure::failure;
use crate::progress::Progress;
use crate::screen::{self, Paint};

/// Check, count, import and export a memory
#[derive(Args)]
pub(crate) struct MemoryOptions {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Check(CheckOptions),
    Import(ImportOptions),
    Export(ExportOptions),
    Stats(StatsOptions),
}

/// Runs one of the verbs.
pub(crate) fn run(options: &MemoryOptions) -> Result<()> {
    match &options.verb {
        Verb::Check(options) => check(options),
        Verb::Import(options) => import(options),
        Verb::Export(options) => export(options),
        Verb::Stats(options) => stats(options),
    }
}

/// Look for damage: pages, indexes that disagree with the records, sources that are gone, evidence that is missing
#[derive(Args)]
struct CheckOptions {
    /// The memory: a folder, or postgres://USER@HOST/DATABASE.
    #[arg(long, value_name = "DIR|URL")]
    memory: PathBuf,
    /// Put right what can be put right.
    #[arg(long)]
    repair: bool,
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

fn check(options: &CheckOptions) -> Result<()> {
    let checking = Progress::working("checking the memory");
    let faults = open(&options.memory)?.check(options.repair)?;
    drop(checking);
    let left = faults.iter().filter(|fault| !fault.repaired).count();
    let mut out = std::io::stdout().lock();
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&faults)?)?;
    } else if faults.is_empty() {
        writeln!(out, "the memory is whole")?;
    }
    let paint = Paint::stdout();
    for fault in faults.iter().filter(|_| !options.json) {
        let mark = if fault.repaired { paint.good("repaired") } else { paint.bad("fault") };
        writeln!(out, "{mark} {}", fault.what)?;
    }
    if left > 0 {
        let remedy = match options.repair {
            false => "run the same with --repair",
            true => "what is left needs a copy of the memory, or the missing files",
        };
        return Err(failure(format!("{left} faults: {}", options.memory.display()), remedy));
    }
    Ok(())
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  firsthand memory import --memory days h-rag_database/egolife
  firsthand memory import --memory clips log/30sec/abc.json --level clip --wearer abc

Reads the database files of Ego-R1: EgoLife (A1_JAKE_1day.json, _1hour.json, _10min.json), EgoSchema and VideoMME (one file
for each video), and records.jsonl of `memory export --form records`. Summaries are joined to the finer records that lie
within their time. Everything is read or nothing.";

/// Read published memory files
#[derive(Args)]
#[command(after_help = IMPORT_EXAMPLES)]
struct ImportOptions {
    /// The folder of the memory; made if it is missing or empty.
    #[arg(long, value_name = "DIR")]
    memory: PathBuf,
    /// Files, or folders with .json and .jsonl files.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Whose records these are; by the names of the files otherwise.
    #[arg(long, value_name = "NAME")]
    wearer: Option<String>,
    /// Their level: clip, 10min, hour, day or week; by the names of the files or the length of the records otherwise.
    #[arg(long, value_name = "LEVEL")]
    level: Option<Level>,
}

fn import(options: &ImportOptions) -> Result<()> {
    let reading = Progress::working("reading records");
    let mut memory = Memory::open_or_create(&options.memory)?;
    let imported = published::import(&mut memory, &options.paths, options.wearer.as_deref(), options.level)?;
    drop(reading);
    let (records, files, linked) = (imported.records, imported.files, imported.linked);
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{records} records from {files} files, {linked} summaries joined to what they are made of"
    )?;
    if !imported.passed_over.is_empty() {
        let keys: Vec<&str> = imported.passed_over.iter().map(String::as_str).collect();
        writeln!(std::io::stderr(), "note: keys passed over: {}", keys.join(", "))?;
    }
    Ok(())
}

const EXPORT_EXAMPLES: &str = "\
Examples:
  firsthand memory export --memory days out
  firsthand memory export --memory days out --form records

Forms: egolife (a folder for each wearer, a file for each level), videomme (10min/VIDEO.json and 30sec/VIDEO.json), egoschema
(VIDEO.json) and records (records.jsonl, which loses nothing and can be imported again). The others hold text and time alone.";

/// Write published memory files
#[derive(Args)]
#[command(after_help = EXPORT_EXAMPLES)]
struct ExportOptions {
    /// The memory: a folder, or postgres://USER@HOST/DATABASE.
    #[arg(long, value_name = "DIR|URL")]
    memory: PathBuf,
    /// The folder to write into, made if missing.
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// The form of the files: egolife, videomme, egoschema or records.
    #[arg(long, value_name = "FORM", default_value = "egolife")]
    form: Form,
}

fn export(options: &ExportOptions) -> Result<()> {
    let writing = Progress::working("writing records");
    let exported = published::export(&mut open(&options.memory)?, &options.out, options.form)?;
    drop(writing);
    writeln!(std::io::stdout(), "{} records in {} files", exported.records, exported.files)?;
    let mut stderr = std::io::stderr();
    if exported.shortened > 0 {
        let count = exported.shortened;
        writeln!(
            stderr,
            "note: this form has no place for the transcript, people or evidence of {count} records"
        )?;
    }
    if exported.left_out > 0 {
        writeln!(stderr, "note: this form has no place for the level of {} records", exported.left_out)?;
    }
    Ok(())
}

/// Count what a memory holds
#[derive(Args)]
struct StatsOptions {
    /// The memory: a folder, or postgres://USER@HOST/DATABASE.
    #[arg(long, value_name = "DIR|URL")]
    memory: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

fn stats(options: &StatsOptions) -> Result<()> {
    let counting = Progress::working("counting records");
    let mut memory = open(&options.memory)?;
    let counts = memory.store().counts()?;
    let encoder = memory.store().encoder()?;
    let mut size = 0;
    for file in memory.store().files()? {
        size += fs_err::metadata(file)?.len();
    }
    drop(counting);
    let span = counts.first.zip(counts.last);
    let mut out = std::io::stdout().lock();
    if options.json {
        let value = serde_json::json!({
            "records": counts.records(), "levels": counts.levels, "wearers": counts.wearers,
            "vectors": counts.vectors, "encoder": encoder, "open": counts.open, "bytes": size,
            "first": span.map(|(first, _)| first.to_string()), "last": span.map(|(_, last)| last.to_string()),
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
        return Ok(());
    }
    writeln!(out, "{} records, {}", counts.records(), screen::bytes(size))?;
    if let Some((first, last)) = span {
        writeln!(out, "from {first} to {last}")?;
    }
    for (level, count) in &counts.levels {
        writeln!(out, "{level:>8} {count}")?;
    }
    for (wearer, count) in &counts.wearers {
        writeln!(out, "{wearer:>8} {count}")?;
    }
    match encoder {
        Some(encoder) => writeln!(out, "vectors of {encoder}: {}", counts.vectors)?,
        None => writeln!(out, "no vectors: search is by words")?,
    }
    if counts.open > 0 {
        writeln!(out, "{} summaries wait to be written again", counts.open)?;
    }
    Ok(())
}
