//! Conversation to model input for one checkpoint: opens the media, writes the prompt, expands the placeholders,
//! cuts patches and places every token. The parts are other files' work; this one holds their order and checks that
//! prompt and media agree.
//!
//! Words that spell a placeholder (`<|image_pad|>`) are refused. The reference would take them for a medium and
//! shift every later one; here a medium comes from an image or video part, and from nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use firsthand_base::{
    Conversation, GenerateError, MediumId, ModelInput, Part, Render, Rendered, VideoSource, VisionItem,
    VisionKind,
};
use firsthand_media::{OpenMedia, Opener, Picture, Prepared, SizeRule, display_location, is_inline};
use serde::{Deserialize, Serialize};

use crate::config::{Config, Family, GenerationDefaults, VisionConfig};
use crate::error::{Error, Result};
use crate::json::JsonFile;
use crate::positions::{Placed, TextAfter, VideoTime, positions, temporal_step};
use crate::preprocess::{Cut, Patcher};
use crate::template::Template;
use crate::tokenizer::Tokenizer;

/// How prompts are built where the checkpoint leaves a choice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RenderOptions {
    /// Seconds per temporal patch in the positions of Qwen2.5-VL.
    pub time: VideoTime,
    /// Where text continues after a medium.
    pub text_after: TextAfter,
    /// Size rule for images and videos; `None` takes qwen-vl-utils' for the checkpoint's patch factor, with the limits
    /// of `firsthand_pixels` where preprocessor_config.json has that key. The other limits in that file belong to the
    /// processor's own second resize, which this path does not have.
    #[serde(skip)]
    pub sizes: Option<SizeRule>,
}

/// Turns conversations into model input and ids into text, for one checkpoint.
#[derive(Debug)]
pub struct Renderer {
    dir: PathBuf,
    config: Config,
    options: RenderOptions,
    defaults: GenerationDefaults,
    template: Template,
    tokenizer: Tokenizer,
    vision: Option<Vision>,
    opener: Arc<Opener>,
}

/// What a checkpoint with a vision tower needs beyond text.
#[derive(Debug)]
struct Vision {
    config: VisionConfig,
    patcher: Patcher,
    sizes: SizeRule,
    /// Names of the image and video placeholders.
    image_name: String,
    video_name: String,
}

/// One opened medium.
struct Medium {
    id: MediumId,
    kind: VisionKind,
    cut: Cut,
    step: f32,
}

impl Renderer {
    /// Reads everything but the weights of a checkpoint folder.
    pub fn open(dir: &Path, options: RenderOptions, opener: impl Into<Arc<Opener>>) -> Result<Renderer> {
        let config = Config::open(dir)?;
        let tokenizer = Tokenizer::open(dir)?;
        let template = Template::open(dir, config.vision.is_some(), tokenizer.named_tokens())?;
        let end = tokenizer.named_tokens().find(|(role, _)| *role == "eos_token");
        let end = end.and_then(|(_, name)| tokenizer.token_id(name));
        let defaults = GenerationDefaults::open(dir, &config, end)?;
        let vision = match &config.vision {
            Some(vision) => Some(Vision::open(dir, vision, &options, &tokenizer)?),
            None => None,
        };
        let (dir, opener) = (dir.to_path_buf(), opener.into());
        Ok(Renderer { dir, config, options, defaults, template, tokenizer, vision, opener })
    }

    /// How the checkpoint wants to be sampled and where its answers end.
    pub fn generation_defaults(&self) -> &GenerationDefaults {
        &self.defaults
    }

    /// Most tokens of prompt and answer together.
    pub fn context_length(&self) -> usize {
        self.config.context_length
    }

