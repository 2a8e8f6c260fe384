//! `recall`: what a memory knows about a question, best first, with the evidence of each hit. Opens a memory and asks; what
//! counts as an answer is the room `memory`'s business.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use firsthand_base::Moment;
use firsthand_memory::{By, Evidence, Hit, Level, Memory, PostgresStore, Query, State, Weekday};
use serde_json::{Value, json};

use crate::embed::EncoderFlags;
use crate::failure::{Hint, wrong_usage};
use crate::progress::Progress;
use crate::screen::Paint;

/// Stretches of evidence that are shown for one hit, to people and to programs.
const SHOWN: usize = 4;
const LISTED: usize = 64;

const EXAMPLES: &str = "\
Examples:
  firsthand recall --memory days \"where did I put my keys\"
  firsthand recall --memory days \"what did Alice say before lunch\" --at DAY3_15000000
  firsthand recall --memory days \"screwdriver\" --level clip --from DAY1_11000000 --to DAY1_12000000 --json

Times in the words count: yesterday morning, two days ago, last night, on day 3, at 10:30, before lunch, in the last two
hours, the first time, last. They are read relative to --at, and they shape the order; --from, --to, --level and --wearer
are limits. What lies before the first day or after --at is nothing, and a note says so. Nothing that ends after --at is shown: a summary that --at cuts is made anew from what had ended, and marked
partial. Without --at the end of the latest record is now.

Case, accents, Unicode forms and the width of letters make no difference; words of scripts without spaces are found within
sentences. Words such as \"will\" and \"us\" count where there are no others, or where they are written as names.

A score is between 0 and 1 and made of words in common (text), nearness of meaning (vector, where the memory has vectors)
and fit to the time (time).";

/// Ask a memory what it knows
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RecallOptions {
    /// What to look for, in plain words.
    #[arg(value_name = "WORDS")]
    words: String,
    /// The memory: a folder, or postgres://USER@HOST/DATABASE.
    #[arg(long, value_name = "DIR|URL")]
    memory: PathBuf,
    /// Only records of this level: clip, 10min, hour, day or week.
    #[arg(long, value_name = "LEVEL")]
    level: Option<Level>,
    /// Only this wearer.
    #[arg(long, value_name = "NAME")]
    wearer: Option<String>,
    /// Only what ends after this moment.
    #[arg(long, value_name = "DAYd_HHMMSSFF")]
    from: Option<Moment>,
    /// Only what starts before this moment.
    #[arg(long, value_name = "DAYd_HHMMSSFF")]
    to: Option<Moment>,
    /// Now: what ends later is not known yet.
    #[arg(long, value_name = "DAYd_HHMMSSFF")]
    at: Option<Moment>,
    /// Which day of the week day 1 was, so that names of weekdays mean something.
    #[arg(long, value_name = "WEEKDAY")]
    day_one: Option<Weekday>,
    /// What is compared: words, meaning (where the memory has vectors and their encoder is given), or both.
    #[arg(long, value_name = "HOW", default_value = "both")]
    by: By,
    /// Most hits.
    #[arg(long, value_name = "N", default_value_t = Query::DEFAULT_TOP)]
    top: usize,
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    encoder: EncoderFlags,
}

/// Whether a memory is in a database, and not in a folder.
pub(crate) fn is_shared(memory: &str) -> bool {
    memory.starts_with("postgres://") || memory.starts_with("postgresql://")
}

/// Opens a memory, with a way out where there is none.
pub(crate) fn open(memory: &Path) -> Result<Memory> {
    if let Some(address) = memory.to_str().filter(|text| is_shared(text)) {
        return Ok(Memory::over(Box::new(PostgresStore::open(address)?)));
    }
    Memory::open(memory).hint(|| {
        "give --memory the folder of a memory; `firsthand remember` or `firsthand memory import` makes one".into()
    })
}

