//! `/v1/live`: sessions that see while time goes on. A frame or a segment is taken in once a media process could open it;
//! a question is a chat request whose media are what the session sees.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Path, Query, Request, State};
use axum::http::header;
use axum::response::Response;
use axum::{Extension, Json};
use firsthand_base::{ImagePart, Moment, PixelLimits, Sampling, Span, VideoPart, VideoSource};
use firsthand_input::Renderer;
use firsthand_media::{Prepared, SizeRule};
use serde::Deserialize;
use serde_json::{Value, json};

use super::chat::{self, MANIFEST_HEADER};
use super::files::full;
use crate::app::{App, now_s};
use crate::chat::asking;
use crate::chat::fields::Fields;
use crate::chat::request::{self, Reading};
use crate::live::{About, Item, Kind, Prompted, Session, beside};
use crate::media::worker::{Medium, Wanted};
use crate::queue::Key;
use crate::refusal::{Answered, Refusal};

/// Longest name of a wearer.
const LONGEST_NAME: usize = 64;
/// Most frames a second of segments.
const MOST_FPS: f64 = 30.0;
/// Of eight parts of a context, those that the frames of a question may take.
const CONTEXT_EIGHTHS: usize = 3;
/// Fewest and most tokens of two frames, which share them.
const PAIR_TOKENS: [usize; 2] = [4, 256];
/// Latest second of a session: a year.
const LAST_S: f64 = 366.0 * 86_400.0;

/// Makes a session.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Extension(key): Extension<Key>,
    request: Request,
) -> Answered<Json<Value>> {
    let ready = app.ready()?;
    let sizes = ready.renderer.sizes().filter(|_| app.live.remember.is_some());
    let sizes = *sizes.ok_or_else(|| Refusal::bad("this model does not see; serve one that does"))?;
    let body = match has_body(&request) {
        true => app.json(request).await?,
        false => json!({}),
    };
    let factor = sizes.factor * sizes.factor;
    let made = read_new(body, [factor as u64, app.options.limits.live.frame_pixels as u64])?;
    let New { wearer, start, fps, max_pixels } = made;
    let max_pixels =
        max_pixels.unwrap_or_else(|| frame_pixels(&ready.renderer, &sizes, app.live.rule.frames));
    let session =
        app.live.create(key, |owner| About { owner, created_s: now_s(), wearer, start, fps, max_pixels })?;
    described(&app, &session).await
}

/// A new session, as a request asks for it.
#[derive(Debug)]
pub(crate) struct New {
    wearer: String,
    start: Moment,
    fps: f64,
    max_pixels: Option<usize>,
}

/// Reads the body of a request for a session whose frames may have so many pixels.
pub(crate) fn read_new(body: Value, pixels: [u64; 2]) -> Answered<New> {
    let mut fields = Fields::of(body, "")?;
    let wearer = fields.string("wearer")?.unwrap_or_else(|| "me".to_owned());
    if wearer.trim().is_empty() || wearer.len() > LONGEST_NAME || wearer.chars().any(char::is_control) {
        return Err(fields.wrong("wearer", &format!("expected a name of 1 to {LONGEST_NAME} bytes")));
    }
    let start = fields.string("start")?.map(|text| text.parse::<Moment>()).transpose();
    let start = start.map_err(|error| fields.wrong("start", &format!("{error}; e.g. DAY1_08000000")))?;
    let fps = fields.number("fps", 0.01..=MOST_FPS)?.unwrap_or(1.0);
    let max_pixels = fields.count("max_pixels", pixels)?.map(|most| most as usize);
    fields.end()?;
    Ok(New { wearer, start: start.unwrap_or(Moment::START), fps, max_pixels })
}

fn has_body(request: &Request) -> bool {
    let says = |name| request.headers().get(name).is_some_and(|value| value != "0");
    says(header::CONTENT_LENGTH) || says(header::TRANSFER_ENCODING)
}

