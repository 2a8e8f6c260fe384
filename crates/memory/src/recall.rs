//! Finding: candidates by words and by meaning from the store, put in one order that knows the time. Two things hold
//! whatever the store does: nothing that ends after the clock comes out, and the order is total.

use std::collections::BTreeMap;

use firsthand_base::Moment;

use crate::cut::cut;
use crate::fold::plain;
use crate::intent::Order;
use crate::memory::encode;
use crate::store::Glance;
use crate::terms::{key, keys};
use crate::{
    By, Embed, Encoder, Error, Hit, Intent, Level, Memory, Parts, Query, RecordId, Result, Scope, Store,
};

/// Candidates of each kind for each hit asked for, and the fewest.
const CANDIDATES_PER_HIT: usize = 8;
const FEWEST_CANDIDATES: usize = 64;
/// Candidates when the order in time decides: the first of many may be a plain one.
const ORDERED_CANDIDATES: usize = 1024;
/// Words of a question that are looked at.
const MOST_TERMS: usize = 32;
/// Summaries cut by one clock: four levels of each wearer.
const MOST_CUTS: usize = 256;
/// What is left of a score when the time does not fit at all.
const WRONG_TIME: f32 = 0.15;
/// Of several things found, those this near to the best are the ones meant by "first" and "last".
const MEANT: f32 = 0.6;
/// What a word in a cut summary counts beside one in a short record: long texts hold many words by chance.
const LONG_TEXT: f32 = 0.8;

/// One candidate on its way.
struct Candidate {
    at: Glance,
    text: Option<f32>,
    vector: Option<f32>,
    /// The record itself, for a summary that the clock cut.
    cut: Option<crate::Record>,
    score: f32,
    time: Option<f32>,
}

impl Memory {
    /// What the memory knows about a question, best first: larger scores, then earlier starts, then smaller ids. Nothing
    /// that ends after `query.clock` is in it, and a summary that the clock cuts is made anew from what had ended. Without
    /// an encoder ([`Memory::attach`]) words alone decide.
    pub fn recall(&mut self, query: &Query) -> Result<Vec<Hit>> {
        let query = &self.with_wearer(query)?;
        let intent = self.intent(query)?;
        let clock = intent.clock;
        check(query, &intent)?;
        if intent.nothing().is_some() {
            return Ok(Vec::new());
        }
        let reads = query.by != By::Words && !intent.terms.is_empty();
        let vector = if reads { self.vector_of(&query.words)? } else { None };
        if vector.is_none() && query.by == By::Meaning {
            return Err(Error::Query("meaning needs vectors in the memory, and their encoder".into()));
        }
        let asked = Asked { query, intent, vector, clock };
        let mut candidates = asked.stored(&mut *self.store)?;
        if query.clock.is_some() {
            asked.cuts(&mut *self.store, self.embed.as_mut(), &mut candidates)?;
        }
        asked.score(&mut candidates);
        candidates.sort_by(|a, b| {
            b.score.total_cmp(&a.score).then((a.at.start, a.at.id).cmp(&(b.at.start, b.at.id)))
        });
        candidates.retain(|candidate| candidate.score > 0.0 && candidate.at.end <= clock);
        candidates.truncate(query.top);
        self.shown(candidates)
    }

    /// What a query says about time, read by its clock. Where all of that time is not there, nothing is found, and
    /// [`Intent::nothing`] says why.
    pub fn intent(&mut self, query: &Query) -> Result<Intent> {
        let clock = match query.clock {
            Some(clock) => clock,
            None => self.store.latest()?.unwrap_or_default(),
        };
        let mut intent = Intent::read(&query.words, clock, query.day_one);
        intent.terms.truncate(MOST_TERMS);
        Ok(intent)
    }

    /// The query with the wearer as the memory spells the name: it may be written in another Unicode form.
    fn with_wearer(&mut self, query: &Query) -> Result<Query> {
        let Some(name) = query.wearer.as_ref().filter(|name| !name.is_ascii()) else {
            return Ok(query.clone());
        };
        let known = self.store.counts()?.wearers;
        let same =
            known.keys().find(|other| plain(other) == plain(name)).filter(|_| !known.contains_key(name));
        Ok(Query { wearer: Some(same.unwrap_or(name).clone()), ..query.clone() })
    }

