//! The door of this room: opens an image or a video and returns it ready to be cut into patches.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firsthand_base::{Digest, FrameId, ImagePart, MediaTime, Sampling, VideoPart, VideoSource};
use serde::{Deserialize, Serialize};

use crate::cache::{Cache, FileKey};
use crate::location::{self, Location};
use crate::resize::resize;
use crate::still::{self, Still, StillOptions};
use crate::video::{self, Budget, Video};
use crate::{
    Choice, Error, Picture, Prepared, Probe, Refusal, Result, SizeRule, Survey, choose, display_location,
    fetch,
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
        let frame = FrameId { index: 0, time: MediaTime::new(0, 1, 1), hash: original.hash() };
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
                let path = self.video_file(location, &name)?;
                if !self.cache.is_on() {
                    return self.decode_video(&path, &name, part, rule);
                }
                let file = FileKey::of(&path).map_err(|e| Error::read(&name, &e))?;
                let key = self.key(&file, part, rule);
                if let Some(prepared) = self.cache.get(&key) {
                    return Ok(prepared);
                }
                let prepared = self.decode_video(&path, &name, part, rule)?;
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
        let video = self.list(&self.video_file(location, &name)?, &name)?;
        let timeline = video.timeline();
        let choice =
            choose(&part.sampling, &part.span, &timeline).map_err(|refusal| Error::choice(&name, refusal))?;
        let mut wanted = choice.indices.clone();
        wanted.sort_unstable();
        wanted.dedup();
        let look =
            |frame, picture: Picture| (frame_id(&video, frame, &picture), [picture.height, picture.width]);
        let seen = video::decode(&video, &wanted, self.budget(), &look)?;
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

    /// Says what a medium is.
    pub fn probe(&self, location: &str) -> Result<Probe> {
        let name = display_location(location);
        if let Location::File(path) = location::parse(location, self.options.max_image_bytes)?
            && !still::looks_like_one(&self.head(&path, &name)?)
        {
            return Ok(self.list(&path, &name)?.probe());
        }
        if let Location::Remote(url) = location::parse(location, self.options.max_image_bytes)? {
            let path = fetch::file(&url, &self.options)?;
            if !still::looks_like_one(&self.head(&path, &name)?) {
                return Ok(self.list(&path, &name)?.probe());
            }
        }
        let still = self.still(location)?;
        Ok(Probe {
            container: still.format.into(),
            codec: still.format.into(),
            size: [still.picture.height, still.picture.width],
            rotation: still.rotation,
            duration_s: 0.0,
            frames: 1,
            average_fps: 0.0,
            variable_rate: false,
            has_audio: false,
            created: None,
        })
    }

    fn still(&self, location: &str) -> Result<Still> {
        let name = display_location(location);
        let bytes = match location::parse(location, self.options.max_image_bytes)? {
            Location::Inline(bytes) => bytes,
            Location::Remote(url) => fetch::bytes(&url, &self.options)?,
            Location::File(path) => self.read(&path, &name, self.options.max_image_bytes)?,
        };
        let options = StillOptions {
            max_pixels: self.options.max_picture_pixels,
            exif_orientation: self.options.exif_orientation,
        };
        still::decode(&bytes, &name, options)
    }

    /// A whole file, up to `most` bytes, whatever its size is said to be.
    fn read(&self, path: &Path, name: &str, most: u64) -> Result<Vec<u8>> {
        let fault = |e: std::io::Error| Error::read(name, &e);
        let file = fs_err::File::open(path).map_err(fault)?;
        let mut bytes = Vec::new();
        file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(fault)?;
        if bytes.len() as u64 > most {
            return Err(Error::Budget {
                location: name.into(),
                reason: format!("it has more than {most} bytes"),
                remedy: "give a picture file, or save it smaller",
            });
        }
        Ok(bytes)
    }

    fn head(&self, path: &Path, name: &str) -> Result<Vec<u8>> {
        let fault = |e: std::io::Error| Error::read(name, &e);
        let mut bytes = Vec::new();
        fs_err::File::open(path).map_err(fault)?.take(64).read_to_end(&mut bytes).map_err(fault)?;
        Ok(bytes)
    }

    /// The packet list of a film, read once for as long as the file does not change.
    fn list(&self, path: &Path, name: &str) -> Result<Arc<Video>> {
        let file = FileKey::of(path).map_err(|e| Error::read(name, &e))?;
        if let Some(video) = self.cache.listed(&file, name) {
            return Ok(video);
        }
        let video = Arc::new(Video::open(path, name)?);
        self.cache.list(file, &video);
        Ok(video)
    }

    fn video_file(&self, location: &str, name: &str) -> Result<PathBuf> {
        match location::parse(location, self.options.max_image_bytes)? {
            Location::File(path) => Ok(path),
            Location::Remote(url) => fetch::file(&url, &self.options),
            Location::Inline(_) => Err(Error::Location {
                location: name.into(),
                reason: "a video cannot be a data: URI".into(),
                remedy: "write it to a file and give its path",
            }),
        }
    }

    /// Decodes what several questions will ask of one video, every frame once, and keeps it for them. Only parts of
    /// the first one's file count. What fails is kept by nobody: opening that part says why.
    pub fn prepare(&self, parts: &[&VideoPart], rule: &SizeRule) {
        let Some(VideoSource::File(location)) = parts.first().map(|part| &part.source) else { return };
        let name = display_location(location);
        let Ok(path) = self.video_file(location, &name) else { return };
        let Ok(file) = FileKey::of(&path) else { return };
        let same = parts.iter().filter(|part| part.source == parts[0].source);
        let keyed = same.map(|part| (self.key(&file, part, rule), *part));
        let missing: Vec<(Digest, &VideoPart)> =
            keyed.filter(|(key, _)| self.cache.get(key).is_none()).collect();
        if !self.cache.is_on() || missing.len() < 2 {
            return;
        }
        let parts: Vec<&VideoPart> = missing.iter().map(|(_, part)| *part).collect();
        let Ok(prepared) = self.decode_parts(&path, &name, &parts, rule) else { return };
        for ((key, _), prepared) in missing.into_iter().zip(prepared) {
            if let Ok(prepared) = prepared {
                self.cache.put(key, &prepared);
            }
        }
    }

    fn decode_video(&self, path: &Path, name: &str, part: &VideoPart, rule: &SizeRule) -> Result<Prepared> {
        self.decode_parts(path, name, &[part], rule)?.remove(0)
    }

    /// Each part of a video, from one pass over the frames that any of them takes.
    fn decode_parts(
        &self,
        path: &Path,
        name: &str,
        parts: &[&VideoPart],
        rule: &SizeRule,
    ) -> Result<Vec<Result<Prepared>>> {
        let video = self.list(path, name)?;
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
        let decode = |frame, picture: Picture| {
            let id = frame_id(&video, frame, &picture);
            let takes = parts.iter().zip(&choices).zip(&takes).map(|((part, choice), takes)| {
                let choice = choice.as_ref().ok().filter(|_| takes.binary_search(&frame).is_ok())?;
                Some(self.finish(name, choice.indices.len(), &id, &picture, part, rule))
            });
            takes.collect::<Vec<_>>()
        };
        let decoded = match wanted.is_empty() {
            true => Vec::new(),
            false => video::decode(&video, &wanted, self.budget(), &decode)?,
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

    fn budget(&self) -> Budget {
        Budget { max_pixels: self.options.max_picture_pixels, threads: self.threads() }
    }

    /// Refuses what a film would become by its stated size, before a frame of it is decoded.
    fn check_film(&self, video: &Video, frames: usize, part: &VideoPart, rule: &SizeRule) -> Result<()> {
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

    /// A list of images as a video, as qwen-vl-utils 0.0.14 does it: each image is first resized as an image with
    /// twice the patch factor (it hands the factor over where the patch size is expected), the last is repeated to
    /// an even number, then all are resized as video frames.
    fn images_as_video(&self, locations: &[String], part: &VideoPart, rule: &SizeRule) -> Result<Prepared> {
        let first = locations.first().map(|l| display_location(l)).unwrap_or_else(|| "video".into());
        if locations.is_empty() {
            let refusal = ("the list of images is empty".to_owned(), "give at least one image");
            return Err(Error::choice(&first, refusal));
        }
        self.check_frames(&first, locations.len())?;
        let (sample_fps, times) =
            taken(part, locations.len()).map_err(|refusal| Error::choice(&first, refusal))?;
        let doubled = SizeRule { factor: 2 * rule.factor, ..*rule }.with_image_limits();
        let mut prepared: Option<Prepared> = None;
        for (index, location) in locations.iter().enumerate() {
            let part = ImagePart { location: location.clone(), limits: part.limits };
            let mut image = self.image(&part, &doubled)?;
            image.frames[0].index = index;
            image.frames[0].time = times[index];
            match &mut prepared {
                None => {
                    self.check_resized(&first, side(&image), locations.len())?;
                    prepared = Some(image);
                }
                Some(all) => {
                    if side(&image) != side(all) {
                        return Err(Error::Size {
                            location: display_location(location),
                            reason: format!(
                                "it becomes {:?} pixels, the first image {:?}",
                                side(&image),
                                side(all)
                            ),
                            remedy: "give images of one size",
                        });
                    }
                    all.frames.append(&mut image.frames);
                    all.pictures.append(&mut image.pictures);
                    all.originals.append(&mut image.originals);
                }
            }
        }
        let mut prepared = prepared.expect("the list is not empty");
        if locations.len() % 2 == 1 {
            let hash = prepared.frames[locations.len() - 1].hash;
            let time = match part.sampling {
                Sampling::Timestamps(_) => times[locations.len() - 1],
                _ => time_at(locations.len(), sample_fps),
            };
            prepared.frames.push(FrameId { index: locations.len(), time, hash });
            repeat_last(&mut prepared.pictures);
            repeat_last(&mut prepared.originals);
        }
        let size = rule
            .video_size(side(&prepared), prepared.pictures.len(), &part.limits)
            .map_err(|refusal| Error::size(&first, refusal))?;
        self.check_resized(&first, size, prepared.pictures.len())?;
        for picture in &mut prepared.pictures {
            *picture = resize(picture, size, rule.video_mode);
        }
        prepared.sample_fps = Some(sample_fps);
        Ok(prepared)
    }

    fn check_frames(&self, name: &str, frames: usize) -> Result<()> {
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
    fn check_resized(&self, name: &str, [height, width]: [usize; 2], frames: usize) -> Result<()> {
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
            "{file:?}{:?}{:?}{:?}{rule:?}{}",
            part.sampling, part.span, part.limits, self.options.keep_originals
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

fn frame_id(video: &Video, frame: usize, picture: &Picture) -> FrameId {
    FrameId { index: frame, time: video.time(frame), hash: picture.hash() }
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

fn side(prepared: &Prepared) -> [usize; 2] {
    [prepared.pictures[0].height, prepared.pictures[0].width]
}

fn repeat_last<T: Clone>(items: &mut Vec<T>) {
    items.extend(items.last().cloned());
}

/// Frames a second of a list of images and when each was taken. With timestamps the rate is that between the first
/// and the last.
fn taken(part: &VideoPart, images: usize) -> std::result::Result<(f64, Vec<MediaTime>), Refusal> {
    if let Sampling::Timestamps(times) = &part.sampling {
        if part.sample_fps.is_some() {
            return Err(("it has both timestamps and sample_fps".to_owned(), "give one of them"));
        }
        let remedy = "give one time in seconds for each image, each later than the one before";
        if times.len() != images {
            return Err((format!("{} timestamps for {images} images", times.len()), remedy));
        }
        let ascending = times.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || times.iter().any(|time| !(0.0..=1e9).contains(time)) {
            return Err(("its timestamps do not ascend from 0".to_owned(), remedy));
        }
        let rate = match (images - 1) as f64 / (times[images - 1] - times[0]) {
            rate if rate.is_finite() => rate,
            _ => Sampling::DEFAULT_FPS,
        };
        let micro = |time: &f64| MediaTime::new((time * 1e6).round() as i64, 1, 1_000_000);
        return Ok((rate, times.iter().map(micro).collect()));
    }
    let rate = part.sample_fps.unwrap_or(Sampling::DEFAULT_FPS);
    if !rate.is_finite() || rate <= 0.0 {
        return Err((format!("sample_fps is {rate}"), "give a positive number of frames a second"));
    }
    Ok((rate, (0..images).map(|index| time_at(index, rate)).collect()))
}

/// When image `index` of a list was taken, in microseconds.
fn time_at(index: usize, fps: f64) -> MediaTime {
    MediaTime::new((index as f64 / fps * 1e6).round() as i64, 1, 1_000_000)
}
