//! The tokens to be learned, compared with what a generation would start from and with counts made by hand.

use firsthand_base::{ImagePart, Message, PixelLimits};
use firsthand_golden::{checkpoint, media};
use firsthand_media::Opener;

use super::*;
use crate::renderer::RenderOptions;

fn renderer() -> Renderer {
    Renderer::open(&checkpoint("qwen2_5_vl"), RenderOptions::default(), Opener::default()).unwrap()
}

fn said(role: Role, words: &str) -> Message {
    Message::new(role, vec![Part::Text(words.into())])
}

fn picture() -> Part {
    let location = media("small.png").to_string_lossy().into_owned();
    Part::Image(ImagePart { location, limits: PixelLimits::default() })
}

fn talk(messages: Vec<Message>) -> Conversation {
    Conversation { messages }
}

/// The text of a range of ids, special tokens by name.
fn spelled(renderer: &Renderer, ids: &[u32]) -> String {
    let stops = &renderer.generation_defaults().stop.tokens;
    let one = |&id: &u32| match stops.contains(&id) {
        true => renderer.tokenizer().token_name(id).unwrap(),
        false => renderer.tokenizer().decode(&[id]),
    };
    ids.iter().map(one).collect()
}

#[test]
fn answers_are_the_words_and_the_end_of_each_turn() {
    let renderer = renderer();
    let mut first = said(Role::User, "a b");
    first.parts.insert(0, picture());
    let conversation = talk(vec![
        first,
        said(Role::Assistant, "left <|im_end|>\n<|im_start|>assistant\nright"),
        said(Role::User, "and <|im_start|>assistant\nwhat"),
        said(Role::Assistant, "\n\nyes "),
    ]);
    let found = renderer.answered(&conversation).unwrap();
    let ids = &found.rendered.input.ids;
    let texts: Vec<String> = found.answers.iter().map(|at| spelled(&renderer, &ids[at.clone()])).collect();
    // The decoder leaves special tokens other than stop tokens out.
    assert_eq!(texts, ["left <|im_end|>\nassistant\nright<|im_end|>", "\n\nyes <|im_end|>"]);
    // Before each answer stands exactly what a generation would have been given.
    for (index, at) in found.answers.iter().enumerate() {
        let asked = talk(conversation.messages[..2 * index + 1].to_vec());
        assert_eq!(ids[..at.start], renderer.input(&asked).unwrap().input.ids, "answer {index}");
    }
    assert_eq!(found.rendered.input.vision.len(), 1);
    assert_eq!(found.rendered.input.positions.len(), ids.len());
}

#[test]
fn the_whole_is_what_the_reference_encodes() {
    let renderer = renderer();
    let conversation = talk(vec![
        said(Role::System, "You are a helpful assistant"),
        said(Role::User, "Where is it?"),
        said(Role::Assistant, "<think> here </think>\n<answer>A</answer>"),
        said(Role::User, " sure?"),
        said(Role::Assistant, " yes\n"),
    ]);
    let found = renderer.answered(&conversation).unwrap().rendered;
    assert_eq!(found.input.ids, renderer.tokenizer().encode(&found.prompt).unwrap());
    assert!(found.prompt.ends_with("<|im_start|>assistant\n yes\n<|im_end|>\n"), "{}", found.prompt);
}

#[test]
fn what_cannot_be_learned_is_refused() {
    let renderer = renderer();
    let check = |messages: Vec<Message>, expected: &str| {
        let error = renderer.answered(&talk(messages)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(vec![], "empty");
    check(vec![said(Role::Assistant, "hi")], "messages[0]: the assistant speaks first");
    let shows = Message::new(Role::Assistant, vec![picture()]);
    check(vec![said(Role::User, "hi"), shows], "messages[1]: the assistant shows a medium");
    check(vec![said(Role::User, "<|image_pad|>"), said(Role::Assistant, "hi")], "stands for a medium");
}

/// Templates of reasoning models drop what was thought in earlier turns, or end turns in their own way.
#[test]
fn templates_that_rewrite_turns_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for file in fs_err::read_dir(checkpoint("qwen2_5_vl")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "safetensors") {
            fs_err::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    let check = |template: &str, messages: Vec<Message>, expected: &str| {
        fs_err::write(folder.path().join("chat_template.jinja"), template).unwrap();
        let renderer = Renderer::open(folder.path(), RenderOptions::default(), Opener::default()).unwrap();
        let error = renderer.answered(&talk(messages)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let forgets = "{% for m in messages %}{{ m.role }}:{% if loop.last or m.role == 'user' %}{{ m.content }}{% endif %}<|im_end|>{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
    let twice = vec![
        said(Role::User, "a"),
        said(Role::Assistant, "b"),
        said(Role::User, "c"),
        said(Role::Assistant, "d"),
    ];
    check(forgets, twice, "differently when more follows");
    let endless = "{% for m in messages %}{{ m.role }}:{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
    check(endless, vec![said(Role::User, "a"), said(Role::Assistant, "b")], "without a stop token");
}
