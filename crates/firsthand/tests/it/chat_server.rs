//! A chat server on this machine: answers each request as it is told, refuses the first ones on demand, remembers
//! what was asked and how many requests were open at the same time.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What the server saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// Bodies of requests, refused ones too.
    pub(crate) asked: Vec<Value>,
    /// Most requests that were open at the same time.
    pub(crate) most: usize,
    open: usize,
    statuses: VecDeque<u16>,
}

/// A running server.
pub(crate) struct ChatServer {
    /// What `--endpoint` and `--judge` take.
    pub(crate) address: String,
    pub(crate) seen: Arc<Mutex<Seen>>,
}

impl ChatServer {
    /// The first requests get `statuses`, the rest 200 and the reply. Until `together` requests were open at the same
    /// time, none is answered for ten seconds.
    pub(crate) fn start(statuses: &[u16], together: usize, reply: fn(&Value) -> String) -> ChatServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen =
            Arc::new(Mutex::new(Seen { statuses: statuses.iter().copied().collect(), ..Seen::default() }));
        let shared = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = shared.clone();
                // A client that was killed is no concern of the server.
                std::thread::spawn(move || serve(stream.unwrap(), &shared, together, reply).ok());
            }
        });
        ChatServer { address, seen }
    }
}

fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Seen>,
    together: usize,
    reply: fn(&Value) -> String,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body)?;
    let status = {
        let mut seen = seen.lock().unwrap();
        seen.asked.push(body.clone());
        seen.open += 1;
        seen.most = seen.most.max(seen.open);
        seen.statuses.pop_front().unwrap_or(200)
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while seen.lock().unwrap().most < together && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    let text = match status {
        200 => json!({
            "choices": [{"message": {"role": "assistant", "content": reply(&body)}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 3},
        }),
        _ => json!({"error": {"message": format!("planted\nfault {status}")}}),
    };
    let text = text.to_string();
    seen.lock().unwrap().open -= 1;
    let head =
        format!("HTTP/1.1 {status} Planted\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", text.len());
    stream.write_all((head + &text).as_bytes())
}
