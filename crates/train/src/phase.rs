//! One optimizer step of a phase: which parameters it trains, the loss and gradients of its batch, and the update.
//! The loop around steps is `run`'s; where rows come from is `data`'s.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use candle_core::Tensor;
use firsthand_base::{Digest, ModelInput};
use firsthand_input::Renderer;
use firsthand_model::layers::LossRow;
use firsthand_model::{Example, Model, Part, Precision, Training};

use crate::error::{Result, TrainError};
use crate::features::Features;
use crate::feed::Prepared;
use crate::optimizer::{Move, Optimizer, with_slice};
use crate::pack::pack;
use crate::recipe::{PhaseRecipe, Rates};
use crate::vision_words::{GROUPS, Pairs, VisionWords};

/// One parameter that a phase trains.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// Its checkpoint key.
    pub key: String,
    /// Its part.
    pub part: Part,
    /// Whether weight decay applies: to matrices, not to norms and biases.
    pub decays: bool,
    /// Whether the model rounds it, so that the optimizer holds a master.
    pub rounded: bool,
    /// Numbers in it.
    pub count: usize,
}

/// What a step computed, before the weights move.
pub struct Made {
    /// Mean cross-entropy over what was scored.
    pub loss: f64,
    /// By checkpoint key.
    pub gradients: BTreeMap<String, Tensor>,
    /// Tokens, vision ones included.
    pub tokens: u64,
    /// Scored tokens.
    pub scored: u64,
    /// Further numbers for the metrics.
    pub more: BTreeMap<String, f64>,
}

/// Rate of a part.
pub fn rate_of(rates: &Rates, part: Part) -> f64 {
    match part {
        Part::Vision => rates.vision,
        Part::Merger => rates.merger,
        Part::Language => rates.language,
    }
}

/// The parameters that a phase trains; only those of the adapter where there is one.
pub fn trained(model: &mut Model, phase: &PhaseRecipe, has_adapter: bool) -> Result<Vec<Trained>> {
    let rates = &phase.learning_rate;
    let refuse = |reason: String| Err(TrainError::Setup(format!("phase {:?}: {reason}", phase.name)));
    let (mut all, mut present) = (Vec::new(), BTreeSet::new());
    let parameters = model.parameters();
    if let Some(start) = phase
        .freeze
        .iter()
        .find(|start| !parameters.iter().any(|parameter| parameter.key.starts_with(*start)))
    {
        return refuse(format!(
            "freeze: no parameter's key begins with {start:?}; keys are those of the weight files"
        ));
    }
    for parameter in parameters {
        present.insert(parameter.part);
        let of_adapter = is_adapter(&parameter.key);
        let frozen = phase.freeze.iter().any(|start| parameter.key.starts_with(start));
        if rate_of(rates, parameter.part) == 0.0 || of_adapter != has_adapter || frozen {
            continue;
        }
        let key = parameter.key;
        // Whoever cannot be edited in place is rounded, or quantised and then not readable either.
        let rounded = model.edit(&key, &mut |_| Ok(())).is_err();
        if rounded {
            model.read(&key)?;
        }
        let count = parameter.shape.iter().product();
        all.push(Trained { key, part: parameter.part, decays: parameter.shape.len() > 1, rounded, count });
    }
    for (part, name) in [(Part::Vision, "vision"), (Part::Merger, "merger"), (Part::Language, "language")] {
        if rates.named && rate_of(rates, part) > 0.0 && !present.contains(&part) {
            return refuse(format!(
                "learning_rate.{name} is {}, but this checkpoint has no such part; set it to 0",
                rate_of(rates, part)
            ));
        }
    }
    if all.is_empty() {
        return refuse("nothing is left to train: no parameter of the parts that have a learning rate; check learning_rate and adapter.targets".into());
    }
    Ok(all)
}

/// Whether a key is an adapter's.
pub fn is_adapter(key: &str) -> bool {
    key.contains(".lora_A.") || key.contains(".lora_B.")
}

