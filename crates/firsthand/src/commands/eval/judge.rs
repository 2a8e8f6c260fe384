//! A judge behind an OpenAI-compatible address: one question, one reply, at temperature 0. What it says is read by the
//! runner; a judge that cannot be reached is an answer without a score.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::{Map, json};

use crate::chat::Chat;

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
pub(super) struct Judge(Chat);

impl JudgeFlags {
    /// For manifests.
    pub(super) fn name(&self) -> String {
        self.judge_model.clone().unwrap_or_else(|| "none".to_owned())
    }

    /// The judge, where one is named.
    pub(super) fn open(&self) -> Result<Option<Judge>> {
        let (Some(url), Some(model)) = (&self.judge, &self.judge_model) else { return Ok(None) };
        Chat::open("judge", url, model, PATIENCE).map(|chat| Some(Judge(chat)))
    }
}

impl Judge {
    /// What it replies, or why there is no reply after all tries.
    pub(super) fn ask(&self, system: &str, user: &str) -> Result<String, String> {
        let messages = json!([{"role": "system", "content": system}, {"role": "user", "content": user}]);
        let request = [
            ("temperature".to_owned(), json!(0)),
            ("max_tokens".to_owned(), json!(MOST_TOKENS)),
            ("messages".to_owned(), messages),
        ];
        Ok(self.0.ask(Map::from_iter(request))?.text)
    }
}
