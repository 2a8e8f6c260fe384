//! `/v1/files`: uploads that requests name as `file-...`. Bytes go to the disk as they come, each piece in time.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::app::App;
use crate::queue::Key;
use crate::refusal::{Answered, Refusal};
use crate::state::Draft;

/// Room that is claimed at a time.
const CLAIM: u64 = 1 << 20;
/// Bytes that are read at a time.
const PIECE: usize = 64 << 10;

/// Stores an upload: the multipart fields `purpose` and `file`.
pub(crate) async fn upload(
    State(app): State<Arc<App>>,
    Extension(key): Extension<Key>,
    request: Request,
) -> Answered<Json<Value>> {
    let _ticket = app.gate.enter(key)?;
    let broken = |_| Refusal::bad("the upload is not multipart/form-data, or broke off");
    let mut parts =
        Multipart::from_request(request, &()).await.map_err(|_| Refusal::bad("send multipart/form-data"))?;
    let (mut purpose, mut kept) = ("vision".to_owned(), None);
    let patience = Duration::from_secs_f64(app.options.limits.body_seconds);
    while let Some(mut part) = soon(patience, parts.next_field()).await?.map_err(broken)? {
        match part.name() {
            Some("file") if kept.is_none() => {
                let name = part.file_name().unwrap_or("file").to_owned();
                let draft = app.files.draft();
                let mut arriving = Arriving { app: &app, claimed: 0, bytes: 0 };
                let mut file = tokio::fs::File::create(&draft.0).await.map_err(|error| full(&error))?;
                while let Some(piece) = soon(patience, part.chunk()).await?.map_err(broken)? {
                    arriving.take(piece.len() as u64)?;
                    file.write_all(&piece).await.map_err(|error| full(&error))?;
                }
                file.flush().await.map_err(|error| full(&error))?;
                if arriving.bytes == 0 {
                    return Err(Refusal::field("file", "file: empty"));
                }
                kept = Some((draft, name, arriving));
            }
            Some("purpose") => {
                let text = soon(patience, part.bytes()).await?.map_err(broken)?;
                purpose = String::from_utf8_lossy(&text[..text.len().min(64)]).into_owned();
            }
            Some("expires_after[anchor]" | "expires_after[seconds]") => {
                return Err(Refusal::unknown("expires_after"));
            }
            _ => return Err(Refusal::unknown("a field besides purpose and file")),
        }
    }
    let (draft, name, arriving): (Draft, String, Arriving<'_>) =
        kept.ok_or_else(|| Refusal::field("file", "file: missing"))?;
    Ok(Json(app.files.keep(&draft, key, &name, &purpose, arriving.bytes)?.json()))
}

/// Bytes of an upload that have come; what was claimed for them is given up when this is dropped.
struct Arriving<'a> {
    app: &'a App,
    claimed: u64,
    bytes: u64,
}

impl Arriving<'_> {
    fn take(&mut self, count: u64) -> Answered<()> {
        self.bytes += count;
        let most = self.app.options.limits.file_bytes;
        if self.bytes > most {
            let message = format!("the upload has more than {most} bytes");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message));
        }
        while self.claimed < self.bytes {
            let claim = CLAIM.max(self.bytes - self.claimed);
            self.app.files.claim(claim)?;
            self.claimed += claim;
        }
        Ok(())
    }
}

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        self.app.files.release(self.claimed);
    }
}

async fn soon<T>(patience: Duration, work: impl Future<Output = T>) -> Answered<T> {
    let late = |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the upload did not arrive in time");
    tokio::time::timeout(patience, work).await.map_err(late)
}

/// A disk that takes no more is the operator's business; the client can only wait.
pub(super) fn full(error: &std::io::Error) -> Refusal {
    let number = crate::log::fault(&format!("storage: {error}"));
    let message = format!("what was sent cannot be stored; the server's log says why under {number}");
    Refusal::new(StatusCode::INSUFFICIENT_STORAGE, "storage_full", message)
}

/// The uploads of this key.
pub(crate) async fn list(State(app): State<Arc<App>>, Extension(key): Extension<Key>) -> Json<Value> {
    let data: Vec<Value> = app.files.all(key).iter().map(|stored| stored.json()).collect();
    Json(json!({"object": "list", "data": data, "has_more": false}))
}

/// One upload's facts.
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Extension(key): Extension<Key>,
    Path(id): Path<String>,
) -> Answered<Json<Value>> {
    Ok(Json(app.files.find(&id, key)?.json()))
}

/// Deletes an upload.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Extension(key): Extension<Key>,
    Path(id): Path<String>,
) -> Answered<Json<Value>> {
    app.files.delete(&id, key)?;
    Ok(Json(json!({"id": id, "object": "file", "deleted": true})))
}

/// An upload's bytes, as a download that no browser shows.
pub(crate) async fn content(
    State(app): State<Arc<App>>,
    Extension(key): Extension<Key>,
    Path(id): Path<String>,
) -> Answered<Response> {
    let stored = app.files.find(&id, key)?;
    let file = tokio::fs::File::open(&stored.path).await.map_err(|_| Refusal::absent("such file"))?;
    // A piece at a time, and no more than its reader takes.
    let pieces = stream::try_unfold(file, |mut file| async move {
        let mut piece = BytesMut::with_capacity(PIECE);
        let count = file.read_buf(&mut piece).await?;
        Ok::<_, std::io::Error>((count > 0).then(|| (piece.freeze(), file)))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, "attachment".to_owned()),
        (header::CONTENT_LENGTH, stored.bytes.to_string()),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}
