//! Questions about days: an agent searches a memory, leaves a trace that goes the same way again, and teaches others.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use firsthand_base::Moment;
use firsthand_memory::{Change, Evidence, Level, Memory, Record, RecordId};
use serde_json::{Value, json};

use crate::chat_server::ChatServer;
use crate::program::{assert_failure, program, stderr, stdout};

/// What was lived, as clips of half a minute.
pub(crate) const LIVED: &[(&str, &str)] = &[
    ("DAY1_09000500", "I put the red cup on the shelf in the kitchen."),
    ("DAY1_18301000", "I drink from the green cup in the kitchen."),
    ("DAY2_10000000", "I put the red cup on the table in the bedroom."),
    ("DAY2_16300000", "I give the drill to Ben."),
    ("DAY3_19000000", "I put the red cup on the floor in the bathroom."),
];

fn ms(level: Level) -> i64 {
    match level {
        Level::Clip => 30_000,
        Level::TenMinutes => 600_000,
        Level::Hour => 3_600_000,
        _ => Moment::DAY_MS,
    }
}

/// A memory in `home/week`, with the recordings that the clips stand on.
pub(crate) fn remember(home: &Path, lived: &[(&str, &str)], file: impl Fn(usize) -> Option<String>) {
    let mut memory = Memory::create(&home.join("week")).unwrap();
    let mut changes = Vec::new();
    let mut below = Vec::new();
    for (index, (at, text)) in lived.iter().enumerate() {
        let start: Moment = at.parse().unwrap();
        let mut clip = Record::new(Level::Clip, "A1_JAKE", start, start.plus_ms(ms(Level::Clip)), *text);
        let seen = file(index).map(|file| Evidence { file, start_s: 0.0, end_s: 30.0, frames: Vec::new() });
        clip.evidence.extend(seen);
        below.push((changes.len(), start, (*text).to_owned()));
        changes.push(Change::put(clip));
    }
    for level in [Level::TenMinutes, Level::Hour, Level::Day] {
        let mut groups: BTreeMap<i64, Vec<(usize, Moment, String)>> = BTreeMap::new();
        for one in std::mem::take(&mut below) {
            groups.entry(one.1.ms() / ms(level)).or_default().push(one);
        }
        for (number, group) in groups {
            let start = Moment::from_ms(number * ms(level)).unwrap();
            let text = group.iter().map(|one| one.2.clone()).collect::<Vec<_>>().join(" ");
            let mut record = Record::new(level, "A1_JAKE", start, start.plus_ms(ms(level)), text.clone());
            record.sources = group.iter().map(|one| RecordId::of_change(one.0)).collect();
            below.push((changes.len(), start, text));
            changes.push(Change::put(record));
        }
    }
    memory.write(&changes).unwrap();
}

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    remember(home.path(), LIVED, |_| None);
    home
}

fn run(home: &Path, words: &[&str]) -> Output {
    program(home).args(words).output().unwrap()
}

#[track_caller]
fn good(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    stdout(output)
}

const WHERE: &str = "in which room did i last put the red cup ?";
const ROOMS: &str = "kitchen|bedroom|bathroom";

fn ask<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["ask", "--memory", "week", WHERE, "--options", ROOMS][..], more].concat()
}

#[test]
fn without_any_model_it_is_found_with_evidence_and_the_future_is_not() {
    let home = home();
    let told =
        |more: &[&str]| -> Value { serde_json::from_str(&good(&run(home.path(), &ask(more)))).unwrap() };
    // By default it is now the end of what is remembered.
    let late = told(&["--json"]);
    assert_eq!(
        (late["agent"]["option"].as_u64(), &late["agent"]["in_memory"]),
        (Some(2), &json!(true)),
        "{late}"
    );
    let noon = told(&["--json", "--at", "DAY3_12000000", "--wearer", "A1"]);
    assert_eq!(noon["agent"]["answer"], "B. bedroom", "{noon}");
    assert_eq!(noon["evidence"][0]["text"], "I put the red cup on the table in the bedroom.");
    assert!(!noon.to_string().contains("bathroom.\""), "{noon}");
    // As people see it.
    let output = run(home.path(), &ask(&["--at", "DAY3_12000000", "--trace", "cup.json"]));
    let (said, notes) = (good(&output), stderr(&output));
    for part in ["<tool>", "Answer:\nB. bedroom", "Evidence:\n", "in the bedroom."] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(
        notes.contains("asked at DAY3_12000000, agent seeker") && notes.contains("trace: cup.json"),
        "{notes}"
    );
    // What is not there is said not to be there: that is an answer, not a failure.
    let none = run(home.path(), &["ask", "--memory", "week", "where is my submarine ?"]);
    assert!(good(&none).contains("Answer:\nnot in memory\n"), "{}", stdout(&none));
    // It stands on nothing: records of other things are no evidence.
    assert!(!stdout(&none).contains("Evidence:"), "{}", stdout(&none));
    let none = run(home.path(), &["ask", "--memory", "week", "where is my submarine ?", "--json"]);
    let told: Value = serde_json::from_str(&good(&none)).unwrap();
    assert_eq!((&told["agent"]["in_memory"], &told["evidence"]), (&json!(false), &json!([])));
}

