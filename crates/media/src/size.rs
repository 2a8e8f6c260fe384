//! How large a picture may be and which size it gets: the limits of qwen-vl-utils 0.0.14 and its `smart_resize`,
//! with Python's rounding. Arithmetic only; pixels are resized elsewhere.

use firsthand_base::{PixelLimits, ResizeMode};
use serde::{Deserialize, Serialize};

use crate::error::Refusal;

const MAX_ASPECT: f64 = 200.0;

/// Default limits and resize modes of one model family.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SizeRule {
    /// Sides are multiples of this many pixels: patch size times merge size, 28 or 32.
    pub factor: usize,
    /// How images are resized.
    pub image_mode: ResizeMode,
    /// How video frames are resized.
    pub video_mode: ResizeMode,
    /// Fewest pixels of an image.
    pub image_min_pixels: usize,
    /// Most pixels of an image.
    pub image_max_pixels: usize,
    /// Fewest pixels of a video frame.
    pub frame_min_pixels: usize,
    /// Most pixels of a video frame.
    pub frame_max_pixels: usize,
    /// Most pixels of a video, over its frames; two frames share one temporal patch. The reference computes it in
    /// floating point.
    pub video_total_pixels: f64,
}

impl SizeRule {
    /// The defaults of qwen-vl-utils 0.0.14 for a patch factor: 28 (Qwen2-VL, Qwen2.5-VL) or 32 (Qwen3-VL).
    pub fn qwen_vl_utils(factor: usize) -> Self {
        const MODEL_SEQUENCE_TOKENS: usize = 128_000;
        let token = factor * factor;
        SizeRule {
            factor,
            image_mode: ResizeMode::Pil,
            video_mode: ResizeMode::TorchFloat,
            image_min_pixels: 4 * token,
            image_max_pixels: 16384 * token,
            frame_min_pixels: 128 * token,
            frame_max_pixels: 768 * token,
            video_total_pixels: (MODEL_SEQUENCE_TOKENS * token) as f64 * 0.9,
        }
    }

    /// The same rule with the default image limits of its factor.
    pub(crate) fn with_image_limits(self) -> Self {
        let token = self.factor * self.factor;
        SizeRule { image_min_pixels: 4 * token, image_max_pixels: 16384 * token, ..self }
    }

    /// `[height, width]` an image of `[height, width]` gets.
    pub fn image_size(&self, original: [usize; 2], limits: &PixelLimits) -> Result<[usize; 2], Refusal> {
        if let Some(wanted) = limits.resized {
            return self.exact_size(wanted);
        }
        let least = limits.min_pixels.unwrap_or(self.image_min_pixels);
        let most = limits.max_pixels.unwrap_or(self.image_max_pixels);
        smart_resize(original, self.factor, least as f64, most as f64)
    }

    /// `[height, width]` the frames of a video get: `frames` of them, each `[height, width]` before.
    pub fn video_size(
        &self,
        original: [usize; 2],
        frames: usize,
        limits: &PixelLimits,
    ) -> Result<[usize; 2], Refusal> {
        if let Some(wanted) = limits.resized {
            return self.exact_size(wanted);
        }
        let least = limits.min_pixels.unwrap_or(self.frame_min_pixels);
        let total = limits.total_pixels.map_or(self.video_total_pixels, |pixels| pixels as f64);
        let ceiling = (self.frame_max_pixels as f64)
            .min(total / frames.max(1) as f64 * 2.0)
            .max((least as f64 * 1.05).floor());
        let most = limits.max_pixels.map_or(ceiling, |pixels| ceiling.min(pixels as f64));
        smart_resize(original, self.factor, least as f64, most)
    }

    /// `resized_height` and `resized_width` are rounded to the factor within the image limits, for videos too.
    fn exact_size(&self, wanted: [usize; 2]) -> Result<[usize; 2], Refusal> {
        let token = self.factor * self.factor;
        smart_resize(wanted, self.factor, (4 * token) as f64, (16384 * token) as f64)
    }
}

/// The size closest to `[height, width]` with sides that are multiples of `factor`, an area within the limits and
/// nearly the same shape. Rounds half to even and does not look at the limits again after rounding, as the reference.
pub fn smart_resize(
    [height, width]: [usize; 2],
    factor: usize,
    min_pixels: f64,
    max_pixels: f64,
) -> Result<[usize; 2], Refusal> {
    if max_pixels < min_pixels {
        return Err((
            format!("max_pixels {max_pixels} is less than min_pixels {min_pixels}"),
            "raise max_pixels or lower min_pixels",
        ));
    }
    if height == 0 || width == 0 {
        return Err((
            format!("{height}x{width} (height x width) has no pixels"),
            "give sides of at least 1 pixel",
        ));
    }
    let (longer, shorter) = (height.max(width) as f64, height.min(width) as f64);
    if longer / shorter > MAX_ASPECT {
        return Err((
            format!("{height}x{width} (height x width) is more than {MAX_ASPECT} times longer than wide"),
            "crop it",
        ));
    }
    let (h, w, f) = (height as f64, width as f64, factor as f64);
    let nearest = |side: f64| f.max((side / f).round_ties_even() * f);
    let (mut rows, mut columns) = (nearest(h), nearest(w));
    if rows * columns > max_pixels {
        let beta = (h * w / max_pixels).sqrt();
        (rows, columns) = ((h / beta / f).floor() * f, (w / beta / f).floor() * f);
    } else if rows * columns < min_pixels {
        let beta = (min_pixels / (h * w)).sqrt();
        (rows, columns) = ((h * beta / f).ceil() * f, (w * beta / f).ceil() * f);
    }
    if rows < 1.0 || columns < 1.0 {
        return Err((
            format!("max_pixels {max_pixels} leaves no row or column of {factor} pixels"),
            "raise max_pixels or crop the picture",
        ));
    }
    Ok([rows as usize, columns as usize])
}
