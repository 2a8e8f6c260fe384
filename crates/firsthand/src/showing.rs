//! Conversations and settings in the words of OpenAI-compatible servers. Pictures and frames are those that this
//! program's own models are shown, resized by the same rule and sent as PNG, so that no pixel changes on the way.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use firsthand_base::{Conversation, MediumId, Part, SamplingOptions, StopRules, VideoSource};
use firsthand_media::{Opener, Prepared, SizeRule, display_location};
use serde_json::{Map, Value, json};

/// Sides of pictures are multiples of this, as for Qwen2.5-VL.
const FACTOR: usize = 28;

/// How pictures are sized before they are sent.
pub(crate) fn sizes() -> SizeRule {
    SizeRule::qwen_vl_utils(FACTOR)
}

/// Settings in the words of the format. What is off is not said: not every server knows every word.
pub(crate) fn settings(sampling: &SamplingOptions, stop: &StopRules) -> Map<String, Value> {
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

/// A conversation as a request holds it.
pub(crate) struct Shown {
    pub(crate) messages: Value,
    pub(crate) media: Vec<MediumId>,
    /// What rows say was asked: words, and a note for each medium.
    pub(crate) prompt: String,
}

/// Puts a conversation into the words of the format, media as pictures.
pub(crate) fn show(conversation: &Conversation, opener: &Opener) -> Result<Shown, String> {
    let mut showing = Showing { opener, media: Vec::new(), prompt: String::new() };
    let messages = showing.messages(conversation)?;
    Ok(Shown { messages, media: showing.media, prompt: showing.prompt })
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