/// Pixels of a frame with which a question's frames leave room for words.
fn frame_pixels(renderer: &Renderer, sizes: &SizeRule, window: usize) -> usize {
    let tokens = renderer.context_length() * CONTEXT_EIGHTHS / 8 / window;
    tokens.clamp(PAIR_TOKENS[0], PAIR_TOKENS[1]) * sizes.factor * sizes.factor
}

async fn described(app: &App, session: &Arc<Session>) -> Answered<Json<Value>> {
    let (session, rule) = (session.clone(), app.live.rule);
    let work = tokio::task::spawn_blocking(move || session.json(&rule)).await;
    Ok(Json(work.map_err(|error| Refusal::internal(&error.to_string()))?))
}

/// The sessions of this key.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(key): Extension<Key>,
) -> Answered<Json<Value>> {
    let mut data = Vec::new();
    for session in app.live.of_key(key) {
        data.push(described(&app, &session).await?.0);
    }
    Ok(Json(json!({"object": "list", "data": data})))
}

/// How a session stands.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(key): Extension<Key>,
    Path(id): Path<String>,
) -> Answered<Json<Value>> {
    let session = app.live.find(&id, key)?;
    described(&app, &session).await
}

/// Deletes a session with its pictures and its memory.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Extension(key): Extension<Key>,
    Path(id): Path<String>,
) -> Answered<Json<Value>> {
    let session = app.live.find(&id, key)?;
    app.live.delete(&session).await;
    Ok(Json(json!({"id": id, "object": "live.session", "deleted": true})))
}

/// When something was seen.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct At {
    at: Option<f64>,
}

impl At {
    fn us(&self) -> Answered<u64> {
        let second = self.at.filter(|second| (0.0..=LAST_S).contains(second));
        let missing =
            || Refusal::field("at", format!("at: expected seconds from 0 to {LAST_S}, as ?at=12.5"));
        Ok((second.ok_or_else(missing)? * 1e6).round() as u64)
    }
}

type Timed = Result<Query<At>, axum::extract::rejection::QueryRejection>;

/// Takes in a picture, or a piece of film.
pub(super) async fn take<const IS_FILM: bool>(
    State(app): State<Arc<App>>,
    Extension(key): Extension<Key>,
    Path(id): Path<String>,
    at: Timed,
    request: Request,
) -> Answered<Json<Value>> {
    let session = app.live.find(&id, key)?;
    let _ticket = app.gate.enter(key)?;
    let at = at.map_err(|_| Refusal::field("at", "at: expected seconds, as ?at=12.5"))?;
    let start_us = at.us()?;
    let most = (app.live.rule.bytes as usize).min(app.options.limits.body_bytes);
    let bytes = app.body(request, most).await?;
    let kind = Kind::of(&bytes).filter(|kind| (*kind == Kind::Film) == IS_FILM);
    let kind = kind.ok_or_else(|| {
        Refusal::medium(if IS_FILM {
            "send the bytes of an MP4 file"
        } else {
            "send the bytes of a JPEG or PNG file"
        })
    })?;
    let _turn = session.arriving.lock().await;
    let draft = app.files.draft();
    let count = bytes.len() as u64;
    let (own, path) = (session.clone(), draft.0.clone());
    let write = move || (own.repeated(start_us, &bytes), fs_err::write(path, &bytes));
    let written =
        tokio::task::spawn_blocking(write).await.map_err(|error| Refusal::internal(&error.to_string()))?;
    let known = written.0;
    if known.is_none() {
        session.check_time(start_us)?;
        session.check_room(count, app.live.most_bytes)?;
    }
    written.1.map_err(|error| full(&error))?;
    let prepared = open(&app, &session, &draft.0, IS_FILM).await?;
    let (Some(first), Some(last)) = (prepared.frames.first(), prepared.frames.last()) else {
        return Err(Refusal::medium("it shows nothing"));
    };
    let length_s = last.time.seconds().max(0.0);
    if length_s > app.options.limits.live.segment_seconds {
        let most = app.options.limits.live.segment_seconds;
        return Err(Refusal::medium(format!(
            "the segment has {length_s:.1} s, more than {most}; send it in pieces"
        )));
    }
    let item = Item {
        number: 0,
        start_us,
        end_us: start_us + (length_s * 1e6).round() as u64,
        frames: if IS_FILM { prepared.frames.len() } else { 1 },
        size: prepared.original_size,
        kind,
        bytes: count,
    };
    let hash = first.hash;
    let item = match known {
        Some(known) => known,
        None => session.add(&draft, item)?,
    };
    app.live.wake.notify_one();
    Ok(Json(json!({
        "object": "live.frame", "session": session.id, "number": item.number, "at": item.start_s(), "to": item.end_s(),
        "frames": item.frames, "size": item.size, "bytes": item.bytes, "hash": hash,
    })))
}

