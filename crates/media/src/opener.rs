//! The door of this room: opens an image or a video and returns it ready to be cut into patches.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use firsthand_base::{Damaged, Digest, FrameId, ImagePart, MediaTime, VideoPart, VideoSource};
use serde::{Deserialize, Serialize};

use crate::bytes::{Bytes, Placed};
use crate::cache::{Cache, FileKey};
use crate::film::Film;
use crate::resize::resize;
use crate::still::{self, Still, StillOptions};
use crate::video::{Budget, Decoded};
use crate::{
    Choice, Error, Kind, Picture, Prepared, Probe, Result, SizeRule, Survey, choose, display_location,
};

/// A video after resizing may have as many pixels as this many of the largest pictures, far more than the longest
/// context holds.
const LARGEST_VIDEO: usize = 4;

/// What opening may cost and where downloads are kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpenerOptions {
    /// Folder for downloads. `None` refuses `http(s)://` videos and keeps `http(s)://` images in memory only.
    pub cache_dir: Option<PathBuf>,
    /// Whether `http(s)://` locations may be opened.
    pub remote: bool,
    /// Most bytes of one download.
    pub max_download_bytes: u64,
    /// Seconds one download may take.
    pub download_timeout_s: f64,
    /// Most bytes of one image file.
    pub max_image_bytes: u64,
    /// Most pixels of one picture, checked before it is decoded and before it is resized. The default is the size at which PIL
    /// warns of a decompression bomb.
    pub max_picture_pixels: usize,
    /// Most frames taken from one video.
    pub max_frames: usize,
    /// Most bytes of prepared videos kept for the next question; 0 keeps none.
    pub keep_bytes: usize,
    /// Whether images are turned upright by their EXIF orientation. qwen-vl-utils does not.
    pub exif_orientation: bool,
    /// Whether `Prepared::originals` is filled.
    pub keep_originals: bool,
    /// What becomes of frames that damage reaches; a part may ask to be shown its own.
    pub damaged: Damaged,
    /// Decoder threads; 0 takes one per core.
    pub threads: usize,
}

impl Default for OpenerOptions {
    fn default() -> Self {
        OpenerOptions {
            cache_dir: None,
            remote: true,
            max_download_bytes: 4 << 30,
            download_timeout_s: 600.0,
            max_image_bytes: 512 << 20,
            max_picture_pixels: 178_956_970,
            max_frames: 4096,
            keep_bytes: 1 << 30,
            exif_orientation: true,
            keep_originals: false,
            damaged: Damaged::Refuse,
            threads: 0,
        }
    }
}

/// Whoever opens media for a prompt: an [`Opener`], or a keeper of media that another process opened.
pub trait OpenMedia {
    /// Opens and resizes an image.
    fn image(&self, part: &ImagePart, rule: &SizeRule) -> Result<Prepared>;
    /// Opens a video (or a list of images), decodes the chosen frames and resizes them.
    fn video(&self, part: &VideoPart, rule: &SizeRule) -> Result<Prepared>;
}

impl OpenMedia for Opener {
    fn image(&self, part: &ImagePart, rule: &SizeRule) -> Result<Prepared> {
        Opener::image(self, part, rule)
    }

    fn video(&self, part: &VideoPart, rule: &SizeRule) -> Result<Prepared> {
        Opener::video(self, part, rule)
    }
}

/// Opens media. Shared by reference between threads; prepared videos are kept for the next question.
#[derive(Debug)]
pub struct Opener {
    options: OpenerOptions,
    cache: Cache,
}

impl Default for Opener {
    fn default() -> Self {
        Opener::new(OpenerOptions::default())
    }
}

impl Opener {
    /// An opener with the given budgets.
    pub fn new(options: OpenerOptions) -> Self {
        let cache = Cache::new(options.keep_bytes);
        Opener { options, cache }
    }

    /// The budgets.
    pub fn options(&self) -> &OpenerOptions {
        &self.options
    }

    /// Opens and resizes an image.
    pub fn image(&self, part: &ImagePart, rule: &SizeRule) -> Result<Prepared> {
        let original = self.still(&part.location)?.picture;
        let original_size = [original.height, original.width];
        let size = rule
            .image_size(original_size, &part.limits)
            .map_err(|refusal| Error::size(&display_location(&part.location), refusal))?;
        self.check_resized(&display_location(&part.location), size, 1)?;
        let picture = resize(&original, size, rule.image_mode);
        let frame =
            FrameId { index: 0, time: MediaTime::new(0, 1, 1), hash: original.hash(), damaged: false };
        Ok(Prepared {
            frames: vec![frame],
            pictures: vec![picture],
            originals: if self.options.keep_originals { vec![original] } else { Vec::new() },
            sample_fps: None,
            original_size,
        })
    }

