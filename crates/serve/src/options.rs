//! What a server may do and how much of it: one immutable, checked value. Safe by default: it listens on this machine
//! alone, fetches nothing, reads no files but those that were uploaded.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Where a server listens, what it lets in and what it may open.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeOptions {
    /// Address to listen on. Anything but a loopback address needs keys.
    pub host: IpAddr,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Keys of which a request must carry one; none lets everybody in.
    #[serde(skip)]
    pub api_keys: Vec<String>,
    /// Hosts from which media are fetched, `name` or `name:port`.
    pub media_hosts: Vec<String>,
    /// Whether an allowed host may be on a private network or this machine.
    pub private_media: bool,
    /// Folder whose files may be named in requests.
    pub media_root: Option<PathBuf>,
    /// Folder in which a server without `state_dir` makes one of its own, gone when it ends.
    pub files_dir: PathBuf,
    /// Folder of uploads and live sessions that outlive the server.
    pub state_dir: Option<PathBuf>,
    /// This program, which opens media in processes of their own.
    pub program: PathBuf,
    /// How much of everything.
    pub limits: Limits,
}

/// How much one request, one key and the whole server may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Sequences that run together.
    pub sequences: usize,
    /// Requests that wait or run; one more is refused with 429.
    pub queue: usize,
    /// Requests of one key that wait or run.
    pub queue_per_key: usize,
    /// Connections at once.
    pub connections: usize,
    /// Bytes of a request's body, uploads excepted.
    pub body_bytes: usize,
    /// Bytes of one upload, one fetched file or one inline medium.
    pub file_bytes: u64,
    /// Bytes of all uploads together.
    pub files_bytes: u64,
    /// Uploads kept.
    pub files: usize,
    /// The media of one request, and who opens them.
    pub media: MediaLimits,
    /// New tokens of one answer.
    pub max_tokens: usize,
    /// Answers of one request.
    pub choices: usize,
    /// Texts of one request for embeddings.
    pub inputs: usize,
    /// Live sessions.
    pub live: LiveLimits,
    /// What a key may ask in a minute.
    pub rates: RateLimits,
    /// Seconds in which a request's head must arrive.
    pub head_seconds: f64,
    /// Seconds in which a request's body must arrive.
    pub body_seconds: f64,
    /// Seconds that running requests get when the server is told to stop.
    pub drain_seconds: f64,
}

/// How much the media of one request may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MediaLimits {
    /// Images and videos, each picture of a list counted.
    pub count: usize,
    /// Frames.
    pub frames: usize,
    /// Pixels of one picture before it is resized.
    pub picture_pixels: usize,
    /// Pixels of all after resizing.
    pub pixels: usize,
    /// Seconds in which they must be opened.
    pub seconds: f64,
    /// Processes that open media, of all requests.
    pub workers: usize,
    /// Address space of each, in MiB.
    pub memory_mib: u64,
}

impl Default for MediaLimits {
    fn default() -> Self {
        MediaLimits {
            count: 64,
            frames: 768,
            picture_pixels: 50_000_000,
            pixels: 1 << 28,
            seconds: 60.0,
            workers: 2,
            memory_mib: 4096,
        }
    }
}

/// How much one key may ask in a minute; 0 sets no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// Requests that are answered by a model or a memory.
    pub requests: u64,
    /// Tokens that are read and written.
    pub tokens: u64,
}

/// How much live sessions may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LiveLimits {
    /// Sessions in all.
    pub sessions: usize,
    /// Sessions of one key.
    pub sessions_per_key: usize,
    /// Newest frames that a session keeps as pictures; older ones are remembered in words.
    pub window: usize,
    /// Bytes of pictures of one session, half of them in the window and half on their way into memory.
    pub session_bytes: u64,
    /// Pixels of one frame as it is sent.
    pub frame_pixels: usize,
    /// Seconds of one segment.
    pub segment_seconds: f64,
    /// Seconds after which a session that nobody asks for is deleted.
    pub idle_seconds: f64,
}

impl Default for LiveLimits {
    fn default() -> Self {
        LiveLimits {
            sessions: 64,
            sessions_per_key: 16,
            window: 32,
            session_bytes: 64 << 20,
            frame_pixels: 8_300_000,
            segment_seconds: 60.0,
            idle_seconds: 3600.0,
        }
    }
}

impl Default for ServeOptions {
    fn default() -> Self {
        ServeOptions {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8000,
            api_keys: Vec::new(),
            media_hosts: Vec::new(),
            private_media: false,
            media_root: None,
            files_dir: PathBuf::from("files"),
            state_dir: None,
            program: PathBuf::from("firsthand"),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            sequences: 16,
            queue: 64,
            queue_per_key: 32,
            connections: 512,
            body_bytes: 64 << 20,
            file_bytes: 1 << 30,
            files_bytes: 8 << 30,
            files: 1024,
            media: MediaLimits::default(),
            max_tokens: 32_768,
            choices: 8,
            inputs: 256,
            live: LiveLimits::default(),
            rates: RateLimits::default(),
            head_seconds: 10.0,
            body_seconds: 60.0,
            drain_seconds: 30.0,
        }
    }
}

impl ServeOptions {
    /// Refuses what is unsafe or cannot work.
    pub fn validate(&self) -> Result<()> {
        let refuse = |what: String, remedy: &'static str| Err(Error::Options { what, remedy });
        if !self.host.is_loopback() && self.api_keys.is_empty() {
            let what = format!("{} is open to other machines and there is no key", self.host);
            return refuse(what, "give --api-key or FIRSTHAND_API_KEYS, or listen on 127.0.0.1");
        }
        let usable = |key: &String| key.len() >= 8 && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !self.api_keys.iter().all(usable) {
            return refuse(
                "a key is too short or has odd characters".into(),
                "use 8 printable characters or more",
            );
        }
        let limits = &self.limits;
        let counts = [
            ("sequences", limits.sequences),
            ("queue", limits.queue),
            ("queue_per_key", limits.queue_per_key),
            ("connections", limits.connections),
            ("media.workers", limits.media.workers),
            ("choices", limits.choices),
            ("max_tokens", limits.max_tokens),
            ("live.window", limits.live.window),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return refuse(format!("{name} is 0"), "give at least 1");
        }
        let seconds = [
            limits.media.seconds,
            limits.head_seconds,
            limits.body_seconds,
            limits.drain_seconds,
            limits.live.segment_seconds,
            limits.live.idle_seconds,
        ];
        if seconds.iter().any(|seconds| !(0.01..=1e6).contains(seconds)) {
            return refuse("a number of seconds is out of range".into(), "give 0.01 to 1000000");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_need_a_key() {
        let check = |host: &str, keys: &[&str]| {
            let api_keys = keys.iter().map(|key| (*key).to_owned()).collect();
            ServeOptions { host: host.parse().unwrap(), api_keys, ..ServeOptions::default() }
                .validate()
                .is_ok()
        };
        assert!(check("127.0.0.1", &[]) && check("::1", &[]));
        assert!(!check("0.0.0.0", &[]) && !check("192.168.1.5", &[]) && !check("::", &[]));
        assert!(check("0.0.0.0", &["0123456789"]));
        assert!(!check("127.0.0.1", &["short"]) && !check("127.0.0.1", &["with a space"]));
    }
}
