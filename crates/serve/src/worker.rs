//! The thread that owns the model. It drains a bounded channel of commands, gives each key its turn, advances all
//! running sequences together, and answers every request on a channel of its own. A request whose reader is gone is
//! cancelled at the next step.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use firsthand_base::{GenerateError, Manifest, ModelInput, Rendered, SamplingOptions, StopRules};
use firsthand_engine::{Answer, EngineOptions, Local, Runner, SequenceId, Told, Update, Wishes};
use firsthand_input::Renderer;
use tokio::sync::{mpsc, oneshot};

use crate::gauges::Gauges;
use crate::log;
use crate::queue::{Fair, Key, Ticket};

/// The mean of a model's last hidden states over an input.
pub type Embed<R> = Box<dyn Fn(&R, &ModelInput) -> Result<Vec<f32>, String>>;

/// A checkpoint that can be asked.
pub struct Loaded<R> {
    /// Its prompts.
    pub renderer: Arc<Renderer>,
    /// Its weights.
    pub runner: R,
    /// What is known of every answer.
    pub manifest: Manifest,
    /// Its folder.
    pub directory: std::path::PathBuf,
    /// Most tokens in one step.
    pub step_tokens: usize,
    /// Its embeddings.
    pub embed: Embed<R>,
}

/// What the loaded model is to those who write its prompts.
#[derive(Clone)]
pub(crate) struct Ready {
    pub(crate) renderer: Arc<Renderer>,
    pub(crate) manifest: Arc<Manifest>,
    /// Its folder, which is not told.
    pub(crate) directory: Arc<str>,
}

/// One answer that is asked for.
pub(crate) struct Job {
    pub(crate) key: Key,
    /// Which of the request's answers it is.
    pub(crate) index: usize,
    pub(crate) rendered: Rendered,
    pub(crate) render: Duration,
    pub(crate) sampling: SamplingOptions,
    pub(crate) stop: StopRules,
    pub(crate) wishes: Wishes,
    pub(crate) tells_tokens: bool,
    pub(crate) replies: mpsc::UnboundedSender<(usize, Said)>,
    /// The request's place, kept until its last answer is made, however slowly it is read.
    pub(crate) ticket: Option<Arc<Ticket>>,
}

/// Who waits for a running sequence.
struct Reader {
    index: usize,
    replies: mpsc::UnboundedSender<(usize, Said)>,
    _ticket: Option<Arc<Ticket>>,
}

/// What a request hears.
pub(crate) enum Said {
    Token(Told),
    Text(String),
    Over(Box<Result<Answer, GenerateError>>),
}

/// Everything that the model's thread can be told.
pub(crate) enum Command {
    /// Answer.
    Generate(Box<Job>),
    /// Embed.
    Embed(ModelInput, oneshot::Sender<Result<Vec<f32>, String>>),
}

/// The way to the model's thread. It ends when the last of these is dropped and everything is answered.
#[derive(Clone)]
pub(crate) struct Worker {
    commands: SyncSender<Command>,
}

impl Worker {
    /// Starts the thread, which loads first. `ready` hears what was loaded; `over` hears why the thread ended.
    pub(crate) fn start<R: Runner + 'static>(
        load: impl FnOnce() -> Result<Loaded<R>, String> + Send + 'static,
        sequences: usize,
        room: usize,
        gauges: Arc<Gauges>,
        ready: impl FnOnce(Ready) + Send + 'static,
        over: oneshot::Sender<Result<(), String>>,
    ) -> std::io::Result<Worker> {
        let (commands, receiver) = sync_channel(room);
        let work = move || {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let Loaded { renderer, runner, manifest, directory, step_tokens, embed } = load()?;
                let step = EngineOptions {
                    max_sequences: sequences,
                    step_tokens: step_tokens.max(sequences),
                    ..EngineOptions::default()
                };
                let local = Local::new(runner, renderer.clone(), step).map_err(|error| error.to_string())?;
                let directory = directory.to_string_lossy().into();
                ready(Ready { renderer, manifest: Arc::new(manifest), directory });
                Desk { local, embed, sequences, waiting: Fair::default(), running: HashMap::new(), gauges }
                    .work(&receiver);
                Ok(())
            }));
            let panicked = |_| Err("the model's thread panicked".to_owned());
            // Nobody listens any more when the server has ended first.
            let _ = over.send(result.unwrap_or_else(panicked));
        };
        std::thread::Builder::new().name("model".into()).spawn(work)?;
        Ok(Worker { commands })
    }

    /// Hands over a command; `false` when the thread is gone or its channel is full.
    pub(crate) fn tell(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }
}

