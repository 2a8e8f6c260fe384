//! Figures from rows, all of them, whichever run wrote them: means with errors that know which items share a video,
//! the published means of groups, items that count only together, overlaps above a threshold, and what could be had
//! without looking. The order of rows does not matter.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

use super::plan::Shown;
use super::record::Record;
use crate::Kind;
use crate::benchmark::{BadRow, Benchmark, Gold, Metric};
use crate::metric::overlap::recall;
use crate::metric::statistics::{Estimate, Observation, Positions, all_right, mean, mean_of_groups};

/// Overlaps from which an interval or a box counts as found.
const THRESHOLDS: [f64; 3] = [0.3, 0.5, 0.7];

/// Everything that a run measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Results {
    /// One for each benchmark, setting, and set of metrics.
    pub figures: Vec<Figures>,
    /// Rows without an answer.
    pub failed: usize,
    /// Rows that wait for a judge.
    pub unjudged: usize,
    /// Answers of which nothing could be read; they are wrong in every mean.
    pub unread: usize,
    /// Rows of files that cannot be used: benchmark, and where and why.
    pub unusable: Vec<[String; 2]>,
}

/// What was measured of one benchmark under one setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// The benchmark.
    pub benchmark: String,
    /// The way of choosing frames.
    pub frames: String,
    /// What was shown.
    pub shown: Shown,
    /// The metric that stands in for the usual one where it applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Metric>,
    /// Rows.
    pub rows: usize,
    /// Rows without an answer; they are in no mean.
    pub failed: usize,
    /// Answers that a judge did not score; they are in no mean.
    pub unjudged: usize,
    /// Answers of which nothing could be read, a letter or a number say; they are wrong in the means.
    pub unread: usize,
    /// The plain mean.
    pub mean: Option<Estimate>,
    /// The published means of groups, by what they are means over.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headline: BTreeMap<String, Estimate>,
    /// Means by group and name.
    pub groups: BTreeMap<String, BTreeMap<String, Estimate>>,
    /// Share of what is asked several times that is right every time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together: Option<Estimate>,
    /// Share of overlaps of at least so much.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub recall: BTreeMap<String, f64>,
    /// What could be had without looking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
}

/// What multiple-choice items give away unseen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Baseline {
    /// Items.
    pub items: usize,
    /// What guessing scores on average.
    pub chance: f64,
    /// What always naming a letter scores.
    pub always: BTreeMap<String, f64>,
}

impl Results {
    /// The figures of rows. `benchmarks` say what their means are; rows of others are left out.
    pub(super) fn of(
        mut rows: Vec<Record>,
        benchmarks: &BTreeMap<&str, &Benchmark>,
        bad: &[(String, BadRow)],
    ) -> Results {
        rows.retain(|row| benchmarks.contains_key(row.benchmark.as_str()));
        // Sums in one order, so that the same rows give the same bits.
        rows.sort_by(|a, b| {
            setting_order(a, b).then_with(|| (&a.file, a.line, &a.id).cmp(&(&b.file, b.line, &b.id)))
        });
        let mut results = Results {
            failed: rows.iter().filter(|row| row.error.is_some()).count(),
            unjudged: rows.iter().filter(|row| is_unjudged(row)).count(),
            unread: rows.iter().filter(|row| row.is_unread()).count(),
            unusable: bad.iter().map(|(name, bad)| [name.clone(), bad.to_string()]).collect(),
            ..Results::default()
        };
        for same in rows.chunk_by(|a, b| setting_order(a, b) == Ordering::Equal) {
            let Some(benchmark) = benchmarks.get(same[0].benchmark.as_str()) else { continue };
            results.figures.push(Figures::of(same, benchmark, None));
            for metric in benchmark.further() {
                results.figures.push(Figures::of(same, benchmark, Some(metric)));
            }
        }
        results
    }

    /// Whether every row of every file has an answer and a score.
    pub fn is_whole(&self) -> bool {
        self.failed == 0 && self.unjudged == 0 && self.unusable.is_empty() && !self.figures.is_empty()
    }
}

/// Rows of one setting are neighbours; numbers of frames ascend.
fn setting_order(a: &Record, b: &Record) -> Ordering {
    let key = |row: &Record| (row.shown, row.frames.parse::<u64>().unwrap_or(u64::MAX));
    a.benchmark.cmp(&b.benchmark).then_with(|| key(a).cmp(&key(b))).then_with(|| a.frames.cmp(&b.frames))
}

