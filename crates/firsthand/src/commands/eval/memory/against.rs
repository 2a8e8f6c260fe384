//! What changed since an earlier run of `eval memory`: its answers beside these, question by question. Knows no memory and
//! no model.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use firsthand_agent::cott::Asked;
use firsthand_tasks::metric::statistics::{Difference, Pair, paired};
use serde::{Deserialize, Serialize};

use super::{One, Way};
use crate::failure::failure;

const REMEDY: &str = "give a file that `eval memory --answers` wrote";

/// A line of --answers, as far as it is compared.
#[derive(Deserialize)]
struct Line {
    way: Way,
    id: String,
    wearer: String,
    right: bool,
}

/// Which questions were answered right before, by how, whose and which.
pub(super) struct Before(BTreeMap<(Way, String, String), bool>);

/// What changed of one way, over the questions that both runs answered.
#[derive(Serialize)]
pub(super) struct Change {
    pub(super) way: Way,
    /// Share that was right.
    pub(super) before: f64,
    /// Share that is right.
    pub(super) after: f64,
    /// The days of one wearer are one cluster.
    pub(super) difference: Difference,
}

/// Reads what an earlier run wrote with --answers. One that answered none of these questions in these ways is refused, before
/// anything is asked.
pub(super) fn read(path: &Path, ways: &[Way], asked: &[Asked]) -> Result<Before> {
    let text = fs_err::read_to_string(path).map_err(|error| failure(error.to_string(), REMEDY))?;
    let lines = text.lines().enumerate().map(|(number, line)| {
        let line: Line = serde_json::from_str(line)
            .map_err(|error| failure(format!("{}, line {}: {error}", path.display(), number + 1), REMEDY))?;
        Ok(((line.way, line.wearer, line.id), line.right))
    });
    let before = Before(lines.collect::<Result<_>>()?);
    let shares = |way: &Way| {
        asked.iter().any(|one| before.right(*way, &one.question.wearer, &one.question.id).is_some())
    };
    match ways.iter().any(shares) {
        true => Ok(before),
        false => Err(failure(
            format!("{} has none of these questions, answered in none of these ways", path.display()),
            "compare runs about the same weeks, with a way that both took",
        )),
    }
}

impl Before {
    fn right(&self, way: Way, wearer: &str, id: &str) -> Option<bool> {
        self.0.get(&(way, wearer.to_owned(), id.to_owned())).copied()
    }
}

/// The change of a way; `None` where no question was answered in both.
pub(super) fn change(way: Way, before: &Before, ones: &[One<'_>]) -> Option<Change> {
    let score = |right: bool| f64::from(u8::from(right));
    let pairs: Vec<Pair<'_>> = ones
        .iter()
        .filter_map(|one| {
            let right = before.right(way, one.wearer, one.id)?;
            Some(Pair { before: score(right), after: score(one.right), cluster: one.wearer })
        })
        .collect();
    let difference = paired(&pairs)?;
    let share = |of: fn(&Pair<'_>) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
    Some(Change { way, before: share(|pair| pair.before), after: share(|pair| pair.after), difference })
}
