//! Which frames the model would see of an upload: opened by the processes that open the media of requests, under the same
//! limits and the model's own rule of sizes, with a small picture of each frame. And one frame at its full size.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::{Extension, Json};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use firsthand_base::{Conversation, ImagePart, Part, PixelLimits, Sampling, Span, VideoPart, VideoSource};
use firsthand_media::{OpenMedia, Picture, Prepared, SizeRule, decoder_version, png};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{apart, told};
use crate::app::App;
use crate::media::worker::{Medium, Wanted};
use crate::queue::Key;
use crate::refusal::{Answered, Refusal};

/// Patches merged along each side, and the side of a patch: what a model without a rule of its own is shown with.
const PATCH: usize = 14;
const MERGE: usize = 2;
/// Frames in a temporal patch.
const TEMPORAL_PATCH: usize = 2;
/// Most frames of a look: each is sent as a picture.
const MOST_FRAMES: usize = 256;
/// Columns of a frame in the strip.
const SMALL: usize = 160;
/// Most columns and pixels of a still.
const LARGE: usize = 1600;
/// Added to a time that was rounded to a millisecond, so that its own frame is on screen.
const SLACK_S: f64 = 0.0005;

/// Image or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Image,
    Video,
}

/// Which frames, and how large, as a form holds it: texts, empty where nothing is asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Rules {
    frames: String,
    fps: String,
    start: String,
    end: String,
    max_pixels: String,
}

fn read<T: std::str::FromStr>(text: &str, what: &str) -> Answered<Option<T>> {
    match text.trim() {
        "" => Ok(None),
        text => {
            let wrong = |_| Refusal::bad(format!("{what} is no number: {text:.40}; write digits"));
            text.parse().map(Some).map_err(wrong)
        }
    }
}

impl Rules {
    /// As parts of a conversation say it: sampling, span, limits.
    fn read(&self) -> Answered<(Sampling, Span, PixelLimits)> {
        let frames = read(&self.frames, "the number of frames")?;
        let fps: Option<f64> = read(&self.fps, "frames a second")?;
        let span = Span { start_s: read(&self.start, "the start")?, end_s: read(&self.end, "the end")? };
        if fps.is_some_and(|fps| !fps.is_finite() || fps <= 0.0) {
            return Err(Refusal::bad("frames a second must be above 0; leave it empty for 2"));
        }
        if let Span { start_s: Some(start), end_s: Some(end) } = span
            && start >= end
        {
            return Err(Refusal::bad(format!("second {start} is not before {end}; turn them around")));
        }
        let sampling = match (frames, fps) {
            (Some(frames), _) => Sampling::Frames(frames),
            (None, Some(fps)) => Sampling::Rate {
                fps,
                min_frames: Sampling::DEFAULT_MIN_FRAMES,
                max_frames: Sampling::DEFAULT_MAX_FRAMES,
            },
            (None, None) => Sampling::default(),
        };
        let limits =
            PixelLimits { max_pixels: read(&self.max_pixels, "most pixels")?, ..PixelLimits::default() };
        Ok((sampling, span, limits))
    }

    fn part(&self, kind: Kind, file: &str) -> Answered<Part> {
        let (sampling, span, limits) = self.read()?;
        let file = file.to_owned();
        Ok(match kind {
            Kind::Video => {
                let source = VideoSource::File(file);
                Part::Video(VideoPart {
                    source,
                    sampling,
                    span,
                    limits,
                    sample_fps: None,
                    damaged: firsthand_base::Damaged::Refuse,
                })
            }
            Kind::Image => Part::Image(ImagePart { location: file, limits }),
        })
    }

    /// The medium as a request names it, with the same rules.
    pub(super) fn wire(&self, kind: Kind, file: &str) -> Answered<Value> {
        self.read()?;
        let mut part = Map::new();
        let name = match kind {
            Kind::Image => "image",
            Kind::Video => "video",
        };
        part.insert("type".into(), name.into());
        part.insert(name.into(), file.into());
        let mut put =
            |key: &str, value: Option<Value>| drop(value.map(|value| part.insert(key.into(), value)));
        put("max_pixels", read::<usize>(&self.max_pixels, "most pixels")?.map(Value::from));
        if kind == Kind::Video {
            let frames = read::<usize>(&self.frames, "the number of frames")?;
            put("nframes", frames.map(Value::from));
            put(
                "fps",
                read::<f64>(&self.fps, "frames a second")?.filter(|_| frames.is_none()).map(Value::from),
            );
            put("video_start", read::<f64>(&self.start, "the start")?.map(Value::from));
            put("video_end", read::<f64>(&self.end, "the end")?.map(Value::from));
        }
        Ok(Value::Object(part))
    }
}

