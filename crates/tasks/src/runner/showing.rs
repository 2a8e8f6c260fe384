//! What is shown with a question: media as parts of a conversation, chosen frames, or a control in their place.
//! Folders of pictures are listed here; nothing is opened.

use std::path::{Path, PathBuf};

use firsthand_base::{
    Conversation, ImagePart, Message, Part, PixelLimits, Role, Sampling, Span, VideoPart, VideoSource,
};

use super::plan::Shown;
use crate::Prompt;
use crate::benchmark::{Item, MediaKind, MediaRef};

/// Endings of pictures in a folder of frames.
const PICTURES: [&str; 6] = ["jpg", "jpeg", "png", "webp", "bmp", "tiff"];

/// Whether an item can be shown so: only videos have an order.
pub(super) fn has(item: &Item, shown: Shown) -> bool {
    let moves = |medium: &MediaRef| matches!(medium.kind, MediaKind::Video | MediaKind::Frames);
    shown != Shown::Shuffled || item.media.iter().any(moves)
}

/// The conversation of a question.
pub(super) fn conversation(
    item: &Item,
    prompt: Prompt,
    sampling: &Sampling,
    limits: PixelLimits,
    shown: Shown,
) -> Result<Conversation, String> {
    let mut parts = media(item, sampling, limits, shown)?;
    let at = if prompt.media_first { parts.len() } else { 0 };
    parts.insert(at, Part::Text(prompt.user));
    let mut messages = Vec::new();
    if let Some(system) = prompt.system {
        messages.push(Message::new(Role::System, vec![Part::Text(system)]));
    }
    messages.push(Message::new(Role::User, parts));
    Ok(Conversation { messages })
}

/// What an item is about, as it is shown.
pub(super) fn media(
    item: &Item,
    sampling: &Sampling,
    limits: PixelLimits,
    shown: Shown,
) -> Result<Vec<Part>, String> {
    match shown {
        Shown::Blind => Ok(Vec::new()),
        _ => item.media.iter().map(|medium| part(medium, sampling, limits, shown)).collect(),
    }
}

fn part(medium: &MediaRef, sampling: &Sampling, limits: PixelLimits, shown: Shown) -> Result<Part, String> {
    let location = medium.path.clone();
    let video = |source, sampling, span, sample_fps| {
        Part::Video(VideoPart {
            source,
            sampling,
            span,
            limits,
            sample_fps,
            damaged: firsthand_base::Damaged::Refuse,
        })
    };
    Ok(match medium.kind {
        MediaKind::Image => Part::Image(ImagePart { location, limits }),
        MediaKind::Video => {
            let sampling = match shown {
                Shown::Shuffled => Sampling::Shuffled(Box::new(sampling.clone())),
                _ => sampling.clone(),
            };
            let span = Span { start_s: medium.start, end_s: medium.end };
            video(VideoSource::File(location), sampling, span, None)
        }
        MediaKind::Frames => {
            let (mut pictures, fps) = pictures(medium, sampling)?;
            if shown == Shown::Shuffled {
                let order = Sampling::out_of_order(pictures.len());
                pictures = order.map(|place| pictures[place].clone()).collect();
            }
            // The rule has been applied to the list already.
            video(VideoSource::Images(pictures), Sampling::Every, Span::default(), Some(fps))
        }
        MediaKind::Days => {
            return Err(format!("{location}: recordings of whole days cannot be shown at once"));
        }
    })
}

/// The chosen pictures of a folder, and how many a second they are.
fn pictures(medium: &MediaRef, sampling: &Sampling) -> Result<(Vec<String>, f64), String> {
    let folder = Path::new(&medium.path);
    let told = |error: std::io::Error| error.to_string();
    let entries = fs_err::read_dir(folder).map_err(told)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let mut paths: Vec<PathBuf> = paths.map_err(told)?;
    paths.retain(|path| {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        PICTURES.contains(&ending.to_ascii_lowercase().as_str())
    });
    paths.sort();
    let fps = medium.fps.unwrap_or(1.0);
    let last = paths.len().saturating_sub(1);
    let at = |seconds: f64| ((seconds * fps).floor().max(0.0) as usize).min(last);
    let (first, last) = (medium.start.map_or(0, at), medium.end.map_or(last, at));
    let range = paths.get(first..=last).filter(|range| !range.is_empty());
    let range = range.ok_or_else(|| format!("{}: no pictures in it", medium.path))?;
    let count = wanted(sampling, range.len(), fps);
    let pick = |i: usize| range[i * (range.len() - 1) / (count - 1).max(1)].to_string_lossy().into_owned();
    Ok(((0..count).map(pick).collect(), fps * count as f64 / range.len() as f64))
}

/// How many of `total` pictures a rule for videos takes; both ends are among them.
fn wanted(sampling: &Sampling, total: usize, fps: f64) -> usize {
    let count = match sampling {
        Sampling::Every => total,
        Sampling::Frames(count) | Sampling::Uniform(count) | Sampling::Card(count) => *count,
        Sampling::RateThenUniform { keep, .. } => *keep,
        Sampling::Rate { fps: wanted, min_frames, max_frames } => {
            ((total as f64 / fps * wanted) as usize).max(*min_frames).min(*max_frames)
        }
        Sampling::Timestamps(times) => times.len(),
        Sampling::Shuffled(of) | Sampling::Permuted { of, .. } => wanted(of, total, fps),
    };
    count.clamp(1, total)
}
