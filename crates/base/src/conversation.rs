//! What is said to a model: messages made of text, images and videos, before anything is opened or encoded.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Damaged, PixelLimits, Sampling, Span};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions that come before the conversation.
    System,
    /// The person who asks.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

impl Role {
    /// The name chat templates use.
    pub fn name(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        }
    }
}

/// An image to look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImagePart {
    /// A path, `file://`, `http(s)://` or `data:` location.
    pub location: String,
    /// Size limits.
    pub limits: PixelLimits,
}

/// Where a video's frames come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum VideoSource {
    /// A video: a path, `file://`, `http(s)://` or `data:` location.
    File(String),
    /// Images in order, each an image location. `Sampling::Timestamps` says when each was taken; else `sample_fps` says
    /// how far apart they were (default 2). Any other rule chooses from them as from a film of that rate;
    /// `Sampling::Every` takes them all, as the reference does.
    Images(Vec<String>),
}

/// A video to look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoPart {
    /// Where the frames come from.
    pub source: VideoSource,
    /// Which frames.
    pub sampling: Sampling,
    /// Which part of the file.
    pub span: Span,
    /// Size limits.
    pub limits: PixelLimits,
    /// Frames per second of a list of images.
    pub sample_fps: Option<f64>,
    /// What becomes of frames that damage of the file reaches.
    #[serde(default)]
    pub damaged: Damaged,
}

/// One piece of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Words.
    Text(String),
    /// A picture.
    Image(ImagePart),
    /// A video.
    Video(VideoPart),
}

/// One turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said and shown, in order.
    pub parts: Vec<Part>,
    /// What chat templates are given beside role and content, under the names that they read: `tool_calls` (as OpenAI
    /// writes them, the arguments an object), `tool_call_id` and `name`. Empty for most turns.
    pub fields: Map<String, Value>,
}

impl Message {
    /// A turn of parts alone.
    pub fn new(role: Role, parts: Vec<Part>) -> Self {
        Message { role, parts, fields: Map::new() }
    }
}

/// Turns in order. An empty conversation is refused by `Render`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    /// The turns.
    pub messages: Vec<Message>,
}

impl Conversation {
    /// One user turn with the given parts.
    pub fn user(parts: Vec<Part>) -> Self {
        Conversation { messages: vec![Message::new(Role::User, parts)] }
    }

    /// Every part with the place where it stands, as `messages[2].content[1]`.
    pub fn placed_parts(&self) -> impl Iterator<Item = (String, &Part)> {
        self.messages.iter().enumerate().flat_map(|(message, said)| {
            let place = move |part| format!("messages[{message}].content[{part}]");
            said.parts.iter().enumerate().map(move |(index, part)| (place(index), part))
        })
    }

    /// Every part in order of appearance.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.messages.iter().flat_map(|message| &message.parts)
    }
}
