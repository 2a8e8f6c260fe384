//! A run from recipe to final model: opens everything before anything is trained, walks the phases step by step,
//! and writes checkpoints so that the same command continues where a killed process was, to the same bits.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firsthand_base::{Begun, Report};
use firsthand_input::Renderer;
use firsthand_media::Opener;
use firsthand_model::{AdapterConfig, Checkpoint, Dtype, LoadOptions, Model, Quantize};

use crate::checkpoint::{self, Saved, State, Store};
use crate::data::{self, BadRow, Dataset, Order, OrderOptions, SourceConfig};
use crate::error::{Result, TrainError};
use crate::example::{Asking, Shuffle};
use crate::journey::Journey;
use crate::left_out::{Found, LeftOut};
use crate::memory::MemoryPlan;
use crate::metrics::{Metrics, Record};
use crate::optimizer::Optimizer;
use crate::recipe::{DtypeRecipe, PhaseKind, QuantizeRecipe, Recipe};
use crate::rl::recipe::{Level, TemporalRecipe};
use crate::rl::tools::Episodes;
use crate::rl::{Environments, HeldOut, Results, RlRecipe, Sampler, Stage};
use crate::rows::{held_out_source, open_rows};

/// Whoever watches a run.
pub trait Watch {
    /// The run was checked and begins, at a step that is not 0 when it continues.
    fn begin(&mut self, outline: &Outline);
    /// Something a person should read.
    fn note(&mut self, line: &str);
    /// A step of reinforcement learning begins to do this, or a checkpoint is being written.
    fn stage(&mut self, _stage: Stage) {}
    /// A step is done.
    fn step(&mut self, record: &Record);
    /// A checkpoint was written.
    fn saved(&mut self, dir: &Path);
    /// Asked after every step: write a checkpoint and end?
    fn stop(&self) -> bool;
}

/// What a run will do.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Name and steps of each phase.
    pub phases: Vec<(String, u64)>,
    /// Name and usable rows of each source.
    pub sources: Vec<(String, usize)>,
    /// Rows that cannot be used.
    pub skipped: Vec<BadRow>,
    /// Memory; unknown before a new model is made.
    pub memory: Option<MemoryPlan>,
    /// Steps done before, by an earlier process.
    pub done: u64,
    /// Where weights come from.
    pub from: PathBuf,
}

