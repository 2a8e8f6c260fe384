//! `train sft` on what cannot work: one line that says what and where, before anything is trained, and nothing lost.

use serde_json::json;

use crate::program::{assert_failure, files, program, stderr};
use crate::train::School;

const TRAIN: &str = "[train]\nsteps = 6\nbatch = 2\nlearning_rate = 1e-3\n";

#[test]
fn recipes_that_cannot_work_say_so_and_write_nothing() {
    let school = School::new();
    let check = |from: &str, to: &str, parts: &[&str]| {
        let file = school.recipe("run", "f32", TRAIN);
        let text = fs_err::read_to_string(school.path(&file)).unwrap();
        assert!(text.contains(from), "{from:?} is not in {text}");
        fs_err::write(school.path(&file), text.replacen(from, to, 1)).unwrap();
        for flags in [&["--dry-run"][..], &[]] {
            assert_failure(&school.train(&file).args(flags).output().unwrap(), parts);
        }
        let written = if school.path("run").exists() { files(&school.path("run")) } else { Vec::new() };
        assert_eq!(written.iter().filter(|file| *file != ".lock").count(), 0, "{to}: {written:?}");
    };
    check("steps = 6", "stesp = 6", &["run.toml: line 15: unknown key stesp", "did you mean steps?"]);
    check("steps = 6", "steps = 6\nsteps = 7", &["run.toml: line 16", "duplicate key"]);
    check("[train]", "[train", &["run.toml: line 14"]);
    check("1e-3", "0.0", &["nothing is left to train"]);
    check("rows.jsonl", "no.jsonl", &["no.jsonl"]);
    check("qwen2_5_vl\"", "no_such\"", &["no such checkpoint directory"]);
    check("seed = 3", "seed = 3\n[adapter]\nrank = 0", &["rank 0"]);
    check(
        "seed = 3\n[model]",
        "seed = 3\n[model]\nquantize = \"q8_0\"",
        &["quantised weights cannot be trained", "[adapter]"],
    );
    assert_failure(&school.train("absent.toml").output().unwrap(), &["absent.toml"]);
}

#[test]
fn parts_a_checkpoint_lacks_cannot_be_trained() {
    let school = School::new();
    fs_err::write(
        school.path("words.jsonl"),
        json!({"messages": [{"role": "user", "content": "hm"}, {"role": "assistant", "content": "it is"}]})
            .to_string(),
    )
    .unwrap();
    let text = fs_err::read_to_string(school.path(&school.recipe("run", "f32", TRAIN))).unwrap();
    let text = text.replace("qwen2_5_vl\"", "qwen2\"").replace("rows.jsonl", "words.jsonl");
    fs_err::write(school.path("named.toml"), text.replace("1e-3", "{ vision = 1e-3 }")).unwrap();
    let output = school.train("named.toml").output().unwrap();
    assert_failure(&output, &["phase \"train\"", "learning_rate.vision", "no such part"]);
    // One rate for all parts means those that are there.
    fs_err::write(school.path("all.toml"), text.replace("\"run\"", "\"all\"")).unwrap();
    school.finish("all.toml");
}

#[test]
fn rows_without_their_media_are_named() {
    let school = School::new();
    let row = json!({"messages": [
        {"role": "user", "content": [{"type": "image", "image": "absent.jpg"}, {"type": "text", "text": "hm"}]},
        {"role": "assistant", "content": "it is"},
    ]});
    let rows = fs_err::read_to_string(school.path("rows.jsonl")).unwrap();
    fs_err::write(school.path("rows.jsonl"), format!("{row}\n{rows}")).unwrap();
    let recipe = school.recipe("run", "f32", TRAIN);
    let said = school.finish(&recipe);
    assert!(
        said.contains("left out 1 rows") && said.contains("rows.jsonl:1:") && said.contains("absent.jpg"),
        "{said}"
    );
    let strict = school.recipe("strict", "f32", &format!("[data]\non_bad_row = \"stop\"\n{TRAIN}"));
    assert_failure(&school.train(&strict).output().unwrap(), &["rows.jsonl:1:", "absent.jpg", "on_bad_row"]);
}

#[test]
fn a_loss_that_runs_away_ends_the_run_and_keeps_the_checkpoint() {
    let school = School::new();
    let wild =
        "[train]\nsteps = 200\nbatch = 2\nlearning_rate = 300.0\nschedule = \"constant\"\nmax_skipped = 3\n";
    let recipe = school.recipe("wild", "f32", wild);
    let output = school.train(&recipe).output().unwrap();
    let said = stderr(&output);
    assert_failure(&output, &["step ", "learning_rate"]);
    assert!(said.contains("diverges") || said.contains("no finite gradient"), "{said}");
    let kept = files(&school.path("wild"));
    assert!(kept.iter().any(|file| file == "metrics.jsonl"), "{kept:?}");
    assert!(!kept.iter().any(|file| file.starts_with("final/")), "{kept:?}");
}

#[test]
fn a_changed_recipe_is_not_continued() {
    let school = School::new();
    let recipe = school.recipe("run", "f32", TRAIN);
    school.finish(&recipe);
    let text = fs_err::read_to_string(school.path(&recipe)).unwrap();
    let check = |from: &str, to: &str, parts: &[&str]| {
        fs_err::write(school.path(&recipe), text.replacen(from, to, 1)).unwrap();
        assert_failure(&school.train(&recipe).output().unwrap(), parts);
    };
    check("batch = 2", "batch = 3", &["the recipe has changed", "phase[train].batch was 2 and is 3"]);
    check("seed = 3", "seed = 4", &["seed was 3 and is 4", "another output"]);
    check("steps = 6", "steps = 6\nclip = 1.0", &["phase[train].clip was not given and is 1"]);
    // Without the final model it is the checkpoint that refuses.
    fs_err::remove_dir_all(school.path("run/final")).unwrap();
    check("batch = 2", "batch = 3", &["step-000006", "phase[train].batch"]);
    fs_err::write(school.path(&recipe), &text).unwrap();
    let rows = fs_err::read_to_string(school.path("rows.jsonl")).unwrap();
    fs_err::write(
        school.path("rows.jsonl"),
        rows.lines().skip(1).map(|row| format!("{row}\n")).collect::<String>(),
    )
    .unwrap();
    assert_failure(&school.train(&recipe).output().unwrap(), &["rows of the sources have changed"]);
    // How often it is saved shapes nothing.
    fs_err::write(school.path("rows.jsonl"), rows).unwrap();
    fs_err::write(school.path(&recipe), text.replace("every = 5", "every = 4")).unwrap();
    school.finish(&recipe);
}

#[test]
fn json_is_one_object() {
    let school = School::new();
    let recipe = school.recipe("run", "f32", TRAIN);
    for flags in [&["--dry-run", "--json"][..], &["--json"]] {
        let output = school.train(&recipe).args(flags).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(value.is_object() && (value["steps"] == 6 || value["phases"][0]["steps"] == 6), "{value}");
    }
    let output = program(school.home.path()).arg("train").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
