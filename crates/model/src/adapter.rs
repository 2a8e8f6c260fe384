//! Low-rank adapters of a model: fresh ones, those of PEFT folders (`adapter_config.json` and
//! `adapter_model.safetensors`), merged or saved as such. What a folder asks for and is not done here is refused,
//! never left out.

use std::collections::BTreeMap;
use std::path::Path;

use firsthand_base::json as reader;
use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::error::{ModelError, Result};
use crate::layers::{Lora, Weight};
use crate::model::Model;
use crate::parameters::{Stored, write};
use crate::parts::{LORA_A, LORA_B, Parts};
use crate::weights::{Dtype, WeightFile, published, read_f32};

const CONFIG: &str = "adapter_config.json";
const TENSORS: &str = "adapter_model.safetensors";
/// What PEFT puts before the names of the model it wraps.
const PREFIX: &str = "base_model.model.";

/// Settings that do not change what an adapter computes, or whose effect is in its tensors.
const HARMLESS: [&str; 21] = [
    "auto_mapping",
    "base_model_name_or_path",
    "bias",
    "eva_config",
    "exclude_modules",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "lora_alpha",
    "lora_dropout",
    "megatron_config",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
];

/// The sizes of an adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterConfig {
    /// Rank of the update of each matrix.
    pub rank: usize,
    /// The update is multiplied with `alpha / rank`.
    pub alpha: f64,
    /// Names of the matrices that get one, or the last parts of their names.
    pub targets: Vec<String>,
    /// The share of inputs its authors dropped while they trained. It has no effect on answers, and training
    /// does not drop any: an adapter with another share than 0 is not trained further.
    pub dropout: f64,
}

/// Why a tensor of an adapter has no place.
fn unmatched(name: &str) -> String {
    let is_embedding = |part: &str| {
        part.starts_with("lora_embedding_") || ["embed_tokens", "lm_head", "patch_embed"].contains(&part)
    };
    if name.split('.').any(is_embedding) {
        return format!(
            "{name}: adapters of embeddings and of the output head are not supported; merge it into its checkpoint with peft \
             (merge_and_unload, save_pretrained) and name the result"
        );
    }
    format!("{name} has no matrix in this checkpoint to be added to; use the one it was made for")
}

impl AdapterConfig {
    /// An adapter of every matrix whose name ends in one of `targets`.
    pub fn new(rank: usize, alpha: f64, targets: &[&str]) -> AdapterConfig {
        let targets = targets.iter().map(|&target| target.to_owned()).collect();
        AdapterConfig { rank, alpha, targets, dropout: 0.0 }
    }

    /// Reads `adapter_config.json`.
    fn read(file: &Path) -> Result<AdapterConfig> {
        let refuse = |reason: String| ModelError::Config { file: file.to_owned(), reason };
        let bytes = fs_err::read(file)?;
        let fields: Map<String, Value> =
            reader::read(&bytes).map_err(|what| refuse(format!("not a JSON object: {what}")))?;
        check(&fields).map_err(refuse)?;
        let number = |name: &str| fields.get(name).and_then(Value::as_f64);
        let rank = fields.get("r").and_then(Value::as_u64).filter(|rank| (1..=4096).contains(rank));
        let rank = rank.ok_or_else(|| refuse("r must be a rank between 1 and 4096".into()))? as usize;
        let alpha = number("lora_alpha").ok_or_else(|| refuse("lora_alpha must be a number".into()))?;
        let targets = match fields.get("target_modules") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        Ok(AdapterConfig { rank, alpha, targets, dropout: number("lora_dropout").unwrap_or(0.0) })
    }

    fn takes(&self, key: &str) -> bool {
        let ends =
            |target: &String| key.strip_suffix(target.as_str()).is_some_and(|rest| rest.ends_with('.'));
        self.targets.iter().any(|target| key == target || ends(target))
    }

    fn scale(&self) -> f32 {
        (self.alpha / self.rank as f64) as f32
    }
}

/// Refuses settings that change what an adapter computes in a way this room does not follow.
fn check(fields: &Map<String, Value>) -> Result<(), String> {
    let is = |name: &str, expected: &str| match fields.get(name) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(text)) if text == expected => Ok(()),
        Some(other) => Err(format!("{name} is {other}; only {expected:?} is supported")),
    };
    is("peft_type", "LORA")?;
    is("bias", "none")?;
    if let Some(Value::String(start)) = fields.get("init_lora_weights")
        && !["gaussian", "eva", "orthogonal"].contains(&start.as_str())
    {
        return Err(format!(
            "init_lora_weights is {start:?}, which changes the weights under the adapter; convert it to a plain one with PEFT"
        ));
    }
    for (name, value) in fields.iter().filter(|(name, _)| !HARMLESS.contains(&name.as_str())) {
        let unused = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            Value::Number(number) => number.as_f64() == Some(0.0),
            _ => false,
        };
        if !unused {
            return Err(format!(
                "{name} is {value}, which is not supported; merge the adapter with PEFT first"
            ));
        }
    }
    Ok(())
}