    /// Opens a video (or a list of images), decodes the chosen frames and resizes them.
    pub fn video(&self, part: &VideoPart, rule: &SizeRule) -> Result<Prepared> {
        match &part.source {
            VideoSource::Images(locations) => self.images_as_video(locations, part, rule),
            VideoSource::File(location) => {
                let name = display_location(location);
                let (file, kind) = self.film(location, &name)?;
                if !self.cache.is_on() {
                    return self.decode_video(&file.path, kind, &name, part, rule);
                }
                let state = FileKey::of(&file.path).map_err(|e| Error::read(&name, &e))?;
                let key = self.key(&state, part, rule);
                if let Some(prepared) = self.cache.get(&key) {
                    return Ok(prepared);
                }
                let prepared = self.decode_video(&file.path, kind, &name, part, rule)?;
                self.cache.put(key, &prepared);
                Ok(prepared)
            }
        }
    }

    /// Says what [`Opener::video`] would give, without the pixels: chosen frames with their hashes, and sizes. Frames
    /// are let go of as they are decoded, so hours at any rate take no more memory than minutes.
    pub fn survey(&self, part: &VideoPart, rule: &SizeRule) -> Result<Survey> {
        let VideoSource::File(location) = &part.source else {
            return Ok(Survey::of(&self.video(part, rule)?));
        };
        let name = display_location(location);
        let (file, kind) = self.film(location, &name)?;
        let video = self.list(&file.path, kind, &name)?;
        let timeline = video.timeline();
        let choice =
            choose(&part.sampling, &part.span, &timeline).map_err(|refusal| Error::choice(&name, refusal))?;
        let mut wanted = choice.indices.clone();
        wanted.sort_unstable();
        wanted.dedup();
        let look = |shown: Decoded| (frame_id(&video, &shown), [shown.picture.height, shown.picture.width]);
        let seen = video.decode(&wanted, self.budget(part.damaged), &look)?;
        let original_size = one_size(&name, seen.iter().map(|(_, size)| *size))?;
        let resized = rule
            .video_size(original_size, choice.indices.len(), &part.limits)
            .map_err(|refusal| Error::size(&name, refusal))?;
        let frames = choice.indices.iter().map(|frame| {
            let place = wanted.binary_search(frame).expect("every chosen frame was decoded");
            seen[place].0.clone()
        });
        Ok(Survey { frames: frames.collect(), resized, sample_fps: Some(choice.sample_fps), original_size })
    }

    /// What a location holds, by its bytes. What is never shown is an error that names it.
    pub fn kind(&self, location: &str) -> Result<Kind> {
        let name = display_location(location);
        let kind = Bytes::find(location, &self.options, false)?.kind(&name)?;
        if matches!(kind, Kind::Other(..)) { Err(kind.not_a_medium(&name)) } else { Ok(kind) }
    }

    /// Says what a medium is. A moving picture is told of as a film.
    pub fn probe(&self, location: &str) -> Result<Probe> {
        let name = display_location(location);
        let bytes = Bytes::find(location, &self.options, true)?;
        let kind = bytes.kind(&name)?;
        match kind {
            Kind::Other(..) => Err(kind.not_a_medium(&name)),
            Kind::Picture(_) => Ok(self.decode_still(bytes, &name)?.probe()),
            Kind::Moving(_) | Kind::Film(_) | Kind::Unknown => {
                let placed = bytes.place(&name)?;
                Ok(self.list(&placed.path, kind, &name)?.probe())
            }
        }
    }

    fn still(&self, location: &str) -> Result<Still> {
        let name = display_location(location);
        let bytes = Bytes::find(location, &self.options, false)?;
        // A film called as a picture is said to be one before it is read.
        if let kind @ (Kind::Film(_) | Kind::Other(..)) = bytes.kind(&name)? {
            return Err(kind.not_a_picture(&name));
        }
        self.decode_still(bytes, &name)
    }

    fn decode_still(&self, bytes: Bytes, name: &str) -> Result<Still> {
        let bytes = bytes.whole(name, self.options.max_image_bytes)?;
        let options = StillOptions {
            max_pixels: self.options.max_picture_pixels,
            exif_orientation: self.options.exif_orientation,
        };
        still::decode(&bytes, name, options)
    }

    /// The film that a location holds, as a file, and its kind.
    fn film(&self, location: &str, name: &str) -> Result<(Placed, Kind)> {
        let bytes = Bytes::find(location, &self.options, true)?;
        let kind = bytes.kind(name)?;
        Ok((bytes.place(name)?, kind))
    }

    /// An opened film, its packets listed once for as long as the file does not change.
    fn list(&self, path: &Path, kind: Kind, name: &str) -> Result<Arc<Film>> {
        let state = FileKey::of(path).map_err(|e| Error::read(name, &e))?;
        if let Some(film) = self.cache.listed(&state, name) {
            return Ok(film);
        }
        let film = Arc::new(Film::open(path, kind, name, self.options.max_image_bytes)?);
        self.cache.list(state, &film);
        Ok(film)
    }

