//! Shots with questions, world after world, without files: what a trainer or an evaluation reads.

use super::family::{Family, Scope};
use super::moments::moment;
use super::question::Question;
use super::shot::Shot;
use super::{ask, days};
use crate::clip::ClipOptions;
use crate::error::Result;
use crate::rng::Rng;
use crate::world::World;

/// Draws of one family about one shot before giving up.
const DRAWS: usize = 4;
/// Moments looked at for one shot before giving up.
const MOMENTS: usize = 40;

/// What to take from each world.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Families to ask; those about days need `lived` of several days.
    pub families: Vec<Family>,
    /// Single pictures per world.
    pub frames: usize,
    /// Clips per world.
    pub clips: usize,
    /// Questions about days per world.
    pub days: usize,
    /// Length of a clip, seconds.
    pub seconds: f64,
    /// Most questions per picture or clip.
    pub questions: usize,
    /// Days that each world is lived.
    pub lived: u32,
    /// How pictures are drawn; the rate is that of samples.
    pub options: ClipOptions,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            families: Family::ALL.to_vec(),
            frames: 20,
            clips: 20,
            days: 10,
            seconds: 4.0,
            questions: 5,
            lived: 7,
            options: ClipOptions::default(),
        }
    }
}

/// One medium with what is asked about it.
pub struct Batch {
    /// The world's seed.
    pub seed: u64,
    /// The drawn medium; `None` for questions about days.
    pub shot: Option<Shot>,
    /// The questions, at least one.
    pub questions: Vec<Question>,
}

/// Shots with questions from worlds of these seeds, in order: the same for the same seeds and plan.
pub fn sample<I: IntoIterator<Item = u64>>(seeds: I, plan: Plan) -> Sampler<I::IntoIter> {
    Sampler { seeds: seeds.into_iter(), plan, now: None }
}

/// Iterator over shots with questions.
pub struct Sampler<I> {
    seeds: I,
    plan: Plan,
    now: Option<Desk>,
}

/// Work on one world.
struct Desk {
    world: World,
    rng: Rng,
    frames: usize,
    clips: usize,
    days: usize,
    /// Questions so far, by place in the plan's families.
    counts: Vec<usize>,
}

impl<I: Iterator<Item = u64>> Iterator for Sampler<I> {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        loop {
            if let Some(desk) = &mut self.now {
                match desk.batch(&self.plan) {
                    Ok(Some(batch)) => return Some(Ok(batch)),
                    Ok(None) => self.now = None,
                    Err(error) => {
                        self.now = None;
                        return Some(Err(error));
                    }
                }
            }
            let seed = self.seeds.next()?;
            match World::lived(seed, self.plan.lived) {
                Ok(world) => self.now = Some(Desk::new(world, &self.plan)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Desk {
    fn new(world: World, plan: &Plan) -> Desk {
        let rng = Rng::new(world.seed).branch("questions");
        let counts = vec![0; plan.families.len()];
        Desk { world, rng, frames: plan.frames, clips: plan.clips, days: plan.days, counts }
    }

    /// The next medium with questions; `None` when the world has given what the plan wants.
    fn batch(&mut self, plan: &Plan) -> Result<Option<Batch>> {
        for (scope, left) in
            [(Scope::Frame, self.frames), (Scope::Clip, self.clips), (Scope::Days, self.days)]
        {
            for _ in 0..left {
                let batch = match scope {
                    Scope::Days => self.recall(plan),
                    _ => self.drawn(plan, scope)?,
                };
                match scope {
                    Scope::Frame => self.frames -= 1,
                    Scope::Clip => self.clips -= 1,
                    Scope::Days => self.days -= 1,
                }
                if batch.is_some() {
                    return Ok(batch);
                }
            }
        }
        Ok(None)
    }

    /// Families of a scope, those with the fewest questions first.
    fn rarest(&mut self, plan: &Plan, scope: Scope) -> Vec<usize> {
        let mut order: Vec<usize> =
            (0..plan.families.len()).filter(|&i| plan.families[i].scope() == scope).collect();
        self.rng.shuffle(&mut order);
        order.sort_by_key(|&i| self.counts[i]);
        order
    }

    /// A picture or clip chosen for the rarest family; others are asked about it too.
    fn drawn(&mut self, plan: &Plan, scope: Scope) -> Result<Option<Batch>> {
        let seconds = if scope == Scope::Clip { plan.seconds } else { 0.0 };
        for _ in 0..MOMENTS {
            let order = self.rarest(plan, scope);
            let Some(&first) = order.first() else { return Ok(None) };
            // Now and then the second or third, so that one barren family does not stall the others.
            let lead = order.get(self.rng.below(3)).copied().unwrap_or(first);
            let Some(m) = moment(&self.world, plan.families[lead], seconds, &mut self.rng) else { continue };
            let shot = match scope {
                Scope::Frame => Shot::frame(&self.world, m.day, m.start_s, &plan.options)?,
                _ => Shot::clip(&self.world, m.day, m.start_s, m.seconds, &plan.options)?,
            };
            let questions = self.questions(plan, &shot, &order);
            if !questions.is_empty() {
                return Ok(Some(Batch { seed: self.world.seed, shot: Some(shot), questions }));
            }
        }
        Ok(None)
    }

    fn questions(&mut self, plan: &Plan, shot: &Shot, order: &[usize]) -> Vec<Question> {
        let mut questions: Vec<Question> = Vec::new();
        for _ in 0..DRAWS {
            for &i in order {
                if questions.len() == plan.questions {
                    return questions;
                }
                let Some(question) = ask(&self.world, shot, plan.families[i], &mut self.rng) else {
                    continue;
                };
                let known = |q: &Question| q.family == question.family && q.kind == question.kind;
                if !questions.iter().any(known) {
                    self.counts[i] += 1;
                    questions.push(question);
                }
            }
        }
        questions
    }

    fn recall(&mut self, plan: &Plan) -> Option<Batch> {
        for _ in 0..MOMENTS {
            let order = self.rarest(plan, Scope::Days);
            let lead = *order.first()?;
            let lead = order.get(self.rng.below(3)).copied().unwrap_or(lead);
            if let Some(question) = days::recall(&self.world, plan.families[lead], &mut self.rng) {
                self.counts[lead] += 1;
                return Some(Batch { seed: self.world.seed, shot: None, questions: vec![question] });
            }
        }
        None
    }
}