#[test]
fn a_trace_goes_the_same_way_again_and_becomes_a_page() {
    let home = home();
    good(&run(home.path(), &ask(&["--json", "--at", "DAY3_12000000", "--trace", "cup.json"])));
    // Offline: the memory is gone.
    fs_err::remove_dir_all(home.path().join("week")).unwrap();
    let said = good(&run(home.path(), &["trace", "replay", "cup.json", "--out", "again.json"]));
    assert!(said.contains("findings are the same"), "{said}");
    let bytes = |name: &str| fs_err::read(home.path().join(name)).unwrap();
    assert!(bytes("cup.json") == bytes("again.json"), "the bits are the same");
    good(&run(home.path(), &["trace", "replay", "cup.json", "--agent-model", "seeker"]));
    good(&run(home.path(), &["trace", "show", "cup.json", "--html", "cup.html"]));
    let page = fs_err::read_to_string(home.path().join("cup.html")).unwrap();
    assert!(
        page.contains("B. bedroom") && page.contains("rag(level:") && !page.contains("<script"),
        "{page}"
    );
    assert!(good(&run(home.path(), &["trace", "show", "cup.json"])).contains("Answer: B. bedroom"));
    // Another way is told.
    let text = fs_err::read_to_string(home.path().join("cup.json")).unwrap();
    fs_err::write(home.path().join("other.json"), text.replacen("on the table", "on the floor", 1)).unwrap();
    assert_failure(&run(home.path(), &["trace", "replay", "other.json"]), &["of the replay differs"]);
    assert_failure(&run(home.path(), &["trace", "replay", "week.json"]), &["week.json"]);
    fs_err::write(home.path().join("bad.json"), "{}").unwrap();
    assert_failure(&run(home.path(), &["trace", "show", "bad.json"]), &["bad.json", "missing field"]);
}

/// A served agent that writes calls as the published one does, looks, and answers with the last thing it read.
fn agent(body: &Value) -> String {
    let messages = body["messages"].as_array().unwrap();
    let last = messages.last().unwrap()["content"].as_str().unwrap();
    if messages.len() == 2 {
        assert!(messages[0]["content"].as_str().unwrap().contains("\"name\": \"rag\""));
        let arguments = r#"{"level":"week","keywords":["red cup"],"start_time":"DAY1_00000000","query_time":"DAY9_00000000"}"#;
        return format!(
            "<think>I search.</think> <tool>{{'name': 'rag', 'arguments': '{arguments}'}}</tool><information>made up</information>"
        );
    }
    assert!(last.starts_with("<information>note: query_time: DAY9_00000000 is later than now"), "{last}");
    assert!(last.contains("bedroom") && !last.contains("bathroom"), "{last}");
    "<think>It says so.</think><answer>\nB.\n</answer>".to_owned()
}

/// A second model, which sees what was found and is wrong.
fn doubter(body: &Value) -> String {
    let text = body["messages"][0]["content"].as_str().unwrap();
    assert!(text.contains("What was found:\n1. rag") && !text.contains("It says so"), "{text}");
    "<answer>A</answer>".to_owned()
}

fn either(body: &Value) -> String {
    if body["model"] == "doubter" { doubter(body) } else { agent(body) }
}