    /// The vector of the question; `None` without an encoder, or if the store has none to compare it with.
    fn vector_of(&mut self, words: &str) -> Result<Option<Vec<f32>>> {
        let Some(embed) = &mut self.embed else { return Ok(None) };
        let Some(kept) = self.store.encoder()? else { return Ok(None) };
        let given = Encoder { name: embed.name().into(), dimensions: embed.dimensions() };
        if kept != given {
            return Err(Error::Encoder { kept: kept.to_string(), given: given.to_string() });
        }
        Ok(encode(&mut **embed, &[words])?.pop())
    }

    fn shown(&mut self, candidates: Vec<Candidate>) -> Result<Vec<Hit>> {
        let ids: Vec<RecordId> =
            candidates.iter().filter(|found| found.cut.is_none()).map(|found| found.at.id).collect();
        let mut records: BTreeMap<RecordId, crate::Record> =
            self.store.get(&ids)?.into_iter().map(|record| (record.id, record)).collect();
        let mut hits = Vec::new();
        for found in candidates {
            let Some(record) = found.cut.or_else(|| records.remove(&found.at.id)) else { continue };
            let parts = Parts { text: found.text, vector: found.vector, time: found.time };
            hits.push(Hit { record, score: found.score, parts });
        }
        Ok(hits)
    }
}

/// Refuses a question that cannot be answered.
fn check(query: &Query, intent: &Intent) -> Result<()> {
    if query.words.trim().is_empty() {
        return Err(Error::Query("the question is empty; name a thing, a person or a time".into()));
    }
    if intent.terms.is_empty() && !intent.says_when() && intent.order.is_none() && intent.missed.is_empty() {
        let words: String = query.words.chars().take(60).collect();
        return Err(Error::Query(format!(
            "{words:?} has no word to look for; name a thing, a person or a time"
        )));
    }
    if query.top == 0 {
        return Err(Error::Query("no hits were asked for; ask for 1 or more".into()));
    }
    if let (Some(from), Some(to)) = (query.from, query.to)
        && from >= to
    {
        return Err(Error::Query(format!("{from} is not before {to}")));
    }
    Ok(())
}

/// A question with everything that is known about it.
struct Asked<'a> {
    query: &'a Query,
    intent: Intent,
    vector: Option<Vec<f32>>,
    clock: Moment,
}

