//! A client of OpenAI-compatible chat servers: one request, one reply. What may pass (429, 5xx, a time-out, a
//! connection that breaks) is tried again a bounded number of times; what will not is told at once, in one line.

use std::time::Duration;

use anyhow::Result;
use firsthand_base::Finish;
use serde_json::{Map, Value};
use ureq::http::StatusCode;

use crate::environment;
use crate::failure::wrong_usage;

/// Tries of one request.
const TRIES: u32 = 4;
/// Wait before the second try; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait that a server may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Most characters of a refusal that are repeated.
const MOST_TOLD: usize = 200;

/// A model behind an address.
pub(crate) struct Chat {
    who: &'static str,
    agent: ureq::Agent,
    url: String,
    model: String,
    key: Option<String>,
}

/// A reply.
#[derive(Debug)]
pub(crate) struct Spoken {
    pub(crate) text: String,
    pub(crate) finish: Finish,
    /// 0 where the server does not count.
    pub(crate) prompt_tokens: usize,
    /// 0 where the server does not count.
    pub(crate) new_tokens: usize,
}

/// Why a try failed.
enum Fault {
    /// It may be different next time, perhaps after a wait that the server asks for.
    Passing(String, Option<Duration>),
    /// It will be the same.
    Lasting(String),
}

impl Chat {
    /// A client of the server whose paths begin with `url`. `who` names it in errors and is its flag's name.
    pub(crate) fn open(who: &'static str, url: &str, model: &str, patience: Duration) -> Result<Chat> {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(wrong_usage(format!("--{who} must begin with http:// or https://: {url}")));
        }
        if url.split('/').nth(2).is_some_and(|server| server.contains('@')) {
            return Err(wrong_usage(format!("--{who} takes no user name or password; set OPENAI_API_KEY")));
        }
        let config = ureq::Agent::config_builder().timeout_global(Some(patience)).http_status_as_error(false);
        Ok(Chat {
            who,
            agent: ureq::Agent::new_with_config(config.build()),
            url: url.trim_end_matches('/').to_owned(),
            model: model.to_owned(),
            key: environment::chat_key(),
        })
    }

    /// Its reply to a request without the model's name, or why there is none after all tries.
    pub(crate) fn ask(&self, mut request: Map<String, Value>) -> Result<Spoken, String> {
        request.insert("model".to_owned(), Value::from(self.model.as_str()));
        self.call(&format!("{}/chat/completions", self.url), &Value::Object(request), &spoken)
    }

    /// What `read` makes of the answer to a request at an address, or why there is none after all tries.
    pub(crate) fn call<T>(
        &self,
        address: &str,
        request: &Value,
        read: &dyn Fn(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        let body = request.to_string();
        let mut tries = 1;
        loop {
            let answer = self.once(address, body.as_bytes());
            match answer.and_then(|text| read(&text).map_err(|reason| Fault::Passing(reason, None))) {
                Ok(answer) => return Ok(answer),
                Err(Fault::Passing(_, wait)) if tries < TRIES => {
                    std::thread::sleep(wait.unwrap_or(FIRST_WAIT * 2u32.pow(tries - 1)).min(LONGEST_WAIT));
                    tries += 1;
                }
                Err(Fault::Passing(reason, _) | Fault::Lasting(reason)) => {
                    let times = if tries == 1 { "1 try".to_owned() } else { format!("{tries} tries") };
                    return Err(format!("{} at {address}: {reason}; {times}", self.who));
                }
            }
        }
    }

    /// What an address gives without a request, as JSON.
    pub(crate) fn get(&self, address: &str) -> Result<Value, String> {
        let told = |reason: String| format!("{} at {address}: {reason}", self.who);
        let mut request = self.agent.get(address);
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut response = request.call().map_err(|error| told(error.to_string()))?;
        let text = response.body_mut().read_to_string().map_err(|error| told(error.to_string()))?;
        match response.status() {
            status if status.is_success() => json(&text).map_err(told),
            status => Err(told(format!("status {}: {}", status.as_u16(), refusal(&text)))),
        }
    }

    fn once(&self, address: &str, body: &[u8]) -> Result<String, Fault> {
        let passing = |error: ureq::Error| Fault::Passing(error.to_string(), None);
        let mut request = self.agent.post(address).header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut response = request.send(body).map_err(passing)?;
        let status = response.status();
        let wait = response.headers().get("retry-after").and_then(|wait| wait.to_str().ok()?.parse().ok());
        let text = response.body_mut().read_to_string().map_err(passing)?;
        if !status.is_success() {
            let reason = format!("status {}: {}", status.as_u16(), refusal(&text));
            let passes = status.is_server_error()
                || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status);
            return Err(match passes {
                true => Fault::Passing(reason, wait.map(Duration::from_secs)),
                false => Fault::Lasting(reason),
            });
        }
        Ok(text)
    }
}

/// Who is to blame for a request that got no reply, as far as its reason tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// What was asked: another request may pass.
    Request,
    /// The key, the address or the model's name: none will pass until they are mended.
    Caller,
    /// The server or the way to it: the same may pass later.
    Server,
}

/// Reads the blame out of a reason that [`Chat::call`] gave.
pub(crate) fn blame(reason: &str) -> Blame {
    let status = reason.split_once("status ").and_then(|(_, rest)| rest.get(..3)?.parse::<u16>().ok());
    match status {
        Some(408 | 429) | None => Blame::Server,
        Some(401 | 403 | 404 | 405) => Blame::Caller,
        Some(400..=499) => Blame::Request,
        Some(_) => Blame::Server,
    }
}

/// An answer as JSON.
pub(crate) fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("its reply is not JSON: {error}"))
}

/// The reply that a server's answer holds.
fn spoken(text: &str) -> Result<Spoken, String> {
    let reply = json(text)?;
    let choice = &reply["choices"][0];
    let Some(said) = choice["message"]["content"].as_str() else {
        return Err("its reply has no choices[0].message.content".to_owned());
    };
    let count = |key: &str| reply["usage"][key].as_u64().unwrap_or(0) as usize;
    Ok(Spoken {
        text: said.to_owned(),
        finish: if choice["finish_reason"] == "length" { Finish::Length } else { Finish::Stop },
        prompt_tokens: count("prompt_tokens"),
        new_tokens: count("completion_tokens"),
    })
}

/// What a server says about a request that it does not answer, on one line.
fn refusal(text: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(text).ok();
    let message = parsed.as_ref().and_then(|told| {
        let places = [&told["error"]["message"], &told["message"], &told["error"], &told["detail"]];
        places.into_iter().find_map(Value::as_str)
    });
    let words: Vec<&str> = message.unwrap_or(text).split_whitespace().collect();
    words.join(" ").chars().take(MOST_TOLD).collect()
}