/// Moves every trained parameter. `factor` is the schedule's, `scale` the clipping's.
pub fn update(
    model: &mut Model,
    optimizer: &mut Optimizer,
    phase: &PhaseRecipe,
    trained: &[Trained],
    gradients: &BTreeMap<String, Tensor>,
    (factor, scale): (f64, f64),
) -> Result<()> {
    optimizer.begin_step();
    for parameter in trained {
        // A parameter that no row reached: a tower without a picture in the batch.
        let Some(gradient) = gradients.get(&parameter.key) else { continue };
        let rate = factor * rate_of(&phase.learning_rate, parameter.part);
        let how = Move { rate, decay: if parameter.decays { phase.weight_decay } else { 0.0 }, scale };
        let key = &parameter.key;
        with_slice(gradient, |gradient| -> Result<()> {
            if parameter.rounded {
                let master = optimizer.update_master(key, how, || Ok(model.read(key)?), gradient)?;
                model.set(key, master)?;
            } else {
                model.edit(key, &mut |weights| {
                    optimizer.update(key, how, weights, gradient);
                    Ok(())
                })?;
            }
            Ok(())
        })??;
    }
    Ok(())
}

/// How gradients are computed in a phase.
pub struct Passes<'a> {
    /// The phase.
    pub phase: &'a PhaseRecipe,
    /// Keys that are trained.
    pub wanted: &'a HashSet<String>,
    /// What products round to.
    pub precision: Precision,
}

impl Passes<'_> {
    /// Loss and gradients of prepared rows: the mean over all scored tokens of the step, in passes of at most
    /// `pass_tokens`.
    pub fn rows(&self, model: &Model, rows: &[Arc<Prepared>], known: Option<&mut Features>) -> Result<Made> {
        let scored: usize = rows.iter().map(|row| row.targets.len()).sum();
        let tokens: usize = rows.iter().map(|row| row.input.ids.len()).sum();
        if scored == 0 {
            return Ok(Made {
                loss: 0.0,
                gradients: BTreeMap::new(),
                tokens: tokens as u64,
                scored: 0,
                more: BTreeMap::new(),
            });
        }
        let features = match known {
            Some(known) => self.features(model, rows, known)?,
            None => HashMap::new(),
        };
        let find = |key: &Digest| features.get(key).cloned();
        let weight = 1.0 / scored as f32;
        let weighted: Vec<Vec<_>> = rows
            .iter()
            .map(|row| row.targets.iter().map(|target| LossRow { weight, ..*target }).collect())
            .collect();
        let wanted = |key: &str| self.wanted.contains(key);
        let training = Training {
            recompute: self.phase.recompute,
            features: (!features.is_empty()).then_some(&find),
            share_prefix: self.phase.questions.is_some(),
            matmul: self.precision,
            ..Training::new(&wanted)
        };
        let (mut loss, mut gradients) = (0.0, BTreeMap::new());
        let examples: Vec<Example<'_>> =
            rows.iter().zip(&weighted).map(|(row, targets)| Example { input: &row.input, targets }).collect();
        let inputs: Vec<&ModelInput> = rows.iter().map(|row| &row.input).collect();
        for pass in pack(&inputs, self.phase.pass_tokens, training.share_prefix) {
            loss += model.loss_and_gradients_into(&examples[pass], &training, &mut gradients)?.total;
        }
        Ok(Made { loss, gradients, tokens: tokens as u64, scored: scored as u64, more: BTreeMap::new() })
    }

    /// Features of every item of the rows, encoded where they are not known yet.
    fn features(
        &self,
        model: &Model,
        rows: &[Arc<Prepared>],
        known: &mut Features,
    ) -> Result<HashMap<Digest, Tensor>> {
        let mut found = HashMap::new();
        for item in rows.iter().flat_map(|row| &row.input.vision) {
            if found.contains_key(&item.key) {
                continue;
            }
            let features = match known.get(&item.key)? {
                Some(features) => features,
                None => {
                    let features = self.precision.scope(|| model.features(item))?;
                    known.keep(item.key, features.clone())?;
                    features
                }
            };
            found.insert(item.key, features);
        }
        Ok(found)
    }

    /// Loss and gradients of one batch of labelled frame pairs.
    pub fn pairs(
        &self,
        model: &Model,
        renderer: &Renderer,
        words: &VisionWords,
        pairs: &mut Pairs,
    ) -> Result<Made> {
        let batch = pairs.next_batch()?;
        let wanted = |key: &str| self.wanted.contains(key);
        let (outcome, gradients) =
            self.precision.scope(|| words.gradients(model, renderer, &batch, &wanted))?;
        let hits = GROUPS.iter().zip(&outcome.hits);
        let more = hits.filter_map(|(group, hit)| Some((format!("hits_{}", group.name), (*hit)?))).collect();
        let tokens = batch.labels.len() as u64;
        Ok(Made { loss: outcome.loss, gradients, tokens, scored: tokens, more })
    }
}
