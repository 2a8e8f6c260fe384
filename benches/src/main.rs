//! Every speed figure of the README, each as a ratio to the reference library on the same input in the same run,
//! the two sides taking turns. It makes its own inputs under target/bench and ships with nothing.

mod days;
mod learning;
mod load;
mod ours;
mod policy;
mod prepare;
mod race;
mod steps;

use std::io::Write;

use anyhow::{Result, bail};
use prepare::{Bench, Shape};
use race::{Side, race};
use serde_json::json;

const USAGE: &str = "usage: cargo run --release -p firsthand-bench -- <case>... [--python PATH]

  frames   64 frames of a 10-minute 720p H.264 file to patches
  long     64 frames of an hour of 720p H.264 (3.4 GB, made once; it stays in target/bench) to patches, in fresh processes:
           seconds, the most memory, and bytes read
  first    process start to first token, small checkpoint and one picture
  f32      prefill and batch-1 decode, 0.5B shape, f32
  bf16     the same in bf16
  train    a step with AdamW of a model 256 wide and 8 layers deep on 16 x 256 tokens, in f32 and with bf16
           products against torch in f32, and the memory of each
  rl       a step of GRPO with a reference, 4 prompts with 8 samples of 96 tokens, the same model, against TRL's
           trainer on the CPU: seconds for each sample, and the memory of each
  policies GRPO, T-GRPO in both forms, dense spatial rewards and grounding on the built-in model over three seeds:
           held-out accuracy before and after (ours alone, hours; goes on where it stopped)
  packs    steps on many short sequences that share a vision prefix, in tokens a second (ours alone)
  seven    a 7B-shaped Qwen2.5-VL answers a 16-frame question in bf16 and q4_k (ours alone, 16 GB on disk)
  serve    16 clients that ask about text, a picture and a film, against the server and against the same checkpoint behind
           FastAPI and transformers: requests a second, times, errors, memory (`serve=60` for a minute each, default 20 s)
  serve-long
           64 clients that ask a server which lets 48 in, for ten minutes (`serve-long=60`: a minute): statuses, times, the
           server's memory in the first minute and the last (ours alone)
  memory   a memory of a million records with vectors answers, in milliseconds a question (ours alone, 2 GB on disk)
  all      every case but `long`, `policies`, `packs`, `seven`, `serve`, `serve-long` and `memory`

PATH is a Python with golden/requirements.txt and benches/requirements.txt installed; without it one is made in target/bench/python.";

fn main() -> Result<()> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "ours") {
        return ours::run(&words[1..]);
    }
    let python = match words.iter().position(|word| word == "--python") {
        Some(at) if at + 1 < words.len() => Some(words.drain(at..at + 2).nth(1).unwrap_or_default()),
        Some(_) => bail!("--python needs a path"),
        None => None,
    };
    if words.is_empty() {
        bail!("{USAGE}");
    }
    if words == ["all"] {
        words = ["frames", "first", "f32", "bf16", "train", "rl"].map(String::from).to_vec();
    }
    let bench = Bench::new(python)?;
    for case in &words {
        match case.as_str() {
            "frames" => frames(&bench)?,
            "long" => long(&bench)?,
            "first" => first(&bench)?,
            "f32" | "bf16" => model(&bench, case)?,
            "train" => train(&bench)?,
            "rl" => rl(&bench)?,
            "policies" => learning::run(bench.folder(), &[1, 2, 3])?,
            "serve" => load::race(&bench, 20)?,
            other if other.starts_with("serve=") => load::race(&bench, other[6..].parse()?)?,
            "serve-long" => print(&load::long(&bench, 600)?.to_string()),
            other if other.starts_with("serve-long=") => {
                print(&load::long(&bench, other[11..].parse()?)?.to_string());
            }
            "packs" => packs(&bench)?,
            "seven" => seven(&bench)?,
            "memory" => print(&days::run(bench.folder())?.to_string()),
            _ => bail!("unknown case: {case}\n{USAGE}"),
        }
    }
    Ok(())
}

