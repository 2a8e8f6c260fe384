//! A model behind an OpenAI-compatible address, asked as one on this machine is: the same prompts, and the very frames
//! that this program's own models are shown, resized by the same rule and sent as PNG, so that no pixel changes on
//! the way. How the server cuts them into tokens is its own business.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use firsthand_base::{
    Conversation, Generate, GenerateError, Generation, Manifest, SamplingOptions, StopRules,
};
use firsthand_media::Opener;

use crate::chat::{Chat, Spoken};
use crate::cli::PROGRAM;
use crate::showing::{self, Shown};

/// Longest wait for a reply: a model that thinks about a long video takes minutes.
const PATIENCE: Duration = Duration::from_secs(600);
/// Flags that name a served model.
#[derive(Args)]
#[command(next_help_heading = "Model behind an address (in place of --model)")]
pub(crate) struct EndpointFlags {
    /// Ask an OpenAI-compatible server, e.g. http://127.0.0.1:8000/v1. OPENAI_API_KEY is sent with it. Greedy unless
    /// sampling flags say otherwise; boxes are read as pixels of the pictures sent, or as --style says.
    #[arg(long, value_name = "URL", requires = "endpoint_model",
        conflicts_with_all = ["model", "revision", "dtype", "quantize", "device", "time", "text_after"])]
    endpoint: Option<String>,
    /// What the server calls the model.
    #[arg(long, value_name = "NAME", requires = "endpoint")]
    endpoint_model: Option<String>,
}

/// A served model. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Endpoint {
    chat: Arc<Chat>,
    opener: Arc<Opener>,
    manifest: Manifest,
}

impl EndpointFlags {
    /// The model, where one is named.
    pub(crate) fn open(&self, opener: &Arc<Opener>) -> Result<Option<Endpoint>> {
        let (Some(url), Some(model)) = (&self.endpoint, &self.endpoint_model) else { return Ok(None) };
        Endpoint::connect("endpoint", url, model, opener).map(Some)
    }
}

impl Endpoint {
    /// The model of that name behind an address. `who` names it in errors and is its flag's name.
    pub(crate) fn connect(
        who: &'static str,
        url: &str,
        model: &str,
        opener: &Arc<Opener>,
    ) -> Result<Endpoint> {
        let chat = Arc::new(Chat::open(who, url, model, PATIENCE)?);
        let manifest = Manifest {
            program: PROGRAM.to_owned(),
            model: model.to_owned(),
            device: url.trim_end_matches('/').to_owned(),
            decoder: firsthand_media::decoder_version(),
            ..Manifest::default()
        };
        Ok(Endpoint { chat, opener: opener.clone(), manifest })
    }

    /// What is known of every answer: name and address in place of weights.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

impl Generate for Endpoint {
    fn generate(
        &mut self,
        conversation: &Conversation,
        sampling: &SamplingOptions,
        stop: &StopRules,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Generation, GenerateError> {
        let Shown { messages, media, prompt } =
            showing::show(conversation, &self.opener).map_err(GenerateError::Request)?;
        let mut request = showing::settings(sampling, stop);
        request.insert("messages".to_owned(), messages);
        let Spoken { text, finish, prompt_tokens, new_tokens } =
            self.chat.ask(request).map_err(GenerateError::Backend)?;
        on_text(&text);
        Ok(Generation {
            text,
            ids: Vec::new(),
            new_tokens,
            logprobs: Vec::new(),
            finish,
            prompt_tokens,
            cached_tokens: 0,
            prompt,
            media,
        })
    }
}
