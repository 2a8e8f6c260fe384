//! `batch`: killed, torn, repaired; failed rows recorded; nothing twice and nothing lost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use firsthand_golden::root;
use serde_json::{Value, json};

use crate::program::{assert_failure, program, stderr};

struct Files {
    home: tempfile::TempDir,
    input: PathBuf,
    output: PathBuf,
}

fn files(rows: &[Value]) -> Files {
    let home = tempfile::tempdir().unwrap();
    let (input, output) = (home.path().join("in.jsonl"), home.path().join("out.jsonl"));
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    fs_err::write(&input, text).unwrap();
    Files { home, input, output }
}

fn command(files: &Files, more: &[&str]) -> Command {
    let mut command = program(files.home.path());
    command.current_dir(root()).arg("batch").arg(&files.input).arg(&files.output);
    command.args(["--model", "qwen2_5_vl", "--min-pixels", "3136", "--max-pixels", "6272"]).args(more);
    command
}

fn run(files: &Files, more: &[&str]) -> Output {
    command(files, more).output().unwrap()
}

/// Lines of OUT by id; fails when a line is torn or an id occurs twice.
#[track_caller]
fn answers(path: &Path) -> BTreeMap<String, Value> {
    let text = fs_err::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is torn");
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        assert!(found.insert(row["id"].to_string(), row).is_none(), "an id twice: {line}");
    }
    found
}

fn questions(count: usize) -> Vec<Value> {
    let media = ["media/clip.mp4", "media/odd.mp4", "media/small.png"];
    (0..count)
        .map(|i| json!({ "id": i, "media": media[i % 3], "question": format!("What is number {i}?") }))
        .collect()
}

#[test]
fn a_killed_batch_resumes_without_repeats_or_losses() {
    let rows = questions(30);
    let settings = ["--greedy", "--max-tokens", "60", "--parallel", "3"];
    let whole = files(&rows);
    assert!(run(&whole, &settings).status.success());
    let expected = answers(&whole.output);
    assert_eq!(expected.len(), rows.len());

    let torn = files(&rows);
    let mut kills = 0;
    for wanted in [2, 9, 17] {
        let mut child =
            command(&torn, &settings).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let lines = || fs_err::read_to_string(&torn.output).map_or(0, |text| text.lines().count());
        while lines() < wanted && Instant::now() < deadline && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        // What a kill in the middle of a write leaves behind.
        let mut text = fs_err::read_to_string(&torn.output).unwrap();
        text.push_str("{\"id\":29,\"line\":30,\"reci");
        fs_err::write(&torn.output, text).unwrap();
    }
    assert!(kills > 0, "the batch was never caught running");
    let output = run(&torn, &settings);
    assert!(output.status.success(), "{output:?}");
    let resumed = answers(&torn.output);
    for (id, row) in &expected {
        assert_eq!(resumed[id]["text"], row["text"], "row {id}");
    }
    assert_eq!(resumed.len(), expected.len());
    let before = fs_err::read(&torn.output).unwrap();
    assert!(run(&torn, &settings).status.success(), "a complete batch is done again at once");
    assert_eq!(fs_err::read(&torn.output).unwrap(), before);
}

#[test]
fn failed_rows_are_recorded_with_their_reason_and_asked_again_on_request() {
    let mut rows = questions(2);
    rows.push(json!({ "id": "gone", "media": "gone.mp4", "question": "?", "extra": { "gold": "A" } }));
    rows.push(json!({ "id": "odd key", "question": "?", "max_pixel": 3 }));
    rows.push(json!({ "id": "both", "question": "?", "messages": [] }));
    rows.push(json!({ "question": "no id" }));
    rows.push(json!({ "id": "choice", "question": "Which?", "options": ["a", "b"], "style": "video-r1", "extra": 7 }));
    let files = files(&rows);
    let settings = ["--greedy", "--max-tokens", "8"];
    assert_failure(&run(&files, &settings), &["4 of 7 rows failed", "out.jsonl", "--retry-failed"]);
    let found = answers(&files.output);
    for (id, part) in [
        ("\"gone\"", "gone.mp4"),
        ("\"odd key\"", "max_pixel"),
        ("\"both\"", "either messages"),
        ("null", "id"),
    ] {
        let error = found[id]["error"].as_str().unwrap();
        assert!(error.contains(part) && found[id].get("answer").is_none(), "{id}: {error}");
    }
    assert_eq!(found["null"]["line"], 6);
    assert_eq!(found["\"choice\""]["extra"], 7);
    assert_eq!(found["\"choice\""]["manifest"]["options"]["style"], "video-r1");
    assert_eq!(found["0"]["manifest"]["media"][0]["location"], "media/clip.mp4");

    fs_err::copy(root().join("media/clip.mp4"), files.home.path().join("gone.mp4")).unwrap();
    let text = fs_err::read_to_string(&files.input).unwrap();
    let present = files.home.path().join("gone.mp4");
    fs_err::write(&files.input, text.replace("gone.mp4", present.to_str().unwrap())).unwrap();
    let again = run(&files, &settings);
    assert_failure(&again, &["4 of 7"]);
    assert!(answers(&files.output)["\"gone\""].get("error").is_some(), "not asked again unless told to");
    let mut retry = settings.to_vec();
    retry.push("--retry-failed");
    assert_failure(&run(&files, &retry), &["3 of 7"]);
    assert!(answers(&files.output)["\"gone\""].get("answer").is_some());
}

