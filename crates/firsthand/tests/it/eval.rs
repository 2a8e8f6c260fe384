//! `eval NAME...` and `compare`: runs over small benchmarks with random checkpoints, killed and resumed; what two runs
//! did differently; files that cannot be used.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use firsthand_golden::{checkpoint, media};
use serde_json::{Value, json};

use crate::chat_server::ChatServer;
use crate::program::{assert_failure, program, stderr, stdout};

pub(crate) const TOML: &str = r#"
name = "kitchen"
title = "Questions about a kitchen"
headline = ["room"]

[source]
home = "a test"
licence = "none"
documented = "here"
layout = "items.jsonl; clips beside it"

[[files]]
path = "items.jsonl"

[item]
id = "{id}"
question = "{question}"
options = "{options}"

[[media]]
path = "{media}"

[answer]
gold = "{gold}"

[groups]
room = "{room}"
"#;

/// Settings with which random weights answer quickly.
const QUICK: [&str; 8] =
    ["--greedy", "--max-tokens", "6", "--min-pixels", "3136", "--max-pixels", "6272", "--parallel=3"];

pub(crate) fn items(count: usize) -> Vec<Value> {
    let (clips, golds, rooms) = (["clip.mp4", "small.png"], ["A", "B", "C"], ["hall", "attic"]);
    (0..count)
        .map(|id| {
            json!({
                "id": format!("q{id}"), "question": format!("What is number {id}?"), "media": clips[id % 2],
                "options": ["a cup", "a key", "a door"], "gold": golds[id % 3], "room": rooms[id % 2],
            })
        })
        .collect()
}

/// A folder with a benchmark and its media.
pub(crate) fn home(rows: &[Value]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    fs_err::create_dir(&data).unwrap();
    for name in ["clip.mp4", "small.png"] {
        fs_err::copy(media(name), data.join(name)).unwrap();
    }
    fs_err::write(home.path().join("kitchen.toml"), TOML).unwrap();
    write_rows(home.path(), rows);
    home
}

fn write_rows(home: &Path, rows: &[Value]) {
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    fs_err::write(home.join("data/items.jsonl"), text).unwrap();
}

fn command(home: &Path, out: &str, more: &[&str]) -> Command {
    let mut command = program(home);
    command.args(["eval", "kitchen.toml", "--data", "data", "--out", out, "--model"]);
    command.arg(checkpoint("qwen2_5_vl")).args(QUICK).args(more);
    command
}

pub(crate) fn run(home: &Path, out: &str, more: &[&str]) -> Output {
    command(home, out, more).output().unwrap()
}

#[track_caller]
pub(crate) fn good(output: &Output) {
    assert!(output.status.success(), "{}{}", stdout(output), stderr(output));
}

