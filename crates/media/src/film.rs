//! Something with frames that can be chosen: a film that FFmpeg opens, or an animation that it does not know. Both tell
//! their times before anything is decoded, and give exactly the frames that are wanted.

use std::path::Path;

use firsthand_base::MediaTime;

use crate::animation::Animation;
use crate::kind::{Format, Kind};
use crate::video::{self, Budget, Decoded, Video};
use crate::{Error, Probe, Result, Timeline};

/// An opened film.
#[derive(Debug)]
pub(crate) enum Film {
    /// By FFmpeg.
    Coded(Video),
    /// A WebP animation.
    Drawn(Animation),
}

impl Film {
    /// Opens a file of a known kind. `name` is what errors call it.
    pub(crate) fn open(path: &Path, kind: Kind, name: &str, most_bytes: u64) -> Result<Film> {
        match kind {
            Kind::Moving(Format::WebP) => Animation::open(path, name, most_bytes).map(Film::Drawn),
            // A GIF with one frame is a film of one frame, as it is to the reference.
            Kind::Film(_) | Kind::Moving(_) | Kind::Picture(Format::Gif) => {
                Video::open(path, name).map(Film::Coded)
            }
            Kind::Unknown => Video::open(path, name).map(Film::Coded).map_err(|error| match error {
                Error::Decode { ref reason, .. } if reason.starts_with(video::NOT_KNOWN) => {
                    kind.not_a_film(name)
                }
                other => other,
            }),
            Kind::Picture(_) | Kind::Other(..) => Err(kind.not_a_film(name)),
        }
    }

    /// What the sampling rules need.
    pub(crate) fn timeline(&self) -> Timeline {
        match self {
            Film::Coded(video) => video.timeline(),
            Film::Drawn(animation) => animation.timeline(),
        }
    }

    /// What errors call it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Film::Coded(video) => video.name(),
            Film::Drawn(animation) => animation.name(),
        }
    }

    /// Bytes of memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Film::Coded(video) => video.bytes(),
            Film::Drawn(animation) => animation.bytes(),
        }
    }

    /// `[height, width]` as shown, as far as the container says it.
    pub(crate) fn size(&self) -> [usize; 2] {
        match self {
            Film::Coded(video) => video.size(),
            Film::Drawn(animation) => animation.size(),
        }
    }

    /// Presentation time of a frame from the first one.
    pub(crate) fn time(&self, frame: usize) -> MediaTime {
        match self {
            Film::Coded(video) => video.time(frame),
            Film::Drawn(animation) => animation.time(frame),
        }
    }

    /// What it is.
    pub(crate) fn probe(&self) -> Probe {
        match self {
            Film::Coded(video) => video.probe(),
            Film::Drawn(animation) => animation.probe(),
        }
    }

    /// Decodes the frames `wanted` (ascending, no repeats) and returns `finish` of each, in order.
    pub(crate) fn decode<T: Send>(
        &self,
        wanted: &[usize],
        budget: Budget,
        finish: &(dyn Fn(Decoded) -> T + Sync),
    ) -> Result<Vec<T>> {
        match self {
            Film::Coded(video) => video::decode(video, wanted, budget, finish),
            Film::Drawn(animation) => animation.decode(wanted, budget, finish),
        }
    }
}
