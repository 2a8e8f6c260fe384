//! A stand-in for vLLM and SGLang as a policy: answers the routes that `train rl --rollouts` uses, with samples whose
//! lengths differ, remembers what it was given, and fails on demand.
//!
//! It keeps what the real servers keep. After `reload_weights` vLLM's worker has no features of pictures any more while its
//! scheduler thinks that it has: a picture that comes again without `/reset_encoder_cache` ends the server. Keys and values
//! of a prompt stay in both servers, and the answer is then the old policy's, until they are told to drop them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// A status that stands for no answer at all.
pub(crate) const SILENT: u16 = 0;

#[derive(Default)]
pub(crate) struct Seen {
    /// Paths of requests in order, refused ones too.
    pub(crate) paths: Vec<String>,
    /// Models that samples were asked of.
    pub(crate) models: Vec<String>,
    /// Folders of weights it was told to take, with whether they held weights then.
    pub(crate) taken: Vec<(PathBuf, bool)>,
    /// Answers that came from keys and values of older weights.
    pub(crate) stale: usize,
    /// Whether the engine ended.
    pub(crate) is_dead: bool,
    statuses: VecDeque<u16>,
    /// Updates of the weights so far.
    version: usize,
    /// Prompts whose keys and values are kept, with the version that computed them.
    prefixes: HashMap<String, usize>,
    /// Pictures whose features are there, as the worker and as the scheduler of vLLM know.
    worker: HashSet<String>,
    scheduler: HashSet<String>,
    /// Caches that are in use for so many more requests to empty them.
    busy: usize,
    /// Routes that the server does not have.
    lacks: &'static [&'static str],
}

pub(crate) struct PolicyServer {
    /// What `--rollouts` takes.
    pub(crate) address: String,
    pub(crate) seen: Arc<Mutex<Seen>>,
}

impl PolicyServer {
    /// Requests for samples get `statuses` first, then answers with this log-probability for every token.
    pub(crate) fn start(owner: &'static str, statuses: &[u16], log: Value) -> PolicyServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen =
            Arc::new(Mutex::new(Seen { statuses: statuses.iter().copied().collect(), ..Seen::default() }));
        let shared = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (shared, log) = (shared.clone(), log.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &shared, owner, &log).ok());
            }
        });
        PolicyServer { address, seen }
    }

    /// The same, whose caches are in use for the next `busy` requests to empty them.
    pub(crate) fn busy(self, busy: usize) -> PolicyServer {
        self.seen.lock().unwrap().busy = busy;
        self
    }

    /// The same without some of its routes.
    pub(crate) fn lacking(self, routes: &'static [&'static str]) -> PolicyServer {
        self.seen.lock().unwrap().lacks = routes;
        self
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Seen>, owner: &str, log: &Value) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut first)?;
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path = first.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let (status, text) = {
        let mut seen = seen.lock().unwrap();
        seen.paths.push(path.clone());
        answer(&mut seen, &path, &body, owner, log)
    };
    if status == SILENT {
        std::thread::sleep(std::time::Duration::from_secs(60));
        return Ok(());
    }
    write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    )
}

fn answer(seen: &mut Seen, path: &str, body: &Value, owner: &str, log: &Value) -> (u16, String) {
    if seen.is_dead {
        return (500, json!({"error": {"message": "EngineCore encountered an issue"}}).to_string());
    }
    if seen.lacks.contains(&path) {
        return (404, json!({"detail": "Not Found"}).to_string());
    }
    match (owner, path) {
        (_, "/v1/models") => (200, json!({"data": [{"id": "start", "owned_by": owner}]}).to_string()),
        (_, "/v1/chat/completions") => samples(seen, body, owner, log),
        ("vllm", "/reset_prefix_cache" | "/reset_mm_cache" | "/reset_encoder_cache") => {
            if let Some(left) = seen.busy.checked_sub(1) {
                seen.busy = left;
                return (200, json!({"success": false}).to_string());
            }
            match path {
                "/reset_prefix_cache" => seen.prefixes.clear(),
                "/reset_encoder_cache" => {
                    seen.worker.clear();
                    seen.scheduler.clear();
                }
                _ => {}
            }
            (200, json!({"success": true}).to_string())
        }
        ("sglang", "/flush_cache") => match seen.busy.checked_sub(1) {
            Some(left) => {
                seen.busy = left;
                (400, "Flush cache failed. When there are running or waiting requests".to_owned())
            }
            None => {
                seen.prefixes.clear();
                (200, "Cache flushed.\n".to_owned())
            }
        },
        // As vLLM answers: words, not JSON.
        _ => {
            let place = [&body["lora_path"], &body["model_path"], &body["kwargs"]["weights_path"]];
            if let Some(place) = place.into_iter().find_map(Value::as_str) {
                let place = PathBuf::from(place);
                let files = ["model.safetensors", "adapter_model.safetensors"];
                let whole = files.iter().any(|file| place.join(file).exists());
                seen.taken.push((place, whole));
                seen.version += 1;
            }
            if path == "/collective_rpc" {
                seen.worker.clear();
            }
            (200, "Success".to_owned())
        }
    }
}

