//! Cuts resized pictures into normalised patches in the reference's order, and names the result by a hash.
//! Resizing is `media`'s; this file holds the only float arithmetic between pixels and the vision tower.

use std::path::Path;
use std::sync::Arc;

use firsthand_base::{CHANNELS, Digest, Levels, Patches, VisionKind};
use firsthand_media::Picture;
use rayon::prelude::*;
use serde_json::Value;

use crate::config::VisionConfig;
use crate::error::{Error, Result};
use crate::json::JsonFile;

/// Mean and deviation of the pictures CLIP was trained on: the reference's defaults.
const DEFAULT_MEAN: [f64; CHANNELS] = [0.48145466, 0.4578275, 0.40821073];
const DEFAULT_STD: [f64; CHANNELS] = [0.26862954, 0.26130258, 0.27577711];

/// Cuts pictures into patches for one checkpoint.
#[derive(Clone, Debug)]
pub(crate) struct Patcher {
    patch: usize,
    temporal: usize,
    merge: usize,
    image: Box<Levels>,
    video: Box<Levels>,
}

/// One image or video cut into patches.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// `[t, h, w]` in patches.
    pub(crate) grid: [usize; 3],
    /// `[t*h*w, channels * temporal * patch * patch]`.
    pub(crate) patches: Arc<Patches>,
    /// Equal keys have equal grids and patches.
    pub(crate) key: Digest,
}

impl Patcher {
    /// Reads the image and video processor settings where the reference looks for them: sections of
    /// processor_config.json first, then the files of their own.
    pub(crate) fn open(dir: &Path, vision: &VisionConfig) -> Result<Patcher> {
        let nested = JsonFile::open(dir, "processor_config.json")?;
        let section = |key| nested.as_ref().and_then(|file| file.section(key));
        let image_file = JsonFile::open(dir, "preprocessor_config.json")?;
        let image = section("image_processor").or(image_file.clone());
        let video = match section("video_processor") {
            Some(file) => Some(file),
            None => JsonFile::open(dir, "video_preprocessor_config.json")?.or(image_file),
        };
        let Some(image) = image else {
            let what = "no such file; fetch it, it says how the checkpoint's pictures are normalised";
            return Err(Error::checkpoint(&dir.join("preprocessor_config.json"), what));
        };
        let video = video.unwrap_or_else(|| image.clone());
        Ok(Patcher {
            patch: vision.patch,
            temporal: vision.temporal_patch,
            merge: vision.merge,
            image: read_levels(&image, vision)?,
            video: read_levels(&video, vision)?,
        })
    }

    /// Sides of pictures must be multiples of this.
    pub(crate) fn factor(&self) -> usize {
        self.patch * self.merge
    }

    /// Cuts pictures of one size. An image is one picture; the last picture of a video is repeated to fill the
    /// last temporal patch.
    pub(crate) fn cut(&self, kind: VisionKind, pictures: &[Picture]) -> Result<Cut> {
        let first = pictures.first().ok_or_else(|| refuse("no pictures"))?;
        let (height, width) = (first.height, first.width);
        let factor = self.factor();
        if height == 0 || width == 0 || height % factor != 0 || width % factor != 0 {
            return Err(refuse(format!(
                "a picture of {height}x{width}; sides must be multiples of {factor}"
            )));
        }
        let fits =
            |p: &&Picture| p.height == height && p.width == width && p.rgb.len() == height * width * CHANNELS;
        if let Some(other) = pictures.iter().find(|picture| !fits(picture)) {
            return Err(refuse(format!("pictures of {height}x{width} and {}x{}", other.height, other.width)));
        }
        let grid = [pictures.len().div_ceil(self.temporal), height / self.patch, width / self.patch];
        let padded: Vec<&[u8]> = (0..grid[0] * self.temporal)
            .map(|frame| pictures[frame.min(pictures.len() - 1)].rgb.as_slice())
            .collect();
        let levels = match kind {
            VisionKind::Image => &self.image,
            VisionKind::Video => &self.video,
        };
        let plane = self.temporal * self.patch * self.patch;
        let patches = Arc::new(Patches::new(self.fill(grid, width, &padded), plane, levels.clone()));
        Ok(Cut { grid, patches, key: self.key(grid, &padded, levels) })
    }

    /// Row order `[t, h/merge, w/merge, merge, merge]`, inside a row `[channel, temporal, patch, patch]`.
    fn fill(&self, grid: [usize; 3], width: usize, frames: &[&[u8]]) -> Vec<u8> {
        let [_, rows, columns] = grid;
        let row_length = CHANNELS * self.temporal * self.patch * self.patch;
        let mut bytes = vec![0; grid.iter().product::<usize>() * row_length];
        // One strip is a row of merge windows: the unit handed to a thread.
        let strip_length = self.merge * columns * row_length;
        bytes.par_chunks_mut(strip_length).enumerate().for_each(|(strip, out)| {
            let (time, band) = (strip / (rows / self.merge), strip % (rows / self.merge));
            let frames = &frames[time * self.temporal..(time + 1) * self.temporal];
            for (index, patch) in out.chunks_exact_mut(row_length).enumerate() {
                let window = index / (self.merge * self.merge);
                let within = index % (self.merge * self.merge);
                let row = band * self.merge + within / self.merge;
                let column = window * self.merge + within % self.merge;
                self.fill_patch(patch, frames, (row * width + column) * self.patch, width);
            }
        });
        bytes
    }

