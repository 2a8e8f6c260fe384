//! `score`: one line out for each line in, group terms, settings, and rows that cannot be judged.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::program::{assert_failure, program, stderr, stdout};

fn score(home: &Path, rows: &[Value], arguments: &[&str]) -> Output {
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    score_text(home, text.as_bytes(), arguments)
}

fn score_text(home: &Path, text: &[u8], arguments: &[&str]) -> Output {
    fs_err::write(home.join("in.jsonl"), text).unwrap();
    program(home).args(["score", "in.jsonl"]).args(arguments).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn reply(answer: &str) -> Value {
    json!({
        "completion": format!("<think>so</think>\n<answer>{answer}</answer>"), "solution": "<answer>B</answer>",
        "problem_type": "multiple choice",
    })
}

#[test]
fn rewards_come_in_the_order_of_the_rows() {
    let home = tempfile::tempdir().unwrap();
    let rows: Vec<Value> = (0..50).map(|i| reply(if i % 3 == 0 { "B" } else { "C" })).collect();
    let output = score(home.path(), &rows, &["--reward", "video-r1"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let scored = lines(&output);
    assert_eq!(scored.len(), 50);
    for (i, line) in scored.iter().enumerate() {
        let right = if i.is_multiple_of(3) { 1.0 } else { 0.0 };
        assert_eq!(line["reward"], right + 1.0, "{i}: {line}");
        assert_eq!((&line["parts"]["accuracy"], &line["parts"]["format"]), (&json!(right), &json!(1.0)));
        assert_eq!(line.as_object().unwrap().len(), 2);
    }
}

#[test]
fn settings_and_groups_count() {
    let home = tempfile::tempdir().unwrap();
    let mut rows = vec![reply("B"), reply("B"), reply("B")];
    for (row, group) in rows.iter_mut().zip([1, 1, 2]) {
        (row["group"], row["tokens"]) = (json!(group), json!(400));
    }
    let rewards = |arguments: &[&str]| -> Vec<f64> {
        let output = score(home.path(), &rows, &[&["--reward", "video-r1"], arguments].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        lines(&output).iter().map(|line| line["reward"].as_f64().unwrap()).collect()
    };
    let plain = rewards(&["--set", "length=0", "--set", "temporal=0"]);
    assert_eq!(plain, [2.0, 2.0, 2.0]);
    // Two right replies of the wanted length in one group are paid for it, one alone is not.
    let paid = rewards(&["--set", "length=0.5", "--set", "temporal=0"]);
    assert_eq!(paid, [2.5, 2.5, 2.0]);
    assert_eq!(rewards(&["--set", "length=0", "--set", "temporal=0", "--set", "format=0"]), [1.0, 1.0, 1.0]);
}

#[test]
fn files_are_read_as_python_writes_them() {
    let home = tempfile::tempdir().unwrap();
    let check = |text: &str, rewards: &[f64], named: &[&str]| {
        let output = score_text(home.path(), text.as_bytes(), &["--reward", "video-r1"]);
        let found: Vec<f64> = lines(&output).iter().filter_map(|line| line["reward"].as_f64()).collect();
        assert_eq!(found, rewards, "{text}: {}", stderr(&output));
        match named {
            [] => assert!(output.status.success(), "{}", stderr(&output)),
            named => assert_failure(&output, named),
        }
    };
    let odd = reply("B").to_string().replacen('{', "{\"score\": NaN, \"worst\": [-Infinity], ", 1);
    let pretty = serde_json::to_string_pretty(&reply("C")).unwrap();
    check(&format!("\u{feff}{odd}\n{pretty}\n"), &[2.0, 1.0], &[]);
    check(&format!("[{odd}, {pretty}]"), &[2.0, 1.0], &[]);
    check(&format!("{odd}\n[1]\n"), &[2.0], &["in.jsonl:2: not a row: expected an object, found a list"]);
    check(&format!("{{\"data\": [{odd}]}}"), &[], &["jq -c '.\"data\"[]' FILE"]);
    let asked = odd.replacen("\"<answer>B</answer>\"", "NaN", 1);
    check(
        &format!("{odd}\n{asked}"),
        &[2.0],
        &["in.jsonl:2: not a row: ", "the gold answer in solution is NaN"],
    );
}

#[test]
fn rows_that_cannot_be_judged_are_named_and_the_rest_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let text =
        format!("\u{feff}{}\n\n{{\"completion\": 3\n{{\"completion\": \"x\"}}\n{}\n", reply("B"), reply("C"));
    let mut bytes = text.into_bytes();
    bytes.extend(b"{\"completion\": \"\xff\", \"solution\": \"B\"}\n");
    let output = score_text(home.path(), &bytes, &["--reward", "video-r1", "--mode", "strict"]);
    assert_failure(&output, &["3 of 5 rows", "in.jsonl:3: ", "in.jsonl:4: ", "solution", "in.jsonl:6: "]);
    let scored = lines(&output);
    assert_eq!(scored.len(), 5, "a line for each row");
    assert!(scored[0]["reward"].is_f64() && scored[3]["reward"].is_f64());
    assert!(scored[1]["error"].as_str().unwrap().starts_with("in.jsonl:3: "), "{}", scored[1]);
    assert_failure(&score_text(home.path(), b"\n", &["--reward", "video-r1"]), &["no rows: in.jsonl"]);
}

#[test]
fn unknown_names_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str], parts: &[&str]| {
        let output = score(home.path(), &[reply("B")], arguments);
        assert_failure(&output, parts);
        assert_eq!(stdout(&output), "");
    };
    check(&["--reward", "taste"], &["taste", "video-r1", "spatialthinker", "ego-r1"]);
    check(&["--reward", "video-r1", "--set", "lenght=0"], &["lenght", "length"]);
    check(&["--reward", "video-r1", "--set", "length=long"], &["length"]);
    let usage = |arguments: &[&str]| {
        let output = score(home.path(), &[reply("B")], arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    };
    usage(&["--reward", "video-r1", "--set", "length"]);
    usage(&["--reward", "video-r1", "--set", "length=1", "--set", "length=2"]);
    usage(&["--reward", "video-r1", "--mode", "loose"]);
    usage(&[]);
}
