//! A model behind an OpenAI-compatible address, asked as one on this machine is: the same prompts, and the very frames
//! that this program's own models are shown, resized by the same rule and sent as PNG, so that no pixel changes on
//! the way. How the server cuts them into tokens is its own business.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use firsthand_base::{
    Conversation, Generate, GenerateError, Generation, Manifest, MediumId, Part, SamplingOptions, StopRules,
    VideoSource,
};
use firsthand_media::{Opener, Prepared, SizeRule, display_location};
use serde_json::{Map, Value, json};

use crate::chat::{Chat, Spoken};
use crate::cli::PROGRAM;

/// Longest wait for a reply: a model that thinks about a long video takes minutes.
const PATIENCE: Duration = Duration::from_secs(600);
/// Sides of pictures are multiples of this, as for Qwen2.5-VL.
const FACTOR: usize = 28;

/// How pictures are sized before they are sent.
pub(super) fn sizes() -> SizeRule {
    SizeRule::qwen_vl_utils(FACTOR)
}

/// Flags that name a served model.
#[derive(Args)]
#[command(next_help_heading = "Model behind an address (in place of --model)")]
pub(super) struct EndpointFlags {
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
pub(super) struct Endpoint {
    chat: Arc<Chat>,
    opener: Arc<Opener>,
    manifest: Manifest,
}

impl EndpointFlags {
    /// The model, where one is named.
    pub(super) fn open(&self, opener: &Arc<Opener>) -> Result<Option<Endpoint>> {
        let (Some(url), Some(model)) = (&self.endpoint, &self.endpoint_model) else { return Ok(None) };
        let chat = Arc::new(Chat::open("endpoint", url, model, PATIENCE)?);
        let manifest = Manifest {
            program: PROGRAM.to_owned(),
            model: model.clone(),
            device: url.trim_end_matches('/').to_owned(),
            decoder: firsthand_media::decoder_version(),
            ..Manifest::default()
        };
        Ok(Some(Endpoint { chat, opener: opener.clone(), manifest }))
    }
}

impl Endpoint {
    /// What is known of every answer: name and address in place of weights.
    pub(super) fn manifest(&self) -> &Manifest {
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
        let mut showing = Showing { opener: &self.opener, media: Vec::new(), prompt: String::new() };
        let messages = showing.messages(conversation).map_err(GenerateError::Request)?;
        let Showing { media, prompt, .. } = showing;
        let mut request = settings(sampling, stop);
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

/// Settings in the words of the format. What is off is not said: not every server knows every word.
fn settings(sampling: &SamplingOptions, stop: &StopRules) -> Map<String, Value> {
    let SamplingOptions { temperature, top_k, top_p, repetition_penalty, seed } = sampling;
    let mut request = Map::new();
    let mut say = |name: &str, value: Value| drop(request.insert(name.to_owned(), value));
    say("temperature", json!(temperature));
    say("max_tokens", json!(stop.max_tokens));
    if *temperature > 0.0 {
        say("seed", json!(seed));
        if *top_k > 0 {
            say("top_k", json!(top_k));
        }
        if *top_p < 1.0 {
            say("top_p", json!(top_p));
        }
    }
    if *repetition_penalty != 1.0 {
        say("repetition_penalty", json!(repetition_penalty));
    }
    if !stop.strings.is_empty() {
        say("stop", json!(stop.strings));
    }
    request
}

/// A conversation on its way into a request.
struct Showing<'a> {
    opener: &'a Opener,
    media: Vec<MediumId>,
    /// What rows say was asked: words, and a note for each medium.
    prompt: String,
}

impl Showing<'_> {
    fn messages(&mut self, conversation: &Conversation) -> Result<Value, String> {
        let mut messages = Vec::new();
        for message in &conversation.messages {
            let role = message.role.name();
            self.prompt.push_str(&format!("{role}: "));
            let mut content = Vec::new();
            for part in &message.parts {
                self.part(part, &mut content)?;
            }
            self.prompt.push('\n');
            messages.push(match &message.parts[..] {
                // Every server takes plain words as they are.
                [Part::Text(text)] => json!({"role": role, "content": text}),
                _ => json!({"role": role, "content": content}),
            });
        }
        Ok(Value::Array(messages))
    }

    fn part(&mut self, part: &Part, content: &mut Vec<Value>) -> Result<(), String> {
        let sizes = sizes();
        let (location, prepared) = match part {
            Part::Text(text) => {
                self.prompt.push_str(text);
                content.push(json!({"type": "text", "text": text}));
                return Ok(());
            }
            Part::Image(image) => (display_location(&image.location), self.opener.image(image, &sizes)),
            Part::Video(video) => {
                let location = match &video.source {
                    VideoSource::File(location) => display_location(location),
                    VideoSource::Images(all) => {
                        all.iter().map(|one| display_location(one)).collect::<Vec<_>>().join(",")
                    }
                };
                (location, self.opener.video(video, &sizes))
            }
        };
        let Prepared { frames, pictures, sample_fps, .. } = prepared.map_err(|error| error.to_string())?;
        for picture in &pictures {
            let png = firsthand_media::png(&location, picture.width, picture.height, &picture.rgb)
                .map_err(|error| error.to_string())?;
            let url = format!("data:image/png;base64,{}", STANDARD.encode(png));
            content.push(json!({"type": "image_url", "image_url": {"url": url}}));
        }
        let size = [pictures[0].height, pictures[0].width];
        self.prompt.push_str(&format!("[{} pictures of {}x{}]", pictures.len(), size[0], size[1]));
        // The grid is the server's.
        self.media.push(MediumId { location, frames, size, grid: [0; 3], sample_fps });
        Ok(())
    }
}
