//! A question as a published prompt puts it, and a reply taken apart: both with the code of `ask`, so that the page asks
//! and reads as every other verb does.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use firsthand_input::Family;
use firsthand_tasks::format::{choice_among, spans};
use firsthand_tasks::{Answer, Coordinates, Kind, LabelledBox, Question, Scene, Style, boxes};
use serde::Deserialize;
use serde_json::{Value, json};

use super::look::{self, Rules};
use super::told;
use crate::app::App;
use crate::queue::Key;
use crate::refusal::Answered;

/// What a person asks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    file: String,
    kind: look::Kind,
    /// `[height, width]` of the medium as it is.
    size: [usize; 2],
    text: String,
    #[serde(default)]
    options: Vec<String>,
    #[serde(default)]
    style: Style,
    #[serde(default)]
    rules: Rules,
}

/// The request that asks it, for `/v1/chat/completions`.
pub(super) async fn question(
    State(app): State<Arc<App>>,
    Extension(key): Extension<Key>,
    Json(asked): Json<Asked>,
) -> Answered<Json<Value>> {
    app.files.find(&asked.file, key)?;
    let kind = if asked.options.is_empty() { Kind::FreeForm } else { Kind::MultipleChoice };
    let put = Question { text: asked.text.trim(), kind, options: &asked.options, size: Some(asked.size) };
    let prompt = asked.style.prompt(&put).map_err(told)?;
    let medium = asked.rules.wire(asked.kind, &asked.file)?;
    let text = json!({"type": "text", "text": prompt.user});
    let parts = if prompt.media_first { [medium, text] } else { [text, medium] };
    let system = prompt.system.map(|words| json!({"role": "system", "content": words}));
    let user = json!({"role": "user", "content": parts});
    let messages: Vec<Value> = system.into_iter().chain([user]).collect();
    Ok(Json(json!({
        "model": app.model,
        "messages": messages,
        "stream": true,
        "stream_options": {"include_usage": true},
        "manifest": true,
    })))
}

/// A whole reply and what its numbers are about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    text: String,
    #[serde(default)]
    style: Style,
    /// Those of the question.
    #[serde(default)]
    options: Vec<String>,
    /// `[height, width]` of the medium as it is.
    size: [usize; 2],
    /// And as the model saw it.
    resized: [usize; 2],
}

pub(super) async fn read(State(app): State<Arc<App>>, Json(said): Json<Said>) -> Json<Value> {
    Json(reading(&said, app.loaded.get().map(|ready| ready.renderer.family())))
}

fn reading(said: &Said, family: Option<Family>) -> Value {
    let parts = Answer::parse(&said.text);
    let scene = parts.scene.as_deref().and_then(|text| Scene::parse(text).ok());
    let mut found = boxes(&parts.result);
    if found.is_empty() {
        found = scene.as_ref().map(Scene::boxes).unwrap_or_default();
    }
    let from = coordinates(said.style, family, said.size, said.resized);
    let convert = |mut labelled: LabelledBox| {
        labelled.bounds = labelled.bounds.convert(from, pixels(said.size));
        labelled
    };
    let drawn: Vec<LabelledBox> =
        found.into_iter().map(convert).filter(|labelled| labelled.bounds.is_drawable()).collect();
    json!({
        "answer": parts.result,
        "option": choice_among(&parts.result, &said.options),
        "thinking": parts.thinking,
        "observed": parts.observed,
        "scene": scene,
        "boxes": drawn,
        "spans": spans(&parts.result),
    })
}

fn pixels([height, width]: [usize; 2]) -> Coordinates {
    Coordinates::Pixels { height: height as f64, width: width as f64 }
}

/// The frame a model writes boxes in: as `ask` has it.
fn coordinates(
    style: Style,
    family: Option<Family>,
    original: [usize; 2],
    resized: [usize; 2],
) -> Coordinates {
    match (style, family) {
        // Its prompt states the original size.
        (style, _) if style.states_size() => pixels(original),
        (Style::EgoThinker, _) => Coordinates::Unit,
        (_, Some(Family::Qwen2Vl)) => Coordinates::Thousand,
        _ => pixels(resized),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, style: Style, family: Option<Family>, expect: Value) {
        let options = vec!["a cup".to_owned(), "a key".to_owned()];
        let said = Said { text: text.into(), style, options, size: [100, 200], resized: [50, 100] };
        let read = reading(&said, family);
        for (key, value) in expect.as_object().expect("an object") {
            assert_eq!(read[key], *value, "{key} of {text}");
        }
    }

    #[test]
    fn boxes_become_pixels_of_the_original() {
        let text = "<think>here</think><answer>[10, 20, 30, 40]</answer>";
        let of = |bounds: [f64; 4]| json!({"boxes": [{"label": null, "box": bounds}], "thinking": "here"});
        check(text, Style::Plain, None, of([20.0, 40.0, 60.0, 80.0]));
        check(text, Style::Plain, Some(Family::Qwen2Vl), of([2.0, 2.0, 6.0, 4.0]));
        check(text, Style::SpatialThinker, None, of([10.0, 20.0, 30.0, 40.0]));
        check(
            "<answer>[0.1, 0.2, 0.3, 0.4]</answer>",
            Style::EgoThinker,
            None,
            json!({"boxes": [{"label": null, "box": [20.0, 20.0, 60.0, 40.0]}]}),
        );
    }

    #[test]
    fn options_are_found_by_letter_and_words() {
        check("<answer>B</answer>", Style::Plain, None, json!({"answer": "B", "option": 1}));
        check("A cup", Style::Plain, None, json!({"option": 0}));
        check("nothing", Style::Plain, None, json!({"option": null}));
    }

    #[test]
    fn scenes_and_spans_are_read() {
        let scene = r#"<scene>{"objects": [{"id": "cup.1", "bbox": [1, 2, 3, 4]}], "relationships": []}</scene><answer>B</answer>"#;
        check(
            scene,
            Style::SpatialThinker,
            None,
            json!({"answer": "B", "boxes": [{"label": "cup.1", "box": [1.0, 2.0, 3.0, 4.0]}]}),
        );
        check(
            "<answer>(2.00,4.00)</answer>",
            Style::Plain,
            None,
            json!({"spans": [[2.0, 4.0]], "boxes": []}),
        );
        check("no tags", Style::Plain, None, json!({"answer": "no tags", "scene": null}));
    }
}
