//! Which token comes next. Greedy, or drawn after the four changes transformers makes, in its order: repetition
//! penalty, temperature, top-k, top-p. Draws depend on the seed and the number of the token alone, never on batch
//! mates or on preemption. A [`TokenMask`] can forbid tokens before any of that; what it accepts is its own business.

use std::borrow::Cow;
use std::collections::HashSet;

use firsthand_base::SamplingOptions;

use crate::distribution::{Candidate, Summary, at_least, largest, summarise, total_from};
use crate::{Error, Result};

/// Which tokens may come next: a grammar as the sampler sees it. Told of every token that was chosen.
pub trait TokenMask: Send {
    /// Gives minus infinity to the logits of tokens that may not come next. At least one must be left. An error is one
    /// line and fails the sequence.
    fn apply(&mut self, logits: &mut [f32]) -> std::result::Result<(), String>;
    /// Takes in the token that was chosen among those it left.
    fn accept(&mut self, id: u32) -> std::result::Result<(), String>;
    /// Whether the text is complete and nothing may follow: the sequence then ends as by a stop token.
    fn is_complete(&self) -> bool;
}

/// What few sequences want of the sampler.
#[derive(Default)]
pub struct Wishes {
    /// Restricts the tokens.
    pub mask: Option<Box<dyn TokenMask>>,
    /// So many of the likeliest tokens are told with each token; 0 tells none.
    pub top: usize,
}

/// Chooses the tokens of one sequence.
pub(crate) struct Sampler {
    options: SamplingOptions,
    wishes: Wishes,
    /// Tokens of prompt and answer, kept only while a repetition penalty asks for them.
    seen: HashSet<u32>,
    /// Stop tokens, kept only beside a mask: they end the text and are no part of it.
    stops: Vec<u32>,
    /// Tokens chosen so far.
    chosen: u64,
}

impl Sampler {
    /// Refuses options out of range.
    pub(crate) fn new(options: &SamplingOptions, prompt: &[u32]) -> Result<Self> {
        let refuse =
            |option, value: f32, remedy| Err(Error::Option { option, value: value.to_string(), remedy });
        if !(options.temperature.is_finite() && options.temperature >= 0.0) {
            return refuse("temperature", options.temperature, "use 0 for greedy or a positive number");
        }
        if !(0.0..=1.0).contains(&options.top_p) {
            return refuse("top_p", options.top_p, "use a number from 0 to 1");
        }
        if !(options.repetition_penalty.is_finite() && options.repetition_penalty > 0.0) {
            return refuse(
                "repetition_penalty",
                options.repetition_penalty,
                "use 1 for none or a positive number",
            );
        }
        let seen =
            if options.repetition_penalty == 1.0 { HashSet::new() } else { prompt.iter().copied().collect() };
        let (options, wishes) = (options.clone(), Wishes::default());
        Ok(Sampler { options, wishes, stops: Vec::new(), seen, chosen: 0 })
    }

    /// The same sampler with wishes; `stops` are the tokens that end the text, which a mask is not told of.
    pub(crate) fn wishing(mut self, wishes: Wishes, stops: &[u32]) -> Self {
        self.stops = if wishes.mask.is_some() { stops.to_vec() } else { Vec::new() };
        self.wishes = wishes;
        self
    }

    /// Chooses a token; `position` is its index in the sequence, for errors.
    pub(crate) fn choose(&mut self, logits: &[f32], position: usize) -> Result<u32> {
        let plain = summarise(logits).map_err(|what| Error::Logits { position, what })?;
        let id = match &mut self.wishes.mask {
            None => self.pick(logits, plain),
            Some(mask) => {
                let mut allowed = logits.to_vec();
                mask.apply(&mut allowed).map_err(Error::Mask)?;
                let left = summarise(&allowed).map_err(|_| Error::Mask("it leaves no token".into()))?;
                let id = self.pick(&allowed, left);
                if let Some(mask) = self.wishes.mask.as_mut().filter(|_| !self.stops.contains(&id)) {
                    mask.accept(id).map_err(Error::Mask)?;
                }
                id
            }
        };
        if self.options.repetition_penalty != 1.0 {
            self.seen.insert(id);
        }
        self.chosen += 1;
        Ok(id)
    }

    /// The likeliest tokens under the unmodified distribution, as many as are wished for.
    pub(crate) fn likeliest(&self, logits: &[f32]) -> Vec<u32> {
        if self.wishes.top == 0 {
            return Vec::new();
        }
        let Ok(summary) = summarise(logits) else { return Vec::new() };
        let mut found = largest(logits, summary.max, self.wishes.top.min(logits.len()));
        found.truncate(self.wishes.top); // ties with the last one are left out
        found.into_iter().map(|candidate| candidate.id).collect()
    }

    /// Whether the mask lets nothing follow.
    pub(crate) fn is_complete(&self) -> bool {
        self.wishes.mask.as_ref().is_some_and(|mask| mask.is_complete())
    }