/// Asks and prints.
pub(crate) fn run(options: &RecallOptions) -> Result<()> {
    let searching = Progress::working("searching");
    let mut memory = open(&options.memory)?;
    let query = Query {
        words: options.words.clone(),
        level: options.level,
        wearer: options.wearer.clone(),
        from: options.from,
        to: options.to,
        clock: options.at,
        day_one: options.day_one,
        by: options.by,
        top: options.top,
    };
    match options.encoder.open()? {
        Some(encoder) => memory.attach(Box::new(encoder)),
        None if options.by == By::Meaning => {
            return Err(wrong_usage(
                "--by meaning needs --encoder, or --encoder-endpoint and --encoder-name",
            ));
        }
        None => {}
    }
    let mut shown = Vec::new();
    for hit in memory.recall(&query)? {
        let evidence = memory.evidence(&hit.record, LISTED)?;
        shown.push((hit, evidence));
    }
    drop(searching);
    let mut out = std::io::stdout().lock();
    if options.json {
        if shown.is_empty() {
            writeln!(std::io::stderr(), "{}", nothing_found(&mut memory, &query)?)?;
        }
        let values: Vec<Value> = shown.iter().map(|(hit, evidence)| value(hit, evidence)).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&values)?)?;
        return Ok(());
    }
    if shown.is_empty() {
        writeln!(std::io::stderr(), "{}", nothing_found(&mut memory, &query)?)?;
    }
    for (place, (hit, evidence)) in shown.iter().enumerate() {
        print(&mut out, place + 1, hit, evidence)?;
    }
    Ok(())
}

/// That nothing was found, and why where the words name a time that is not there.
fn nothing_found(memory: &mut Memory, query: &Query) -> Result<String> {
    Ok(match memory.intent(query)?.nothing() {
        Some(reason) => format!("note: nothing found: {reason}"),
        None => "note: nothing found".to_owned(),
    })
}

fn print(out: &mut impl Write, place: usize, hit: &Hit, evidence: &[Evidence]) -> Result<()> {
    let (record, paint) = (&hit.record, Paint::stdout());
    let parts = [("text", hit.parts.text), ("vector", hit.parts.vector), ("time", hit.parts.time)];
    let parts: Vec<String> =
        parts.iter().filter_map(|(name, part)| part.map(|part| format!("{name} {part:.2}"))).collect();
    let state = match record.state {
        State::Whole => String::new(),
        state => format!(", {}", state.name()),
    };
    let head = format!("{place}. {} to {}", record.start, record.end);
    let tail =
        format!("{}{state}, {}, score {:.2} ({})", record.level, record.wearer, hit.score, parts.join(", "));
    writeln!(out, "{}  {}", paint.strong(&head), paint.faint(&tail))?;
    for line in record.text.lines().filter(|line| !line.trim().is_empty()) {
        writeln!(out, "   {line}")?;
    }
    if let Some(said) = record.transcript.as_ref().filter(|said| !said.is_empty()) {
        writeln!(out, "   said: {}", said.lines().collect::<Vec<_>>().join(" / "))?;
    }
    if !record.people.is_empty() {
        writeln!(out, "   with: {}", record.people.join(", "))?;
    }
    for Evidence { file, start_s, end_s, .. } in evidence.iter().take(SHOWN) {
        writeln!(out, "   seen: {file} from {start_s:.1} to {end_s:.1} s")?;
    }
    if evidence.len() > SHOWN {
        let more = if evidence.len() < LISTED { "" } else { " or more" };
        writeln!(out, "   seen: and {}{more} other stretches", evidence.len() - SHOWN)?;
    }
    Ok(())
}

/// A hit for programs; moments in the form that `--from`, `--to` and `--at` take back.
fn value(hit: &Hit, evidence: &[Evidence]) -> Value {
    let record = &hit.record;
    json!({
        "id": record.id,
        "level": record.level,
        "wearer": record.wearer,
        "start": record.start.to_string(),
        "end": record.end.to_string(),
        "text": record.text,
        "transcript": record.transcript,
        "people": record.people,
        "state": record.state,
        "score": hit.score,
        "parts": hit.parts,
        "sources": record.sources,
        "evidence": evidence.iter().map(|evidence| json!({
            "file": evidence.file, "start_s": evidence.start_s, "end_s": evidence.end_s,
            "frames": evidence.frames.len(),
        })).collect::<Vec<_>>(),
    })
}
