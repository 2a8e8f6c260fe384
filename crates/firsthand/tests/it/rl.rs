//! `train rl` on the tiny checkpoint: what it writes, that the policy which sampled is the policy that learns, and
//! that a run which was killed ends with the weights of one that was not.

use serde_json::{Value, json};

use crate::policy_server::{PolicyServer, SILENT};
use crate::program::{assert_failure, files, stderr, stdout};
use crate::train::{School, assert_same_run};

/// A cold start that teaches the form, then samples over pictures and clips.
const PHASES: &str = r#"
[[phase]]
name = "form"
sources = ["rows"]
steps = 40
batch = 8
learning_rate = { language = 3e-3 }
clip = 1.0
[[phase]]
name = "rewards"
kind = "rl"
sources = ["rows"]
steps = 6
batch = 3
learning_rate = { language = 1e-3, merger = 1e-3 }
clip = 1.0
[phase.rl]
ALGORITHM
max_tokens = 24
parallel = 9
show_every = 2
held_out = { source = "held-out", every = 3 }
[[phase.rl.reward]]
name = "video-r1"
kinds = ["multiple-choice"]
"#;

pub(crate) fn school() -> School {
    let school = School::new();
    let row = |i: usize, shift: usize| {
        let (kind, path) = [("image", "photo.jpg"), ("video", "clip.mp4")][i % 2];
        let letter = ["A", "B", "C"][(i + shift) % 3];
        json!({
            "problem_id": i, "problem": "what is it", "data_type": kind, "problem_type": "multiple choice",
            "options": ["A. red", "B. blue", "C. cup"], "process": "", "solution": format!("<answer>{letter}</answer>"),
            "path": firsthand_golden::media(path),
        })
    };
    let write = |name: &str, rows: Vec<Value>| {
        fs_err::write(school.path(name), Value::from(rows).to_string()).unwrap();
    };
    write("answers.json", (0..12).map(|i| row(i, 0)).collect());
    write("held-out.json", (0..6).map(|i| row(i, 1)).collect());
    school
}

/// A recipe of both phases, whose `[phase.rl]` begins with `algorithm`.
pub(crate) fn recipe(school: &School, name: &str, algorithm: &str) -> String {
    let source = |name: &str, file: &str| {
        format!(
            "[[source]]\nname = \"{name}\"\nformat = \"video-r1\"\npath = \"{file}\"\nstyle = \"plain\"\nreasoning = false\n\
             sampling = {{ frames = 4 }}\nvideo = {{ resized = [56, 84] }}\nimage = {{ resized = [56, 56] }}\n"
        )
    };
    let text = format!(
        "output = \"{name}\"\nseed = 5\n[model]\nstart = {:?}\nmatmul = \"bf16\"\n{}{}[save]\nevery = 2\nkeep = 30\n{}",
        firsthand_golden::checkpoint("qwen2_5_vl"),
        source("rows", "answers.json"),
        source("held-out", "held-out.json"),
        PHASES.replace("ALGORITHM", algorithm),
    );
    let file = format!("{name}.toml");
    fs_err::write(school.path(&file), text).unwrap();
    file
}

fn metrics(school: &School, name: &str) -> Vec<Value> {
    let text = fs_err::read_to_string(school.path(name).join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["phase"] == "rewards").collect()
}