#[test]
fn served_models_play_their_parts_and_are_reported_apart() {
    let home = home();
    let server = ChatServer::start(&[503], 1, either);
    let (who, other) = (format!("{}#agent", server.address), format!("{}#doubter", server.address));
    let more = [
        "--at",
        "DAY3_12000000",
        "--agent-model",
        &who,
        "--summary-model",
        &other,
        "--json",
        "--trace",
        "t.json",
    ];
    let told: Value = serde_json::from_str(&good(&run(home.path(), &ask(&more)))).unwrap();
    assert_eq!(
        (&told["agent"]["answer"], &told["summary"]["answer"]),
        (&json!("B. bedroom"), &json!("A. kitchen"))
    );
    assert_eq!(told["spent"]["turns"], 2);
    // What the model made up is not in the conversation that it reads next.
    let asked = &server.seen.lock().unwrap().asked;
    assert!(!asked[2]["messages"].to_string().contains("made up"), "{}", asked[2]);
    good(&run(home.path(), &["trace", "replay", "t.json"]));
}

fn babbler(_: &Value) -> String {
    "I do not know what to do.".to_owned()
}

#[test]
fn what_goes_wrong_is_told_in_a_line() {
    let home = home();
    let home = home.path();
    let server = ChatServer::start(&[], 1, babbler);
    let who = format!("{}#agent", server.address);
    let failed = run(home, &ask(&["--agent-model", &who]));
    assert_failure(&failed, &["no answer: neither a call nor an answer", "trace show"]);
    assert_eq!(server.seen.lock().unwrap().asked.len(), 3);
    assert_failure(&run(home, &ask(&["--wearer", "A2"])), &["nobody here is called A2", "A1_JAKE"]);
    assert_failure(&run(home, &ask(&["--at", "noon"])), &["--at", "DAYd_HHMMSSFF"]);
    assert_failure(&run(home, &ask(&["--agent-model", &server.address])), &["which model", "URL#NAME"]);
    assert_failure(&run(home, &["ask", "--memory", "nowhere", "where ?"]), &["nowhere", "no memory"]);
    fs_err::write(home.join("tools.toml"), "[[tool]]\nname = 'a'").unwrap();
    assert_failure(&run(home, &ask(&["--tools", "tools.toml"])), &["tools.toml", "missing field"]);
    for words in [
        &ask(&["--messages", "x.json"])[..],
        &["ask", "--memory", "week", "a.mp4", "where ?"],
        &ask(&["--turns", "0"]),
    ] {
        let output = run(home, words);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", stderr(&output));
    }
}

/// Rows of EgoLifeQA about what was lived; so many that a run takes a while.
fn questions(home: &Path, count: usize) {
    let row = |index: usize| {
        let late = index.is_multiple_of(3);
        json!({
            "ID": index.to_string(), "identity": "A1_JAKE", "type": if late { "late" } else { "early" },
            "question": if index % 5 == 4 { "where is my submarine ?" } else { WHERE },
            "choice_a": "kitchen", "choice_b": "bedroom", "choice_c": "bathroom", "choice_d": "",
            "answer": if late { "B" } else { "A" },
            "query_time": {"date": if late { "DAY3" } else { "DAY2" }, "time": "09000000"},
            "target_time": {"date": if late { "DAY2" } else { "DAY1" }, "time": if late { "10000000" } else { "09000500" }},
        })
    };
    let rows: Vec<Value> = (0..count).map(row).collect();
    fs_err::write(home.join("questions.json"), json!(rows).to_string()).unwrap();
}

fn cott<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["data", "cott", "questions.json", "--memory", "week", "--out", out][..], more].concat()
}

