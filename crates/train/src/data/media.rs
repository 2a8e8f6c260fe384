//! Media of rows: locations as the file has them become locations of this machine, and the marks in a text become the
//! parts they stand for. Opens nothing; whether a file is there is asked once, when the source is opened.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

use firsthand_base::{
    Conversation, Damaged, ImagePart, Part, PixelLimits, Sampling, Span, VideoPart, VideoSource,
};
use firsthand_media::inline_pictures;

use super::config::SourceConfig;
use super::fields::Reason;

const SCHEMES: [&str; 4] = ["http://", "https://", "data:", "file://"];
const IMAGE_MARK: &str = "<image>";
const VIDEO_MARK: &str = "<video>";

/// How one source's media are found and shown.
#[derive(Debug)]
pub(super) struct MediaRules {
    root: PathBuf,
    prefix: Option<String>,
    sampling: Option<Sampling>,
    damaged: Damaged,
    image: PixelLimits,
    video: PixelLimits,
}

impl MediaRules {
    /// `folder` is the one the rows' file is in.
    pub(super) fn new(config: &SourceConfig, folder: &Path) -> MediaRules {
        MediaRules {
            root: config.media_root.clone().unwrap_or_else(|| folder.to_path_buf()),
            prefix: config.media_prefix.clone(),
            sampling: config.sampling.clone(),
            damaged: config.damaged,
            image: config.image,
            video: config.video,
        }
    }

    pub(super) fn image(&self, location: &str) -> Result<Part, Reason> {
        Ok(Part::Image(ImagePart { location: self.locate(location)?, limits: self.image }))
    }

    pub(super) fn video(&self, source: VideoSource, span: Span) -> Result<Part, Reason> {
        let listed = match &source {
            VideoSource::File(location) => inline_pictures(location).map(VideoSource::Images),
            VideoSource::Images(_) => None,
        };
        let source = match listed.unwrap_or(source) {
            VideoSource::File(location) => VideoSource::File(self.locate(&location)?),
            VideoSource::Images(all) => {
                VideoSource::Images(all.iter().map(|one| self.locate(one)).collect::<Result<_, _>>()?)
            }
        };
        let every = || match source {
            VideoSource::File(_) => Sampling::default(),
            VideoSource::Images(_) => Sampling::Every,
        };
        let sampling = self.sampling.clone().unwrap_or_else(every);
        Ok(Part::Video(VideoPart {
            source,
            sampling,
            span,
            limits: self.video,
            sample_fps: None,
            damaged: self.damaged,
        }))
    }

    pub(super) fn video_file(&self, location: &str) -> Result<Part, Reason> {
        self.video(VideoSource::File(location.to_owned()), Span::default())
    }

    /// Fills in what a conversation that names its own media leaves open.
    pub(super) fn complete(&self, conversation: &mut Conversation) -> Result<(), Reason> {
        for part in conversation.messages.iter_mut().flat_map(|message| &mut message.parts) {
            match part {
                Part::Text(_) => {}
                Part::Image(image) => {
                    image.location = self.locate(&image.location)?;
                    image.limits = or(image.limits, self.image);
                }
                Part::Video(video) => {
                    if self.damaged == Damaged::Show {
                        video.damaged = Damaged::Show;
                    }
                    match &mut video.source {
                        VideoSource::File(location) => *location = self.locate(location)?,
                        VideoSource::Images(all) => {
                            for location in all {
                                *location = self.locate(location)?;
                            }
                        }
                    }
                    video.limits = or(video.limits, self.video);
                    if let Some(sampling) = &self.sampling
                        && (video.sampling == Sampling::default() || video.sampling == Sampling::Every)
                    {
                        video.sampling = sampling.clone();
                    }
                }
            }
        }
        Ok(())
    }

