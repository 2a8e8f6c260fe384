//! The loop that turns requests into tokens: plan, encode, run, choose, stop. One `step` advances every running
//! sequence by at most one row. It knows ids only; text, stop strings and streaming are `local.rs`.

use std::time::{Duration, Instant};

use firsthand_base::{Finish, ModelInput, SamplingOptions, StopRules};
use serde::{Deserialize, Serialize};

use crate::sampler::{Sampler, Wishes};
use crate::scheduler::{Planned, Scheduler};
use crate::sequence::{self, Sequence, SequenceId, Timing};
use crate::{Error, Limits, Result, Runner};

/// How much the engine does at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineOptions {
    /// Most tokens in one step. Longer prompts are computed in chunks while others go on decoding.
    pub step_tokens: usize,
    /// Most sequences that run together; at most `step_tokens`.
    pub max_sequences: usize,
    /// Vision feature rows kept for later questions about the same image or video.
    pub feature_rows: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions { step_tokens: 2048, max_sequences: 64, feature_rows: 16_384 }
    }
}

/// What became of a sequence in a step.
#[derive(Debug)]
pub enum Event {
    /// A new token, a stop token included.
    Token {
        /// Whose.
        sequence: SequenceId,
        /// Which.
        id: u32,
        /// Log-probability under the unmodified distribution (temperature 1, nothing cut).
        logprob: f32,
        /// The likeliest tokens in its place, where [`Wishes::top`] asks for them.
        top: Vec<(u32, f32)>,
    },
    /// The sequence has ended; nothing more comes from it.
    Finished {
        /// Which.
        sequence: SequenceId,
        /// Why: a stop token, or a length.
        finish: Finish,
        /// What it took.
        summary: Summary,
    },
    /// The sequence has failed; nothing more comes from it. Others go on.
    Failed {
        /// Which.
        sequence: SequenceId,
        /// Why.
        error: Error,
    },
}

/// What a sequence took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Length of the prompt.
    pub prompt_tokens: usize,
    /// Prompt tokens whose keys and values another sequence had computed.
    pub cached_tokens: usize,
    /// Tokens generated.
    pub new_tokens: usize,
    /// Where the time went.
    pub timing: Timing,
}

impl Summary {
    fn of(sequence: &Sequence) -> Self {
        Summary {
            prompt_tokens: sequence.prompt_tokens,
            cached_tokens: sequence.cached_tokens,
            new_tokens: sequence.ids.len() - sequence.prompt_tokens,
            timing: sequence.timing(),
        }
    }
}

/// Counts since the engine was made, and its present load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls of [`Runner::forward`].
    pub forwards: u64,
    /// Calls of [`Runner::encode`].
    pub encodes: u64,
    /// Tokens run through the model, recomputed ones included.
    pub tokens: u64,
    /// Times a sequence lost its blocks to an older one.
    pub preemptions: u64,
    /// Time in the vision tower.
    pub encode: Duration,
    /// Time in steps with at least one row of several tokens.
    pub prefill: Duration,
    /// Time in steps of single tokens.
    pub decode: Duration,
    /// Sequences in the queue.
    pub waiting: usize,
    /// Sequences that run.
    pub running: usize,
    /// Blocks no sequence holds, cached content included.
    pub available_blocks: usize,
    /// Blocks whose content can be shared.
    pub cached_blocks: usize,
    /// Vision feature rows the runner keeps.
    pub feature_rows: usize,
}

/// A queue of generations over one [`Runner`].
pub struct Engine<R: Runner> {
    runner: R,
    limits: Limits,
    scheduler: Scheduler,
    submitted: u64,
    stats: Stats,
}