#[test]
fn files_that_do_not_fit_together_are_refused_untouched() {
    let rows = questions(2);
    let files = files(&rows);
    let settings = ["--greedy", "--max-tokens", "4"];
    assert!(run(&files, &settings).status.success());
    let before = fs_err::read(&files.output).unwrap();
    for (more, part) in [
        (vec!["--greedy", "--max-tokens", "5"], "other settings"),
        (vec!["--temperature", "1"], "other settings"),
    ] {
        assert_failure(&run(&files, &more), &[part, "out.jsonl line 1"]);
    }
    let twice = crate::batch::files(&[json!({"id": 1, "question": "a"}), json!({"id": 1, "question": "b"})]);
    assert_failure(&run(&twice, &settings), &["lines 1 and 2", "in.jsonl"]);
    assert!(!twice.output.exists());
    let mut foreign = before.clone();
    foreign.splice(0..0, b"something else\n".to_vec());
    fs_err::write(&files.output, &foreign).unwrap();
    assert_failure(&run(&files, &settings), &["not a line that batch wrote", "out.jsonl line 1"]);
    assert_eq!(fs_err::read(&files.output).unwrap(), foreign);
    let device = ["batch", files.input.to_str().unwrap(), "/dev/null", "--model", "qwen2_5_vl"];
    #[cfg(unix)]
    assert_failure(
        &program(files.home.path()).current_dir(root()).args(device).output().unwrap(),
        &["not a regular file", "/dev/null"],
    );
    let empty = crate::batch::files(&[]);
    let output = run(&empty, &settings);
    assert_failure(&output, &["no rows"]);
    assert!(stderr(&output).contains("in.jsonl"));
}

#[test]
fn rows_are_read_as_python_writes_them_and_faults_are_plain() {
    let files = files(&[]);
    let text = r#"[{"id": 1, "question": "Hello?", "extra": {"score": NaN}}, {
        "id": 2, "question": "Hello?"}, {"id": 3, "media": [null], "question": "a"},
        [1, 2, 3, 4, 5, 6, 7, 8], {"id": NaN, "question": "a"}, {"id": 4, "question": NaN},
        {"id": 5, "messages": [{"role": "user", "content": [{"type": "video", "video": "a.mp4", "fps": NaN}]}]},
        {"id": 6, "qestion": "a"}]"#;
    fs_err::write(&files.input, format!("\u{feff}{text}")).unwrap();
    assert_failure(&run(&files, &["--greedy", "--max-tokens", "2"]), &["6 of 8 rows failed"]);
    let lines = fs_err::read_to_string(&files.output).unwrap();
    let found: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let errors: Vec<&str> = found.iter().filter_map(|row| row["error"].as_str()).collect();
    for (error, expected) in errors.iter().zip([
        "not a row: media: expected a location, or a list of locations",
        "not a row: expected an object, found a list",
        "id is neither a string nor an integer: NaN: `id` is NaN at line 3",
        "not a row: `question`: expected a string, found NaN at line 3",
        "messages[0].content[0].fps: expected",
        "not a row: unknown field `qestion`",
    ]) {
        assert!(error.contains(expected), "{error}, not {expected}");
        assert!(!error.contains("enum") && !error.contains("struct"), "{error}");
    }
    assert_eq!((errors.len(), found.len()), (6, 8));
}

#[test]
fn a_line_that_is_no_text_fails_alone() {
    let files = files(&[]);
    let lines: &[u8] =
        b"\xef\xbb\xbf{\"id\":1,\"question\":\"Hello?\"}\r\n\n{\"id\":2,\"question\":\"\xff\"}\n";
    fs_err::write(&files.input, lines).unwrap();
    assert_failure(&run(&files, &["--greedy", "--max-tokens", "2"]), &["1 of 2 rows failed"]);
    let found = answers(&files.output);
    assert!(found["1"]["answer"].is_string(), "{found:?}");
    let failed: Vec<_> = found.values().filter(|row| row["error"].is_string()).collect();
    assert_eq!(failed[0]["line"], 3);
    assert!(failed[0]["error"].as_str().unwrap().contains("not a row"), "{failed:?}");
}
