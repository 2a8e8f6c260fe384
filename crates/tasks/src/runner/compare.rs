//! Two runs side by side: how much the second is better and how sure that is, which items flipped, and what was done
//! differently, so that a gap explains itself. Items are matched by benchmark, item and what was shown; frames by name,
//! or, where both runs have one way of choosing them, as that one.

use std::collections::{BTreeMap, BTreeSet};

use firsthand_base::{Manifest, MediumId};
use serde::Serialize;

use super::journal::Recorded;
use super::plan::Shown;
use super::record::Record;
use crate::metric::statistics::{Difference, Pair, paired};

/// Options that say which rows there are, and nothing about any of them: a run that goes on may change them.
const FREE: [&str; 3] = ["limit", "blind", "shuffled"];
/// What stands for an entry that is not there.
const NOTHING: &str = "nothing";
/// How the option begins that says what a name of frames means.
const FRAMES: &str = "frames ";
/// How the option begins that says what a benchmark's files hold.
const BENCHMARK: &str = "benchmark ";

/// What kind of thing was done differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// Which questions, and what is right.
    Items,
    /// Pictures: how they are chosen and sized, and what was decoded.
    Frames,
    /// Bytes of the prompt.
    Prompt,
    /// Where tokens stand in time and space.
    Positions,
    /// Numbers of the checkpoint.
    Weights,
    /// Number type and device.
    Arithmetic,
    /// How tokens are chosen and when they stop.
    Sampling,
    /// The library that decodes.
    Decoder,
    /// Who scores.
    Judge,
    /// The program.
    Program,
}

impl Cause {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Items => "items",
            Cause::Frames => "frames",
            Cause::Prompt => "prompt",
            Cause::Positions => "positions",
            Cause::Weights => "weights",
            Cause::Arithmetic => "arithmetic",
            Cause::Sampling => "sampling",
            Cause::Decoder => "decoder",
            Cause::Judge => "judge",
            Cause::Program => "program",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What kind.
    pub cause: Cause,
    /// Which entry, or what of the rows.
    pub what: String,
    /// In the first run.
    pub before: String,
    /// In the second.
    pub after: String,
}

/// An item whose score changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flip {
    /// The item.
    pub id: String,
    /// Score in the first run.
    pub before: f64,
    /// Score in the second.
    pub after: f64,
    /// The right answer.
    pub gold: String,
    /// The first run's answer.
    pub said_before: String,
    /// The second run's answer.
    pub said_after: String,
}

/// One benchmark under one setting in both runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Match {
    /// The benchmark.
    pub benchmark: String,
    /// Names of the frames in the first and the second run.
    pub frames: [String; 2],
    /// What was shown.
    pub shown: Shown,
    /// Means over the items that both scored.
    pub means: Option<[f64; 2]>,
    /// Second minus first.
    pub difference: Option<Difference>,
    /// Items whose score changed, in the order of the first run.
    pub flips: Vec<Flip>,
    /// Items that only the first, and only the second run scored.
    pub alone: [usize; 2],
    /// Of those that both scored, how many answers the first and the second run could not read.
    pub unread: [usize; 2],
}

/// Two runs side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// By benchmark and setting.
    pub matches: Vec<Match>,
    /// What was done differently.
    pub changes: Vec<Change>,
}

impl Comparison {
    /// The kinds of things that were done differently.
    pub fn causes(&self) -> BTreeSet<Cause> {
        self.changes.iter().map(|change| change.cause).collect()
    }
}

