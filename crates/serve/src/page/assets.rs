//! The files of the page, embedded in the program, and the policy they run under: scripts, styles and requests of this
//! address alone, nothing inline, nobody's frame.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Nothing but what this server gives; pictures and films also from files that the person chose.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

macro_rules! assets {
    ($($name:literal)*) => { [$(($name, include_str!(concat!("../../page/", $name)))),*] };
}

/// Name and content.
static ASSETS: [(&str, &str); 19] = assets! {
    "answer.js" "api.js" "app.js" "ask.js" "base.css" "charts.js" "dom.js" "icon.svg" "index.html" "memory.js"
    "reply.js" "results.js" "runs.js" "stage.js" "strip.js" "timeline.js" "times.js" "trace.js" "views.css"
};

pub(super) async fn index(headers: HeaderMap) -> Response {
    give("index.html", &headers)
}

pub(super) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    give(&name, &headers)
}

/// What kind of file it is, by the ending of its name.
fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        _ => "image/svg+xml",
    }
}

fn give(name: &str, asked: &HeaderMap) -> Response {
    let Some((_, content)) = ASSETS.iter().find(|(known, _)| *known == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = format!("\"{}\"", &blake3::hash(content.as_bytes()).to_hex()[..16]);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind(name))),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        // The program may be another one after the next start.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    let same = asked.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = match same {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => (*content).into_response(),
    };
    response.headers_mut().extend(headers);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page runs under a policy without inline scripts or styles, and parses no text as HTML: what would not work,
    /// or would be a hole, is not written.
    #[test]
    fn nothing_is_inline_and_no_text_becomes_markup() {
        for (name, content) in ASSETS {
            for never in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"]
            {
                assert!(!content.contains(never), "{name} holds {never}");
            }
            let outside = content.replace("http://www.w3.org/", "");
            assert!(!outside.contains("http://") && !outside.contains("https://"), "{name} names a host");
            if name.ends_with(".html") {
                // `onclick=` and its kin: " on" and letters up to a "=".
                let listens = content
                    .split(" on")
                    .skip(1)
                    .any(|rest| rest.trim_start_matches(|c: char| c.is_ascii_lowercase()).starts_with('='));
                assert!(!content.contains("style=") && !listens, "{name} is inline");
                assert_eq!(
                    content.matches("<script").count(),
                    content.matches("<script type=\"module\" src=").count()
                );
            }
        }
    }

    /// Every file that a script loads is embedded.
    #[test]
    fn what_is_imported_is_there() {
        for (name, content) in ASSETS.iter().filter(|(name, _)| name.ends_with(".js")) {
            for part in content.split("\"./").skip(1) {
                let wanted = part.split('"').next().unwrap_or_default();
                let known = ASSETS.iter().any(|(known, _)| *known == wanted);
                // Types are for the checker, in comments only.
                assert!(known || wanted == "types.js", "{name} imports {wanted}");
            }
        }
    }
}
