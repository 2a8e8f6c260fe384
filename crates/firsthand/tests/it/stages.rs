//! A run that is killed while it samples, judges, goes backward, moves the weights or writes a checkpoint ends with the
//! bits of one that was not. A process of this test program runs the recipe and stands still where it is to be killed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use firsthand_train::metrics::Record;
use firsthand_train::rl::Stage;
use firsthand_train::{Outline, Recipe, Run, Watch};

use crate::rl::{recipe, school};
use crate::train::{School, assert_same_run};

const WHERE: &str = "FIRSTHAND_TEST_STAND_STILL";
const HERE: &str = "standing still";

/// Stands still the so-manieth time that a stage begins.
struct Still {
    stage: String,
    count: usize,
}

impl Watch for Still {
    fn begin(&mut self, _: &Outline) {}
    fn note(&mut self, _: &str) {}
    fn step(&mut self, _: &Record) {}
    fn saved(&mut self, _: &Path) {}

    fn stage(&mut self, stage: Stage) {
        if format!("{stage:?}") != self.stage {
            return;
        }
        self.count -= 1;
        if self.count == 0 {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{HERE}").unwrap();
            out.flush().unwrap();
            std::thread::sleep(Duration::from_secs(600));
        }
    }

    fn stop(&self) -> bool {
        false
    }
}

/// Not a test: what the one below starts.
#[test]
#[ignore = "a process of the test below"]
fn stand_still() {
    let Ok(place) = std::env::var(WHERE) else { return };
    let [recipe, stage, count] = place.split(' ').collect::<Vec<_>>()[..] else { panic!("{place}") };
    let recipe = Recipe::read(Path::new(recipe)).unwrap();
    let start = recipe.model.start.clone().map(Into::into);
    let (opener, report) = (firsthand_media::Opener::default().into(), Arc::new(firsthand_base::Silent));
    let run = Run::open(recipe, start, opener, report).unwrap();
    run.train(&mut Still { stage: stage.into(), count: count.parse().unwrap() }).unwrap();
    panic!("it came to its end");
}

fn standing_still(school: &School, recipe: &str, stage: &str, count: usize) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "stages::stand_still", "--ignored", "--nocapture"])
        .env(WHERE, format!("{recipe} {stage} {count}"))
        .current_dir(school.home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_here = lines.map_while(Result::ok).any(|line| line.contains(HERE));
    assert!(is_here, "it never came to {stage} {count}");
    child
}

#[cfg(unix)]
#[test]
fn killed_in_every_stage_a_run_ends_with_the_same_weights() {
    let school = school();
    let plan = "algorithm = \"grpo\"\ngroup = 4\nupdates = 2\nkl = { weight = 0.05, estimator = \"full\" }\n\
                temporal = { form = \"contrast\" }";
    school.finish_as("rl", &recipe(&school, "whole", plan));
    let killed = recipe(&school, "killed", plan);
    // The first of these after 40 steps of fine-tuning and two of sampling; each later one where the one before left
    // off. Checkpoints are written after every second step.
    for (stage, count) in [("Rollout", 3), ("Reward", 1), ("Backward", 4), ("Update", 2), ("Checkpoint", 1)] {
        let mut child = standing_still(&school, &killed, stage, count);
        if stage == "Checkpoint" {
            let drafts = fs_err::read_dir(school.path("killed/checkpoints")).unwrap();
            let names: Vec<_> = drafts.map(|entry| entry.unwrap().file_name()).collect();
            let is_draft = |name: &std::ffi::OsString| name.to_string_lossy().ends_with(".part");
            assert!(names.iter().any(is_draft), "half a checkpoint lies there: {names:?}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    school.finish_as("rl", &killed);
    assert_same_run(&school.path("whole"), &school.path("killed"));
    let read = |run: &str| fs_err::read_to_string(school.path(run).join("results.json")).unwrap();
    assert_eq!(read("whole"), read("killed"));
}
