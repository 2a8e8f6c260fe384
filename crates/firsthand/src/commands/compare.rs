//! `compare`: two runs of `eval` side by side: how much the second is better and how sure that is, which items
//! flipped, and what was done differently.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use firsthand_tasks::runner::{self, Comparison, Match};
use serde_json::json;

use crate::failure::failure;
use crate::progress::Progress;

const EXAMPLES: &str = "\
Examples:
  firsthand compare run-16-frames run-32-frames
  firsthand compare before after --flips 0 --json

Items are matched by name; the interval and the test know which items share a video. What was done differently is read
from the manifests and from the rows: items, frames, prompt, positions, weights, arithmetic, sampling, decoder, program.";

/// Explain the difference between two runs of eval.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompareOptions {
    /// The first run.
    #[arg(value_name = "RUN_A")]
    first: PathBuf,
    /// The second run.
    #[arg(value_name = "RUN_B")]
    second: PathBuf,
    /// Show at most so many flipped items of each benchmark; the JSON has all.
    #[arg(long, value_name = "N", default_value_t = 20)]
    flips: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Reads both and prints.
pub(crate) fn run(options: &CompareOptions) -> Result<()> {
    let reading = Progress::working("comparing");
    let (first, second) = (runner::read(&options.first)?, runner::read(&options.second)?);
    let comparison = runner::compare(&first, &second);
    drop(reading);
    let mut out = std::io::stdout().lock();
    if options.json {
        let mut value = serde_json::to_value(&comparison)?;
        value["causes"] = json!(comparison.causes());
        writeln!(out, "{value}")?;
    } else {
        write(&mut out, &comparison, options.flips)?;
    }
    if comparison.matches.is_empty() {
        return Err(failure(
            format!("nothing in common: {} and {}", options.first.display(), options.second.display()),
            "compare runs of the same benchmark, with the same --frames where there are several",
        ));
    }
    Ok(())
}

fn write(out: &mut impl Write, comparison: &Comparison, most: usize) -> Result<()> {
    for matched in &comparison.matches {
        scores(out, matched)?;
        for flip in matched.flips.iter().take(most) {
            writeln!(
                out,
                "    {}: {:.2} to {:.2}; right {}, said {:?}, then {:?}",
                flip.id, flip.before, flip.after, flip.gold, flip.said_before, flip.said_after
            )?;
        }
        if matched.flips.len() > most {
            writeln!(out, "    and {} more", matched.flips.len() - most)?;
        }
    }
    let causes: Vec<&str> = comparison.causes().into_iter().map(runner::Cause::name).collect();
    match causes.is_empty() {
        true => writeln!(out, "done the same way")?,
        false => writeln!(out, "done differently: {}", causes.join(", "))?,
    }
    for change in &comparison.changes {
        write!(out, "    {:<10} {}", change.cause.name(), change.what)?;
        match change.before.is_empty() && change.after.is_empty() {
            true => writeln!(out)?,
            false => writeln!(out, ": {} to {}", change.before, change.after)?,
        }
    }
    Ok(())
}

fn scores(out: &mut impl Write, matched: &Match) -> Result<()> {
    let [ours, theirs] = &matched.frames;
    let frames = if ours == theirs { ours.clone() } else { format!("{ours} and {theirs}") };
    writeln!(out, "{}, {}, frames {frames}", matched.benchmark, matched.shown.name())?;
    let (Some([before, after]), Some(difference)) = (matched.means, &matched.difference) else {
        writeln!(out, "    no item was scored in both")?;
        return Ok(());
    };
    let interval = difference
        .interval
        .map_or_else(String::new, |[low, high]| format!(", 95% {:+.1} to {:+.1}", 100.0 * low, 100.0 * high));
    let test = difference.p.map_or_else(String::new, |p| format!(", p {p:.3}"));
    writeln!(
        out,
        "    {:.1} to {:.1}: {:+.1}{interval}{test}; sign test p {:.3}",
        100.0 * before,
        100.0 * after,
        100.0 * difference.mean,
        difference.sign_p
    )?;
    let [better, worse] = difference.flips;
    let [first, second] = matched.alone;
    writeln!(
        out,
        "    {} items in {} independent groups: {better} better, {worse} worse; only in the first {first}, only in the second {second}",
        difference.items, difference.clusters
    )?;
    let [before, after] = matched.unread;
    if before + after > 0 {
        writeln!(out, "    answers that could not be read, which count as wrong: {before}, then {after}")?;
    }
    Ok(())
}
