//! The loss of a step's samples and its slope at every token's log-probability: ratios and their clipping, the distance
//! to a reference, how tokens are averaged. The gradient of the weights is then that of a weighted cross-entropy.
//! Knows no model; all sums are f64.

use serde::{Deserialize, Serialize};

use super::algorithms::{Algorithm, Preference, Sample};

/// What a ratio is taken of, and what is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ratio {
    /// Each token's; beyond its bounds a token has no slope.
    Token,
    /// The geometric mean over the answer; beyond its bounds the answer has no slope.
    Sequence,
    /// Each token's, bounded, as a constant weight of its log-probability.
    Weight,
}

/// How token terms become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Averaging {
    /// A mean over each answer, then over answers.
    Sequence,
    /// A mean over all tokens of the step.
    Token,
    /// A sum over each answer divided by the most tokens an answer may have, then a mean over answers.
    Constant,
}

/// Bounds of a ratio. 0 turns one off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clip {
    /// The ratio counts down to `1 - low`.
    pub low: f64,
    /// And up to `1 + high`.
    pub high: f64,
    /// The loss of a sample worse than the others counts up to this many times its advantage (Ye et al. 2020).
    pub dual: f64,
}

/// How the distance to the reference is estimated from `p`, the policy's log-probability, and `q`, the reference's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Estimator {
    /// `p - q`.
    K1,
    /// `(p - q)² / 2`, also called mse.
    #[serde(alias = "mse")]
    K2,
    /// `e^(q - p) - (q - p) - 1`, also called low-variance.
    #[default]
    #[serde(alias = "low-var-kl")]
    K3,
    /// `|p - q|`.
    Abs,
    /// `(e^(q - p) - 1)²`.
    Chi2,
    /// No estimate: `Σ p ln(p / q)` over the whole vocabulary at each token, with its gradient through all logits.
    Full,
}

/// Where the distance counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KlPlace {
    /// As a term of the loss.
    Loss,
    /// As a price on the reward of each token.
    Reward,
}

/// What a recipe says about the distance to the reference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KlRecipe {
    /// 0 needs no reference and computes none.
    pub weight: f64,
    /// How it is estimated.
    pub estimator: Estimator,
    /// `q - p` is held within so far from 0, without slope beyond; 0 for no bound. Video-R1: 10, ST-R1: 11.
    pub clamp: f64,
    /// The estimate is held below this, without slope beyond; 0 for no bound. SpatialThinker: 10, chi2: 20.
    pub most: f64,
    /// Default: the algorithm's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<KlPlace>,
}

impl KlRecipe {
    /// The distance at a token of a sample: its value, its slope at the token's log-probability, and its slope at the
    /// distance over the whole vocabulary. `None` without a reference.
    pub(super) fn of(&self, sample: &Sample, t: usize, p: f32) -> Option<(f64, f64, f64)> {
        if self.estimator != Estimator::Full {
            let (value, slope) = self.at(p, *sample.reference.get(t)?);
            return Some((value, slope, 0.0));
        }
        let far = f64::from(*sample.distances.get(t)?);
        let capped = self.most > 0.0 && far > self.most;
        Some(if capped { (self.most, 0.0, 0.0) } else { (far, 0.0, 1.0) })
    }

    /// The estimate, and its slope at `p`.
    pub fn at(&self, p: f32, q: f32) -> (f64, f64) {
        let far = f64::from(q) - f64::from(p);
        let x = if self.clamp > 0.0 { far.clamp(-self.clamp, self.clamp) } else { far };
        let (value, slope) = match self.estimator {
            Estimator::K1 => (-x, 1.0),
            Estimator::K2 => (0.5 * x * x, -x),
            Estimator::K3 => (x.exp() - x - 1.0, 1.0 - x.exp()),
            Estimator::Abs => (x.abs(), if x == 0.0 { 0.0 } else { -x.signum() }),
            Estimator::Chi2 => ((x.exp() - 1.0).powi(2), -2.0 * (x.exp() - 1.0) * x.exp()),
            // Its slope is not at the token's log-probability alone: see `KlRecipe::of`.
            Estimator::Full => (0.0, 0.0),
        };
        let capped = self.most > 0.0 && value > self.most;
        match (capped, x == far) {
            (true, _) => (self.most, 0.0),
            (false, true) => (value, slope),
            (false, false) => (value, 0.0),
        }
    }
}

/// Everything that turns samples into a loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// Whose advantages.
    pub algorithm: Algorithm,
    /// What is clipped.
    pub ratio: Ratio,
    /// How.
    pub clip: Clip,
    /// How tokens are averaged.
    pub averaging: Averaging,
    /// Distance to the reference.
    pub kl: KlRecipe,
    /// Where it counts.
    pub place: KlPlace,
    /// Whether advantages are divided by the deviation of their group.
    pub divides: bool,
    /// Added to that deviation.
    pub divide_epsilon: f64,
    /// Discount from one token to the one before.
    pub gamma: f64,
    /// Decay of the critic's errors.
    pub lambda: f64,
    /// Most tokens of an answer.
    pub most_tokens: usize,
}

