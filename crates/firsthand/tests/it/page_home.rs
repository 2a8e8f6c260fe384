//! A folder with everything the page can show: a film of the simulated home, a memory over it, a trace that the
//! program wrote about that memory, and two runs in the trainer's own format.

use std::path::{Path, PathBuf};

use firsthand_base::Moment;
use firsthand_memory::{Change, Evidence, Level, Memory, Record, RecordId};
use firsthand_train::metrics;
use serde_json::json;

use crate::program::{program, stderr};

const WEARER: &str = "A1_JAKE";
const MINUTE: i64 = 60_000;

/// The folder; gone when dropped.
pub(crate) struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    /// Makes all of it.
    pub(crate) fn make() -> Home {
        let home = Home { folder: tempfile::tempdir().unwrap() };
        let film = "world make --seed 7 --minutes 0.067 --at 07:00:25 --out film";
        home.run(&film.split(' ').collect::<Vec<_>>());
        home.remember();
        fs_err::create_dir(home.path().join("traces")).unwrap();
        home.run(&[
            "ask",
            "--memory",
            "memory",
            "where did i put the red mug ?",
            "--trace",
            "traces/mug.json",
        ]);
        home.train("grpo", 120, 0.5);
        home.train("grpo-long", 200, 0.4);
        home.measure();
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Flags of `serve` that open everything.
    pub(crate) fn flags(&self) -> [&'static str; 6] {
        ["--memory", "memory", "--traces", "traces", "--runs", "runs"]
    }

    pub(crate) fn film(&self) -> PathBuf {
        self.path().join("film/DAY1/DAY1_07002500.mp4")
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) {
        let output = program(self.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    }

    /// Two days, an hour of each in clips, with the summaries above them.
    fn remember(&self) {
        let file = self.film().to_str().unwrap().to_owned();
        let mut memory = Memory::create(&self.path().join("memory")).unwrap();
        let record = |level, start: i64, minutes: i64, text: &str, sources: Vec<RecordId>| {
            let moment = |ms| Moment::from_ms(ms).unwrap();
            let end = start + minutes * MINUTE;
            let record = Record::new(level, WEARER, moment(start), moment(end), text);
            Record { sources, ..record }
        };
        let deeds = [
            "I pick up the red mug from the kitchen table and carry it to the sink.",
            "I walk along the hall to the bedroom, where Anna stands at the window.",
            "I put down the blue book on the white shelf.",
            "I open the fridge and look at the yellow bottle.",
            "I sit on the brown sofa and read.",
        ];
        for day in 0..2 {
            let seven = day * Moment::DAY_MS + 7 * 60 * MINUTE;
            let mut changes = Vec::new();
            let mut tens = Vec::new();
            for ten in 0..6 {
                let mut clips = Vec::new();
                for half in 0..20 {
                    let start = seven + ten * 10 * MINUTE + half * MINUTE / 2;
                    let mut clip =
                        record(Level::Clip, start, 0, deeds[((ten + half) % 5) as usize], Vec::new());
                    clip.end = clip.start.plus_ms(MINUTE / 2);
                    clip.evidence =
                        vec![Evidence { file: file.clone(), start_s: 0.0, end_s: 4.0, frames: Vec::new() }];
                    clip.people = if half % 5 == 1 { vec!["Anna".to_owned()] } else { Vec::new() };
                    clip.transcript =
                        (half == 1).then(|| "Anna: good morning, did you see my keys?".to_owned());
                    clips.push(RecordId::of_change(changes.len()));
                    changes.push(Change::put(clip));
                }
                tens.push(RecordId::of_change(changes.len()));
                let text = "I tidy the kitchen, carry the red mug to the sink and read on the sofa.";
                changes.push(Change::put(record(
                    Level::TenMinutes,
                    seven + ten * 10 * MINUTE,
                    10,
                    text,
                    clips,
                )));
            }
            let hour = RecordId::of_change(changes.len());
            let text = "Breakfast, tidying the kitchen, reading on the sofa; Anna is there.";
            changes.push(Change::put(record(Level::Hour, seven, 60, text, tens)));
            changes.push(Change::put(record(Level::Day, seven, 60, "A quiet morning at home.", vec![hour])));
            memory.write(&changes).unwrap();
        }
    }

    /// Two runs of a benchmark that differ in their frames.
    fn measure(&self) {
        let data = self.path().join("data");
        fs_err::create_dir(&data).unwrap();
        fs_err::copy(self.film(), data.join("clip.mp4")).unwrap();
        fs_err::write(self.path().join("kitchen.toml"), crate::eval::TOML).unwrap();
        let item = |id: usize, question: &str, gold: &str| {
            let options = ["pick up the red toy car", "pick up the blue cup", "put down the blue cup"];
            json!({"id": format!("q{id}"), "question": question, "media": "clip.mp4", "options": options,
                "gold": gold, "room": (["hall", "attic"][id % 2])})
        };
        let questions = ["what do i do with my hand ?", "what do i do first ?", "which room is this ?"];
        let rows =
            questions.iter().enumerate().map(|(id, question)| format!("{}\n", item(id, question, "A")));
        fs_err::write(data.join("items.jsonl"), rows.collect::<String>()).unwrap();
        for frames in ["4", "8"] {
            let out = format!("runs/eval-{frames}");
            self.run(&["eval", "kitchen.toml", "--data", "data", "--frames", frames, "--out", &out]);
        }
    }

    /// A run's files as the trainer writes them.
    fn train(&self, name: &str, steps: u64, start: f64) {
        let folder = self.path().join("runs").join(name);
        fs_err::create_dir_all(folder.join("rollouts")).unwrap();
        let mut lines = metrics::Metrics::open(&folder, &Default::default(), false).unwrap();
        for step in 1..=steps {
            let progress = step as f64 / steps as f64;
            let wobble = ((step * 7919) % 97) as f64 / 97.0 - 0.5;
            let reward = start + 0.3 * progress.sqrt() + 0.12 * wobble;
            let record = json!({
                "step": step, "phase": "train", "phase_step": step, "loss": 0.4 * (-3.0 * progress).exp() + 0.02 * wobble,
                "learning_rate": {"vision": 0.0, "merger": 0.0, "language": 5e-5 * (1.0 - progress)},
                "gradient_norm": 0.2 + 0.1 * wobble, "tokens": 12000, "scored": 9000,
                "tokens_per_second": 6000.0 + 400.0 * wobble, "skipped": 0,
                "more": {"reward": reward, "accuracy": reward - 0.05, "video-r1.format": 1.0 - 0.2 * (1.0 - progress),
                    "egothinker-iou.iou": reward - 0.1, "entropy": 0.2 - 0.05 * progress, "length": 49.0 + wobble},
            });
            let record: metrics::Record = serde_json::from_value(record).unwrap();
            lines.write(&record).unwrap();
        }
        lines.sync().unwrap();
        let sample = |number: usize, reward: f64, corner: usize| {
            format!(
                "## sample {number}: reward {reward:.3} (egothinker-iou/iou {reward:.3}), 51 tokens\n<think>white roll of tape e6 medium . so {corner} 117 183 164</think>\n<answer>[{corner}, 117, 183, 164]</answer>\n\n"
            )
        };
        let samples: String = (0..6).map(|i| sample(i + 1, 0.9 - 0.1 * i as f64, 110 + i)).collect();
        let text = format!("# row-1\nthe white roll of tape\n\nright: [114, 121, 162, 166]\n\n{samples}");
        fs_err::write(folder.join("rollouts/step-000100.txt"), text).unwrap();
        let kind = |value: f64| json!({"items": 960, "value": value, "interval": [value - 0.03, value + 0.03], "accuracy": value});
        let measured = |step: u64, value: f64| {
            json!({"step": step, "items": 1920, "value": value, "interval": [value - 0.02, value + 0.02], "accuracy": value, "reward": value,
                "kinds": {"hand_object": kind(value - 0.1), "temporal_grounding": kind(value + 0.1)}})
        };
        let results =
            json!({"before": measured(0, start + 0.2), "after": measured(steps, start + 0.3), "curve": []});
        fs_err::write(folder.join("results.json"), results.to_string()).unwrap();
    }
}
