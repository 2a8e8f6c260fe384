//! What this room needs from a checkpoint's config.json and generation_config.json: which family it is, its
//! placeholder tokens, patch geometry, context length and generation defaults. Both published layouts are read:
//! text fields at the top, or under `text_config`. Weights and layer shapes are the model room's business.

use std::path::Path;

use firsthand_base::{SamplingOptions, StopRules};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::json::{JsonFile, brief, integral};

/// Reference default of `max_position_embeddings` for all three families.
const DEFAULT_CONTEXT: usize = 32_768;
/// Reference default of `tokens_per_second`; published Qwen2.5-VL checkpoints say 2.
const DEFAULT_TOKENS_PER_SECOND: f64 = 4.0;
/// Reference defaults of the placeholder tokens.
const DEFAULT_IMAGE_TOKEN: u32 = 151_655;
const DEFAULT_VIDEO_TOKEN: u32 = 151_656;

/// The model families whose prompts this room can build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Qwen2 and Qwen2.5, text only.
    Qwen2,
    /// Qwen2-VL: the temporal position of a video counts frame pairs.
    Qwen2Vl,
    /// Qwen2.5-VL: the temporal position of a video counts time.
    Qwen25Vl,
}

/// How the vision tower cuts pictures, and the tokens that stand for them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VisionConfig {
    pub(crate) patch: usize,
    pub(crate) temporal_patch: usize,
    pub(crate) merge: usize,
    pub(crate) image_token: u32,
    pub(crate) video_token: u32,
    /// Temporal positions per second of video; only Qwen2.5-VL has them.
    pub(crate) tokens_per_second: Option<f64>,
}

/// The parts of config.json that shape a prompt.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) family: Family,
    pub(crate) context_length: usize,
    pub(crate) vision: Option<VisionConfig>,
    file: JsonFile,
}

impl Config {
    pub(crate) fn open(dir: &Path) -> Result<Config> {
        let missing = || {
            let what = "no such file; give the folder of a checkpoint (config.json, tokenizer.json, weights)";
            Error::checkpoint(&dir.join("config.json"), what)
        };
        let file = JsonFile::open(dir, "config.json")?.ok_or_else(missing)?;
        let family = match file.text("model_type")? {
            Some("qwen2") => Family::Qwen2,
            Some("qwen2_vl") => Family::Qwen2Vl,
            Some("qwen2_5_vl") => Family::Qwen25Vl,
            _ => {
                return Err(
                    file.wrong("model_type", "qwen2, qwen2_vl or qwen2_5_vl (others are not supported)")
                );
            }
        };
        let nested = file.section("text_config");
        let declared = match &nested {
            Some(text) if text.get("max_position_embeddings").is_some() => {
                text.integer("max_position_embeddings")?
            }
            _ => file.integer("max_position_embeddings")?,
        };
        let context_length = declared.unwrap_or(DEFAULT_CONTEXT);
        if context_length == 0 {
            return Err(file.wrong("max_position_embeddings", "at least 1"));
        }
        let vision = match family {
            Family::Qwen2 => None,
            Family::Qwen2Vl | Family::Qwen25Vl => Some(VisionConfig::read(&file, family)?),
        };
        Ok(Config { family, context_length, vision, file })
    }

    /// `eos_token_id` of config.json, wherever the layout puts it.
    fn stop_tokens(&self) -> Result<Vec<u32>> {
        let top = token_ids(&self.file, "eos_token_id")?;
        match self.file.section("text_config") {
            Some(text) if top.is_empty() => token_ids(&text, "eos_token_id"),
            _ => Ok(top),
        }
    }
}