    /// A location of this machine: relative ones start from the media root (`./` is where Video-R1's begin).
    fn locate(&self, location: &str) -> Result<String, Reason> {
        if has_scheme(location) {
            return Ok(location.to_owned());
        }
        let rest = self.prefix.as_deref().and_then(|prefix| location.strip_prefix(prefix));
        let rest = rest.map_or(location, |rest| rest.trim_start_matches('/'));
        let rest = rest.strip_prefix("./").unwrap_or(rest);
        if rest.is_empty() || rest.contains('\0') {
            return Err(format!("a medium without a location: {location:?}"));
        }
        let path = self.root.join(rest);
        path.into_os_string()
            .into_string()
            .map_err(|path| format!("{}: a path that is not UTF-8", Path::new(&path).display()))
    }
}

/// Whether a location is more than a path.
fn has_scheme(location: &str) -> bool {
    let starts = |scheme: &&str| location.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme));
    SCHEMES.iter().any(starts)
}

fn or(own: PixelLimits, default: PixelLimits) -> PixelLimits {
    if own.resized.is_some() {
        return own;
    }
    let says_size = own.min_pixels.is_some() || own.max_pixels.is_some() || own.total_pixels.is_some();
    PixelLimits {
        min_pixels: own.min_pixels.or(default.min_pixels),
        max_pixels: own.max_pixels.or(default.max_pixels),
        total_pixels: own.total_pixels.or(default.total_pixels),
        resized: default.resized.filter(|_| !says_size),
    }
}

/// Media that wait for their marks, in the order of the file.
pub(super) struct Waiting {
    pub(super) images: VecDeque<Part>,
    pub(super) videos: VecDeque<Part>,
}

impl Waiting {
    /// Cuts a text at its marks and puts the next medium where each stands.
    pub(super) fn place(&mut self, text: &str) -> Result<Vec<Part>, Reason> {
        let mut parts = Vec::new();
        let mut rest = text;
        loop {
            let next = [(IMAGE_MARK, true), (VIDEO_MARK, false)]
                .into_iter()
                .filter_map(|(mark, image)| Some((rest.find(mark)?, mark, image)))
                .min();
            let Some((at, mark, image)) = next else { break };
            let waiting = if image { &mut self.images } else { &mut self.videos };
            let medium =
                waiting.pop_front().ok_or_else(|| format!("more {mark} marks than media for them"))?;
            if at > 0 {
                parts.push(Part::Text(rest[..at].to_owned()));
            }
            parts.push(medium);
            rest = &rest[at + mark.len()..];
        }
        if !rest.is_empty() || parts.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(parts)
    }

    /// Every medium must have had its mark.
    pub(super) fn check_empty(&self) -> Result<(), Reason> {
        match (self.images.len(), self.videos.len()) {
            (0, 0) => Ok(()),
            (images, videos) => Err(format!(
                "{images} images and {videos} videos have no <image> or <video> mark in the user's words"
            )),
        }
    }
}

/// Whether the text holds a mark.
pub(super) fn marked(text: &str) -> bool {
    text.contains(IMAGE_MARK) || text.contains(VIDEO_MARK)
}

/// Files that were looked for, so that a file of many rows is looked for once.
#[derive(Default)]
pub(super) struct Files(HashMap<String, bool>);

impl Files {
    /// Refuses a conversation whose media files are not there. Remote and inline media are not asked for.
    pub(super) fn check(&mut self, conversation: &Conversation) -> Result<(), Reason> {
        for part in conversation.parts() {
            let locations = match part {
                Part::Text(_) => continue,
                Part::Image(image) => std::slice::from_ref(&image.location),
                Part::Video(VideoPart { source: VideoSource::File(location), .. }) => {
                    std::slice::from_ref(location)
                }
                Part::Video(VideoPart { source: VideoSource::Images(all), .. }) => all,
            };
            for location in locations {
                if has_scheme(location) {
                    continue;
                }
                let known = self.0.get(location).copied();
                let there = known.unwrap_or_else(|| Path::new(location).is_file());
                if known.is_none() {
                    self.0.insert(location.clone(), there);
                }
                if !there {
                    return Err(format!(
                        "no such file: {location}; set media_root to the folder of the media, and media_prefix to what the file puts before it"
                    ));
                }
            }
        }
        Ok(())
    }
}
