//! What reinforcement learning is worth on held-out simulated homes: the built-in model before it, after GRPO, after
//! T-GRPO in both forms, after dense spatial rewards and after rewards of overlap, over some seeds. Each run is the
//! shipped program with a recipe of its own under target/bench; a run that is there is not made again. What the seeds
//! say together is paired by question: right answers averaged over the seeds, media as clusters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use firsthand_tasks::metric::statistics::{Pair, paired};
use firsthand_train::rl::Results;
use serde_json::{Value, json};

/// Questions that are asked of the same homes in every run.
struct Asked {
    name: &'static str,
    families: &'static str,
    /// Whether a reply draws a scene graph as well.
    scene: bool,
    /// Most tokens of a reply.
    tokens: usize,
    steps: u64,
    /// Prompts in a step.
    batch: usize,
}

/// Questions whose answer depends on the order of frames.
const MOVING: Asked =
    Asked { name: "moving", families: "order,motion,route", scene: false, tokens: 96, steps: 40, batch: 48 };
/// Questions about one picture, with scene graphs.
const STILL: Asked = Asked {
    name: "still",
    families: "relation,depth,size,distance,instance_location",
    scene: true,
    tokens: 256,
    steps: 25,
    batch: 32,
};
/// Boxes and spans.
const GROUNDED: Asked = Asked {
    name: "grounded",
    families: "hand_object,temporal_grounding",
    scene: false,
    tokens: 96,
    steps: 40,
    batch: 48,
};

/// A way to train.
struct Arm {
    name: &'static str,
    asked: &'static Asked,
    /// Lines of `[train.rl]`.
    plan: &'static str,
    /// Tables of rewards. What is only measured has no weight.
    rewards: &'static str,
}

const LETTERS: &str = "[[train.rl.reward]]\nname = \"video-r1\"\nmode = \"strict\"\n\
                       settings = { format = 0.0, length = 0.0, temporal = 0.0 }\n";

const ARMS: [Arm; 6] = [
    Arm { name: "grpo", asked: &MOVING, plan: "", rewards: LETTERS },
    Arm {
        name: "t-grpo-compatible",
        asked: &MOVING,
        plan: "temporal = { form = \"compatible\", samples = 4 }\n",
        rewards: "[[train.rl.reward]]\nname = \"video-r1\"\nmode = \"strict\"\nsettings = { format = 0.0, length = 0.0 }\n",
    },
    Arm {
        name: "t-grpo-contrast",
        asked: &MOVING,
        plan: "temporal = { form = \"contrast\", samples = 4 }\n",
        rewards: LETTERS,
    },
    Arm {
        name: "accuracy-only",
        asked: &STILL,
        plan: "",
        rewards: "[[train.rl.reward]]\nname = \"spatialthinker\"\nmode = \"strict\"\nweight = 0.0\n\
                  [[train.rl.reward]]\nname = \"video-r1\"\nmode = \"strict\"\n\
                  settings = { format = 0.0, length = 0.0, temporal = 0.0 }\n",
    },
    Arm {
        name: "dense-spatial",
        asked: &STILL,
        plan: "",
        rewards: "[[train.rl.reward]]\nname = \"spatialthinker\"\nmode = \"strict\"\n",
    },
    Arm {
        name: "grounding",
        asked: &GROUNDED,
        plan: "",
        rewards: "[[train.rl.reward]]\nname = \"egothinker-iou\"\nmode = \"strict\"\nkinds = [\"box\"]\n\
                  [[train.rl.reward]]\nname = \"egothinker-tiou\"\nmode = \"strict\"\nkinds = [\"interval\"]\n",
    },
];

/// Homes whose questions are learned from, and those that are only measured.
const HOMES: [(&str, &str); 2] = [("learned", "100000..100240"), ("held-out", "0..120")];

/// Runs every arm, seed by seed, and prints a line for each run; then what the seeds say together.
pub(crate) fn run(folder: &Path, seeds: &[u64]) -> Result<()> {
    let program = std::env::current_exe()?.with_file_name("firsthand");
    ensure!(program.exists(), "{} is missing: run `make build` first", program.display());
    let folder = folder.join("policies");
    for asked in [&MOVING, &STILL, &GROUNDED] {
        ask(&program, &folder, asked)?;
    }
    for &seed in seeds {
        for arm in &ARMS {
            let output = folder.join(format!("{}-{seed}", arm.name));
            fs_err::create_dir_all(&output)?;
            let file = output.join("recipe.toml");
            fs_err::write(&file, recipe(arm, seed, &folder))?;
            let status = Command::new(&program).args(["train", "rl"]).arg(&file).status()?;
            ensure!(status.success(), "failed: firsthand train rl {}", file.display());
            let results = results(&folder, arm, seed)?;
            let change = serde_json::to_value(results.change)?;
            crate::print(&json!({ "arm": arm.name, "seed": seed, "change": change }).to_string());
        }
    }
    let before =
        ARMS.iter().map(|arm| Marks::of(&folder, arm, &seeds[..1], true)).collect::<Result<Vec<_>>>()?;
    let after = ARMS.iter().map(|arm| Marks::of(&folder, arm, seeds, false)).collect::<Result<Vec<_>>>()?;
    for (arm, (before, after)) in ARMS.iter().zip(before.iter().zip(&after)) {
        after.tell(arm.name, "no training", before)?;
    }
    for (arm, other) in [(2, 0), (2, 1), (1, 0), (4, 3)] {
        after[arm].tell(ARMS[arm].name, ARMS[other].name, &after[other])?;
    }
    Ok(())
}

