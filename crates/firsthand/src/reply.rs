//! A finished generation as it is reported: the answer apart from the reasoning, boxes in pixels of the original
//! picture, the manifest. Shared by `ask --json` and `batch`, so that both say the same.

use firsthand_base::{Finish, Manifest};
use firsthand_engine::Timing;
use firsthand_input::Family;
use firsthand_tasks::{Answer, Coordinates, LabelledBox, Scene, Style, boxes};
use serde::Serialize;

/// What is reported of one answer.
#[derive(Serialize)]
pub(crate) struct Reply {
    pub(crate) answer: String,
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

/// What the numbers of a box mean.
pub(crate) struct View {
    pub(crate) style: Style,
    pub(crate) family: Family,
    /// `[height, width]` of the first medium, as shown and as the model saw it.
    pub(crate) sizes: Option<[[usize; 2]; 2]>,
}

impl View {
    fn pixels([height, width]: [usize; 2]) -> Coordinates {
        Coordinates::Pixels { height: height as f64, width: width as f64 }
    }

    /// The frame the model writes boxes in. `None` without a medium.
    fn coordinates(&self) -> Option<Coordinates> {
        let [original, resized] = self.sizes?;
        Some(match (self.style, self.family) {
            // Its prompt states the original size.
            (Style::SpatialThinker, _) => View::pixels(original),
            (Style::EgoThinker, _) => Coordinates::Unit,
            (_, Family::Qwen2Vl) => Coordinates::Thousand,
            _ => View::pixels(resized),
        })
    }

    /// Boxes of an answer, or of its scene graph, in pixels of the original picture.
    fn boxes(&self, answer: &Answer, scene: Option<&Scene>) -> Vec<LabelledBox> {
        let (Some(from), Some([original, _])) = (self.coordinates(), self.sizes) else { return Vec::new() };
        let mut found = boxes(&answer.result);
        if found.is_empty() {
            found = scene.map(Scene::boxes).unwrap_or_default();
        }
        let convert = |mut labelled: LabelledBox| {
            labelled.bounds = labelled.bounds.convert(from, View::pixels(original));
            labelled
        };
        found.into_iter().map(convert).filter(|labelled| labelled.bounds.is_drawable()).collect()
    }
}

impl Reply {
    /// Takes a generation apart.
    pub(crate) fn new(finished: firsthand_engine::Answer, view: &View, manifest: Manifest) -> Reply {
        let firsthand_engine::Answer { generation, timing } = finished;
        let answer = Answer::parse(&generation.text);
        let scene = answer.scene.as_deref().and_then(|text| Scene::parse(text).ok());
        let boxes = view.boxes(&answer, scene.as_ref());
        Reply {
            answer: answer.result,
            thinking: answer.thinking,
            observed: answer.observed,
            scene,
            boxes,
            text: generation.text,
            finish: generation.finish,
            prompt_tokens: generation.prompt_tokens,
            cached_tokens: generation.cached_tokens,
            new_tokens: generation.ids.len(),
            seconds: Seconds::of(&timing),
            manifest,
        }
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
