//! Questions that are asked and never learned from: how often the model is right before, during and after a phase,
//! as one file that grows. A resumed run finds what was measured before and keeps what its state knows of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firsthand_base::{Begun, Part, Report, Unit};
use firsthand_input::Renderer;
use firsthand_model::Model;
use firsthand_tasks::Score;
use firsthand_tasks::metric::statistics::{Difference, Pair, paired};
use serde::{Deserialize, Serialize};

use super::judge::Earned;
use super::learner::Learner;
use crate::data::{BadRow, Dataset, Row, RowId};
use crate::error::{Result, TrainError};
use crate::example::Asking;
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
    /// Questions that nobody could judge: tools or rewards failed.
    #[serde(default)]
    pub failures: usize,
    /// Share of right answers.
    pub value: f64,
    /// Its 95% interval (Wilson).
    pub interval: [f64; 2],
    /// One mark for each question, in the order of the file: 1 right, 0 wrong, - not judged.
    #[serde(default)]
    pub answers: String,
    /// Mean accuracy or overlap.
    pub accuracy: f64,
    /// Mean reward.
    pub reward: f64,
    /// Mean of each part of a reward, `reward/part` before weights, over the questions that have it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, f64>,
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
    /// What lies between the two, question by question.
    #[serde(default)]
    pub change: Option<Change>,
    /// All of them.
    pub curve: Vec<Measured>,
}

/// What changed over the same questions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Right answers after, minus right answers before, as shares of the questions.
    pub mean: f64,
    /// Its 95% interval, of paired differences; questions about one medium count as dependent.
    pub interval: Option<[f64; 2]>,
    /// How often chance alone would differ this much: Student's test of the paired differences, two-sided.
    pub p: Option<f64>,
    /// The same from better and worse answers alone, exactly (McNemar); takes questions for independent.
    pub sign_p: f64,
    /// Questions answered right only after.
    pub better: usize,
    /// Questions answered right only before.
    pub worse: usize,
    /// Questions that were judged both times.
    pub items: usize,
    /// Media among them; each question counts for itself where it shows none.
    pub clusters: usize,
}

impl Change {
    /// Of two evaluations of the same questions, whose media are named.
    fn of(before: &Measured, after: &Measured, clusters: &[String]) -> Option<Change> {
        let mark = |mark: u8| match mark {
            b'1' => Some(1.0),
            b'0' => Some(0.0),
            _ => None,
        };
        let both = before.answers.bytes().zip(after.answers.bytes()).zip(clusters);
        let pairs: Vec<Pair<'_>> = both
            .filter_map(|((before, after), cluster)| {
                Some(Pair { before: mark(before)?, after: mark(after)?, cluster })
            })
            .collect();
        let Difference { mean, interval, p, sign_p, flips: [better, worse], items, clusters, .. } =
            paired(&pairs)?;
        Some(Change { mean, interval, p, sign_p, better, worse, items, clusters })
    }

    /// In one line.
    pub fn told(&self) -> String {
        let Change { mean, interval, p, better, worse, items, .. } = self;
        let sure = match (interval, p) {
            (Some([low, high]), Some(p)) => format!(" ({low:+.3} to {high:+.3}, p {p:.2e})"),
            _ => String::new(),
        };
        format!(
            "held out, after minus before: {mean:+.3}{sure}, {better} better and {worse} worse of {items}"
        )
    }
}

impl Results {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Results> {
        let text = fs_err::read_to_string(path)?;
        serde_json::from_str(&text)
            .map_err(|error| TrainError::Setup(format!("{}: {error}; remove the file", path.display())))
    }
}

/// The questions of a phase and its file.
pub struct HeldOut {
    dataset: Arc<Dataset>,
    asking: Asking,
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
    pub fn open(
        dataset: Arc<Dataset>,
        asking: Asking,
        path: PathBuf,
        right_from: f64,
        step: u64,
    ) -> Result<HeldOut> {
        let mut results = Results::default();
        if step > 0 && path.exists() {
            results = Results::read(&path)?;
            results.curve.retain(|measured| measured.step <= step);
            (results.after, results.change) = (None, None);
        }
        Ok(HeldOut { dataset, asking, path, right_from, results })
    }

    /// What changed over the phase, once it is over.
    pub fn change(&self) -> Option<&Change> {
        self.results.change.as_ref()
    }

    /// The best measurement so far.
    pub fn best(&self) -> Option<&Measured> {
        self.results.curve.iter().max_by(|a, b| a.value.total_cmp(&b.value).then(b.step.cmp(&a.step)))
    }

    /// Whether a step was measured.
    pub fn knows(&self, step: u64) -> bool {
        self.results.curve.iter().any(|measured| measured.step == step)
    }

