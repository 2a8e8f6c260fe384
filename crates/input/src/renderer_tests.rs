//! Every golden case of every family: prompt, ids, grids, positions and patches, exact; the conversations that must
//! be refused; and both published layouts of a checkpoint.

use firsthand_base::{ImagePart, Message, PixelLimits, Role};
use firsthand_golden::{FAMILIES, Fixture, Medium as Shown, cases, checkpoint, messages, notes};
use firsthand_media::OpenerOptions;
use serde_json::{Value, json};

use super::*;
use crate::messages::read_message_list;

fn open(dir: &Path) -> Result<Renderer> {
    Renderer::open(dir, RenderOptions::default(), Opener::new(OpenerOptions::default()))
}

fn read(value: &Value) -> Conversation {
    read_message_list(value).unwrap()
}

/// Compares what was rendered with the entries of a fixture whose names start with `prefix`.
fn check(label: &str, rendered: &Rendered, fixture: &Fixture, prefix: &str, note: &Value) {
    let input = &rendered.input;
    assert_eq!(rendered.prompt, note["prompt"].as_str().unwrap(), "{label}: prompt");
    let entry = |name: &str| fixture.i64(&format!("{prefix}{name}"));
    let ids: Vec<i64> = input.ids.iter().map(|&id| i64::from(id)).collect();
    assert_eq!(ids, entry("input_ids"), "{label}: ids");
    for (kind, name) in [(VisionKind::Image, "image_grid_thw"), (VisionKind::Video, "video_grid_thw")] {
        let grids: Vec<i64> =
            of_kind(input, kind).flat_map(|item| item.grid).map(|side| side as i64).collect();
        let expected = if fixture.has(&format!("{prefix}{name}")) { entry(name) } else { Vec::new() };
        assert_eq!(grids, expected, "{label}: {name}");
    }
    let positions = entry("position_ids");
    let axes = positions.len() / ids.len();
    for axis in 0..3 {
        let found: Vec<i64> = input.positions.iter().map(|position| i64::from(position[axis])).collect();
        let expected = &positions[(axis % axes) * ids.len()..][..ids.len()];
        assert_eq!(found, expected, "{label}: positions of axis {axis}");
    }
    assert_eq!(input.next_position(), positions.iter().max().unwrap().to_owned() as i32 + 1, "{label}");
    for (item, medium) in input.vision.iter().zip(&rendered.media) {
        assert_eq!(item.patches.len(), item.patch_count() * 1176, "{label}");
        assert_eq!(item.span.len(), item.patch_count() / 4, "{label}");
        assert_eq!((item.grid, item.grid[1] * 14), (medium.grid, medium.size[0]), "{label}");
    }
}

fn of_kind(input: &ModelInput, kind: VisionKind) -> impl Iterator<Item = &VisionItem> {
    input.vision.iter().filter(move |item| item.kind == kind)
}

fn check_patches<'a>(label: &str, inputs: impl Iterator<Item = &'a ModelInput> + Clone, fixture: &Fixture) {
    for (kind, shown) in [(VisionKind::Image, Shown::Image), (VisionKind::Video, Shown::Video)] {
        let found: Vec<f32> = inputs
            .clone()
            .flat_map(|input| of_kind(input, kind))
            .flat_map(|item| item.patches.to_vec())
            .collect();
        let expected = fixture.pixel_values(shown).unwrap_or_default();
        assert_eq!(found.len(), expected.len(), "{label}: {kind:?} patches");
        let bad = found.iter().zip(&expected).position(|(a, b)| a.to_bits() != b.to_bits());
        assert_eq!(bad, None, "{label}: first differing value of the {kind:?} patches");
    }
}

