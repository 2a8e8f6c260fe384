//! M-RoPE positions: where every token stands in time, height and width. Text advances all three together; an
//! image or video spreads over its merged grid. Float steps are single precision and truncated, as the reference's.

use std::ops::Range;

use firsthand_base::{Position, VisionKind};
use serde::{Deserialize, Serialize};

/// Seconds that one temporal patch of a video stands for, in the positions of Qwen2.5-VL.
/// Qwen2-VL counts temporal patches and ignores this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VideoTime {
    /// The true time: temporal patch size over the sampled frames a second.
    #[default]
    Absolute,
    /// The same number of seconds for every video. Video-R1 was trained with 1.0, because its training code
    /// never passed the frame rate on; the value at which the reference library then stood.
    Constant(f64),
}

/// Where the text after an image or video continues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextAfter {
    /// At the medium's start plus the larger side of its merged grid, however long the video lasts: the rule of
    /// transformers 5.
    #[default]
    LargerSide,
    /// One past the largest position of the medium, time included: the rule of transformers 4, with which the
    /// published Qwen2-VL and Qwen2.5-VL checkpoints were trained and scored. It differs only for videos with
    /// more temporal positions than rows and columns.
    LargestPosition,
}

/// One image or video among the tokens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placed {
    pub(crate) kind: VisionKind,
    /// Patch grid before merging.
    pub(crate) grid: [usize; 3],
    /// Its placeholder tokens.
    pub(crate) span: Range<usize>,
    /// Temporal positions from one temporal patch to the next.
    pub(crate) step: f32,
}

/// Temporal positions per temporal patch: 1 for images and for families that count patches, else tokens per second
/// times seconds per patch, each rounded to single precision where the reference holds them in a tensor.
pub(crate) fn temporal_step(
    kind: VisionKind,
    tokens_per_second: Option<f64>,
    temporal_patch: usize,
    sample_fps: Option<f64>,
    time: VideoTime,
) -> f32 {
    let (VisionKind::Video, Some(rate)) = (kind, tokens_per_second) else { return 1.0 };
    let seconds = match (time, sample_fps) {
        (VideoTime::Constant(seconds), _) => seconds,
        (VideoTime::Absolute, Some(fps)) => temporal_patch as f64 / fps,
        (VideoTime::Absolute, None) => 1.0,
    };
    rate as f32 * seconds as f32
}

/// The position of each of `length` tokens. The media are in order and do not overlap.
pub(crate) fn positions(length: usize, media: &[Placed], merge: usize, after: TextAfter) -> Vec<Position> {
    let mut all = Vec::with_capacity(length);
    let mut next = 0i32;
    for medium in media {
        push_text(&mut all, &mut next, medium.span.start);
        let first = all.len();
        push_grid(&mut all, next, medium, merge);
        let end = match after {
            TextAfter::LargerSide => next.saturating_add((medium.grid[1].max(medium.grid[2]) / merge) as i32),
            TextAfter::LargestPosition => {
                all[first..].iter().flatten().max().map_or(next, |largest| largest.saturating_add(1))
            }
        };
        next = end;
    }
    push_text(&mut all, &mut next, length);
    all
}

fn push_text(all: &mut Vec<Position>, next: &mut i32, end: usize) {
    while all.len() < end {
        all.push([*next; 3]);
        *next = next.saturating_add(1);
    }
}