impl Model {
    /// The adapter's sizes, where there is one.
    pub fn adapter(&self) -> Option<&AdapterConfig> {
        self.adapter.as_ref()
    }

    /// Puts a fresh adapter beside every target: `A` uniform as PEFT starts it, `B` zero, so that the model
    /// computes what it did. Its parameters are `<layer>.lora_A.weight` and `<layer>.lora_B.weight`.
    pub fn add_adapter(&mut self, config: &AdapterConfig, seed: u64) -> Result<()> {
        self.without_adapter()?;
        if config.rank == 0 || config.targets.is_empty() || !config.alpha.is_finite() {
            return Err(ModelError::Input(format!(
                "an adapter of rank {}, alpha {} and {} targets; all must be above 0",
                config.rank,
                config.alpha,
                config.targets.len()
            )));
        }
        let mut made = 0usize;
        let mut failed = None;
        self.visit_linears(&mut |named| {
            if !config.takes(&named.key) {
                return;
            }
            let (outputs, inputs, rank) = (named.layer.outputs(), named.layer.inputs(), config.rank);
            let a = uniform(seed, &named.key, rank * inputs, 1.0 / (inputs as f32).sqrt());
            match Lora::new(a, vec![0.0; outputs * rank], rank, outputs, inputs, config.scale()) {
                Ok(lora) => named.layer.set_lora(Some(lora)),
                Err(error) => return failed = Some(error),
            };
            made += 1;
        });
        if let Some(error) = failed {
            return Err(error.into());
        }
        if made == 0 {
            return Err(ModelError::Input(format!(
                "no matrix is called {:?}; names end as in q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, qkv",
                config.targets
            )));
        }
        self.adapter = Some(config.clone());
        Ok(())
    }

    /// Puts the adapter of a PEFT folder beside its targets.
    pub fn load_adapter(&mut self, folder: &Path) -> Result<()> {
        self.without_adapter()?;
        let config = AdapterConfig::read(&folder.join(CONFIG))?;
        let file = WeightFile::open(&folder.join(TENSORS))?;
        let mut tensors = read_tensors(&file)?;
        let mut found = Vec::new();
        let mut failed = None;
        self.visit_linears(&mut |named| {
            let name = published(&named.key);
            let Some(a) = tensors.remove(&format!("{name}{LORA_A}")) else { return };
            let b = tensors.remove(&format!("{name}{LORA_B}")).unwrap_or_default();
            let (outputs, inputs, rank) = (named.layer.outputs(), named.layer.inputs(), config.rank);
            if a.shape != [rank, inputs] || b.shape != [outputs, rank] {
                let expected = format!("{:?} and {:?}", [rank, inputs], [outputs, rank]);
                failed.get_or_insert(format!(
                    "the update of {name} is {:?} and {:?}, expected {expected}; use the checkpoint it was made for",
                    a.shape, b.shape
                ));
                return;
            }
            found.push((named.key.clone(), Lora::new(a.values, b.values, rank, outputs, inputs, config.scale())));
        });
        if failed.is_none() {
            failed = match tensors.keys().next() {
                Some(other) => Some(unmatched(other)),
                None if found.is_empty() => Some("it holds no update; save the adapter again".to_owned()),
                None => None,
            };
        }
        if let Some(reason) = failed {
            return Err(ModelError::Input(format!("{}: {reason}", file.path.display())));
        }
        let mut loras = BTreeMap::new();
        for (key, lora) in found {
            loras.insert(key, lora?);
        }
        self.visit_linears(&mut |named| {
            if let Some(lora) = loras.remove(&named.key) {
                named.layer.set_lora(Some(lora));
            }
        });
        self.adapter = Some(config);
        Ok(())
    }

    /// Writes the adapter as a PEFT folder; `base` is the checkpoint it belongs to, as PEFT should find it.
    pub fn save_adapter(&self, folder: &Path, base: &str) -> Result<()> {
        let Some(config) = &self.adapter else { return Err(none()) };
        fs_err::create_dir_all(folder)?;
        let (mut tensors, mut modules) = (Vec::new(), Vec::new());
        self.visit(&mut |name, held| {
            let key = name.to_string();
            if !key.ends_with(LORA_A) && !key.ends_with(LORA_B) {
                return;
            }
            let spelling = self.spelling_of_peft(&key);
            modules.extend(spelling.strip_suffix(LORA_A).map(str::to_owned));
            let shape = match held {
                crate::parts::Held::Matrix(_, shape) => shape.to_vec(),
                crate::parts::Held::Vector(tensor) => tensor.dims().to_vec(),
            };
            tensors.push((format!("{PREFIX}{spelling}"), Stored { held, shape, dtype: Dtype::F32 }));
        });
        write(&folder.join(TENSORS), tensors)?;
        let class = match self.config {
            Config::Qwen2(_) => ("Qwen2ForCausalLM", "qwen2.modeling_qwen2"),
            Config::Qwen2Vl(_) => ("Qwen2VLForConditionalGeneration", "qwen2_vl.modeling_qwen2_vl"),
            Config::Qwen2_5Vl(_) => ("Qwen2_5_VLForConditionalGeneration", "qwen2_5_vl.modeling_qwen2_5_vl"),
        };
        let fields = json!({
            "auto_mapping": {
                "base_model_class": class.0,
                "parent_library": format!("transformers.models.{}", class.1)
            },
            "base_model_name_or_path": base, "bias": "none", "fan_in_fan_out": false, "inference_mode": true,
            "init_lora_weights": true, "lora_alpha": config.alpha, "lora_dropout": config.dropout,
            "modules_to_save": null, "peft_type": "LORA", "r": config.rank, "target_modules": modules,
            "task_type": null, "use_dora": false, "use_rslora": false
        });
        crate::parameters::replace(&folder.join(CONFIG), format!("{fields:#}\n").as_bytes())
    }