    /// The model family.
    pub fn family(&self) -> Family {
        self.config.family
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    pub(crate) fn template(&self) -> &Template {
        &self.template
    }

    /// What is wrong with the chat template.
    pub(crate) fn refused(&self, what: &str) -> Error {
        self.template.wrong(what)
    }

    /// The opener of media.
    pub fn opener(&self) -> &Opener {
        &self.opener
    }

    /// How media are sized; `None` for text-only checkpoints.
    pub fn sizes(&self) -> Option<&SizeRule> {
        self.vision.as_ref().map(|vision| &vision.sizes)
    }

    /// Pictures that are in memory already, sized to multiples of the patch factor, as an image or video that no
    /// prompt shows: its span is empty.
    pub fn vision_item(&self, kind: VisionKind, pictures: &[Picture]) -> Result<VisionItem> {
        let Some(vision) = &self.vision else {
            return Err(Error::Conversation(format!("{} is a text-only checkpoint", self.dir.display())));
        };
        let Cut { grid, patches, key } = vision.patcher.cut(kind, pictures)?;
        Ok(VisionItem { kind, grid, patches, key, span: 0..0 })
    }

    /// As [`Render::render`], with this room's error.
    pub fn input(&self, conversation: &Conversation) -> Result<Rendered> {
        self.input_with(conversation, &[], &*self.opener)
    }

    /// The same with tools (JSON schemas of functions, as OpenAI writes them), which the chat template describes in its own
    /// words, or else Qwen2.5's say, and with media that somebody else opens.
    pub fn input_with(
        &self,
        conversation: &Conversation,
        tools: &[serde_json::Value],
        media: &dyn OpenMedia,
    ) -> Result<Rendered> {
        self.check(conversation)?;
        for (index, tool) in tools.iter().enumerate() {
            self.refuse_names(&tool.to_string(), &format!("tools[{index}]"))?;
        }
        let prompt = self.template.render_with(conversation, tools)?;
        let ids = self.tokenizer.encode(&prompt)?;
        self.with_opened(conversation, prompt, &ids, media)
    }

    /// Refuses conversations that no template could make right.
    pub(crate) fn check(&self, conversation: &Conversation) -> Result<()> {
        if conversation.messages.is_empty() {
            return Err(Error::Conversation("the conversation is empty; ask something".to_owned()));
        }
        self.refuse_placeholders(conversation)
    }

    /// The conversation's media put where their placeholders are among `ids`, which are the tokens of `prompt`.
    pub(crate) fn with_media(
        &self,
        conversation: &Conversation,
        prompt: String,
        ids: &[u32],
    ) -> Result<Rendered> {
        self.with_opened(conversation, prompt, ids, &*self.opener)
    }

    fn with_opened(
        &self,
        conversation: &Conversation,
        prompt: String,
        ids: &[u32],
        opener: &dyn OpenMedia,
    ) -> Result<Rendered> {
        if ids.is_empty() {
            return Err(Error::Conversation("the prompt is empty; ask something".to_owned()));
        }
        // Cheap checks come before media are opened.
        let kinds: Vec<VisionKind> = conversation.parts().filter_map(kind_of).collect();
        self.check_placeholders(ids, &kinds)?;
        if ids.len() > self.config.context_length {
            return Err(self.too_long(ids.len()));
        }
        let media = self.open_media(conversation, ids.len() - kinds.len(), opener)?;
        Ok(self.assemble(prompt, ids, media))
    }

    /// Opens the parts in order and stops when the prompt can no longer fit.
    fn open_media(
        &self,
        conversation: &Conversation,
        text_tokens: usize,
        opener: &dyn OpenMedia,
    ) -> Result<Vec<Medium>> {
        let mut media = Vec::new();
        let Some(vision) = &self.vision else { return Ok(media) };
        let mut tokens = text_tokens;
        for (place, part) in conversation.placed_parts() {
            let named = |error: firsthand_media::Error| match has_inline(part) {
                // A path says by itself which medium it is, a hash does not.
                true => Error::message(place.clone(), error.to_string()),
                false => error.into(),
            };
            let medium = match part {
                Part::Text(_) => continue,
                Part::Image(part) => {
                    let prepared = opener.image(part, &vision.sizes).map_err(named)?;
                    self.medium(vision, VisionKind::Image, display_location(&part.location), prepared)?
                }
                Part::Video(part) => {
                    let prepared = opener.video(part, &vision.sizes).map_err(named)?;
                    self.medium(vision, VisionKind::Video, video_location(&part.source), prepared)?
                }
            };
            tokens += vision.tokens_of(&medium.cut);
            media.push(medium);
            if tokens > self.config.context_length {
                return Err(self.too_long(tokens));
            }
        }
        Ok(media)
    }

    fn medium(
        &self,
        vision: &Vision,
        kind: VisionKind,
        location: String,
        prepared: Prepared,
    ) -> Result<Medium> {
        let cut = vision.patcher.cut(kind, &prepared.pictures)?;
        let config = &vision.config;
        let step = temporal_step(
            kind,
            config.tokens_per_second,
            config.temporal_patch,
            prepared.sample_fps,
            self.options.time,
        );
        let first = &prepared.pictures[0];
        let id = MediumId {
            location,
            frames: prepared.frames,
            size: [first.height, first.width],
            grid: cut.grid,
            sample_fps: prepared.sample_fps,
        };
        Ok(Medium { id, kind, cut, step })
    }

    /// Each placeholder id becomes as many as its medium has merged patches, then every token gets its place.
    fn assemble(&self, prompt: String, ids: &[u32], media: Vec<Medium>) -> Rendered {
        let Some(vision) = &self.vision else {
            let input = ModelInput {
                ids: ids.to_vec(),
                positions: positions(ids.len(), &[], 1, self.options.text_after),
                vision: Vec::new(),
            };
            return Rendered { input, prompt, media: Vec::new() };
        };
        let mut expanded = Vec::with_capacity(ids.len());
        let (mut items, mut placed, mut identities) = (Vec::new(), Vec::new(), Vec::new());
        let mut waiting = media.into_iter();
        for &id in ids {
            if vision.kind_of_id(id).is_none() {
                expanded.push(id);
                continue;
            }
            let Medium { id: identity, kind, cut, step } =
                waiting.next().expect("placeholders and media were counted");
            let span = expanded.len()..expanded.len() + vision.tokens_of(&cut);
            expanded.resize(span.end, id);
            let Cut { grid, patches, key } = cut;
            placed.push(Placed { kind, grid, span: span.clone(), step });
            items.push(VisionItem { kind, grid, patches, key, span });
            identities.push(identity);
        }
        let positions = positions(expanded.len(), &placed, vision.config.merge, self.options.text_after);
        let input = ModelInput { ids: expanded, positions, vision: items };
        Rendered { input, prompt, media: identities }
    }

    /// Refuses words that spell a placeholder. Neighbouring text parts are joined first, as templates join them.
    fn refuse_placeholders(&self, conversation: &Conversation) -> Result<()> {
        if self.vision.is_none() {
            return match conversation.parts().find_map(kind_of) {
                None => Ok(()),
                Some(_) => Err(Error::Conversation(format!(
                    "{} is a text-only checkpoint; ask it without images and videos",
                    self.dir.display()
                ))),
            };
        }
        for (index, message) in conversation.messages.iter().enumerate() {
            let mut words = String::new();
            for part in &message.parts {
                match part {
                    Part::Text(text) => words.push_str(text),
                    Part::Image(_) | Part::Video(_) => words.push('\n'),
                }
            }
            words.extend(message.fields.values().map(|value| format!("\n{value}")));
            self.refuse_names(&words, &format!("messages[{index}]"))?;
        }
        Ok(())
    }

    /// Refuses text at a place that contains a placeholder's name.
    fn refuse_names(&self, words: &str, at: &str) -> Result<()> {
        let Some(vision) = &self.vision else { return Ok(()) };
        for name in [&vision.image_name, &vision.video_name] {
            if words.contains(name.as_str()) {
                let what = format!(
                    "the text contains {name}, which stands for a medium; remove it, or give a medium as its own part"
                );
                return Err(Error::message(at, what));
            }
        }
        Ok(())
    }

    /// The template must have written one placeholder per medium, in order.
    fn check_placeholders(&self, ids: &[u32], kinds: &[VisionKind]) -> Result<()> {
        let Some(vision) = &self.vision else { return Ok(()) };
        let found: Vec<VisionKind> = ids.iter().filter_map(|&id| vision.kind_of_id(id)).collect();
        if found == kinds {
            return Ok(());
        }
        let count = |kinds: &[VisionKind]| {
            let images = kinds.iter().filter(|&&kind| kind == VisionKind::Image).count();
            format!("{images} images and {} videos", kinds.len() - images)
        };
        let order = if count(&found) == count(kinds) { " in another order" } else { "" };
        Err(Error::Conversation(format!(
            "{}: the chat template wrote placeholders for {}{order}, the conversation has {}; use the model's own template",
            self.dir.display(),
            count(&found),
            count(kinds)
        )))
    }

    fn too_long(&self, tokens: usize) -> Error {
        Error::Conversation(format!(
            "the prompt has at least {tokens} tokens, {} takes {}; use fewer frames or fewer pixels (max_pixels), or ask less",
            self.dir.display(),
            self.config.context_length
        ))
    }
}

/// The limits a checkpoint was trained with, where it says so: fewest and most pixels of an image or frame. An own
/// key, because published files carry limits that the reference path ignores.
fn own_limits(dir: &Path, rule: SizeRule) -> Result<SizeRule> {
    let Some(file) = JsonFile::open(dir, "preprocessor_config.json")? else { return Ok(rule) };
    let Some(limits) = file.get("firsthand_pixels") else { return Ok(rule) };
    let token = (rule.factor * rule.factor) as u64;
    match limits.as_array().map(|limits| limits.iter().map(serde_json::Value::as_u64).collect::<Vec<_>>()) {
        Some(limits) if matches!(limits[..], [Some(least), Some(most)] if least <= most && most >= token && most <= 1 << 32) =>
        {
            let [least, most] = [0, 1].map(|i| limits[i].expect("matched") as usize);
            Ok(SizeRule {
                image_min_pixels: least,
                image_max_pixels: most,
                frame_min_pixels: least,
                frame_max_pixels: most,
                ..rule
            })
        }
        _ => {
            let what =
                format!("firsthand_pixels must be [fewest, most] with most from {token}, got {limits}");
            Err(Error::checkpoint(&dir.join("preprocessor_config.json"), what))
        }
    }
}

impl Vision {
    fn open(
        dir: &Path,
        config: &VisionConfig,
        options: &RenderOptions,
        tokenizer: &Tokenizer,
    ) -> Result<Vision> {
        let patcher = Patcher::open(dir, config)?;
        let name = |key: &str, id: u32| {
            tokenizer.token_name(id).ok_or_else(|| {
                let what = format!("{key} {id} of config.json is not a token here; fetch both files again");
                Error::checkpoint(tokenizer.path(), what)
            })
        };
        let sizes = match options.sizes {
            Some(sizes) => sizes,
            None => own_limits(dir, SizeRule::qwen_vl_utils(patcher.factor()))?,
        };
        if sizes.factor != patcher.factor() {
            let what = format!("sizes are multiples of {}, patches need {}", sizes.factor, patcher.factor());
            return Err(Error::Conversation(what));
        }
        Ok(Vision {
            image_name: name("image_token_id", config.image_token)?,
            video_name: name("video_token_id", config.video_token)?,
            config: config.clone(),
            patcher,
            sizes,
        })
    }