/// An upload and the rules.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    file: String,
    kind: Kind,
    #[serde(default)]
    rules: Rules,
}

/// One chosen frame.
#[derive(Serialize)]
struct Chosen {
    index: usize,
    time_s: f64,
    hash: String,
    picture: String,
}

pub(super) async fn look(
    State(app): State<Arc<App>>,
    Extension(key): Extension<Key>,
    Json(asked): Json<Asked>,
) -> Answered<Json<Value>> {
    // Other locations would be opened as well; the page has no business with them.
    app.files.find(&asked.file, key)?;
    let _ticket = app.gate.enter(key)?;
    let part = asked.rules.part(asked.kind, &asked.file)?;
    // Sizes depend on the checkpoint: before it is there, any answer might be wrong.
    let rule = app.ready()?.renderer.sizes().copied();
    let rule = rule.unwrap_or(SizeRule::qwen_vl_utils(PATCH * MERGE));
    let conversation = Conversation::user(vec![part.clone()]);
    let opened = app.media.open(&conversation, &rule, key).await?;
    let prepared = match &part {
        Part::Image(image) => opened.image(image, &rule),
        Part::Video(video) => opened.video(video, &rule),
        Part::Text(_) => return Err(Refusal::internal("a medium became text")),
    };
    let prepared = prepared.map_err(told)?;
    apart(move || facts(asked.kind, &prepared).map(Json)).await
}

fn facts(kind: Kind, prepared: &Prepared) -> Answered<Value> {
    let Some(first) = prepared.pictures.first() else {
        return Err(Refusal::bad("there is no frame in that part; choose another start and end"));
    };
    let frames = prepared.pictures.len();
    if frames > MOST_FRAMES {
        let what = format!("{frames} frames are more than the {MOST_FRAMES} that a page shows");
        return Err(Refusal::bad(format!("{what}; ask for a number of frames")));
    }
    let grid = [frames.div_ceil(TEMPORAL_PATCH), first.height / PATCH, first.width / PATCH];
    Ok(json!({
        "kind": kind,
        "size": prepared.original_size,
        "resized": [first.height, first.width],
        "grid": grid,
        "tokens": grid.iter().product::<usize>() / (MERGE * MERGE),
        "sample_fps": prepared.sample_fps,
        "decoder": decoder_version(),
        "chosen": chosen(prepared)?,
    }))
}

fn chosen(prepared: &Prepared) -> Answered<Vec<Chosen>> {
    let each = prepared.frames.iter().zip(&prepared.pictures).map(|(frame, picture)| {
        let bytes = encoded(&shrunk(picture, SMALL))?;
        Ok(Chosen {
            index: frame.index,
            time_s: frame.time.seconds(),
            hash: frame.hash.to_hex(),
            picture: format!("data:image/png;base64,{}", STANDARD.encode(bytes)),
        })
    });
    each.collect()
}

/// An upload and a time in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct At {
    file: String,
    #[serde(default)]
    at: f64,
}

/// A picture as a response.
pub(super) type Image = ([(HeaderName, HeaderValue); 2], Bytes);

pub(super) async fn frame(
    State(app): State<Arc<App>>,
    Extension(key): Extension<Key>,
    Query(asked): Query<At>,
) -> Answered<Image> {
    let path = app.files.find(&asked.file, key)?.path;
    let path = path.to_str().ok_or_else(|| Refusal::medium("the path is not UTF-8"))?;
    still(&app, path, asked.at, LARGE).await
}

/// The frame of a video that is on screen at a time, about as large as it is, as PNG of at most so many columns. Opened
/// in a process of its own, as everything that strangers may have made.
pub(super) async fn still(app: &App, path: &str, at: f64, columns: usize) -> Answered<Image> {
    if !at.is_finite() || at < 0.0 {
        return Err(Refusal::bad(format!("{at} is no time; give seconds from 0 on")));
    }
    let [least, most] = [(PATCH * MERGE).pow(2), LARGE * LARGE];
    let limits = PixelLimits { min_pixels: Some(least), max_pixels: Some(most), ..PixelLimits::default() };
    let wanted = Wanted {
        medium: Medium::Video(VideoPart {
            source: VideoSource::File(path.to_owned()),
            sampling: Sampling::Timestamps(vec![at + SLACK_S]),
            span: Span::default(),
            limits,
            sample_fps: None,
            damaged: firsthand_base::Damaged::Refuse,
        }),
        rule: SizeRule::qwen_vl_utils(PATCH * MERGE),
        most_frames: 2,
        most_picture_pixels: app.options.limits.media.picture_pixels,
        most_bytes: app.options.limits.file_bytes,
    };
    let until = Instant::now() + Duration::from_secs_f64(app.options.limits.media.seconds);
    let opened = app.media.pool.open(&wanted, app.options.limits.media.pixels, until).await;
    let prepared = opened.map_err(|refusal| {
        let message = refusal.message.replace(path, "the video");
        Refusal { message, ..refusal }
    })?;
    let missing = || Refusal::bad(format!("no frame at {at} s; choose a time within the file"));
    let picture = prepared.pictures.into_iter().next().ok_or_else(missing)?;
    apart(move || {
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("image/png")),
            (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=600")),
        ];
        Ok((headers, encoded(&shrunk(&picture, columns))?.into()))
    })
    .await
}

