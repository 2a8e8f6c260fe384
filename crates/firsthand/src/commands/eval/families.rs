//! Counts of right answers as rows: accuracy with its 95% interval beside chance and the controls, for people and as
//! JSON.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;

/// One family.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) family: &'static str,
    /// `frame` or `clip`.
    pub(super) scope: &'static str,
    pub(super) items: usize,
    pub(super) accuracy: Option<f64>,
    pub(super) interval: Option<[f64; 2]>,
    /// Answers of which nothing could be read as what was asked for; they are wrong.
    pub(super) unread: usize,
    /// How often a guess is right, mean over the items.
    pub(super) chance: f64,
    /// Accuracy of the same model on a grey medium.
    pub(super) blind: Option<f64>,
    /// Accuracy on the clip with its frames out of order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shuffled: Option<f64>,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub(super) model: String,
    pub(super) weights: String,
    pub(super) seed: u64,
    pub(super) rows: Vec<Row>,
    /// Mean accuracy over families.
    pub(super) mean: f64,
    pub(super) seconds: f64,
}

impl Report {
    pub(super) fn write(&self, out: &mut impl Write) -> Result<()> {
        let percent =
            |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |x| format!("{:.1}", 100.0 * x));
        writeln!(
            out,
            "{:<20} {:<6} {:>5} {:>9} {:>14} {:>6} {:>7} {:>7} {:>9}",
            "family", "scope", "items", "accuracy", "95%", "unread", "chance", "blind", "shuffled"
        )?;
        for row in &self.rows {
            let interval = row
                .interval
                .map_or_else(String::new, |[low, high]| format!("{:.1} to {:.1}", 100.0 * low, 100.0 * high));
            writeln!(
                out,
                "{:<20} {:<6} {:>5} {:>9} {:>14} {:>6} {:>7} {:>7} {:>9}",
                row.family,
                row.scope,
                row.items,
                percent(row.accuracy),
                interval,
                row.unread,
                percent(Some(row.chance)),
                percent(row.blind),
                percent(row.shuffled)
            )?;
        }
        writeln!(out, "mean over families {:.1}, {:.0} s", 100.0 * self.mean, self.seconds)?;
        Ok(())
    }
}
