//! `ask` on tiny checkpoints: one that speaks as its random weights have it, and scripted ones that answer in the
//! published formats.

use std::path::Path;
use std::process::Output;

use firsthand_golden::{Fixture, root};
use serde_json::Value;

use crate::program::{assert_failure, program, stderr, stdout};
use crate::scripted::scripted_checkpoint;

const PHOTO: &str = "media/photo.jpg";

fn ask(home: &Path, arguments: &[&str]) -> Output {
    program(home).current_dir(root()).arg("ask").args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_str(&stdout(output)).unwrap()
}

#[test]
fn sections_are_shown_apart_and_reported_apart() {
    let home = tempfile::tempdir().unwrap();
    let model = home.path().join("model");
    scripted_checkpoint(
        &model,
        &["<think>", "It is round. ", "</th", "ink>\n", "<answer>", "a ball", "</answer>"],
    );
    let model = model.to_str().unwrap();
    let output = ask(home.path(), &[PHOTO, "What is it?", "--model", model]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(stdout(&output), "Thinking:\nIt is round.\n\nAnswer:\na ball\n");
    assert!(stderr(&output).contains("top-k 1 (checkpoint)"), "{output:?}");
    assert!(stderr(&output).contains("15 tokens"), "{output:?}");

    let report = json(&ask(home.path(), &[PHOTO, "What is it?", "--model", model, "--json", "--seed", "3"]));
    assert_eq!(report["answer"], "a ball");
    assert_eq!(report["thinking"], "It is round.");
    assert_eq!(report["finish"], "stop");
    let manifest = &report["manifest"];
    assert_eq!(manifest["options"]["seed"], "3");
    assert_eq!(manifest["options"]["top_k"], "1");
    assert_eq!(manifest["device"], "cpu");
    assert_eq!(manifest["media"][0]["frames"].as_array().unwrap().len(), 1);
    assert_eq!(manifest["prompt"].as_str().unwrap().len(), 64);
    assert_eq!(manifest["weights"].as_str().unwrap().len(), 64);
    assert!(manifest["decoder"].as_str().unwrap().starts_with("libavcodec"));

    let cut = ask(home.path(), &[PHOTO, "What is it?", "--model", model, "--max-tokens", "2"]);
    assert!(stderr(&cut).contains("cut after 2 tokens"), "{cut:?}");
    let stopped = json(&ask(home.path(), &["Hello?", "--model", model, "--stop", "round", "--json"]));
    assert_eq!(stopped["text"], "<think>It is ");
}

#[test]
fn boxes_are_drawn_where_each_style_means_them() {
    // photo.jpg is 130 x 90 (width x height).
    let cases: &[(&[&str], &str, [f64; 4])] = &[
        (&["<answer>", "[100, 200, 500, 800]", "</answer>"], "plain", [13.0, 18.0, 65.0, 72.0]),
        (&["<answer>", "[0.1, 0.2, 0.5, 0.8]", "</answer>"], "egothinker", [13.0, 18.0, 65.0, 72.0]),
        (
            &[
                "<scene>",
                "{\"objects\": [{\"id\": \"cup.1\", \"bbox\": [13, 18, 65, 72]}]}",
                "</scene>",
                "<answer>(A) x</answer>",
            ],
            "spatialthinker",
            [13.0, 18.0, 65.0, 72.0],
        ),
    ];
    for (pieces, style, expected) in cases {
        let home = tempfile::tempdir().unwrap();
        let (model, drawn) = (home.path().join("model"), home.path().join("drawn.png"));
        scripted_checkpoint(&model, pieces);
        let arguments =
            [PHOTO, "the cup", "--model", model.to_str().unwrap(), "--style", style, "--json", "--draw"];
        let mut arguments = arguments.to_vec();
        arguments.push(drawn.to_str().unwrap());
        if *style == "egothinker" {
            arguments.extend(["--type", "box"]);
        }
        let report = json(&ask(home.path(), &arguments));
        let corners: Vec<f64> = serde_json::from_value(report["boxes"][0]["box"].clone()).unwrap();
        for (actual, expected) in corners.iter().zip(expected) {
            assert!((actual - expected).abs() < 1e-9, "{style}: {corners:?}");
        }
        let after = image::open(&drawn).unwrap().to_rgb8();
        assert_eq!(after.dimensions(), (130, 90), "drawn on the original");
        let red = image::Rgb([230, 60, 60]);
        for (x, y, inside) in [
            (40, 18, true),
            (13, 40, true),
            (40, 72, true),
            (65, 40, true),
            (40, 40, false),
            (100, 80, false),
        ] {
            assert_eq!(*after.get_pixel(x, y) == red, inside, "{style}: pixel {x},{y}");
        }
    }
}

#[test]
fn boxes_of_a_video_are_drawn_on_its_first_chosen_frame() {
    let home = tempfile::tempdir().unwrap();
    let (model, drawn) = (home.path().join("model"), home.path().join("drawn.png"));
    scripted_checkpoint(&model, &["<answer>", "[100, 200, 500, 800]", "</answer>"]);
    let fixture = Fixture::table("decode");
    let (shape, pixels) = (fixture.shape("clip.mp4").to_vec(), fixture.u8("clip.mp4"));
    let times = fixture.f64("clip.mp4.times");
    let last = times.len() - 1;
    assert!(times[last] > times[last - 1]);
    // The later time first: frames stay in the order of the flag.
    let at = format!("{},{}", times[last] + 0.001, times[0]);
    let model = model.to_str().unwrap();
    let arguments =
        ["media/clip.mp4", "the cup", "--model", model, "--min-pixels", "3136", "--at", &at, "--draw"];
    let output = ask(home.path(), &[&arguments[..], &[drawn.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{output:?}");
    let after = image::open(&drawn).unwrap().to_rgb8();
    let (height, width) = (shape[1], shape[2]);
    assert_eq!(after.dimensions(), (width as u32, height as u32));
    let frame = &pixels[last * height * width * 3..][..height * width * 3];
    // The box ends at 0.8 of the height; below it nothing is drawn.
    let below = height * 9 / 10 * width * 3;
    assert_eq!(after.as_raw()[below..], frame[below..]);
    assert_ne!(after.as_raw()[..below], frame[..below]);
}

#[test]
fn answers_repeat_and_seeds_matter() {
    let home = tempfile::tempdir().unwrap();
    let text = |more: &[&str]| {
        let mut arguments =
            vec!["media/clip.mp4", "What moves?", "--model", "qwen2_5_vl", "--json", "--max-tokens", "24"];
        arguments.extend(["--max-pixels", "6272", "--min-pixels", "3136"]);
        arguments.extend(more);
        json(&ask(home.path(), &arguments))["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(text(&["--greedy"]), text(&["--greedy"]));
    let hot = |seed: &str| text(&["--temperature", "1", "--top-k", "0", "--seed", seed]);
    assert_eq!(hot("1"), hot("1"));
    assert_ne!(hot("1"), hot("2"));
}

#[test]
fn questions_without_an_answer_name_the_remedy() {
    let home = tempfile::tempdir().unwrap();
    let cases: &[(&[&str], &[&str])] = &[
        (&["Hello?", "--model", "owner/absent"], &["not downloaded", "firsthand fetch owner/absent"]),
        (&["Hello?", "--model", "./no/such/dir"], &["no such checkpoint directory", "./no/such/dir"]),
        (&["Hello?", "--model", PHOTO], &["not a checkpoint directory but a file", PHOTO]),
        (&[PHOTO, "Hello?", "--model", "qwen2"], &["text-only"]),
        (&["Hello?", "--model", "qwen2", "--style", "spatialthinker"], &["size of the picture"]),
        (&["Hello?", "--model", "qwen2", "--type", "multiple-choice"], &["give two options"]),
        (&["Hello?", "--model", "qwen2", "--type", "box"], &["no published prompt"]),
        (&["no.jpg", "Hello?", "--model", "qwen2_vl"], &["no.jpg"]),
        (&["--messages", "no.json", "--model", "qwen2_vl"], &["no.json"]),
        (&["Hello?", "--model", "qwen2", "--device", "cuda"], &["cuda"]),
    ];
    for (arguments, parts) in cases {
        assert_failure(&ask(home.path(), arguments), parts);
    }
    for arguments in [
        &["a.mp4", "b", "--fps", "1", "--frames", "4", "--model", "qwen2_vl"][..],
        &["a.mp4", "b", "--start", "5", "--end", "2", "--model", "qwen2_vl"],
        &["b", "--greedy", "--temperature", "1", "--model", "qwen2"],
        &["b", "--top-p", "0", "--model", "qwen2"],
        &["a.mp4", "b", "--fps", "0", "--model", "qwen2_vl"],
        &["a.mp4", "b", "--min-frames", "9", "--max-frames", "8", "--model", "qwen2_vl"],
        &[PHOTO, "--model", "qwen2_vl"],
        &["What is it?", PHOTO, "--model", "qwen2_vl"],
        &["What is it?", "http://127.0.0.1:9/photo.jpg", "--model", "qwen2_vl"],
        &[PHOTO, " ", "--model", "qwen2_vl"],
        &[],
    ] {
        let output = ask(home.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(!stderr(&output).contains("firsthand <COMMAND>"), "usage of another verb: {output:?}");
    }
}

#[test]
fn what_cannot_be_drawn_is_said_early_and_the_answer_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let (absent, drawn) = (home.path().join("absent/x.png"), home.path().join("x.png"));
    let (absent, drawn) = (absent.to_str().unwrap(), drawn.to_str().unwrap());
    let ask = |words: &[&str]| {
        ask(home.path(), &[words, &["--model", "qwen2_vl", "--max-tokens", "4", "--json"]].concat())
    };
    for (words, part) in [
        (&["Hello?", "--draw", drawn][..], "no picture to draw on"),
        (&[PHOTO, "What is it?", "--draw", absent], "absent"),
    ] {
        let output = ask(words);
        assert!(output.stdout.is_empty(), "{output:?}");
        assert_failure(&output, &[part]);
    }
    let output = ask(&[PHOTO, "What is it?", "--draw", drawn, "--greedy"]);
    assert_failure(&output, &["no box to draw"]);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(report["text"].is_string());
    assert!(!Path::new(drawn).exists());
}

#[test]
fn the_prompt_is_shown_without_an_answer() {
    let home = tempfile::tempdir().unwrap();
    let words =
        [PHOTO, "Where?", "--options", "here|there", "--model", "qwen2_vl", "--style", "spatialthinker"];
    let output = ask(home.path(), &[&words[..], &["--show-prompt"]].concat());
    assert!(output.status.success(), "{output:?}");
    let shown = stdout(&output);
    assert!(shown.contains("<|vision_start|><|image_pad|> x 15<|vision_end|>You FIRST observe"), "{shown}");
    assert!(
        shown.contains("Image size: 130 x 90\n\nWhere?\nOptions:\n(A) here\n(B) there<|im_end|>"),
        "{shown}"
    );
    assert!(shown.ends_with("<|im_start|>assistant\n\n"), "{shown:?}");
    let report = json(&ask(home.path(), &[&words[..], &["--show-prompt", "--json"]].concat()));
    let answered = json(&ask(home.path(), &[&words[..], &["--max-tokens", "1", "--json"]].concat()));
    let prompt = report["prompt_text"].as_str().unwrap();
    assert_eq!(shown, prompt.replace("<|image_pad|>", "<|image_pad|> x 15") + "\n");
    for key in ["prompt_text", "prompt_tokens"] {
        assert_eq!(report[key], answered[key]);
    }
    let hash = blake3::hash(prompt.as_bytes()).to_hex().to_string();
    assert_eq!(answered["manifest"]["prompt"], hash.as_str(), "the text is what the manifest's hash is of");
    assert!(report.get("answer").is_none());
}

#[test]
fn calls_and_results_of_a_file_are_in_the_prompt() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("messages.json");
    let call = serde_json::json!({"id": "a", "type": "function", "function": {"name": "look", "arguments": "{\"room\": 1}"}});
    let messages = serde_json::json!([
        {"role": "user", "content": "where?"}, {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "image", "image": PHOTO}]},
    ]);
    fs_err::write(&file, messages.to_string()).unwrap();
    let words = ["--messages", file.to_str().unwrap(), "--model", "qwen2_vl", "--show-prompt"];
    let shown = stdout(&ask(home.path(), &words));
    assert!(
        shown.contains("<tool_call>\n{\"name\": \"look\", \"arguments\": {\"room\": 1}}\n</tool_call>"),
        "{shown}"
    );
    assert!(
        shown.contains("user\n<tool_response>\n<|vision_start|>")
            && shown.contains("\n</tool_response><|im_end|>"),
        "{shown}"
    );
}

#[test]
fn settings_that_do_not_matter_stop_nothing() {
    let home = tempfile::tempdir().unwrap();
    let model = home.path().join("model");
    scripted_checkpoint(&model, &["yes"]);
    let settings = r#"{"do_sample": true, "top_k": -1, "temperature": NaN, "repetition_penalty": 0, "eos_token_id": 382}"#;
    fs_err::write(model.join("generation_config.json"), settings).unwrap();
    let model = model.to_str().unwrap();
    let output = ask(home.path(), &["Is it?", "--model", model, "--greedy"]);
    assert_eq!(stdout(&output), "yes\n", "{output:?}");
    let given = ["--temperature", "0", "--repetition-penalty", "1"];
    let output = ask(home.path(), &[&["Is it?", "--model", model][..], &given].concat());
    assert_eq!(stdout(&output), "yes\n", "{output:?}");
    let output = ask(home.path(), &["Is it?", "--model", model]);
    assert_failure(
        &output,
        &["generation_config.json", "repetition_penalty: expected a number from 0.001 to 1000, found 0"],
    );
    let messages = home.path().join("messages.json");
    fs_err::write(&messages, r#"[{"role": "user", "content": "Is it?"}]"#).unwrap();
    let out = home.path().join("out.safetensors");
    let mut dump = program(home.path());
    dump.args(["dump", "--model", model, "--greedy", "1", "--messages"])
        .arg(&messages)
        .arg("--out")
        .arg(&out);
    let output = dump.output().unwrap();
    assert!(output.status.success() && out.is_file(), "{output:?}");
}

#[test]
fn the_note_tells_a_full_context_from_a_limit() {
    let home = tempfile::tempdir().unwrap();
    let words = "word ".repeat(1000);
    let output = ask(home.path(), &[&words, "--model", "qwen2", "--greedy", "--max-tokens", "4000"]);
    assert!(stderr(&output).contains("the context is full"), "{}", stderr(&output));
}

#[test]
fn pixel_flags_override_a_fixed_size_in_the_file() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("messages.json");
    let part =
        serde_json::json!({ "type": "image", "image": PHOTO, "resized_height": 280, "resized_width": 280 });
    fs_err::write(&file, serde_json::json!([{ "role": "user", "content": [part] }]).to_string()).unwrap();
    let size = |more: &[&str]| {
        let fixed =
            ["--messages", file.to_str().unwrap(), "--model", "qwen2_vl", "--json", "--max-tokens", "1"];
        json(&ask(home.path(), &[&fixed, more].concat()))["manifest"]["media"][0]["size"].clone()
    };
    assert_eq!(size(&[]), serde_json::json!([280, 280]));
    assert_eq!(size(&["--max-pixels", "6272"]), serde_json::json!([56, 84]));
    assert_eq!(size(&["--total-pixels", "6272"]), serde_json::json!([280, 280]), "says nothing of images");
}

#[test]
fn fetched_checkpoints_are_found_by_name() {
    let home = tempfile::tempdir().unwrap();
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let repository = home.path().join("hf/hub/models--owner--tiny");
    scripted_checkpoint(&repository.join("snapshots").join(commit), &["yes"]);
    fs_err::create_dir_all(repository.join("refs")).unwrap();
    fs_err::write(repository.join("refs/main"), commit).unwrap();
    let output = ask(home.path(), &["Is it?", "--model", "owner/tiny"]);
    assert_eq!(stdout(&output), "yes\n", "{output:?}");
}

#[test]
fn matrices_that_cannot_be_quantised_are_counted_aloud() {
    let home = tempfile::tempdir().unwrap();
    let model = firsthand_golden::checkpoint("qwen2");
    let arguments = ["hello", "--max-tokens", "1", "--model", model.to_str().unwrap()];
    let quantised = ask(home.path(), &[&arguments[..], &["--quantize", "q8_0"]].concat());
    assert!(quantised.status.success(), "{quantised:?}");
    assert!(stderr(&quantised).contains("matrices stay unquantised"), "{quantised:?}");
    assert!(!stderr(&ask(home.path(), &arguments)).contains("unquantised"));
}