/// What lies on the model's desk.
struct Desk<R: Runner> {
    local: Local<R, Arc<Renderer>>,
    embed: Embed<R>,
    sequences: usize,
    waiting: Fair<Box<Job>>,
    running: HashMap<SequenceId, Reader>,
    gauges: Arc<Gauges>,
}

impl<R: Runner> Desk<R> {
    /// Works until nobody can give commands any more and everything is answered.
    fn work(mut self, commands: &Receiver<Command>) {
        loop {
            let is_idle = self.local.is_idle() && self.waiting.is_empty();
            if is_idle {
                match commands.recv_timeout(Duration::from_secs(1)) {
                    Ok(command) => self.take(command),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            loop {
                match commands.try_recv() {
                    Ok(command) => self.take(command),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) if is_idle => return,
                    Err(TryRecvError::Disconnected) => break,
                }
            }
            self.drop_the_gone();
            self.admit();
            self.gauges.load(self.waiting.len(), self.running.len(), self.local.stats());
            for update in self.local.step() {
                self.pass_on(update);
            }
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Generate(job) => self.waiting.push(job.key, job),
            Command::Embed(input, reply) => {
                if !reply.is_closed() {
                    // Whoever asked may have gone meanwhile.
                    let _ = reply.send((self.embed)(self.local.runner(), &input));
                }
            }
        }
    }

    /// Cancels what nobody waits for.
    fn drop_the_gone(&mut self) {
        let before = self.waiting.len();
        self.waiting.retain(|job| !job.replies.is_closed());
        (self.waiting.len()..before).for_each(|_| self.gauges.cancelled());
        let gone: Vec<SequenceId> =
            self.running.iter().filter(|(_, reader)| reader.replies.is_closed()).map(|(id, _)| *id).collect();
        for id in gone {
            self.running.remove(&id);
            self.local.cancel(id);
            self.gauges.cancelled();
        }
    }

    fn admit(&mut self) {
        while self.running.len() < self.sequences {
            let Some(job) = self.waiting.pop() else { return };
            let Job {
                index, rendered, render, sampling, stop, wishes, tells_tokens, replies, ticket, ..
            } = *job;
            if replies.is_closed() {
                self.gauges.cancelled();
                continue;
            }
            match self.local.submit_with(rendered, render, &sampling, &stop, wishes, tells_tokens) {
                Ok(id) => drop(self.running.insert(id, Reader { index, replies, _ticket: ticket })),
                // A closed channel means that nobody wants to know.
                Err(error) => drop(replies.send((index, Said::Over(Box::new(Err(error)))))),
            }
        }
    }

    fn pass_on(&mut self, update: Update) {
        let (id, said) = match update {
            Update::Token(id, told) => (id, Said::Token(told)),
            Update::Text(id, piece) => (id, Said::Text(piece)),
            Update::Over(id, answer) => {
                if let Err(error) = &*answer {
                    log::line(
                        "sequence",
                        serde_json::json!({"failed": matches!(error, GenerateError::Backend(_))}),
                    );
                }
                (id, Said::Over(answer))
            }
        };
        let is_over = matches!(said, Said::Over(_));
        if let Some(Reader { index, replies, .. }) = self.running.get(&id) {
            // Found out by `drop_the_gone` at the next step.
            let _ = replies.send((*index, said));
        }
        if is_over {
            self.running.remove(&id);
        }
    }
}
