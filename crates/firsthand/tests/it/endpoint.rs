//! `eval NAME... --endpoint`: a served model is asked as one on this machine is, with the same frames; many requests at
//! the same time; what passes is tried again, what does not is a failed row; a killed run goes on.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::chat_server::ChatServer;
use crate::eval::{good, home, items, json_of, rows, run};
use crate::program::{assert_failure, program, stderr, stdout};

const PIXELS: [&str; 6] = ["--min-pixels", "3136", "--max-pixels", "6272", "--max-tokens", "6"];

fn command(home: &Path, out: &str, address: &str, more: &[&str]) -> Command {
    let mut command = program(home);
    command.args(["eval", "kitchen.toml", "--data", "data", "--out", out, "--endpoint", address]);
    command.args(["--endpoint-model", "served"]).args(PIXELS).args(more);
    command
}

fn ask(home: &Path, out: &str, address: &str, more: &[&str]) -> Output {
    command(home, out, address, more).output().unwrap()
}

/// The text of a request's last message.
fn question(body: &Value) -> String {
    match &body["messages"].as_array().unwrap().last().unwrap()["content"] {
        Value::String(text) => text.clone(),
        parts => parts.as_array().unwrap().iter().filter_map(|part| part["text"].as_str()).collect(),
    }
}

/// The number in `What is number N?`.
fn number(body: &Value) -> usize {
    let text = question(body);
    let at = text.find("What is number ").unwrap() + "What is number ".len();
    text[at..].split('?').next().unwrap().parse().unwrap()
}

/// Right about items 0, 1, 2 of each four; wrong about the last.
fn mostly_right(body: &Value) -> String {
    let id = number(body);
    let letter = ["A", "B", "C"][if id % 4 == 3 { (id + 1) % 3 } else { id % 3 }];
    format!("<think>Easy.</think><answer>{letter}</answer>")
}

fn slow(body: &Value) -> String {
    std::thread::sleep(Duration::from_millis(40));
    mostly_right(body)
}

#[test]
fn a_served_model_is_shown_the_frames_of_a_local_one() {
    let home = home(&items(8));
    let home = home.path();
    let server = ChatServer::start(&[], 1, mostly_right);
    good(&ask(home, "there", &server.address, &["--frames", "4", "--blind"]));
    good(&run(home, "here", &["--frames", "4", "--blind"]));
    let mut here = rows(&home.join("here"));
    let mut there = rows(&home.join("there"));
    let key = |row: &Value| format!("{} {}", row["id"], row["shown"]);
    here.sort_by_key(key);
    there.sort_by_key(key);
    assert_eq!((here.len(), there.len()), (16, 16));
    for (here, there) in here.iter().zip(&there) {
        let medium = |row: &Value, entry: &str| row["media"][0][entry].clone();
        for entry in ["location", "frames", "size", "sample_fps"] {
            assert_eq!(medium(here, entry), medium(there, entry), "{entry} of {}", here["id"]);
        }
        assert_eq!((&there["prompt_tokens"], &there["new_tokens"]), (&json!(11), &json!(3)));
        let id: usize = there["id"].as_str().unwrap()[1..].parse().unwrap();
        assert_eq!(there["score"], if id % 4 == 3 { 0.0 } else { 1.0 }, "{there}");
        assert!(there["prompt"].as_str().unwrap().contains(&format!("What is number {id}?")), "{there}");
    }
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen.asked.len(), 16);
    for body in &seen.asked {
        assert_eq!((&body["model"], &body["temperature"]), (&json!("served"), &json!(0.0)));
        assert_eq!((&body["max_tokens"], body.get("top_p")), (&json!(6), None));
        let Some(parts) = body["messages"][0]["content"].as_array() else { continue };
        let urls: Vec<&str> = parts.iter().filter_map(|part| part["image_url"]["url"].as_str()).collect();
        assert_eq!(urls.len(), if number(body).is_multiple_of(2) { 4 } else { 1 });
        let row =
            there.iter().find(|row| row["id"] == format!("q{}", number(body)) && row["shown"] == "media");
        let size = &row.unwrap()["media"][0]["size"];
        for url in urls {
            let png = STANDARD.decode(url.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
            let picture = image::load_from_memory(&png).unwrap();
            assert_eq!(*size, json!([picture.height(), picture.width()]));
        }
    }
    let blind = seen.asked.iter().filter(|body| body["messages"][0]["content"].is_string()).count();
    assert_eq!(blind, 8);
    let manifest = json_of(&home.join("there/manifest.json"));
    assert_eq!(
        (&manifest["model"], &manifest["device"], &manifest["weights"]),
        (&json!("served"), &json!(server.address), &json!(""))
    );
}

