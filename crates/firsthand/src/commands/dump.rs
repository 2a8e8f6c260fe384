//! `dump`: everything the model consumed and computed for one conversation, as a safetensors file that anyone can
//! compare with the reference library's.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use firsthand_base::{Finish, ModelInput, Rendered, SamplingOptions, StopRules, VisionItem, VisionKind};
use firsthand_engine::{Engine, EngineOptions, Event};
use firsthand_model::{Model, ModelRunner};
use serde_json::{Map, Value};

use crate::atomic::AtomicFile;
use crate::failure::{Hint, failure};
use crate::options::media::DamagedFlag;
use crate::options::model::ModelFlags;
use crate::progress::{Progress, Unit};
use crate::reading;
use crate::session::{STEP_TOKENS, Session, largest_medium, opener};
use crate::tensors::{Declared, Kind, TensorWriter};

const EXAMPLES: &str = "\
Examples:
  firsthand dump --model ./checkpoint --messages messages.json --out ours.safetensors --dtype f32 --greedy 64

Messages are in the reference format:
  [{\"role\": \"user\", \"content\": [{\"type\": \"video\", \"video\": \"clip.mp4\", \"fps\": 1.0},
                                {\"type\": \"text\", \"text\": \"What happens?\"}]}]

Entries: input_ids [n], position_ids [3,n] (text-only checkpoints: [1,n]), pixel_values and image_grid_thw [k,3],
pixel_values_videos and video_grid_thw [k,3] (each only where there is such a medium), logits [n,vocab] f32,
generated_ids [N] with --greedy N. The metadata entry `manifest` says what made the file.";

/// Write ids, positions, pixels, grids and logits of a conversation to a safetensors file.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DumpOptions {
    /// The conversation, as JSON in the reference format.
    #[arg(long, value_name = "FILE")]
    messages: PathBuf,
    /// The file to write. It appears when it is whole.
    #[arg(long, value_name = "FILE.safetensors")]
    out: PathBuf,
    /// Also continue by the likeliest token N times; stop tokens and penalties have no effect.
    #[arg(long, value_name = "N")]
    greedy: Option<usize>,
    #[command(flatten)]
    damaged: DamagedFlag,
    #[command(flatten)]
    model: ModelFlags,
}

/// Renders, runs, writes.
pub(crate) fn run(options: &DumpOptions) -> Result<()> {
    let session = Session::open(&options.model, opener(false, options.damaged.value())?)?;
    let file = AtomicFile::create(&options.out)?;
    let text = reading::text(&options.messages)?;
    let conversation =
        firsthand_input::read_messages(&text).with_context(|| options.messages.display().to_string())?;
    let opening = Progress::working("opening media");
    let rendered = session.renderer.input(&conversation)?;
    drop(opening);
    let manifest = firsthand_input::manifest(&session.manifest, &rendered.prompt, &rendered.media, []);
    let new_tokens = options.greedy.unwrap_or(0);
    let context = session.renderer.context_length();
    let length = rendered.input.ids.len().saturating_add(new_tokens);
    if length > context {
        return Err(failure(
            format!("{length} tokens with the continuation, and the context holds {context}"),
            "use a smaller --greedy, fewer frames or fewer pixels",
        ));
    }
    let (_, runner) = session.load(length, largest_medium(&rendered.input))?;
    let step = EngineOptions { step_tokens: STEP_TOKENS, max_sequences: 1, ..EngineOptions::default() };
    let mut engine = Engine::new(runner, step)?;
    let generated = continue_greedily(&mut engine, &rendered.input, new_tokens)?;
    let metadata =
        Map::from_iter([("manifest".to_owned(), Value::String(serde_json::to_string(&manifest)?))]);
    write(file, &rendered, engine.runner().model(), options.greedy.map(|_| generated), metadata)
        .with_context(|| format!("cannot write {}", options.out.display()))?;
    writeln!(std::io::stdout(), "{}: {} tokens", options.out.display(), rendered.input.ids.len())?;
    Ok(())
}

/// The likeliest continuation, whatever it says.
fn continue_greedily(engine: &mut Engine<ModelRunner>, input: &ModelInput, count: usize) -> Result<Vec<u32>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let stop = StopRules { max_tokens: count, tokens: Vec::new(), strings: Vec::new() };
    engine.submit(input.clone(), &SamplingOptions::default(), &stop)?;
    let progress = Progress::new("continuing", count as u64, &Unit::Things("tokens"));
    let mut ids = Vec::with_capacity(count);
    while !engine.is_idle() {
        for event in engine.step() {
            match event {
                Event::Token { id, .. } => {
                    ids.push(id);
                    progress.add(1);
                }
                Event::Finished { finish: Finish::Length, .. } => {}
                Event::Finished { finish, .. } => bail!("the continuation ended early: {finish:?}"),
                Event::Failed { error, .. } => return Err(error.into()),
            }
        }
    }
    Ok(ids)
}

fn of_kind(input: &ModelInput, kind: VisionKind) -> Vec<&VisionItem> {
    input.vision.iter().filter(|item| item.kind == kind).collect()
}

fn write(
    file: AtomicFile,
    rendered: &Rendered,
    model: &Model,
    generated: Option<Vec<u32>>,
    metadata: Map<String, Value>,
) -> Result<()> {
    let input = &rendered.input;
    let n = input.ids.len();
    let axes = if model.tower.is_some() { 3 } else { 1 };
    let vocab = model.config.decoder().vocab_size;
    let media = [
        ("image_grid_thw", "pixel_values", of_kind(input, VisionKind::Image)),
        ("video_grid_thw", "pixel_values_videos", of_kind(input, VisionKind::Video)),
    ];
    let integers = |name, shape| Declared { name, kind: Kind::I64, shape };
    let floats = |name, shape| Declared { name, kind: Kind::F32, shape };
    let mut entries = vec![integers("input_ids", vec![n]), integers("position_ids", vec![axes, n])];
    if let Some(ids) = &generated {
        entries.push(integers("generated_ids", vec![ids.len()]));
    }
    let present = || media.iter().filter(|(_, _, items)| !items.is_empty());
    entries.extend(present().map(|(grid, _, items)| integers(grid, vec![items.len(), 3])));
    entries.extend(present().map(|(_, pixels, items)| {
        let patches: usize = items.iter().map(|item| item.patch_count()).sum();
        floats(pixels, vec![patches, items[0].patches.len() / items[0].patch_count()])
    }));
    entries.push(floats("logits", vec![n, vocab]));

    let mut writer = TensorWriter::start(file, &entries, metadata)?;
    writer.integers(input.ids.iter().map(|&id| i64::from(id)))?;
    for axis in 0..axes {
        writer.integers(input.positions.iter().map(|position| i64::from(position[axis])))?;
    }
    writer.integers(generated.into_iter().flatten().map(i64::from))?;
    for (_, _, items) in present() {
        writer.integers(items.iter().flat_map(|item| item.grid).map(|side| side as i64))?;
    }
    for (_, _, items) in present() {
        for item in items {
            let mut written = Ok(());
            item.patches.for_each_row(&mut |row| {
                if written.is_ok() {
                    written = writer.floats(row);
                }
            });
            written?;
        }
    }
    write_logits(&mut writer, model, input)?;
    writer.finish()
}

/// Row by row, so that the logits are in memory once.
fn write_logits(writer: &mut TensorWriter, model: &Model, input: &ModelInput) -> Result<()> {
    let _working = Progress::working("computing logits");
    let logits = model.logits(input)?;
    for row in 0..input.ids.len() {
        let values = logits.get(row)?.to_vec1::<f32>()?;
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            model.check_weights()?;
            return Err(anyhow::anyhow!("the logits of token {row} hold {value}"))
                .hint(|| "numbers grew too large for their type; try --dtype f32".to_owned());
        }
        writer.floats(&values)?;
    }
    Ok(())
}
