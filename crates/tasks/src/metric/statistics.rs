//! How sure a measurement is: means with errors that know which answers belong to one video, differences between two
//! runs over the same items, means of group means, and what a blind guesser would score.
//!
//! Answers about one video rise and fall together, so errors are cluster-robust: the influence of every answer on the
//! figure is summed within its cluster, and only clusters count as independent (Liang and Zeger 1986, with the
//! factor `G / (G - 1)` for `G` clusters). Clusters of one answer each give the textbook error of a mean. Quantiles
//! are Student's with `G - 1` degrees of freedom. Nothing is drawn at random, so the same answers give the same bits.
//!
//! Refused: values that are not finite, and errors from fewer than two clusters.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::student;
use crate::score::{Score, wilson};

/// One answer's score, and what it must not be called independent of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation<'a> {
    /// The score; 0 to 1 for most metrics.
    pub value: f64,
    /// The video, or whatever else its neighbours share.
    pub cluster: &'a str,
}

/// A figure and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The figure.
    pub mean: f64,
    /// Its standard error; `None` from a single cluster.
    pub error: Option<f64>,
    /// 95% interval. Of rights and wrongs it is Wilson's, its sample made smaller by the design effect of the
    /// clusters, so that it stays within 0 to 1 and is not empty when all are right. Of other scores it is Student's,
    /// cut off at 0 and 1 where every score lies between them.
    pub interval: Option<[f64; 2]>,
    /// Answers.
    pub items: usize,
    /// Independent groups of them.
    pub clusters: usize,
}

/// The mean of some scores. `None` of none, and where one is not finite.
pub fn mean(observations: &[Observation<'_>]) -> Option<Estimate> {
    let n = observations.len() as f64;
    let mean = average(observations.iter().map(|o| o.value))?;
    let (error, clusters) =
        robust(observations.iter().map(|o| ((o.value - mean) / n, o.cluster)), observations.len());
    let shares = observations.iter().all(|o| o.value == 0.0 || o.value == 1.0);
    let interval = match error {
        Some(error) if shares => Some(share_interval(mean, error, n, clusters as f64)),
        Some(error) => Some(within(observations.iter(), around(mean, error, clusters))),
        None => None,
    };
    Some(Estimate { mean, error, interval, items: observations.len(), clusters })
}

/// Wilson's interval of a share whose sample is worth less than its size: `n / effect`, where the effect is the
/// cluster-robust variance over the binomial one, at least 1. All right or all wrong has no variance to compare;
/// then every cluster counts once.
fn share_interval(share: f64, error: f64, n: f64, clusters: f64) -> [f64; 2] {
    let binomial = share * (1.0 - share) / (n - 1.0).max(1.0);
    let worth = if binomial > 0.0 { n / (error * error / binomial).max(1.0) } else { clusters };
    wilson(share, worth)
}

/// A mean of means: the path of an observation names its group, and the group within it; groups count alike whatever
/// their size. One name gives the mean of group means that VSI-Bench publishes, two names the one of CV-Bench. An
/// empty path is the plain mean. The error treats the groups as given and the clusters as drawn. `None` where a path
/// ends at a group that others go on from.
pub fn mean_of_groups(observations: &[(Observation<'_>, Vec<&str>)]) -> Option<Estimate> {
    average(observations.iter().map(|(o, _)| o.value))?;
    let mut children: BTreeMap<&[&str], BTreeSet<&str>> = BTreeMap::new();
    let mut leaves: BTreeMap<&[&str], (f64, f64)> = BTreeMap::new();
    for (observation, path) in observations {
        for (depth, name) in path.iter().enumerate() {
            children.entry(&path[..depth]).or_default().insert(name);
        }
        let (sum, count) = leaves.entry(path).or_default();
        *sum += observation.value;
        *count += 1.0;
    }
    if leaves.keys().any(|path| children.contains_key(path)) {
        return None;
    }
    let weight = |path: &[&str]| {
        (0..path.len()).map(|depth| 1.0 / children[&path[..depth]].len() as f64).product::<f64>()
    };
    let mean = leaves.iter().map(|(path, (sum, count))| weight(path) * sum / count).sum();
    let influences = observations.iter().map(|(o, path)| {
        let (sum, count) = leaves[path.as_slice()];
        (weight(path) * (o.value - sum / count) / count, o.cluster)
    });
    let (error, clusters) = robust(influences, observations.len());
    let bounded = |error| within(observations.iter().map(|(o, _)| o), around(mean, error, clusters));
    Some(Estimate { mean, error, interval: error.map(bounded), items: observations.len(), clusters })
}

/// An interval without the part that no mean of scores between 0 and 1 can reach.
fn within<'a>(mut all: impl Iterator<Item = &'a Observation<'a>>, [low, high]: [f64; 2]) -> [f64; 2] {
    if all.all(|o| (0.0..=1.0).contains(&o.value)) { [low.max(0.0), high.min(1.0)] } else { [low, high] }
}

/// One item's scores in two runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair<'a> {
    /// In the first run.
    pub before: f64,
    /// In the second.
    pub after: f64,
    /// The video, or whatever else its neighbours share.
    pub cluster: &'a str,
}

/// What changed from one run to another over the same items.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Second minus first.
    pub mean: f64,
    /// Its standard error; `None` from a single cluster.
    pub error: Option<f64>,
    /// 95% interval.
    pub interval: Option<[f64; 2]>,
    /// How often chance alone would differ this much: Student's test of the paired differences, two-sided.
    pub p: Option<f64>,
    /// The same from the items that changed, counted as better or worse: the exact sign test (McNemar's, exact). It
    /// takes items for independent.
    pub sign_p: f64,
    /// Items that became better and items that became worse.
    pub flips: [usize; 2],
    /// Items.
    pub items: usize,
    /// Independent groups of them.
    pub clusters: usize,
}