impl Outline {
    /// Steps of all phases.
    pub fn steps(&self) -> u64 {
        self.phases.iter().map(|(_, steps)| steps).sum()
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The final model.
    pub dir: PathBuf,
    /// The last state.
    pub state: State,
    /// Whether an earlier process had finished it already.
    pub was_finished: bool,
    /// What its phases measured on held-out questions, by the name of the phase.
    pub results: Vec<(String, Results)>,
    /// Rows that were not used; `left-out.jsonl` of the run names them.
    pub left_out: usize,
}

/// Rows of a phase in their order.
pub(crate) type Data = (Arc<Dataset>, Order);

/// A run whose recipe and data were checked.
pub struct Run {
    pub(crate) recipe: Recipe,
    pub(crate) start: PathBuf,
    /// One for each phase; `None` where a phase draws its own data.
    pub(crate) data: Vec<Option<Data>>,
    settings: BTreeMap<String, String>,
    digest: String,
    opener: Arc<Opener>,
    /// Is told how far long work is.
    pub(crate) report: Arc<dyn Report>,
    /// Held-out questions, for each phase.
    pub(crate) held_out: Vec<Option<Arc<Dataset>>>,
    /// Samples for phases of reinforcement learning in place of the model in memory.
    pub(crate) sampler: Option<Arc<dyn Sampler>>,
    /// Whoever samples of a phase talk to, for each phase.
    environments: Vec<Option<Arc<dyn Environments>>>,
}

impl Run {
    /// Opens the data of a recipe and checks everything that can be checked without weights. `start` is the
    /// checkpoint directory that `recipe.model.start` names; it is not looked at for a new model. `report` is told how
    /// far long work is, here and in the run.
    pub fn open(
        mut recipe: Recipe,
        start: Option<PathBuf>,
        opener: Arc<Opener>,
        report: Arc<dyn Report>,
    ) -> Result<Run> {
        let settings = recipe.settings();
        for source in &mut recipe.sources {
            if let Some(wanted) = source.make.take() {
                let folder = recipe.output.join("data").join(&source.name);
                let made = data::make_questions(&wanted, &folder, &*report);
                source.path =
                    made.map_err(|error| TrainError::Data(format!("source {}: {error}", source.name)))?;
            }
        }
        let mut data: Vec<Option<Data>> = Vec::new();
        let mut opened: Vec<(Vec<SourceConfig>, Arc<Dataset>)> = Vec::new();
        for phase in &recipe.phases {
            if phase.kind == PhaseKind::VisionWords {
                data.push(None);
                continue;
            }
            let sources = recipe.sources_of(phase);
            let known = opened.iter().find(|(of, _)| *of == sources).map(|(_, dataset)| dataset.clone());
            let dataset = match known {
                Some(dataset) => dataset,
                None => {
                    let dataset = open_rows(&sources, &*report)?;
                    opened.push((sources, dataset.clone()));
                    dataset
                }
            };
            let options = OrderOptions { seed: recipe.seed, group_by_media: phase.questions };
            let order = Order::new(&dataset, &options).map_err(data_error)?;
            data.push(Some((dataset, order)));
        }
        let held_out = recipe.phases.iter().map(|phase| {
            let wanted = phase.rl.as_ref().and_then(|rl| rl.held_out.as_ref());
            wanted.map(|wanted| open_rows(&[held_out_source(&recipe, wanted)], &*report)).transpose()
        });
        let held_out = held_out.collect::<Result<_>>()?;
        let digests: Vec<String> = opened.iter().map(|(_, dataset)| dataset.digest().to_hex()).collect();
        let start = start.unwrap_or_else(|| recipe.output.join("start"));
        let mut environments = Vec::new();
        for phase in &recipe.phases {
            let tools = phase.rl.as_ref().and_then(|rl| rl.tools.as_ref());
            let open = |tools| Episodes::open(tools).map_err(TrainError::Setup);
            let opened = tools.map(open).transpose()?;
            environments.push(opened.map(|episodes| Arc::new(episodes) as Arc<dyn Environments>));
        }
        let digest = digests.join(" ");
        let run = Run {
            recipe,
            start,
            data,
            settings,
            digest,
            opener,
            report,
            held_out,
            sampler: None,
            environments,
        };
        run.refuse(&run.skipped())?;
        Ok(run)
    }

    /// Has samples of phases of reinforcement learning come from elsewhere. Their bits then depend on who gives them.
    #[must_use]
    pub fn sampled_by(self, sampler: Arc<dyn Sampler>) -> Run {
        Run { sampler: Some(sampler), ..self }
    }

