//! Folders of a run: checkpoints in the published layout with the trainer's state beside, and the final model. A
//! folder is written under another name, made durable and renamed, so what carries its name is whole: a killed
//! process or a full disk costs the newest checkpoint, never an older one. What is in a model file is the model
//! room's business.

use std::collections::BTreeMap;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use firsthand_base::json;
use safetensors::tensor::Metadata;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Result, TrainError};
use crate::guard::Guard;
use crate::optimizer::{AdamW, Memory, Optimizer};
use crate::rl::Critic;

/// Changes when an older trainer's state cannot be continued from.
const VERSION: u32 = 1;
/// Folder of the final model.
const FINAL: &str = "final";
/// Folder of the model that was best at held-out questions.
const BEST: &str = "best";
/// Folder of the checkpoints.
const CHECKPOINTS: &str = "checkpoints";
/// File of a final model that says what made it.
const CARD: &str = "training.json";

/// Everything beside weights and moments that continuing needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    version: u32,
    /// Every setting that shapes the result, by name.
    pub recipe: BTreeMap<String, String>,
    /// Identifies the rows.
    pub data: String,
    /// Steps done over all phases.
    pub total_step: u64,
    /// Phase that comes next, from 0.
    pub phase: usize,
    /// Steps done in it.
    pub step: u64,
    /// Steps the optimizer took in it; skipped ones do not count.
    pub optimizer_steps: u64,
    /// The guard of the phase.
    pub guard: Guard,
    /// Steps skipped over all phases.
    pub skipped: u64,
    /// Tokens seen.
    pub tokens: u64,
    /// Seconds spent.
    pub seconds: f64,
    /// Batches of prompts drawn in it, where steps may draw several.
    #[serde(default)]
    pub draws: u64,
    /// The critic of its policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critic: Option<Critic>,
    /// Lengths of the metrics files, by name.
    pub metrics: BTreeMap<String, u64>,
}

impl State {
    /// A run that has not begun.
    pub fn new(recipe: BTreeMap<String, String>, data: String) -> State {
        State {
            version: VERSION,
            recipe,
            data,
            total_step: 0,
            phase: 0,
            step: 0,
            optimizer_steps: 0,
            guard: Guard::default(),
            skipped: 0,
            tokens: 0,
            seconds: 0.0,
            draws: 0,
            critic: None,
            metrics: BTreeMap::new(),
        }
    }

    /// Refuses to continue under other settings, naming the first that differs.
    pub fn check_same(&self, recipe: &BTreeMap<String, String>, data: &str, dir: &Path) -> Result<()> {
        let refuse = |reason: String| Err(TrainError::Checkpoint { dir: dir.to_owned(), reason });
        const REMEDY: &str = "undo the change, or name another output to start anew";
        let absent = "not given".to_owned();
        let keys = self.recipe.keys().chain(recipe.keys());
        for key in keys {
            let (then, now) = (self.recipe.get(key), recipe.get(key));
            if then != now {
                let (then, now) = (then.unwrap_or(&absent), now.unwrap_or(&absent));
                return refuse(format!("the recipe has changed: {key} was {then} and is {now}; {REMEDY}"));
            }
        }
        if self.data != data {
            return refuse(format!("the rows of the sources have changed since this checkpoint; {REMEDY}"));
        }
        Ok(())
    }
}

/// The output folder of one run.
pub struct Store {
    output: PathBuf,
    /// Held until the run ends; the system gives it back when the process dies.
    _lock: fs_err::File,
}

/// A whole checkpoint.
pub struct Saved {
    /// Its folder, in the published layout.
    pub dir: PathBuf,
    /// What the trainer knew.
    pub state: State,
}

impl Store {
    /// Makes the folder, keeps other runs out, and removes what a killed run left unfinished.
    pub fn open(output: &Path) -> Result<Store> {
        fs_err::create_dir_all(output.join(CHECKPOINTS))?;
        let lock =
            fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(output.join(".lock"))?;
        if let Err(std::fs::TryLockError::WouldBlock) = lock.file().try_lock() {
            let (dir, reason) =
                (output.to_owned(), "another run writes here; wait for it or name another output".into());
            return Err(TrainError::Checkpoint { dir, reason });
        }
        for folder in [output.to_owned(), output.join(CHECKPOINTS)] {
            for entry in fs_err::read_dir(&folder)? {
                let path = entry?.path();
                if path.extension().is_none_or(|end| end != "part") {
                    continue;
                }
                if path.is_dir() {
                    fs_err::remove_dir_all(path)?;
                } else {
                    fs_err::remove_file(path)?;
                }
            }
        }
        Ok(Store { output: output.to_owned(), _lock: lock })
    }

    /// Where the final model goes.
    pub fn final_dir(&self) -> PathBuf {
        self.output.join(FINAL)
    }