impl Asked<'_> {
    fn scope(&self) -> Scope {
        let Query { level, wearer, from, to, clock, .. } = self.query;
        Scope { level: *level, wearer: wearer.clone(), from: *from, to: *to, ended_by: *clock }
    }

    /// The scope within a stretch of time; `None` if they do not meet.
    fn scope_within(&self, (from, to): (Moment, Moment)) -> Option<Scope> {
        let mut scope = self.scope();
        scope.from = Some(scope.from.map_or(from, |limit| limit.max(from)));
        scope.to = Some(scope.to.map_or(to, |limit| limit.min(to)));
        (scope.from < scope.to).then_some(scope)
    }

    /// Candidates among the stored records.
    fn stored(&self, store: &mut dyn Store) -> Result<Vec<Candidate>> {
        if self.intent.terms.is_empty() {
            return self.of_a_time(store);
        }
        let limit = match self.intent.order {
            Some(_) => ORDERED_CANDIDATES,
            None => FEWEST_CANDIDATES.max(self.query.top.saturating_mul(CANDIDATES_PER_HIT)),
        };
        // What fits the time may be far down among what fits the words: it is looked for on its own.
        let mut scopes = vec![self.scope()];
        scopes.extend(self.intent.hull().and_then(|hull| self.scope_within(hull)));
        let (mut texts, mut vectors) = (BTreeMap::new(), BTreeMap::new());
        for scope in &scopes {
            if self.query.by != By::Meaning {
                texts.extend(store.text_candidates(&self.intent.terms, scope, limit)?);
            }
            if let Some(vector) = &self.vector {
                vectors.extend(store.vector_candidates(vector, scope, limit)?);
            }
        }
        let share = self.best_share(store, &texts)?;
        let texts = relative(texts, share, 0.0);
        let full = vectors.len() >= limit;
        let floor = if full { vectors.values().copied().fold(1.0, f32::min).max(0.0) } else { 0.0 };
        let best = vectors.values().copied().fold(0.0, f32::max).clamp(0.0, 1.0);
        let nearness = relative(vectors.clone(), best, floor);
        let mut ids: Vec<RecordId> = texts.keys().chain(vectors.keys()).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        let found = store.glance(&ids)?.into_iter().map(|at| {
            let text = texts.get(&at.id).copied();
            let near = nearness.get(&at.id).copied();
            let score = self.relevance(text, near);
            Candidate { at, text, vector: vectors.get(&at.id).copied(), cut: None, score, time: None }
        });
        Ok(found.collect())
    }

    /// The share of the question's words that the best record by words holds: a best that holds one word of four is no
    /// good answer, and the score should say so.
    fn best_share(&self, store: &mut dyn Store, texts: &BTreeMap<RecordId, f32>) -> Result<f32> {
        let best = texts.iter().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(a.0)));
        let Some((id, _)) = best else { return Ok(0.0) };
        Ok(store.get(&[*id])?.first().map_or(0.0, |record| self.share(record)))
    }

    fn share(&self, record: &crate::Record) -> f32 {
        let known = keys(record).0;
        let mut wanted: Vec<String> = self.intent.terms.iter().map(|term| key(term)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let held = wanted.iter().filter(|key| known.contains_key(*key)).count();
        held as f32 / wanted.len().max(1) as f32
    }

    /// Words and meaning as one number; what was not asked does not count.
    fn relevance(&self, text: Option<f32>, near: Option<f32>) -> f32 {
        let (text, near) = (text.unwrap_or(0.0), near.unwrap_or(0.0));
        match (&self.vector, self.query.by) {
            (Some(_), By::Both) => 0.5 * text + 0.5 * near,
            (Some(_), _) => near,
            (None, _) => text,
        }
    }

    /// For a question about a time and nothing else: the records of that time.
    fn of_a_time(&self, store: &mut dyn Store) -> Result<Vec<Candidate>> {
        let day = Moment::DAY_MS;
        let hull = self.intent.hull().unwrap_or_else(|| match (self.intent.order, self.intent.hours) {
            (Some(Order::First), None) => (Moment::START, self.clock),
            // Hours of some day: the last day and the one before.
            _ => (self.clock.plus_ms(-2 * day), self.clock),
        });
        let Some(scope) = self.scope_within(hull) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for level in Level::ALL.into_iter().filter(|level| self.query.level.is_none_or(|only| only == *level))
        {
            // Level by level, so that a day's clips do not crowd out its summaries.
            let scope = Scope { level: Some(level), ..scope.clone() };
            found.extend(store.range(&scope, ORDERED_CANDIDATES)?);
        }
        let candidates = found.into_iter().map(|record| Candidate {
            at: Glance::of(&record),
            text: None,
            vector: None,
            cut: None,
            score: 1.0,
            time: None,
        });
        Ok(candidates.collect())
    }

    /// Summaries that the clock cuts, as they were at the clock.
    fn cuts(
        &self,
        store: &mut dyn Store,
        embed: Option<&mut Box<dyn Embed + Send>>,
        candidates: &mut Vec<Candidate>,
    ) -> Result<()> {
        if self.query.level == Some(Level::Clip) {
            return Ok(());
        }
        let across = Scope { from: Some(self.clock), to: Some(self.clock), ended_by: None, ..self.scope() };
        let mut cuts = Vec::new();
        for summary in store.range(&across, MOST_CUTS)? {
            if summary.level == Level::Clip {
                continue;
            }
            let partial = cut(store, &summary, self.clock)?;
            cuts.extend(partial.filter(|record| self.scope().holds(record)));
        }
        let mut nearness = vec![None; cuts.len()];
        if let (Some(vector), Some(embed)) = (&self.vector, embed) {
            let texts: Vec<&str> = cuts.iter().map(|record| record.text.as_str()).collect();
            let vectors = encode(&mut **embed, &texts)?;
            nearness = vectors.iter().map(|other| Some(cosine(vector, other))).collect();
        }
        let ids: Vec<RecordId> = cuts.iter().map(|record| record.id).collect();
        let stored = store.glance(&ids)?;
        for ((record, vector), stored) in cuts.into_iter().zip(nearness).zip(stored) {
            let share = LONG_TEXT * self.share(&record);
            let text = (!self.intent.terms.is_empty() && share > 0.0).then_some(share);
            let score = match self.intent.terms.is_empty() {
                true => 1.0,
                false => self.relevance(text, vector.map(|cosine: f32| cosine.max(0.0))),
            };
            candidates.push(Candidate {
                at: Glance { end: record.end, ..stored },
                text,
                vector,
                cut: Some(record),
                score,
                time: None,
            });
        }
        Ok(())
    }

    /// Lets the time shape the scores.
    fn score(&self, candidates: &mut [Candidate]) {
        if self.intent.says_when() {
            for found in candidates.iter_mut() {
                let fit = self.intent.fit(found.at.start, found.at.end);
                found.time = Some(fit);
                found.score *= match self.intent.terms.is_empty() {
                    true => fit * (0.5 + 0.5 * self.intent.coverage(found.at.start, found.at.end)),
                    false => WRONG_TIME + (1.0 - WRONG_TIME) * fit,
                };
            }
        }
        if let Some(order) = self.intent.order {
            in_order(candidates, order);
        }
    }
}

