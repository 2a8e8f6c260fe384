//! A stand-in for vLLM and SGLang as a policy: answers the routes that `train rl --rollouts` uses, with samples whose
//! lengths differ, remembers what it was given, and fails on demand.

use std::collections::VecDeque;
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
    statuses: VecDeque<u16>,
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
    match path {
        "/v1/models" => (200, json!({"data": [{"id": "start", "owned_by": owner}]}).to_string()),
        "/v1/chat/completions" => {
            let status = seen.statuses.pop_front().unwrap_or(200);
            if status != 200 {
                return (status, json!({"error": {"message": "out of luck"}}).to_string());
            }
            seen.models.push(body["model"].as_str().unwrap().to_owned());
            let stop = body["stop_token_ids"][0].clone();
            let choice = |i: u64| {
                let mut ids = vec![json!(20 + i); 4 + 6 * i as usize];
                ids.push(stop.clone());
                let logs: Vec<Value> = ids.iter().map(|_| json!({"token": "x", "logprob": log})).collect();
                json!({"index": i, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop",
                    "token_ids": ids, "logprobs": {"content": logs}})
            };
            let choices: Vec<Value> = (0..body["n"].as_u64().unwrap()).map(choice).collect();
            (200, json!({"choices": choices}).to_string())
        }
        // As vLLM answers: words, not JSON.
        _ => {
            let place = [&body["lora_path"], &body["model_path"], &body["kwargs"]["weights_path"]];
            if let Some(place) = place.into_iter().find_map(Value::as_str) {
                let place = PathBuf::from(place);
                let files = ["model.safetensors", "adapter_model.safetensors"];
                let whole = files.iter().any(|file| place.join(file).exists());
                seen.taken.push((place, whole));
            }
            (200, "Success".to_owned())
        }
    }
}