    /// The settings of the final model, if there is one.
    pub fn finished(&self) -> Result<Option<State>> {
        let path = self.final_dir().join(CARD);
        if !path.exists() {
            return Ok(None);
        }
        read_state(&path).map(Some)
    }

    /// The newest whole checkpoint.
    pub fn latest(&self) -> Result<Option<Saved>> {
        let Some((_, dir)) = self.steps()?.pop() else { return Ok(None) };
        let state = read_state(&dir.join("trainer/state.json"))?;
        Ok(Some(Saved { dir, state }))
    }

    /// Whole checkpoints by step, oldest first.
    fn steps(&self) -> Result<Vec<(u64, PathBuf)>> {
        let mut found = Vec::new();
        for entry in fs_err::read_dir(self.output.join(CHECKPOINTS))? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if let Some(step) = name.strip_prefix("step-").and_then(|step| step.parse().ok()) {
                found.push((step, path));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Writes a checkpoint and then removes the oldest beyond `keep`. `weights` writes the model's files into the
    /// folder it is given.
    pub fn write(
        &self,
        state: &State,
        optimizer: Option<&Optimizer>,
        keep: usize,
        weights: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let folder = self.output.join(CHECKPOINTS);
        let name = format!("step-{:06}", state.total_step);
        let dir = write_folder(&folder, &name, |dir| {
            weights(dir)?;
            let trainer = dir.join("trainer");
            fs_err::create_dir(&trainer)?;
            if let Some(optimizer) = optimizer {
                write_moments(&trainer.join("moments.safetensors"), optimizer)?;
            }
            write_json(&trainer.join("state.json"), state)
        })?;
        let steps = self.steps()?;
        for (_, old) in &steps[..steps.len().saturating_sub(keep)] {
            // First out of the way under a name that is removed at the next start, so that no half of it is met.
            let gone = old.with_extension("part");
            fs_err::rename(old, &gone)?;
            fs_err::remove_dir_all(gone)?;
        }
        Ok(dir)
    }

    /// Makes the checkpoint that a run from a new model starts from.
    pub fn write_start(&self, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        write_folder(&self.output, "start", fill).map(|_| ())
    }

    /// Writes the model that was best at held-out questions, over the one that was before; gives its folder.
    pub fn write_best(&self, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        write_folder(&self.output, BEST, fill)
    }

    /// Writes the model that a sampler is to take, over the one before.
    pub fn write_sampled(&self, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        write_folder(&self.output, "sampled", fill)
    }

    /// Folder of the model that was best at held-out questions.
    pub fn best_dir(&self) -> PathBuf {
        self.output.join(BEST)
    }

    /// Writes the final model.
    pub fn write_final(&self, state: &State, weights: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        write_folder(&self.output, FINAL, |dir| {
            weights(dir)?;
            write_json(&dir.join(CARD), state)
        })
    }
}

/// Fills a folder under another name and renames it when everything in it is on the disk.
pub(crate) fn write_folder(
    parent: &Path,
    name: &str,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let (draft, place) = (parent.join(format!(".{name}.part")), parent.join(name));
    let filled = (|| {
        if draft.exists() {
            fs_err::remove_dir_all(&draft)?;
        }
        fs_err::create_dir_all(&draft)?;
        fill(&draft)?;
        sync(&draft)?;
        if place.exists() {
            fs_err::remove_dir_all(&place)?;
        }
        fs_err::rename(&draft, &place)?;
        sync_dir(parent)
    })();
    match filled {
        Ok(()) => Ok(place),
        Err(error) => {
            // What is left would be removed at the next start as well.
            let _ = fs_err::remove_dir_all(&draft);
            let reason = format!(
                "the checkpoint could not be written: {error}; earlier ones are whole, make room and run the same command"
            );
            Err(TrainError::Checkpoint { dir: place, reason })
        }
    }
}

/// Makes every file below a folder, and the folder, durable.
fn sync(dir: &Path) -> Result<()> {
    for entry in fs_err::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync(&entry.path())?;
        } else {
            fs_err::File::open(entry.path())?.sync_all()?;
        }
    }
    sync_dir(dir)
}

fn sync_dir(dir: &Path) -> Result<()> {
    #[cfg(unix)]
    fs_err::File::open(dir)?.sync_all()?;
    Ok(())
}

/// Copies what a checkpoint has beside its weights: configuration, tokenizer, processors.
pub fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for entry in fs_err::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let kind = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
        let wanted = matches!(kind, "json" | "jinja" | "txt" | "model")
            && !name.ends_with(".index.json")
            && !name.starts_with('.')
            && !name.starts_with("adapter_")
            && name != CARD;
        // A hub cache holds links; their files are copied.
        if wanted && fs_err::metadata(&path)?.is_file() {
            fs_err::write(to.join(name), fs_err::read(&path)?)?;
        }
    }
    Ok(())
}

