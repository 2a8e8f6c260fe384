//! `train sft` on the tiny checkpoint: what it writes, and that a run which was killed, interrupted or ran out of
//! disk ends with the weights of one that was not.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::{assert_failure, files, program, stderr, stdout};

/// Two phases over words and pictures: 12 steps with the tower frozen and its features kept, 10 with all parts.
const PHASES: &str = r#"
[[phase]]
name = "words"
steps = 12
batch = 4
learning_rate = { language = 1e-3 }
cache_features = true
questions = 2
warm_up_steps = 3
clip = 1.0
[[phase]]
name = "joint"
steps = 10
batch = 2
accumulate = 2
learning_rate = { language = 1e-3, merger = 1e-3, vision = 3e-4 }
weight_decay = 0.1
schedule = "linear"
recompute = false
"#;

/// A folder with rows to learn, and recipes about them.
pub(crate) struct School {
    pub(crate) home: tempfile::TempDir,
}

impl School {
    pub(crate) fn new() -> School {
        let home = tempfile::tempdir().unwrap();
        let words = ["red", "blue", "cup", "bowl", "left", "right", "near"];
        let mut rows = String::new();
        for i in 0..30usize {
            let picture = firsthand_golden::media("photo.jpg");
            let clip = firsthand_golden::media("clip.mp4");
            let medium = match i % 3 {
                0 => json!({"type": "image", "image": picture}),
                1 => {
                    json!({"type": "video", "video": clip, "nframes": 4, "min_pixels": 28 * 28, "max_pixels": 28 * 28 * 8})
                }
                _ => json!({"type": "text", "text": "hm"}),
            };
            let ask = json!({"type": "text", "text": format!("what is {} {}", words[i % 7], words[i % 5])});
            let row = json!({"messages": [
                {"role": "user", "content": [medium, ask]},
                {"role": "assistant", "content": format!("it is {}", words[(3 * i) % 7])},
            ]});
            rows += &format!("{row}\n");
        }
        fs_err::write(home.path().join("rows.jsonl"), rows).unwrap();
        School { home }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a recipe whose run goes to the folder of its name. `dtype` is that of the weights in memory.
    pub(crate) fn recipe(&self, name: &str, dtype: &str, phases: &str) -> String {
        let text = format!(
            "output = \"{name}\"\nseed = 3\n[model]\nstart = {:?}\ndtype = \"{dtype}\"\nmatmul = \"f32\"\n\
             [[source]]\nname = \"rows\"\nformat = \"messages\"\npath = \"rows.jsonl\"\n\
             [save]\nevery = 5\nkeep = 6\n{phases}",
            firsthand_golden::checkpoint("qwen2_5_vl"),
        );
        let file = format!("{name}.toml");
        fs_err::write(self.path(&file), text).unwrap();
        file
    }

    pub(crate) fn train(&self, recipe: &str) -> Command {
        self.command("sft", recipe)
    }

    /// `train` with a verb.
    pub(crate) fn command(&self, verb: &str, recipe: &str) -> Command {
        let mut command = program(self.home.path());
        command.args(["train", verb, recipe]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a recipe to its end.
    #[track_caller]
    pub(crate) fn finish(&self, recipe: &str) -> String {
        self.finish_as("sft", recipe)
    }

    /// Runs a recipe to its end with a verb.
    #[track_caller]
    pub(crate) fn finish_as(&self, verb: &str, recipe: &str) -> String {
        let output = self.command(verb, recipe).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    }

    /// Starts a recipe and waits until its metrics have `steps` lines; `None` when it ended before.
    fn until(&self, recipe: &str, name: &str, steps: usize) -> Option<Child> {
        self.until_as("sft", recipe, name, steps)
    }

    /// [`School::until`] with a verb.
    pub(crate) fn until_as(&self, verb: &str, recipe: &str, name: &str, steps: usize) -> Option<Child> {
        let mut child = self.command(verb, recipe).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(300);
        let lines = || fs_err::read_to_string(self.path(name).join("metrics.jsonl")).unwrap_or_default();
        while lines().lines().count() < steps {
            assert!(Instant::now() < deadline, "it never came to step {steps}");
            if child.try_wait().unwrap().is_some() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Some(child)
    }
}

/// Step, loss and gradient of every line of the metrics.
fn curve(run: &Path) -> Vec<(u64, Value, Value)> {
    let text = fs_err::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|line| (line["step"].as_u64().unwrap(), line["loss"].clone(), line["gradient_norm"].clone()))
        .collect()
}

#[track_caller]
pub(crate) fn assert_same_run(one: &Path, other: &Path) {
    let model = |run: &Path| fs_err::read(run.join("final/model.safetensors")).unwrap();
    assert!(model(one) == model(other), "weights differ: {} and {}", one.display(), other.display());
    assert_eq!(curve(one), curve(other));
}

fn tensors(file: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = fs_err::read(file).unwrap();
    let all = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut named: Vec<_> =
        all.tensors().into_iter().map(|(name, view)| (name, view.data().to_vec())).collect();
    named.sort();
    named
}

#[test]
fn a_run_writes_checkpoints_metrics_and_a_model_that_answers() {
    let school = School::new();
    let recipe = school.recipe("run", "f32", PHASES);
    let dry = school.train(&recipe).arg("--dry-run").output().unwrap();
    let text = stdout(&dry);
    assert!(text.contains("phase    joint: 10 steps") && text.contains("memory   at most weights"), "{text}");
    assert!(!school.path("run").exists(), "a dry run writes nothing");
    let said = school.finish(&recipe);
    assert!(said.contains("rows: 30 rows") && said.contains("done, 22 steps"), "{said}");
    let run = school.path("run");
    let found = files(&run);
    for name in [
        "checkpoints/step-000012/trainer/state.json",
        "checkpoints/step-000020/trainer/moments.safetensors",
        "checkpoints/step-000022/model.safetensors",
        "final/config.json",
        "final/tokenizer.json",
        "final/training.json",
        "loss.png",
        "metrics.jsonl",
    ] {
        assert!(found.iter().any(|file| file == name), "{name} is missing in {found:?}");
    }
    assert_eq!(found.iter().find(|file| file.starts_with("cache/") || file.ends_with(".part")), None);
    let losses: Vec<f64> = curve(&run).iter().map(|(_, loss, _)| loss.as_f64().unwrap()).collect();
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    assert!(mean(&losses[18..]) < 0.6 * mean(&losses[..4]), "it learns: {losses:?}");
    assert_eq!(image::open(run.join("loss.png")).unwrap().width(), 1000);
    // The first phase froze the tower, the second did not.
    let (before, after) = (
        tensors(&run.join("checkpoints/step-000012/model.safetensors")),
        tensors(&run.join("final/model.safetensors")),
    );
    assert_eq!(before.len(), after.len());
    let moved =
        before.iter().zip(&after).filter(|(one, other)| one.0.contains("visual") && one != other).count();
    assert!(moved > 10, "{moved} tensors of the tower moved in the second phase");
    let earlier = tensors(&run.join("checkpoints/step-000005/model.safetensors"));
    let of_tower = |all: &[(String, Vec<u8>)]| -> Vec<(String, Vec<u8>)> {
        all.iter().filter(|(name, _)| name.contains("visual")).cloned().collect()
    };
    assert!(of_tower(&earlier) == of_tower(&before) && earlier != before, "a frozen tower keeps its bits");
    // The final model is a checkpoint as any other.
    let picture = firsthand_golden::media("photo.jpg");
    let output = program(school.home.path())
        .args(["ask", "--max-tokens", "4", "--model"])
        .arg(run.join("final"))
        .arg(picture)
        .arg("what is red cup")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    // Asked again, it is done already.
    assert!(school.finish(&recipe).contains("was finished before"));
}

#[cfg(unix)]
#[test]
fn killed_at_any_step_it_ends_with_the_same_weights() {
    let school = School::new();
    for dtype in ["f32", "bf16"] {
        let (whole, killed) = (format!("whole-{dtype}"), format!("killed-{dtype}"));
        school.finish(&school.recipe(&whole, dtype, PHASES));
        let recipe = school.recipe(&killed, dtype, PHASES);
        let mut kills = 0;
        // Before the first checkpoint, between two, around the end of a phase, near the end.
        for step in [1, 7, 11, 12, 13, 21] {
            if let Some(mut child) = school.until(&recipe, &killed, step) {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
            }
        }
        assert!(kills >= 4, "only {kills} kills came before the end");
        school.finish(&recipe);
        assert_same_run(&school.path(&whole), &school.path(&killed));
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_writes_a_checkpoint_and_continues_from_it() {
    let school = School::new();
    school.finish(&school.recipe("whole", "f32", PHASES));
    let recipe = school.recipe("stopped", "f32", PHASES);
    let child = school.until(&recipe, "stopped", 3).expect("it does not end so soon");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let said = stderr(&output);
    let step = said.split("stopped at step ").nth(1).and_then(|rest| rest.split(';').next()).expect(&said);
    let step: usize = step.parse().unwrap();
    assert!(school.path("stopped").join(format!("checkpoints/step-{step:06}/trainer/state.json")).exists());
    let again = school.finish(&recipe);
    assert!(again.contains(&format!("resumes  after step {step} of 22")), "{again}");
    assert_same_run(&school.path("whole"), &school.path("stopped"));
}

/// A limit on the size of files stands for a full disk: the same call fails at the same place with another code.
#[cfg(unix)]
#[test]
fn a_full_disk_costs_one_checkpoint_and_nothing_else() {
    let school = School::new();
    school.finish(&school.recipe("whole", "f32", PHASES));
    let recipe = school.recipe("full", "f32", PHASES);
    let mut child = school.until(&recipe, "full", 7).expect("it does not end so soon");
    child.kill().unwrap();
    child.wait().unwrap();
    let program = school.train(&recipe);
    let size = fs_err::metadata(school.path("whole/final/model.safetensors")).unwrap().len();
    let shell = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", size / 1024 / 2);
    let mut limited = Command::new("bash");
    limited
        .args(["-c", &shell])
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(school.home.path());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let output = limited.output().unwrap();
    assert_failure(&output, &["step-000010", "could not be written", "make room"]);
    let kept = files(&school.path("full/checkpoints"));
    assert!(kept.iter().all(|file| file.starts_with("step-000005/")), "{kept:?}");
    school.finish(&recipe);
    assert_same_run(&school.path("whole"), &school.path("full"));
}

#[test]
fn an_adapter_is_trained_resumed_and_merged() {
    let school = School::new();
    let phases = "[adapter]\nrank = 4\n[train]\nsteps = 12\nbatch = 4\nlearning_rate = { language = 1e-2 }\ncache_features = true\n";
    school.finish(&school.recipe("whole", "f32", phases));
    let recipe = school.recipe("killed", "f32", phases);
    let mut child = school.until(&recipe, "killed", 7).expect("it does not end so soon");
    child.kill().unwrap();
    child.wait().unwrap();
    school.finish(&recipe);
    let adapter = |run: &str| fs_err::read(school.path(run).join("final/adapter_model.safetensors")).unwrap();
    assert!(adapter("whole") == adapter("killed"));
    assert_eq!(curve(&school.path("whole")), curve(&school.path("killed")));
    let found = files(&school.path("whole/final"));
    assert_eq!(found, ["adapter_config.json", "adapter_model.safetensors", "training.json"]);
    let losses: Vec<f64> =
        curve(&school.path("whole")).iter().map(|(_, loss, _)| loss.as_f64().unwrap()).collect();
    assert!(losses[11] < 0.8 * losses[0], "it learns: {losses:?}");
    // Merged, it is a checkpoint, and further training starts where the adapter was.
    let start = firsthand_golden::checkpoint("qwen2_5_vl");
    let merge = || {
        let mut command = program(school.home.path());
        command.args(["train", "merge", "whole/final", "--out", "merged", "--model"]).arg(&start);
        command.output().unwrap()
    };
    let output = merge();
    assert!(output.status.success(), "{}", stderr(&output));
    let text = fs_err::read_to_string(school.path(&recipe)).unwrap();
    let text = text.replace(start.to_str().unwrap(), "merged").replace("\"killed\"", "\"further\"");
    fs_err::write(school.path("further.toml"), text.replace("[adapter]\nrank = 4\n", "")).unwrap();
    school.finish("further.toml");
    let first = curve(&school.path("further"))[0].1.as_f64().unwrap();
    assert!(first < 0.9 * losses[0], "{first} after {losses:?}");
    assert_failure(&merge(), &["merged", "exists"]);
}

/// Rows of which many show a film that is there and does not decode, or words that stand for a medium.
fn write_rows_with_bad_films(school: &School) -> usize {
    fs_err::write(school.path("bad.mp4"), b"\0\0\0\x18ftypisomno film").unwrap();
    let rows = fs_err::read_to_string(school.path("rows.jsonl")).unwrap();
    let mut all = Vec::new();
    for (i, line) in rows.lines().enumerate() {
        let mut row: Value = serde_json::from_str(line).unwrap();
        match i % 5 {
            0 | 3 => {
                row["messages"][0]["content"][0] = json!({"type": "video", "video": school.path("bad.mp4")})
            }
            1 => row["messages"][0]["content"][1] = json!({"type": "text", "text": "what is <|image_pad|>"}),
            _ => {}
        }
        all.push(row);
    }
    // All on one line of a list: rows are told apart by their number.
    fs_err::write(school.path("rows.jsonl"), Value::from(all).to_string()).unwrap();
    18
}

const ONE_AT_A_TIME: &str = r#"
[[phase]]
name = "words"
steps = 26
batch = 1
learning_rate = { language = 1e-3 }
[[phase]]
name = "joint"
epochs = 0.5
batch = 1
learning_rate = { language = 1e-3, merger = 1e-3, vision = 3e-4 }
"#;

fn left_out(run: &Path) -> Vec<Value> {
    let text = fs_err::read_to_string(run.join("left-out.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[cfg(unix)]
#[test]
fn steps_without_a_usable_row_take_the_next_rows_and_kills_change_nothing() {
    let school = School::new();
    let bad = write_rows_with_bad_films(&school);
    let said = school.finish(&school.recipe("whole", "f32", ONE_AT_A_TIME));
    let whole = left_out(&school.path("whole"));
    assert!(said.contains("done, 41 steps"), "{said}");
    assert!(said.contains(&format!("left out {} rows: whole/left-out.jsonl", whole.len())), "{said}");
    // 26 steps of twelve good rows in thirty are more than a pass: every bad row came up, and each is there once.
    assert_eq!(whole.len(), bad);
    let mut rows: Vec<u64> = whole.iter().map(|line| line["row"].as_u64().unwrap()).collect();
    rows.sort_unstable();
    assert_eq!(rows, (1..=30).filter(|row| [0, 1, 3].contains(&((row - 1) % 5))).collect::<Vec<u64>>());
    for line in &whole {
        let reason = line["reason"].as_str().unwrap();
        assert!(line["file"] == "rows.jsonl" && line["line"] == 1 && line["found"] == "opening", "{line}");
        assert!(
            reason.contains("bad.mp4")
                || reason.contains("<|image_pad|>, which stands for a medium; remove it"),
            "{line}"
        );
    }
    assert_eq!(curve(&school.path("whole")).len(), 41, "every step has its line");
    let recipe = school.recipe("killed", "f32", ONE_AT_A_TIME);
    let mut kills = 0;
    for step in [1, 4, 13, 22, 30] {
        if let Some(mut child) = school.until(&recipe, "killed", step) {
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
        }
    }
    assert!(kills >= 3, "only {kills} kills came before the end");
    school.finish(&recipe);
    assert_same_run(&school.path("whole"), &school.path("killed"));
    assert_eq!(left_out(&school.path("killed")), whole);
    // Asked again, the finished run says the same.
    assert!(school.finish(&recipe).contains(&format!("left out {bad} rows: killed/left-out.jsonl")));
}

#[test]
fn a_run_ends_when_a_whole_pass_gives_nothing() {
    let school = School::new();
    fs_err::write(school.path("bad.mp4"), b"no film").unwrap();
    let row = json!({"messages": [
        {"role": "user", "content": [{"type": "video", "video": "bad.mp4"}, {"type": "text", "text": "hm"}]},
        {"role": "assistant", "content": "it is"},
    ]});
    fs_err::write(school.path("rows.jsonl"), format!("{row}\n").repeat(7)).unwrap();
    let recipe = school.recipe("run", "f32", "[train]\nsteps = 6\nbatch = 2\nlearning_rate = 1e-3\n");
    let output = school.train(&recipe).output().unwrap();
    assert_failure(
        &output,
        &["none of 7 rows of a whole pass can be used", "rows.jsonl:", "bad.mp4", "left-out.jsonl"],
    );
    assert_eq!(left_out(&school.path("run")).len(), 7);
    let strict = school.recipe(
        "strict",
        "f32",
        "[data]\non_bad_row = \"stop\"\n[train]\nsteps = 6\nlearning_rate = 1e-3\n",
    );
    assert_failure(&school.train(&strict).output().unwrap(), &["rows.jsonl:", "bad.mp4", "on_bad_row"]);
}

#[test]
fn rows_that_cannot_be_read_are_all_named_and_a_dry_run_lists_them() {
    let school = School::new();
    let rows = fs_err::read_to_string(school.path("rows.jsonl")).unwrap();
    let broken: String = (0..24).map(|i| format!("{{\"messages\": {i}}}\n")).collect();
    fs_err::write(school.path("rows.jsonl"), format!("{broken}{rows}")).unwrap();
    let recipe = school.recipe("run", "f32", "[train]\nsteps = 2\nbatch = 2\nlearning_rate = 1e-3\n");
    let dry = stdout(&school.train(&recipe).arg("--dry-run").output().unwrap());
    assert!(
        dry.contains("left out 24 rows; the first: rows.jsonl:1: ") && dry.contains("rows.jsonl:20: "),
        "{dry}"
    );
    assert!(!dry.contains("rows.jsonl:21: ") && dry.contains("and 4 more, which --json lists"), "{dry}");
    let dry = school.train(&recipe).args(["--dry-run", "--json"]).output().unwrap();
    let dry: Value = serde_json::from_slice(&dry.stdout).unwrap();
    assert!(!school.path("run").exists(), "a dry run writes nothing");
    let said = school.finish(&recipe);
    assert!(said.contains("left out 24 rows: run/left-out.jsonl"), "{said}");
    assert_eq!(Value::from(left_out(&school.path("run"))), dry["left_out"]);
    assert_eq!(
        dry["left_out"][23],
        json!({
            "source": "rows", "file": "rows.jsonl", "line": 24, "row": 24, "found": "reading",
            "reason": dry["left_out"][23]["reason"],
        })
    );
}

/// `pass_tokens` decides which rows share a pass, and with it the order of sums: results agree up to rounding, and runs
/// that differ in it are not the same run.
#[test]
fn rows_of_a_pass_do_not_see_each_other_and_runs_of_other_passes_are_other_runs() {
    let school = School::new();
    let mut rows = String::new();
    for (i, words) in [1usize, 9, 3, 30].into_iter().enumerate() {
        let asked = format!("say {}", "red cup ".repeat(words));
        let said = ["red", "blue"][i % 2];
        let row =
            json!({"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]});
        rows += &format!("{row}\n");
    }
    fs_err::write(school.path("rows.jsonl"), rows).unwrap();
    let run = |matmul: &str, pass_tokens: usize| {
        let name = format!("{matmul}-{pass_tokens}");
        let recipe = school.recipe(
            &name,
            "f32",
            &format!("[train]\nsteps = 3\nbatch = 4\nlearning_rate = 1e-3\npass_tokens = {pass_tokens}\n"),
        );
        let text = fs_err::read_to_string(school.path(&recipe)).unwrap();
        fs_err::write(
            school.path(&recipe),
            text.replace("matmul = \"f32\"", &format!("matmul = \"{matmul}\"")),
        )
        .unwrap();
        school.finish(&recipe);
        curve(&school.path(&name)).iter().map(|(_, loss, _)| loss.as_f64().unwrap()).collect::<Vec<f64>>()
    };
    for (matmul, bound) in [("f32", 1e-5), ("auto", 2e-2)] {
        let together = run(matmul, 8192);
        for pass_tokens in [1, 64, 140] {
            let apart = run(matmul, pass_tokens);
            for (step, (a, b)) in together.iter().zip(&apart).enumerate() {
                assert!(
                    (a - b).abs() <= bound * a,
                    "{matmul}, {pass_tokens} tokens a pass, step {step}: {a} and {b}"
                );
            }
        }
    }
    let recipe = school.path("f32-64.toml");
    let text = fs_err::read_to_string(&recipe).unwrap().replace("pass_tokens = 64", "pass_tokens = 65");
    fs_err::write(&recipe, text).unwrap();
    let output = school.train("f32-64.toml").output().unwrap();
    assert_failure(&output, &["the recipe has changed", "phase[train].pass_tokens was 64 and is 65"]);
}