pub(crate) fn rows(folder: &Path) -> Vec<Value> {
    let text = fs_err::read_to_string(folder.join("rows.jsonl")).unwrap();
    assert!(text.ends_with('\n'), "the last line is torn");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

#[test]
fn a_killed_run_resumes_to_identical_results() {
    let home = home(&items(14));
    let home = home.path();
    let more = ["--frames", "2,4", "--blind", "--shuffled"];
    good(&run(home, "whole", &more));
    // 14 items under two settings, 7 of them videos and shuffled twice, and each once blind.
    assert_eq!(rows(&home.join("whole")).len(), 14 * 2 + 7 * 2 + 14);
    let torn = home.join("torn");
    let lines = || fs_err::read_to_string(torn.join("rows.jsonl")).map_or(0, |text| text.lines().count());
    let mut kills = 0;
    for wanted in [3, 20, 41] {
        let mut child =
            command(home, "torn", &more).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(120);
        while lines() < wanted && Instant::now() < deadline && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        // What a kill in the middle of a write leaves behind.
        let path = torn.join("rows.jsonl");
        let text = fs_err::read_to_string(&path).unwrap();
        fs_err::write(&path, text + "{\"benchmark\":\"kitchen\",\"id\":\"q1").unwrap();
    }
    assert!(kills > 0, "the run was never caught");
    good(&run(home, "torn", &more));
    let read = |run: &str, name: &str| fs_err::read_to_string(home.join(run).join(name)).unwrap();
    assert_eq!(read("torn", "results.json"), read("whole", "results.json"));
    assert_eq!(read("torn", "results.md"), read("whole", "results.md"));
    assert_eq!(rows(&torn).len(), 56);
    let again = run(home, "torn", &more);
    good(&again);
    assert!(stdout(&again).contains("0 rows asked, 56 were there"), "{}", stdout(&again));
    assert_failure(
        &run(home, "torn", &["--frames", "4"]),
        &["other settings", "frames 2 was Frames(2), is nothing", "torn"],
    );
    // More items may follow; nothing that is there is asked again.
    good(&run(home, "few", &["--limit", "3"]));
    let all = run(home, "few", &[]);
    good(&all);
    assert!(stdout(&all).contains("11 rows asked, 3 were there"), "{}", stdout(&all));
}

#[test]
fn rows_and_results_say_what_was_asked_said_and_seen() {
    let home = home(&items(6));
    let home = home.path();
    let output = run(home, "run", &["--frames", "4", "--json"]);
    good(&output);
    let results: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(results, json_of(&home.join("run/results.json")));
    let figures = &results["figures"][0];
    assert_eq!(
        (&figures["benchmark"], &figures["frames"], &figures["rows"]),
        (&json!("kitchen"), &json!("4"), &json!(6))
    );
    assert!((figures["baseline"]["always"]["A"].as_f64().unwrap() - 1.0 / 3.0).abs() < 1e-9, "{figures}");
    assert!(figures["headline"]["room"]["mean"].is_f64());
    for row in rows(&home.join("run")) {
        let id: usize = row["id"].as_str().unwrap()[1..].parse().unwrap();
        assert!(row["prompt"].as_str().unwrap().contains(&format!("What is number {id}?")), "{row}");
        assert_eq!(row["gold"], ["A", "B", "C"][id % 3]);
        assert!(row["score"] == 0.0 || row["score"] == 1.0, "{row}");
        let frames = row["media"][0]["frames"].as_array().unwrap();
        assert_eq!(frames.len(), if id.is_multiple_of(2) { 4 } else { 1 });
        assert_eq!(frames[0]["hash"].as_str().unwrap().len(), 64);
        assert!(row["seconds"].as_f64().unwrap() > 0.0 && row["new_tokens"].as_u64().unwrap() > 0, "{row}");
        assert!(row["text"].is_string() && row["parsed"].is_string() && row.get("error").is_none());
    }
    let manifest = json_of(&home.join("run/manifest.json"));
    assert_eq!(manifest["weights"].as_str().unwrap().len(), 64);
    assert_eq!(manifest["options"]["frames 4"], "Frames(4)");
}

#[test]
fn compare_names_the_one_thing_that_was_changed() {
    let home = home(&items(4));
    let home = home.path();
    good(&run(home, "base", &["--frames", "4"]));
    good(&run(home, "same", &["--frames", "4"]));
    good(&run(home, "frames", &["--frames", "2"]));
    good(&run(home, "prompt", &["--frames", "4", "--style", "video-r1"]));
    let sampling = ["--temperature", "1", "--seed", "5", "--max-tokens", "6"];
    let pixels = ["--frames", "4", "--min-pixels", "3136", "--max-pixels", "6272", "--parallel=3"];
    let mut sampled = program(home);
    sampled.args(["eval", "kitchen.toml", "--data", "data", "--out", "sampling", "--model"]);
    good(&sampled.arg(checkpoint("qwen2_5_vl")).args(sampling).args(pixels).output().unwrap());
    // One bit of one number of the weights.
    let model = home.join("model");
    fs_err::create_dir(&model).unwrap();
    for entry in fs_err::read_dir(checkpoint("qwen2_5_vl")).unwrap() {
        let path = entry.unwrap().path();
        fs_err::copy(&path, model.join(path.file_name().unwrap())).unwrap();
    }
    let is_weights = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "safetensors");
    let file = fs_err::read_dir(&model).unwrap().map(|entry| entry.unwrap().path()).find(is_weights).unwrap();
    let mut bytes = fs_err::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs_err::write(&file, bytes).unwrap();
    let mut other = program(home);
    other.args([
        "eval",
        "kitchen.toml",
        "--data",
        "data",
        "--out",
        "weights",
        "--frames",
        "4",
        "--model",
        "model",
    ]);
    good(&other.args(QUICK).output().unwrap());
    // Another version of the decoder cannot be had here; its name can.
    fs_err::create_dir(home.join("decoder")).unwrap();
    fs_err::copy(home.join("base/rows.jsonl"), home.join("decoder/rows.jsonl")).unwrap();
    let mut manifest = json_of(&home.join("base/manifest.json"));
    manifest["decoder"] = json!("another decoder 1.0");
    fs_err::write(home.join("decoder/manifest.json"), manifest.to_string()).unwrap();

    for (changed, causes) in [
        ("same", json!([])),
        ("frames", json!(["frames"])),
        ("prompt", json!(["prompt"])),
        ("sampling", json!(["sampling"])),
        ("weights", json!(["weights"])),
        ("decoder", json!(["decoder"])),
    ] {
        let output = program(home).args(["compare", "base", changed, "--json"]).output().unwrap();
        good(&output);
        let found: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(found["causes"], causes, "{changed}: {}", found["changes"]);
        let matched = &found["matches"][0];
        assert_eq!(matched["difference"]["items"], 4, "{changed}");
        let told = program(home).args(["compare", "base", changed]).output().unwrap();
        let line = causes[0]
            .as_str()
            .map_or("done the same way".to_owned(), |cause| format!("done differently: {cause}\n"));
        assert!(stdout(&told).contains(&line), "{}", stdout(&told));
    }
    let output = program(home).args(["compare", "base", "nowhere"]).output().unwrap();
    assert_failure(&output, &["no manifest.json in nowhere"]);
}

