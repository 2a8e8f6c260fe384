//! The routes, in one table: method, path, what it is for. The router and `/openapi.json` are made from the same lines.

mod chat;
mod days;
mod embeddings;
mod files;
mod live;
mod openapi;
mod responses;
mod responses_input;
mod responses_stream;
mod state;
mod tokenize;

pub(crate) use embeddings::read as read_embeddings;
pub(crate) use live::read_new;
pub(crate) use responses_input::as_chat;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use crate::app::App;
use crate::http::guard::guard;
use crate::mcp::Mcp;
use crate::mcp_lines::not_json;
use crate::refusal::Refusal;

/// One path of the server.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    /// Methods and what each does.
    pub(crate) methods: &'static [(&'static str, &'static str)],
    make: fn() -> MethodRouter<Arc<App>>,
}

/// Everything that is served.
pub(crate) const ROUTES: &[Route] = &[
    Route { path: "/health", methods: &[("get", "whether the model answers")], make: || get(state::health) },
    Route { path: "/metrics", methods: &[("get", "counters for Prometheus")], make: || get(state::metrics) },
    Route { path: "/openapi.json", methods: &[("get", "these routes")], make: || get(openapi::page) },
    Route { path: "/v1/models", methods: &[("get", "the model")], make: || get(state::models) },
    Route {
        path: "/v1/models/{*model}",
        methods: &[("get", "the model by name")],
        make: || get(state::model),
    },
    Route {
        path: "/v1/chat/completions",
        methods: &[("post", "an answer to a conversation with text, images and videos")],
        make: || post(chat::completions),
    },
    Route {
        path: "/v1/responses",
        methods: &[("post", "an answer in the form of responses")],
        make: || post(responses::respond),
    },
    Route {
        path: "/v1/embeddings",
        methods: &[("post", "mean hidden states of texts")],
        make: || post(embeddings::embed),
    },
    Route {
        path: "/v1/files",
        methods: &[("get", "the uploads of this key"), ("post", "an upload (multipart)")],
        make: || get(files::list).post(files::upload).layer(DefaultBodyLimit::disable()),
    },
    Route {
        path: "/v1/files/{id}",
        methods: &[("get", "an upload's facts"), ("delete", "delete an upload")],
        make: || get(files::show).delete(files::delete),
    },
    Route {
        path: "/v1/files/{id}/content",
        methods: &[("get", "an upload's bytes")],
        make: || get(files::content),
    },
    Route {
        path: "/v1/live",
        methods: &[("get", "the live sessions of this key"), ("post", "a new live session")],
        make: || get(live::list).post(live::create),
    },
    Route {
        path: "/v1/live/{id}",
        methods: &[("get", "how a live session stands"), ("delete", "delete a live session")],
        make: || get(live::show).delete(live::delete),
    },
    Route {
        path: "/v1/live/{id}/frames",
        methods: &[("post", "a picture (JPEG or PNG) seen at ?at= seconds")],
        make: || post(live::take::<false>),
    },
    Route {
        path: "/v1/live/{id}/segments",
        methods: &[("post", "a piece of film (MP4) that begins at ?at= seconds")],
        make: || post(live::take::<true>),
    },
    Route {
        path: "/v1/live/{id}/ask",
        methods: &[("post", "an answer about what a live session sees and remembers")],
        make: || post(live::ask),
    },
    Route {
        path: "/tokenize",
        methods: &[("post", "the tokens of a text or a conversation")],
        make: || post(tokenize::tokenize),
    },
    Route {
        path: "/detokenize",
        methods: &[("post", "the text of tokens")],
        make: || post(tokenize::detokenize),
    },
    Route {
        path: "/query",
        methods: &[("post", "records of a memory (published tool route)")],
        make: || post(days::query),
    },
    Route {
        path: "/video_llm",
        methods: &[("post", "a look at a range of a memory (published tool route)")],
        make: || post(days::video_llm),
    },
    Route {
        path: "/vlm",
        methods: &[("post", "a look at a moment of a memory (published tool route)")],
        make: || post(days::vlm),
    },
    Route {
        path: "/video/infer",
        methods: &[("post", "a look at a file (published tool route)")],
        make: || post(days::video_infer),
    },
];

/// The Model Context Protocol over HTTP; one POST per message, no sessions.
pub(crate) const MCP: &str = "/mcp";

/// Answers a body that is no JSON as the protocol has it, before its library sees it.
async fn told(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let whole = Request::from_parts(head.clone(), body);
    let bytes = match app.body(whole, app.options.limits.body_bytes).await {
        Ok(bytes) => bytes,
        Err(refusal) => return refusal.into_response(),
    };
    match not_json(&bytes) {
        Some(answer) => (StatusCode::BAD_REQUEST, axum::Json(answer)).into_response(),
        None => next.run(Request::from_parts(head, Body::from(bytes))).await,
    }
}

fn mcp(app: &Arc<App>) -> StreamableHttpService<Mcp, NeverSessionManager> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        // Hosts, origins and keys are the guard's business, for this route as for all.
        .disable_allowed_hosts()
        .with_max_request_body_bytes(app.options.limits.body_bytes);
    let app = app.clone();
    StreamableHttpService::new(move || Ok(Mcp { app: app.clone() }), Arc::default(), config)
}

/// All routes behind the guard.
pub(crate) fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        router = router.route(route.path, (route.make)());
    }
    let missing = || async { Refusal::absent("such route") };
    let wrong = || async {
        Refusal::new(axum::http::StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "not with this method")
    };
    router
        .merge(Router::new().route_service(MCP, mcp(&app)).layer(from_fn_with_state(app.clone(), told)))
        .merge(crate::page::routes())
        .fallback(missing)
        .method_not_allowed_fallback(wrong)
        .layer(from_fn_with_state(app.clone(), guard))
        .with_state(app)
}
