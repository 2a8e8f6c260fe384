//! A policy behind an OpenAI-compatible address: samples of a step from vLLM or SGLang, which take the weights after
//! every update through their own endpoints. What they answer must name the token ids; the trainer measures how far
//! their log-probabilities are off.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use firsthand_base::{Conversation, SamplingOptions, StopRules};
use firsthand_media::Opener;
use firsthand_train::rl::Sampler;
use firsthand_train::rl::rollout::Rollout;
use serde_json::{Value, json};

use crate::chat::{self, Blame, Chat};
use crate::failure::failure;
use crate::progress;
use crate::showing;

/// Prompts asked at the same time.
const PARALLEL: usize = 16;
/// Between two tries to have a server forget.
const AGAIN: Duration = Duration::from_millis(200);
/// What an adapter is called at the server.
const ADAPTER: &str = "firsthand-policy";

/// Which server it is: they take weights differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Vllm,
    Sglang,
}

/// The served copy of the policy.
pub(crate) struct ServedPolicy {
    chat: Chat,
    /// The address without `/v1`.
    root: String,
    kind: Kind,
    /// What requests call the model: its own name, or the adapter's.
    model: Mutex<String>,
    opener: Arc<Opener>,
    /// Longest wait until it has forgotten what old weights computed.
    patience: Duration,
    /// Routes that the server does not have, as was told.
    lacking: Mutex<HashSet<&'static str>>,
}

impl ServedPolicy {
    /// Asks the server at `url` (`http://host:port/v1`) what it is and what it serves. No request waits longer than
    /// `patience_s`, for samples or for weights to be taken.
    pub(crate) fn open(url: &str, patience_s: f64, opener: Arc<Opener>) -> Result<ServedPolicy> {
        let patience = Duration::try_from_secs_f64(patience_s).ok().filter(|patience| !patience.is_zero());
        let Some(patience) = patience else {
            return Err(failure(format!("--patience {patience_s}"), "give seconds, more than 0"));
        };
        let chat = Chat::open("rollouts", url, "", patience)?;
        let root = url.trim_end_matches('/').trim_end_matches("/v1").to_owned();
        let served = chat.get(&format!("{root}/v1/models")).map_err(|reason| {
            failure(reason, "start vLLM or SGLang there, with the checkpoint that the recipe starts from")
        })?;
        let model = served["data"][0]["id"].as_str().unwrap_or_default().to_owned();
        let kind = match served["data"][0]["owned_by"].as_str() {
            Some("sglang") => Kind::Sglang,
            _ => Kind::Vllm,
        };
        if model.is_empty() {
            return Err(failure(
                format!("--rollouts: {root}/v1/models names no model"),
                "name the address of a vLLM or SGLang server, as http://127.0.0.1:8000/v1",
            ));
        }
        let (model, lacking) = (Mutex::new(model), Mutex::default());
        Ok(ServedPolicy { chat, root, kind, model, opener, patience, lacking })
    }

    /// Has the server drop what it keeps of earlier prompts: keys and values, features of pictures and processed pictures
    /// that older weights computed. vLLM's worker drops its features by itself and its scheduler does not know, so that a
    /// picture that comes again would end the server; its keys and values stay and would answer for the old policy.
    fn forget(&self) -> Result<(), String> {
        let routes: &[&'static str] = match self.kind {
            Kind::Vllm => &["reset_prefix_cache", "reset_mm_cache", "reset_encoder_cache"],
            Kind::Sglang => &["flush_cache"],
        };
        routes.iter().try_for_each(|route| self.reset(route))
    }

    /// Empties one cache. A server refuses while a request holds a part of it, and is asked again.
    fn reset(&self, route: &'static str) -> Result<(), String> {
        if self.lacking.lock().map_err(|_| "another request panicked")?.contains(route) {
            return Ok(());
        }
        let (address, began) = (format!("{}/{route}", self.root), Instant::now());
        loop {
            let is_done = |text: &str| Ok(chat::json(text).map_or(true, |reply| reply["success"] != false));
            match self.chat.call(&address, &json!({}), &is_done) {
                Ok(true) => return Ok(()),
                // SGLang's way to say that requests are still at work.
                Err(reason) if self.kind == Kind::Sglang && chat::blame(&reason) == Blame::Request => {}
                Err(reason)
                    if [404, 405].iter().any(|status| reason.contains(&format!("status {status}"))) =>
                {
                    self.lacking.lock().map_err(|_| "another request panicked")?.insert(route);
                    progress::note(&format!(
                        "note: the server has no /{route}: after an update it may answer from what old weights computed, or end; {}",
                        self.remedy()
                    ));
                    return Ok(());
                }
                Err(reason) => return Err(reason),
                Ok(false) => {}
            }
            if began.elapsed() >= self.patience {
                return Err(format!(
                    "rollouts at {address}: the cache is in use after {:.0} s and could not be emptied; let nobody else ask this server while it trains, or start it anew",
                    self.patience.as_secs_f64()
                ));
            }
            std::thread::sleep(AGAIN);
        }
    }