    /// Fills one patch whose upper left pixel has index `corner`: one read of each pixel, one write per channel.
    fn fill_patch(&self, out: &mut [u8], frames: &[&[u8]], corner: usize, width: usize) {
        let plane = self.temporal * self.patch * self.patch;
        let (red_out, rest) = out.split_at_mut(plane);
        let (green_out, blue_out) = rest.split_at_mut(plane);
        for (time, frame) in frames.iter().enumerate() {
            for y in 0..self.patch {
                let from = (corner + y * width) * CHANNELS;
                let pixels = frame[from..from + self.patch * CHANNELS].chunks_exact(CHANNELS);
                let to = (time * self.patch + y) * self.patch;
                let line = to..to + self.patch;
                let outputs = red_out[line.clone()]
                    .iter_mut()
                    .zip(&mut green_out[line.clone()])
                    .zip(&mut blue_out[line])
                    .zip(pixels);
                for (((r, g), b), pixel) in outputs {
                    (*r, *g, *b) = (pixel[0], pixel[1], pixel[2]);
                }
            }
        }
    }

    /// BLAKE3 over everything the patches are a function of: geometry, levels and pixels.
    fn key(&self, grid: [usize; 3], frames: &[&[u8]], levels: &Levels) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for size in grid.into_iter().chain([self.patch, self.temporal, self.merge]) {
            hasher.update(&(size as u64).to_le_bytes());
        }
        for level in levels.iter().flatten() {
            hasher.update(&level.to_le_bytes());
        }
        for frame in frames {
            hasher.update(frame);
        }
        Digest(*hasher.finalize().as_bytes())
    }
}

fn refuse(what: impl std::fmt::Display) -> Error {
    Error::Conversation(format!("cannot cut into patches: {what}"))
}

fn read_levels(file: &JsonFile, vision: &VisionConfig) -> Result<Box<Levels>> {
    let geometry = [
        ("patch_size", vision.patch),
        ("temporal_patch_size", vision.temporal_patch),
        ("merge_size", vision.merge),
    ];
    for (key, expected) in geometry {
        if file.integer(key)?.is_some_and(|found| found != expected) {
            return Err(file.wrong(key, &format!("{expected} as in config.json's vision_config")));
        }
    }
    let mean = read_channels(file, "image_mean", DEFAULT_MEAN)?;
    let std = read_channels(file, "image_std", DEFAULT_STD)?;
    if std.iter().any(|&value| value as f32 == 0.0) {
        return Err(file.wrong("image_std", "numbers other than 0"));
    }
    let factor = file.number("rescale_factor")?.unwrap_or(1.0 / 255.0);
    if factor.is_nan() || factor <= 0.0 {
        return Err(file.wrong("rescale_factor", "a number above 0"));
    }
    let rescale = file.flag("do_rescale")?.unwrap_or(true);
    let normalize = file.flag("do_normalize")?.unwrap_or(true);
    // The reference folds the rescale factor into mean and deviation, in single precision, then subtracts and
    // divides; any other order of the same arithmetic differs in the last bit.
    let fold = if rescale && normalize { (1.0 / factor) as f32 } else { 1.0 };
    let mut levels = Box::new([[0f32; 256]; CHANNELS]);
    for (channel, row) in levels.iter_mut().enumerate() {
        let (mean, std) = (mean[channel] as f32 * fold, std[channel] as f32 * fold);
        for (level, value) in row.iter_mut().enumerate() {
            let level = level as f32;
            *value = match (normalize, rescale) {
                (true, _) => (level - mean) / std,
                (false, true) => level * factor as f32,
                (false, false) => level,
            };
        }
    }
    Ok(levels)
}

/// Three numbers, or one for all channels.
fn read_channels(file: &JsonFile, key: &str, default: [f64; CHANNELS]) -> Result<[f64; CHANNELS]> {
    let wrong = || file.wrong(key, "three numbers");
    match file.get(key) {
        None => Ok(default),
        Some(Value::Array(items)) => {
            let numbers: Option<Vec<f64>> = items.iter().map(Value::as_f64).collect();
            numbers.and_then(|numbers| numbers.try_into().ok()).ok_or_else(wrong)
        }
        Some(value) => value.as_f64().map(|number| [number; CHANNELS]).ok_or_else(wrong),
    }
}

#[cfg(test)]
#[path = "preprocess_tests.rs"]
mod tests;
