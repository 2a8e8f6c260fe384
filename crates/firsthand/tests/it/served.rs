//! A server under test: the program itself on a free port, asked over plain HTTP, stopped at the end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::program;

/// A running `firsthand serve`.
pub(crate) struct Served {
    child: Child,
    pub(crate) address: String,
    pub(crate) log: std::path::PathBuf,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The reply, which must be a success.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }
}

impl Served {
    /// Starts with the model inside the program and waits until it answers.
    pub(crate) fn start(home: &Path, flags: &[&str]) -> Served {
        let mut command = program(home);
        command.args(["serve", "--port", "0"]).args(flags);
        Served::run(command, home)
    }

    pub(crate) fn run(mut command: Command, home: &Path) -> Served {
        let log = home.join("serve.log");
        let stderr = fs_err::File::create(&log).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(stderr.into_file()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://");
        let text = || fs_err::read_to_string(&log).unwrap();
        let address = address.unwrap_or_else(|| panic!("{line:?}; {}", text())).to_owned();
        let served = Served { child, address, log };
        let until = Instant::now() + Duration::from_secs(120);
        while served.get("/health").status != 200 {
            assert!(Instant::now() < until, "never ready");
            std::thread::sleep(Duration::from_millis(50));
        }
        served
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_with(path, body, "")
    }

    /// With further head lines, each ended by `\r\n`.
    pub(crate) fn post_with(&self, path: &str, body: &Value, lines: &str) -> Reply {
        self.send(&request(&self.address, path, &body.to_string(), lines))
    }

    /// Bytes as a body.
    pub(crate) fn post_bytes(&self, path: &str, bytes: &[u8], lines: &str) -> Reply {
        self.exchange(&request_of_bytes(&self.address, path, bytes, lines))
    }

    pub(crate) fn chat(&self, body: &Value) -> Reply {
        self.post("/v1/chat/completions", body)
    }

    /// Bytes as they are, and what comes back until the server closes.
    pub(crate) fn send(&self, bytes: &str) -> Reply {
        self.exchange(bytes.as_bytes())
    }

    fn exchange(&self, bytes: &[u8]) -> Reply {
        attempt(&self.address, bytes).unwrap()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        stream
    }

    /// A number of `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        self.metric_with(name, "")
    }

    /// With further head lines, each ended by `\r\n`.
    pub(crate) fn metric_with(&self, name: &str, lines: &str) -> f64 {
        let head =
            format!("GET /metrics HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{lines}\r\n", self.address);
        let page = self.send(&head).body;
        let line = page.lines().find_map(|line| line.strip_prefix(&format!("firsthand_{name} ")));
        line.unwrap_or_else(|| panic!("{name} is missing in {page}")).parse().unwrap()
    }

    /// Waits until something is true of it: who has read an answer may be ahead of the server's books.
    pub(crate) fn until(&self, what: &str, is_true: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(15);
        while !is_true() {
            assert!(Instant::now() < deadline, "{what}: {}", self.get("/metrics").body);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end; its exit code.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends bytes to a server that may go away, and reads what comes back until it closes.
pub(crate) fn attempt(address: &str, bytes: &[u8]) -> std::io::Result<Reply> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    // A server that refuses early may not read all of it, and one that closes early may reset.
    let _ = stream.write_all(bytes);
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if is_chunked { unchunked(body) } else { body.to_owned() };
    Ok(Reply { status, head: head.to_owned(), body })
}

/// A POST of bytes.
pub(crate) fn request_of_bytes(address: &str, path: &str, bytes: &[u8], lines: &str) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{lines}content-length: {}\r\n\r\n",
        bytes.len()
    );
    [head.as_bytes(), bytes].concat()
}

/// A POST as text.
pub(crate) fn request(address: &str, path: &str, body: &str, lines: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n{lines}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn unchunked(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || rest.len() < size {
            break;
        }
        text.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    text
}
