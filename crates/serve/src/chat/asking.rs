//! From a question to its answers: let in, media opened, prompt rendered, jobs handed to the model's thread. The same
//! renderer, sampling and manifest as every verb; the ticket lives until the last answer is made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use firsthand_base::{Conversation, Manifest, Rendered, VisionKind, settings};
use firsthand_engine::{Answer, Told, Wishes};
use firsthand_input::Renderer;
use tokio::sync::mpsc;

use crate::app::App;
use crate::chat::request::Asked;
use crate::chat::schema::{Form, Unfit};
use crate::chat::tools::Tools;
use crate::queue::Key;
use crate::refusal::{Answered, Refusal};
use crate::worker::{Command, Job, Ready, Said};

/// Answers on their way.
pub(crate) struct Answering {
    app: Arc<App>,
    replies: mpsc::UnboundedReceiver<(usize, Said)>,
    left: usize,
    key: Key,
    /// Pieces of each answer that is not over: about as many tokens.
    begun: BTreeMap<usize, usize>,
    pub(crate) facts: Facts,
}

/// Whoever goes away has used what was said until then.
impl Drop for Answering {
    fn drop(&mut self) {
        self.app.rates.charge(self.key, self.begun.values().sum());
    }
}

/// What is known of all answers before the first word.
pub(crate) struct Facts {
    pub(crate) ready: Ready,
    pub(crate) manifest: Manifest,
    pub(crate) image_tokens: usize,
    pub(crate) video_tokens: usize,
    /// What may be called, and whether the whole answer is a call.
    pub(crate) tools: Tools,
    /// What the model read, each medium as one placeholder.
    pub(crate) prompt: String,
}

/// What becomes of an answer.
pub(crate) enum Piece {
    Token(Told),
    Text(String),
    Over(Box<Answer>),
    Failed(Refusal),
}

/// Lets a question in and starts its answers.
pub(crate) async fn begin(app: &Arc<App>, key: Key, asked: Asked) -> Answered<Answering> {
    let ready = app.ready()?;
    app.check_model(&asked.model)?;
    let ticket = Arc::new(app.enter(key)?);
    let Asked { conversation, tools, schema, sampling, stop, choices, top, .. } = asked;
    let form = schema.map(Form::Json).or_else(|| tools.form());
    let mut masks = Vec::new();
    if let Some(form) = form {
        let (app, ready) = (app.clone(), ready.clone());
        // Reading a vocabulary of 150 thousand tokens takes a second, once.
        let build = move || -> Answered<Vec<_>> {
            let wrong = |Unfit { param, what }: Unfit| {
                let message = format!("{param}: this schema cannot be followed: {what}");
                Refusal::field(param, message)
            };
            let schemas = app.schemas(&ready.renderer)?;
            (0..choices).map(|_| schemas.mask(&form).map_err(wrong)).collect()
        };
        masks = tokio::task::spawn_blocking(build)
            .await
            .map_err(|error| Refusal::internal(&error.to_string()))??;
    }
    let started = Instant::now();
    let rendered = render(app, &ready, key, conversation, &tools).await?;
    let took = started.elapsed();
    let mut options = settings(&sampling, &stop);
    options.push(("style".to_owned(), "plain".to_owned()));
    let manifest = firsthand_input::manifest(&ready.manifest, &rendered.prompt, &rendered.media, options);
    let tokens = |kind: VisionKind| {
        rendered.input.vision.iter().filter(|item| item.kind == kind).map(|item| item.span.len()).sum()
    };
    let facts = Facts {
        manifest,
        image_tokens: tokens(VisionKind::Image),
        video_tokens: tokens(VisionKind::Video),
        tools,
        prompt: rendered.prompt.clone(),
        ready,
    };
    app.rates.charge(key, rendered.input.ids.len());
    let (sender, replies) = mpsc::unbounded_channel();
    let mut masks = masks.into_iter();
    for index in 0..choices {
        let mut sampling = sampling.clone();
        sampling.seed = sampling.seed.wrapping_add(index as u64);
        let job = Job {
            key,
            index,
            rendered: rendered.clone(),
            render: took,
            sampling,
            stop: stop.clone(),
            wishes: Wishes { mask: masks.next(), top: top.unwrap_or(0) },
            tells_tokens: top.is_some(),
            replies: sender.clone(),
            ticket: Some(ticket.clone()),
        };
        if !app.worker.tell(Command::Generate(Box::new(job))) {
            return Err(Refusal::unavailable("the model does not answer"));
        }
    }
    Ok(Answering { app: app.clone(), replies, left: choices, key, begun: BTreeMap::new(), facts })
}

/// The conversation as model input: media opened elsewhere, everything else as every verb does it.
pub(crate) async fn render(
    app: &Arc<App>,
    ready: &Ready,
    key: Key,
    conversation: Conversation,
    tools: &Tools,
) -> Answered<Rendered> {
    let media = match ready.renderer.sizes() {
        Some(rule) => app.media.open(&conversation, rule, key).await.map_err(Refusal::naming_its_place)?,
        None => Default::default(),
    };
    let offered = tools.offered.clone();
    let renderer = ready.renderer.clone();
    let work = move || renderer.input_with(&conversation, &offered, &media);
    let rendered =
        tokio::task::spawn_blocking(work).await.map_err(|error| Refusal::internal(&error.to_string()))?;
    rendered.map_err(|error| Refusal::bad(app.public(&error.to_string())))
}

impl Facts {
    /// Whether the whole answer is the JSON of one call.
    pub(crate) fn is_call(&self) -> bool {
        self.tools.is_forced()
    }

    /// Whether the answer may hold calls.
    pub(crate) fn has_tools(&self) -> bool {
        !self.tools.offered.is_empty()
    }
}

impl Answering {
    /// The next piece of any answer, with the answer's index; `None` when all are over.
    pub(crate) async fn next(&mut self) -> Option<(usize, Piece)> {
        if self.left == 0 {
            return None;
        }
        let Some((index, said)) = self.replies.recv().await else {
            self.left = 0;
            return Some((0, Piece::Failed(Refusal::unavailable("the model has stopped"))));
        };
        let piece = match said {
            Said::Token(told) => Piece::Token(told),
            Said::Text(text) => {
                *self.begun.entry(index).or_default() += 1;
                Piece::Text(text)
            }
            Said::Over(answer) => {
                self.left -= 1;
                self.begun.remove(&index);
                match *answer {
                    Ok(answer) => {
                        self.app.rates.charge(self.key, answer.generation.new_tokens);
                        self.app.gauges.answer(&answer);
                        Piece::Over(Box::new(answer))
                    }
                    Err(error) => Piece::Failed(self.app.failed(&error)),
                }
            }
        };
        Some((index, piece))
    }

    /// How many answers are not over.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    pub(crate) fn renderer(&self) -> &Renderer {
        &self.facts.ready.renderer
    }
}