#[test]
fn a_run_samples_is_judged_and_says_so() {
    let school = school();
    let recipe = recipe(
        &school,
        "run",
        "algorithm = \"grpo\"\ngroup = 4\nupdates = 2\nkl = { weight = 0.05, estimator = \"full\" }\n\
         temporal = { form = \"contrast\", level = \"patch\" }",
    );
    let dry = school.command("rl", &recipe).arg("--dry-run").output().unwrap();
    let said = stdout(&dry);
    assert!(said.contains(" + reference ") && said.contains(" + cache "), "{said}");
    let said = school.finish_as("rl", &recipe);
    let steps = metrics(&school, "run");
    assert_eq!(steps.len(), 6);
    for step in &steps {
        let more = &step["more"];
        assert_eq!(more["mismatch"], 0.0, "the policy that acted is the policy that learns: {step}");
        for name in ["reward", "accuracy", "kl", "clipped", "entropy", "length", "cut"] {
            assert!(more[name].is_f64(), "{name} in {step}");
        }
        assert!(more["video-r1.accuracy"].is_f64() && more["zero_variance"].is_f64(), "{step}");
    }
    for name in ["temporal_bonus", "temporal_payout", "temporal_paid", "temporal_accuracy"] {
        assert!(steps.iter().any(|step| step["more"][name].is_f64()), "some step has a video: {name}");
    }
    let moved = steps.iter().any(|step| step["more"]["kl"].as_f64().unwrap() > 0.0);
    assert!(moved, "after the first update the policy has left its reference");
    let run = school.path("run");
    let results: Value = serde_json::from_slice(&fs_err::read(run.join("results.json")).unwrap()).unwrap();
    let at = |measured: &Value| measured["step"].as_u64().unwrap();
    assert_eq!((at(&results["before"]), at(&results["after"])), (0, 6));
    let marks = |measured: &Value| measured["answers"].as_str().unwrap().to_owned();
    let right = |measured: &Value| marks(measured).matches('1').count() as f64 / 6.0;
    let (before, after) = (&results["before"], &results["after"]);
    assert_eq!(marks(before).len(), 6, "{results}");
    let mean = results["change"]["mean"].as_f64().unwrap();
    assert!((mean - (right(after) - right(before))).abs() < 1e-9, "{results}");
    assert!(said.contains("held out, after minus before: ") && said.contains(" of 6"), "{said}");
    let curve: Vec<u64> = results["curve"].as_array().unwrap().iter().map(at).collect();
    assert_eq!(curve, [0, 3, 6]);
    assert_eq!(results["after"]["items"], 6);
    let shown = fs_err::read_to_string(run.join("rollouts/step-000041.txt")).unwrap();
    for part in ["what is it", "right: <answer>", "## sample 1: reward", "## shuffled 5", "video-r1/accuracy"]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(files(&run).iter().any(|file| file == "reward.png"));
}

#[cfg(unix)]
#[test]
fn killed_at_any_step_it_ends_with_the_same_weights() {
    let school = school();
    for (name, algorithm) in [
        ("dapo", "algorithm = \"dapo\"\ngroup = 4\nrefill = 2\noverlong = 8"),
        ("ppo", "algorithm = \"ppo\"\ngroup = 2\nminibatches = 3\nlambda = 0.95\ncritic_warm_up = 1"),
        ("remax", "algorithm = \"remax\"\ngroup = 2\nkl = { weight = 0.1, estimator = \"k1\" }"),
    ] {
        let (whole, killed) = (format!("{name}-whole"), format!("{name}-killed"));
        school.finish_as("rl", &recipe(&school, &whole, algorithm));
        let recipe = recipe(&school, &killed, algorithm);
        let mut kills = 0;
        for step in [40, 41, 42, 44] {
            if let Some(mut child) = school.until_as("rl", &recipe, &killed, step) {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
            }
        }
        assert!(kills >= 3, "only {kills} kills came before the end");
        school.finish_as("rl", &recipe);
        assert_same_run(&school.path(&whole), &school.path(&killed));
        let read = |run: &str| fs_err::read_to_string(school.path(run).join("results.json")).unwrap();
        assert_eq!(read(&whole), read(&killed));
    }
}

