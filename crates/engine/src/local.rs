//! Conversations answered on this machine: a [`Render`] before and after an [`Engine`]. Streams text, finds stop
//! strings, and answers many conversations at once. Everything about ids and blocks is the engine's.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use firsthand_base::{
    Conversation, Finish, Generate, GenerateError, Generation, MediumId, Render, Rendered, SamplingOptions,
    StopRules,
};

use crate::text::{StopStrings, TextStream};
use crate::{
    Engine, EngineOptions, Error, Event, Limits, Runner, SequenceId, Stats, Summary, Timing, Wishes,
};

/// A finished generation and where its time went.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The generation.
    pub generation: Generation,
    /// Where the time went.
    pub timing: Timing,
}

/// One conversation of a batch.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What is asked.
    pub conversation: Conversation,
    /// How tokens are chosen.
    pub sampling: SamplingOptions,
    /// When to stop.
    pub stop: StopRules,
}

/// One token as [`Update::Token`] tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Which.
    pub id: u32,
    /// Log-probability under the unmodified distribution.
    pub logprob: f32,
    /// The likeliest tokens in its place.
    pub top: Vec<(u32, f32)>,
}

/// What became of a sequence in a step of [`Local::step`].
#[derive(Debug)]
pub enum Update {
    /// New text: whole characters, never part of a stop string.
    Text(SequenceId, String),
    /// The token that was chosen; only of sequences that [`Wishes::top`] or `tells_tokens` of
    /// [`Local::submit_with`] ask it of. Its text may follow later.
    Token(SequenceId, Told),
    /// The sequence is over, its last text already given out.
    Over(SequenceId, Box<Result<Answer, GenerateError>>),
}

/// A sequence in progress, as text.
struct Open {
    prompt: String,
    media: Vec<MediumId>,
    render: Duration,
    stop_tokens: Vec<u32>,
    stream: TextStream,
    stops: StopStrings,
    text: String,
    ids: Vec<u32>,
    logprobs: Vec<f32>,
    tells_tokens: bool,
    /// A stop string was found.
    is_stopped: bool,
}

impl Open {
    fn give(&mut self, sequence: SequenceId, piece: String, updates: &mut Vec<Update>) {
        if !piece.is_empty() {
            self.text.push_str(&piece);
            updates.push(Update::Text(sequence, piece));
        }
    }

    fn close(self, finish: Finish, summary: Summary) -> Answer {
        Answer {
            generation: Generation {
                text: self.text,
                new_tokens: self.ids.len(),
                ids: self.ids,
                logprobs: self.logprobs,
                finish,
                prompt_tokens: summary.prompt_tokens,
                cached_tokens: summary.cached_tokens,
                prompt: self.prompt,
                media: self.media,
            },
            timing: Timing { render: self.render, ..summary.timing },
        }
    }
}

/// Answers conversations with a model on this machine.
pub struct Local<R: Runner, D: Render> {
    engine: Engine<R>,
    render: D,
    most_open: usize,
    open: HashMap<SequenceId, Open>,
}

impl<R: Runner, D: Render> Local<R, D> {
    /// An idle model with its renderer.
    pub fn new(runner: R, render: D, options: EngineOptions) -> crate::Result<Self> {
        let most_open = options.max_sequences;
        Ok(Local { engine: Engine::new(runner, options)?, render, most_open, open: HashMap::new() })
    }

    /// The renderer.
    pub fn renderer(&self) -> &D {
        &self.render
    }

    /// The model.
    pub fn runner(&self) -> &R {
        self.engine.runner()
    }

    /// What the model can hold.
    pub fn limits(&self) -> &Limits {
        self.engine.limits()
    }

    /// Counts and load.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Whether nothing is in progress.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Queues what is already rendered. `render` is the time that took, for [`Timing::render`].
    pub fn submit(
        &mut self,
        rendered: Rendered,
        render: Duration,
        sampling: &SamplingOptions,
        stop: &StopRules,
    ) -> Result<SequenceId, GenerateError> {
        self.submit_with(rendered, render, sampling, stop, Wishes::default(), false)
    }

    /// The same with wishes; `tells_tokens` gives an [`Update::Token`] for every token.
    pub fn submit_with(
        &mut self,
        rendered: Rendered,
        render: Duration,
        sampling: &SamplingOptions,
        stop: &StopRules,
        wishes: Wishes,
        tells_tokens: bool,
    ) -> Result<SequenceId, GenerateError> {
        if stop.strings.iter().any(String::is_empty) {
            let remedy = "give at least one character";
            return Err(Error::Option { option: "a stop string", value: "\"\"".into(), remedy }.into());
        }
        let Rendered { input, prompt, media } = rendered;
        let id = self.engine.submit_with(input, sampling, stop, wishes)?;
        let open = Open {
            prompt,
            media,
            render,
            stop_tokens: stop.tokens.clone(),
            stream: TextStream::default(),
            stops: StopStrings::new(&stop.strings),
            text: String::new(),
            ids: Vec::new(),
            logprobs: Vec::new(),
            tells_tokens,
            is_stopped: false,
        };
        self.open.insert(id, open);
        Ok(id)
    }

    /// Ends a sequence and answers what it has so far; `None` if it is not in progress.
    pub fn cancel(&mut self, id: SequenceId) -> Option<Answer> {
        let summary = self.engine.cancel(id)?;
        Some(self.open.remove(&id)?.close(Finish::Cancelled, summary))
    }