#[test]
fn traces_to_learn_from_are_read_by_train() {
    let home = home();
    questions(home.path(), 10);
    fs_err::write(home.path().join("benchmark.json"), "[{\"ID\": 3}]").unwrap();
    let said = good(&run(home.path(), &cott("out", &["--exclude", "benchmark.json", "--parallel", "2"])));
    // Two of ten ask for what is not there, one is a benchmark's.
    assert!(said.contains("80.0 % of 10 questions right, 20.0 % not in memory"), "{said}");
    assert!(said.contains("left out: 1 benchmark") && said.contains("7 traces"), "{said}");
    let out = home.path().join("out");
    let read = |name: &str| -> Value {
        serde_json::from_str(&fs_err::read_to_string(out.join(name)).unwrap()).unwrap()
    };
    assert_eq!(
        (read("statistics.json")["kept"].as_u64(), read("rejected.json").as_array().unwrap().len()),
        (Some(7), 3)
    );
    let steps = read("sft_alpaca.json").as_array().unwrap().len();
    for (file, rows) in [("sft_share_gpt.json", 7), ("sft_alpaca.json", steps)] {
        let recipe = format!(
            "output = \"run\"\n[model]\nstart = {:?}\n[[source]]\nname = \"cott\"\nformat = \"sharegpt\"\npath = \"out/{file}\"\n\
             [train]\nsteps = 1\nbatch = 1\nlearning_rate = {{ language = 1e-3 }}\n",
            firsthand_golden::checkpoint("qwen2_5_vl"),
        );
        fs_err::write(home.path().join("recipe.toml"), recipe).unwrap();
        let dry = good(&run(home.path(), &["train", "sft", "recipe.toml", "--dry-run"]));
        assert!(dry.contains(&format!("{rows} rows")), "{file}: {dry}");
    }
    let wanted = ["id", "question", "golden_answer", "identity", "clock", "options"];
    let rows: Vec<Value> = firsthand_train::data::table_rows(&out.join("rl.parquet"), &wanted)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(rows.len(), 9);
    assert_eq!(rows[0]["identity"], "A1_JAKE");
    assert_eq!((&rows[0]["clock"], &rows[0]["golden_answer"]), (&json!("DAY3_09000000"), &json!(["B"])));
    assert_eq!(rows[0]["options"], json!(["kitchen", "bedroom", "bathroom"]));
}

#[test]
fn a_killed_run_ends_with_the_rows_of_one_that_was_not() {
    let home = home();
    questions(home.path(), 60);
    good(&run(home.path(), &cott("whole", &[])));
    let done = || fs_err::read_dir(home.path().join("cut/raw/A1_JAKE")).map_or(0, |entries| entries.count());
    let mut child = program(home.path())
        .args(cott("cut", &[]))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while done() < 5 && Instant::now() < deadline && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    // SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        !home.path().join("cut/statistics.json").exists(),
        "it was killed in the middle, after {} of 60",
        done()
    );
    good(&run(home.path(), &cott("cut", &[])));
    for name in [
        "sft_share_gpt.json",
        "sft_alpaca.json",
        "rl.parquet",
        "rl.jsonl",
        "rejected.json",
        "statistics.json",
    ] {
        let bytes = |folder: &str| fs_err::read(home.path().join(folder).join(name)).unwrap();
        assert!(bytes("cut") == bytes("whole"), "{name} differs");
    }
    assert_failure(&run(home.path(), &cott("cut", &["--turns", "3"])), &["had other budgets"]);
}

#[test]
fn recordings_are_watched_by_the_model_inside_where_records_are_silent() {
    let home = tempfile::tempdir().unwrap();
    let film = ["world", "make", "--seed", "7", "--minutes", "0.067", "--at", "07:00:25", "--out", "home"];
    good(&run(home.path(), &film));
    let file = home.path().join("home/DAY1/DAY1_07002500.mp4").display().to_string();
    // The film has four seconds of the half minute that its record speaks of, and the record says little.
    let mut memory = Memory::create(&home.path().join("week")).unwrap();
    let start: Moment = "DAY1_07002500".parse().unwrap();
    let mut clip = Record::new(Level::Clip, "W7", start, start.plus_ms(4000), "I do something with my hand.");
    clip.evidence.push(Evidence { file, start_s: 0.0, end_s: 4.0, frames: Vec::new() });
    let day = Record::new(Level::Day, "W7", start, start.plus_ms(4000), "I do something with my hand.");
    memory.write(&[Change::put(clip), Change::put(day)]).unwrap();
    drop(memory);
    let words = [
        "ask",
        "--memory",
        "week",
        "what do i do with my hand ?",
        "--options",
        "put down the red toy car|pick up the blue cup|pick up the red toy car|put down the blue cup",
        "--json",
        "--trace",
        "t.json",
    ];
    let told: Value = serde_json::from_str(&good(&run(home.path(), &words))).unwrap();
    // What was watched does not say it either, so it is no evidence, but what was searched.
    assert_eq!(told["evidence"], json!([]), "{told}");
    let watched = &told["searched"][0];
    assert_eq!(
        (&watched["tool"], &watched["seen"][0]["end_s"]),
        (&json!("video_llm"), &json!(4.0)),
        "{told}"
    );
    assert_eq!(told["manifests"]["video"]["model"], "firsthand-tiny");
    good(&run(home.path(), &["trace", "show", "t.json", "--html", "t.html"]));
    let page = fs_err::read_to_string(home.path().join("t.html")).unwrap();
    assert_eq!(page.matches("src=\"data:image/png;base64,").count(), 3);
    good(&run(home.path(), &["trace", "replay", "t.json"]));
}

