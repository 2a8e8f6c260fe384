//! Completions of prompts from the model that learns, through the same engine that answers anybody. Whatever runs
//! beside a sample, it depends on the weights, its prompt and its seed alone.

use std::collections::{BTreeMap, HashMap};

use candle_core::Tensor;
use firsthand_base::{Digest, Finish, ModelInput, SamplingOptions, StopRules};
use firsthand_engine::{Engine, EngineOptions, Event, SequenceId};
use firsthand_model::layers::CacheType;
use firsthand_model::{CacheOptions, Model, ModelRunner, Order, Precision};

use crate::error::{Result, TrainError};

/// Tokens of a block of the cache.
const BLOCK: usize = 16;
/// Most tokens of one pass.
const STEP_TOKENS: usize = 2048;

/// A prompt and how its samples are drawn.
pub struct Wanted<'a> {
    /// What is asked.
    pub input: &'a ModelInput,
    /// One for each sample.
    pub samplings: Vec<SamplingOptions>,
}

/// One sampled completion.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rollout {
    /// The tokens, the one that ends it included.
    pub ids: Vec<u32>,
    /// Log-probability of each.
    pub logs: Vec<f32>,
    /// Whether it ended by itself.
    pub is_finished: bool,
}

/// How rollouts are made.
pub struct Roller<'a> {
    /// Samples at the same time.
    pub parallel: usize,
    /// What ends a sample.
    pub stop: StopRules,
    /// What products round to.
    pub precision: Precision,
    /// Features of the prompts' media that are known already.
    pub features: &'a HashMap<Digest, Tensor>,
}

impl Roller<'_> {
    /// All samples of all prompts, in order. The samples of a prompt wait for its first one, so that the prompt is
    /// computed once.
    pub fn roll(&self, model: &Model, wanted: &[Wanted<'_>]) -> Result<Vec<Vec<Rollout>>> {
        let longest = wanted.iter().map(|want| want.input.ids.len()).max().unwrap_or(0);
        // Room for every sample that runs, as if none shared anything.
        let tokens = self.parallel * (longest + self.stop.max_tokens + BLOCK);
        let cache = CacheOptions { block_tokens: BLOCK, tokens, kind: CacheType::F32 };
        let mut runner = ModelRunner::new(model, cache);
        runner.know(self.features);
        let options = EngineOptions {
            step_tokens: STEP_TOKENS.max(self.parallel),
            max_sequences: self.parallel,
            ..EngineOptions::default()
        };
        let engine = Engine::new(runner, options).map_err(failed)?;
        let mut work = Work { engine, wanted, open: BTreeMap::new(), done: Vec::new() };
        work.done = wanted.iter().map(|want| vec![Rollout::default(); want.samplings.len()]).collect();
        self.precision.scope(|| Order::One.scope(|| work.run(&self.stop)))?;
        Ok(work.done)
    }
}

struct Work<'a, R: firsthand_engine::Runner> {
    engine: Engine<R>,
    wanted: &'a [Wanted<'a>],
    /// Which prompt and which of its samples a sequence is.
    open: BTreeMap<SequenceId, (usize, usize)>,
    done: Vec<Vec<Rollout>>,
}

impl<R: firsthand_engine::Runner> Work<'_, R> {
    fn run(&mut self, stop: &StopRules) -> Result<()> {
        for prompt in 0..self.wanted.len() {
            self.submit(prompt, 0, stop)?;
        }
        while !self.engine.is_idle() {
            for event in self.engine.step() {
                match event {
                    Event::Token { sequence, id, logprob, .. } => {
                        let (prompt, sample) = self.open[&sequence];
                        let rollout = &mut self.done[prompt][sample];
                        rollout.ids.push(id);
                        rollout.logs.push(logprob);
                        if sample == 0 && rollout.ids.len() == 1 {
                            for other in 1..self.wanted[prompt].samplings.len() {
                                self.submit(prompt, other, stop)?;
                            }
                        }
                    }
                    Event::Finished { sequence, finish, .. } => {
                        let (prompt, sample) = self.open.remove(&sequence).expect("what ends was open");
                        self.done[prompt][sample].is_finished = finish == Finish::Stop;
                    }
                    Event::Failed { error, .. } => return Err(failed(error)),
                }
            }
        }
        Ok(())
    }

    fn submit(&mut self, prompt: usize, sample: usize, stop: &StopRules) -> Result<()> {
        let want = &self.wanted[prompt];
        let id = self.engine.submit(want.input.clone(), &want.samplings[sample], stop).map_err(failed)?;
        self.open.insert(id, (prompt, sample));
        Ok(())
    }
}

fn failed(error: firsthand_engine::Error) -> TrainError {
    TrainError::Setup(format!("sampling: {error}"))
}
