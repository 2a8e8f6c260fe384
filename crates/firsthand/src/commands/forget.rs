//! `forget`: takes a time, a wearer or a person out of a memory and reports the proof that nothing is left.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use firsthand_base::Moment;
use firsthand_memory::Selection;
use serde_json::json;

use super::recall::open;
use crate::progress::Progress;

const EXAMPLES: &str = "\
Examples:
  firsthand forget --memory days --from DAY2_14000000 --to DAY2_15300000
  firsthand forget --memory days --person Alice --dry-run
  firsthand forget --memory days --wearer A3_TASHA

What meets every condition given goes: from every level, the index and the vectors. Summaries that may tell of it are put
together anew from what remains, sentence by sentence, and wait (`open`) for a model to write them again. Then the files of
the memory are rewritten and every byte of them is searched for what was forgotten. This cannot be undone.
The recordings themselves stay; those that still show what was forgotten are named.";

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
    /// What shows, quotes or names this person, in any case, by whole words.
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
        } else if meant.is_empty() {
            writeln!(out, "nothing is meant")?;
        } else {
            writeln!(out, "meant: {}; summaries above them would be put together anew", counted(&meant))?;
        }
        return Ok(());
    }
    looking.say("forgetting, and proving that nothing is left");
    let forgotten = memory.forget(&selection)?;
    drop(looking);
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&forgotten)?)?;
        return Ok(());
    }
    if forgotten.removed.values().all(|count| *count == 0) {
        writeln!(out, "nothing is meant, and nothing was forgotten")?;
        return Ok(());
    }
    let (removed, rebuilt) = (counted(&forgotten.removed), forgotten.rebuilt);
    writeln!(out, "forgot {removed}; {rebuilt} summaries put together anew")?;
    let proof = &forgotten.proof;
    let (pieces, bytes) = (proof.pieces, crate::screen::bytes(proof.bytes));
    writeln!(out, "proof: none of {pieces} pieces of it is in the {bytes} of {} files", proof.files)?;
    for file in &forgotten.evidence {
        writeln!(out, "still shown by {file}")?;
    }
    Ok(())
}

/// `3 clip, 1 hour`.
fn counted(levels: &std::collections::BTreeMap<firsthand_memory::Level, u64>) -> String {
    let parts: Vec<String> = levels.iter().map(|(level, count)| format!("{count} {level}")).collect();
    parts.join(", ")
}
