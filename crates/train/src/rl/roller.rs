//! Completions of prompts from the model that learns, through the same engine that answers anybody. Whatever runs
//! beside a sample, it depends on the weights, its prompt, its seed and what its environment says alone. Environments
//! answer on threads of their own, so that the engine goes on with the others.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use candle_core::Tensor;
use firsthand_base::{Digest, Finish, ModelInput, Report, SamplingOptions, StopRules};
use firsthand_engine::{Engine, EngineOptions, Event, Runner, SequenceId, Summary};
use firsthand_model::layers::CacheType;
use firsthand_model::{CacheOptions, Model, ModelRunner, Order, Precision};

use super::environment::{Cost, Environment, Heard};
use super::rollout::{End, Rollout};
use super::trajectory::{Tooling, Trajectory};
use crate::data::Row;
use crate::error::{Result, TrainError};

/// Tokens of a block of the cache.
const BLOCK: usize = 16;
/// Most tokens of one pass.
const STEP_TOKENS: usize = 2048;

/// A prompt and how its samples are drawn.
pub struct Wanted<'a> {
    /// What is asked.
    pub input: &'a ModelInput,
    /// Where it comes from; environments are made of it.
    pub row: &'a Row,
    /// One for each sample.
    pub samplings: Vec<SamplingOptions>,
}

/// How rollouts are made.
pub struct Roller<'a> {
    /// Samples at the same time.
    pub parallel: usize,
    /// What ends a sample, or a turn of one.
    pub stop: StopRules,
    /// What products round to.
    pub precision: Precision,
    /// Features of the prompts' media that are known already.
    pub features: &'a HashMap<Digest, Tensor>,
    /// Is told of each sample that is over.
    pub report: &'a dyn Report,
    /// Whoever the samples talk to.
    pub tooling: Option<Tooling<'a>>,
}

impl Roller<'_> {
    /// All samples of all prompts, in order. The samples of a prompt wait for its first one, so that the prompt is
    /// computed once.
    pub fn roll(&self, model: &Model, wanted: &[Wanted<'_>]) -> Result<Vec<Vec<Rollout>>> {
        let longest = wanted.iter().map(|want| want.input.ids.len()).max().unwrap_or(0);
        // Room for every sample that runs, as if none shared anything.
        let each = self.tooling.map_or(longest + self.stop.max_tokens, |tooling| tooling.context);
        let tokens = self.parallel * (each + BLOCK);
        let cache = CacheOptions { block_tokens: BLOCK, tokens, kind: CacheType::F32 };
        let mut runner = ModelRunner::new(model, cache);
        runner.know(self.features);
        let options = EngineOptions {
            step_tokens: STEP_TOKENS.max(self.parallel),
            max_sequences: self.parallel,
            ..EngineOptions::default()
        };
        let engine = Engine::new(runner, options).map_err(failed)?;
        let (sender, returned) = channel();
        let fresh = |want: &Wanted<'_>| want.samplings.iter().map(|_| Trajectory::default()).collect();
        let mut work = Work {
            engine,
            roller: self,
            wanted,
            open: BTreeMap::new(),
            all: wanted.iter().map(fresh).collect(),
            waiting: BTreeMap::new(),
            sender,
            returned,
        };
        self.precision.scope(|| Order::One.scope(|| work.run()))?;
        let rollouts = |all: Vec<Trajectory>| all.into_iter().map(|one| one.rollout).collect();
        Ok(work.all.into_iter().map(rollouts).collect())
    }
}

/// Which prompt and which of its samples.
type Place = (usize, usize);

/// An environment that comes back with what it says.
struct Returned {
    place: Place,
    environment: Box<dyn Environment>,
    heard: Heard,
}

struct Work<'a, R: Runner> {
    engine: Engine<R>,
    roller: &'a Roller<'a>,
    wanted: &'a [Wanted<'a>],
    open: BTreeMap<SequenceId, Place>,
    all: Vec<Vec<Trajectory>>,
    /// Until when environments that are at work may take.
    waiting: BTreeMap<Place, Instant>,
    sender: Sender<Returned>,
    returned: Receiver<Returned>,
}