/// Compares the second run with the first.
pub fn compare(first: &Recorded, second: &Recorded) -> Comparison {
    let mut changes = entries(&first.manifest, &second.manifest);
    // Settings and benchmarks that only one run has are compared with nothing.
    changes.retain(|change| {
        let alone = change.before == NOTHING || change.after == NOTHING;
        !(alone && [FRAMES, BENCHMARK].iter().any(|of| change.what.starts_with(of)))
    });
    let settings = matching(&first.rows, &second.rows);
    let mut matches = Vec::new();
    let mut differing = Differing::default();
    for (benchmark, shown, frames) in settings {
        let [before, after] = frames.clone();
        let named = Change { cause: Cause::Frames, what: "frames".to_owned(), before, after };
        if named.before != named.after && !changes.contains(&named) {
            changes.push(named);
        }
        let is_of = |row: &&Record, name: &str| {
            row.benchmark == benchmark && row.shown == shown && row.frames == name
        };
        let before: Vec<&Record> = first.rows.iter().filter(|row| is_of(row, &frames[0])).collect();
        let after = second.rows.iter().filter(|row| is_of(row, &frames[1]));
        let after: BTreeMap<&str, &Record> = after.map(|row| (row.id.as_str(), row)).collect();
        let pairs: Vec<(&Record, &Record)> =
            before.iter().filter_map(|row| Some((*row, *after.get(row.id.as_str())?))).collect();
        pairs.iter().for_each(|(a, b)| differing.look(a, b));
        let both: Vec<(&Record, &Record, f64, f64)> =
            pairs.iter().filter_map(|(a, b)| Some((*a, *b, a.score(None)?, b.score(None)?))).collect();
        let scored = |row: &&&Record| row.score(None).is_some();
        let alone = [
            before.iter().filter(scored).count() - both.len(),
            after.values().filter(scored).count() - both.len(),
        ];
        matches.push(matched(benchmark, frames, shown, &both, alone));
    }
    changes.extend(differing.changes());
    changes.sort_by(|a, b| (a.cause, &a.what).cmp(&(b.cause, &b.what)));
    Comparison { matches, changes }
}

fn matched(
    benchmark: String,
    frames: [String; 2],
    shown: Shown,
    both: &[(&Record, &Record, f64, f64)],
    alone: [usize; 2],
) -> Match {
    let pairs: Vec<Pair<'_>> = both
        .iter()
        .map(|(a, _, before, after)| Pair { before: *before, after: *after, cluster: &a.cluster })
        .collect();
    let said = |row: &Record| row.reply.as_ref().map_or_else(String::new, |reply| reply.parsed.clone());
    let flips =
        both.iter().filter(|(_, _, before, after)| before != after).map(|(a, b, before, after)| Flip {
            id: a.id.clone(),
            before: *before,
            after: *after,
            gold: a.gold.clone(),
            said_before: said(a),
            said_after: said(b),
        });
    let n = both.len() as f64;
    let mean = |pick: fn(&(&Record, &Record, f64, f64)) -> f64| both.iter().map(pick).sum::<f64>() / n;
    Match {
        benchmark,
        frames,
        shown,
        means: (!both.is_empty()).then(|| [mean(|pair| pair.2), mean(|pair| pair.3)]),
        difference: paired(&pairs),
        flips: flips.collect(),
        alone,
        unread: [
            both.iter().filter(|(a, ..)| a.is_unread()).count(),
            both.iter().filter(|(_, b, ..)| b.is_unread()).count(),
        ],
    }
}

/// Benchmark, what was shown, and the names of the frames in both runs, in the order of names.
fn matching(first: &[Record], second: &[Record]) -> Vec<(String, Shown, [String; 2])> {
    type Names = BTreeMap<(String, Shown), BTreeSet<String>>;
    let names = |rows: &[Record]| {
        let mut names = Names::new();
        for row in rows {
            names.entry((row.benchmark.clone(), row.shown)).or_default().insert(row.frames.clone());
        }
        names
    };
    let (first, second) = (names(first), names(second));
    let mut found = Vec::new();
    for ((benchmark, shown), ours) in &first {
        let Some(theirs) = second.get(&(benchmark.clone(), *shown)) else { continue };
        if let (1, 1) = (ours.len(), theirs.len()) {
            let pair = [ours, theirs].map(|set| set.first().cloned().unwrap_or_default());
            found.push((benchmark.clone(), *shown, pair));
            continue;
        }
        found.extend(
            ours.intersection(theirs).map(|name| (benchmark.clone(), *shown, [name.clone(), name.clone()])),
        );
    }
    found
}

