//! Which frames and how many pixels: flags into the words of `base`. Whether a location is an image or a video, its bytes
//! say; a moving picture is a film where a flag chooses frames. No flag is dropped: what nothing can follow is refused.

use anyhow::Result;
use clap::{Args, ValueEnum};
use firsthand_base::{
    Conversation, Damaged, ImagePart, Part, PixelLimits, Sampling, Span, VideoPart, VideoSource,
};
use firsthand_media::{Kind, Opener, display_location, inline_pictures};

use crate::failure::wrong_usage;

/// How `--frames` are spread over a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spread {
    /// As qwen-vl-utils does with `nframes`: both ends included, rounded to even; a shorter video is an error.
    Even,
    /// Exactly this many, both ends included; a shorter video repeats frames.
    Uniform,
    /// Video-R1's model card: frame i * total / n; the last frame is never shown.
    Card,
    /// ST-R1: choose at --fps (default 1), then keep this many of those (published: 8).
    StR1,
}

/// What becomes of frames that damage of a film reaches.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct DamagedFlag {
    /// Frames that the decoder reports as damaged, and those that depend on them: refuse whatever wants one, or show
    /// them as the decoder makes them up; the manifest marks each.
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    damaged: Damage,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Damage {
    /// Named with file and seconds.
    #[default]
    Refuse,
    /// As a player would.
    Show,
}

impl DamagedFlag {
    /// In the words of `base`.
    pub(crate) fn value(self) -> Damaged {
        match self.damaged {
            Damage::Refuse => Damaged::Refuse,
            Damage::Show => Damaged::Show,
        }
    }
}

/// Flags that choose frames and sizes.
#[derive(Args, Default)]
#[command(next_help_heading = "Frames and pixels")]
pub(crate) struct MediaFlags {
    /// Frames per second to take from a video. Default 2, at least 4 and at most 768 frames.
    #[arg(long, value_name = "RATE")]
    fps: Option<f64>,
    /// Take this many frames from a video.
    #[arg(long, value_name = "N")]
    frames: Option<usize>,
    /// How --frames are spread over the video. Default even.
    #[arg(long, value_name = "RULE", requires = "frames")]
    spread: Option<Spread>,
    /// Take the frames on screen at these times, in seconds. With `ask --memory`: when the question is asked, as
    /// DAYd_HHMMSSFF; nothing later is looked at.
    #[arg(long, value_name = "SECONDS|MOMENT", value_delimiter = ',', conflicts_with_all = ["fps", "frames", "min_frames", "max_frames"])]
    at: Vec<String>,
    /// Fewest frames when sampling by rate. Default 4.
    #[arg(long, value_name = "N", conflicts_with = "frames")]
    min_frames: Option<usize>,
    /// Most frames when sampling by rate. Default 768.
    #[arg(long, value_name = "N", conflicts_with = "frames")]
    max_frames: Option<usize>,
    /// Look only at the video from this second on.
    #[arg(long, value_name = "SECONDS")]
    start: Option<f64>,
    /// Look only at the video up to this second.
    #[arg(long, value_name = "SECONDS")]
    end: Option<f64>,
    /// Fewest pixels of a picture after resizing. Default 3136 for images, 100352 for frames.
    #[arg(long, value_name = "N")]
    min_pixels: Option<usize>,
    /// Most pixels of a picture after resizing. Default 12845056 for images, 602112 for frames.
    #[arg(long, value_name = "N")]
    max_pixels: Option<usize>,
    /// Most pixels of a video over all its frames. Default 90316800.
    #[arg(long, value_name = "N")]
    total_pixels: Option<usize>,
    /// Resize to this height and width, rounded to the patch factor, e.g. 280x504.
    #[arg(long, value_name = "HxW", value_parser = height_by_width, conflicts_with_all = ["min_pixels", "max_pixels", "total_pixels"])]
    size: Option<[usize; 2]>,
    #[command(flatten)]
    pub(crate) damaged: DamagedFlag,
}

/// What the flags say; what they leave open stays as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct MediaRules {
    /// The first flag that chooses frames.
    flag: Option<&'static str>,
    sampling: Option<Sampling>,
    span: Span,
    limits: PixelLimits,
    damaged: Damaged,
}

fn height_by_width(text: &str) -> Result<[usize; 2], String> {
    let parsed = text.split_once('x').and_then(|(h, w)| Some([h.parse().ok()?, w.parse().ok()?]));
    parsed.ok_or_else(|| "write height x width in pixels, e.g. 280x504".to_owned())
}

