//! `forget`: takes a time, a wearer or a person out of a memory and reports the proof that nothing is left.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use firsthand_base::Moment;
use firsthand_memory::Selection;
use serde_json::json;

use super::recall::open;
use crate::failure::failure;
use crate::progress::Progress;

/// Longer words that are shown.
const MOST_WITHIN: usize = 8;

const EXAMPLES: &str = "\
Examples:
  firsthand forget --memory days --from DAY2_14000000 --to DAY2_15300000
  firsthand forget --memory days --person Alice --dry-run
  firsthand forget --memory days --wearer A3_TASHA

What meets every condition given goes: from every level, the index and the vectors. Summaries that may tell of it are put
together anew from what remains, sentence by sentence, and wait (`open`) for a model to write them again. Then the files of
the memory are rewritten and every byte of them is searched for what was forgotten. This cannot be undone.
The recordings themselves stay; those that still show what was forgotten are named.

A name is forgotten in every spelling: José is Jose, O'Brien is OBrien, whatever the case and the Unicode form. It is found by
whole words, also within sentences of scripts without spaces and with Korean particles or Arabic prefixes on it. Other forms of
a name (Sergeya for Sergey) are other names. Longer words that hold it and stay are told. If nothing is meant, the exit code
is 1.";

/// Forget a time, a wearer or a person, and prove it
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ForgetOptions {
    /// The memory: a folder, or postgres://USER@HOST/DATABASE.
    #[arg(long, value_name = "DIR|URL")]
    memory: PathBuf,
    /// What overlaps the time from here.
    #[arg(long, value_name = "DAYd_HHMMSSFF")]
    from: Option<Moment>,
    /// What overlaps the time up to here.
    #[arg(long, value_name = "DAYd_HHMMSSFF")]
    to: Option<Moment>,
    /// What this wearer recorded.
    #[arg(long, value_name = "NAME")]
    wearer: Option<String>,
    /// What shows, quotes or names this person, by whole words in every spelling.
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    /// Only say how many records are meant.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Forgets and reports.
pub(crate) fn run(options: &ForgetOptions) -> Result<()> {
    let selection = Selection {
        from: options.from,
        to: options.to,
        wearer: options.wearer.clone(),
        person: options.person.clone(),
    };
    let looking = Progress::working("looking for what is meant");
    let mut memory = open(&options.memory)?;
    let mut out = std::io::stdout().lock();
    if options.dry_run {
        let meant = memory.would_forget(&selection)?;
        drop(looking);
        if options.json {
            writeln!(out, "{}", json!({ "meant": meant }))?;
        } else if !meant.is_empty() {
            writeln!(out, "meant: {}; summaries above them would be put together anew", counted(&meant))?;
        }
        return if meant.is_empty() { Err(nothing(options)) } else { Ok(()) };
    }
    looking.say("forgetting, and proving that nothing is left");
    let forgotten = memory.forget(&selection)?;
    drop(looking);
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&forgotten)?)?;
    }
    if forgotten.rebuilt == 0 && forgotten.removed.values().all(|count| *count == 0) {
        return Err(nothing(options));
    }
    if options.json {
        return Ok(());
    }
    let (removed, rebuilt) = (counted(&forgotten.removed), forgotten.rebuilt);
    let removed = if removed.is_empty() { "no record".to_owned() } else { removed };
    writeln!(out, "forgot {removed}; {rebuilt} summaries put together anew")?;
    let proof = &forgotten.proof;
    let (pieces, bytes) = (proof.pieces, crate::screen::bytes(proof.bytes));
    writeln!(out, "proof: none of {pieces} pieces of it is in the {bytes} of {} files", proof.files)?;
    for file in &forgotten.evidence {
        writeln!(out, "still shown by {file}")?;
    }
    if !forgotten.within.is_empty() {
        let words: Vec<&str> = forgotten.within.iter().map(String::as_str).take(MOST_WITHIN).collect();
        let more = if forgotten.within.len() > MOST_WITHIN { " and more" } else { "" };
        writeln!(
            out,
            "still there as longer words: {}{more}; forget those by their own names",
            words.join(", ")
        )?;
    }
    Ok(())
}

/// That there is nothing to forget, with a way to see what there is.
fn nothing(options: &ForgetOptions) -> anyhow::Error {
    let memory = options.memory.display();
    let remedy = match (&options.person, &options.wearer) {
        (Some(person), _) => {
            format!("see how the name is written: firsthand recall --memory {memory} {person:?}")
        }
        _ => format!("see which wearers and times there are: firsthand memory stats --memory {memory}"),
    };
    failure("nothing is meant, and nothing was forgotten", remedy)
}

/// `3 clip, 1 hour`.
fn counted(levels: &std::collections::BTreeMap<firsthand_memory::Level, u64>) -> String {
    let parts: Vec<String> = levels.iter().map(|(level, count)| format!("{count} {level}")).collect();
    parts.join(", ")
}
