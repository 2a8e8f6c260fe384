//! What all requests share: the model's thread, the gate, media, uploads, counters. Holds no state of any request.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::extract::Request;
use axum::http::header;
use firsthand_base::GenerateError;
use firsthand_input::Renderer;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::chat::schema::Schemas;
use crate::days::{Days, OpenDays, Speaker};
use crate::files::Files;
use crate::gauges::Gauges;
use crate::live::Live;
use crate::media::Media;
use crate::options::ServeOptions;
use crate::page::Shown;
use crate::queue::{Gate, Key, Ticket};
use crate::rates::Rates;
use crate::refusal::{Answered, Refusal};
use crate::worker::{Ready, Worker};

/// Bodies that may be in memory at once, as so many of the largest.
const BODIES: usize = 8;

/// Turns texts into vectors of length one, and tells how many tokens it read.
pub type Encode = Box<dyn FnMut(&[&str]) -> Result<(Vec<Vec<f32>>, usize), String> + Send>;

/// An encoder made for retrieval.
pub struct TextEncoder {
    /// What clients call it.
    pub name: String,
    /// What it does.
    pub encode: Mutex<Encode>,
}

/// What all requests share.
pub(crate) struct App {
    pub(crate) options: ServeOptions,
    pub(crate) model: String,
    pub(crate) shown: Shown,
    pub(crate) gate: Arc<Gate>,
    pub(crate) rates: Rates,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) files: Arc<Files>,
    pub(crate) live: Arc<Live>,
    pub(crate) media: Media,
    pub(crate) worker: Worker,
    /// What embeds in the model's place, where it was given.
    pub(crate) encoder: Option<TextEncoder>,
    pub(crate) loaded: Arc<OnceLock<Ready>>,
    pub(crate) created_s: u64,
    pub(crate) bodies: Semaphore,
    pub(crate) schemas: OnceLock<Result<Schemas, String>>,
    /// Makes the tools over a memory, once.
    pub(crate) open_days: Mutex<Option<OpenDays>>,
    pub(crate) has_days: bool,
    pub(crate) days: OnceLock<Result<Days, String>>,
}

/// Room for request bodies, in KiB.
pub(crate) fn body_room(options: &ServeOptions) -> Semaphore {
    Semaphore::new((options.limits.body_bytes >> 10).max(1) * BODIES)
}

impl App {
    /// The model, once it is loaded.
    pub(crate) fn ready(&self) -> Answered<Ready> {
        self.loaded.get().cloned().ok_or_else(|| Refusal::unavailable("the model is being loaded"))
    }

    /// Refuses a request for another model. An empty name is this one's.
    pub(crate) fn check_model(&self, name: &str) -> Answered<()> {
        if name.is_empty() || name == self.model {
            return Ok(());
        }
        let refusal =
            Refusal::absent(&format!("model {:?} here; this server has {}", brief(name), self.model));
        Err(Refusal { code: "model_not_found", param: Some("model".into()), ..refusal })
    }

    /// Lets in a request that a model or a memory answers: while there is a place, and while its key has not asked too much.
    pub(crate) fn enter(&self, key: Key) -> Answered<Ticket> {
        let ticket = self.gate.enter(key)?;
        self.rates.ask(key)?;
        Ok(ticket)
    }

    /// The constraints on answers that this checkpoint's tokens allow.
    pub(crate) fn schemas(&self, renderer: &Renderer) -> Answered<&Schemas> {
        let made = self.schemas.get_or_init(|| Schemas::new(renderer));
        made.as_ref()
            .map_err(|_| Refusal::bad("this checkpoint's tokenizer cannot be constrained to a schema"))
    }

    /// Whether a memory is served.
    pub(crate) fn has_days(&self) -> bool {
        self.has_days
    }

    /// The tools over the memory. The first caller waits while they are made.
    pub(crate) fn days(&self) -> Answered<Days> {
        if !self.has_days {
            return Err(Refusal::absent("memory here; start the server with --memory"));
        }
        let ready = self.ready()?;
        let made = self.days.get_or_init(|| {
            let open = self.open_days.lock().unwrap_or_else(PoisonError::into_inner).take();
            let speaker = Speaker { worker: self.worker.clone(), ready };
            open.map_or_else(
                || Err("it was opened before".into()),
                |open| open(Arc::new(Mutex::new(speaker))),
            )
        });
        made.clone().map_err(|reason| Refusal::internal(&reason))
    }

    /// A message without paths of this machine.
    pub(crate) fn public(&self, message: &str) -> String {
        match self.loaded.get() {
            Some(ready) => message.replace(&*ready.directory, &self.model),
            None => message.to_owned(),
        }
    }

    /// What went wrong with a sequence.
    pub(crate) fn failed(&self, error: &GenerateError) -> Refusal {
        match error {
            GenerateError::Request(message) => Refusal::bad(self.public(message)),
            other => Refusal::internal(&other.to_string()),
        }
    }

    /// The JSON of a request's body, which must arrive in time and fit.
    pub(crate) async fn json(&self, request: Request) -> Answered<Value> {
        let most = self.options.limits.body_bytes;
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_json = kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json"));
        if !is_json && announced(&request).is_none_or(|length| length <= most) {
            let wrong = "send content-type: application/json";
            return Err(Refusal::new(
                axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                wrong,
            ));
        }
        let bytes = self.body(request, most).await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Refusal::bad(format!("the body is not JSON: line {}, column {}", error.line(), error.column()))
        })
    }

    /// The bytes of a request's body, which must arrive in time and be no more than `most`.
    pub(crate) async fn body(&self, request: Request, most: usize) -> Answered<bytes::Bytes> {
        if announced(&request).is_some_and(|length| length > most) {
            return Err(too_large(most));
        }
        let patience = Duration::from_secs_f64(self.options.limits.body_seconds);
        let bytes = self.bytes(request.into_body(), most);
        tokio::time::timeout(patience, bytes).await.map_err(|_| {
            let slow = "the body did not arrive in time";
            Refusal::new(axum::http::StatusCode::REQUEST_TIMEOUT, "timeout", slow)
        })?
    }

    /// A body, which takes room for what has come and not for what it says will come: one that arrives slowly keeps no
    /// other out.
    async fn bytes(&self, body: Body, most: usize) -> Answered<bytes::Bytes> {
        let (mut body, mut bytes) = (Limited::new(body, most), bytes::BytesMut::new());
        let stopping = |_| Refusal::unavailable("the server is stopping");
        let (mut held, mut kib) = (self.bodies.acquire().await.map_err(stopping)?, 1);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
                true => too_large(most),
                false => Refusal::bad("the body broke off"),
            })?;
            let Ok(piece) = frame.into_data() else { continue };
            let needed = ((bytes.len() + piece.len()) >> 10) + 1;
            if needed > kib {
                // Whoever holds room and waits for more may wait for one who does the same.
                let more = self.bodies.try_acquire_many((needed - kib) as u32);
                let full = "the bodies of other requests take all the room there is; send it again";
                held.merge(more.map_err(|_| Refusal::busy(full))?);
                kib = needed;
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }
}

/// How long a request says its body is.
fn announced(request: &Request) -> Option<usize> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(most: usize) -> Refusal {
    let message = format!("the body has more than {most} bytes; upload media to /v1/files");
    Refusal::new(axum::http::StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
}

/// A foreign word, short enough to repeat.
pub(crate) fn brief(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Seconds since 1970.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Whose request it is, put there by the guard.
pub(crate) fn key_of(request: &Request) -> Key {
    request.extensions().get::<Key>().copied().unwrap_or(0)
}