    fn pick(&self, logits: &[f32], plain: Summary) -> u32 {
        let greedy = self.options.temperature == 0.0;
        let penalised = self.options.repetition_penalty != 1.0;
        // Top-k keeps every token that ties with the k-th; greedy takes the lowest id.
        let certain = greedy || (self.options.top_k == 1 && !plain.tied);
        if certain && !penalised {
            return plain.argmax;
        }
        let scores = self.adjusted(logits);
        let summary = match &scores {
            Cow::Borrowed(_) if greedy => return plain.argmax,
            Cow::Borrowed(_) => return self.draw(logits, plain),
            Cow::Owned(scores) => summarise(scores),
        };
        match summary {
            Ok(summary) if greedy => summary.argmax,
            Ok(summary) => self.draw(&scores, summary),
            // A temperature or penalty near zero overflowed: its limit is the likeliest token.
            Err(_) => plain.argmax,
        }
    }

    /// The logits after repetition penalty and temperature.
    fn adjusted<'a>(&self, logits: &'a [f32]) -> Cow<'a, [f32]> {
        let mut scores = Cow::Borrowed(logits);
        let SamplingOptions { temperature, repetition_penalty: penalty, .. } = self.options;
        for &id in &self.seen {
            if let Some(&score) = logits.get(id as usize) {
                scores.to_mut()[id as usize] = if score < 0.0 { score * penalty } else { score / penalty };
            }
        }
        if temperature != 0.0 && temperature != 1.0 {
            scores.to_mut().iter_mut().for_each(|score| *score /= temperature);
        }
        scores
    }

    fn draw(&self, scores: &[f32], summary: Summary) -> u32 {
        let total = total_from(scores, summary.max);
        let uniform = uniform(self.options.seed, self.chosen);
        let Some(kept) = self.keep(scores, summary, total) else {
            return draw_from_all(scores, summary, total, uniform);
        };
        let weights = kept.iter().map(|candidate| candidate.weight);
        let mut left = uniform * weights.sum::<f64>();
        for candidate in &kept {
            left -= candidate.weight;
            if left < 0.0 {
                return candidate.id;
            }
        }
        // Rounding left a sliver: the last one that can come at all.
        let last = kept.iter().rev().find(|candidate| candidate.weight > 0.0);
        last.map_or(summary.argmax, |candidate| candidate.id)
    }

    /// What top-k and top-p leave, likeliest first; `None` when they leave everything.
    fn keep(&self, scores: &[f32], summary: Summary, total: f64) -> Option<Vec<Candidate>> {
        let top_p = f64::from(self.options.top_p);
        let cuts_k = self.options.top_k > 0 && self.options.top_k < scores.len();
        let mut kept = match (cuts_k, top_p < 1.0) {
            (true, _) => largest(scores, summary.max, self.options.top_k),
            (false, true) => heavier_than(scores, summary.max, top_p * total),
            (false, false) => return None,
        };
        if top_p < 1.0 {
            // Top-p weighs against what top-k left.
            let total = if cuts_k { kept.iter().map(|candidate| candidate.weight).sum() } else { total };
            let mut before = 0.0;
            let inside = kept.iter().take_while(|candidate| {
                let is_inside = before < top_p * total;
                before += candidate.weight;
                is_inside
            });
            let count = inside.count().max(1);
            kept.truncate(count);
        }
        Some(kept)
    }
}

/// The likeliest tokens, enough of them to weigh more than `mass`, without sorting the vocabulary.
fn heavier_than(scores: &[f32], max: f32, mass: f64) -> Vec<Candidate> {
    let mut depth = 8.0; // e^-8: a few hundred tokens in a trained model
    loop {
        let kept = at_least(scores, max, max - depth);
        // The slack is larger than the error of `total_from`, so that rounding cannot cut a token too early.
        let enough = kept.iter().map(|candidate| candidate.weight).sum::<f64>() > mass * (1.0 + 1e-6);
        if enough || depth > 200.0 {
            return kept;
        }
        depth *= 2.0;
    }
}

/// Inverse of the cumulative distribution over the whole vocabulary, in order of ids.
fn draw_from_all(scores: &[f32], summary: Summary, total: f64, uniform: f64) -> u32 {
    let mut left = uniform * total;
    let chunk = 1024;
    for (i, part) in scores.chunks(chunk).enumerate() {
        let weight = total_from(part, summary.max);
        if left >= weight {
            left -= weight;
            continue;
        }
        for (j, &score) in part.iter().enumerate() {
            left -= total_from(&[score], summary.max);
            if left < 0.0 {
                return (i * chunk + j) as u32;
            }
        }
    }
    // Rounding left a sliver at the end.
    summary.argmax
}

/// A number in [0, 1) from a seed and a counter: two rounds of the splitmix64 finaliser (Steele, Lea, Flood 2014).
fn uniform(seed: u64, counter: u64) -> f64 {
    let mixed = mix(mix(seed).wrapping_add(counter.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
#[path = "sampler_tests.rs"]
mod tests;