    /// Decodes what several questions will ask of one video, every frame once, and keeps it for them. Only parts of
    /// the first one's file count. What fails is kept by nobody: opening that part says why.
    pub fn prepare(&self, parts: &[&VideoPart], rule: &SizeRule) {
        let Some(VideoSource::File(location)) = parts.first().map(|part| &part.source) else { return };
        let name = display_location(location);
        let Ok((file, kind)) = self.film(location, &name) else { return };
        let Ok(state) = FileKey::of(&file.path) else { return };
        let first = parts[0];
        let same = parts.iter().filter(|part| part.source == first.source && part.damaged == first.damaged);
        let keyed = same.map(|part| (self.key(&state, part, rule), *part));
        let missing: Vec<(Digest, &VideoPart)> =
            keyed.filter(|(key, _)| self.cache.get(key).is_none()).collect();
        if !self.cache.is_on() || missing.len() < 2 {
            return;
        }
        let parts: Vec<&VideoPart> = missing.iter().map(|(_, part)| *part).collect();
        let Ok(prepared) = self.decode_parts(&file.path, kind, &name, &parts, rule) else { return };
        for ((key, _), prepared) in missing.into_iter().zip(prepared) {
            if let Ok(prepared) = prepared {
                self.cache.put(key, &prepared);
            }
        }
    }

    fn decode_video(
        &self,
        path: &Path,
        kind: Kind,
        name: &str,
        part: &VideoPart,
        rule: &SizeRule,
    ) -> Result<Prepared> {
        self.decode_parts(path, kind, name, &[part], rule)?.remove(0)
    }

    /// Each part of a video, from one pass over the frames that any of them takes. They want the same of damaged ones.
    fn decode_parts(
        &self,
        path: &Path,
        kind: Kind,
        name: &str,
        parts: &[&VideoPart],
        rule: &SizeRule,
    ) -> Result<Vec<Result<Prepared>>> {
        let video = self.list(path, kind, name)?;
        let timeline = video.timeline();
        let choose = |part: &&VideoPart| {
            let choice = choose(&part.sampling, &part.span, &timeline)
                .map_err(|refusal| Error::choice(name, refusal))?;
            self.check_frames(name, choice.indices.len())?;
            self.check_film(&video, choice.indices.len(), part, rule)?;
            Ok(choice)
        };
        let choices: Vec<Result<Choice>> = parts.iter().map(choose).collect();
        let sorted = |indices: &[usize]| {
            let mut indices = indices.to_vec();
            indices.sort_unstable();
            indices.dedup();
            indices
        };
        let takes: Vec<Vec<usize>> =
            choices.iter().map(|choice| choice.as_ref().map_or(Vec::new(), |c| sorted(&c.indices))).collect();
        let wanted = sorted(&takes.concat());
        let decode = |shown: Decoded| {
            let id = frame_id(&video, &shown);
            let takes = parts.iter().zip(&choices).zip(&takes).map(|((part, choice), takes)| {
                let choice = choice.as_ref().ok().filter(|_| takes.binary_search(&shown.frame).is_ok())?;
                Some(self.finish(name, choice.indices.len(), &id, &shown.picture, part, rule))
            });
            takes.collect::<Vec<_>>()
        };
        let decoded = match wanted.is_empty() {
            true => Vec::new(),
            false => video.decode(&wanted, self.budget(parts[0].damaged), &decode)?,
        };
        // By part: what was decoded of the frames it takes, in the order of the stream.
        let mut shown: Vec<Vec<(usize, Result<Shown>)>> = parts.iter().map(|_| Vec::new()).collect();
        for (frame, takes) in wanted.iter().zip(decoded) {
            for (of_part, take) in shown.iter_mut().zip(takes) {
                of_part.extend(take.map(|take| (*frame, take)));
            }
        }
        Ok(choices.into_iter().zip(shown).map(|(choice, shown)| in_order(name, &choice?, shown)).collect())
    }

    fn budget(&self, damaged: Damaged) -> Budget {
        Budget {
            max_pixels: self.options.max_picture_pixels,
            threads: self.threads(),
            damaged: self.damaged(damaged),
        }
    }

    /// What becomes of damaged frames of a part: whoever asks for them to be shown is heard.
    fn damaged(&self, of_part: Damaged) -> Damaged {
        if of_part == Damaged::Show { of_part } else { self.options.damaged }
    }

    /// Refuses what a film would become by its stated size, before a frame of it is decoded.
    fn check_film(&self, video: &Film, frames: usize, part: &VideoPart, rule: &SizeRule) -> Result<()> {
        if video.size().contains(&0) {
            return Ok(());
        }
        match rule.video_size(video.size(), frames, &part.limits) {
            Ok(size) => self.check_resized(video.name(), size, frames),
            // Said of the frames' own size, when there is one.
            Err(_) => Ok(()),
        }
    }

