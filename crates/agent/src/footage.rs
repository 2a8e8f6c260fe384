//! Where a wearer's time can be seen: stretches of files, found by moment. A range may cross files and gaps; a frame
//! asked for is the frame on screen at that moment, never the nearest of another second.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use firsthand_base::{
    Conversation, FrameId, ImagePart, Moment, Part, PixelLimits, Sampling, Span, VideoPart, VideoSource,
};
use firsthand_media::{Opener, SizeRule, png};
use firsthand_memory::{Level, Scope};

use crate::memories::Memories;
use crate::tool::{Seen, micro};

/// A stretch of time that one file shows without a break.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    /// When it begins.
    pub start: Moment,
    /// When it ends.
    pub end: Moment,
    /// The file.
    pub file: String,
    /// Where it begins in the file, in seconds from its first frame.
    pub start_s: f64,
}

impl Stretch {
    fn ms(&self) -> i64 {
        self.end.ms() - self.start.ms()
    }

    /// The part of it within a range; `None` where they do not meet.
    fn within(&self, start: Moment, end: Moment) -> Option<Stretch> {
        let (from, to) = (self.start.max(start), self.end.min(end));
        let moved = (from.ms() - self.start.ms()) as f64 / 1000.0;
        (from < to).then(|| Stretch {
            start: from,
            end: to,
            file: self.file.clone(),
            start_s: self.start_s + moved,
        })
    }

    /// The part of its file.
    pub fn seen(&self) -> Seen {
        let end_s = self.start_s + self.ms() as f64 / 1000.0;
        Seen { file: self.file.clone(), start_s: micro(self.start_s), end_s: micro(end_s) }
    }
}

/// Finds recordings by time.
pub trait Footage: Send + Sync {
    /// The stretches of a wearer that meet a range, by start. They may overlap.
    fn stretches(&self, wearer: &str, start: Moment, end: Moment) -> Result<Vec<Stretch>, String>;
}

/// Recordings that the clips of memories stand on.
pub struct Remembered {
    memories: Memories,
}

impl Remembered {
    /// Those of these memories.
    pub fn new(memories: Memories) -> Remembered {
        Remembered { memories }
    }
}

/// Clips looked at for one range: ten minutes hold 20, an hour of search around holds 120.
const MOST_CLIPS: usize = 4096;

impl Footage for Remembered {
    fn stretches(&self, wearer: &str, start: Moment, end: Moment) -> Result<Vec<Stretch>, String> {
        let scope = Scope {
            level: Some(Level::Clip),
            wearer: Some(wearer.to_owned()),
            from: Some(start),
            to: Some(end),
            ended_by: None,
        };
        let Some(memory) = self.memories.of(wearer) else { return Ok(Vec::new()) };
        let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
        let clips = memory.store().range(&scope, MOST_CLIPS).map_err(|error| error.to_string())?;
        let of = |clip: firsthand_memory::Record| {
            let mut at = clip.start;
            let mut found = Vec::new();
            for evidence in clip.evidence {
                let ms = ((evidence.end_s - evidence.start_s) * 1000.0).round() as i64;
                let until = at.plus_ms(ms).min(clip.end);
                found.push(Stretch { start: at, end: until, file: evidence.file, start_s: evidence.start_s });
                at = until;
            }
            found
        };
        Ok(clips.into_iter().flat_map(of).collect())
    }
}

/// Recordings in folders, named by when they begin: `A1_JAKE/DAY1/DAY1_A1_JAKE_11210217.mp4`, or without the wearer
/// in the name. How long each is, its file says.
pub struct Folder {
    root: PathBuf,
    opener: Arc<Opener>,
    /// Seconds of files that were asked for.
    lengths: Mutex<std::collections::HashMap<PathBuf, f64>>,
}

impl Folder {
    /// The recordings below a folder.
    pub fn new(root: PathBuf, opener: Arc<Opener>) -> Folder {
        Folder { root, opener, lengths: Mutex::default() }
    }

    /// The folder of a wearer: of that name, of the long form of it, or the root itself where it has days.
    fn of(&self, wearer: &str) -> PathBuf {
        let exact = self.root.join(wearer);
        // A name that leads out of the folder is nobody's.
        if wearer.contains(['/', '\\']) || wearer.starts_with('.') {
            return self.root.join("\u{0}");
        }
        if exact.is_dir() {
            return exact;
        }
        let long = format!("{wearer}_");
        let found = folders(&self.root).into_iter().find(|path| name(path).starts_with(&long));
        found.unwrap_or_else(|| self.root.clone())
    }

    fn length(&self, path: &Path) -> Result<f64, String> {
        if let Some(length) = self.lengths.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(*length);
        }
        let probe = self.opener.probe(&path.to_string_lossy()).map_err(|error| error.to_string())?;
        let mut lengths = self.lengths.lock().unwrap_or_else(PoisonError::into_inner);
        lengths.insert(path.to_owned(), probe.duration_s);
        Ok(probe.duration_s)
    }
}