impl MediaFlags {
    /// Checks what one flag alone cannot.
    pub(crate) fn rules(&self) -> Result<MediaRules> {
        if self.fps.is_some_and(|fps| !fps.is_finite() || fps <= 0.0) {
            return Err(wrong_usage("--fps must be a number above 0"));
        }
        if let (Some(fewest), Some(most)) = (self.min_frames, self.max_frames)
            && fewest > most
        {
            return Err(wrong_usage(format!("--min-frames {fewest} is more than --max-frames {most}")));
        }
        for (name, value) in [("--start", self.start), ("--end", self.end)] {
            if value.is_some_and(|value| !value.is_finite() || value < 0.0) {
                return Err(wrong_usage(format!("{name} must be a number of at least 0")));
            }
        }
        if let (Some(start), Some(end)) = (self.start, self.end)
            && start >= end
        {
            return Err(wrong_usage(format!("--start {start} is not before --end {end}")));
        }
        let limits = PixelLimits {
            min_pixels: self.min_pixels,
            max_pixels: self.max_pixels,
            total_pixels: self.total_pixels,
            resized: self.size,
        };
        let span = Span { start_s: self.start, end_s: self.end };
        let damaged = self.damaged.value();
        Ok(MediaRules { flag: self.frame_flag(), sampling: self.sampling()?, span, limits, damaged })
    }

    /// The first flag that chooses frames, if there is one.
    fn frame_flag(&self) -> Option<&'static str> {
        let given = [
            ("--at", !self.at.is_empty()),
            ("--frames", self.frames.is_some()),
            ("--fps", self.fps.is_some()),
            ("--min-frames", self.min_frames.is_some()),
            ("--max-frames", self.max_frames.is_some()),
            ("--start", self.start.is_some()),
            ("--end", self.end.is_some()),
        ];
        given.into_iter().find_map(|(flag, is_given)| is_given.then_some(flag))
    }

    /// Refuses flags that choose frames where a question is about days; `--at` says when it is asked.
    pub(crate) fn refuse_frames_of_days(&self) -> Result<()> {
        match self.frame_flag().filter(|flag| *flag != "--at") {
            None => Ok(()),
            Some(flag) => Err(wrong_usage(format!(
                "{flag} chooses frames of a medium; with --memory the agent's tools choose them, so leave it out"
            ))),
        }
    }

    /// The moment that `--at` names where it names one, for questions about days.
    pub(crate) fn moment(&self) -> Option<&str> {
        self.at.first().map(String::as_str)
    }

    fn sampling(&self) -> Result<Option<Sampling>> {
        if !self.at.is_empty() {
            let times: Option<Vec<f64>> = self
                .at
                .iter()
                .map(|time| time.parse().ok().filter(|t: &f64| t.is_finite() && *t >= 0.0))
                .collect();
            let times = times.ok_or_else(|| wrong_usage("--at takes times of at least 0 seconds"))?;
            return Ok(Some(Sampling::Timestamps(times)));
        }
        let rate = |fps: f64| Sampling::Rate {
            fps,
            min_frames: self.min_frames.unwrap_or(Sampling::DEFAULT_MIN_FRAMES),
            max_frames: self.max_frames.unwrap_or(Sampling::DEFAULT_MAX_FRAMES),
        };
        let Some(frames) = self.frames else {
            let asked = self.fps.is_some() || self.min_frames.is_some() || self.max_frames.is_some();
            return Ok(asked.then(|| rate(self.fps.unwrap_or(Sampling::DEFAULT_FPS))));
        };
        let spread = self.spread.unwrap_or(Spread::Even);
        if self.fps.is_some() && spread != Spread::StR1 {
            return Err(wrong_usage("give --fps or --frames, not both (both only with --spread st-r1)"));
        }
        Ok(Some(spread_frames(frames, spread, self.fps)))
    }
}

/// A number of frames, spread by a rule; `fps` is of the rule that chooses by rate first.
pub(crate) fn spread_frames(frames: usize, spread: Spread, fps: Option<f64>) -> Sampling {
    match spread {
        Spread::Even => Sampling::Frames(frames),
        Spread::Uniform => Sampling::Uniform(frames),
        Spread::Card => Sampling::Card(frames),
        Spread::StR1 => Sampling::RateThenUniform {
            fps: fps.unwrap_or(1.0),
            min_frames: Sampling::DEFAULT_MIN_FRAMES,
            max_frames: Sampling::DEFAULT_MAX_FRAMES,
            keep: frames,
        },
    }
}

impl MediaRules {
    /// A medium by location.
    pub(crate) fn part(&self, location: &str, opener: &Opener) -> Result<Part> {
        let video = |source, sampling| {
            let (span, limits) = (Span::default(), PixelLimits::default());
            let damaged = Damaged::Refuse;
            Part::Video(VideoPart { source, sampling, span, limits, sample_fps: None, damaged })
        };
        let mut part = if let Some(pictures) = inline_pictures(location) {
            video(VideoSource::Images(pictures), Sampling::Every)
        } else if self.takes_as_film(opener.kind(location)?) {
            video(VideoSource::File(location.to_owned()), Sampling::default())
        } else {
            Part::Image(ImagePart { location: location.to_owned(), limits: PixelLimits::default() })
        };
        self.apply(&mut part)?;
        Ok(part)
    }

