//! The model that writes captions and summaries: a checkpoint on this machine through the engine that `ask` uses, or one
//! behind an address. When a server does not answer it waits, longer each time, and gives up for now when that is too long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use firsthand_base::{
    Conversation, Generate, GenerateError, Generation, Manifest, SamplingOptions, StopRules,
};
use firsthand_engine::Local;
use firsthand_input::Renderer;
use firsthand_memory::build::{Cost, Fault};
use firsthand_model::ModelRunner;

use super::words::Answers;
use crate::chat;
use crate::commands::eval::endpoint::Endpoint;

/// Wait after the first failure; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Where the model runs.
pub(super) enum Place {
    Here(Box<Local<ModelRunner, Renderer>>),
    Served(Box<Endpoint>),
}

/// A model with its settings.
pub(super) struct Mind {
    pub(super) place: Place,
    pub(super) sampling: SamplingOptions,
    pub(super) stop: StopRules,
    pub(super) manifest: Manifest,
    /// How long a server may stay silent.
    pub(super) patience: Duration,
    /// Conversations that a server is asked at the same time.
    pub(super) parallel: usize,
    pub(super) asked_to_stop: &'static AtomicBool,
}

impl Answers for Mind {
    fn at_once(&self) -> usize {
        self.parallel
    }

    fn answer(&mut self, asked: &[Conversation]) -> Vec<Result<(Generation, Cost), Fault>> {
        let Mind { place, sampling, stop, patience, asked_to_stop, .. } = self;
        let once = |model: &mut dyn Generate, conversation: &Conversation| {
            costed(model, conversation, sampling, stop)
        };
        match place {
            Place::Here(local) => {
                let answer = |conversation| once(&mut **local, conversation).map_err(fault);
                asked.iter().map(answer).collect()
            }
            Place::Served(endpoint) => {
                let patient = |conversation: &Conversation| {
                    let mut endpoint = endpoint.clone();
                    wait_for(*patience, asked_to_stop, &mut || once(&mut *endpoint, conversation))
                };
                std::thread::scope(|scope| {
                    let threads: Vec<_> =
                        asked.iter().map(|conversation| scope.spawn(move || patient(conversation))).collect();
                    threads
                        .into_iter()
                        .map(|thread| {
                            thread
                                .join()
                                .unwrap_or_else(|_| Err(Fault::This("asking for it panicked".to_owned())))
                        })
                        .collect()
                })
            }
        }
    }
}

/// An answer and what it took.
pub(super) fn costed(
    model: &mut dyn Generate,
    conversation: &Conversation,
    sampling: &SamplingOptions,
    stop: &StopRules,
) -> Result<(Generation, Cost), GenerateError> {
    let started = Instant::now();
    let generation = model.generate(conversation, sampling, stop, &mut |_| true)?;
    let cost = Cost {
        prompt_tokens: generation.prompt_tokens as u64,
        new_tokens: generation.new_tokens as u64,
        wall_ms: started.elapsed().as_millis() as u64,
    };
    Ok((generation, cost))
}

pub(super) fn fault(error: GenerateError) -> Fault {
    match error {
        GenerateError::Request(reason) => Fault::This(reason),
        other => Fault::Stop(other.to_string()),
    }
}

/// Tries until it works, the question is at fault, or patience is over.
fn wait_for<T>(
    patience: Duration,
    asked_to_stop: &AtomicBool,
    once: &mut dyn FnMut() -> Result<T, GenerateError>,
) -> Result<T, Fault> {
    let (started, mut wait) = (Instant::now(), FIRST_WAIT);
    loop {
        let reason = match once() {
            Ok(answer) => return Ok(answer),
            Err(GenerateError::Backend(reason)) => reason,
            Err(other) => return Err(fault(other)),
        };
        match chat::blame(&reason) {
            chat::Blame::Request => return Err(Fault::This(reason)),
            chat::Blame::Caller => return Err(Fault::Stop(reason)),
            chat::Blame::Server => {}
        }
        if started.elapsed() + wait > patience {
            return Err(Fault::Stop(reason));
        }
        let end = Instant::now() + wait;
        while Instant::now() < end {
            if asked_to_stop.load(Ordering::Relaxed) {
                return Err(Fault::Stop(reason));
            }
            std::thread::sleep(Duration::from_millis(50).min(wait));
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