/// Compares two runs item by item. `None` of no items, and where a score is not finite.
pub fn paired(pairs: &[Pair<'_>]) -> Option<Difference> {
    let n = pairs.len() as f64;
    let change = |pair: &Pair<'_>| pair.after - pair.before;
    let mean = average(pairs.iter().map(change))?;
    let (error, clusters) = robust(pairs.iter().map(|p| ((change(p) - mean) / n, p.cluster)), pairs.len());
    let p = error.map(|error| match (mean == 0.0, error > 0.0) {
        (true, _) => 1.0,
        (false, false) => 0.0,
        (false, true) => student::two_sided(mean / error, (clusters - 1) as f64),
    });
    let better = pairs.iter().filter(|p| p.after > p.before).count();
    let worse = pairs.iter().filter(|p| p.after < p.before).count();
    let interval = error.map(|error| around(mean, error, clusters));
    let sign_p = student::sign_test(better, worse);
    Some(Difference {
        mean,
        error,
        interval,
        p,
        sign_p,
        flips: [better, worse],
        items: pairs.len(),
        clusters,
    })
}

/// Groups of answers that count only if all of them are right: one question with its options in every order
/// (circular accuracy), one scene seen from two sides (view consistency), a pair of pictures.
pub fn all_right<'a>(answers: impl IntoIterator<Item = (&'a str, bool)>) -> Score {
    let mut groups: BTreeMap<&str, bool> = BTreeMap::new();
    for (key, right) in answers {
        *groups.entry(key).or_insert(true) &= right;
    }
    let mut score = Score::default();
    groups.values().for_each(|&right| score.add(right));
    score
}

/// Where the right answers of multiple-choice questions stand, and so what they give away unseen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Positions {
    /// Questions whose right option stands at this position.
    pub right: BTreeMap<usize, usize>,
    /// Questions with so many options.
    pub options: BTreeMap<usize, usize>,
}

impl Positions {
    /// Counts one question: the position of its right option among so many.
    pub fn add(&mut self, right: usize, options: usize) {
        *self.right.entry(right).or_default() += 1;
        *self.options.entry(options).or_default() += 1;
    }

    /// Questions counted.
    pub fn items(&self) -> usize {
        self.right.values().sum()
    }

    /// What always naming this position scores: the option-bias baseline, 0 for "always A".
    pub fn always(&self, position: usize) -> Score {
        Score { items: self.items(), right: self.right.get(&position).copied().unwrap_or_default() }
    }

    /// The position that is right most often, the first of equals.
    pub fn favourite(&self) -> Option<usize> {
        let most = self.right.values().max()?;
        self.right.iter().find(|(_, count)| *count == most).map(|(position, _)| *position)
    }

    /// What guessing scores on average.
    pub fn chance(&self) -> Option<f64> {
        let guessed = self.options.iter().map(|(options, count)| *count as f64 / (*options).max(1) as f64);
        (self.items() > 0).then(|| guessed.sum::<f64>() / self.items() as f64)
    }
}

fn average(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let n = values.len() as f64;
    let sum: f64 = values.sum();
    (n > 0.0 && sum.is_finite()).then(|| sum / n)
}

fn around(mean: f64, error: f64, clusters: usize) -> [f64; 2] {
    let half = student::quantile((clusters.max(2) - 1) as f64) * error;
    [mean - half, mean + half]
}

/// The root of the sum of squared cluster influences, with the factor for few clusters; and the clusters.
fn robust<'a>(influences: impl Iterator<Item = (f64, &'a str)>, items: usize) -> (Option<f64>, usize) {
    // Sums in the order of first appearance, so that the same input gives the same bits.
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(items);
    let mut sums: Vec<f64> = Vec::new();
    for (influence, cluster) in influences {
        let place = *places.entry(cluster).or_insert_with(|| {
            sums.push(0.0);
            sums.len() - 1
        });
        sums[place] += influence;
    }
    let groups = sums.len() as f64;
    let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
    ((groups > 1.0).then(|| (squares * groups / (groups - 1.0)).sqrt()), sums.len())
}

#[cfg(test)]
#[path = "statistics_tests.rs"]
mod tests;
