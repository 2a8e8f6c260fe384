//! What every request passes before a route sees it: the host it believes to speak to, the page it comes from, its
//! key; and what every answer passes: counting, one line of log, headers that browsers heed.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::log;
use crate::queue::Key;
use crate::refusal::{Answered, Refusal};

/// Routes that are open to everybody: they tell nothing of anybody.
const OPEN: [&str; 2] = ["/health", "/openapi.json"];

/// Lets a request through to its route, or answers in its place.
pub(crate) async fn guard(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", |path| path.as_str()).to_owned();
    let method = request.method().clone();
    let checked = check_origin(&app, &request).and_then(|()| {
        match OPEN.iter().chain(&crate::page::OPEN).any(|open| *open == route) {
            true => Ok(0),
            false => find_key(&app, &request),
        }
    });
    let mut response = match checked {
        Ok(key) => {
            request.extensions_mut().insert::<Key>(key);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let (status, took) = (response.status().as_u16(), started.elapsed());
    app.gauges.request(&route, status, took);
    log::request(method.as_str(), &route, status, took);
    response
}

/// A page of another site may neither ask in its visitor's name nor, by a name that resolves to this machine, read.
fn check_origin(app: &App, request: &Request) -> Answered<()> {
    let text = |name| request.headers().get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("?"));
    let forbidden = |why: &str| Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden", why));
    let host = text(header::HOST).unwrap_or_default();
    if app.options.host.is_loopback() && !is_local(host) {
        return forbidden("this server answers to localhost alone");
    }
    match text(header::ORIGIN) {
        Some(origin) if origin != format!("http://{host}") && origin != format!("https://{host}") => {
            forbidden("pages of other sites may not ask")
        }
        _ => Ok(()),
    }
}

/// Whether a host header names this machine.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The number of the key that a request carries. Hashes are compared, which takes the same time for every guess.
fn find_key(app: &App, request: &Request) -> Answered<Key> {
    if app.options.api_keys.is_empty() || *request.method() == Method::OPTIONS {
        return Ok(0);
    }
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given =
        given.and_then(|value| value.split_once(' ').filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer")));
    let given = blake3::hash(given.map_or("", |(_, key)| key.trim()).as_bytes());
    let mut found = None;
    for (number, key) in app.options.api_keys.iter().enumerate() {
        if blake3::hash(key.as_bytes()) == given {
            found = Some(number);
        }
    }
    found.ok_or_else(|| {
        let message = "a valid key is missing: send authorization: Bearer <key>";
        Refusal::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_local() {
        for host in ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "LOCALHOST:80", "127.9.9.9"]
        {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:8000",
            "10.0.0.1",
            "127.0.0.1.evil.example",
            "[::2]:1",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
