//! Our half of the cases that time something inside a process. Prints one JSON line of seconds, as peer.py does,
//! after the same warm-up.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use firsthand_base::{Conversation, Part, PixelLimits, Sampling, SamplingOptions, Span, StopRules};
use firsthand_base::{VideoPart, VideoSource};
use firsthand_engine::{EngineOptions, Local, Row, Runner};
use firsthand_input::{RenderOptions, Renderer};
use firsthand_media::{Opener, OpenerOptions};
use firsthand_model::layers::CacheType;
use firsthand_model::{CacheOptions, Checkpoint, Dtype, LoadOptions, Model, ModelRunner, Quantize};
use serde_json::json;

use crate::{policy, steps};

pub(crate) fn run(words: &[String]) -> Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let report = match words.as_slice() {
        ["frames", model, video, count] => frames(model, video, count.parse()?)?,
        ["long", model, video, count] => long(model, video, count.parse()?)?,
        ["model", model, dtype, prompt, new] => decode(model, dtype, prompt.parse()?, new.parse()?)?,
        ["train", model, matmul, count] => steps::train(model, matmul, count.parse()?)?,
        ["rl", model, rows, matmul, count] => policy::rl(model, rows, matmul, count.parse()?)?,
        ["packs", model, matmul] => steps::packs(model, matmul)?,
        ["seven", model, video, quantize] => seven(model, video, quantize)?,
        _ => bail!("ours: unknown case: {words:?}"),
    };
    crate::print(&report.to_string());
    Ok(())
}

fn conversation(video: &str, sampling: Sampling, limits: PixelLimits, question: &str) -> Conversation {
    let part = VideoPart {
        source: VideoSource::File(video.to_owned()),
        sampling,
        span: Span::default(),
        limits,
        sample_fps: None,
        damaged: firsthand_base::Damaged::Refuse,
    };
    Conversation::user(vec![Part::Video(part), Part::Text(question.to_owned())])
}

/// Video file to model input. The decode cache is off: every repetition decodes.
fn frames(model: &str, video: &str, count: usize) -> Result<serde_json::Value> {
    let opener = Opener::new(OpenerOptions { keep_bytes: 0, threads: 2, ..OpenerOptions::default() });
    let renderer = Renderer::open(Path::new(model), RenderOptions::default(), opener)?;
    let question = conversation(video, Sampling::Frames(count), PixelLimits::default(), "What happens?");
    let mut seconds = Vec::new();
    for _ in 0..4 {
        let start = Instant::now();
        let rendered = renderer.input(&question)?;
        seconds.push(start.elapsed().as_secs_f64());
        anyhow::ensure!(rendered.input.vision.len() == 1, "one video expected");
    }
    Ok(json!({ "seconds": seconds[1..] }))
}

/// The same once in a fresh process, with the most memory that it held and the bytes that it read.
fn long(model: &str, video: &str, count: usize) -> Result<serde_json::Value> {
    let opener = Opener::new(OpenerOptions { threads: 2, ..OpenerOptions::default() });
    let renderer = Renderer::open(Path::new(model), RenderOptions::default(), opener)?;
    let question = conversation(video, Sampling::Frames(count), PixelLimits::default(), "What happens?");
    let (before, start) = (bytes_read()?, Instant::now());
    let rendered = renderer.input(&question)?;
    let seconds = start.elapsed().as_secs_f64();
    anyhow::ensure!(rendered.input.vision.len() == 1, "one video expected");
    let mib = (bytes_read()? - before) as f64 / f64::from(1 << 20);
    Ok(json!({ "seconds": [seconds], "peak_mib": [peak_gib()? * 1024.0], "read_mib": [mib] }))
}

/// Bytes that this process has asked the system to read.
fn bytes_read() -> Result<u64> {
    let io = fs_err::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("rchar:")).context("no rchar line")?;
    Ok(line.trim().parse()?)
}

/// Prefill of a fixed prompt, then greedy tokens one at a time, batch 1.
fn decode(model: &str, dtype: &str, prompt: usize, new: usize) -> Result<serde_json::Value> {
    let dtype = if dtype == "bf16" { Dtype::Bf16 } else { Dtype::F32 };
    let model = Model::load(Path::new(model), &LoadOptions { dtype, ..LoadOptions::default() })?;
    let options = CacheOptions { block_tokens: 32, tokens: prompt + new + 32, kind: CacheType::F32 };
    let mut runner = ModelRunner::new(model, options);
    let blocks: Vec<u32> = (0..runner.limits().blocks as u32).collect();
    let block_tokens = runner.limits().block_tokens;
    let mut step = |ids: &[u32], start: usize| -> Result<u32> {
        let positions: Vec<_> = (start..start + ids.len()).map(|at| [at as i32; 3]).collect();
        let used = (start + ids.len()).div_ceil(block_tokens);
        let row = Row {
            tokens: ids,
            positions: &positions,
            start,
            blocks: &blocks[..used],
            vision: Vec::new(),
            logits: true,
        };
        let logits = runner.forward(&[row])?.remove(0).context("logits were asked for")?;
        let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).context("a vocabulary")?;
        Ok(best.0 as u32)
    };
    let ids: Vec<u32> = (0..prompt as u32).map(|at| at * 7 % 1000 + 5).collect();
    let (mut prefill, mut decode) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let start = Instant::now();
        let mut token = step(&ids, 0)?;
        prefill.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        for at in 0..new {
            token = step(&[token], prompt + at)?;
        }
        decode.push(start.elapsed().as_secs_f64() / new as f64);
    }
    Ok(json!({ "prefill": prefill[1..], "decode": decode[1..] }))
}

/// A 7B-shaped checkpoint answers a question about 16 frames, through the whole program.
fn seven(model: &str, video: &str, quantize: &str) -> Result<serde_json::Value> {
    let quantize = (quantize == "q4_k").then_some(Quantize::Q4K);
    let start = Instant::now();
    let options = LoadOptions { dtype: Dtype::Bf16, quantize, ..LoadOptions::default() };
    let weights = Checkpoint::open(Path::new(model))?.load(&options)?;
    let load_s = start.elapsed().as_secs_f64();
    let cache = CacheOptions { block_tokens: 32, tokens: 4096, kind: CacheType::Bf16 };
    let renderer = Renderer::open(Path::new(model), RenderOptions::default(), Opener::default())?;
    let mut local = Local::new(ModelRunner::new(weights, cache), renderer, EngineOptions::default())?;
    let limits = PixelLimits { max_pixels: Some(128 * 28 * 28), ..PixelLimits::default() };
    let question = conversation(video, Sampling::Frames(16), limits, "What happens in this video?");
    let stop = StopRules { max_tokens: 16, ..StopRules::default() };
    let answer = local.answer(&question, &SamplingOptions::default(), &stop, &mut |_| true)?;
    let (timing, new) = (answer.timing, answer.generation.ids.len());
    Ok(json!({
        "load_s": load_s,
        "render_s": timing.render.as_secs_f64(),
        "encode_s": timing.encode.as_secs_f64(),
        "prompt_tokens": answer.generation.prompt_tokens,
        "prefill_tokens_per_s": answer.generation.prompt_tokens as f64 / timing.prefill.as_secs_f64(),
        "decode_tokens_per_s": (new.max(2) - 1) as f64 / timing.decode.as_secs_f64(),
        "peak_gib": peak_gib()?,
    }))
}

/// The most memory this process has held, mapped weights included.
pub(crate) fn peak_gib() -> Result<f64> {
    let status = fs_err::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM line")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0 / 1024.0)
}
