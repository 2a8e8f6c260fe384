//! What the server counts, and its page for Prometheus. Numbers only; whose they are is not told.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use firsthand_engine::{Answer, Stats};

/// Upper ends of the classes of a time, in seconds.
const BOUNDS_S: [f64; 10] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0];

/// Counters since the start and the present load.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    requests: Mutex<BTreeMap<(String, u16), u64>>,
    took: Mutex<BTreeMap<&'static str, Times>>,
    prompt_tokens: AtomicU64,
    cached_tokens: AtomicU64,
    new_tokens: AtomicU64,
    cancelled: AtomicU64,
    media_opened: AtomicU64,
    media_killed: AtomicU64,
    waiting: AtomicU64,
    running: AtomicU64,
    cache_blocks: AtomicU64,
    steps: AtomicU64,
}

#[derive(Debug, Default)]
struct Times {
    classes: [u64; BOUNDS_S.len()],
    count: u64,
    seconds: f64,
}

impl Gauges {
    pub(crate) fn request(&self, route: &str, status: u16, took: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((route.to_owned(), status)).or_default() += 1;
        drop(requests);
        self.time("request", took);
    }

    fn time(&self, name: &'static str, took: Duration) {
        let mut all = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        let times = all.entry(name).or_default();
        let seconds = took.as_secs_f64();
        for (class, bound) in times.classes.iter_mut().zip(BOUNDS_S) {
            *class += u64::from(seconds <= bound);
        }
        times.count += 1;
        times.seconds += seconds;
    }

    pub(crate) fn answer(&self, answer: &Answer) {
        let generation = &answer.generation;
        self.prompt_tokens.fetch_add(generation.prompt_tokens as u64, Ordering::Relaxed);
        self.cached_tokens.fetch_add(generation.cached_tokens as u64, Ordering::Relaxed);
        self.new_tokens.fetch_add(generation.new_tokens as u64, Ordering::Relaxed);
        let timing = &answer.timing;
        self.time("first_token", timing.render + timing.wait + timing.encode + timing.prefill);
    }

    pub(crate) fn cancelled(&self) {
        self.cancelled.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn medium(&self, took: Duration) {
        self.media_opened.fetch_add(1, Ordering::Relaxed);
        self.time("medium", took);
    }

    pub(crate) fn media_killed(&self) {
        self.media_killed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn load(&self, waiting: usize, running: usize, stats: Stats) {
        self.waiting.store(waiting as u64, Ordering::Relaxed);
        self.running.store(running as u64, Ordering::Relaxed);
        self.cache_blocks.store(stats.available_blocks as u64, Ordering::Relaxed);
        self.steps.store(stats.forwards, Ordering::Relaxed);
    }

    /// The page, in the text format of Prometheus.
    pub(crate) fn page(&self, inside: usize, live_sessions: usize) -> String {
        let mut out = String::new();
        let counters: [(&str, &str, u64); 13] = [
            ("prompt_tokens_total", "counter", self.prompt_tokens.load(Ordering::Relaxed)),
            ("cached_tokens_total", "counter", self.cached_tokens.load(Ordering::Relaxed)),
            ("new_tokens_total", "counter", self.new_tokens.load(Ordering::Relaxed)),
            ("cancelled_total", "counter", self.cancelled.load(Ordering::Relaxed)),
            ("media_opened_total", "counter", self.media_opened.load(Ordering::Relaxed)),
            ("media_killed_total", "counter", self.media_killed.load(Ordering::Relaxed)),
            ("steps_total", "counter", self.steps.load(Ordering::Relaxed)),
            ("requests_inside", "gauge", inside as u64),
            ("live_sessions", "gauge", live_sessions as u64),
            ("sequences_waiting", "gauge", self.waiting.load(Ordering::Relaxed)),
            ("sequences_running", "gauge", self.running.load(Ordering::Relaxed)),
            ("cache_blocks_available", "gauge", self.cache_blocks.load(Ordering::Relaxed)),
            ("resident_bytes", "gauge", resident_bytes()),
        ];
        for (name, kind, value) in counters {
            let _ = writeln!(out, "# TYPE firsthand_{name} {kind}\nfirsthand_{name} {value}");
        }
        let _ = writeln!(out, "# TYPE firsthand_requests_total counter");
        for ((route, status), count) in self.requests.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ =
                writeln!(out, "firsthand_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}");
        }
        for (name, times) in self.took.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = writeln!(out, "# TYPE firsthand_{name}_seconds histogram");
            for (class, bound) in times.classes.iter().zip(BOUNDS_S) {
                let _ = writeln!(out, "firsthand_{name}_seconds_bucket{{le=\"{bound}\"}} {class}");
            }
            let _ = writeln!(out, "firsthand_{name}_seconds_bucket{{le=\"+Inf\"}} {}", times.count);
            let _ = writeln!(out, "firsthand_{name}_seconds_sum {}", times.seconds);
            let _ = writeln!(out, "firsthand_{name}_seconds_count {}", times.count);
        }
        out
    }
}

/// Memory of this process, 0 where the system does not say.
fn resident_bytes() -> u64 {
    let pages = fs_err::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}