#[test]
fn flipped_items_are_listed_with_what_was_said() {
    let home = home(&items(4));
    let home = home.path();
    good(&run(home, "a", &["--frames", "4"]));
    fs_err::create_dir(home.join("b")).unwrap();
    fs_err::copy(home.join("a/manifest.json"), home.join("b/manifest.json")).unwrap();
    let change = |mut row: Value| {
        if row["id"] == "q2" {
            let right = row["score"] == 1.0;
            (row["score"], row["parsed"]) = (json!(if right { 0.0 } else { 1.0 }), json!("C"));
        }
        format!("{row}\n")
    };
    let text: String = rows(&home.join("a")).into_iter().map(change).collect();
    fs_err::write(home.join("b/rows.jsonl"), text).unwrap();
    let output = program(home).args(["compare", "a", "b"]).output().unwrap();
    good(&output);
    let text = stdout(&output);
    assert!(text.contains("    q2: ") && text.contains("right C") && text.contains("then \"C\""), "{text}");
    assert!(text.contains("done the same way") && text.contains("sign test p 1.000"), "{text}");
}

#[test]
fn what_cannot_be_used_is_named_and_the_rest_goes_on() {
    let mut bad = items(8);
    bad[1]["media"] = json!("gone.mp4");
    bad[2]["id"] = json!("q0");
    bad[3]["options"] = json!(["a cup", " ", "a door"]);
    bad[4]["gold"] = json!("D");
    bad[5]["options"] = json!([]);
    let home = home(&bad);
    let home = home.path();
    let path = home.join("data/items.jsonl");
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, text + "{\"id\": \"q9\", \n").unwrap();
    let output = run(home, "run", &["--frames", "4"]);
    assert_failure(&output, &["1 rows failed", "5 rows of the files cannot be used", "items.jsonl:3"]);
    let results = json_of(&home.join("run/results.json"));
    let unusable: Vec<&str> =
        results["unusable"].as_array().unwrap().iter().map(|bad| bad[1].as_str().unwrap()).collect();
    for (found, part) in unusable.iter().zip([
        "items.jsonl:3: the id \"q0\"",
        "items.jsonl:4: option B is empty",
        "items.jsonl:5: the gold answer",
        "items.jsonl:6: no options",
        "items.jsonl:9: not JSON",
    ]) {
        assert!(found.contains(part), "{part} is not in {found}");
    }
    let found = rows(&home.join("run"));
    assert_eq!(found.len(), 4);
    let failed = found.iter().find(|row| row["id"] == "q1").unwrap();
    assert!(
        failed["error"].as_str().unwrap().contains("gone.mp4") && failed.get("text").is_none(),
        "{failed}"
    );
    assert!(stdout(&output).contains("1 rows failed"), "{}", stdout(&output));
    // Repaired and asked again.
    fs_err::copy(media("clip.mp4"), home.join("data/gone.mp4")).unwrap();
    let output = run(home, "run", &["--frames", "4", "--retry-failed"]);
    assert_failure(&output, &["5 rows of the files"]);
    assert!(!stderr(&output).contains("rows failed"), "{}", stderr(&output));
}

