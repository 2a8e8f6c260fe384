//! What models write, through every reader of answers. A reader that hands out a place or a number keeps its promise
//! about it: an option that exists, finite ends of a span, a tool call that reads back from both of its forms.
#![no_main]

use firsthand_tasks::format::{
    Quantity, Step, ToolCall, choice, choice_among, plain_number, plain_span, spans, well_formed,
};
use firsthand_tasks::{Answer, Scene, Splitter, boxes, letter, numbers};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Answer::parse(text);
    for options in 0..6 {
        assert!(choice(text, options).is_none_or(|found| found < options));
    }
    let options = ["a cup", "a key", "a door"];
    assert!(choice_among(text, &options).is_none_or(|found| found < options.len()));
    let _ = (letter(text), numbers(text), boxes(text), plain_number(text));
    if let Some(quantity) = Quantity::read(text) {
        let _ = quantity.same(&quantity, 2);
    }
    for span in spans(text).into_iter().chain(plain_span(text)) {
        assert!(span.iter().all(|end| end.is_finite()), "{span:?}");
    }
    tool(text);
    scene(text);
    pieces(text);
});

fn tool(text: &str) {
    let _ = Step::parse(text);
    let _ = well_formed(text, |call| ToolCall::strict(call).is_ok());
    let _ = ToolCall::parse(text);
    if let Ok(call) = ToolCall::strict(text) {
        for written in [call.to_json(), call.to_literal()] {
            let again = ToolCall::parse(&written).expect("what is written can be read");
            assert_eq!((&again.name, again.arguments.len()), (&call.name, call.arguments.len()));
        }
    }
}

fn scene(text: &str) {
    if let Ok(scene) = Scene::parse(text) {
        let _ = (scene.check(), scene.boxes());
    }
    if let Ok(scene) = Scene::strict(text) {
        let _ = scene.check();
    }
}

/// Where a text is cut makes no difference to its sections.
fn pieces(text: &str) {
    let joined = |pieces: &mut dyn Iterator<Item = &str>| {
        let mut splitter = Splitter::default();
        let mut all: Vec<_> = pieces.flat_map(|piece| splitter.push(piece)).collect();
        all.extend(splitter.finish());
        all.into_iter().map(|(section, text)| (format!("{section:?}"), text)).fold(
            Vec::<(String, String)>::new(),
            |mut merged, (section, text)| {
                match merged.last_mut() {
                    Some(last) if last.0 == section => last.1.push_str(&text),
                    _ => merged.push((section, text)),
                }
                merged
            },
        )
    };
    let whole = joined(&mut std::iter::once(text));
    let cut = joined(&mut text.split_inclusive(['<', '/', 'n']));
    assert_eq!(whole, cut);
}