fn frames(bench: &Bench) -> Result<()> {
    let model = bench.checkpoint(Shape::Tiny, "qwen2_5_vl", "f32")?;
    let video = bench.ten_minutes()?;
    let arguments = ["frames", &model, &video, "64"];
    race(
        "64 frames of 10 min 720p H.264 to patches",
        3,
        &["seconds"],
        Side::ours(&arguments)?,
        Side::peer(bench, &arguments),
    )
}

fn long(bench: &Bench) -> Result<()> {
    let model = bench.checkpoint(Shape::Tiny, "qwen2_5_vl", "f32")?;
    let video = bench.hour()?;
    let arguments = ["long", &model, &video, "64"];
    race(
        "64 frames of an hour of 720p H.264 to patches",
        3,
        &["seconds", "peak_mib", "read_mib"],
        Side::ours(&arguments)?,
        Side::peer(bench, &arguments),
    )
}

fn first(bench: &Bench) -> Result<()> {
    let model = bench.checkpoint(Shape::Tiny, "qwen2_5_vl", "f32")?;
    let messages = bench.messages()?;
    race(
        "process start to first token",
        5,
        &["process"],
        Side::product(&["dump", "--model", &model, "--messages", &messages, "--greedy", "1"])?,
        Side::peer(bench, &["first", &model, &messages]),
    )
}

fn model(bench: &Bench, dtype: &str) -> Result<()> {
    let model = bench.checkpoint(Shape::Half, "qwen2", dtype)?;
    let arguments = ["model", &model, dtype, "512", "48"];
    race(
        &format!("0.5B shape in {dtype}, 512-token prefill, decode of 48"),
        3,
        &["prefill", "decode"],
        Side::ours(&arguments)?,
        Side::peer(bench, &arguments),
    )
}

fn train(bench: &Bench) -> Result<()> {
    let model = bench.checkpoint(Shape::Train, "qwen2", "f32")?;
    for matmul in ["f32", "bf16"] {
        race(
            &format!("training step, d 256, 8 layers, 16 x 256 tokens, {matmul} products against torch f32"),
            3,
            &["step", "peak_mib"],
            Side::ours(&["train", &model, matmul, "5"])?,
            Side::peer(bench, &["train", &model, "f32", "5"]),
        )?;
    }
    Ok(())
}

fn rl(bench: &Bench) -> Result<()> {
    let model = bench.checkpoint(Shape::Train, "qwen2", "f32")?;
    let rows = bench.prompts()?;
    let [group, batch, tokens] = policy::SHAPE.map(|number| number.to_string());
    for matmul in ["f32", "bf16"] {
        race(
            &format!(
                "GRPO, {batch} prompts x {group} samples x {tokens} tokens, {matmul} products against TRL in f32"
            ),
            2,
            &["sample", "peak_mib"],
            Side::ours(&["rl", &model, &rows, matmul, "3"])?,
            Side::peer(bench, &["rl", &model, &rows, &group, &batch, &tokens, "3"]),
        )?;
    }
    Ok(())
}

fn packs(bench: &Bench) -> Result<()> {
    let model = bench.checkpoint(Shape::Embedded, "qwen2_5_vl", "f32")?;
    for matmul in ["f32", "bf16"] {
        let report = Side::ours(&["packs", &model, matmul])?.run()?;
        print(
            &json!({ "case": "short sequences, several for each clip", "matmul": matmul, "ours": report })
                .to_string(),
        );
    }
    Ok(())
}

fn seven(bench: &Bench) -> Result<()> {
    let model = bench.checkpoint(Shape::Seven, "qwen2_5_vl", "bf16")?;
    let video = bench.ten_minutes()?;
    for quantize in ["none", "q4_k"] {
        let side = Side::ours(&["seven", &model, &video, quantize])?;
        let report = side.run()?;
        print(&json!({ "case": "7B shape, 16 frames", "quantize": quantize, "ours": report }).to_string());
    }
    Ok(())
}

/// One line on standard output, flushed.
fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}