    /// One decoded frame, identified and resized.
    fn finish(
        &self,
        name: &str,
        frames: usize,
        id: &FrameId,
        original: &Picture,
        part: &VideoPart,
        rule: &SizeRule,
    ) -> Result<Shown> {
        let original_size = [original.height, original.width];
        let size = rule
            .video_size(original_size, frames, &part.limits)
            .map_err(|refusal| Error::size(name, refusal))?;
        self.check_resized(name, size, frames)?;
        Ok(Shown {
            frame: id.clone(),
            picture: resize(original, size, rule.video_mode),
            original: self.options.keep_originals.then(|| original.clone()),
            original_size,
        })
    }

    pub(crate) fn check_frames(&self, name: &str, frames: usize) -> Result<()> {
        if frames <= self.options.max_frames {
            return Ok(());
        }
        Err(Error::Budget {
            location: name.into(),
            reason: format!("{frames} frames are more than {}", self.options.max_frames),
            remedy: "ask for fewer frames",
        })
    }

    /// Refuses a size after resizing that would not fit into memory, before it is made.
    pub(crate) fn check_resized(&self, name: &str, [height, width]: [usize; 2], frames: usize) -> Result<()> {
        let most = self.options.max_picture_pixels;
        let pixels = height.saturating_mul(width);
        if pixels <= most && pixels.saturating_mul(frames) <= most.saturating_mul(LARGEST_VIDEO) {
            return Ok(());
        }
        let times = if frames == 1 { String::new() } else { format!("{frames} frames of ") };
        Err(Error::Budget {
            location: name.into(),
            reason: format!("resized it would be {times}{height}x{width} (height x width)"),
            remedy: "lower min_pixels, the size asked for, or the number of frames",
        })
    }

    fn threads(&self) -> usize {
        match self.options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }

    /// What a prepared video depends on: the file as it is now and every rule applied to it.
    fn key(&self, file: &FileKey, part: &VideoPart, rule: &SizeRule) -> Digest {
        let rules = format!(
            "{file:?}{:?}{:?}{:?}{:?}{rule:?}{}",
            part.sampling,
            part.span,
            part.limits,
            self.damaged(part.damaged),
            self.options.keep_originals
        );
        Digest(*blake3::hash(rules.as_bytes()).as_bytes())
    }
}

/// A decoded frame on its way into `Prepared`.
struct Shown {
    frame: FrameId,
    picture: Picture,
    original: Option<Picture>,
    original_size: [usize; 2],
}

/// Decoded frames, ascending by number, in the order in which they were chosen.
fn in_order(name: &str, choice: &Choice, decoded: Vec<(usize, Result<Shown>)>) -> Result<Prepared> {
    let decoded: Vec<(usize, Shown)> =
        decoded.into_iter().map(|(frame, shown)| Ok((frame, shown?))).collect::<Result<_>>()?;
    let original_size = one_size(name, decoded.iter().map(|(_, shown)| shown.original_size))?;
    let place = |index: &usize| {
        decoded.binary_search_by_key(index, |(frame, _)| *frame).expect("every chosen frame was decoded")
    };
    let shown: Vec<&Shown> = choice.indices.iter().map(|index| &decoded[place(index)].1).collect();
    Ok(Prepared {
        frames: shown.iter().map(|s| s.frame.clone()).collect(),
        pictures: shown.iter().map(|s| s.picture.clone()).collect(),
        originals: shown.iter().filter_map(|s| s.original.clone()).collect(),
        sample_fps: Some(choice.sample_fps),
        original_size,
    })
}

fn frame_id(video: &Film, shown: &Decoded) -> FrameId {
    let Decoded { frame, picture, is_damaged } = shown;
    FrameId { index: *frame, time: video.time(*frame), hash: picture.hash(), damaged: *is_damaged }
}

/// The size that all frames of a film have.
fn one_size(name: &str, mut sizes: impl Iterator<Item = [usize; 2]>) -> Result<[usize; 2]> {
    let first = sizes.next().expect("a choice of frames is not empty");
    match sizes.all(|size| size == first) {
        true => Ok(first),
        false => Err(Error::Decode {
            location: name.into(),
            reason: "its frames change size".into(),
            remedy: "convert it to one size with `ffmpeg -i IN OUT.mp4`",
        }),
    }
}

pub(crate) fn side(prepared: &Prepared) -> [usize; 2] {
    [prepared.pictures[0].height, prepared.pictures[0].width]
}

pub(crate) fn repeat_last<T: Clone>(items: &mut Vec<T>) {
    items.extend(items.last().cloned());
}
