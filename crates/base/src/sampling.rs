//! How frames are chosen from a video and how large they may be. The vocabulary only: `media` applies it.

use serde::{Deserialize, Serialize};

/// Which frames of a video (or of the part between `video_start` and `video_end`) the model sees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Every frame, in order.
    Every,
    /// The rule of qwen-vl-utils (`smart_nframes`): `fps` frames a second, clamped to `min_frames`
    /// (rounded up to even) and `max_frames` (rounded down to even), never more than there are, floored to
    /// even, then spread with both end frames included (float32 linspace, rounded half to even).
    Rate {
        /// Wanted frames per second.
        fps: f64,
        /// Fewest frames.
        min_frames: usize,
        /// Most frames.
        max_frames: usize,
    },
    /// qwen-vl-utils with `nframes`: rounded to even, an error if the video has fewer, spread as in `Rate`.
    Frames(usize),
    /// Exactly this many frames, both ends included, indices truncated (not rounded) from the linspace.
    /// A video with fewer frames repeats some.
    Uniform(usize),
    /// ST-R1's rule: choose as `Rate` does, then keep `keep` of those at a truncated linspace.
    RateThenUniform {
        /// Wanted frames per second of the first choice.
        fps: f64,
        /// Fewest frames of the first choice.
        min_frames: usize,
        /// Most frames of the first choice.
        max_frames: usize,
        /// Frames kept in the end.
        keep: usize,
    },
    /// The rule of Video-R1's model card: frame `i * total / n` for i in 0..n; the last frame is never shown.
    Card(usize),
    /// The frame on screen at each of these times, in seconds.
    Timestamps(Vec<f64>),
    /// The frames of another rule out of order ([`Sampling::out_of_order`]), with its rate: a control that keeps what
    /// is seen and takes away when.
    Shuffled(Box<Sampling>),
    /// The frames of another rule in an order that a seed draws ([`Sampling::permutation`]), with its rate.
    Permuted {
        /// The rule.
        of: Box<Sampling>,
        /// Fixes the order.
        seed: u64,
        /// Whether two frames that fill one temporal patch stay together.
        pairs: bool,
    },
}

impl Sampling {
    /// Frames a second when nothing is asked for (qwen-vl-utils `FPS`).
    pub const DEFAULT_FPS: f64 = 2.0;
    /// Fewest frames (qwen-vl-utils `FPS_MIN_FRAMES`).
    pub const DEFAULT_MIN_FRAMES: usize = 4;
    /// Most frames (qwen-vl-utils `FPS_MAX_FRAMES`).
    pub const DEFAULT_MAX_FRAMES: usize = 768;

    /// A fixed order of so many frames, far from the true one: every third from the third on, then from the second,
    /// then from the first.
    pub fn out_of_order(count: usize) -> impl Iterator<Item = usize> {
        (0..3).rev().flat_map(move |first| (first..count).step_by(3))
    }

    /// An order of so many frames, drawn by a seed: never the true one where there is another. With `pairs`, frames that
    /// fill one temporal patch stay together in their order, and the last of an odd count stays last.
    pub fn permutation(count: usize, seed: u64, pairs: bool) -> Vec<usize> {
        let size = if pairs { 2 } else { 1 };
        let units = count / size;
        let mut order: Vec<usize> = (0..units).collect();
        let mut state = seed;
        let mut draw = |below: usize| {
            // SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((u128::from(z ^ (z >> 31)) * below as u128) >> 64) as usize
        };
        while units > 1 && order.is_sorted() {
            for i in (1..units).rev() {
                order.swap(i, draw(i + 1));
            }
        }
        let frames = order.into_iter().flat_map(|unit| unit * size..(unit + 1) * size);
        frames.chain(units * size..count).collect()
    }
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling::Rate {
            fps: Self::DEFAULT_FPS,
            min_frames: Self::DEFAULT_MIN_FRAMES,
            max_frames: Self::DEFAULT_MAX_FRAMES,
        }
    }
}

/// The part of a video to look at, in seconds from its first frame. `None` means the medium's own end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// `video_start` of the reference message format.
    pub start_s: Option<f64>,
    /// `video_end` of the reference message format.
    pub end_s: Option<f64>,
}

/// Size limits of one image or video, as the reference message format names them. `None` takes the default of
/// the kind of medium.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PixelLimits {
    /// Fewest pixels of a picture after resizing.
    pub min_pixels: Option<usize>,
    /// Most pixels of a picture after resizing.
    pub max_pixels: Option<usize>,
    /// Most pixels of a whole video, over its frames.
    pub total_pixels: Option<usize>,
    /// `[resized_height, resized_width]`: this size, rounded to the patch factor, instead of limits.
    pub resized: Option<[usize; 2]>,
}

/// Three libraries resize the same picture three ways, up to 22 levels apart. Checkpoints were trained on one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeMode {
    /// PIL's bicubic with antialias: fixed-point weights, uint8 between the passes (qwen-vl-utils images).
    Pil,
    /// torchvision v1 `resize` on a uint8 tensor: float32 bicubic with antialias, clamped and rounded once
    /// at the end (qwen-vl-utils videos).
    TorchFloat,
    /// torchvision v2 `resize` on a uint8 tensor: int16 fixed-point weights (today's fast processors).
    TorchUint8,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn drawn_orders_are_all_others_and_never_the_true_one() {
        let seen: BTreeSet<Vec<usize>> = (0..400).map(|seed| Sampling::permutation(3, seed, false)).collect();
        assert_eq!(seen.len(), 5, "all orders of three but the true one: {seen:?}");
        for (count, pairs) in [(2, false), (16, false), (4, true), (7, true), (16, true)] {
            for seed in 0..50 {
                let order = Sampling::permutation(count, seed, pairs);
                assert!(!order.is_sorted(), "{count} {pairs} {seed}");
                assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), (0..count).collect());
                assert_eq!(order, Sampling::permutation(count, seed, pairs));
                if pairs {
                    assert!(order.chunks_exact(2).all(|pair| pair[0] % 2 == 0 && pair[1] == pair[0] + 1));
                }
            }
        }
        // Where there is no other.
        for (count, pairs) in [(0, false), (1, false), (2, true), (3, true)] {
            assert!(Sampling::permutation(count, 9, pairs).is_sorted(), "{count}");
        }
    }
}

/// What becomes of frames of a film that its decoder reports as damaged, or that depend on such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Damaged {
    /// Whoever wants one gets an error that names it.
    #[default]
    Refuse,
    /// They are shown as the decoder makes them up, and [`crate::FrameId::damaged`] says so. Where it makes up
    /// nothing, the frame before stays, as on a player's screen.
    Show,
}

impl Damaged {
    /// The words that flags, messages and recipes use.
    pub fn named(name: &str) -> Option<Damaged> {
        match name {
            "refuse" => Some(Damaged::Refuse),
            "show" => Some(Damaged::Show),
            _ => None,
        }
    }
}