/// Of four prompts one does not open and one cannot be judged, and so it is with the held-out questions.
#[cfg(unix)]
#[test]
fn prompts_that_cannot_be_asked_or_judged_are_left_out_and_kills_change_nothing() {
    let school = school();
    fs_err::write(school.path("bad.mp4"), b"no film").unwrap();
    let spoil = |name: &str| {
        let mut rows: Value = serde_json::from_slice(&fs_err::read(school.path(name)).unwrap()).unwrap();
        for (i, row) in rows.as_array_mut().unwrap().iter_mut().enumerate() {
            match i % 4 {
                1 => row["path"] = json!(school.path("bad.mp4")),
                2 => row["problem_type"] = json!("free-form"),
                _ => {}
            }
        }
        fs_err::write(school.path(name), rows.to_string()).unwrap();
    };
    spoil("answers.json");
    spoil("held-out.json");
    let recipe = |name: &str| {
        let file = recipe(&school, name, "group = 4\nrefill = 1");
        let text = fs_err::read_to_string(school.path(&file)).unwrap();
        assert!(text.contains("steps = 6\nbatch = 3"));
        fs_err::write(school.path(&file), text.replace("steps = 6\nbatch = 3", "steps = 6\nbatch = 1"))
            .unwrap();
        file
    };
    let lines = |run: &str| -> Vec<Value> {
        let text = fs_err::read_to_string(school.path(run).join("left-out.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let said = school.finish_as("rl", &recipe("whole"));
    let whole = lines("whole");
    assert!(said.contains(&format!("left out {} rows: whole/left-out.jsonl", whole.len())), "{said}");
    for (source, row, found, reason) in [
        ("rows", 2, "opening", "bad.mp4"),
        ("rows", 3, "judging", "no reward judges rows of kind free-form"),
        ("held-out", 2, "held-out", "bad.mp4"),
        ("held-out", 6, "held-out", "bad.mp4"),
    ] {
        let is_it = |line: &&Value| line["source"] == source && line["row"] == row;
        let [line] = whole.iter().filter(is_it).collect::<Vec<_>>()[..] else {
            panic!("{source} {row}: {whole:?}")
        };
        assert!(line["found"] == found && line["reason"].as_str().unwrap().contains(reason), "{line}");
    }
    assert_eq!(metrics(&school, "whole").len(), 6);
    let results: Value =
        serde_json::from_slice(&fs_err::read(school.path("whole/results.json")).unwrap()).unwrap();
    let marks = results["after"]["answers"].as_str().unwrap();
    let unknown: Vec<usize> = marks.match_indices('-').map(|(at, _)| at).collect();
    assert_eq!((unknown, &results["after"]["failures"]), (vec![1, 2, 5], &json!(3)));
    let recipe = recipe("killed");
    let mut kills = 0;
    for step in [40, 41, 43] {
        if let Some(mut child) = school.until_as("rl", &recipe, "killed", step) {
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
        }
    }
    assert!(kills >= 2, "only {kills} kills came before the end");
    school.finish_as("rl", &recipe);
    assert_same_run(&school.path("whole"), &school.path("killed"));
    assert_eq!(lines("killed"), whole);
}

#[test]
fn recipes_that_cannot_work_say_so_at_once() {
    let school = school();
    let check = |algorithm: &str, expected: &str| {
        let recipe = recipe(&school, "bad", algorithm);
        let output = school.command("rl", &recipe).output().unwrap();
        assert_failure(&output, &[expected]);
        assert!(!school.path("bad").exists());
    };
    check("group = 1", "group: 1: \"grpo\" compares the samples of a prompt; give at least 2");
    check("algorithm = \"grop\"", "grpo");
    check("temperature = 0.0", "temperature: 0");
    check("kl = { weight = -1.0 }", "kl.weight: -1");
    check("kl = { estimator = \"k2\" }", "its weight is 0");
    check("kl = { weight = 0.1, estimator = \"full\", clamp = 10.0 }", "no single q - p to hold");
    check("max_prompt = 10", "answers.json:1: its prompt has ");
    check("tools = { memory = \"\" }", "rl.tools: nothing to look into");
    check("tools = { memory = \"x\", budgets = { turns = 0 } }", "budgets.turns: 0");
    check("tools = { memory = \"x\", wait_s = -1.0 }", "wait_s: -1");
    check("tools = { memory = \"x\", context = 24 }", "leave no room beside a turn of 24");
    check("tools = { memory = \"x\" }", "rl.tools.memory: ");
    check("tools = { memory = \"x\" }\ntemporal = { samples = 2 }", "leave temporal or tools out");
    // Of the reward, the adapter and the sizes, which stand elsewhere in the recipe.
    let edit = |from: &str, to: &str, expected: &str| {
        let file = recipe(&school, "bad", "group = 4\nkl = { weight = 0.1 }");
        let text = fs_err::read_to_string(school.path(&file)).unwrap();
        assert!(text.contains(from));
        fs_err::write(school.path(&file), text.replace(from, to)).unwrap();
        assert_failure(&school.command("rl", &file).output().unwrap(), &[expected]);
        assert!(!school.path("bad").exists());
    };
    edit("name = \"video-r1\"\n", "name = \"video-r2\"\n", "reward \"video-r2\"");
    edit("name = \"video-r1\"\n", "name = \"video-r1\"\nweight = nan\n", "weight NaN; give a number");
    edit("name = \"video-r1\"\n", "name = \"video-r1\"\nsettings = { format = nan }\n", "format: ");
    edit("[save]", "[adapter]\nstart = \"somewhere\"\n[save]", "rl.kl: there is no reference");
    edit("max_tokens = 24", "max_tokens = 4096", "4096 leave no room for a prompt in a context of 4096");
    check("overlong = 24", "overlong: 24 tokens of at most 24");
    check("temporal = { samples = 0 }", "temporal.samples: 0");
    check("updates = 0", "updates: 0");
    check("gamma = 1.5", "gamma: 1.5; give 0 to 1");
    let recipe = recipe(&school, "bad", "group = 4");
    let output = school.command("sft", &recipe).output().unwrap();
    assert!(stderr(&output).contains("run `firsthand train rl` with it"), "{}", stderr(&output));
}

#[test]
fn a_server_that_cannot_forget_is_told_of_once() {
    let school = school();
    let recipe = recipe(&school, "lacking", "group = 4\noverlong = 20");
    let server = PolicyServer::start("sglang", &[], json!(-1.5)).lacking(&["/flush_cache"]);
    let output = served(&school, &recipe, &server);
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("the server has no /flush_cache").count(), 1, "{said}");
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen.paths.iter().filter(|path| *path == "/flush_cache").count(), 1);
    assert!(seen.stale > 0, "and what was told came about");
}

/// Runs a recipe whose samples a server gives.
fn served(school: &School, recipe: &str, server: &PolicyServer) -> std::process::Output {
    school.command("rl", recipe).args(["--rollouts", &server.address]).output().unwrap()
}

#[test]
fn a_server_samples_and_is_given_the_weights() {
    let school = school();
    let plan = "group = 4\noverlong = 20";
    let cases = [
        ("vllm", "", "/collective_rpc", "start"),
        ("sglang", "", "/update_weights_from_disk", "start"),
        ("vllm", "[adapter]\nrank = 2\n", "/v1/load_lora_adapter", "firsthand-policy-45"),
    ];
    for (i, (owner, adapter, route, model)) in cases.into_iter().enumerate() {
        let name = format!("served-{i}");
        let file = recipe(&school, &name, plan);
        let text = fs_err::read_to_string(school.path(&file)).unwrap();
        fs_err::write(school.path(&file), text.replace("[save]", &format!("{adapter}[save]"))).unwrap();
        // One request fails in passing, and is asked again.
        let server = PolicyServer::start(owner, &[200, 503], json!(-1.5)).busy(1);
        let output = served(&school, &file, &server);
        assert!(output.status.success(), "{}", stderr(&output));
        let seen = server.seen.lock().unwrap();
        assert!(!seen.is_dead && seen.stale == 0, "{} answers of old weights", seen.stale);
        let count = |path: &str| seen.paths.iter().filter(|known| *known == path).count();
        match owner {
            "sglang" => {
                assert_eq!(count("/flush_cache"), 7, "after every update, and once more while in use")
            }
            _ => {
                let resets = ["/reset_prefix_cache", "/reset_mm_cache", "/reset_encoder_cache"].map(count);
                assert_eq!(resets, [7, 6, 6]);
            }
        }
        assert_eq!(seen.taken.len(), 6, "before every step");
        assert!(seen.taken.iter().all(|(_, whole)| *whole) && seen.paths.iter().any(|path| path == route));
        assert_eq!(seen.models.last().unwrap(), model, "{owner}");
        for step in metrics(&school, &name) {
            let more = &step["more"];
            assert_eq!(more["mismatch"], 0.0, "after correction: {step}");
            let [most, mean] =
                ["sampler_mismatch", "sampler_mismatch_mean"].map(|name| more[name].as_f64().unwrap());
            assert!(most >= mean && mean > 0.1, "the stand-in's log-probabilities are made up: {step}");
            assert!(step["gradient_norm"].as_f64().unwrap() > 0.0, "{step}");
        }
    }
}

#[test]
fn a_server_that_fails_ends_the_run_clearly() {
    let school = school();
    let recipe = recipe(&school, "refused", "group = 4\noverlong = 20");
    let server = PolicyServer::start("vllm", &[400; 40], json!(-1.5));
    assert_failure(
        &served(&school, &recipe, &server),
        &["rollouts at http://", "status 400: out of luck; 1 try"],
    );
    let server = PolicyServer::start("vllm", &[SILENT; 40], json!(-1.5));
    let output = school
        .command("rl", &recipe)
        .args(["--rollouts", &server.address, "--patience", "2"])
        .output()
        .unwrap();
    assert_failure(&output, &["rollouts at http://", "timeout", "4 tries"]);
    // Its caches stay in use.
    let server = PolicyServer::start("vllm", &[], json!(-1.5)).busy(usize::MAX);
    let output = school
        .command("rl", &recipe)
        .args(["--rollouts", &server.address, "--patience", "2"])
        .output()
        .unwrap();
    assert_failure(&output, &["/reset_prefix_cache: the cache is in use after 2 s", "let nobody else ask"]);
    let server = PolicyServer::start("vllm", &[], Value::Null);
    assert_failure(&served(&school, &recipe, &server), &["no log-probabilities"]);
    let output =
        school.command("rl", &recipe).args(["--rollouts", "http://127.0.0.1:9/v1"]).output().unwrap();
    assert_failure(&output, &["rollouts at http://127.0.0.1:9/v1/models"]);
}