fn results(folder: &Path, arm: &Arm, seed: u64) -> Result<Results> {
    let results = Results::read(&folder.join(format!("{}-{seed}/run/results.json", arm.name)))?;
    ensure!(results.after.is_some(), "{} with seed {seed} has no last measurement", arm.name);
    Ok(results)
}

/// How right each held-out question is answered, averaged over the seeds, and what was measured beside it.
struct Marks {
    /// Family, medium and share of right answers of each question.
    rows: Vec<(String, String, f64)>,
    /// Means of the parts of rewards, averaged over the seeds.
    parts: BTreeMap<String, f64>,
}

impl Marks {
    fn of(folder: &Path, arm: &Arm, seeds: &[u64], before: bool) -> Result<Marks> {
        let questions =
            fs_err::read_to_string(folder.join(format!("{}-held-out/questions.jsonl", arm.asked.name)))?;
        let mut marks = Marks { rows: Vec::new(), parts: BTreeMap::new() };
        for line in questions.lines() {
            let row: Value = serde_json::from_str(line)?;
            let name = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            marks.rows.push((name("family"), name("media"), 0.0));
        }
        for &seed in seeds {
            let results = results(folder, arm, seed)?;
            let measured = if before { results.before } else { results.after }.context("measured")?;
            ensure!(
                measured.answers.len() == marks.rows.len(),
                "{}: other questions than the file's",
                arm.name
            );
            for (row, answer) in marks.rows.iter_mut().zip(measured.answers.bytes()) {
                row.2 += f64::from(u8::from(answer == b'1')) / seeds.len() as f64;
            }
            for (part, value) in measured.parts {
                *marks.parts.entry(part).or_default() += value / seeds.len() as f64;
            }
        }
        Ok(marks)
    }

    /// Prints what lies between these and others, question by question, for each family and over all.
    fn tell(&self, name: &str, other_name: &str, other: &Marks) -> Result<()> {
        let families: BTreeSet<&str> = self.rows.iter().map(|(family, ..)| family.as_str()).collect();
        for family in families.into_iter().map(Some).chain([None]) {
            let both = self.rows.iter().zip(&other.rows);
            let of_it = both.filter(|((kind, ..), _)| family.is_none_or(|family| family == kind));
            let pairs: Vec<Pair<'_>> = of_it
                .map(|((_, cluster, after), (.., before))| Pair { before: *before, after: *after, cluster })
                .collect();
            let mean = |of: fn(&Pair<'_>) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
            let change = paired(&pairs).context("questions of a family")?;
            let line = json!({
                "of": name, "against": other_name, "family": family, "items": pairs.len(),
                "right": mean(|pair| pair.after), "right_against": mean(|pair| pair.before),
                "change": change.mean, "interval": change.interval, "p": change.p,
            });
            crate::print(&line.to_string());
        }
        crate::print(
            &json!({ "of": name, "parts": self.parts, "against": other_name, "parts_against": other.parts })
                .to_string(),
        );
        Ok(())
    }
}

/// Writes the questions to learn from and the held-out ones, once.
fn ask(program: &Path, folder: &Path, asked: &Asked) -> Result<()> {
    for (name, homes) in HOMES {
        let folder = folder.join(format!("{}-{name}", asked.name));
        let mut command = Command::new(program);
        command.args(["world", "questions", "--seeds", homes, "--items", "8", "--questions", "3"]);
        command.args(["--families", asked.families]).arg("--out").arg(&folder);
        if name == "held-out" {
            command.arg("--held-out");
        }
        ensure!(command.status()?.success(), "failed: {command:?}");
    }
    Ok(())
}

fn recipe(arm: &Arm, seed: u64, folder: &Path) -> String {
    let Arm { name, asked, plan, rewards } = arm;
    let run = folder.join(format!("{name}-{seed}/run"));
    let [learned, held_out] =
        ["learned", "held-out"].map(|part| folder.join(format!("{}-{part}/questions.jsonl", asked.name)));
    let Asked { scene, tokens, steps, batch, .. } = asked;
    format!(
        "output = {run:?}\nseed = {seed}\n[model]\nstart = \"firsthand-tiny\"\ndtype = \"f32\"\n\
         [[source]]\nname = \"questions\"\nformat = \"world\"\npath = {learned:?}\nscene = {scene}\n\
         [[source]]\nname = \"held-out\"\nformat = \"world\"\npath = {held_out:?}\nscene = {scene}\n\
         [train]\nkind = \"rl\"\nsteps = {steps}\nbatch = {batch}\nlearning_rate = {{ language = 5e-5 }}\nclip = 1.0\nrecompute = false\n\
         [train.rl]\ngroup = 8\nmax_tokens = {tokens}\nparallel = 128\nheld_out = {{ source = \"held-out\" }}\n{plan}{rewards}\
         [save]\nevery = 10\ndtype = \"f32\"\n",
    )
}