    /// Advances everything in progress by at most one token each.
    pub fn step(&mut self) -> Vec<Update> {
        let mut updates = Vec::new();
        let mut stopped = Vec::new();
        for event in self.engine.step() {
            match event {
                Event::Token { sequence, id, logprob, top } => {
                    if self.token(sequence, Told { id, logprob, top }, &mut updates) {
                        stopped.push(sequence);
                    }
                }
                Event::Finished { sequence, finish, summary } => {
                    self.finish(sequence, finish, summary, &mut updates);
                }
                Event::Failed { sequence, error } => {
                    self.open.remove(&sequence);
                    updates.push(Update::Over(sequence, Box::new(Err(error.into()))));
                }
            }
        }
        for sequence in stopped {
            // `None` when the token that completed the stop string also was the last one allowed.
            if let Some(summary) = self.engine.cancel(sequence) {
                self.finish(sequence, Finish::Stop, summary, &mut updates);
            }
        }
        updates
    }

    /// Takes in a token; answers whether its text completed a stop string.
    fn token(&mut self, sequence: SequenceId, told: Told, updates: &mut Vec<Update>) -> bool {
        let open = self.open.get_mut(&sequence).expect("what runs in the engine is open here");
        let id = told.id;
        open.ids.push(id);
        open.logprobs.push(told.logprob);
        if open.tells_tokens {
            updates.push(Update::Token(sequence, told));
        }
        if !open.stop_tokens.contains(&id) {
            let text = open.stream.push(&self.render, id);
            let (piece, found) = open.stops.push(&text);
            open.is_stopped = found;
            open.give(sequence, piece, updates);
        }
        open.is_stopped
    }

    fn finish(&mut self, sequence: SequenceId, finish: Finish, summary: Summary, updates: &mut Vec<Update>) {
        let mut open = self.open.remove(&sequence).expect("what runs in the engine is open here");
        if !open.is_stopped {
            let text = open.stream.finish(&self.render);
            let (mut piece, found) = open.stops.push(&text);
            if !found {
                piece += &open.stops.finish();
            }
            open.is_stopped = found;
            open.give(sequence, piece, updates);
        }
        let finish = if open.is_stopped { Finish::Stop } else { finish };
        updates.push(Update::Over(sequence, Box::new(Ok(open.close(finish, summary)))));
    }

    /// Renders one conversation and answers it. `on_text` receives each new piece of text, and an empty one after
    /// a step that made none, as while the prompt is computed; returning `false` ends the answer with
    /// [`Finish::Cancelled`]. Refused while sequences of [`Local::submit`] are in progress.
    pub fn answer(
        &mut self,
        conversation: &Conversation,
        sampling: &SamplingOptions,
        stop: &StopRules,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Answer, GenerateError> {
        self.must_be_idle()?;
        let id = self.render_and_submit(conversation, sampling, stop)?;
        loop {
            let mut goes_on = true;
            let mut has_text = false;
            for update in self.step() {
                match update {
                    Update::Over(_, answer) => return *answer,
                    Update::Token(..) => {}
                    Update::Text(_, piece) => {
                        has_text = true;
                        goes_on &= on_text(&piece);
                    }
                }
            }
            goes_on &= has_text || on_text("");
            if !goes_on {
                return Ok(self.cancel(id).expect("what is not over is in progress"));
            }
        }
    }

    /// Answers many conversations, as many at once as the engine runs, and hands over each result with its index as
    /// it is ready; a failed one does not disturb the others. Conversations are taken and rendered only when there
    /// is room. `on_result` returning `false` cancels the rest. Refused while other sequences are in progress.
    pub fn batch(
        &mut self,
        requests: impl IntoIterator<Item = Request>,
        on_result: &mut dyn FnMut(usize, Result<Answer, GenerateError>) -> bool,
    ) -> Result<(), GenerateError> {
        self.must_be_idle()?;
        let mut requests = requests.into_iter().enumerate().fuse();
        let mut indices = HashMap::new();
        loop {
            // One conversation a step: rendering a video takes long, and what runs is not to wait for all of them.
            let next = if self.open.len() < self.most_open { requests.next() } else { None };
            if let Some((index, Request { conversation, sampling, stop })) = next {
                match self.render_and_submit(&conversation, &sampling, &stop) {
                    Ok(id) => {
                        indices.insert(id, index);
                    }
                    Err(error) => {
                        if !on_result(index, Err(error)) {
                            return self.cancel_all();
                        }
                        continue;
                    }
                }
            }
            if self.open.is_empty() {
                return Ok(());
            }
            for update in self.step() {
                let Update::Over(id, answer) = update else { continue };
                let index = indices.remove(&id).expect("every sequence of a batch has an index");
                if !on_result(index, *answer) {
                    return self.cancel_all();
                }
            }
        }
    }

    fn render_and_submit(
        &mut self,
        conversation: &Conversation,
        sampling: &SamplingOptions,
        stop: &StopRules,
    ) -> Result<SequenceId, GenerateError> {
        let start = Instant::now();
        let rendered = self.render.render(conversation)?;
        self.submit(rendered, start.elapsed(), sampling, stop)
    }

    fn must_be_idle(&self) -> Result<(), GenerateError> {
        match self.open.len() {
            0 => Ok(()),
            open => Err(GenerateError::Backend(format!(
                "{open} other sequences are in progress: finish them first"
            ))),
        }
    }

    fn cancel_all(&mut self) -> Result<(), GenerateError> {
        for id in self.open.drain().map(|(id, _)| id) {
            self.engine.cancel(id);
        }
        Ok(())
    }
}

impl<R: Runner, D: Render> Generate for Local<R, D> {
    fn generate(
        &mut self,
        conversation: &Conversation,
        sampling: &SamplingOptions,
        stop: &StopRules,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Generation, GenerateError> {
        self.answer(conversation, sampling, stop, on_text).map(|answer| answer.generation)
    }
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