impl VisionConfig {
    fn read(file: &JsonFile, family: Family) -> Result<VisionConfig> {
        let empty = JsonFile { path: file.path.clone(), value: Value::Object(Default::default()) };
        let vision = file.section("vision_config").unwrap_or(empty);
        let size = |key: &str, default: usize| -> Result<usize> {
            let value = vision.integer(key)?.unwrap_or(default);
            // 1024 is far beyond any patch and keeps products of these small.
            (1..=1024).contains(&value).then_some(value).ok_or_else(|| vision.wrong(key, "1 to 1024"))
        };
        let token = |key: &str, default: u32| -> Result<u32> {
            Ok(file.integer(key)?.map_or(default, |id| id as u32))
        };
        let tokens_per_second = match family {
            Family::Qwen25Vl => {
                let rate = vision.number("tokens_per_second")?.unwrap_or(DEFAULT_TOKENS_PER_SECOND);
                if !(rate > 0.0 && rate <= 1e6) {
                    return Err(vision.wrong("tokens_per_second", "a number above 0"));
                }
                Some(rate)
            }
            _ => None,
        };
        Ok(VisionConfig {
            patch: size("patch_size", 14)?,
            temporal_patch: size("temporal_patch_size", 2)?,
            merge: size("spatial_merge_size", 2)?,
            image_token: token("image_token_id", DEFAULT_IMAGE_TOKEN)?,
            video_token: token("video_token_id", DEFAULT_VIDEO_TOKEN)?,
            tokens_per_second,
        })
    }
}

/// How a checkpoint wants to be sampled, from its generation_config.json.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GenerationDefaults {
    /// Temperature 0 when the checkpoint does not ask for sampling.
    pub sampling: SamplingOptions,
    /// The tokens that end an answer; `max_tokens` if the checkpoint sets it.
    pub stop: StopRules,
    /// Settings of generation_config.json that change what is generated and are not supported, as `key = value`.
    pub unsupported: Vec<String>,
    /// Settings of generation_config.json that no generation can follow. They matter to a run that asks for them, which
    /// [`GenerationDefaults::check`] finds out; until then `sampling` has what is off.
    pub broken: Vec<Broken>,
}

/// A setting that no generation can follow.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    /// The setting's name.
    pub key: &'static str,
    /// What it should be and what it is.
    pub what: String,
}

/// Keys that change the chosen tokens, each with the value that means "off".
const UNSUPPORTED: [(&str, f64); 9] = [
    ("num_beams", 1.0),
    ("min_p", 0.0),
    ("typical_p", 1.0),
    ("no_repeat_ngram_size", 0.0),
    ("epsilon_cutoff", 0.0),
    ("eta_cutoff", 0.0),
    ("min_new_tokens", 0.0),
    ("min_length", 0.0),
    ("penalty_alpha", 0.0),
];

impl GenerationDefaults {
    /// Reads generation_config.json; without one, greedy decoding that ends at config.json's `eos_token_id`.
    pub(crate) fn open(dir: &Path, config: &Config, end_of_text: Option<u32>) -> Result<GenerationDefaults> {
        let mut defaults = GenerationDefaults::default();
        if let Some(file) = JsonFile::open(dir, "generation_config.json")? {
            defaults.read(&file)?;
        }
        if defaults.stop.tokens.is_empty() {
            defaults.stop.tokens = config.stop_tokens()?;
        }
        if defaults.stop.tokens.is_empty() {
            defaults.stop.tokens.extend(end_of_text);
        }
        Ok(defaults)
    }

    /// Refuses a run that follows a setting which cannot be followed: one that is not among those `given` in its place.
    pub fn check(&self, given: &[&str]) -> Result<()> {
        match self.broken.iter().find(|broken| !given.contains(&broken.key)) {
            None => Ok(()),
            Some(Broken { key, what }) => Err(Error::Conversation(format!(
                "generation_config.json of the checkpoint: {key}: {what}; give another {key} yourself, or mend the file"
            ))),
        }
    }