impl Footage for Folder {
    fn stretches(&self, wearer: &str, start: Moment, end: Moment) -> Result<Vec<Stretch>, String> {
        let mut found = Vec::new();
        let folder = self.of(wearer);
        for day in start.day()..=end.day().min(start.day() + 1) {
            for path in videos(&folder.join(format!("DAY{day}"))) {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let clock = stem.rsplit('_').next().unwrap_or_default();
                let Ok(begins) = Moment::from_clock_digits(day, clock) else { continue };
                // A recording of a day may have begun before the range, but is not asked for its length after it.
                if begins >= end {
                    continue;
                }
                let ends = begins.plus_ms((self.length(&path)? * 1000.0).floor() as i64);
                if ends > start {
                    let file = path.to_string_lossy().into_owned();
                    found.push(Stretch { start: begins, end: ends, file, start_s: 0.0 });
                }
            }
        }
        found.sort_by(|a, b| (a.start, &a.file).cmp(&(b.start, &b.file)));
        Ok(found)
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

fn videos(path: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let video = |path: &PathBuf| {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        ["mp4", "mkv", "webm", "mov"].contains(&ending.as_str())
    };
    entries.filter(video).collect()
}

/// A range cut out of what there is.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// What shows it, in order, none overlapping, neighbours of one file joined.
    pub stretches: Vec<Stretch>,
    /// Parts of the range that nothing shows.
    pub gaps: Vec<[Moment; 2]>,
}

impl Cut {
    /// Cuts a range out of stretches that are sorted by start.
    pub fn of(found: &[Stretch], start: Moment, end: Moment) -> Cut {
        let mut cut = Cut { stretches: Vec::new(), gaps: Vec::new() };
        let mut at = start;
        for stretch in found {
            // What an earlier stretch shows already is not shown twice.
            let Some(part) = stretch.within(at, end) else { continue };
            if part.start > at {
                cut.gaps.push([at, part.start]);
            }
            at = part.end;
            match cut.stretches.last_mut() {
                Some(last) if continues(last, &part) => last.end = part.end,
                _ => cut.stretches.push(part),
            }
        }
        if at < end {
            cut.gaps.push([at, end]);
        }
        cut
    }

    /// Milliseconds that are shown.
    pub fn ms(&self) -> i64 {
        self.stretches.iter().map(Stretch::ms).sum()
    }

    /// Frames evenly spread over what is shown, `fps` a second and at most `most`, an even number: for each stretch the
    /// moments and the seconds in its file.
    pub fn frames(&self, fps: f64, most: usize) -> Vec<Vec<(Moment, f64)>> {
        let total = self.ms();
        let wanted = (total as f64 / 1000.0 * fps).round() as usize;
        let count = (wanted.clamp(2, most.max(2)) / 2 * 2) as i64;
        let mut all: Vec<Vec<(Moment, f64)>> = self.stretches.iter().map(|_| Vec::new()).collect();
        for index in 0..count {
            let mut ms = total * index / count;
            for (stretch, frames) in self.stretches.iter().zip(&mut all) {
                if ms < stretch.ms() {
                    frames.push((stretch.start.plus_ms(ms), stretch.start_s + ms as f64 / 1000.0 + SLACK_S));
                    break;
                }
                ms -= stretch.ms();
            }
        }
        all
    }

    /// The range as a user turn: a video for each stretch, its time before it where there are several, then the words.
    pub fn show(&self, fps: f64, most: usize, limits: PixelLimits, words: &str) -> Conversation {
        let mut parts = Vec::new();
        for (stretch, frames) in self.stretches.iter().zip(self.frames(fps, most)) {
            if frames.is_empty() {
                continue;
            }
            if self.stretches.len() > 1 {
                parts.push(Part::Text(format!("{}-{}:", stretch.start, stretch.end)));
            }
            parts.push(Part::Video(VideoPart {
                source: VideoSource::File(stretch.file.clone()),
                sampling: Sampling::Timestamps(frames.into_iter().map(|(_, s)| s).collect()),
                span: Span::default(),
                limits,
                sample_fps: None,
                damaged: firsthand_base::Damaged::Refuse,
            }));
        }
        parts.push(Part::Text(words.to_owned()));
        Conversation::user(parts)
    }
}

/// Whether a part goes on in the same file where another ends.
fn continues(last: &Stretch, part: &Stretch) -> bool {
    let seen = last.seen();
    last.end == part.start && seen.file == part.file && (seen.end_s - part.start_s).abs() < 0.002
}

/// The frame on screen at one time of a file, at full size, as an image part, and which frame it is. `opener` keeps
/// originals.
pub fn still(opener: &Opener, seen: &Seen, limits: PixelLimits) -> Result<(Part, FrameId), String> {
    let part = VideoPart {
        source: VideoSource::File(seen.file.clone()),
        sampling: Sampling::Timestamps(vec![seen.start_s + SLACK_S]),
        span: Span::default(),
        limits,
        sample_fps: None,
        damaged: firsthand_base::Damaged::Refuse,
    };
    let told = |error: firsthand_media::Error| error.to_string();
    let prepared = opener.video(&part, &SizeRule::qwen_vl_utils(SIDE)).map_err(told)?;
    let (Some(picture), Some(frame)) = (prepared.originals.first(), prepared.frames.first()) else {
        return Err(format!("no frame of {} at {} s", seen.file, seen.start_s));
    };
    let bytes = png(&seen.file, picture.width, picture.height, &picture.rgb).map_err(told)?;
    let location = format!("data:image/png;base64,{}", STANDARD.encode(bytes));
    Ok((Part::Image(ImagePart { location, limits }), frame.clone()))
}

/// Sides of resized pictures are multiples of this; the still itself is the picture before resizing.
const SIDE: usize = 28;
/// A moment is a whole millisecond, a frame's time seldom: half a millisecond later it is surely on screen.
pub const SLACK_S: f64 = 0.0005;