/// What rows of the same item show of a difference, whatever the manifests say.
#[derive(Default)]
struct Differing {
    pairs: usize,
    frames: usize,
    prompts: usize,
    golds: usize,
}

impl Differing {
    fn look(&mut self, a: &Record, b: &Record) {
        self.pairs += 1;
        self.golds += usize::from((&a.gold, a.options, a.kind) != (&b.gold, b.options, b.kind));
        let (Some(a), Some(b)) = (&a.reply, &b.reply) else { return };
        self.prompts += usize::from(a.prompt != b.prompt);
        self.frames += usize::from(!same_pictures(&a.media, &b.media));
    }

    fn changes(self) -> Vec<Change> {
        let counted = [
            (Cause::Items, "gold answers", self.golds),
            (Cause::Prompt, "bytes of prompts", self.prompts),
            (Cause::Frames, "frames that were shown", self.frames),
        ];
        let differ = counted.into_iter().filter(|(_, _, count)| *count > 0);
        let change = |(cause, what, count): (Cause, &str, usize)| Change {
            cause,
            what: format!("{what}, in {count} of {} items", self.pairs),
            before: String::new(),
            after: String::new(),
        };
        differ.map(change).collect()
    }
}

/// Where a file lies does not matter, only what was seen of it.
fn same_pictures(a: &[MediumId], b: &[MediumId]) -> bool {
    let seen = |medium: &MediumId| {
        let frames: Vec<_> = medium.frames.iter().map(|frame| (frame.hash, frame.time)).collect();
        (frames, medium.size, medium.grid)
    };
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| seen(a) == seen(b))
}

/// Entries of two manifests that differ. The checkpoint's name matters only where its numbers differ.
pub(super) fn entries(a: &Manifest, b: &Manifest) -> Vec<Change> {
    let flat = |manifest: &Manifest| {
        let fixed = [
            ("program", &manifest.program),
            ("weights", &manifest.weights),
            ("dtype", &manifest.dtype),
            ("device", &manifest.device),
            ("decoder", &manifest.decoder),
        ];
        let mut all: BTreeMap<String, String> = manifest.options.clone();
        all.extend(fixed.map(|(key, value)| (key.to_owned(), value.clone())));
        if a.weights != b.weights {
            all.insert("model".to_owned(), manifest.model.clone());
        }
        all
    };
    let (a, b) = (flat(a), flat(b));
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let value = |all: &BTreeMap<String, String>, key: &str| match all.get(key).map(String::as_str) {
        None | Some("") => NOTHING.to_owned(),
        Some(value) => value.to_owned(),
    };
    keys.into_iter()
        .filter(|key| !FREE.contains(&key.as_str()))
        .map(|key| Change {
            cause: cause(key),
            what: key.clone(),
            before: value(&a, key),
            after: value(&b, key),
        })
        .filter(|change| change.before != change.after)
        .collect()
}

/// What kind of thing an entry says. Options of a kind begin with its name and a space where they are not listed.
fn cause(key: &str) -> Cause {
    match key {
        "program" => Cause::Program,
        "weights" | "model" => Cause::Weights,
        "dtype" | "device" => Cause::Arithmetic,
        "decoder" => Cause::Decoder,
        "style" => Cause::Prompt,
        "time" | "text_after" => Cause::Positions,
        "temperature" | "top_k" | "top_p" | "repetition_penalty" | "seed" | "max_tokens" | "stop" => {
            Cause::Sampling
        }
        "judge" => Cause::Judge,
        "min_pixels" | "max_pixels" | "total_pixels" => Cause::Frames,
        _ if key.starts_with(FRAMES) => Cause::Frames,
        _ => Cause::Items,
    }
}
