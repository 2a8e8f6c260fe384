//! Tables of messages that are read and messages that are refused, and arbitrary JSON that must not panic.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn only_part(content: Value) -> Result<Part> {
    let conversation = read_message_list(&json!([{"role": "user", "content": [content]}]))?;
    Ok(conversation.messages[0].parts[0].clone())
}

fn image(location: &str) -> Part {
    Part::Image(ImagePart { location: location.into(), limits: PixelLimits::default() })
}

fn video(location: &str) -> VideoPart {
    VideoPart {
        source: VideoSource::File(location.into()),
        sampling: Sampling::default(),
        span: Span::default(),
        limits: PixelLimits::default(),
        sample_fps: None,
        damaged: firsthand_base::Damaged::Refuse,
    }
}

#[test]
fn reference_parts_are_read() {
    let rate = |fps, min_frames, max_frames| Sampling::Rate { fps, min_frames, max_frames };
    let listed = |mut keys: serde_json::Value| {
        keys["video"] = json!(["a.png", "b.png"]);
        keys
    };
    let pictures = |sampling, sample_fps| {
        let source = VideoSource::Images(vec!["a.png".into(), "b.png".into()]);
        Part::Video(VideoPart { source, sampling, sample_fps, ..video("") })
    };
    let cases = [
        (json!({"type": "text", "text": "hi"}), Part::Text("hi".into())),
        (json!({"text": "hi"}), Part::Text("hi".into())),
        (json!({"type": "image", "image": "a.png"}), image("a.png")),
        (json!({"image": "file:///a.png"}), image("file:///a.png")),
        (json!({"image_url": "http://h/a.png"}), image("http://h/a.png")),
        (json!({"type": "image_url", "image_url": {"url": "x", "detail": "low"}}), image("x")),
        (json!({"type": "image", "url": "x", "image": null}), image("x")),
        (json!({"type": "video_url", "video_url": {"url": "v.mp4"}}), Part::Video(video("v.mp4"))),
        (json!({"video": "v.mp4"}), Part::Video(video("v.mp4"))),
        (
            json!({"type": "image", "image": "a", "min_pixels": 3136.0, "max_pixels": 50176,
                   "resized_height": 280, "resized_width": 420}),
            Part::Image(ImagePart {
                location: "a".into(),
                limits: PixelLimits {
                    min_pixels: Some(3136),
                    max_pixels: Some(50176),
                    total_pixels: None,
                    resized: Some([280, 420]),
                },
            }),
        ),
        (
            json!({"type": "video", "video": "v", "fps": 1, "min_frames": 2, "max_frames": 16.0,
                   "video_start": 1.5, "video_end": 4, "total_pixels": 90316800.0}),
            Part::Video(VideoPart {
                sampling: rate(1.0, 2, 16),
                span: Span { start_s: Some(1.5), end_s: Some(4.0) },
                limits: PixelLimits { total_pixels: Some(90_316_800), ..PixelLimits::default() },
                ..video("v")
            }),
        ),
        (
            json!({"type": "video", "video": "v", "nframes": 32, "max_frames": 8}),
            Part::Video(VideoPart { sampling: Sampling::Frames(32), ..video("v") }),
        ),
        (
            json!({"type": "video", "video": "v", "damaged": "show"}),
            Part::Video(VideoPart { damaged: firsthand_base::Damaged::Show, ..video("v") }),
        ),
        (json!({"type": "video", "video": "v", "damaged": "refuse"}), Part::Video(video("v"))),
        (
            json!({"type": "video", "video": ["a.png", "b.png"], "sample_fps": 0.5, "raw_fps": 30}),
            Part::Video(VideoPart {
                source: VideoSource::Images(vec!["a.png".into(), "b.png".into()]),
                sampling: Sampling::Every,
                sample_fps: Some(0.5),
                ..video("")
            }),
        ),
        // `fps` is the rate of a list, or chooses from a list whose rate is given.
        (listed(json!({"fps": 1})), pictures(Sampling::Every, Some(1.0))),
        (listed(json!({"fps": 1, "sample_fps": 4})), pictures(rate(1.0, 4, 65_536), Some(4.0))),
        (listed(json!({"fps": 1, "nframes": 2})), pictures(Sampling::Frames(2), Some(1.0))),
        (listed(json!({"max_frames": 2})), pictures(rate(2.0, 4, 2), None)),
        (listed(json!({"fps": 4, "min_frames": 2, "max_frames": 8})), pictures(rate(4.0, 2, 8), Some(4.0))),
        (listed(json!({"timestamps": [0, 3]})), pictures(Sampling::Timestamps(vec![0.0, 3.0]), None)),
        (
            json!({"type": "video_url", "video_url": {"url": "DATA:video/jpeg;base64,QQ,Qg,", "detail": "low"}, "video_start": 1}),
            Part::Video(VideoPart {
                source: VideoSource::Images(
                    ["QQ", "Qg"].map(|body| format!("data:image/jpeg;base64,{body}")).to_vec(),
                ),
                sampling: Sampling::Every,
                span: Span { start_s: Some(1.0), end_s: None },
                ..video("")
            }),
        ),
    ];
    for (content, expected) in cases {
        assert_eq!(only_part(content.clone()).map_err(|error| error.to_string()), Ok(expected), "{content}");
    }
}

