//! What was done, and the memory's manifest: costs, failures, recordings, and what made the texts.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use firsthand_memory::build::{Cost, Ended, Ledger, Report, Totals};
use firsthand_memory::{Memory, Proof};
use serde_json::json;

use super::media::Found;
use crate::failure::failure;
use crate::interrupt;
use crate::screen;

/// Seconds of a run.
pub(super) struct Spent {
    pub(super) wall_s: f64,
    /// Decoding, captions and summaries; requests at the same time count each.
    pub(super) model_s: f64,
    /// What building took beside that.
    pub(super) beside_s: f64,
}

/// What a run did beside clips that are new.
#[derive(Default)]
pub(super) struct Mended {
    /// Clips that got other words from their recording's transcript.
    pub(super) reworded: u64,
    /// Captions that were taken out for corrected ones.
    pub(super) replaced: u64,
    /// That nothing of these is left.
    pub(super) proof: Option<Proof>,
}

/// Milliseconds that captions and summaries have taken so far.
pub(super) fn model_ms(memory: &mut Memory) -> Result<u64> {
    let totals = Ledger::totals(memory.store())?;
    Ok(totals.values().map(|totals| totals.captions.wall_ms + totals.writing.wall_ms).sum())
}

/// Shows the report; an error when the work stopped before its end.
pub(super) fn show(
    as_json: bool,
    memory: &mut Memory,
    found: &Found,
    (done, mended): (&Report, &Mended),
    spent: &Spent,
) -> Result<()> {
    let store = memory.store();
    let (totals, failures) = (Ledger::totals(store)?, Ledger::failures(store)?);
    let counts = store.counts()?;
    let sum = |pick: &dyn Fn(&Totals) -> u64| totals.values().map(pick).sum::<u64>();
    let hours = sum(&|totals| totals.video_ms) as f64 / 3_600_000.0;
    // What the files take; a database of another machine does not say.
    let files: u64 = store.files()?.iter().filter_map(|file| Some(fs_err::metadata(file).ok()?.len())).sum();
    let bytes = if files > 0 { files } else { sum(&|totals| totals.text_bytes) };
    let per_hour = if hours > 0.0 { bytes as f64 / hours } else { 0.0 };
    let mut stdout = std::io::stdout().lock();
    if as_json {
        let ended = match &done.ended {
            Ended::Done => "done".to_owned(),
            Ended::Asked => "interrupted".to_owned(),
            Ended::Stopped(reason) => reason.clone(),
        };
        let report = json!({
            "memory": store.location(),
            "ended": ended,
            "known": done.known, "remembered": done.remembered, "failed": done.failed,
            "forgotten": done.forgotten,
            "reworded": mended.reworded, "replaced": mended.replaced, "proof": mended.proof,
            "not_opened": found.lost.len(),
            "notes": found.notes,
            "wall_s": spent.wall_s, "model_s": spent.model_s, "beside_s": spent.beside_s,
            "records": counts,
            "hours_of_video": hours, "bytes": bytes, "bytes_per_hour_of_video": per_hour,
            "cost": totals,
            "failures": failures,
            "recordings": Ledger::recordings(store)?,
            "makers": Ledger::makers(store)?,
        });
        writeln!(stdout, "{report:#}")?;
    } else {
        writeln!(
            stdout,
            "{}: {} clips remembered now, {} were there, {} failed; {} records of {hours:.1} hours",
            store.location(),
            done.remembered,
            done.known,
            done.failed,
            counts.records()
        )?;
        if done.forgotten > 0 {
            writeln!(stdout, "{} captions of forgotten time stay out", done.forgotten)?;
        }
        if mended.reworded > 0 {
            writeln!(stdout, "{} clips have new words from their transcripts", mended.reworded)?;
        }
        if let Some(proof) = &mended.proof {
            let Proof { pieces, files, .. } = proof;
            let replaced = mended.replaced;
            writeln!(
                stdout,
                "{replaced} captions replaced; proof: none of {pieces} pieces of them in {files} files"
            )?;
        }
        let spent = |pick: &dyn Fn(&Totals) -> Cost| {
            let all: BTreeMap<&String, Cost> =
                totals.iter().map(|(name, totals)| (name, pick(totals))).collect();
            let tokens = |read: &dyn Fn(&Cost) -> u64| all.values().map(read).sum::<u64>();
            format!(
                "{} tokens read, {} written, {:.0} s",
                tokens(&|cost| cost.prompt_tokens),
                tokens(&|cost| cost.new_tokens),
                tokens(&|cost| cost.wall_ms) as f64 / 1000.0
            )
        };
        writeln!(stdout, "captions: {}", spent(&|totals| totals.captions))?;
        writeln!(stdout, "summaries: {}", spent(&|totals| totals.writing))?;
        writeln!(
            stdout,
            "size: {}, {} per hour of video; {} failures in the manifest",
            screen::bytes(bytes),
            screen::bytes(per_hour as u64),
            failures.len()
        )?;
    }
    drop(stdout);
    match &done.ended {
        Ended::Done if found.recordings.is_empty() && !found.lost.is_empty() => {
            let (file, reason) = &found.lost[0];
            let count = found.lost.len();
            Err(failure(
                format!("none of {count} recordings can be remembered: {file}: {reason}"),
                "name videos that play",
            ))
        }
        Ended::Done => Ok(()),
        Ended::Stopped(reason) => Err(super::stopped(reason)),
        Ended::Asked => Err(interrupt::Interrupted.into()),
    }
}
