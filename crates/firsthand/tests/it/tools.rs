//! `train rl` with tools on the tiny checkpoint: a cold start that teaches the form of a call and an answer, then dialogues
//! about the days of two people, each with records of their own.

use std::path::Path;

use firsthand_base::Moment;
use firsthand_memory::{Change, Level, Memory, Record};
use serde_json::{Value, json};

use crate::program::{assert_failure, stderr, stdout};
use crate::train::{School, assert_same_run};

const ASKED: &str = "where is the cup";
const CALL: &str = r#"<think>look</think><tool>{"name":"rag","arguments":{"level":"hour","keywords":["cup"],"start_time":"DAY1_09000000","query_time":"DAY3_12000000"}}</tool>"#;
const OPTIONS: [&str; 2] = ["shelf", "table"];

/// A memory of ten minutes each.
pub(crate) fn remember(folder: &Path, wearer: &str, lived: &[(&str, &str)]) {
    let mut memory = Memory::create(folder).unwrap();
    let put = |(start, text): &(&str, &str)| {
        let start: Moment = start.parse().unwrap();
        Change::put(Record::new(Level::TenMinutes, wearer, start, start.plus_ms(600_000), *text))
    };
    memory.write(&lived.iter().map(put).collect::<Vec<_>>()).unwrap();
}

fn school() -> School {
    let school = School::new();
    let write = |name: &str, text: String| fs_err::write(school.path(name), text).unwrap();
    let (mut dialogues, mut questions) = (String::new(), String::new());
    for (i, (wearer, place)) in ["A1", "A2"].iter().zip(OPTIONS).enumerate() {
        let there = format!("the cup is on the {place}");
        let lived = [("DAY1_09000000", there.as_str()), ("DAY7_09000000", "the cup is gone")];
        remember(&school.path(&format!("memories/{wearer}")), wearer, &lived);
        let seen = format!(
            r#"<information>{{"level":"hour","exact_match":true,"records":[{{"start_time":"DAY1_09000000","end_time":"DAY1_09100000","relevant_content":"{there}","score":1.0}}]}}</information>"#
        );
        let letter = ["A", "B"][i];
        let user = format!("{ASKED} <timestamp>DAY3_12000000</timestamp>\nA. shelf\nB. table");
        let messages = json!({"messages": [
            {"role": "system", "content": "think , then call one tool ( rag ) or answer ."},
            {"role": "user", "content": user},
            {"role": "assistant", "content": CALL},
            {"role": "user", "content": seen},
            {"role": "assistant", "content": format!("<think>so</think><answer>{letter}</answer>")},
        ]});
        dialogues += &format!("{messages}\n");
        for number in 0..3 {
            let row = json!({"ID": format!("{wearer}-{number}"), "identity": wearer, "question": ASKED,
                "query_time": {"date": "DAY3", "time": "12000000"}, "choice_a": "shelf", "choice_b": "table", "answer": letter});
            questions += &format!("{row}\n");
        }
    }
    write("dialogues.jsonl", dialogues);
    write("questions.jsonl", questions);
    school
}

fn recipe(school: &School, name: &str, tools: &str) -> String {
    let source = |name: &str, format: &str, file: &str| {
        format!("[[source]]\nname = \"{name}\"\nformat = \"{format}\"\npath = \"{file}\"\n")
    };
    let text = format!(
        r#"output = "{name}"
seed = 5
[model]
start = {:?}
matmul = "f32"
{}{}{}
[save]
every = 2
keep = 30
[[phase]]
name = "form"
sources = ["dialogues"]
steps = 160
batch = 2
learning_rate = {{ language = 5e-3 }}
clip = 1.0
[[phase]]
name = "rewards"
kind = "rl"
sources = ["questions"]
steps = 4
batch = 2
learning_rate = {{ language = 5e-4 }}
clip = 1.0
[phase.rl]
group = 3
max_tokens = 170
temperature = 0.6
show_every = 1
held_out = {{ source = "held-out" }}
kl = {{ weight = 0.01 }}
[phase.rl.tools]
prompt = "brief"
memory = "memories"
{tools}
[[phase.rl.reward]]
name = "ego-r1"
mode = "strict"
"#,
        firsthand_golden::checkpoint("qwen2_5_vl"),
        source("dialogues", "messages", "dialogues.jsonl"),
        source("questions", "ego-r1", "questions.jsonl"),
        source("held-out", "ego-r1", "questions.jsonl"),
    );
    let file = format!("{name}.toml");
    fs_err::write(school.path(&file), text).unwrap();
    file
}