/// Scores relative to the best, which becomes `best`; `floor` becomes 0.
fn relative(scores: BTreeMap<RecordId, f32>, best: f32, floor: f32) -> BTreeMap<RecordId, f32> {
    let most = scores.values().copied().fold(floor, f32::max);
    let width = (most - floor).max(f32::MIN_POSITIVE);
    scores.into_iter().map(|(id, score)| (id, best * ((score - floor) / width).clamp(0.0, 1.0))).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { dot(a, b) / lengths } else { 0.0 }
}

/// Puts the earliest or latest of what was found well in front. A summary counts from the finer record in it that was
/// found as well: "the first time" is told by the clip, not by the day that holds it.
fn in_order(candidates: &mut [Candidate], order: Order) {
    let best = candidates.iter().map(|found| found.score).fold(0.0, f32::max);
    let meant: Vec<usize> = (0..candidates.len()).filter(|i| candidates[*i].score >= MEANT * best).collect();
    let key = |i: usize| {
        let at = &candidates[i].at;
        let within = meant.iter().map(|j| &candidates[*j].at).filter(|other| {
            other.level < at.level
                && other.wearer == at.wearer
                && other.start >= at.start
                && other.end <= at.end
        });
        let times = within.map(|other| match order {
            Order::First => other.start.ms(),
            Order::Last => -other.end.ms(),
        });
        let own = match order {
            Order::First => at.start.ms(),
            Order::Last => -at.end.ms(),
        };
        (times.min().unwrap_or(own), at.level, at.id)
    };
    let mut ranked: Vec<((i64, Level, RecordId), usize)> = meant.iter().map(|&i| (key(i), i)).collect();
    ranked.sort_unstable();
    let count = ranked.len().max(1) as f32;
    for found in candidates.iter_mut() {
        // Below everything that is meant, which ends at MEANT of the best.
        found.score *= 0.9;
    }
    for (place, (_, i)) in ranked.into_iter().enumerate() {
        let early = 1.0 - place as f32 / count;
        candidates[i].score = best * (MEANT + (1.0 - MEANT) * early);
        candidates[i].time = Some(candidates[i].time.unwrap_or(early));
    }
}