impl<R: Runner> Engine<R> {
    /// An idle engine. Refuses limits and options that cannot work.
    pub fn new(runner: R, options: EngineOptions) -> Result<Self> {
        let limits = runner.limits();
        let smallest = [
            ("block_tokens", limits.block_tokens, 1),
            ("blocks", limits.blocks, 1),
            ("the longest sequence", limits.longest_sequence(), 2),
            ("vocab", limits.vocab, 1),
            ("max_sequences", options.max_sequences, 1),
            ("step_tokens", options.step_tokens, options.max_sequences),
        ];
        for (name, value, least) in smallest {
            if value < least {
                return Err(Error::Setup(format!("{name} is {value} and must be at least {least}")));
            }
        }
        if u32::try_from(limits.blocks).is_err() || u32::try_from(limits.vocab).is_err() {
            return Err(Error::Setup("more than 2^32 blocks or tokens".into()));
        }
        let scheduler = Scheduler::new(options, &limits);
        Ok(Engine { runner, limits, scheduler, submitted: 0, stats: Stats::default() })
    }

    /// What the runner can hold.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The runner, to ask it things the trait does not cover.
    pub fn runner(&self) -> &R {
        &self.runner
    }

    /// Queues a prompt. Of `stop` only the tokens and the length count here: strings need text, which is the
    /// business of [`Local`](crate::Local). Refuses what can never finish, with the figures.
    pub fn submit(
        &mut self,
        input: ModelInput,
        sampling: &SamplingOptions,
        stop: &StopRules,
    ) -> Result<SequenceId> {
        self.submit_with(input, sampling, stop, Wishes::default())
    }

    /// The same with what few sequences want: a mask over their tokens, the likeliest tokens in each place.
    pub fn submit_with(
        &mut self,
        input: ModelInput,
        sampling: &SamplingOptions,
        stop: &StopRules,
        wishes: Wishes,
    ) -> Result<SequenceId> {
        sequence::check(&input, &self.limits)?;
        if stop.max_tokens == 0 {
            let remedy = "ask for at least one new token";
            return Err(Error::Option { option: "max_tokens", value: "0".into(), remedy });
        }
        let sampler = Sampler::new(sampling, &input.ids)?.wishing(wishes, &stop.tokens);
        let id = SequenceId(self.submitted);
        self.submitted += 1;
        let stops = stop.tokens.clone();
        self.scheduler.enqueue(Sequence::new(id, input, sampler, stops, stop.max_tokens, &self.limits));
        Ok(id)
    }

    /// Ends a sequence without an event and says what it took; `None` if it is not in progress. What it computed
    /// can still be shared.
    pub fn cancel(&mut self, id: SequenceId) -> Option<Summary> {
        let summary = self.scheduler.remove(id).map(|sequence| Summary::of(&sequence));
        self.forget();
        summary
    }

    /// Whether no sequence is in progress.
    pub fn is_idle(&self) -> bool {
        self.scheduler.is_idle()
    }

    /// Counts and load.
    pub fn stats(&self) -> Stats {
        Stats {
            preemptions: self.scheduler.preemptions,
            waiting: self.scheduler.waiting(),
            running: self.scheduler.running(),
            available_blocks: self.scheduler.blocks.available(),
            cached_blocks: self.scheduler.blocks.published(),
            feature_rows: self.scheduler.features.rows(),
            ..self.stats
        }
    }

    /// Advances every running sequence by at most one row and admits waiting ones. Does nothing when idle.
    pub fn step(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let mut plan = self.scheduler.plan();
        self.forget();
        plan.retain(|&planned| match self.encode(planned) {
            Ok(()) => true,
            Err(error) => {
                self.fail(planned.id, error, &mut events);
                false
            }
        });
        for (planned, outcome) in self.run(&plan) {
            match outcome {
                Ok(logits) => self.advance(planned, logits, &mut events),
                Err(error) => self.fail(planned.id, error, &mut events),
            }
        }
        self.forget();
        events
    }

    /// Runs the vision tower over the items of a row whose features are not there.
    fn encode(&mut self, planned: Planned) -> Result<()> {
        let items = self.scheduler.get(planned.id).items(planned.count).iter();
        let missing: Vec<_> =
            items.filter(|item| !self.scheduler.features.is_encoded(&item.key)).cloned().collect();
        for item in missing {
            if self.scheduler.features.is_encoded(&item.key) {
                continue; // the same picture twice in one row
            }
            let start = Instant::now();
            let outcome = self.runner.encode(&item);
            let duration = start.elapsed();
            self.stats.encodes += 1;
            self.stats.encode += duration;
            self.scheduler.get_mut(planned.id).encoded(duration);
            outcome.map_err(|error| Error::Encode(Box::new(error)))?;
            self.scheduler.encoded(&item.key, item.span.len());
            self.forget();
        }
        Ok(())
    }

