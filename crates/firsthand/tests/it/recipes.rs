//! The recipes of published systems: each is read, and runs two steps on a small checkpoint with rows of its format.

use std::path::Path;

use serde_json::{Value, json};
use toml::{Table, Value as Toml};

use crate::program::{program, stderr};
use crate::tools::remember;

/// Rows of a recipe's format, about media of the fixtures.
fn rows(format: &str) -> (&'static str, String) {
    let (photo, clip) = (firsthand_golden::media("photo.jpg"), firsthand_golden::media("clip.mp4"));
    let scene =
        r#"<scene>{"objects": [{"id": "cup.1", "bbox": [1, 2, 30, 40]}], "relationships": []}</scene>"#;
    let row = |i: usize| -> Value {
        match format {
            "video-r1" => json!({
                "problem_id": i, "problem": "which?", "data_type": "video", "problem_type": "multiple choice",
                "options": ["A. red", "B. blue"], "process": "<think>so</think>", "solution": "<answer>A</answer>", "path": clip,
            }),
            "ego-r1" => json!({
                "question": "who? <timestamp>DAY2_12000000</timestamp>\nA. me\nB. you", "identity": "A1_JAKE", "golden_answer": ["A"],
                "extra_info": {"index": i, "split": "train"},
            }),
            "st-r1" => json!({
                "video": clip, "original_question": "left or right? A. left, B. right",
                "solution": "<think>so</think> <answer>A</answer>", "original_answer": "A",
            }),
            "stvqa" => json!({
                "images": photo, "problem": "<image> Image size: (640 x 480)\nwhere?", "question_only": "where?",
                "options": ["left", "right"], "answer_option_text": format!("{scene}\n<answer>(A) left</answer>"),
                "answer_option_text_only": "(A) left",
            }),
            _ => json!({
                "seed": 1, "media": photo, "size": [640, 480], "id": format!("q{i}"), "family": "hand_object", "kind": "box",
                "medium": {"frame": {"day": 1, "time_s": 9.0}}, "problem_type": "free-form", "question": "cup", "options": [],
                "answer": {"box": [1, 2, 30, 40]}, "chance": 0.1, "think": "cup e4",
            }),
        }
    };
    match format {
        "video-r1" => ("rows.json", Value::from_iter((0..4).map(row)).to_string()),
        _ => ("rows.jsonl", (0..4).map(|i| row(i).to_string() + "\n").collect()),
    }
}

/// The recipe with a small checkpoint, little to do and rows that are there.
fn shrink(recipe: &mut Table, folder: &Path) {
    recipe.insert("output".into(), folder.join("run").to_string_lossy().into_owned().into());
    let model = recipe["model"].as_table_mut().unwrap();
    let small = firsthand_golden::checkpoint("qwen2_5_vl").to_string_lossy().into_owned();
    model.insert("start".into(), small.into());
    for source in recipe["source"].as_array_mut().unwrap() {
        let source = source.as_table_mut().unwrap();
        let (name, text) = rows(source["format"].as_str().unwrap());
        fs_err::write(folder.join(name), text).unwrap();
        source.insert("path".into(), folder.join(name).to_string_lossy().into_owned().into());
        if source.contains_key("video") || source["format"].as_str() == Some("st-r1") {
            source.insert("sampling".into(), toml::from_str::<Table>("frames = 2").unwrap().into());
        }
        let small = || Toml::from(toml::from_str::<Table>("resized = [56, 56]").unwrap());
        source.insert("video".into(), small());
        source.insert("image".into(), small());
    }
    let train = recipe["train"].as_table_mut().unwrap();
    train.remove("epochs");
    train.insert("steps".into(), 2.into());
    let minibatches = train["rl"].get("minibatches").and_then(Toml::as_integer).unwrap_or(1);
    train.insert("batch".into(), minibatches.max(2).into());
    let rl = train["rl"].as_table_mut().unwrap();
    rl.insert("max_tokens".into(), 6.into());
    rl.insert("group".into(), 2.into());
    if let Some(tools) = rl.get_mut("tools") {
        let memory = folder.join("memory");
        remember(&memory, "A1_JAKE", &[("DAY1_09000000", "I see you")]);
        tools.as_table_mut().unwrap().insert("memory".into(), memory.to_string_lossy().into_owned().into());
    }
}

#[test]
fn published_settings_run_on_a_small_checkpoint() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    for name in ["video-r1", "st-r1", "spatialthinker", "egothinker", "ego-r1"] {
        let home = tempfile::tempdir().unwrap();
        let text = fs_err::read_to_string(folder.join(name).with_extension("toml")).unwrap();
        let mut recipe: Table = text.parse().unwrap();
        shrink(&mut recipe, home.path());
        let file = home.path().join("recipe.toml");
        fs_err::write(&file, recipe.to_string()).unwrap();
        let output = program(home.path()).args(["train", "rl"]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{name}: {}", stderr(&output));
        let metrics = fs_err::read_to_string(home.path().join("run/metrics.jsonl")).unwrap();
        let last: Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
        assert_eq!((&last["step"], &last["more"]["mismatch"]), (&json!(2), &json!(0.0)), "{name}: {last}");
    }
}

#[test]
fn the_quick_one_needs_nothing_but_itself() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/quick-rl.toml");
    let mut recipe: Table = fs_err::read_to_string(path).unwrap().parse().unwrap();
    for source in recipe["source"].as_array_mut().unwrap() {
        let make = source["make"].as_table_mut().unwrap();
        make.insert("seeds".into(), vec![3, 5].into());
        make.insert("items".into(), 2.into());
    }
    let train = recipe["train"].as_table_mut().unwrap();
    train.insert("steps".into(), 2.into());
    train.insert("batch".into(), 2.into());
    train["rl"].as_table_mut().unwrap().insert("group".into(), 2.into());
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("recipe.toml");
    fs_err::write(&file, recipe.to_string()).unwrap();
    let output =
        program(home.path()).args(["train", "rl", "recipe.toml", "--out", "quick"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let results = fs_err::read(home.path().join("quick/results.json")).unwrap();
    let results: Value = serde_json::from_slice(&results).unwrap();
    for (when, step) in [("before", 0), ("after", 2)] {
        let found = &results[when];
        assert_eq!(found["step"], step, "{results}");
        assert!(found["items"].as_u64().unwrap() > 0 && found["value"].is_f64(), "{results}");
        assert!(found["kinds"].as_object().unwrap().len() > 1, "{results}");
    }
}

/// The others need their data to be made, or hours; that they are read is checked by name here.
#[test]
fn every_recipe_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    let mut count = 0;
    for folder in [folder.clone(), folder.join("tiny"), folder.join("seek")] {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "toml") {
                firsthand_train::Recipe::read(&path).unwrap();
                count += 1;
            }
        }
    }
    assert!(count >= 10, "{count} recipes");
}