#[test]
fn as_many_requests_are_open_as_asked_for() {
    let home = home(&items(12));
    for parallel in [1, 5] {
        let server = ChatServer::start(&[], parallel, slow);
        let parallel_flag = format!("--parallel={parallel}");
        let out = format!("run{parallel}");
        good(&ask(home.path(), &out, &server.address, &["--frames", "2", &parallel_flag]));
        assert_eq!(server.seen.lock().unwrap().most, parallel);
    }
    let results = |out: &str| json_of(&home.path().join(out).join("results.json"));
    assert_eq!(results("run1"), results("run5"));
}

#[test]
fn what_passes_is_tried_again_and_what_does_not_is_a_failed_row() {
    let home = home(&items(2));
    let home = home.path();
    let server = ChatServer::start(&[500, 429], 1, mostly_right);
    good(&ask(home, "again", &server.address, &["--frames", "2", "--parallel", "1"]));
    assert_eq!(server.seen.lock().unwrap().asked.len(), 4);
    assert_eq!(json_of(&home.join("again/results.json"))["figures"][0]["mean"]["mean"], 1.0);

    // A request that is wrong stays wrong: one try, and the next question is asked all the same.
    let server = ChatServer::start(&[400], 1, mostly_right);
    let output = ask(home, "wrong", &server.address, &["--frames", "2", "--parallel", "1"]);
    assert_failure(&output, &["1 rows failed"]);
    assert_eq!(server.seen.lock().unwrap().asked.len(), 2);
    let failed = rows(&home.join("wrong")).into_iter().find(|row| row["error"].is_string()).unwrap();
    let told = failed["error"].as_str().unwrap();
    assert!(told.contains("status 400: planted fault 400; 1 try"), "{told}");
    good(&ask(home, "wrong", &server.address, &["--frames", "2", "--retry-failed"]));

    // A port that nobody listens on.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = ask(home, "refused", &format!("http://{free}/v1"), &["--frames", "2"]);
    assert_failure(&output, &["2 rows failed"]);
    for row in rows(&home.join("refused")) {
        let told = row["error"].as_str().unwrap();
        assert!(told.starts_with("endpoint at http://127.0.0.1:") && told.ends_with("4 tries"), "{told}");
    }
}

#[test]
fn a_killed_run_goes_on_with_the_same_server() {
    let home = home(&items(12));
    let home = home.path();
    let server = ChatServer::start(&[], 1, slow);
    // Two settings, decoded in one pass: 24 rows.
    let more = ["--frames", "2,4", "--parallel", "2"];
    good(&ask(home, "whole", &server.address, &more));
    let torn = home.join("torn");
    // A line that the kill tears is no row.
    let lines = || {
        fs_err::read(torn.join("rows.jsonl"))
            .map_or(0, |text| text.iter().filter(|&&byte| byte == b'\n').count())
    };
    let mut command = command(home, "torn", &server.address, &more);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while lines() < 5 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(child.try_wait().unwrap().is_none(), "the run was not caught");
    child.kill().unwrap();
    child.wait().unwrap();
    let left = lines();
    assert!((5..24).contains(&left), "{left}");
    let output = ask(home, "torn", &server.address, &more);
    good(&output);
    assert!(
        stdout(&output).contains(&format!("{} rows asked, {left} were there", 24 - left)),
        "{}",
        stdout(&output)
    );
    for name in ["results.json", "results.md"] {
        let read = |run: &str| fs_err::read_to_string(home.join(run).join(name)).unwrap();
        assert_eq!(read("torn"), read("whole"), "{name}");
    }
    // Another prompt makes another run.
    let output = ask(home, "torn", &server.address, &["--frames", "2", "--style", "video-r1"]);
    assert_failure(&output, &["other settings"]);
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let home = home(&items(1));
    let home = home.path();
    for wrong in [
        &["--endpoint", "http://127.0.0.1:9/v1"][..],
        &["--endpoint-model", "served"],
        &["--endpoint", "127.0.0.1:9", "--endpoint-model", "served"],
        &["--endpoint", "http://me:secret@127.0.0.1:9/v1", "--endpoint-model", "served"],
        &["--endpoint", "http://127.0.0.1:9/v1", "--endpoint-model", "served", "--model", "here"],
        &["--endpoint", "http://127.0.0.1:9/v1", "--endpoint-model", "served", "--dtype", "f32"],
    ] {
        let mut command = program(home);
        command.args(["eval", "kitchen.toml", "--data", "data", "--out", "o"]).args(wrong);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", stderr(&output));
    }
    assert!(!home.join("o").exists());
}