#[test]
fn the_searcher_is_measured_on_a_simulated_week() {
    let home = tempfile::tempdir().unwrap();
    let make = ["world", "memory", "--seeds", "0..1", "--held-out", "--items", "40", "--out", "weeks"];
    good(&run(home.path(), &make));
    let ask = ["eval", "memory", "weeks", "--agent-model", "seeker", "--json", "--ways"];
    let told = good(&run(home.path(), &[&ask[..], &["tools,recall"]].concat()));
    let report: Value = serde_json::from_str(&told).unwrap();
    let tools = &report["rows"][0];
    let right = tools["accuracy"].as_f64().unwrap();
    // Over sixteen weeks it is 0.94; a guess is right a third of the time.
    assert!(tools["items"].as_u64().unwrap() >= 30 && right > 0.75, "{report}");
    assert!(
        tools["calls"].as_f64().unwrap() >= 1.0 && tools["kinds"].as_object().unwrap().len() == 5,
        "{report}"
    );
    for level in report["recall"].as_array().unwrap() {
        let [one, five, ten] = [0, 1, 2].map(|at| level["recall"][at].as_f64().unwrap());
        assert!(0.0 < one && one <= five && five <= ten && ten <= 1.0, "{level}");
    }
    let plain = run(home.path(), &[&ask[..], &["tools,flat"]].concat());
    assert_eq!(plain.status.code(), Some(2));
    assert!(stderr(&plain).contains("give --ways tools,recall"), "{}", stderr(&plain));
}

/// The same answers twice are no change; one that was wrong before is a change of one; other questions are refused.
#[test]
fn a_run_over_days_is_compared_with_an_earlier_one() {
    let home = tempfile::tempdir().unwrap();
    let make = ["world", "memory", "--seeds", "0..2", "--held-out", "--items", "10", "--out", "weeks"];
    good(&run(home.path(), &make));
    let ask = ["eval", "memory", "weeks", "--agent-model", "seeker", "--ways", "tools"];
    good(&run(home.path(), &[&ask[..], &["--answers", "a.jsonl"]].concat()));
    let answers = fs_err::read_to_string(home.path().join("a.jsonl")).unwrap();
    fs_err::write(home.path().join("worse.jsonl"), answers.replacen("\"right\":true", "\"right\":false", 1))
        .unwrap();
    for (file, better) in [("a.jsonl", 0), ("worse.jsonl", 1)] {
        let told = good(&run(home.path(), &[&ask[..], &["--json", "--against", file]].concat()));
        let report: Value = serde_json::from_str(&told).unwrap();
        let change = &report["changes"][0];
        assert_eq!(change["difference"]["flips"], json!([better, 0]), "{report}");
        assert_eq!(change["difference"]["clusters"], 2, "{report}");
        assert_eq!(change["after"], report["rows"][0]["accuracy"], "{report}");
    }
    let shown = good(&run(home.path(), &[&ask[..], &["--against", "a.jsonl"]].concat()));
    assert!(shown.contains("+0.0"), "{shown}");
    fs_err::write(home.path().join("other.jsonl"), answers.replace("\"wearer\":\"W", "\"wearer\":\"X"))
        .unwrap();
    fs_err::write(home.path().join("broken.jsonl"), "{").unwrap();
    for (file, why) in [
        ("other.jsonl", "has none of these questions"),
        ("broken.jsonl", "broken.jsonl, line 1"),
        ("none.jsonl", "give a file that"),
    ] {
        let refused =
            run(home.path(), &[&ask[..], &["--against", file, "--answers", "never.jsonl"]].concat());
        assert_eq!(refused.status.code(), Some(1));
        assert!(!home.path().join("never.jsonl").exists(), "{file}: refused before anything is asked");
        assert!(stderr(&refused).contains(why), "{}", stderr(&refused));
    }
}
