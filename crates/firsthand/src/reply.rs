//! A finished generation as it is reported: the answer apart from the reasoning, boxes in pixels of the original
//! picture, the manifest. Shared by `ask --json` and `batch`, so that both say the same.

use anyhow::Result;
use firsthand_base::{Conversation, Finish, Manifest, MediumId, Part, VideoSource};
use firsthand_engine::Timing;
use firsthand_input::Family;
use firsthand_media::Opener;
use firsthand_tasks::format::choice_among;
use firsthand_tasks::{Answer, Coordinates, LabelledBox, Scene, Style, boxes};
use serde::Serialize;

/// What is reported of one answer.
#[derive(Serialize)]
pub(crate) struct Reply {
    pub(crate) answer: String,
    /// The option that the answer names, from 0, where the question has options.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) option: Option<usize>,
    /// Its words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answer_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thinking: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) observed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scene: Option<Scene>,
    /// In pixels of the first medium's original picture.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) boxes: Vec<LabelledBox>,
    /// Everything the model said.
    pub(crate) text: String,
    /// Everything it read, each medium as one placeholder.
    pub(crate) prompt_text: String,
    pub(crate) finish: Finish,
    pub(crate) prompt_tokens: usize,
    pub(crate) cached_tokens: usize,
    pub(crate) new_tokens: usize,
    pub(crate) seconds: Seconds,
    pub(crate) manifest: Manifest,
}

/// Where the time went.
#[derive(Serialize)]
pub(crate) struct Seconds {
    render: f64,
    encode: f64,
    prefill: f64,
    decode: f64,
}

/// What decides what the numbers of a box mean.
pub(crate) struct View<'a> {
    pub(crate) style: Style,
    pub(crate) family: Family,
    pub(crate) opener: &'a Opener,
    /// Those of the question.
    pub(crate) options: &'a [String],
}

fn pixels([height, width]: [usize; 2]) -> Coordinates {
    Coordinates::Pixels { height: height as f64, width: width as f64 }
}

/// The frame a model writes boxes in, for a medium of these `[height, width]`.
pub(crate) fn coordinates(
    style: Style,
    family: Family,
    original: [usize; 2],
    resized: [usize; 2],
) -> Coordinates {
    match (style, family) {
        // Its prompt states the original size.
        (style, _) if style.states_size() => pixels(original),
        (Style::EgoThinker, _) => Coordinates::Unit,
        (_, Family::Qwen2Vl) => Coordinates::Thousand,
        _ => pixels(resized),
    }
}

impl View<'_> {
    /// Boxes of an answer, or of its scene graph, in pixels of the first medium's original picture. The medium is
    /// only looked at where there are boxes.
    fn boxes(
        &self,
        found: Vec<LabelledBox>,
        conversation: &Conversation,
        seen: Option<&MediumId>,
    ) -> Vec<LabelledBox> {
        let Some(seen) = seen.filter(|_| !found.is_empty()) else { return Vec::new() };
        let Ok(Some(original)) = first_size(conversation.parts(), self.opener) else { return Vec::new() };
        let from = coordinates(self.style, self.family, original, seen.size);
        let convert = |mut labelled: LabelledBox| {
            labelled.bounds = labelled.bounds.convert(from, pixels(original));
            labelled
        };
        found.into_iter().map(convert).filter(|labelled| labelled.bounds.is_drawable()).collect()
    }
}

/// `[height, width]` of the first medium as shown; `None` without one.
pub(crate) fn first_size<'a>(
    parts: impl IntoIterator<Item = &'a Part>,
    opener: &Opener,
) -> Result<Option<[usize; 2]>> {
    let location = parts.into_iter().find_map(|part| match part {
        Part::Text(_) => None,
        Part::Image(image) => Some(image.location.as_str()),
        Part::Video(video) => match &video.source {
            VideoSource::File(location) => Some(location.as_str()),
            VideoSource::Images(locations) => locations.first().map(String::as_str),
        },
    });
    location.map(|location| Ok(opener.probe(location)?.size)).transpose()
}

impl Reply {
    /// Takes a generation apart.
    pub(crate) fn new(
        finished: firsthand_engine::Answer,
        manifest: Manifest,
        view: &View<'_>,
        conversation: &Conversation,
    ) -> Reply {
        let firsthand_engine::Answer { generation, timing } = finished;
        let answer = Answer::parse(&generation.text);
        let scene = answer.scene.as_deref().and_then(|text| Scene::parse(text).ok());
        let mut found = boxes(&answer.result);
        if found.is_empty() {
            found = scene.as_ref().map(Scene::boxes).unwrap_or_default();
        }
        let boxes = view.boxes(found, conversation, generation.media.first());
        let option = choice_among(&answer.result, view.options);
        Reply {
            answer: answer.result,
            option,
            answer_text: option.map(|option| view.options[option].clone()),
            thinking: answer.thinking,
            observed: answer.observed,
            scene,
            boxes,
            text: generation.text,
            prompt_text: generation.prompt,
            finish: generation.finish,
            prompt_tokens: generation.prompt_tokens,
            cached_tokens: generation.cached_tokens,
            new_tokens: generation.new_tokens,
            seconds: Seconds::of(&timing),
            manifest,
        }
    }
}

/// What is left to say of an answer that names an option by its letter, so that it reads `C. pick up the cup`; empty where
/// it says the option's words itself.
pub(crate) fn words_of_option(text: &str, options: &[String]) -> String {
    let result = Answer::parse(text).result;
    let Some(option) = choice_among(&result, options) else { return String::new() };
    let words = options[option].trim();
    if result.to_lowercase().contains(&words.to_lowercase()) {
        return String::new();
    }
    let letter = char::from(b'A' + option.min(25) as u8);
    match result.trim() {
        alone if alone == letter.to_string() => format!(". {words}"),
        alone if alone.trim_matches(|mark: char| !mark.is_alphanumeric()) == letter.to_string() => {
            format!(" {words}")
        }
        _ => format!("\n{letter}. {words}"),
    }
}

impl Seconds {
    fn of(timing: &Timing) -> Seconds {
        Seconds {
            render: timing.render.as_secs_f64(),
            encode: timing.encode.as_secs_f64(),
            prefill: timing.prefill.as_secs_f64(),
            decode: timing.decode.as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_get_the_words_of_their_option() {
        let options = ["a red cup", "a key", "B"].map(str::to_owned);
        let check = |text: &str, expect: &str| assert_eq!(words_of_option(text, &options), expect, "{text}");
        check("A", ". a red cup");
        check("<think>so</think><answer>\nA\n</answer>", ". a red cup");
        check("(A)", " a red cup");
        check("A.", " a red cup");
        check("The answer is A.", "\nA. a red cup");
        check("A. a red cup", "");
        check("A red cup", "");
        check("nothing of these", "");
        assert_eq!(words_of_option("A", &[]), "");
    }
}