    /// Asks all questions; `is_last` after the last step. One whose media do not open is left out and not judged.
    pub fn measure(
        &mut self,
        learner: &Learner,
        (model, renderer): (&Model, &Renderer),
        (step, is_last): (u64, bool),
        report: &dyn Report,
        leave_out: &mut dyn FnMut(&BadRow) -> Result<()>,
    ) -> Result<Measured> {
        let rows = self.dataset.sources().map(|(_, rows)| rows).next().unwrap_or(0);
        let (mut score, mut judged) = (Score::default(), Vec::<Earned>::new());
        let (mut answers, mut clusters) = (String::new(), Vec::new());
        let purpose = Purpose::Ask(self.asking.clone());
        let mut kinds: BTreeMap<String, (Score, f64)> = BTreeMap::new();
        let asking = Begun::aside(report, "held-out questions", Some(rows as u64), Unit::Things("questions"));
        for start in (0..rows).step_by(CHUNK) {
            let mut prompts: Vec<Option<Arc<Prepared>>> = Vec::new();
            for index in start..rows.min(start + CHUNK) {
                let id = RowId { source: 0, index };
                let row = self.dataset.row(id).map_err(|error| TrainError::Data(error.to_string()))?;
                let prepared = purpose.prepare(renderer, id, &row);
                if let Err(reason) = &prepared {
                    leave_out(&row.blame(reason))?;
                }
                prompts.push(prepared.ok().map(Arc::new));
                clusters.push(cluster(&row, index));
            }
            let asked: Vec<Arc<Prepared>> = prompts.iter().flatten().cloned().collect();
            let mut earned = learner.answer(model, renderer, &asked)?.into_iter();
            asking.advance((prompts.len() - asked.len()) as u64);
            for prompt in &prompts {
                let earned = prompt.as_ref().and_then(|_| earned.next().expect("one for each prompt"));
                let (Some(prompt), Some(earned)) = (prompt, earned) else {
                    answers.push('-');
                    continue;
                };
                let is_right = earned.accuracy >= self.right_from;
                answers.push(if is_right { '1' } else { '0' });
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
            return Err(TrainError::Data(
                "rl.held_out: none of its questions could be judged: their media, rewards or tools failed; left-out.jsonl names the rows".into(),
            ));
        };
        let mean = |of: fn(&Earned) -> f64| judged.iter().map(of).sum::<f64>() / judged.len() as f64;
        let measured = Measured {
            step,
            items: score.items,
            failures: rows - score.items,
            value,
            interval,
            answers,
            accuracy: mean(|earned| earned.accuracy),
            reward: mean(|earned| earned.reward),
            parts: parts(&judged),
            kinds: kinds
                .into_iter()
                .filter_map(|(kind, (score, sum))| Some((kind, Share::of(score, sum)?)))
                .collect(),
        };
        self.results.curve.push(measured.clone());
        self.results.before.get_or_insert_with(|| measured.clone());
        self.results.after = is_last.then(|| measured.clone());
        self.results.change = match &self.results.before {
            Some(before) if is_last => Change::of(before, &measured, &clusters),
            _ => None,
        };
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

/// Means over the answers that have a part.
fn parts(judged: &[Earned]) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<&str, (f64, usize)> = BTreeMap::new();
    for (part, value) in judged.iter().flat_map(|earned| &earned.parts) {
        let (sum, count) = sums.entry(part).or_default();
        (*sum, *count) = (*sum + value, *count + 1);
    }
    sums.into_iter().map(|(part, (sum, count))| (part.to_owned(), sum / count as f64)).collect()
}

/// What the answers about one medium have in common; a question without one stands for itself.
fn cluster(row: &Row, index: usize) -> String {
    let medium = row.conversation.parts().find_map(|part| match part {
        Part::Text(_) => None,
        Part::Image(image) => Some(blake3::hash(image.location.as_bytes()).to_hex().to_string()),
        Part::Video(video) => Some(format!("{:?}", video.source)),
    });
    medium.unwrap_or_else(|| index.to_string())
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
        let answers = "1".repeat(right) + &"0".repeat(items - right);
        let (accuracy, reward, parts, kinds) = (value, value, BTreeMap::new(), BTreeMap::new());
        Measured { step: 1, items, failures: 0, value, interval, answers, accuracy, reward, parts, kinds }
    }

    #[test]
    fn changes_are_counted_question_by_question() {
        let of = |answers: &str| Measured { answers: answers.into(), ..measured(1, 2) };
        let clusters: Vec<String> = (0..8).map(|i| i.to_string()).collect();
        let change = Change::of(&of("00001-11"), &of("11101101"), &clusters).unwrap();
        assert_eq!((change.better, change.worse, change.items, change.clusters), (3, 1, 7, 7));
        assert!((change.mean - 2.0 / 7.0).abs() < 1e-12);
        let [low, high] = change.interval.unwrap();
        assert!(low < change.mean && change.mean < high && change.p.unwrap() > 0.05, "{change:?}");
        let told = change.told();
        assert!(
            told.contains("after minus before: +0.286 (") && told.contains("3 better and 1 worse of 7"),
            "{told}"
        );
        // Questions about one medium are one observation.
        let same = vec!["a".to_owned(); 8];
        assert_eq!(Change::of(&of("00000000"), &of("11111111"), &same).unwrap().interval, None);
        assert_eq!(Change::of(&of("--"), &of("11"), &clusters), None);
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