#[test]
fn every_golden_case_is_equal() {
    let mut checked = 0;
    for family in FAMILIES {
        let renderer = open(&checkpoint(family)).unwrap();
        for case in cases(family) {
            let (value, note) = (messages(family, case), notes(family, case));
            let fixture = Fixture::open(family, case);
            if *case != "batch" {
                let label = format!("{family} {case}");
                let rendered = renderer.input(&read(&value)).unwrap();
                check(&label, &rendered, &fixture, "", &note);
                check_patches(&label, std::iter::once(&rendered.input), &fixture);
                checked += 1;
                continue;
            }
            for (row, conversation) in value.as_array().unwrap().iter().enumerate() {
                let label = format!("{family} {case} {row}");
                let rendered = renderer.input(&read(conversation)).unwrap();
                check(&label, &rendered, &fixture, &format!("row.{row}."), &note[row]);
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 2 * (8 + 3) + 2 + 3);
}

#[test]
fn a_checkpoint_saved_by_todays_library_gives_the_same_input() {
    for family in ["qwen2_vl", "qwen2_5_vl"] {
        let (published, saved) =
            (checkpoint(family), firsthand_golden::root().join(format!("{family}_saved")));
        let (published, saved) = (open(&published).unwrap(), open(&saved).unwrap());
        let conversation = read(&messages(family, "mixed"));
        let (a, b) = (published.input(&conversation).unwrap(), saved.input(&conversation).unwrap());
        assert_eq!(
            (&a.prompt, &a.input.ids, &a.input.positions),
            (&b.prompt, &b.input.ids, &b.input.positions)
        );
        let keys =
            |rendered: &Rendered| rendered.input.vision.iter().map(|item| item.key).collect::<Vec<_>>();
        assert_eq!(keys(&a), keys(&b));
        assert_eq!(published.context_length(), saved.context_length());
        assert_eq!(published.generation_defaults(), saved.generation_defaults());
    }
}

#[test]
fn the_tokenizer_table_is_equal() {
    let renderer = open(&checkpoint("qwen2_5_vl")).unwrap();
    let table = firsthand_golden::table("tokens");
    for row in table.as_array().unwrap() {
        let expected: Vec<u32> =
            row["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
        let ids = renderer.tokenizer().encode(row["text"].as_str().unwrap()).unwrap();
        assert_eq!(ids, expected, "{row}");
        assert_eq!(renderer.text(&ids), row["plain"].as_str().unwrap(), "{row}");
    }
    assert!(table.as_array().unwrap().len() > 5);
}

#[test]
fn the_switches_change_positions_and_nothing_else() {
    let conversation = read(&messages("qwen2_5_vl", "videos"));
    let with = |options: RenderOptions| {
        let opener = Opener::new(OpenerOptions::default());
        Renderer::open(&checkpoint("qwen2_5_vl"), options, opener).unwrap().input(&conversation).unwrap()
    };
    let plain = with(RenderOptions::default());
    let constant = with(RenderOptions { time: VideoTime::Constant(1.0), ..RenderOptions::default() });
    let old = with(RenderOptions { text_after: TextAfter::LargestPosition, ..RenderOptions::default() });
    for other in [&constant, &old] {
        assert_eq!(plain.input.ids, other.input.ids);
        assert_ne!(plain.input.positions, other.input.positions);
        assert_eq!(plain.media, other.media);
    }
    // Two tokens per second of the checkpoint times the constant second: temporal patches are two apart.
    let item = &constant.input.vision[0];
    let times: Vec<i32> =
        constant.input.positions[item.span.clone()].iter().map(|position| position[0]).collect();
    assert_eq!((times[0] + 2, item.grid[0]), (*times.last().unwrap(), 2));
}

fn text(words: &str) -> Part {
    Part::Text(words.into())
}

fn image() -> Part {
    let location = firsthand_golden::media("small.png").display().to_string();
    Part::Image(ImagePart { location, limits: PixelLimits::default() })
}

#[test]
fn conversations_that_cannot_be_rendered_are_refused() {
    let vision = open(&checkpoint("qwen2_5_vl")).unwrap();
    let plain = open(&checkpoint("qwen2")).unwrap();
    let missing =
        Part::Image(ImagePart { location: "/nowhere/a.png".into(), limits: PixelLimits::default() });
    let long = text(&"word ".repeat(6000));
    let cases = [
        (&vision, Conversation::default(), "the conversation is empty"),
        (
            &vision,
            Conversation::user(vec![text("see <|image_pad|>")]),
            "messages[0]: the text contains <|image_pad|>",
        ),
        (
            &vision,
            Conversation::user(vec![image(), text("<|video"), text("_pad|>")]),
            "messages[0]: the text contains <|video_pad|>",
        ),
        (&plain, Conversation::user(vec![image()]), "is a text-only checkpoint"),
        (&vision, Conversation::user(vec![missing]), "/nowhere/a.png"),
        (&plain, Conversation::user(vec![long.clone()]), "takes 4096; use fewer frames"),
        (&vision, Conversation::user(vec![image(), long]), "takes 4096; use fewer frames"),
    ];
    for (renderer, conversation, expected) in cases {
        let error = renderer.render(&conversation).unwrap_err();
        assert!(matches!(error, GenerateError::Request(_)));
        let error = error.to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{error}\n  {expected}");
    }
}

/// A copy of a checkpoint folder without its weights, in which one file is replaced or, with no text, removed.
fn altered(family: &str, name: &str, content: Option<&str>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs_err::read_dir(checkpoint(family)).unwrap() {
        let entry = entry.unwrap();
        if entry.path().extension().is_some_and(|extension| extension != "safetensors") {
            fs_err::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
        }
    }
    match content {
        Some(content) => fs_err::write(dir.path().join(name), content).unwrap(),
        None => fs_err::remove_file(dir.path().join(name)).unwrap(),
    }
    dir
}

#[test]
fn templates_that_lose_a_medium_are_refused() {
    let template = "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}\
                    {{ c.text }}{% endfor %}{% endif %}{% endfor %}{{ add_generation_prompt }}";
    let dir = altered("qwen2_5_vl", "chat_template.jinja", Some(template));
    let error = open(dir.path()).unwrap().input(&Conversation::user(vec![image(), text("a")])).unwrap_err();
    let expected = "wrote placeholders for 0 images and 0 videos, the conversation has 1 images and 0 videos";
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn damaged_checkpoints_are_refused_with_the_file() {
    let cases = [
        ("tokenizer.json", None, "tokenizer.json: no such file"),
        ("tokenizer.json", Some("{\"version\":"), "tokenizer.json: not a tokenizer"),
        ("config.json", None, "config.json: no such file"),
        ("preprocessor_config.json", None, "preprocessor_config.json: no such file"),
        ("preprocessor_config.json", Some("nothing"), "preprocessor_config.json: broken JSON"),
        ("chat_template.jinja", None, "no chat_template.jinja, chat_template.json or chat_template"),
        ("chat_template.jinja", Some("{{ messages"), "chat_template.jinja: chat template: syntax error"),
        ("generation_config.json", Some("[1"), "generation_config.json: broken JSON"),
        (
            "config.json",
            Some(r#"{"model_type":"qwen2_5_vl","image_token_id":999999,"video_token_id":393}"#),
            "image_token_id 999999 of config.json is not a token here",
        ),
    ];
    for (name, content, expected) in cases {
        let dir = altered("qwen2_5_vl", name, content);
        let error = open(dir.path()).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{name} {content:?}\n  {error}");
    }
}

#[test]
fn a_turn_of_each_role_is_written() {
    let renderer = open(&checkpoint("qwen2")).unwrap();
    let turn = |role, words: &str| Message::new(role, vec![text(words)]);
    let conversation = Conversation {
        messages: vec![
            turn(Role::System, "s"),
            turn(Role::User, "u"),
            turn(Role::Assistant, "a"),
            turn(Role::Tool, "t"),
        ],
    };
    let prompt = renderer.input(&conversation).unwrap().prompt;
    let expected = "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n\
                    <|im_start|>user\n<tool_response>\nt\n</tool_response><|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(prompt, expected);
    let bad = json!([{"role": "user", "content": [{"type": "image", "image": "x", "size": 3}]}]);
    assert_eq!(read_message_list(&bad).unwrap_err().to_string(), "messages[0].content[0].size: unknown key");
}
