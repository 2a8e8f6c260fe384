//! Measures a model on benchmarks: every item asked under every setting, one row for each answer and one for each
//! failure with its reason, figures recomputed from all rows. A run that was killed goes on where it stopped and ends
//! with the same figures as one that was not.
//!
//! Nothing is printed, no model is loaded and no medium is opened here: whoever holds a model takes questions from a
//! [`Run`] and gives back what was said. [`answer_all`] does so for anything that implements `Generate`.

mod compare;
mod drive;
mod journal;
mod mark;
mod plan;
mod record;
mod results;
mod run;
mod showing;
mod table;
mod tempcompass;

pub use compare::{Cause, Change, Comparison, Flip, Match, compare};
pub use drive::answer_all;
pub use journal::{Recorded, read};
pub use plan::{Frames, Outside, Plan, Shown};
pub use record::{Record, Reply};
pub use results::{Baseline, Figures, Results};
pub use run::{Ask, Progress, Run, Said};

/// Rows, one to a line, in the order in which they were answered.
pub const ROWS: &str = "rows.jsonl";
/// What made them.
pub const MANIFEST: &str = "manifest.json";
/// The figures.
pub const RESULTS: &str = "results.json";
/// The figures for people.
pub const TABLE: &str = "results.md";

/// A file that appears whole or not at all.
fn write_whole(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let draft = path.with_extension("part");
    let mut file = fs_err::File::create(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    drop(file);
    fs_err::rename(&draft, path)
}

#[cfg(test)]
mod tests;