    /// Runs `work` with the model as it is without its adapter.
    pub fn beneath_adapter<R>(&mut self, work: impl FnOnce(&Model) -> R) -> R {
        let mut taken = Vec::new();
        self.visit_linears(&mut |named| taken.push(named.layer.set_lora(None)));
        let config = self.adapter.take();
        let result = work(self);
        self.adapter = config;
        let mut taken = taken.into_iter();
        self.visit_linears(&mut |named| _ = named.layer.set_lora(taken.next().flatten()));
        result
    }

    /// Adds the adapter to the weights and takes it away: the model computes the same, up to rounding.
    pub fn merge(&mut self) -> Result<()> {
        if self.adapter.is_none() {
            return Err(none());
        }
        let mut quantised = None;
        self.visit_linears(&mut |named| {
            if named.layer.lora().is_some() && matches!(named.layer.weight(), Weight::Quantised(_)) {
                quantised = Some(named.key.clone());
            }
        });
        if let Some(key) = quantised {
            return Err(ModelError::Input(format!(
                "{key} is held quantised, which an adapter cannot be merged into; load the model without quantising"
            )));
        }
        self.visit_linears(&mut |named| {
            let Some(lora) = named.layer.set_lora(None) else { return };
            let update = lora.product();
            match named.layer.weight_mut() {
                Weight::F32(data) => data.to_mut().iter_mut().zip(&update).for_each(|(w, u)| *w += u),
                Weight::Bf16(data) => {
                    let sum = |(w, u): (&mut half::bf16, &f32)| *w = half::bf16::from_f32(w.to_f32() + u);
                    data.to_mut().iter_mut().zip(&update).for_each(sum);
                }
                Weight::Quantised(_) => unreachable!("refused above"),
            }
        });
        self.adapter = None;
        Ok(())
    }

    /// Refuses to train what training would change the meaning of.
    pub(crate) fn check_adapter(&self) -> Result<()> {
        match &self.adapter {
            Some(config) if config.dropout != 0.0 => Err(ModelError::Input(format!(
                "the adapter was trained with lora_dropout {}, training here drops nothing; set it to 0 in {CONFIG} to go on without",
                config.dropout
            ))),
            _ => Ok(()),
        }
    }

    fn without_adapter(&self) -> Result<()> {
        match self.adapter {
            None => Ok(()),
            Some(_) => Err(ModelError::Input("the model has an adapter already; merge it first".into())),
        }
    }

    /// A parameter's name in the model that PEFT wraps.
    fn spelling_of_peft(&self, key: &str) -> String {
        let name = published(key);
        match (&self.config, name.strip_prefix("model.")) {
            (Config::Qwen2(_), _) => name,
            (_, Some(rest)) => format!("model.language_model.{rest}"),
            (_, None) if name.starts_with("visual.") => format!("model.{name}"),
            (_, None) => name,
        }
    }
}

fn none() -> ModelError {
    ModelError::Input("the model has no adapter".into())
}

/// A tensor of an adapter file.
#[derive(Default)]
struct Read {
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// All tensors of an adapter file by published name.
fn read_tensors(file: &WeightFile) -> Result<BTreeMap<String, Read>> {
    let mut tensors = BTreeMap::new();
    for name in file.metadata.offset_keys() {
        let entry = file.entry(&name).expect("a listed tensor is there");
        let inner = name.strip_prefix(PREFIX).unwrap_or(&name);
        // Older versions of PEFT put the adapter's name into the tensor's.
        let inner = inner.replace(".lora_A.default.weight", LORA_A).replace(".lora_B.default.weight", LORA_B);
        let shape = entry.shape.clone();
        tensors.insert(published(&inner), Read { shape, values: read_f32(name, file, entry)? });
    }
    Ok(tensors)
}

/// Numbers in `-bound..bound` that depend on the seed and the name.
fn uniform(seed: u64, name: &str, count: usize, bound: f32) -> Vec<f32> {
    let mut state = name.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut next = || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = ((mixed ^ mixed >> 31) >> 40) as f32 / (1u64 << 24) as f32;
        (2.0 * unit - 1.0) * bound
    };
    (0..count).map(|_| next()).collect()
}
