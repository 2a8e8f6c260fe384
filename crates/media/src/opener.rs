//! The door of this room: opens an image or a video and returns it ready to be cut into patches.

use std::path::PathBuf;

use firsthand_base::{ImagePart, VideoPart};
use serde::{Deserialize, Serialize};

use crate::{Prepared, Probe, Result, SizeRule};

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
    /// Most pixels of one decoded picture, checked before it is decoded. The default is the size at which PIL
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
            max_picture_pixels: 178_956_970,
            max_frames: 4096,
            keep_bytes: 1 << 30,
            exif_orientation: true,
            keep_originals: false,
            threads: 0,
        }
    }
}

/// Opens media. Shared by reference between threads; prepared videos are kept for the next question.
#[derive(Debug)]
pub struct Opener {
    options: OpenerOptions,
}

impl Opener {
    /// An opener with the given budgets.
    pub fn new(options: OpenerOptions) -> Self {
        Opener { options }
    }

    /// The budgets.
    pub fn options(&self) -> &OpenerOptions {
        &self.options
    }

    /// Opens and resizes an image.
    pub fn image(&self, _part: &ImagePart, _rule: &SizeRule) -> Result<Prepared> {
        todo!()
    }

    /// Opens a video (or a list of images), decodes the chosen frames and resizes them.
    pub fn video(&self, _part: &VideoPart, _rule: &SizeRule) -> Result<Prepared> {
        todo!()
    }

    /// Says what a medium is.
    pub fn probe(&self, _location: &str) -> Result<Probe> {
        todo!()
    }
}