    fn remedy(&self) -> &'static str {
        match self.kind {
            Kind::Vllm => "start vLLM with VLLM_SERVER_DEV_MODE=1, or a newer one",
            Kind::Sglang => "use a newer SGLang",
        }
    }

    fn one(
        &self,
        conversation: &Conversation,
        samplings: &[SamplingOptions],
        stop: &StopRules,
    ) -> Result<Vec<Rollout>, String> {
        let Some(first) = samplings.first() else { return Ok(Vec::new()) };
        let mut request = showing::settings(first, stop);
        request.insert("messages".into(), showing::show(conversation, &self.opener)?.messages);
        let model = self.model.lock().map_err(|_| "another request panicked")?.clone();
        let more = json!({
            "model": model, "n": samplings.len(), "logprobs": true, "return_token_ids": true,
            "skip_special_tokens": false, "stop_token_ids": stop.tokens,
        });
        request.extend(more.as_object().cloned().unwrap_or_default());
        let address = format!("{}/v1/chat/completions", self.root);
        self.chat.call(&address, &Value::Object(request), &|text| rollouts(text, samplings.len(), stop))
    }
}

/// The samples that an answer holds.
fn rollouts(text: &str, count: usize, stop: &StopRules) -> Result<Vec<Rollout>, String> {
    let reply = chat::json(text)?;
    let choices = reply["choices"].as_array().ok_or("its reply has no choices")?;
    if choices.len() != count {
        return Err(format!("it gave {} samples instead of {count}", choices.len()));
    }
    let mut all = vec![None; count];
    for (i, choice) in choices.iter().enumerate() {
        let place = choice["index"].as_u64().map_or(i, |index| index as usize);
        let free = all.get_mut(place).filter(|place| place.is_none());
        *free.ok_or("its samples are numbered wrongly")? = Some(rollout(choice, stop)?);
    }
    Ok(all.into_iter().flatten().collect())
}

fn rollout(choice: &Value, stop: &StopRules) -> Result<Rollout, String> {
    let ids: Option<Vec<u32>> = choice["token_ids"]
        .as_array()
        .and_then(|ids| ids.iter().map(|id| u32::try_from(id.as_u64()?).ok()).collect());
    let ids =
        ids.ok_or("its samples do not name their token ids (choices[].token_ids); update the server")?;
    let logs: Option<Vec<f32>> = choice["logprobs"]["content"]
        .as_array()
        .and_then(|tokens| tokens.iter().map(|token| Some(token["logprob"].as_f64()? as f32)).collect());
    let logs = logs.ok_or("its samples have no log-probabilities (choices[].logprobs.content)")?;
    if ids.is_empty() || ids.len() != logs.len() {
        return Err(format!("a sample of {} tokens has {} log-probabilities", ids.len(), logs.len()));
    }
    if let Some(log) = logs.iter().find(|log| !log.is_finite()) {
        return Err(format!("a log-probability is {log}"));
    }
    let is_finished = ids.last().is_some_and(|id| stop.tokens.contains(id));
    Ok(Rollout::of(ids, logs, is_finished))
}

impl Sampler for ServedPolicy {
    fn take(&self, weights: &Path, step: u64) -> Result<(), String> {
        let path = std::path::absolute(weights).map_err(|error| error.to_string())?;
        let is_adapter = path.join("adapter_config.json").exists();
        let name = format!("{ADAPTER}-{step}");
        let (route, body) = match (self.kind, is_adapter) {
            (Kind::Vllm, true) => ("v1/load_lora_adapter", json!({"lora_name": name, "lora_path": path})),
            (Kind::Sglang, true) => ("load_lora_adapter", json!({"lora_name": name, "lora_path": path})),
            (Kind::Sglang, false) => ("update_weights_from_disk", json!({"model_path": path})),
            (Kind::Vllm, false) => {
                ("collective_rpc", json!({"method": "reload_weights", "kwargs": {"weights_path": path}}))
            }
        };
        self.chat.call(&format!("{}/{route}", self.root), &body, &|_| Ok(()))?;
        self.forget()?;
        if !is_adapter {
            return Ok(());
        }
        let mut model = self.model.lock().map_err(|_| "another request panicked")?;
        let before = std::mem::replace(&mut *model, name);
        if before.starts_with(ADAPTER) {
            let route =
                if self.kind == Kind::Vllm { "v1/unload_lora_adapter" } else { "unload_lora_adapter" };
            self.chat.call(&format!("{}/{route}", self.root), &json!({"lora_name": before}), &|_| Ok(()))?;
        }
        Ok(())
    }

    fn sample(
        &self,
        prompts: &[(Conversation, Vec<SamplingOptions>)],
        stop: &StopRules,
    ) -> Result<Vec<Vec<Rollout>>, String> {
        let mut all = Vec::new();
        for some in prompts.chunks(PARALLEL) {
            let done: Vec<Result<Vec<Rollout>, String>> = std::thread::scope(|scope| {
                let mut asked = Vec::new();
                for (conversation, samplings) in some {
                    asked.push(scope.spawn(move || self.one(conversation, samplings, stop)));
                }
                let panicked = |_| Err("a request panicked".to_owned());
                asked.into_iter().map(|one| one.join().unwrap_or_else(panicked)).collect()
            });
            for one in done {
                all.push(one?);
            }
        }
        Ok(all)
    }
}
