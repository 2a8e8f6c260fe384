//! The two traits by which rooms meet. `input` implements [`Render`]; a local engine and a remote client both
//! implement [`Generate`], and whoever asks cannot tell which it has.

use serde::{Deserialize, Serialize};

use crate::{Conversation, MediumId, ModelInput};

/// What a conversation became.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The arrays the model consumes.
    pub input: ModelInput,
    /// The prompt as text, placeholders not yet expanded.
    pub prompt: String,
    /// Every image and video, with the frames that were chosen.
    pub media: Vec<MediumId>,
}

/// Turns conversations into model input and tokens into text, for one checkpoint.
pub trait Render {
    /// Opens the media, applies the chat template, tokenizes and computes positions.
    fn render(&self, conversation: &Conversation) -> Result<Rendered, GenerateError>;
    /// Text of token ids, special tokens left out. May end in U+FFFD while a character is incomplete.
    fn text(&self, ids: &[u32]) -> String;
}

/// A renderer that several threads use.
impl<T: Render + ?Sized> Render for std::sync::Arc<T> {
    fn render(&self, conversation: &Conversation) -> Result<Rendered, GenerateError> {
        (**self).render(conversation)
    }

    fn text(&self, ids: &[u32]) -> String {
        (**self).text(ids)
    }
}

/// How the next token is chosen. The order is the reference's: repetition penalty, temperature, top-k, top-p.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplingOptions {
    /// 0 means greedy: the largest logit, the lowest id among equals.
    pub temperature: f32,
    /// Keep this many of the likeliest tokens; 0 keeps all.
    pub top_k: usize,
    /// Keep the smallest set of likeliest tokens whose probability reaches this; 1 keeps all.
    pub top_p: f32,
    /// Positive logits of tokens already seen (prompt included) are divided by this, negative ones multiplied.
    pub repetition_penalty: f32,
    /// Fixes every draw of a sampled generation.
    pub seed: u64,
}

impl Default for SamplingOptions {
    fn default() -> Self {
        SamplingOptions { temperature: 0.0, top_k: 0, top_p: 1.0, repetition_penalty: 1.0, seed: 0 }
    }
}

/// When to stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StopRules {
    /// Most new tokens.
    pub max_tokens: usize,
    /// Token ids that end the text; they are not part of it.
    pub tokens: Vec<u32>,
    /// Strings that end the text; they are not part of it.
    pub strings: Vec<String>,
}

impl Default for StopRules {
    fn default() -> Self {
        StopRules { max_tokens: 1024, tokens: Vec::new(), strings: Vec::new() }
    }
}

/// Every setting that chose and ended the tokens of an answer, by name, for manifests.
pub fn settings(sampling: &SamplingOptions, stop: &StopRules) -> Vec<(String, String)> {
    let SamplingOptions { temperature, top_k, top_p, repetition_penalty, seed } = sampling;
    [
        ("temperature", temperature.to_string()),
        ("top_k", top_k.to_string()),
        ("top_p", top_p.to_string()),
        ("repetition_penalty", repetition_penalty.to_string()),
        ("seed", seed.to_string()),
        ("max_tokens", stop.max_tokens.to_string()),
        ("stop", stop.strings.join("|")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// A stop token or a stop string.
    Stop,
    /// `max_tokens` or the context length.
    Length,
    /// The caller went away.
    Cancelled,
}

/// A finished generation.
#[derive(Clone, Debug)]
pub struct Generation {
    /// The text, without what stopped it.
    pub text: String,
    /// The generated ids, a final stop token included. Servers do not tell them: then there are none.
    pub ids: Vec<u32>,
    /// How many ids were generated, told or not.
    pub new_tokens: usize,
    /// Log-probability of each id under the unmodified model distribution (temperature 1, nothing cut).
    pub logprobs: Vec<f32>,
    /// Why it ended.
    pub finish: Finish,
    /// Length of the prompt in tokens.
    pub prompt_tokens: usize,
    /// Prompt tokens whose keys and values were reused from an earlier sequence.
    pub cached_tokens: usize,
    /// The prompt as text.
    pub prompt: String,
    /// The media of the prompt.
    pub media: Vec<MediumId>,
}

/// A failure of [`Render`] or [`Generate`], grouped by who can act on it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The question is at fault: a medium that cannot be read, an empty conversation, a prompt that is too long.
    #[error("{0}")]
    Request(String),
    /// The machinery is at fault: weights, device, memory, network.
    #[error("{0}")]
    Backend(String),
}

/// Conversation in, text out.
pub trait Generate {
    /// Generates an answer. `on_text` receives each new piece of text; returning `false` cancels.
    fn generate(
        &mut self,
        conversation: &Conversation,
        sampling: &SamplingOptions,
        stop: &StopRules,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Generation, GenerateError>;
}

impl<G: Generate + ?Sized> Generate for Box<G> {
    fn generate(
        &mut self,
        conversation: &Conversation,
        sampling: &SamplingOptions,
        stop: &StopRules,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Generation, GenerateError> {
        (**self).generate(conversation, sampling, stop, on_text)
    }
}