fn encoded(picture: &Picture) -> Answered<Vec<u8>> {
    png("frame", picture.width, picture.height, &picture.rgb).map_err(told)
}

/// A picture with at most so many columns: each pixel the mean of those it stands for. For people to look at; what a
/// model sees is resized in `media`.
fn shrunk(picture: &Picture, columns: usize) -> Picture {
    let factor = picture.width.div_ceil(columns.max(1)).max(1);
    if factor == 1 {
        return picture.clone();
    }
    let (height, width) = ((picture.height / factor).max(1), (picture.width / factor).max(1));
    let mut rgb = Vec::with_capacity(height * width * 3);
    for row in 0..height {
        for column in 0..width {
            let (mut sums, mut count) = ([0_usize; 3], 0);
            for y in row * factor..((row + 1) * factor).min(picture.height) {
                for x in column * factor..((column + 1) * factor).min(picture.width) {
                    let at = 3 * (y * picture.width + x);
                    for (sum, value) in sums.iter_mut().zip(&picture.rgb[at..at + 3]) {
                        *sum += usize::from(*value);
                    }
                    count += 1;
                }
            }
            rgb.extend(sums.map(|sum| (sum / count.max(1)) as u8));
        }
    }
    Picture::new(height, width, rgb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_shrinks_to_means() {
        let picture = Picture::new(2, 4, (0..24).map(|i| i as u8 * 10).collect());
        let small = shrunk(&picture, 2);
        assert_eq!((small.height, small.width), (1, 2));
        // Pixels 0 and 1 of both rows: red 0, 30, 120, 150.
        assert_eq!(small.rgb[0], 75);
        assert_eq!(shrunk(&picture, 4), picture);
    }

    #[test]
    fn rules_read_forms_and_refuse_nonsense() {
        let check = |text: &str, expect: Result<Sampling, &str>| {
            let rules: Rules = serde_json::from_str(text).expect(text);
            match (rules.read(), expect) {
                (Ok((sampling, _, _)), Ok(expect)) => assert_eq!(sampling, expect, "{text}"),
                (Err(refusal), Err(part)) => assert!(refusal.message.contains(part), "{refusal:?}"),
                (got, expect) => panic!("{text}: {got:?} instead of {expect:?}"),
            }
        };
        check("{}", Ok(Sampling::default()));
        check(r#"{"frames": "", "fps": " "}"#, Ok(Sampling::default()));
        check(r#"{"frames": "16"}"#, Ok(Sampling::Frames(16)));
        check(r#"{"fps": "1.0"}"#, Ok(Sampling::Rate { fps: 1.0, min_frames: 4, max_frames: 768 }));
        check(r#"{"fps": "-1"}"#, Err("above 0"));
        check(r#"{"frames": "many"}"#, Err("no number"));
        check(r#"{"start": "3", "end": "2"}"#, Err("not before"));
    }

    /// What the page shows and what the model is asked with are read from the same form: the request, read as requests
    /// are, is the part that was looked at.
    #[test]
    fn a_request_has_the_frames_that_were_looked_at() {
        let check = |text: &str, kind: Kind| {
            let rules: Rules = serde_json::from_str(text).expect(text);
            let wire = rules.wire(kind, "file-1").expect(text);
            let messages = json!([{"role": "user", "content": [wire]}]);
            let read = firsthand_input::read_message_list(&messages).expect(text);
            assert_eq!(read.parts().next(), Some(&rules.part(kind, "file-1").expect(text)), "{text}");
        };
        for text in [
            "{}",
            r#"{"frames": "16", "fps": "3"}"#,
            r#"{"fps": "0.5", "start": "2"}"#,
            r#"{"start": "1.5", "end": "9", "max_pixels": "50176"}"#,
        ] {
            check(text, Kind::Video);
            check(text, Kind::Image);
        }
    }
}
