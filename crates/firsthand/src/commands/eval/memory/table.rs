//! The report of `eval memory` for people. Knows no memory and no model.

use std::io::Write;

use anyhow::Result;

use super::{Report, name};

/// Prints what each way was right about, and what search finds.
pub(super) fn show(report: &Report, out: &mut impl Write) -> Result<()> {
    let percent = |share: f64| format!("{:.1}", 100.0 * share);
    writeln!(
        out,
        "{} questions, a guess is right {} % of the time",
        report.questions,
        percent(report.chance)
    )?;
    if !report.rows.is_empty() {
        writeln!(
            out,
            "{:<10} {:>5} {:>9} {:>14} {:>14} {:>6} {:>6} {:>9}",
            "way", "items", "accuracy", "95%", "not in memory", "unread", "calls", "median s"
        )?;
    }
    for row in &report.rows {
        let interval = row
            .interval
            .map_or_else(String::new, |[low, high]| format!("{} to {}", percent(low), percent(high)));
        writeln!(
            out,
            "{:<10} {:>5} {:>9} {:>14} {:>14} {:>6} {:>6.1} {:>9.3}",
            name(row.way),
            row.items,
            percent(row.accuracy.unwrap_or_default()),
            interval,
            percent(row.not_in_memory),
            row.unread,
            row.calls,
            row.median_s
        )?;
        for (kind, (items, accuracy)) in &row.kinds {
            writeln!(out, "  {kind:<14} {items:>5} {:>3}", percent(*accuracy))?;
        }
    }
    for change in &report.changes {
        let difference = &change.difference;
        let interval = difference.interval.map_or_else(String::new, |[low, high]| {
            format!(", 95% {:+.1} to {:+.1}", 100.0 * low, 100.0 * high)
        });
        let ([better, worse], groups) = (difference.flips, difference.clusters);
        writeln!(
            out,
            "{}: {} to {}, {:+.1}{interval} ({} questions of {groups} wearers; {better} better, {worse} worse)",
            name(change.way),
            percent(change.before),
            percent(change.after),
            100.0 * difference.mean,
            difference.items
        )?;
    }
    if !report.recall.is_empty() {
        writeln!(
            out,
            "{:<8} {:<8} {:>5} {:>6} {:>6} {:>6}",
            "recall", "by", "items", "at 1", "at 5", "at 10"
        )?;
    }
    for found in &report.recall {
        let [one, five, ten] = found.recall.map(percent);
        let by = found.by.name();
        writeln!(out, "{:<8} {by:<8} {:>5} {one:>6} {five:>6} {ten:>6}", found.level, found.items)?;
    }
    Ok(())
}