    fn takes_as_film(&self, kind: Kind) -> bool {
        match kind {
            Kind::Moving(_) => self.flag.is_some(),
            other => other.has_frames(),
        }
    }

    /// The flag that chooses frames, where nothing that is asked about has any.
    pub(crate) fn unused(&self, conversation: &Conversation) -> Option<&'static str> {
        self.flag.filter(|_| !conversation.parts().any(|part| matches!(part, Part::Video(_))))
    }

    /// Refuses flags that choose frames where nothing has any.
    pub(crate) fn check_used(&self, conversation: &Conversation) -> Result<()> {
        match self.unused(conversation) {
            None => Ok(()),
            Some(flag) => Err(wrong_usage(format!(
                "{flag} chooses frames, and there is no video or moving picture to choose from; leave it out"
            ))),
        }
    }

    /// Overrides what a conversation says about its media.
    pub(crate) fn override_all(&self, conversation: &mut Conversation) -> Result<()> {
        conversation
            .messages
            .iter_mut()
            .flat_map(|message| &mut message.parts)
            .try_for_each(|part| self.apply(part))
    }

    fn apply(&self, part: &mut Part) -> Result<()> {
        let mut says_size = self.limits.min_pixels.is_some() || self.limits.max_pixels.is_some();
        let limits = match part {
            Part::Text(_) => return Ok(()),
            Part::Image(image) => &mut image.limits,
            Part::Video(video) => {
                if let Some(sampling) = &self.sampling {
                    self.check_list(video)?;
                    video.sampling = sampling.clone();
                }
                video.span.start_s = self.span.start_s.or(video.span.start_s);
                video.span.end_s = self.span.end_s.or(video.span.end_s);
                if self.damaged == Damaged::Show {
                    video.damaged = Damaged::Show;
                }
                says_size |= self.limits.total_pixels.is_some();
                &mut video.limits
            }
        };
        limits.min_pixels = self.limits.min_pixels.or(limits.min_pixels);
        limits.max_pixels = self.limits.max_pixels.or(limits.max_pixels);
        limits.total_pixels = self.limits.total_pixels.or(limits.total_pixels);
        // A fixed size would leave pixel limits without effect.
        limits.resized = self.limits.resized.or(limits.resized.filter(|_| !says_size));
        Ok(())
    }

    /// Refuses to take the times of a list of pictures for times to look at, or the other way round.
    fn check_list(&self, video: &VideoPart) -> Result<()> {
        let is_timed = |sampling: &Option<Sampling>| matches!(sampling, Some(Sampling::Timestamps(_)));
        let VideoSource::Images(_) = video.source else { return Ok(()) };
        let flag = self.flag.unwrap_or("--frames");
        if is_timed(&self.sampling) {
            return Err(wrong_usage(format!(
                "{flag} chooses frames of a file, and this video is a list of pictures; leave out those that are not to be seen"
            )));
        }
        if is_timed(&Some(video.sampling.clone())) {
            return Err(wrong_usage(format!(
                "{flag} chooses at even times, and this list of pictures has timestamps; use --start and --end, or list fewer"
            )));
        }
        Ok(())
    }
}

/// A moving picture among the media of a question, and which way it was taken.
pub(crate) struct Moving {
    location: String,
    is_film: bool,
}

impl Moving {
    /// The moving pictures of a conversation. What cannot be opened is told of elsewhere.
    pub(crate) fn find(conversation: &Conversation, opener: &Opener) -> Vec<Moving> {
        let medium = |part: &Part| match part {
            Part::Image(image) => Some((image.location.clone(), false)),
            Part::Video(VideoPart { source: VideoSource::File(location), .. }) => {
                Some((location.clone(), true))
            }
            _ => None,
        };
        conversation
            .parts()
            .filter_map(medium)
            .filter(|(location, _)| matches!(opener.kind(location), Ok(Kind::Moving(_))))
            .map(|(location, is_film)| Moving { location: display_location(&location), is_film })
            .collect()
    }

    /// A line for people.
    pub(crate) fn note(&self) -> String {
        let way = if self.is_film {
            "taken as a film"
        } else {
            "taken as one picture, its first; --frames or --fps takes it as a film"
        };
        format!("{} is a moving picture, {way}", self.location)
    }

    /// The entry of a manifest; none where nothing moves.
    pub(crate) fn setting(all: &[Moving]) -> Option<(String, String)> {
        let way = |moving: &Moving| {
            format!("{} as {}", moving.location, if moving.is_film { "a film" } else { "one picture" })
        };
        let ways = all.iter().map(way).collect::<Vec<_>>().join(", ");
        (!all.is_empty()).then(|| ("moving pictures".to_owned(), ways))
    }
}