/// Opens what came as every medium is opened, as small as the model sees it.
async fn open(app: &App, session: &Session, path: &FilePath, is_film: bool) -> Answered<Prepared> {
    let ready = app.ready()?;
    let rule = *ready.renderer.sizes().ok_or_else(|| Refusal::bad("this model does not see"))?;
    let location =
        path.to_str().ok_or_else(|| Refusal::internal("the folder's name is not UTF-8"))?.to_owned();
    let max_pixels = Some(session.about.max_pixels);
    let limits = PixelLimits { max_pixels, min_pixels: Some(1), ..PixelLimits::default() };
    let window = app.live.rule.frames.max(2);
    let medium = match is_film {
        false => Medium::Image(ImagePart { location: location.clone(), limits }),
        true => Medium::Video(VideoPart {
            source: VideoSource::File(location.clone()),
            sampling: Sampling::Rate { fps: session.about.fps, min_frames: 2, max_frames: window },
            span: Span::default(),
            limits,
            sample_fps: None,
            damaged: firsthand_base::Damaged::Refuse,
        }),
    };
    let own = &app.options.limits;
    let wanted = Wanted {
        medium,
        rule,
        most_frames: window,
        most_picture_pixels: own.live.frame_pixels.min(own.media.picture_pixels),
        most_bytes: own.file_bytes,
    };
    let until = Instant::now() + Duration::from_secs_f64(own.media.seconds);
    app.media.pool.open(&wanted, own.media.pixels, until).await.map_err(|refusal| {
        let message = refusal.message.replace(&location, if is_film { "the segment" } else { "the frame" });
        Refusal { message, ..refusal }
    })
}

/// Answers a question about what a session sees and remembers.
pub(super) async fn ask(
    State(app): State<Arc<App>>,
    Extension(key): Extension<Key>,
    Path(id): Path<String>,
    request: Request,
) -> Answered<Response> {
    let session = app.live.find(&id, key)?;
    let wants_manifest = request.headers().contains_key(MANIFEST_HEADER);
    let body = app.json(request).await?;
    let ready = app.ready()?;
    let reading = Reading { defaults: ready.renderer.generation_defaults(), limits: &app.options.limits };
    let mut asked = request::chat(body, &reading)?;
    let telling = chat::telling(&app, &asked, wants_manifest);
    let is_streamed = asked.is_streamed;
    // What is shown stays until it is opened.
    let held = session.files.read().await;
    let (own, rule, renderer) = (session.clone(), app.live.rule, ready.renderer.clone());
    let conversation = std::mem::take(&mut asked.conversation);
    let work = tokio::task::spawn_blocking(move || beside(&own, &rule, &renderer, conversation)).await;
    let Prompted { conversation, told } = work.map_err(|error| Refusal::internal(&error.to_string()))??;
    asked.conversation = conversation;
    let answering = asking::begin(&app, key, asked).await?;
    drop(held);
    let telling = crate::chat::reply::Telling { live: Some(told), ..telling };
    chat::told(telling, answering, is_streamed).await
}