    fn read(&mut self, file: &JsonFile) -> Result<()> {
        let mut broken = Vec::new();
        let mut number = |key: &'static str, [least, most]: [f64; 2], default: f64, off: f64| {
            let Some(found) = file.get(key) else { return default };
            let is_count = matches!(key, "top_k" | "max_new_tokens");
            let fits = |value: &f64| (least..=most).contains(value) && (!is_count || value.fract() == 0.0);
            found.as_f64().filter(fits).unwrap_or_else(|| {
                let found = brief(found);
                let kind = if is_count { "a whole number" } else { "a number" };
                broken.push(Broken {
                    key,
                    what: format!("expected {kind} from {least} to {most}, found {found}"),
                });
                off
            })
        };
        let sampling = &mut self.sampling;
        sampling.repetition_penalty = number("repetition_penalty", [1e-3, 1e3], 1.0, 1.0) as f32;
        if file.flag("do_sample")?.unwrap_or(false) {
            // The reference's own defaults where the checkpoint is silent: temperature 1, top-k 50, top-p 1.
            sampling.temperature = number("temperature", [0.0, 1e3], 1.0, 1.0) as f32;
            sampling.top_k = number("top_k", [0.0, f64::from(u32::MAX)], 50.0, 0.0) as usize;
            sampling.top_p = number("top_p", [0.0, 1.0], 1.0, 1.0) as f32;
        }
        let most = self.stop.max_tokens as f64;
        self.stop.max_tokens = number("max_new_tokens", [0.0, f64::from(u32::MAX)], most, most) as usize;
        self.broken = broken;
        self.stop.tokens = token_ids(file, "eos_token_id")?;
        for (key, off) in UNSUPPORTED {
            match file.get(key) {
                Some(value) if value.as_f64() != Some(off) => {
                    self.unsupported.push(format!("{key} = {}", brief(value)))
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// One token id or a list of them; none if absent.
fn token_ids(file: &JsonFile, key: &str) -> Result<Vec<u32>> {
    let id = |value: &Value| integral(value).and_then(|id| u32::try_from(id).ok());
    let ids = match file.get(key) {
        None => Some(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(id).collect(),
        Some(value) => id(value).map(|id| vec![id]),
    };
    ids.ok_or_else(|| file.wrong(key, "a token id or a list of them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(config: &str, generation: Option<&str>) -> Result<(Config, GenerationDefaults)> {
        let dir = tempfile::tempdir().unwrap();
        fs_err::write(dir.path().join("config.json"), config).unwrap();
        if let Some(text) = generation {
            fs_err::write(dir.path().join("generation_config.json"), text).unwrap();
        }
        let config = Config::open(dir.path())?;
        let defaults = GenerationDefaults::open(dir.path(), &config, Some(99))?;
        Ok((config, defaults))
    }

    #[test]
    fn both_layouts_give_the_same_answers() {
        let vision =
            r#""vision_config":{"patch_size":4,"tokens_per_second":2},"image_token_id":5,"video_token_id":6"#;
        let flat = format!(
            r#"{{"model_type":"qwen2_5_vl","max_position_embeddings":64,"eos_token_id":7,{vision}}}"#
        );
        let nested = format!(
            r#"{{"model_type":"qwen2_5_vl","text_config":{{"max_position_embeddings":64,"eos_token_id":7}},{vision}}}"#
        );
        for text in [flat, nested] {
            let (config, defaults) = open(&text, None).unwrap();
            let expected = VisionConfig {
                patch: 4,
                temporal_patch: 2,
                merge: 2,
                image_token: 5,
                video_token: 6,
                tokens_per_second: Some(2.0),
            };
            assert_eq!((config.family, config.context_length), (Family::Qwen25Vl, 64));
            assert_eq!(config.vision, Some(expected));
            assert_eq!(defaults.stop.tokens, [7]);
        }
        let (config, defaults) = open(r#"{"model_type":"qwen2"}"#, None).unwrap();
        assert_eq!((config.vision, config.context_length), (None, DEFAULT_CONTEXT));
        assert_eq!(defaults.stop.tokens, [99]);
        let (config, _) = open(r#"{"model_type":"qwen2_vl"}"#, None).unwrap();
        assert_eq!(config.vision.unwrap().tokens_per_second, None);
    }

    #[test]
    fn generation_defaults_follow_do_sample() {
        let check = |text: &str, temperature: f32, top_k: usize, penalty: f32, tokens: &[u32]| {
            let (_, defaults) = open(r#"{"model_type":"qwen2"}"#, Some(text)).unwrap();
            let sampling = &defaults.sampling;
            assert_eq!((sampling.temperature, sampling.top_k), (temperature, top_k), "{text}");
            assert_eq!(sampling.repetition_penalty, penalty, "{text}");
            assert_eq!(defaults.stop.tokens, tokens, "{text}");
            defaults
        };
        check("{}", 0.0, 0, 1.0, &[99]);
        check(r#"{"do_sample":true,"eos_token_id":[3,4]}"#, 1.0, 50, 1.0, &[3, 4]);
        check(
            r#"{"temperature":0.7,"top_k":5,"repetition_penalty":1.05,"eos_token_id":3}"#,
            0.0,
            0,
            1.05,
            &[3],
        );
        // As transformers reads it.
        check("\u{feff}{\"typical_p\": NaN, \"repetition_penalty\": NaN}", 0.0, 0, 1.0, &[99]);
        let text =
            r#"{"do_sample":true,"temperature":0.1,"top_k":1,"top_p":0.001,"num_beams":4,"min_p":null}"#;
        let defaults = check(text, 0.1, 1, 1.0, &[99]);
        assert_eq!(defaults.sampling.top_p, 0.001);
        assert_eq!(defaults.unsupported, ["num_beams = 4"]);
    }

    #[test]
    fn unsupported_and_broken_files_are_named() {
        let good = r#"{"model_type":"qwen2"}"#;
        let cases = [
            ("{", None, "config.json: broken JSON"),
            ("[]", None, "config.json: expected a JSON object"),
            (r#"{"model_type":"llama"}"#, None, "config.json: model_type: expected qwen2"),
            (r#"{}"#, None, "config.json: model_type: expected qwen2"),
            (
                r#"{"model_type":"qwen2","max_position_embeddings":-1}"#,
                None,
                "max_position_embeddings: expected",
            ),
            (
                r#"{"model_type":"qwen2_vl","vision_config":{"patch_size":0}}"#,
                None,
                "patch_size: expected 1 to 1024",
            ),
            (good, Some(r#"{"eos_token_id":"a"}"#), "eos_token_id: expected a token id"),
        ];
        for (config, generation, expected) in cases {
            let error = open(config, generation).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}\n  {expected}");
        }
        // What no run can follow matters to a run that follows it.
        for (text, key, what) in [
            (r#"{"top_p":2,"do_sample":true}"#, "top_p", "a number from 0 to 1, found 2"),
            (r#"{"top_k":-1,"do_sample":true}"#, "top_k", "a whole number from 0 to 4294967295, found -1"),
            (r#"{"top_k":1.5,"do_sample":true}"#, "top_k", "found 1.5"),
            (r#"{"repetition_penalty":0}"#, "repetition_penalty", "a number from 0.001 to 1000, found 0"),
            (r#"{"temperature":NaN,"do_sample":true,"top_p":1}"#, "temperature", "found NaN"),
            (r#"{"temperature":-Infinity,"do_sample":true}"#, "temperature", "found -Infinity"),
            (r#"{"max_new_tokens":-5}"#, "max_new_tokens", "found -5"),
        ] {
            let (_, defaults) = open(good, Some(text)).unwrap();
            let error = defaults.check(&["seed"]).unwrap_err().to_string();
            assert!(error.contains(what) && error.starts_with("generation_config.json"), "{error}");
            assert!(defaults.check(&[key]).is_ok(), "{text}");
        }
        let (_, unused) = open(good, Some(r#"{"temperature":NaN,"top_k":-1,"top_p":7}"#)).unwrap();
        assert!(unused.check(&[]).is_ok(), "without do_sample nothing of it is followed");
        let error = Config::open(Path::new("/nowhere")).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/config.json: no such file; give"), "{error}");
    }
}
