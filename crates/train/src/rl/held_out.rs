//! Questions that are asked and never learned from: how often the model is right before, during and after a phase,
//! as one file that grows. A resumed run finds what was measured before and keeps what its state knows of.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use firsthand_input::Renderer;
use firsthand_model::Model;
use firsthand_tasks::Score;
use serde::{Deserialize, Serialize};

use super::judge::Earned;
use super::learner::Learner;
use crate::data::{Dataset, RowId};
use crate::error::{Result, TrainError};
use crate::feed::{Prepared, Purpose};

/// Prompts prepared at one time.
const CHUNK: usize = 128;

/// One evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Steps of the phase that were done.
    pub step: u64,
    /// Questions that were judged.
    pub items: usize,
    /// Share of right answers.
    pub value: f64,
    /// Its 95% interval (Wilson).
    pub interval: [f64; 2],
    /// Mean accuracy or overlap.
    pub accuracy: f64,
    /// Mean reward.
    pub reward: f64,
    /// The same for questions of one kind: by the row's `family`, else its `problem_type`; empty where rows have neither.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, Share>,
}

/// Right answers of one kind of question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Questions that were judged.
    pub items: usize,
    /// Share of right answers.
    pub value: f64,
    /// Its 95% interval (Wilson).
    pub interval: [f64; 2],
    /// Mean accuracy or overlap.
    pub accuracy: f64,
}

impl Share {
    fn of(score: Score, sum: f64) -> Option<Share> {
        let accuracy = sum / score.items.max(1) as f64;
        Some(Share { items: score.items, value: score.accuracy()?, interval: score.interval()?, accuracy })
    }
}

/// The file of a phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The first evaluation.
    pub before: Option<Measured>,
    /// The last one, after the last step.
    pub after: Option<Measured>,
    /// All of them.
    pub curve: Vec<Measured>,
}

/// The questions of a phase and its file.
pub struct HeldOut {
    dataset: Arc<Dataset>,
    path: PathBuf,
    right_from: f64,
    results: Results,
}

impl Measured {
    /// Whether so much was lost since a better one that chance does not explain it.
    pub fn is_collapse_of(&self, best: &Measured) -> bool {
        self.value < 0.5 * best.value && self.interval[1] < best.interval[0]
    }
}

impl HeldOut {
    /// Of a dataset, continuing a file at a step.
    pub fn open(dataset: Arc<Dataset>, path: PathBuf, right_from: f64, step: u64) -> Result<HeldOut> {
        let mut results = Results::default();
        if step > 0 && path.exists() {
            let text = fs_err::read_to_string(&path)?;
            results = serde_json::from_str(&text).map_err(|error| {
                TrainError::Setup(format!("{}: {error}; remove the file", path.display()))
            })?;
            results.curve.retain(|measured| measured.step <= step);
            results.after = None;
        }
        Ok(HeldOut { dataset, path, right_from, results })
    }

    /// The best measurement so far.
    pub fn best(&self) -> Option<&Measured> {
        self.results.curve.iter().max_by(|a, b| a.value.total_cmp(&b.value).then(b.step.cmp(&a.step)))
    }

    /// Whether a step was measured.
    pub fn knows(&self, step: u64) -> bool {
        self.results.curve.iter().any(|measured| measured.step == step)
    }

    /// Asks all questions; `is_last` after the last step.
    pub fn measure(
        &mut self,
        learner: &Learner,
        model: &Model,
        renderer: &Renderer,
        step: u64,
        is_last: bool,
    ) -> Result<Measured> {
        let rows = self.dataset.sources().map(|(_, rows)| rows).next().unwrap_or(0);
        let (mut score, mut judged) = (Score::default(), Vec::<Earned>::new());
        let mut kinds: BTreeMap<String, (Score, f64)> = BTreeMap::new();
        for start in (0..rows).step_by(CHUNK) {
            let mut prompts: Vec<Arc<Prepared>> = Vec::new();
            for index in start..rows.min(start + CHUNK) {
                let id = RowId { source: 0, index };
                let row = self.dataset.row(id).map_err(|error| TrainError::Data(error.to_string()))?;
                let purpose = Purpose::Ask { shuffle: false };
                let prepared = purpose.prepare(renderer, id, &row);
                prompts.push(Arc::new(prepared.map_err(|error| TrainError::Data(error.to_string()))?));
            }
            for (prompt, earned) in prompts.iter().zip(learner.answer(model, renderer, &prompts)?) {
                let Some(earned) = earned else { continue };
                let is_right = earned.accuracy >= self.right_from;
                score.add(is_right);
                if let Some(kind) = kind(prompt) {
                    let (score, sum) = kinds.entry(kind).or_default();
                    score.add(is_right);
                    *sum += earned.accuracy;
                }
                judged.push(earned);
            }
        }
        let (Some(value), Some(interval)) = (score.accuracy(), score.interval()) else {
            return Err(TrainError::Data("rl.held_out: no reward could judge any of its questions".into()));
        };
        let mean = |of: fn(&Earned) -> f64| judged.iter().map(of).sum::<f64>() / judged.len() as f64;
        let measured = Measured {
            step,
            items: score.items,
            value,
            interval,
            accuracy: mean(|earned| earned.accuracy),
            reward: mean(|earned| earned.reward),
            kinds: kinds
                .into_iter()
                .filter_map(|(kind, (score, sum))| Some((kind, Share::of(score, sum)?)))
                .collect(),
        };
        self.results.curve.push(measured.clone());
        self.results.before.get_or_insert_with(|| measured.clone());
        self.results.after = is_last.then(|| measured.clone());
        self.write()?;
        Ok(measured)
    }

    fn write(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.results).expect("results are plain data");
        let draft = self.path.with_extension("json.part");
        fs_err::write(&draft, text + "\n")?;
        Ok(fs_err::rename(draft, &self.path)?)
    }
}

fn kind(prompt: &Prepared) -> Option<String> {
    let facts = &prompt.asked.as_ref()?.row.facts;
    let named = facts.get("family").or_else(|| facts.get("problem_type"))?;
    named.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(right: usize, items: usize) -> Measured {
        let score = Score { right, items };
        let (value, interval) = (score.accuracy().unwrap(), score.interval().unwrap());
        Measured { step: 1, items, value, interval, accuracy: value, reward: value, kinds: BTreeMap::new() }
    }

    #[test]
    fn a_collapse_is_more_than_bad_luck() {
        let check = |now: [usize; 2], best: [usize; 2], expected: bool| {
            let (now, best) = (measured(now[0], now[1]), measured(best[0], best[1]));
            assert_eq!(now.is_collapse_of(&best), expected, "{now:?} after {best:?}");
        };
        check([10, 100], [60, 100], true);
        check([0, 100], [20, 100], true);
        // Worse, but more than half; and half of so few that it may be chance.
        check([40, 100], [60, 100], false);
        check([1, 6], [4, 6], false);
    }
}