/// What a step's samples amount to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// The loss.
    pub loss: f64,
    /// Its slope at each token's log-probability, by sample.
    pub slopes: Vec<Vec<f32>>,
    /// Its slope at each token's distance over the whole vocabulary, by sample; zeros under other estimators.
    pub shares: Vec<Vec<f32>>,
    /// Mean distance to the reference over all tokens.
    pub kl: f64,
    /// Share of tokens (of answers, for a ratio of sequences) beyond a bound.
    pub clipped: f64,
}

impl Objective {
    /// What the algorithm prefers.
    pub fn new(algorithm: Algorithm, most_tokens: usize) -> Objective {
        let Preference { ratio, clip, averaging, place, divides } = algorithm.preference();
        let kl = KlRecipe::default();
        Objective {
            algorithm,
            ratio,
            clip,
            averaging,
            kl,
            place,
            divides,
            divide_epsilon: 1e-4,
            gamma: 1.0,
            lambda: 1.0,
            most_tokens,
        }
    }

    /// Price of each token of a sample where the distance counts in the reward; zeros elsewhere.
    pub(super) fn token_prices(&self, sample: &Sample) -> Vec<f64> {
        if self.place != KlPlace::Reward || self.kl.weight == 0.0 {
            return vec![0.0; sample.old.len()];
        }
        let far = |(t, &p): (usize, &f32)| self.kl.of(sample, t, p).map_or(0.0, |(far, ..)| far);
        sample.old.iter().enumerate().map(|token| self.kl.weight * far(token)).collect()
    }

    /// The loss with its slopes, of samples whose tokens have these advantages ([`advantages`](super::algorithms::advantages) of the whole
    /// step, of which `samples` may be a part).
    pub fn judge(&self, samples: &[Sample], advantages: &[Vec<f64>]) -> Judgement {
        let weights = self.weights(samples);
        let mut out = Judgement::default();
        let (mut tokens, mut distance, mut counted, mut beyond) = (0.0, 0.0, 0.0, 0.0);
        for ((sample, advantages), weight) in samples.iter().zip(advantages).zip(weights) {
            let (mut slopes, mut shares) = (vec![0.0; sample.new.len()], vec![0.0; sample.new.len()]);
            if sample.is_baseline {
                out.slopes.push(slopes);
                out.shares.push(shares);
                continue;
            }
            let logs = sample.new.iter().zip(&sample.old);
            let whole = logs.map(|(new, old)| f64::from(*new) - f64::from(*old)).sum::<f64>()
                / sample.new.len().max(1) as f64;
            for (t, slope) in slopes.iter_mut().enumerate() {
                let ratio = match self.ratio {
                    Ratio::Sequence => whole.exp(),
                    _ => (f64::from(sample.new[t]) - f64::from(sample.old[t])).exp(),
                };
                let (term, steep, outside) = self.term(ratio, advantages[t], f64::from(sample.new[t]));
                let by = sample.weights.get(t).copied().unwrap_or(1.0);
                let (mut loss, mut steep) = (by * term, by * steep);
                if let Some((far, far_slope, share)) = self.kl.of(sample, t, sample.new[t]) {
                    distance += far;
                    if self.place == KlPlace::Loss {
                        loss += self.kl.weight * far;
                        steep += self.kl.weight * far_slope;
                        shares[t] = (weight * self.kl.weight * share) as f32;
                    }
                }
                out.loss += weight * loss;
                *slope = (weight * steep) as f32;
                tokens += 1.0;
                counted += 1.0;
                beyond += f64::from(u8::from(outside));
            }
            out.slopes.push(slopes);
            out.shares.push(shares);
        }
        out.kl = distance / f64::max(tokens, 1.0);
        out.clipped = beyond / f64::max(counted, 1.0);
        out
    }

    /// Loss of one token, its slope, and whether a bound took effect.
    fn term(&self, ratio: f64, advantage: f64, log: f64) -> (f64, f64, bool) {
        let Clip { low, high, dual } = self.clip;
        let least = if low > 0.0 { 1.0 - low } else { 0.0 };
        let most = if high > 0.0 { 1.0 + high } else { f64::INFINITY };
        let bounded = ratio.clamp(least, most);
        if self.ratio == Ratio::Weight {
            return (-bounded * advantage * log, -bounded * advantage, bounded != ratio);
        }
        let (free, held) = (-advantage * ratio, -advantage * bounded);
        // The slope of the ratio at the log-probability is the ratio.
        let (loss, slope) = if free >= held { (free, free) } else { (held, 0.0) };
        if dual > 0.0 && advantage < 0.0 && loss > -advantage * dual {
            return (-advantage * dual, 0.0, true);
        }
        (loss, slope, free < held)
    }

    /// Weight of each token of each sample in the loss.
    fn weights(&self, samples: &[Sample]) -> Vec<f64> {
        let learned = || samples.iter().filter(|sample| !sample.is_baseline);
        let answers = learned().count().max(1) as f64;
        let tokens = learned().map(|sample| sample.new.len()).sum::<usize>().max(1) as f64;
        let weight = |sample: &Sample| match self.averaging {
            Averaging::Sequence => 1.0 / (answers * sample.new.len().max(1) as f64),
            Averaging::Token => 1.0 / tokens,
            Averaging::Constant => 1.0 / (answers * self.most_tokens.max(1) as f64),
        };
        samples.iter().map(weight).collect()
    }
}