/// Says in config.json which number type the weights have, where it said one before.
pub fn set_dtype(dir: &Path, name: &str) -> Result<()> {
    let path = dir.join("config.json");
    let bytes = fs_err::read(&path)?;
    let damaged = |error: json::Fault| TrainError::Setup(format!("{}: {error}", path.display()));
    let mut config = json::without_odd(json::read(&bytes).map_err(damaged)?);
    if let Value::Object(config) = &mut config {
        for key in ["torch_dtype", "dtype"] {
            if let Some(value) = config.get_mut(key) {
                *value = name.into();
            }
        }
    }
    write_json(&path, &config)
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).expect("values made here are JSON");
    Ok(fs_err::write(path, text + "\n")?)
}

fn read_state(path: &Path) -> Result<State> {
    let refuse = |reason: String| TrainError::Checkpoint { dir: path.to_owned(), reason };
    let state: State = serde_json::from_str(&fs_err::read_to_string(path)?).map_err(|error| {
        refuse(format!("it cannot be read ({error}); remove this checkpoint to continue from an earlier one"))
    })?;
    if state.version != VERSION {
        return Err(refuse(format!(
            "version {} of the trainer's state, this program reads {VERSION}",
            state.version
        )));
    }
    Ok(state)
}

fn write_moments(path: &Path, optimizer: &Optimizer) -> Result<()> {
    let mut named: Vec<(String, &[f32])> = Vec::new();
    for (key, Memory { first, second, master }) in &optimizer.memory {
        for (kind, values) in [("first", Some(first)), ("second", Some(second)), ("master", master.as_ref())]
        {
            named.extend(values.map(|values| (format!("{kind}.{key}"), values.as_slice())));
        }
    }
    let mut writer = BufWriter::with_capacity(1 << 20, fs_err::File::create(path)?);
    write_safetensors(&mut writer, &named)?;
    writer.flush()?;
    Ok(())
}

/// A safetensors file of f32 vectors, converted piece by piece.
fn write_safetensors(writer: &mut impl Write, tensors: &[(String, &[f32])]) -> Result<()> {
    let (mut header, mut at) = (serde_json::Map::new(), 0);
    for (name, values) in tensors {
        let end = at + values.len() * 4;
        let entry = serde_json::json!({"dtype": "F32", "shape": [values.len()], "data_offsets": [at, end]});
        header.insert(name.clone(), entry);
        at = end;
    }
    let mut header = Value::Object(header).to_string();
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    writer.write_all(&(header.len() as u64).to_le_bytes())?;
    writer.write_all(header.as_bytes())?;
    for (_, values) in tensors {
        for piece in values.chunks(1 << 16) {
            let bytes: Vec<u8> = piece.iter().flat_map(|value| value.to_le_bytes()).collect();
            writer.write_all(&bytes)?;
        }
    }
    Ok(())
}

/// The optimizer as a checkpoint has it.
pub fn read_optimizer(saved: &Saved, settings: AdamW) -> Result<Optimizer> {
    let path = saved.dir.join("trainer/moments.safetensors");
    let mut optimizer = Optimizer::new(settings);
    optimizer.steps = saved.state.optimizer_steps;
    if !path.exists() {
        return Ok(optimizer);
    }
    let damaged = |what: &str| TrainError::Checkpoint {
        dir: path.clone(),
        reason: format!("{what}; remove this checkpoint to continue from an earlier one"),
    };
    let mut file = BufReader::with_capacity(1 << 20, fs_err::File::open(&path)?);
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > fs_err::metadata(&path)?.len() {
        return Err(damaged("its header is longer than the file"));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header)?;
    let metadata: Metadata = serde_json::from_slice(&header)
        .map_err(|error| damaged(&format!("its header cannot be read ({error})")))?;
    for name in metadata.offset_keys() {
        let info = metadata.info(&name).expect("the name comes from the header");
        let (kind, key) = name.split_once('.').ok_or_else(|| damaged("it names a tensor without a kind"))?;
        file.seek(SeekFrom::Start(8 + length + info.data_offsets.0 as u64))?;
        let mut values = vec![0f32; (info.data_offsets.1 - info.data_offsets.0) / 4];
        for piece in values.chunks_mut(1 << 16) {
            let mut bytes = vec![0; piece.len() * 4];
            file.read_exact(&mut bytes).map_err(|_| damaged("it is cut short"))?;
            for (value, b) in piece.iter_mut().zip(bytes.chunks_exact(4)) {
                *value = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            }
        }
        let memory = optimizer.memory.entry(key.to_owned()).or_default();
        match kind {
            "first" => memory.first = values,
            "second" => memory.second = values,
            "master" => memory.master = Some(values),
            _ => return Err(damaged("it names a tensor of an unknown kind")),
        }
    }
    Ok(optimizer)
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