    /// Has samples of phases with tools talk to these environments instead of those the recipe names.
    #[must_use]
    pub fn talking_to(mut self, environments: Arc<dyn Environments>) -> Run {
        self.environments.iter_mut().flatten().for_each(|own| own.clone_from(&environments));
        self
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Steps of a phase.
    pub(crate) fn steps(&self, at: usize) -> u64 {
        let phase = &self.recipe.phases[at];
        match (phase.steps, phase.epochs, &self.data[at]) {
            (Some(steps), _, _) => steps,
            (None, Some(epochs), Some((_, order))) => {
                let items = epochs * order.epoch_items() as f64;
                ((items / phase.step_items() as f64).ceil() as u64).max(1)
            }
            _ => unreachable!("the recipe was checked: a phase has steps, or epochs of rows"),
        }
    }

    /// What the run will do, without doing any of it.
    pub fn outline(&self, done: u64, from: &Path) -> Result<Outline> {
        let mut sources: Vec<(String, usize)> = Vec::new();
        for dataset in self.datasets() {
            for (name, rows) in dataset.sources() {
                if !sources.iter().any(|(known, _)| known == name) {
                    sources.push((name.to_owned(), rows));
                }
            }
        }
        let skipped = self.skipped();
        let memory = match (done, &self.recipe.model.new) {
            // Not made yet.
            (0, Some(_)) if !from.exists() => None,
            _ => Some(MemoryPlan::new(&Checkpoint::open(from)?, &self.recipe, &self.load_options())),
        };
        let phases = self.recipe.phases.iter().enumerate();
        let phases = phases.map(|(at, phase)| (phase.name.clone(), self.steps(at))).collect();
        Ok(Outline { phases, sources, skipped, memory, done, from: from.to_owned() })
    }

    /// Says what [`Run::train`] would do, and does none of it.
    pub fn rehearse(&self) -> Result<Outline> {
        let mut outline = self.outline(0, &self.start)?;
        outline.memory.map_or(Ok(()), |memory| memory.check())?;
        if self.start.exists() {
            outline.skipped.extend(self.check_prompts(&self.renderer()?)?);
        }
        Ok(outline)
    }

    /// Trains to the end, from the newest checkpoint where there is one.
    pub fn train(&self, watch: &mut dyn Watch) -> Result<Outcome> {
        let recipe = &self.recipe;
        // Before anything is written; a new model is not made yet.
        let mut long = match self.start.exists() {
            true => self.check_prompts(&self.renderer()?)?,
            false => Vec::new(),
        };
        let store = Store::open(&recipe.output)?;
        if let Some(state) = store.finished()? {
            state.check_same(&self.settings, &self.digest, &store.final_dir())?;
            let results = self.results()?;
            let left_out = LeftOut::open(&recipe.output, true)?.count();
            return Ok(Outcome { dir: store.final_dir(), state, was_finished: true, results, left_out });
        }
        let saved = store.latest()?;
        if let Some(Saved { dir, state }) = &saved {
            state.check_same(&self.settings, &self.digest, dir)?;
        }
        self.make_start(&store)?;
        // A checkpoint of an adapter run holds the adapter only.
        let from = match &saved {
            Some(saved) if recipe.adapter.is_none() => &saved.dir,
            _ => &self.start,
        };
        let outline = self.outline(saved.as_ref().map_or(0, |saved| saved.state.total_step), from)?;
        let memory = outline.memory.expect("the checkpoint is there by now");
        memory.check()?;
        watch.begin(&outline);
        let renderer = Arc::new(self.renderer()?);
        if recipe.model.new.is_some() {
            long = self.check_prompts(&renderer)?;
        }
        let mut left_out = LeftOut::open(&recipe.output, saved.is_some())?;
        for bad in outline.skipped.iter().chain(&long) {
            left_out.add(bad, Found::Reading)?;
        }
        let loading = Begun::working(&*self.report, "loading the checkpoint");
        let mut model = Model::load(from, &self.load_options())?;
        self.put_adapter(&mut model, saved.as_ref())?;
        drop(loading);
        let fresh = || State::new(self.settings.clone(), self.digest.clone());
        let state = saved.as_ref().map_or_else(fresh, |saved| saved.state.clone());
        let metrics = Metrics::open(&recipe.output, &state.metrics, recipe.log.tensorboard)?;
        let mut journey = Journey {
            run: self,
            store: &store,
            watch,
            metrics,
            state,
            features_bytes: memory.features,
            left_out,
            told: HashSet::new(),
        };
        while let Some(phase) = recipe.phases.get(journey.state.phase) {
            let optimizer = match &saved {
                Some(saved) if saved.state.phase == journey.state.phase => {
                    checkpoint::read_optimizer(saved, phase.adam_w())?
                }
                _ => Optimizer::new(phase.adam_w()),
            };
            journey.phase(phase, &mut model, &renderer, optimizer)?;
        }
        let Journey { state, left_out, .. } = journey;
        let _writing = Begun::working(&*self.report, "writing the model");
        let dir = store.write_final(&state, |dir| self.write_model(&model, dir, recipe.save.dtype))?;
        let left_out = left_out.count();
        Ok(Outcome { dir, state, was_finished: false, results: self.results()?, left_out })
    }

    /// What the phases measured on held-out questions, by the name of the phase.
    fn results(&self) -> Result<Vec<(String, Results)>> {
        let mut all = Vec::new();
        for phase in &self.recipe.phases {
            let Some(recipe) = phase.rl.as_ref().and_then(|rl| rl.held_out.as_ref()) else { continue };
            let path = recipe.path(&self.recipe.output);
            if path.exists() {
                all.push((phase.name.clone(), Results::read(&path)?));
            }
        }
        Ok(all)
    }

    fn renderer(&self) -> Result<Renderer> {
        Ok(Renderer::open(&self.start, self.recipe.render_options(), self.opener.clone())?)
    }

    fn load_options(&self) -> LoadOptions {
        let quantize = self.recipe.model.quantize.map(|format| match format {
            QuantizeRecipe::Q8_0 => Quantize::Q8_0,
            QuantizeRecipe::Q4K => Quantize::Q4K,
        });
        LoadOptions { dtype: dtype(self.recipe.model.dtype), quantize, ..LoadOptions::default() }
    }

    /// The adapter of a checkpoint, that of the recipe, or a fresh one, where the recipe wants one at all.
    fn put_adapter(&self, model: &mut Model, saved: Option<&Saved>) -> Result<()> {
        let Some(adapter) = &self.recipe.adapter else { return Ok(()) };
        match (saved, &adapter.start) {
            (Some(saved), _) => model.load_adapter(&saved.dir)?,
            (None, Some(start)) => model.load_adapter(start)?,
            (None, None) => {
                let targets: Vec<&str> = adapter.targets.iter().map(String::as_str).collect();
                let config = AdapterConfig::new(adapter.rank, adapter.alpha, &targets);
                model.add_adapter(&config, self.recipe.seed)?;
            }
        }
        Ok(())
    }

    /// The checkpoint the run starts from, where a phase counts the distance to it. An adapter's is under it.
    pub(crate) fn reference(&self, rl: &RlRecipe) -> Result<Option<Model>> {
        if rl.kl.weight == 0.0 || self.recipe.adapter.is_some() {
            return Ok(None);
        }
        let _loading = Begun::working(&*self.report, "loading the reference");
        Ok(Some(Model::load(&self.start, &self.load_options())?))
    }

    /// The held-out questions of a phase, with what is known of them at a step.
    pub(crate) fn held_out(&self, phase: usize, renderer: &Renderer, step: u64) -> Result<Option<HeldOut>> {
        let Some(rl) = &self.recipe.phases[phase].rl else { return Ok(None) };
        let Some(recipe) = &rl.held_out else { return Ok(None) };
        let asking = Asking { shuffle: None, ..self.asking(phase, renderer)? };
        let path = recipe.path(&self.recipe.output);
        let dataset = self.held_out[phase].clone().expect("its questions were opened");
        HeldOut::open(dataset, asking, path, recipe.right_from, step).map(Some)
    }

    /// How the prompts of a phase are made.
    pub(crate) fn asking(&self, phase: usize, renderer: &Renderer) -> Result<Asking> {
        let Some(rl) = &self.recipe.phases[phase].rl else { return Ok(Asking::default()) };
        let refuse =
            |reason| TrainError::Setup(format!("phase {:?}: {reason}", self.recipe.phases[phase].name));
        let of = |temporal: &TemporalRecipe| Shuffle {
            seed: self.recipe.seed,
            pairs: temporal.level == Level::Patch,
        };
        Ok(Asking {
            shuffle: rl.temporal.as_ref().map(of),
            environments: self.environments[phase].clone(),
            most_tokens: rl.most_prompt(renderer.context_length()).map_err(refuse)?,
        })
    }

    /// The files of a checkpoint in the published layout, or of an adapter in PEFT's.
    pub(crate) fn write_model(&self, model: &Model, dir: &Path, as_type: DtypeRecipe) -> Result<()> {
        if model.adapter().is_some() {
            let base = self.recipe.model.start.clone().unwrap_or_else(|| self.start.display().to_string());
            return Ok(model.save_adapter(dir, &base)?);
        }
        checkpoint::copy_files(&self.start, dir)?;
        model.save_weights(&dir.join("model.safetensors"), dtype(as_type))?;
        let stored = match as_type {
            DtypeRecipe::Auto => self.recipe.model.dtype,
            other => other,
        };
        match stored {
            DtypeRecipe::Auto => Ok(()),
            DtypeRecipe::F32 => checkpoint::set_dtype(dir, "float32"),
            DtypeRecipe::Bf16 => checkpoint::set_dtype(dir, "bfloat16"),
        }
    }

    /// Makes the checkpoint of a recipe that starts from a new model, unless an earlier process did.
    fn make_start(&self, store: &Store) -> Result<()> {
        let Some(new) = &self.recipe.model.new else { return Ok(()) };
        if self.start.exists() {
            return Ok(());
        }
        let words = self.words()?;
        store.write_start(|dir| new.create(dir, &words).map_err(|error| TrainError::Setup(error.to_string())))
    }
}

fn dtype(recipe: DtypeRecipe) -> Dtype {
    match recipe {
        DtypeRecipe::Auto => Dtype::Auto,
        DtypeRecipe::F32 => Dtype::F32,
        DtypeRecipe::Bf16 => Dtype::Bf16,
    }
}

pub(crate) fn data_error(error: crate::data::Error) -> TrainError {
    TrainError::Data(error.to_string())
}
