//! What reinforcement learning is worth on held-out simulated homes: the built-in model before it, after GRPO, and after
//! T-GRPO in both forms, over some seeds. Each run is the shipped program with a recipe of its own under target/bench;
//! a run that is there is not made again.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// Questions whose answer depends on the order of frames.
const MOVING: &str = "[\"order\", \"motion\", \"route\"]";
/// Questions about one picture, with scene graphs.
const STILL: &str = "[\"relation\", \"depth\", \"size\", \"distance\", \"instance_location\"]";
/// Boxes and spans.
const GROUNDED: &str = "[\"hand_object\", \"temporal_grounding\"]";

/// A way to train, and what is asked.
struct Arm {
    name: &'static str,
    families: &'static str,
    /// Lines of `[train.rl]`.
    plan: &'static str,
    /// Tables of rewards.
    rewards: &'static str,
}

const LETTERS: &str = "[[train.rl.reward]]\nname = \"video-r1\"\nmode = \"strict\"\nsettings = { format = 0.2, length = 0.0, temporal = 0.0 }\n";

const ARMS: [Arm; 6] = [
    Arm { name: "grpo", families: MOVING, plan: "", rewards: LETTERS },
    Arm {
        name: "t-grpo-compatible",
        families: MOVING,
        plan: "temporal = { form = \"compatible\", samples = 4 }\n",
        rewards: "[[train.rl.reward]]\nname = \"video-r1\"\nmode = \"strict\"\nsettings = { format = 0.2, length = 0.0 }\n",
    },
    Arm {
        name: "t-grpo-contrast",
        families: MOVING,
        plan: "temporal = { form = \"contrast\", samples = 4 }\n",
        rewards: LETTERS,
    },
    Arm { name: "accuracy-only", families: STILL, plan: "", rewards: LETTERS },
    Arm {
        name: "dense-spatial",
        families: STILL,
        plan: "",
        rewards: "[[train.rl.reward]]\nname = \"spatialthinker\"\nmode = \"strict\"\n",
    },
    Arm {
        name: "grounding",
        families: GROUNDED,
        plan: "",
        rewards: "[[train.rl.reward]]\nname = \"egothinker-iou\"\nmode = \"strict\"\nkinds = [\"box\"]\n\
                  [[train.rl.reward]]\nname = \"egothinker-tiou\"\nmode = \"strict\"\nkinds = [\"interval\"]\n",
    },
];

/// Runs every arm with every seed and prints a line for each, with what was measured before and after.
pub(crate) fn run(folder: &Path, seeds: &[u64]) -> Result<()> {
    let program = std::env::current_exe()?.with_file_name("firsthand");
    ensure!(program.exists(), "{} is missing: run `make build` first", program.display());
    for arm in &ARMS {
        for &seed in seeds {
            let output = folder.join("policies").join(format!("{}-{seed}", arm.name));
            fs_err::create_dir_all(&output)?;
            let file = output.join("recipe.toml");
            fs_err::write(&file, recipe(arm, seed, &output))?;
            let status = Command::new(&program).args(["train", "rl"]).arg(&file).status()?;
            ensure!(status.success(), "failed: firsthand train rl {}", file.display());
            let results: Value = serde_json::from_slice(&fs_err::read(output.join("run/results.json"))?)?;
            let line = json!({
                "arm": arm.name, "seed": seed, "before": results["before"].clone(), "after": results["after"].clone(),
            });
            results["after"]["value"].as_f64().context("a finished run has a last measurement")?;
            crate::print(&line.to_string());
        }
    }
    Ok(())
}

fn recipe(arm: &Arm, seed: u64, output: &Path) -> String {
    let first = 100_000 * (seed + 1);
    let Arm { families, plan, rewards, .. } = arm;
    let run = output.join("run");
    format!(
        "output = {run:?}\nseed = {seed}\n[model]\nstart = \"firsthand-tiny\"\ndtype = \"f32\"\n\
         [[source]]\nname = \"questions\"\nformat = \"world\"\n\
         make = {{ seeds = [{first}, {}], items = 8, questions = 3, families = {families} }}\n\
         [[source]]\nname = \"held-out\"\nformat = \"world\"\n\
         make = {{ seeds = [0, 80], held_out = true, items = 8, questions = 1, families = {families} }}\n\
         [train]\nkind = \"rl\"\nsteps = 80\nbatch = 12\nlearning_rate = {{ language = 2e-5 }}\nclip = 1.0\nrecompute = false\n\
         [train.rl]\ngroup = 8\nmax_tokens = 160\nrefill = 1\nheld_out = {{ source = \"held-out\" }}\n{plan}{rewards}\
         [save]\nevery = 40\ndtype = \"f32\"\n",
        first + 120,
    )
}
