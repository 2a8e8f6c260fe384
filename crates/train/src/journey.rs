//! A run on its way: the steps of each phase, what makes their gradients, the update, the metrics and the checkpoints.
//! What a run is made of and how it begins and ends is `run`'s.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use firsthand_base::Begun;
use firsthand_input::Renderer;
use firsthand_model::{Model, Precision};

use crate::checkpoint::{State, Store};
use crate::data::BadRow;
use crate::error::{Result, TrainError};
use crate::features::Features;
use crate::feed::{Feed, Purpose, Step};
use crate::guard::{Guard, Verdict};
use crate::left_out::{Found, LEFT_OUT, LeftOut};
use crate::metrics::{Metrics, Record};
use crate::optimizer::{self, Optimizer};
use crate::phase::{self, Made, Passes};
use crate::recipe::{DtypeRecipe, MatmulRecipe, PhaseRecipe, Rates, Recipe};
use crate::rl::{Algorithm, Critic, Drawn, HeldOut, Learner, Round, Stage, show};
use crate::run::{Data, Run, Watch};
use crate::vision_words::{Pairs, VisionWords};

/// A run on its way.
pub(crate) struct Journey<'a> {
    pub(crate) run: &'a Run,
    pub(crate) store: &'a Store,
    pub(crate) watch: &'a mut dyn Watch,
    pub(crate) metrics: Metrics,
    pub(crate) state: State,
    pub(crate) features_bytes: u64,
    /// Rows that cannot be used.
    pub(crate) left_out: LeftOut,
    /// Reasons why tools failed that were told.
    pub(crate) told: HashSet<String>,
}

/// What makes the gradients of a phase.
enum Work {
    Rows { feed: Feed, features: Option<Features> },
    Pairs { words: VisionWords, pairs: Pairs },
    Rollouts { feed: Feed, learner: Box<Learner>, held_out: Option<Box<HeldOut>>, round: Box<Round> },
}