    fn kind_of_id(&self, id: u32) -> Option<VisionKind> {
        match id {
            id if id == self.config.image_token => Some(VisionKind::Image),
            id if id == self.config.video_token => Some(VisionKind::Video),
            _ => None,
        }
    }

    /// Tokens a medium takes in the prompt: one per merge window.
    fn tokens_of(&self, cut: &Cut) -> usize {
        cut.grid.iter().product::<usize>() / (self.config.merge * self.config.merge)
    }
}

fn kind_of(part: &Part) -> Option<VisionKind> {
    match part {
        Part::Text(_) => None,
        Part::Image(_) => Some(VisionKind::Image),
        Part::Video(_) => Some(VisionKind::Video),
    }
}

/// Whether a part carries its bytes itself.
fn has_inline(part: &Part) -> bool {
    match part {
        Part::Text(_) => false,
        Part::Image(image) => is_inline(&image.location),
        Part::Video(video) => match &video.source {
            VideoSource::File(location) => is_inline(location),
            VideoSource::Images(locations) => locations.iter().any(|location| is_inline(location)),
        },
    }
}

fn video_location(source: &VideoSource) -> String {
    match source {
        VideoSource::File(location) => display_location(location),
        VideoSource::Images(locations) => {
            locations.iter().map(|location| display_location(location)).collect::<Vec<_>>().join(",")
        }
    }
}

impl Render for Renderer {
    fn render(&self, conversation: &Conversation) -> Result<Rendered, GenerateError> {
        self.input(conversation).map_err(|error| GenerateError::Request(error.to_string()))
    }

    fn text(&self, ids: &[u32]) -> String {
        self.tokenizer.decode(ids)
    }
}

#[cfg(test)]
#[path = "renderer_tests.rs"]
mod tests;