    /// Runs all rows together. If that fails, runs each alone, so that only the guilty ones fail.
    fn run(&mut self, plan: &[Planned]) -> Vec<(Planned, Result<Option<Vec<f32>>>)> {
        if plan.is_empty() {
            return Vec::new();
        }
        match self.forward(plan) {
            Ok(answers) => plan.iter().copied().zip(answers.into_iter().map(Ok)).collect(),
            Err(error) if plan.len() == 1 => vec![(plan[0], Err(error))],
            Err(_) => {
                let alone = |planned: &Planned| {
                    let answer = self.forward(std::slice::from_ref(planned));
                    (*planned, answer.map(|mut answers| answers.pop().expect("one row, one answer")))
                };
                plan.iter().map(alone).collect()
            }
        }
    }

    fn forward(&mut self, plan: &[Planned]) -> Result<Vec<Option<Vec<f32>>>> {
        let sequences = plan.iter().map(|planned| (self.scheduler.get(planned.id), planned.count));
        let rows: Vec<_> = sequences.map(|(sequence, count)| sequence.row(count)).collect();
        let start = Instant::now();
        let answers = self.runner.forward(&rows);
        let duration = start.elapsed();
        self.stats.forwards += 1;
        self.stats.tokens += plan.iter().map(|planned| planned.count as u64).sum::<u64>();
        match plan.iter().any(|planned| planned.count > 1) {
            true => self.stats.prefill += duration,
            false => self.stats.decode += duration,
        }
        let answers = answers.map_err(|source| Error::Forward {
            start: rows[0].start,
            tokens: rows.iter().map(|row| row.tokens.len()).sum(),
            source: Box::new(source),
        })?;
        if answers.len() != rows.len() {
            return Err(Error::Contract(format!("{} answers to {} rows", answers.len(), rows.len())));
        }
        for (row, answer) in rows.iter().zip(&answers) {
            let expected = row.logits.then_some(self.limits.vocab);
            let actual = answer.as_ref().map(Vec::len);
            if actual != expected {
                return Err(Error::Contract(format!("{actual:?} logits where {expected:?} were asked for")));
            }
        }
        Ok(answers)
    }

    /// Books a computed row and chooses the next token if it was the last of its sequence's.
    fn advance(&mut self, planned: Planned, logits: Option<Vec<f32>>, events: &mut Vec<Event>) {
        self.scheduler.advance(planned);
        let Some(logits) = logits else { return };
        let sequence = self.scheduler.get_mut(planned.id);
        let id = match sequence.sampler.choose(&logits, sequence.ids.len()) {
            Ok(id) => id,
            Err(error) => return self.fail(planned.id, error, events),
        };
        let likeliest = sequence.sampler.likeliest(&logits);
        let is_complete = sequence.sampler.is_complete();
        sequence.push(id);
        let finish = if sequence.stop_tokens.contains(&id) || is_complete {
            Some(Finish::Stop)
        } else {
            (sequence.ids.len() >= sequence.most_tokens).then_some(Finish::Length)
        };
        let logprob = self.runner.log_probability(&logits, id);
        let top = likeliest.into_iter().map(|id| (id, self.runner.log_probability(&logits, id))).collect();
        events.push(Event::Token { sequence: planned.id, id, logprob, top });
        if let Some(finish) = finish {
            let summary = self.cancel(planned.id).expect("it was running");
            events.push(Event::Finished { sequence: planned.id, finish, summary });
        }
    }

    fn fail(&mut self, id: SequenceId, error: Error, events: &mut Vec<Event>) {
        self.cancel(id);
        events.push(Event::Failed { sequence: id, error });
    }

    fn forget(&mut self) {
        for key in self.scheduler.forgotten() {
            self.runner.forget(&key);
        }
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