fn push_grid(all: &mut Vec<Position>, start: i32, medium: &Placed, merge: usize) {
    let [frames, rows, columns] = medium.grid;
    for frame in 0..frames {
        // `as` truncates towards zero and saturates, so an absurd rate cannot wrap around.
        let time = start.saturating_add((frame as f32 * medium.step) as i32);
        for row in 0..(rows / merge) as i32 {
            for column in 0..(columns / merge) as i32 {
                all.push([time, start.saturating_add(row), start.saturating_add(column)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn video(grid: [usize; 3], start: usize, step: f32) -> Placed {
        let tokens = grid.iter().product::<usize>() / 4;
        Placed { kind: VisionKind::Video, grid, span: start..start + tokens, step }
    }

    fn axes(length: usize, media: &[Placed], after: TextAfter) -> [Vec<i32>; 3] {
        let all = positions(length, media, 2, after);
        [0, 1, 2].map(|axis| all.iter().map(|position| position[axis]).collect())
    }

    #[test]
    fn positions_equal_the_reference() {
        // Reference values: `get_rope_index` of transformers 5.23 on these grids and seconds per patch.
        let check = |length, media: &[Placed], expected: [&[i32]; 3]| {
            assert_eq!(axes(length, media, TextAfter::LargerSide), expected, "{media:?}");
        };
        check(3, &[], [&[0, 1, 2], &[0, 1, 2], &[0, 1, 2]]);
        check(
            8,
            &[video([1, 4, 4], 2, 1.0)],
            [&[0, 1, 2, 2, 2, 2, 4, 5], &[0, 1, 2, 2, 3, 3, 4, 5], &[0, 1, 2, 3, 2, 3, 4, 5]],
        );
        check(
            8,
            &[video([3, 2, 4], 1, 2.5)],
            [&[0, 1, 1, 3, 3, 6, 6, 3], &[0, 1, 1, 1, 1, 1, 1, 3], &[0, 1, 2, 1, 2, 1, 2, 3]],
        );
        let old = axes(8, &[video([3, 2, 4], 1, 2.5)], TextAfter::LargestPosition);
        assert_eq!(old[0], [0, 1, 1, 3, 3, 6, 6, 7]);
    }

    #[test]
    fn the_temporal_step_follows_family_and_switch() {
        let check = |kind, rate, fps, time, expected: f32| {
            assert_eq!(
                temporal_step(kind, rate, 2, fps, time),
                expected,
                "{kind:?} {rate:?} {fps:?} {time:?}"
            );
        };
        let (image, video) = (VisionKind::Image, VisionKind::Video);
        check(image, Some(2.0), None, VideoTime::Absolute, 1.0);
        check(video, None, Some(1.0), VideoTime::Constant(7.0), 1.0);
        check(video, Some(2.0), Some(1.0), VideoTime::Absolute, 4.0);
        check(video, Some(2.0), Some(0.5), VideoTime::Constant(1.0), 2.0);
        // 2 / 29.97 is rounded to single precision before it is multiplied by 25.
        check(video, Some(25.0), Some(29.97), VideoTime::Absolute, 25.0 * ((2.0 / 29.97) as f32));
    }

    fn arbitrary_media() -> impl Strategy<Value = (usize, Vec<Placed>)> {
        let medium = (0usize..5, 1usize..4, 1usize..4, 1usize..4, 0.0f32..9.0);
        (prop::collection::vec(medium, 0..5), 0usize..5).prop_map(|(items, tail)| {
            let mut at = 0;
            let mut media = Vec::new();
            for (text, t, h, w, step) in items {
                at += text;
                media.push(video([t, 2 * h, 2 * w], at, step));
                at = media.last().unwrap().span.end;
            }
            (at + tail, media)
        })
    }

    proptest! {
        #[test]
        fn every_token_has_a_position_and_text_advances_by_one((length, media) in arbitrary_media()) {
            for after in [TextAfter::LargerSide, TextAfter::LargestPosition] {
                let all = positions(length, &media, 2, after);
                prop_assert_eq!(all.len(), length);
                let is_text = |at: usize| media.iter().all(|medium| !medium.span.contains(&at));
                for at in 0..length {
                    if is_text(at) {
                        prop_assert!(all[at][0] == all[at][1] && all[at][1] == all[at][2]);
                        if at > 0 && is_text(at - 1) {
                            prop_assert_eq!(all[at][0], all[at - 1][0] + 1);
                        }
                    }
                }
            }
        }

        #[test]
        fn a_medium_starts_after_the_text_and_the_next_token_after_it((length, media) in arbitrary_media()) {
            let all = positions(length + 1, &media, 2, TextAfter::LargestPosition);
            for medium in &media {
                let inside = &all[medium.span.clone()];
                let start = if medium.span.start == 0 { 0 } else {
                    *all[..medium.span.start].iter().flatten().max().unwrap() + 1
                };
                prop_assert_eq!(inside[0], [start; 3]);
                let largest = *inside.iter().flatten().max().unwrap();
                prop_assert_eq!(all[medium.span.end][0], largest + 1);
                prop_assert!(inside.windows(2).all(|pair| pair[0][0] <= pair[1][0]));
            }
        }
    }
}
