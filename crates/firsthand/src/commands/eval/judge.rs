//! A judge behind an OpenAI-compatible address: one question, one reply, at temperature 0, with a few tries. What it
//! says is read by the runner; a judge that cannot be reached is an answer without a score.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::environment;
use crate::failure::wrong_usage;

/// Tries of one question.
const TRIES: u32 = 3;
/// Longest wait for a reply.
const PATIENCE: Duration = Duration::from_secs(120);
/// Most tokens of a reply.
const MOST_TOKENS: u32 = 512;

/// Flags that name a judge.
#[derive(Args)]
#[command(next_help_heading = "Judge (for benchmarks that are scored by one)")]
pub(super) struct JudgeFlags {
    /// Address of an OpenAI-compatible server, e.g. http://127.0.0.1:8000/v1. OPENAI_API_KEY is sent with it.
    #[arg(long, value_name = "URL", requires = "judge_model")]
    judge: Option<String>,
    /// What the server calls the judge's model.
    #[arg(long, value_name = "NAME", requires = "judge")]
    judge_model: Option<String>,
}

/// A judge.
pub(super) struct Judge {
    agent: ureq::Agent,
    address: String,
    model: String,
    key: Option<String>,
}

impl JudgeFlags {
    /// For manifests.
    pub(super) fn name(&self) -> String {
        self.judge_model.clone().unwrap_or_else(|| "none".to_owned())
    }

    /// The judge, where one is named.
    pub(super) fn open(&self) -> Result<Option<Judge>> {
        let (Some(url), Some(model)) = (&self.judge, &self.judge_model) else { return Ok(None) };
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(wrong_usage(format!("--judge must begin with http:// or https://: {url}")));
        }
        let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(true);
        let address = format!("{}/chat/completions", url.trim_end_matches('/'));
        let agent = ureq::Agent::new_with_config(config.build());
        Ok(Some(Judge { agent, address, model: model.clone(), key: environment::judge_key() }))
    }
}

impl Judge {
    /// What it replies, or why there is no reply after all tries.
    pub(super) fn ask(&self, system: &str, user: &str) -> Result<String, String> {
        let body = json!({
            "model": self.model, "temperature": 0, "max_tokens": MOST_TOKENS,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
        });
        let mut last = String::new();
        for attempt in 0..TRIES {
            std::thread::sleep(Duration::from_millis(if attempt == 0 { 0 } else { 250 << attempt }));
            match self.once(&body) {
                Ok(text) => return Ok(text),
                Err(reason) => last = reason,
            }
        }
        Err(format!("judge at {}: {last}; {TRIES} tries", self.address))
    }

    fn once(&self, body: &Value) -> Result<String, String> {
        let mut request = self.agent.post(&self.address);
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut response = request.send_json(body).map_err(|error| error.to_string())?;
        let reply: Value = response.body_mut().read_json().map_err(|error| error.to_string())?;
        let text = reply["choices"][0]["message"]["content"].as_str();
        text.map(str::to_owned).ok_or_else(|| "its reply has no choices[0].message.content".to_owned())
    }
}