fn samples(seen: &mut Seen, body: &Value, owner: &str, log: &Value) -> (u16, String) {
    let status = seen.statuses.pop_front().unwrap_or(200);
    if status != 200 {
        return (status, json!({"error": {"message": "out of luck"}}).to_string());
    }
    for picture in pictures(&body["messages"]) {
        let is_known = !seen.scheduler.insert(picture.clone());
        if owner == "vllm" && is_known && !seen.worker.contains(&picture) {
            seen.is_dead = true;
            return (500, json!({"error": {"message": "Encoder cache miss for it"}}).to_string());
        }
        seen.worker.insert(picture);
    }
    let model = body["model"].as_str().unwrap().to_owned();
    // An adapter under a new name shares nothing with the one before.
    let version = seen.version;
    let computed = *seen.prefixes.entry(format!("{model} {}", body["messages"])).or_insert(version);
    seen.stale += usize::from(computed != version);
    seen.models.push(model);
    let stop = body["stop_token_ids"][0].clone();
    let choice = |i: u64| {
        let mut ids = vec![json!(20 + (i + computed as u64) % 8); 4 + 6 * i as usize];
        ids.push(stop.clone());
        let logs: Vec<Value> = ids.iter().map(|_| json!({"token": "x", "logprob": log})).collect();
        json!({"index": i, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop",
            "token_ids": ids, "logprobs": {"content": logs}})
    };
    let choices: Vec<Value> = (0..body["n"].as_u64().unwrap()).map(choice).collect();
    (200, json!({"choices": choices}).to_string())
}

/// The pictures of a request.
fn pictures(messages: &Value) -> Vec<String> {
    let parts = messages.as_array().into_iter().flatten().flat_map(|message| message["content"].as_array());
    parts.flatten().filter_map(|part| part["image_url"]["url"].as_str().map(str::to_owned)).collect()
}

/// What a stand-in answers to a request.
fn post(address: &str, path: &str, body: &Value) -> (u16, String) {
    let host = address.strip_prefix("http://").unwrap().strip_suffix("/v1").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let body = body.to_string();
    write!(stream, "POST {path} HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    (text[9..12].parse().unwrap(), text.split("\r\n\r\n").nth(1).unwrap().to_owned())
}

#[test]
fn the_stand_in_ends_and_goes_stale_as_the_real_servers_do() {
    let ask = json!({"model": "start", "n": 1, "stop_token_ids": [0], "messages": [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,a"}}]}]});
    let words = json!({"model": "start", "n": 1, "stop_token_ids": [0], "messages": [{"role": "user", "content": "a"}]});
    let update = json!({"method": "reload_weights", "kwargs": {"weights_path": "/nowhere"}});
    let server = PolicyServer::start("vllm", &[], json!(-1.0));
    let at = |path: &str, body: &Value| post(&server.address, path, body);
    let before = at("/v1/chat/completions", &words).1;
    assert_eq!(at("/v1/chat/completions", &ask).0, 200);
    at("/collective_rpc", &update);
    assert_eq!(at("/v1/chat/completions", &words).1, before, "the old policy's answer");
    for route in ["/reset_prefix_cache", "/reset_mm_cache", "/reset_encoder_cache"] {
        assert_eq!(at(route, &json!({})), (200, "{\"success\":true}".to_owned()));
    }
    assert_ne!(at("/v1/chat/completions", &words).1, before);
    assert_eq!(at("/v1/chat/completions", &ask).0, 200);
    at("/collective_rpc", &update);
    assert_eq!(at("/v1/chat/completions", &ask).0, 500);
    assert_eq!(at("/v1/models", &json!({})).0, 500, "nobody answers any more");
    assert_eq!(server.seen.lock().unwrap().stale, 1);
}
