//! The log: one line of JSON on stderr for each request and each fault. Names routes, states and sizes; never words,
//! media, keys or addresses of media.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

/// Writes one line. A log that cannot be written stops nothing.
pub(crate) fn line(event: &str, fields: Value) {
    let at =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let mut line = json!({"at": (at * 1e3).round() / 1e3, "event": event});
    if let (Value::Object(line), Value::Object(fields)) = (&mut line, fields) {
        line.extend(fields);
    }
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Logs a fault of this program and answers the number it is found under.
pub(crate) fn fault(what: &str) -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    line("fault", json!({"fault": number, "what": what}));
    number
}

/// Logs an answered request.
pub(crate) fn request(method: &str, route: &str, status: u16, took: Duration) {
    line(
        "request",
        json!({"method": method, "route": route, "status": status, "ms": took.as_millis() as u64}),
    );
}