fn metrics(school: &School, name: &str) -> Vec<Value> {
    let text = fs_err::read_to_string(school.path(name).join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["phase"] == "rewards").map(|line| line["more"].clone()).collect()
}

#[test]
fn dialogues_are_sampled_judged_and_learned() {
    let school = school();
    let tools = "budgets = { turns = 3 }\nobservation_tokens = 240\ncontext = 1600";
    let whole = recipe(&school, "whole", tools);
    school.finish_as("rl", &whole);
    let steps = metrics(&school, "whole");
    assert_eq!(steps.len(), 4);
    for more in &steps {
        assert_eq!(more["mismatch"], 0.0, "the policy that acted is the policy that learns: {more}");
        assert_eq!(more["environment_failures"], 0.0, "{more}");
        for name in ["turns", "heard_tokens", "answered", "over", "ego-r1.format", "kl"] {
            assert!(more[name].is_f64(), "{name} in {more}");
        }
    }
    let shown = fs_err::read_to_string(school.path("whole/rollouts/step-000161.txt")).unwrap();
    let most = |name: &str| steps.iter().map(|more| more[name].as_f64().unwrap_or(0.0)).fold(0.0, f64::max);
    assert!(most("turns") > 1.0 && most("heard_tokens") > 0.0 && most("reused_context") > 0.3, "{steps:?}");
    assert!(most("answered") > 0.0 && most("ego-r1.format") > 0.0, "the term for form is earned: {shown}");
    let cup = r#""relevant_content":"the cup is on the "#;
    assert!(shown.contains("<information>{") && shown.contains(cup) && !shown.contains("gone"), "{shown}");
    // Each person's records are their own.
    for group in shown.split("# A").skip(1) {
        let other =
            if group.starts_with('1') { "the cup is on the table" } else { "the cup is on the shelf" };
        assert!(!group.contains(other), "{group}");
    }
    let results = fs_err::read_to_string(school.path("whole/results.json")).unwrap();
    let results: Value = serde_json::from_str(&results).unwrap();
    assert_eq!((&results["after"]["items"], &results["after"]["failures"]), (&json!(6), &json!(0)));

    let killed = recipe(&school, "killed", tools);
    let mut child = school.until_as("rl", &killed, "killed", 162).expect("it has two more steps to go");
    child.kill().unwrap();
    child.wait().unwrap();
    school.finish_as("rl", &killed);
    assert_same_run(&school.path("whole"), &school.path("killed"));
}

#[test]
fn tools_that_are_not_there_are_named_before_anything_runs() {
    let school = school();
    fs_err::remove_dir_all(school.path("memories/A2")).unwrap();
    let file = recipe(&school, "bad", "");
    let why = "rl.tools.memory: nobody there is called A2; it knows A1";
    // Rows that no tool can answer are left out and listed, and the rest is used.
    let output = school.command("rl", &file).arg("--dry-run").output().unwrap();
    assert!(
        output.status.success() && stdout(&output).contains(why),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    // A recipe may say that they end the run.
    let mut text = fs_err::read_to_string(school.path(&file)).unwrap();
    text.push_str("[data]\non_bad_row = \"stop\"\n");
    fs_err::write(school.path(&file), text).unwrap();
    for more in [vec!["--dry-run"], Vec::new()] {
        let output = school.command("rl", &file).args(more).output().unwrap();
        assert_failure(&output, &["questions.jsonl", why]);
        assert!(!school.path("bad").exists(), "{}", stderr(&output));
    }
}