fn is_unjudged(row: &Record) -> bool {
    row.reply.as_ref().is_some_and(|reply| reply.unjudged.is_some())
}

impl Figures {
    fn of(rows: &[Record], benchmark: &Benchmark, by: Option<Metric>) -> Figures {
        let scored: Vec<(&Record, f64)> = rows
            .iter()
            .filter_map(|row| Some((row, row.score(by)?)))
            .filter(|(_, s)| s.is_finite())
            .collect();
        let seen: Vec<Observation<'_>> =
            scored.iter().map(|(row, value)| Observation { value: *value, cluster: &row.cluster }).collect();
        let mut groups: BTreeMap<String, BTreeMap<String, Vec<Observation<'_>>>> = BTreeMap::new();
        for ((row, _), observation) in scored.iter().zip(&seen) {
            for (group, name) in &row.groups {
                let group = groups.entry(group.clone()).or_default();
                group.entry(name.clone()).or_default().push(*observation);
            }
        }
        let groups = groups.into_iter().map(|(group, names)| {
            let names = names.into_iter().filter_map(|(name, seen)| Some((name, mean(&seen)?)));
            (group, names.collect())
        });
        let headline = benchmark.headline.iter().filter_map(|headline| {
            let paths = scored.iter().zip(&seen).filter_map(|((row, _), observation)| {
                let path: Option<Vec<&str>> =
                    headline.split('/').map(|group| row.groups.get(group).map(String::as_str)).collect();
                Some((*observation, path?))
            });
            Some((headline.clone(), mean_of_groups(&paths.collect::<Vec<_>>())?))
        });
        Figures {
            benchmark: benchmark.name.clone(),
            frames: rows[0].frames.clone(),
            shown: rows[0].shown,
            by,
            rows: rows.len(),
            failed: rows.iter().filter(|row| row.error.is_some()).count(),
            unjudged: rows.iter().filter(|row| is_unjudged(row)).count(),
            unread: rows.iter().filter(|row| row.is_unread()).count(),
            mean: mean(&seen),
            headline: headline.collect(),
            groups: groups.collect(),
            together: together(&scored),
            recall: recalls(&scored),
            baseline: Baseline::of(rows),
        }
    }
}

/// Items that are asked several times, right only if each time.
fn together(scored: &[(&Record, f64)]) -> Option<Estimate> {
    let mut clusters: BTreeMap<&str, &str> = BTreeMap::new();
    let mut answers: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
    for (row, score) in scored {
        let Some(name) = &row.together else { continue };
        clusters.entry(name).or_insert(&row.cluster);
        answers.entry(name).or_default().push(*score == 1.0);
    }
    let seen: Vec<Observation<'_>> = answers
        .iter()
        .map(|(name, rights)| {
            let one = all_right(rights.iter().map(|right| (*name, *right)));
            Observation { value: one.right as f64, cluster: clusters[name] }
        })
        .collect();
    mean(&seen)
}

fn recalls(scored: &[(&Record, f64)]) -> BTreeMap<String, f64> {
    let overlaps: Vec<f64> = scored
        .iter()
        .filter(|(row, _)| matches!(row.kind, Kind::Interval | Kind::Box))
        .filter(|(row, _)| matches!(row.metric, Metric::Iou | Metric::TemporalIou))
        .map(|(_, score)| *score)
        .collect();
    THRESHOLDS.iter().filter_map(|&least| Some((least.to_string(), recall(&overlaps, least)?))).collect()
}

impl Baseline {
    /// Of all items, answered or not.
    fn of(rows: &[Record]) -> Option<Baseline> {
        let mut positions = Positions::default();
        for row in rows {
            if let Some(right) = row.position {
                positions.add(right, row.options);
            }
        }
        let most = positions.options.keys().max().copied().unwrap_or(0);
        let always =
            (0..most).map(|at| (Gold::Choice(at).text(), positions.always(at).accuracy().unwrap_or(0.0)));
        let (items, chance, always) = (positions.items(), positions.chance()?, always.collect());
        Some(Baseline { items, chance, always })
    }
}