impl<R: Runner> Work<'_, R> {
    fn run(&mut self) -> Result<()> {
        for prompt in 0..self.wanted.len() {
            self.begin((prompt, 0))?;
        }
        loop {
            while let Ok(returned) = self.returned.try_recv() {
                self.hear(returned)?;
            }
            self.give_up_on_the_late();
            if !self.engine.is_idle() {
                self.step()?;
            } else if let Some(until) = self.waiting.values().min() {
                let left = until.saturating_duration_since(Instant::now());
                if let Ok(returned) = self.returned.recv_timeout(left.max(Duration::from_millis(1))) {
                    self.hear(returned)?;
                }
            } else {
                return Ok(());
            }
        }
    }

    fn step(&mut self) -> Result<()> {
        let renderer = self.roller.tooling.map(|tooling| tooling.renderer);
        let mut whole = Vec::new();
        for event in self.engine.step() {
            match event {
                Event::Token { sequence, id, logprob, .. } => {
                    let place @ (prompt, sample) = self.open[&sequence];
                    let trajectory = &mut self.all[prompt][sample];
                    if trajectory.token(id, logprob, renderer) {
                        whole.push(sequence);
                    }
                    if trajectory.is_new() {
                        self.begin_others(place)?;
                    }
                }
                Event::Finished { sequence, finish, summary } => {
                    self.close(sequence, finish == Finish::Stop, summary);
                }
                Event::Failed { error, .. } => return Err(failed(error)),
            }
        }
        for sequence in whole {
            // `None` where the token that made the action whole was the last one allowed.
            if let Some(summary) = self.engine.cancel(sequence) {
                self.close(sequence, true, summary);
            }
        }
        Ok(())
    }

    /// Begins a sample, with an environment of its own.
    fn begin(&mut self, place @ (prompt, sample): Place) -> Result<()> {
        let Some(tooling) = self.roller.tooling else { return self.submit(place) };
        match tooling.environments.open(self.wanted[prompt].row) {
            Ok(environment) => {
                self.all[prompt][sample].environment = Some(environment);
                self.submit(place)
            }
            Err(reason) => {
                self.end(place, End::Failed(reason));
                self.begin_others(place)
            }
        }
    }

    /// Begins the samples that waited for their prompt's first one.
    fn begin_others(&mut self, (prompt, sample): Place) -> Result<()> {
        if sample > 0 {
            return Ok(());
        }
        (1..self.all[prompt].len()).try_for_each(|other| self.begin((prompt, other)))
    }

    fn submit(&mut self, place @ (prompt, sample): Place) -> Result<()> {
        let (want, trajectory) = (&self.wanted[prompt], &mut self.all[prompt][sample]);
        let mut stop = self.roller.stop.clone();
        if let Some(tooling) = self.roller.tooling {
            stop.max_tokens = trajectory.room(want.input.ids.len(), stop.max_tokens, tooling.context);
            if stop.max_tokens == 0 {
                let is_first = trajectory.turns() == 0;
                self.end(place, End::Full);
                return if is_first { self.begin_others(place) } else { Ok(()) };
            }
        }
        let sampling = trajectory.begin(&want.samplings[sample]);
        let id = self.engine.submit(trajectory.input(want.input), &sampling, &stop).map_err(failed)?;
        self.open.insert(id, place);
        Ok(())
    }

    /// A sample, or a turn of one, is over: without tools it is done, with them its environment is asked.
    fn close(&mut self, sequence: SequenceId, is_finished: bool, summary: Summary) {
        let place @ (prompt, sample) = self.open.remove(&sequence).expect("what ends was open");
        let trajectory = &mut self.all[prompt][sample];
        let Some(tooling) = self.roller.tooling else {
            self.roller.report.advance(1);
            return trajectory.close(is_finished);
        };
        let (text, cost) = trajectory.close_turn(tooling.renderer, &self.roller.stop.tokens);
        let dialogue = trajectory.dialogue();
        if dialogue.turns.len() > 1 {
            dialogue.context_tokens[0] += summary.prompt_tokens;
            dialogue.context_tokens[1] += summary.cached_tokens;
        }
        let environment = trajectory.environment.take().expect("it is here while the model speaks");
        let wait = Duration::try_from_secs_f64(tooling.wait_s).unwrap_or(Duration::MAX);
        let until = Instant::now().checked_add(wait);
        self.waiting.insert(place, until.unwrap_or_else(|| Instant::now() + Duration::from_secs(1 << 30)));
        ask(place, environment, text, cost, self.sender.clone());
    }

    /// An environment has answered.
    fn hear(
        &mut self,
        Returned { place: place @ (prompt, sample), environment, heard }: Returned,
    ) -> Result<()> {
        // Nobody waits any more for one that is late.
        if self.waiting.remove(&place).is_none() {
            return Ok(());
        }
        let tooling = self.roller.tooling.expect("only tools answer");
        let trajectory = &mut self.all[prompt][sample];
        trajectory.environment = Some(environment);
        let end = match heard {
            Heard::Answer(answer) => End::Answered(answer),
            Heard::Over(reason) => End::Over(reason),
            Heard::Failed(reason) => End::Failed(reason),
            Heard::Observation(words) => {
                let length = self.wanted[prompt].input.ids.len();
                let wanted = trajectory.room(0, self.roller.stop.max_tokens, usize::MAX);
                if trajectory.hear(&words, &tooling, length, wanted)? {
                    return self.submit(place);
                }
                End::Full
            }
        };
        self.end(place, end);
        Ok(())
    }

    /// Ends a sample that talks to somebody.
    fn end(&mut self, (prompt, sample): Place, end: End) {
        self.all[prompt][sample].end(end);
        self.roller.report.advance(1);
    }

    /// Ends what waits for environments that take too long: that is their failure. Their threads are left behind.
    fn give_up_on_the_late(&mut self) {
        let now = Instant::now();
        let late: Vec<Place> =
            self.waiting.iter().filter(|(_, until)| **until <= now).map(|(place, _)| *place).collect();
        for place in late {
            self.waiting.remove(&place);
            let wait = self.roller.tooling.map_or(0.0, |tooling| tooling.wait_s);
            self.end(place, End::Failed(format!("its tools gave no answer within {wait} s")));
        }
    }
}

/// Has an environment answer on a thread of its own.
fn ask(
    place: Place,
    mut environment: Box<dyn Environment>,
    text: String,
    cost: Cost,
    sender: Sender<Returned>,
) {
    std::thread::spawn(move || {
        let answer = catch_unwind(AssertUnwindSafe(|| environment.turn(&text, cost)));
        let heard = answer.unwrap_or_else(|_| Heard::Failed("its environment broke, as said above".into()));
        // Nobody may be waiting any more.
        let _ = sender.send(Returned { place, environment, heard });
    });
}

fn failed(error: firsthand_engine::Error) -> TrainError {
    TrainError::Setup(format!("sampling: {error}"))
}

#[cfg(test)]
#[path = "roller_tests.rs"]
mod tests;
