//! What reinforcement learning is worth on held-out simulated homes: the built-in model before it, after GRPO, after
//! T-GRPO in both forms, after dense spatial rewards and after rewards of overlap, over some seeds. Each run is the
//! shipped program with a recipe of its own under target/bench; a run that is there is not made again.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// Questions that are asked of the same homes in every run.
struct Asked {
    name: &'static str,
    families: &'static str,
    /// Whether a reply draws a scene graph as well.
    scene: bool,
    /// Most tokens of a reply.
    tokens: usize,
}

/// Questions whose answer depends on the order of frames.
const MOVING: Asked = Asked { name: "moving", families: "order,motion,route", scene: false, tokens: 96 };
/// Questions about one picture, with scene graphs.
const STILL: Asked = Asked {
    name: "still",
    families: "relation,depth,size,distance,instance_location",
    scene: true,
    tokens: 256,
};
/// Boxes and spans.
const GROUNDED: Asked =
    Asked { name: "grounded", families: "hand_object,temporal_grounding", scene: false, tokens: 96 };

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

/// Runs every arm with every seed and prints a line for each, with what was measured before and after.
pub(crate) fn run(folder: &Path, seeds: &[u64]) -> Result<()> {
    let program = std::env::current_exe()?.with_file_name("firsthand");
    ensure!(program.exists(), "{} is missing: run `make build` first", program.display());
    let folder = folder.join("policies");
    for arm in &ARMS {
        for part in ["learned", "held-out"] {
            ask(&program, &folder, arm.asked, part == "held-out")?;
        }
        for &seed in seeds {
            let output = folder.join(format!("{}-{seed}", arm.name));
            fs_err::create_dir_all(&output)?;
            let file = output.join("recipe.toml");
            fs_err::write(&file, recipe(arm, seed, &folder))?;
            let status = Command::new(&program).args(["train", "rl"]).arg(&file).status()?;
            ensure!(status.success(), "failed: firsthand train rl {}", file.display());
            let results: Value = serde_json::from_slice(&fs_err::read(output.join("run/results.json"))?)?;
            results["after"]["value"].as_f64().context("a finished run has a last measurement")?;
            let [before, after, change] = ["before", "after", "change"].map(|key| results[key].clone());
            let line =
                json!({ "arm": arm.name, "seed": seed, "change": change, "before": before, "after": after });
            crate::print(&line.to_string());
        }
    }
    Ok(())
}

/// Writes the questions of an arm, once.
fn ask(program: &Path, folder: &Path, asked: &Asked, held_out: bool) -> Result<()> {
    let (name, homes) = if held_out { ("held-out", "0..120") } else { ("learned", "100000..100120") };
    let folder = folder.join(format!("{}-{name}", asked.name));
    let mut command = Command::new(program);
    command.args(["world", "questions", "--seeds", homes, "--items", "8", "--questions", "3"]);
    command.args(["--families", asked.families]).arg("--out").arg(&folder);
    if held_out {
        command.arg("--held-out");
    }
    ensure!(command.status()?.success(), "failed: {command:?}");
    Ok(())
}

fn recipe(arm: &Arm, seed: u64, folder: &Path) -> String {
    let Arm { name, asked, plan, rewards } = arm;
    let run = folder.join(format!("{name}-{seed}/run"));
    let [learned, held_out] =
        ["learned", "held-out"].map(|part| folder.join(format!("{}-{part}/questions.jsonl", asked.name)));
    let (scene, tokens) = (asked.scene, asked.tokens);
    format!(
        "output = {run:?}\nseed = {seed}\n[model]\nstart = \"firsthand-tiny\"\ndtype = \"f32\"\n\
         [[source]]\nname = \"questions\"\nformat = \"world\"\npath = {learned:?}\nscene = {scene}\n\
         [[source]]\nname = \"held-out\"\nformat = \"world\"\npath = {held_out:?}\nscene = {scene}\n\
         [train]\nkind = \"rl\"\nsteps = 40\nbatch = 48\nlearning_rate = {{ language = 1e-4 }}\nclip = 1.0\nrecompute = false\n\
         [train.rl]\ngroup = 8\nmax_tokens = {tokens}\nparallel = 128\nheld_out = {{ source = \"held-out\" }}\n{plan}{rewards}\
         [save]\nevery = 20\ndtype = \"f32\"\n",
    )
}