impl Journey<'_> {
    /// One phase from where the state is to its end.
    pub(crate) fn phase(
        &mut self,
        phase: &PhaseRecipe,
        model: &mut Model,
        renderer: &Arc<Renderer>,
        mut optimizer: Optimizer,
    ) -> Result<()> {
        let run = self.run;
        let steps = run.steps(self.state.phase);
        let schedule = phase.schedule_of(steps);
        let trained = phase::trained(model, phase, run.recipe.adapter.is_some())?;
        let wanted: HashSet<String> = trained.iter().map(|parameter| parameter.key.clone()).collect();
        let passes = Passes { phase, wanted: &wanted, precision: precision(&run.recipe) };
        let mut work = self.work(phase, model, renderer, steps)?;
        let mut last = Instant::now();
        while self.state.step < steps {
            self.measure(phase, model, renderer, &mut work, None)?;
            let factor = schedule.factor(self.state.step);
            let mut taken = None;
            for update in 0..self.begin(phase, model, renderer, &mut work)? {
                let made = self.make(&passes, model, renderer, &mut work, update)?;
                let norm = optimizer::global_norm(made.gradients.values())?;
                let at = (phase.name.as_str(), self.state.step + 1);
                // A policy's loss rises and falls around zero whether it learns or not.
                let is_policy = matches!(work, Work::Rollouts { .. }) && made.loss.is_finite();
                let loss = if is_policy { 0.0 } else { made.loss };
                let verdict = self.state.guard.judge(at, loss, norm, phase.max_skipped)?;
                if verdict == Verdict::Take {
                    self.watch.stage(Stage::Update);
                    let scale = optimizer::clip(norm, phase.clip);
                    phase::update(model, &mut optimizer, phase, &trained, &made.gradients, (factor, scale))?;
                }
                taken = Some((made, norm));
            }
            let (made, norm) = taken.expect("a step has an update");
            let seconds = last.elapsed().as_secs_f64();
            last = Instant::now();
            self.advance(phase, &made, norm, factor, seconds, optimizer.steps)?;
            let is_last = self.state.step == steps;
            if is_last {
                self.measure(phase, model, renderer, &mut work, Some(steps))?;
                self.enter_next_phase();
            }
            let stop = self.watch.stop();
            if stop || is_last || self.state.total_step.is_multiple_of(run.recipe.save.every) {
                let dir = self.save(model, (!is_last).then_some(&optimizer))?;
                last = Instant::now();
                if stop {
                    return Err(TrainError::Stopped { step: self.state.total_step, checkpoint: dir });
                }
            }
            if is_last {
                break;
            }
        }
        Ok(())
    }

    fn enter_next_phase(&mut self) {
        self.state.skipped += self.state.guard.skipped;
        self.state.guard = Guard::default();
        self.state.phase += 1;
        (self.state.step, self.state.optimizer_steps, self.state.draws) = (0, 0, 0);
        self.state.critic = None;
    }

    fn work(&self, phase: &PhaseRecipe, model: &Model, renderer: &Arc<Renderer>, steps: u64) -> Result<Work> {
        let feed = |data: &Data, purpose, range| {
            Feed::start(data.clone(), renderer.clone(), purpose, phase.step_items(), range)
        };
        Ok(match (&self.run.data[self.state.phase], &phase.pairs, &phase.rl) {
            (Some(data), _, Some(rl)) => {
                let draws = steps * (1 + rl.refill as u64);
                let range = (self.state.draws, draws.max(self.state.draws));
                let asking = self.run.asking(self.state.phase, renderer)?;
                let environments = asking.environments.clone();
                let feed = feed(data, Purpose::Ask(asking), range);
                let Rates { vision, merger, .. } = phase.learning_rate;
                let mut learner = Learner::new(
                    rl,
                    renderer,
                    self.run.reference(rl)?,
                    self.run.recipe.seed,
                    precision(&self.run.recipe),
                    vision == 0.0 && merger == 0.0,
                )?;
                learner.sampler.clone_from(&self.run.sampler);
                learner.environments = environments;
                learner.report = self.run.report.clone();
                if rl.algorithm == Algorithm::Ppo {
                    let fresh = || Critic::new(model.config.decoder().hidden_size);
                    learner.critic = Some(self.state.critic.clone().unwrap_or_else(fresh));
                }
                let held_out = self.run.held_out(self.state.phase, renderer, self.state.step)?.map(Box::new);
                Work::Rollouts { feed, learner: Box::new(learner), held_out, round: Box::default() }
            }
            (Some(data), _, None) => {
                // An earlier program did not count; it drew once for each step.
                let first = self.state.draws.max(self.state.step);
                let feed = feed(data, Purpose::Learn, (first, first + (steps - self.state.step)));
                let folder = self.run.recipe.output.join("cache/features");
                let features =
                    phase.cache_features.then(|| Features::new(&folder, self.features_bytes)).transpose()?;
                Work::Rows { feed, features }
            }
            (None, Some(pairs), _) => {
                let words = VisionWords::new(model, renderer)?;
                // Each batch of an accumulated step is drawn by itself.
                let first = self.state.step * phase.accumulate as u64;
                Work::Pairs { words, pairs: Pairs::start(pairs, phase.batch, first)? }
            }
            (None, None, _) => unreachable!("the recipe was checked: a phase has rows or pairs"),
        })
    }

    /// What a step does before its updates; gives their number.
    fn begin(
        &mut self,
        phase: &PhaseRecipe,
        model: &mut Model,
        renderer: &Renderer,
        work: &mut Work,
    ) -> Result<usize> {
        let (Work::Rollouts { feed, learner, round, .. }, Some(rl)) = (work, &phase.rl) else { return Ok(1) };
        if let Some(sampler) = &self.run.sampler {
            let folder =
                self.store.write_sampled(|dir| self.run.write_model(model, dir, DtypeRecipe::Auto))?;
            sampler.take(&folder, self.state.total_step).map_err(TrainError::Setup)?;
        }
        let drawn = self.draw(feed, learner, (model, renderer), (phase.batch, rl.refill))?;
        **round = learner.round(model, drawn, phase.batch)?;
        if rl.show_every > 0 && self.state.step.is_multiple_of(rl.show_every) {
            show::write(&self.run.recipe.output.join("rollouts"), self.state.total_step + 1, &round.groups)?;
        }
        Ok(rl.updates * rl.minibatches)
    }

    /// Judged samples of prompts for a step of `batch` groups. Groups without variance are replaced while `refill`
    /// allows; where no group could be judged, the next prompts are drawn.
    fn draw(
        &mut self,
        feed: &mut Feed,
        learner: &Learner,
        (model, renderer): (&Model, &Renderer),
        (batch, refill): (usize, usize),
    ) -> Result<Vec<Drawn>> {
        let (first, mut drawn, mut teaching) = (feed.next(), Vec::new(), 0);
        loop {
            let step = self.rows(feed)?;
            let mut stage = |stage| self.watch.stage(stage);
            let draw = learner.draw(model, renderer, &step.rows, step.number, &mut stage)?;
            // The metrics reward_failures and environment_failures count them all.
            for bad in &draw.failures {
                self.leave_out(bad, Found::Judging)?;
            }
            for reason in &draw.broken {
                if self.told.insert(reason.clone()) {
                    self.watch.note(&format!("tools failed: {reason}"));
                }
            }
            teaching += draw.groups.iter().filter(|group| learner.teaches(group)).count();
            drawn.push(draw);
            let is_judged = drawn.iter().any(|draw| !draw.groups.is_empty());
            if teaching >= batch || (is_judged && drawn.len() > refill) {
                return Ok(drawn);
            }
            if !is_judged && feed.has_shown_all(first) {
                let bad = drawn.iter().flat_map(|draw| &draw.failures).next();
                return Err(self.nothing_left(feed, bad, "could be judged"));
            }
            if drawn.len() > refill {
                feed.replace();
            }
        }
    }

    /// Asks the held-out questions where their time has come: `last` is the phase's length after its last step.
    fn measure(
        &mut self,
        phase: &PhaseRecipe,
        model: &Model,
        renderer: &Renderer,
        work: &mut Work,
        last: Option<u64>,
    ) -> Result<()> {
        let Work::Rollouts { learner, held_out: Some(held_out), .. } = work else { return Ok(()) };
        let every = phase.rl.as_ref().and_then(|rl| rl.held_out.as_ref()).map_or(0, |h| h.every);
        let step = last.unwrap_or(self.state.step);
        let is_due = last.is_some() || step == 0 || (every > 0 && step.is_multiple_of(every));
        if is_due && !held_out.knows(step) {
            let best = held_out.best().cloned();
            let report = self.run.report.clone();
            let leave_out = &mut |bad: &BadRow| self.leave_out(bad, Found::HeldOut);
            let at = (step, last.is_some());
            let found = held_out.measure(learner, (model, renderer), at, &*report, leave_out)?;
            if let (Some(_), Some(change)) = (last, held_out.change()) {
                self.watch.note(&change.told());
            }
            let [low, high] = found.interval;
            self.watch.note(&format!(
                "held out after {step} steps: {:.3} right ({low:.3} to {high:.3}) of {}, reward {:.3}",
                found.value, found.items, found.reward
            ));
            match best {
                Some(best) if found.is_collapse_of(&best) => {
                    let kept = if best.step == 0 { self.run.start.clone() } else { self.store.best_dir() };
                    return Err(TrainError::Collapsed { step, best: best.value, now: found.value, kept });
                }
                Some(best) if every > 0 && found.value > best.value => {
                    self.store.write_best(|dir| self.run.write_model(model, dir, DtypeRecipe::Auto))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The rows of the next step that has some. Those that cannot be used are written down.
    fn rows(&mut self, feed: &mut Feed) -> Result<Step> {
        let (first, mut worst) = (feed.next(), None);
        loop {
            let step = feed.next_step()?;
            self.state.draws = feed.next();
            for bad in &step.bad {
                self.leave_out(bad, Found::Opening)?;
            }
            if !step.rows.is_empty() {
                return Ok(step);
            }
            worst = worst.or(step.bad.into_iter().next());
            if feed.has_shown_all(first) {
                return Err(self.nothing_left(feed, worst.as_ref(), "can be used"));
            }
            feed.replace();
        }
    }

    /// Writes down that a row is not used and why, and tells it where it is new.
    pub(crate) fn leave_out(&mut self, bad: &BadRow, found: Found) -> Result<()> {
        self.run.refuse(std::slice::from_ref(bad))?;
        if self.left_out.add(bad, found)? {
            self.watch.note(&format!("left out: {bad}"));
        }
        Ok(())
    }

    /// Why a run cannot go on after a whole pass over the data.
    fn nothing_left(&self, feed: &Feed, first: Option<&BadRow>, what: &str) -> TrainError {
        let first = first.map_or_else(String::new, |bad| format!("; the first: {bad}"));
        TrainError::Data(format!(
            "none of {} rows of a whole pass {what}{first}; the others are in {}",
            feed.rows(),
            self.run.recipe.output.join(LEFT_OUT).display()
        ))
    }

    /// Loss and gradients of an update of the step.
    fn make(
        &mut self,
        passes: &Passes<'_>,
        model: &Model,
        renderer: &Renderer,
        work: &mut Work,
        update: usize,
    ) -> Result<Made> {
        match work {
            Work::Rows { feed, features } => {
                let step = self.rows(feed)?;
                let made = passes.rows(model, &step.rows, features.as_mut())?;
                if features.is_some() {
                    step.rows.iter().for_each(|row| feed.remember(row));
                }
                Ok(made)
            }
            Work::Pairs { words, pairs } => passes.pairs(model, renderer, words, pairs),
            Work::Rollouts { learner, round, .. } => {
                let Passes { phase, wanted, .. } = passes;
                self.watch.stage(Stage::Backward);
                let none = HashSet::new();
                let warms_up = phase.rl.as_ref().is_some_and(|rl| self.state.step < rl.critic_warm_up);
                let wanted = if learner.critic.is_some() && warms_up { &none } else { *wanted };
                let made =
                    learner.update(model, round, update, (wanted, phase.pass_tokens, phase.recompute))?;
                self.state.critic.clone_from(&learner.critic);
                Ok(made)
            }
        }
    }

    /// Counts a step and writes its metrics.
    fn advance(
        &mut self,
        phase: &PhaseRecipe,
        made: &Made,
        norm: f64,
        factor: f64,
        seconds: f64,
        optimizer_steps: u64,
    ) -> Result<()> {
        let state = &mut self.state;
        state.step += 1;
        state.total_step += 1;
        state.optimizer_steps = optimizer_steps;
        state.tokens += made.tokens;
        state.seconds += seconds;
        let Rates { vision, merger, language, named } = phase.learning_rate;
        let learning_rate =
            Rates { vision: factor * vision, merger: factor * merger, language: factor * language, named };
        let finite = |value: f64| value.is_finite().then_some(value);
        let record = Record {
            step: state.total_step,
            phase: phase.name.clone(),
            phase_step: state.step,
            loss: finite(made.loss),
            learning_rate,
            gradient_norm: finite(norm),
            tokens: made.tokens,
            scored: made.scored,
            tokens_per_second: made.tokens as f64 / seconds.max(1e-9),
            skipped: state.skipped + state.guard.skipped,
            more: made.more.clone(),
        };
        if state.total_step.is_multiple_of(self.run.recipe.log.every) {
            self.metrics.write(&record)?;
        }
        self.watch.step(&record);
        Ok(())
    }

    fn save(&mut self, model: &Model, optimizer: Option<&Optimizer>) -> Result<PathBuf> {
        let run = self.run;
        let _writing = Begun::working(&*run.report, "writing a checkpoint");
        self.state.metrics = self.metrics.sync()?;
        let write = |dir: &Path| {
            run.write_model(model, dir, DtypeRecipe::Auto)?;
            self.watch.stage(Stage::Checkpoint);
            Ok(())
        };
        let dir = self.store.write(&self.state, optimizer, run.recipe.save.keep, write)?;
        self.watch.saved(&dir);
        Ok(dir)
    }
}

/// What products round to.
fn precision(recipe: &Recipe) -> Precision {
    match recipe.model.matmul {
        MatmulRecipe::F32 => Precision::F32,
        MatmulRecipe::Auto | MatmulRecipe::Bf16 => Precision::Bf16,
    }
}
