//! A memory of days behind the server: the published tool routes, and the tools that MCP offers. The model that looks is
//! the served one, asked through the same queue as everybody.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use firsthand_agent::Tools;
use firsthand_agent::routes::Service;
use firsthand_base::{
    Conversation, Generate, GenerateError, Generation, Moment, Rendered, SamplingOptions, StopRules,
};
use firsthand_engine::Wishes;
use tokio::sync::mpsc;

use crate::queue::Key;
use crate::worker::{Command, Job, Ready, Said, Worker};

/// Whose question a look is part of; no key of a client.
pub(crate) const OWN_KEY: Key = Key::MAX - 1;

/// The model as tools ask it.
pub type Looker = Arc<Mutex<dyn Generate + Send>>;

/// Makes the tools once the model that looks is there.
pub type OpenDays = Box<dyn FnOnce(Looker) -> Result<Days, String> + Send>;

/// A memory with what looks into it.
#[derive(Clone)]
pub struct Days {
    /// The published routes.
    pub service: Service,
    /// The same tools, as an agent calls them.
    pub tools: Arc<dyn Tools>,
    /// The wearers there are.
    pub wearers: Vec<String>,
    /// Now: the end of what is remembered.
    pub clock: Moment,
}

/// Asks the served model from a thread that may wait.
pub(crate) struct Speaker {
    pub(crate) worker: Worker,
    pub(crate) ready: Ready,
}

impl Generate for Speaker {
    fn generate(
        &mut self,
        conversation: &Conversation,
        sampling: &SamplingOptions,
        stop: &StopRules,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Generation, GenerateError> {
        let started = Instant::now();
        let rendered = self.ready.renderer.input(conversation);
        let rendered = rendered.map_err(|error| GenerateError::Request(error.to_string()))?;
        say(&self.worker, &self.ready, rendered, started.elapsed(), sampling, stop, on_text)
    }
}

/// Asks the served model in this program's own name and waits for what it says.
pub(crate) fn say(
    worker: &Worker,
    ready: &Ready,
    rendered: Rendered,
    render: Duration,
    sampling: &SamplingOptions,
    stop: &StopRules,
    on_text: &mut dyn FnMut(&str) -> bool,
) -> Result<Generation, GenerateError> {
    let tokens = ready.renderer.generation_defaults().stop.tokens.clone();
    let (sender, mut replies) = mpsc::unbounded_channel();
    let job = Job {
        key: OWN_KEY,
        index: 0,
        rendered,
        render,
        sampling: sampling.clone(),
        stop: StopRules { tokens, ..stop.clone() },
        wishes: Wishes::default(),
        tells_tokens: false,
        replies: sender,
        ticket: None,
    };
    let gone = || GenerateError::Backend("the model does not answer".into());
    if !worker.tell(Command::Generate(Box::new(job))) {
        return Err(gone());
    }
    let mut goes_on = true;
    while let Some((_, said)) = replies.blocking_recv() {
        match said {
            Said::Token(_) => {}
            Said::Text(piece) => goes_on &= on_text(&piece),
            Said::Over(answer) => return answer.map(|answer| answer.generation),
        }
        if !goes_on {
            return Err(GenerateError::Request("the caller went away".into()));
        }
    }
    Err(gone())
}