#[test]
fn wrong_names_and_descriptions_are_refused_before_anything_is_asked() {
    let home = home(&items(1));
    let home = home.path();
    let eval = |name: &str, data: &str| {
        let mut command = program(home);
        command.args(["eval", name, "--data", data, "--out", "o", "--model"]).arg(checkpoint("qwen2_5_vl"));
        command.output().unwrap()
    };
    assert_failure(&eval("no-such-bench", "data"), &["no-such-bench", "vsi-bench"]);
    assert_failure(&eval("no-such.toml", "data"), &["no-such.toml"]);
    assert_failure(&eval("kitchen.toml", "nowhere"), &["no such folder: nowhere"]);
    for (more, parts) in [
        ("[metric]\nbox = \"taste\"\n", ["other.toml", "taste"]),
        ("[metric]\ninterval = \"accuracy\"\n", ["kitchen", "accuracy"]),
    ] {
        fs_err::write(home.join("other.toml"), format!("{TOML}{more}")).unwrap();
        assert_failure(&eval("other.toml", "data"), &parts);
    }
    assert!(!home.join("o/rows.jsonl").exists());
    for wrong in [
        &["eval", "kitchen.toml"][..],
        &["eval", "kitchen.toml", "--data", "data", "--out", "o", "--frames", "0"],
        &["eval", "kitchen.toml", "--data", "data", "--out", "o", "--limit", "0"],
        &["eval", "--data", "data"],
        &["eval"],
        &["compare", "a"],
    ] {
        let output = program(home).args(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", stderr(&output));
    }
}

#[test]
fn benchmarks_are_listed_and_folders_checked() {
    let home = home(&items(4));
    let home = home.path();
    let all = program(home).args(["eval", "list"]).output().unwrap();
    good(&all);
    for part in ["vsi-bench", "ego-st-mcq", "licence", "layout", "huggingface.co"] {
        assert!(stdout(&all).contains(part), "{part}");
    }
    let list = |more: &[&str]| {
        program(home).args(["eval", "list", "kitchen.toml", "--json"]).args(more).output().unwrap()
    };
    let whole = list(&["--data", "data"]);
    good(&whole);
    let found: Value = serde_json::from_str(&stdout(&whole)).unwrap();
    assert_eq!((&found["check"]["items"], &found["check"]["whole"]), (&json!(4), &json!(true)));
    fs_err::remove_file(home.join("data/clip.mp4")).unwrap();
    let broken = list(&["--data", "data"]);
    assert_failure(&broken, &["not complete: kitchen"]);
    let found: Value = serde_json::from_str(&stdout(&broken)).unwrap();
    assert!(found["check"]["missing"][0].as_str().unwrap().ends_with("clip.mp4"));
}

#[test]
fn the_simulated_home_is_a_benchmark_like_any_other() {
    let home = tempfile::tempdir().unwrap();
    let made = program(home.path())
        .args([
            "world",
            "questions",
            "--items",
            "2",
            "--families",
            "relation,order",
            "--seeds",
            "5..7",
            "--held-out",
        ])
        .args(["--out", "q"])
        .output()
        .unwrap();
    good(&made);
    let mut eval = program(home.path());
    eval.args(["eval", "--data", "q", "--out", "run", "--limit", "6", "--blind", "--model"])
        .arg(checkpoint("qwen2_5_vl"));
    let output = eval.args(QUICK).args(["--frames", "2", "world-video-r1", "--", "world"]).output().unwrap();
    good(&output);
    let results = json_of(&home.path().join("run/results.json"));
    let names: Vec<&str> = results["figures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|figures| figures["benchmark"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["world", "world", "world-video-r1", "world-video-r1"]);
}

#[test]
fn a_judge_behind_an_address_is_asked() {
    let open = TOML
        .replace("options = \"{options}\"\n", "")
        .replace("gold = \"{gold}\"", "gold = \"{gold}\"\ntype = \"free-form\"");
    let judge = r#"
[metric]
free-form = "judge"
[judge]
system = "You judge."
before = "{item.question} said: "
after = ""
scores = ["sense"]
most = 4.0
"#;
    let home = home(&items(2));
    let home = home.path();
    fs_err::write(home.join("kitchen.toml"), open + judge).unwrap();
    // The first question of an item is refused once, and asked again.
    let server = ChatServer::start(&[500], 1, |_| "{'sense': 3}".to_owned());
    good(&run(home, "run", &["--frames", "2", "--judge", &server.address, "--judge-model", "wise"]));
    let asked = &server.seen.lock().unwrap().asked;
    assert_eq!(asked.len(), 3);
    assert_eq!((&asked[0]["temperature"], &asked[0]["model"]), (&json!(0), &json!("wise")));
    assert_eq!(json_of(&home.join("run/results.json"))["figures"][0]["mean"]["mean"], 0.75);
    // Without a judge there are answers but no scores, and the exit code says so.
    let output = run(home, "unjudged", &["--frames", "2"]);
    assert_failure(&output, &["2 answers have no judge's score"]);
}