#[test]
fn turns_and_roles_are_kept_in_order() {
    let text = r#"[{"role":"system","content":"s"},{"role":"user","content":[{"image":"i"},{"text":"u"}]},
                   {"role":"assistant","content":"a"},{"role":"tool","content":[]}]"#;
    let conversation = read_messages(text).unwrap();
    let roles: Vec<_> = conversation.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::Tool]);
    assert_eq!(conversation.messages[1].parts, [image("i"), Part::Text("u".into())]);
    assert!(conversation.messages[3].parts.is_empty());
}

#[test]
fn bad_parts_are_refused_with_their_place() {
    let cases = [
        (json!({"type": "video", "video": "v", "fps": "2"}), ".fps: expected a number, found \"2\""),
        (json!({"type": "video", "video": "v", "fps": 0}), ".fps: must be larger than 0"),
        (json!({"type": "video", "video": "v", "fps": 1, "nframes": 8}), ".fps: given together with nframes"),
        (
            json!({"type": "video", "video": ["v"], "fps": 1, "nframes": 8, "sample_fps": 2}),
            ".fps: given together with nframes",
        ),
        (
            json!({"type": "video", "video": ["v"], "fps": 1, "timestamps": [0]}),
            ".timestamps: given together with fps",
        ),
        (
            json!({"type": "video", "video": "v", "damaged": true}),
            ".damaged: expected refuse or show, found true",
        ),
        (
            json!({"type": "video", "video": "v", "nframes": 8.5}),
            ".nframes: expected a whole number, found 8.5",
        ),
        (
            json!({"type": "video", "video": "v", "nframes": -2}),
            ".nframes: expected a whole number, found -2",
        ),
        (json!({"type": "video", "video": []}), ".video: 0 images"),
        (json!({"type": "video", "video": ["a", 3]}), ".video[1]: expected a path, found 3"),
        (json!({"type": "video", "video": {"url": "v"}}), ".video: expected a string, found an object"),
        (json!({"type": "video", "video": "v", "max_pixel": 3}), ".max_pixel: unknown key"),
        (json!({"type": "image", "image": "i", "fps": 3}), ".fps: does not apply to an image"),
        (
            json!({"type": "image", "image": "i", "resized_width": 3}),
            ".resized_width: given without resized_height",
        ),
        (json!({"type": "image", "image": ""}), ".image: empty"),
        (json!({"type": "image", "video": "v"}), ".type: does not fit the part's video"),
        (json!({"type": "image"}), ": no text, image"),
        (json!({"type": "audio", "audio": "a"}), ".type: expected text, image"),
        (json!({"image": "i", "text": "t"}), ": has both text and image"),
        (json!({"type": "text", "text": 3}), ".text: expected a string, found 3"),
        (json!({"image_url": {"url": "u", "size": 3}}), ".image_url.size: unknown key"),
        (json!("text"), ": expected an object, found \"text\""),
    ];
    for (content, expected) in cases {
        let error = only_part(content.clone()).unwrap_err().to_string();
        let expected = format!("messages[0].content[0]{expected}");
        assert!(error.starts_with(&expected), "{content}\n  {error}\n  {expected}");
        assert!(!error.contains('\n'));
    }
}

#[test]
fn bad_conversations_are_refused_with_their_place() {
    let cases = [
        ("", "messages: broken JSON"),
        ("[]", "messages: empty"),
        ("{\"messages\": []}", "messages: expected a list"),
        (
            "[[{\"role\":\"user\",\"content\":\"a\"}]]",
            "messages[0]: expected an object, found a list of 1; give one",
        ),
        (
            "[{\"role\":\"user\",\"content\":[{\"type\":\"video\",\"video\":\"a.mp4\",\"fps\":NaN}]}]",
            "messages[0].content[0].fps: expected",
        ),
        ("[{\"role\":\"narrator\",\"content\":\"a\"}]", "messages[0].role: expected system"),
        (
            "[{\"content\":\"a\"}]",
            "messages[0].role: expected system, user, assistant or tool, found nothing",
        ),
        ("[{\"role\":\"user\"}]", "messages[0].content: expected a string or a list of parts, found nothing"),
        ("[{\"role\":\"user\",\"content\":\"a\",\"nme\":1}]", "messages[0].nme: unknown key"),
    ];
    for (text, expected) in cases {
        let error = read_messages(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}\n  {error}\n  {expected}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(read_messages(&deep).unwrap_err().to_string().contains("recursion"));
}

/// JSON built from the format's own words, so that random values reach past the first checks.
fn arbitrary_json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "role",
        "content",
        "type",
        "text",
        "image",
        "image_url",
        "video",
        "video_url",
        "url",
        "path",
        "fps",
        "nframes",
        "min_frames",
        "max_frames",
        "video_start",
        "video_end",
        "min_pixels",
        "total_pixels",
        "resized_height",
        "resized_width",
        "sample_fps",
        "user",
        "system",
        "",
        "é",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..6).prop_map(|fields| Value::Object(
                fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
            )),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_read_or_refused_in_one_line(value in arbitrary_json()) {
        for value in [value.clone(), json!([value]), json!([{"role": "user", "content": [value]}])] {
            if let Err(error) = read_message_list(&value) {
                prop_assert!(!error.to_string().contains('\n'), "{error}");
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        let _ = read_messages(&text);
    }

    #[test]
    fn any_cut_of_a_good_conversation_is_refused(end in 0usize..100) {
        let text = r#"[{"role":"user","content":[{"type":"video","video":"v.mp4","fps":1.0},{"text":"é?"}]}]"#;
        let end = text.floor_char_boundary(end.min(text.len() - 1));
        prop_assert!(read_messages(&text[..end]).is_err());
    }
}
