//! A hub on this machine that misbehaves on demand: cuts connections, lies about lengths, refuses, asks to wait.
//! Speaks just enough HTTP/1.1 for the downloader and records every request.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What goes wrong with GET requests for one path, one entry per request, in order; then nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Close the connection after this many bytes of the body.
    CutAfter(usize),
    /// Announce this many bytes more than are sent, then close.
    AnnounceMore(usize),
    /// Send this many bytes more than HEAD announced.
    SendMore(usize),
    /// Flip a bit.
    Garble,
    /// Answer with this status.
    Status(u16),
    /// Answer 429 with `retry-after: 1`.
    Busy,
    /// Ignore the range and send everything with status 200.
    NoRange,
}

/// One stored file.
pub(crate) struct Stored {
    pub(crate) content: Vec<u8>,
    pub(crate) large: bool,
}

/// Everything the server knows and saw.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) files: Vec<(String, Stored)>,
    pub(crate) faults: HashMap<String, Vec<Fault>>,
    /// `METHOD path range=... token=...`
    pub(crate) log: Vec<String>,
    /// Token that is required, if any.
    pub(crate) token: Option<String>,
    /// Where large files are served: address of another server. None: here.
    pub(crate) storage: Option<String>,
    /// Replaces the listing.
    pub(crate) listing: Option<String>,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) state: Arc<Mutex<State>>,
}

impl Server {
    /// Serves `files` as `owner/model`; large ones have an LFS hash and are redirected to storage.
    pub(crate) fn start(files: Vec<(&str, Vec<u8>, bool)>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let files = files
            .into_iter()
            .map(|(path, content, large)| (path.to_owned(), Stored { content, large }))
            .collect();
        let state = Arc::new(Mutex::new(State { files, ..State::default() }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = shared.clone();
                std::thread::spawn(move || {
                    let _ = serve(stream.unwrap(), &shared);
                });
            }
        });
        Server { address, state }
    }

    pub(crate) fn fault(&self, path: &str, faults: &[Fault]) {
        self.state.lock().unwrap().faults.insert(path.to_owned(), faults.to_vec());
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.state.lock().unwrap().log.clone()
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A name like git's object id for small files: stable, 40 digits.
fn blob_id(bytes: &[u8]) -> String {
    sha256(bytes)[..40].to_owned()
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace();
        let (method, path) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let keep = answer(&mut stream, state, &method, &path, &headers)?;
        if !keep {
            return stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

fn head(stream: &mut TcpStream, status: u16, headers: &[(&str, String)]) -> std::io::Result<()> {
    let mut text = format!("HTTP/1.1 {status} Status\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all((text + "\r\n").as_bytes())
}

fn answer(
    stream: &mut TcpStream,
    state: &Mutex<State>,
    method: &str,
    path: &str,
    headers: &HashMap<String, String>,
) -> std::io::Result<bool> {
    let mut state = state.lock().unwrap();
    let token = headers.get("authorization").map(|value| value.replace("Bearer ", ""));
    let range = headers.get("range").cloned();
    state.log.push(format!("{method} {path} range={range:?} token={token:?}"));
    let nothing = [("content-length", "0".to_owned())];
    let storage_path = path.strip_prefix("/storage/").map(str::to_owned);
    if state.token.is_some() && state.token != token && storage_path.is_none() {
        head(stream, 401, &nothing)?;
        return Ok(true);
    }
    if path == "/api/models/owner/model/revision/main?blobs=true" {
        let fault = next_fault(&mut state, "listing");
        if let Some(Fault::Status(status)) = fault {
            head(stream, status, &nothing)?;
            return Ok(true);
        }
        let body = state.listing.clone().unwrap_or_else(|| listing(&state));
        head(stream, 200, &[("content-length", body.len().to_string())])?;
        stream.write_all(body.as_bytes())?;
        return Ok(true);
    }
    let resolve = format!("/owner/model/resolve/{COMMIT}/");
    let Some(name) = storage_path.clone().or_else(|| path.strip_prefix(&resolve).map(str::to_owned)) else {
        head(stream, 404, &nothing)?;
        return Ok(true);
    };
    let Some(at) = state.files.iter().position(|(path, _)| *path == name) else {
        head(stream, 404, &nothing)?;
        return Ok(true);
    };
    let (content, large) = (state.files[at].1.content.clone(), state.files[at].1.large);
    if large && storage_path.is_none() {
        let target = state.storage.clone().unwrap_or_default();
        let mut headers = vec![
            (
                "location",
                format!(
                    "{}/storage/{name}",
                    if target.is_empty() { format!("http://{}", stream.local_addr()?) } else { target }
                ),
            ),
            ("x-linked-etag", format!("\"{}\"", sha256(&content))),
            ("x-linked-size", content.len().to_string()),
            ("x-repo-commit", COMMIT.to_owned()),
        ];
        headers.push(nothing[0].clone());
        head(stream, 302, &headers)?;
        return Ok(true);
    }
    let fault = if method == "GET" { next_fault(&mut state, &name) } else { None };
    drop(state);
    send(stream, method, &content, range.as_deref(), fault)
}

fn next_fault(state: &mut State, path: &str) -> Option<Fault> {
    let faults = state.faults.get_mut(path)?;
    (!faults.is_empty()).then(|| faults.remove(0))
}

fn listing(state: &State) -> String {
    let siblings: Vec<_> = state
        .files
        .iter()
        .map(|(path, file)| {
            let mut entry = serde_json::json!({ "rfilename": path, "size": file.content.len(), "blobId": blob_id(&file.content) });
            if file.large {
                entry["lfs"] = serde_json::json!({ "sha256": sha256(&file.content), "size": file.content.len(), "pointerSize": 130 });
            }
            entry
        })
        .collect();
    serde_json::json!({ "id": "owner/model", "sha": COMMIT, "siblings": siblings }).to_string()
}

fn send(
    stream: &mut TcpStream,
    method: &str,
    content: &[u8],
    range: Option<&str>,
    fault: Option<Fault>,
) -> std::io::Result<bool> {
    match fault {
        Some(Fault::Status(status)) => {
            head(stream, status, &[("content-length", "0".to_owned())])?;
            return Ok(true);
        }
        Some(Fault::Busy) => {
            head(stream, 429, &[("content-length", "0".to_owned()), ("retry-after", "1".to_owned())])?;
            return Ok(true);
        }
        _ => {}
    }
    let start: usize = match (fault, range) {
        (Some(Fault::NoRange), _) | (_, None) => 0,
        (_, Some(range)) => range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap(),
    };
    let mut body = content[start.min(content.len())..].to_vec();
    let mut announced = body.len();
    match fault {
        Some(Fault::AnnounceMore(more)) => announced += more,
        Some(Fault::SendMore(more)) => {
            body.extend(vec![7; more]);
            announced = body.len();
        }
        Some(Fault::Garble) => body[0] ^= 1,
        Some(Fault::CutAfter(bytes)) => body.truncate(bytes),
        _ => {}
    }
    let mut headers = vec![
        ("content-length", announced.to_string()),
        ("etag", format!("\"{}\"", blob_id(content))),
        ("x-repo-commit", COMMIT.to_owned()),
    ];
    if start > 0 {
        headers.push(("content-range", format!("bytes {start}-{}/{}", content.len() - 1, content.len())));
    }
    head(stream, if start > 0 { 206 } else { 200 }, &headers)?;
    if method == "GET" {
        stream.write_all(&body)?;
    }
    Ok(announced == body.len() || method == "HEAD")
}
