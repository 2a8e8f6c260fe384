//! How tokens are chosen and when to stop: the checkpoint's own settings, overridden by flags, and a line that
//! says which is which.

use anyhow::Result;
use clap::Args;
use firsthand_base::{SamplingOptions, StopRules};
use firsthand_input::GenerationDefaults;

use crate::failure::wrong_usage;

/// Flags that override generation_config.json.
#[derive(Args)]
#[command(next_help_heading = "Sampling (default: what the checkpoint's generation_config.json sets)")]
pub(crate) struct SamplingFlags {
    /// Always take the likeliest token, without any penalty.
    #[arg(long, conflicts_with_all = ["temperature", "top_k", "top_p", "repetition_penalty"])]
    greedy: bool,
    /// 0 takes the likeliest token; higher is more random.
    #[arg(long, value_name = "T")]
    temperature: Option<f32>,
    /// Choose among this many likeliest tokens; 0 among all.
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Choose among the likeliest tokens that together have this probability.
    #[arg(long, value_name = "P")]
    top_p: Option<f32>,
    /// Make tokens that already occurred less likely; 1 is off.
    #[arg(long, value_name = "R")]
    repetition_penalty: Option<f32>,
    /// Fixes the draws; equal seeds give equal answers.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Most new tokens. Default: the checkpoint's, else 1024.
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
    /// End the answer before this text. May be given several times.
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
}

/// The settings in force.
pub(crate) struct Choosing {
    pub(crate) sampling: SamplingOptions,
    pub(crate) stop: StopRules,
    /// One line for people: each setting, and whether the checkpoint or a flag made it.
    pub(crate) note: String,
}

impl Choosing {
    /// Every setting by name, for manifests.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        firsthand_base::settings(&self.sampling, &self.stop)
    }
}

impl SamplingFlags {
    /// Flags over the checkpoint's settings.
    pub(crate) fn resolve(&self, defaults: &GenerationDefaults) -> Result<Choosing> {
        defaults.check(&self.given())?;
        let mut sampling = SamplingOptions { seed: self.seed, ..defaults.sampling.clone() };
        if self.greedy {
            sampling = SamplingOptions { seed: self.seed, ..SamplingOptions::default() };
        }
        sampling.temperature = self.temperature.unwrap_or(sampling.temperature);
        sampling.top_k = self.top_k.unwrap_or(sampling.top_k);
        sampling.top_p = self.top_p.unwrap_or(sampling.top_p);
        sampling.repetition_penalty = self.repetition_penalty.unwrap_or(sampling.repetition_penalty);
        let mut stop = defaults.stop.clone();
        stop.max_tokens = self.max_tokens.unwrap_or(stop.max_tokens);
        stop.strings.extend(self.stop.iter().cloned());
        let in_range = |value: f32, least: f32, most: f32| (least..=most).contains(&value);
        if !in_range(sampling.temperature, 0.0, 1e3) {
            return Err(wrong_usage("--temperature must be 0 to 1000"));
        }
        if !in_range(sampling.top_p, 0.0, 1.0) || sampling.top_p == 0.0 {
            return Err(wrong_usage("--top-p must be above 0 and at most 1"));
        }
        if !in_range(sampling.repetition_penalty, 1e-3, 1e3) {
            return Err(wrong_usage("--repetition-penalty must be 0.001 to 1000"));
        }
        if stop.max_tokens == 0 || self.stop.iter().any(String::is_empty) {
            return Err(wrong_usage("--max-tokens must be at least 1, and --stop not empty"));
        }
        let note = self.note(&sampling, &stop, defaults);
        Ok(Choosing { sampling, stop, note })
    }

    /// The checkpoint's settings that flags stand for, or leave without effect.
    fn given(&self) -> Vec<&'static str> {
        let is_likeliest = self.greedy || self.temperature == Some(0.0);
        let given = [
            ("temperature", self.greedy || self.temperature.is_some()),
            ("top_k", is_likeliest || self.top_k.is_some()),
            ("top_p", is_likeliest || self.top_p.is_some()),
            ("repetition_penalty", self.greedy || self.repetition_penalty.is_some()),
            ("max_new_tokens", self.max_tokens.is_some()),
        ];
        given.into_iter().filter(|(_, is_given)| *is_given).map(|(key, _)| key).collect()
    }

    fn note(&self, sampling: &SamplingOptions, stop: &StopRules, defaults: &GenerationDefaults) -> String {
        let origin = |flag: bool| if flag || self.greedy { "flag" } else { "checkpoint" };
        let mut parts = Vec::new();
        if sampling.temperature == 0.0 {
            parts.push(format!("greedy ({})", origin(self.temperature.is_some())));
        } else {
            parts.push(format!(
                "temperature {} ({})",
                sampling.temperature,
                origin(self.temperature.is_some())
            ));
            if sampling.top_k > 0 {
                parts.push(format!("top-k {} ({})", sampling.top_k, origin(self.top_k.is_some())));
            }
            if sampling.top_p < 1.0 {
                parts.push(format!("top-p {} ({})", sampling.top_p, origin(self.top_p.is_some())));
            }
            parts.push(format!("seed {}", sampling.seed));
        }
        if sampling.repetition_penalty != 1.0 {
            let origin = origin(self.repetition_penalty.is_some());
            parts.push(format!("repetition penalty {} ({origin})", sampling.repetition_penalty));
        }
        parts.push(format!("at most {} new tokens", stop.max_tokens));
        let mut line = format!("sampling: {}", parts.join(", "));
        if !defaults.unsupported.is_empty() {
            line.push_str(&format!(
                "; generation_config.json also sets, without effect here: {}",
                defaults.unsupported.join(", ")
            ));
        }
        line
    }
}
