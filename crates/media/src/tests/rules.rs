//! Sampling and size rules against tables of the reference, and resizing against its pixels.

use firsthand_base::{PixelLimits, ResizeMode, Sampling, Span};
use firsthand_golden::{Fixture, table};
use serde_json::Value;

use crate::resize::resize;
use crate::{Picture, SizeRule, Timeline, choose, smart_resize};

fn timeline(frames: usize, fps: f64) -> Timeline {
    let seconds = (0..frames).map(|i| i as f64 / fps).collect();
    Timeline { frames, fps, seconds, end_s: frames as f64 / fps }
}

fn indices(sampling: Sampling, frames: usize, fps: f64) -> Option<Vec<usize>> {
    choose(&sampling, &Span::default(), &timeline(frames, fps)).ok().map(|choice| choice.indices)
}

fn rows(name: &str) -> Vec<Vec<Value>> {
    serde_json::from_value(table(name)["rows"].clone()).unwrap()
}

fn number(value: &Value, key: &str) -> Option<usize> {
    value.get(key).and_then(Value::as_u64).map(|n| n as usize)
}

fn size(value: &Value) -> Option<[usize; 2]> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn frame_counts_are_those_of_smart_nframes() {
    for row in rows("smart_nframes") {
        let (frames, fps) = (row[0].as_u64().unwrap() as usize, row[1].as_f64().unwrap());
        let options = &row[2];
        let sampling = match number(options, "nframes") {
            Some(count) => Sampling::Frames(count),
            None => Sampling::Rate {
                fps: options.get("fps").map_or(2.0, |v| v.as_f64().unwrap()),
                min_frames: number(options, "min_frames").unwrap_or(Sampling::DEFAULT_MIN_FRAMES),
                max_frames: number(options, "max_frames").unwrap_or(Sampling::DEFAULT_MAX_FRAMES),
            },
        };
        let expected = row[3].as_u64().map(|n| n as usize);
        assert_eq!(indices(sampling, frames, fps).map(|i| i.len()), expected, "{row:?}");
    }
}

#[test]
fn spans_are_those_of_calculate_video_frame_range() {
    for row in rows("frame_range") {
        let (frames, fps) = (row[0].as_u64().unwrap() as usize, row[1].as_f64().unwrap());
        let span = Span { start_s: row[2].as_f64(), end_s: row[3].as_f64() };
        let expected: Option<[usize; 3]> = serde_json::from_value(row[4].clone()).unwrap();
        // Two frames at the ends of the span show where it lies.
        let actual = choose(&Sampling::Uniform(2), &span, &timeline(frames, fps)).ok();
        let actual = actual.map(|c| [c.indices[0], c.indices[1], c.indices[1] - c.indices[0] + 1]);
        assert_eq!(actual, expected, "{row:?}");
    }
}

#[test]
fn rounded_indices_are_those_of_torch_linspace() {
    for row in table("linspace").as_array().unwrap() {
        let at = |key: &str| row[key].as_u64().unwrap() as usize;
        let frames = at("end") + 1;
        let span = Span { start_s: Some(at("start") as f64), end_s: None };
        let choice = choose(&Sampling::Frames(at("count")), &span, &timeline(frames, 1.0)).unwrap();
        let expected: Vec<usize> = serde_json::from_value(row["indices"].clone()).unwrap();
        let kept: Vec<usize> = choice.indices.into_iter().step_by(at("every")).collect();
        assert_eq!(kept, expected, "{row}");
    }
}

#[test]
fn the_other_rules_choose_as_they_say() {
    let rate = |max_frames| Sampling::Rate { fps: 2.0, min_frames: 4, max_frames };
    let check = |sampling: Sampling, frames: usize, expected: &[usize]| {
        assert_eq!(indices(sampling.clone(), frames, 30.0).unwrap(), expected, "{sampling:?} of {frames}");
    };
    check(Sampling::Uniform(8), 100, &[0, 14, 28, 42, 56, 70, 84, 99]);
    check(Sampling::Frames(8), 100, &[0, 14, 28, 42, 57, 71, 85, 99]);
    check(Sampling::Uniform(1), 100, &[0]);
    check(Sampling::Uniform(4), 2, &[0, 0, 0, 1]);
    check(Sampling::Card(4), 10, &[0, 2, 5, 7]);
    check(Sampling::Card(3), 2, &[0, 0, 1]);
    check(Sampling::Shuffled(Box::new(Sampling::Card(5))), 10, &[4, 2, 8, 0, 6]);
    check(Sampling::Shuffled(Box::new(Sampling::Uniform(2))), 10, &[9, 0]);
    let drawn = |pairs| Sampling::Permuted { of: Box::new(Sampling::Card(6)), seed: 3, pairs };
    for pairs in [false, true] {
        let place = |order: Vec<usize>| order.into_iter().map(|i| i * 2).collect::<Vec<_>>();
        check(drawn(pairs), 12, &place(Sampling::permutation(6, 3, pairs)));
    }
    check(rate(16), 300, &[0, 20, 40, 60, 80, 100, 120, 140, 159, 179, 199, 219, 239, 259, 279, 299]);
    let then = |keep| Sampling::RateThenUniform { fps: 2.0, min_frames: 4, max_frames: 16, keep };
    check(then(3), 300, &[0, 140, 299]);
    check(then(8), 45, &[0, 0, 0, 15, 15, 29, 29, 44]);
    check(Sampling::Timestamps(vec![0.0, 0.034, 0.0666, 1.0, 0.5]), 45, &[0, 1, 1, 30, 15]);
    let fps = |sampling| choose(&sampling, &Span::default(), &timeline(300, 30.0)).unwrap().sample_fps;
    assert_eq!(fps(rate(16)), 16.0 / 300.0 * 30.0);
    assert_eq!(fps(then(3)), 16.0 / 300.0 * 30.0, "thinning out does not change the rate");
    assert_eq!(fps(Sampling::Timestamps(vec![1.0, 2.0, 5.0])), 0.5);
}

#[test]
fn impossible_choices_say_why() {
    let check = |sampling: Sampling, span: Span, frames: usize, expected: &str| {
        let (reason, remedy) = choose(&sampling, &span, &timeline(frames, 30.0)).unwrap_err();
        assert!(reason.contains(expected), "{sampling:?}: {reason}");
        assert!(!remedy.is_empty());
    };
    let all = Span::default();
    let part = |start_s, end_s| Span { start_s, end_s };
    check(Sampling::Frames(31), all, 30, "32 frames are wanted, 2 to 30");
    check(Sampling::Frames(2), all, 1, "1 frame is there");
    check(Sampling::Frames(2), all, 0, "0 frames");
    check(Sampling::Uniform(0), all, 30, "0 frames are wanted");
    check(Sampling::Card(0), all, 30, "0 frames are wanted");
    check(Sampling::Rate { fps: f64::NAN, min_frames: 4, max_frames: 8 }, all, 30, "fps is NaN");
    check(Sampling::Timestamps(vec![]), all, 30, "0 frames are wanted");
    check(Sampling::Timestamps(vec![1.5]), all, 30, "1.5 s lies outside");
    check(Sampling::Timestamps(vec![f64::NAN]), all, 30, "NaN s lies outside");
    check(Sampling::Timestamps(vec![0.1]), part(Some(0.5), None), 30, "lies outside 0.500");
    check(Sampling::default(), part(Some(0.5), Some(0.5)), 30, "video_start is frame 15");
    check(Sampling::default(), part(Some(f64::NAN), None), 30, "not a number");
}

#[test]
fn sizes_are_those_of_smart_resize() {
    for row in rows("smart_resize") {
        let at = |i: usize| row[i].as_u64().unwrap() as usize;
        let factor = at(2);
        let rule = SizeRule::qwen_vl_utils(factor);
        let least = row[3].as_f64().unwrap_or(rule.image_min_pixels as f64);
        let most = row[4].as_f64().unwrap_or(rule.image_max_pixels as f64);
        let expected = size(&row[5]).filter(|sides| !sides.contains(&0));
        assert_eq!(smart_resize([at(0), at(1)], factor, least, most).ok(), expected, "{row:?}");
    }
}

#[test]
fn frame_sizes_follow_every_limit() {
    for row in rows("frame_size") {
        let at = |i: usize| row[i].as_u64().unwrap() as usize;
        let options = &row[4];
        let limits = PixelLimits {
            min_pixels: number(options, "min_pixels"),
            max_pixels: number(options, "max_pixels"),
            total_pixels: number(options, "total_pixels"),
            resized: number(options, "resized_height")
                .map(|height| [height, number(options, "resized_width").unwrap()]),
        };
        let actual = SizeRule::qwen_vl_utils(at(3)).video_size([at(1), at(2)], at(0), &limits).ok();
        assert_eq!(actual, size(&row[5]).filter(|sides| !sides.contains(&0)), "{row:?}");
    }
}

#[test]
fn resized_pixels_are_the_reference_ones() {
    let fixture = Fixture::table("resize");
    let shape = fixture.shape("source");
    let source = Picture::new(shape[0], shape[1], fixture.u8("source"));
    let mut compared = 0;
    for name in fixture.names().filter(|name| *name != "source") {
        let shape = fixture.shape(name);
        let mode = match name.split('.').next().unwrap() {
            "pil" => ResizeMode::Pil,
            "torch_float" => ResizeMode::TorchFloat,
            _ => ResizeMode::TorchUint8,
        };
        assert_eq!(*resize(&source, [shape[0], shape[1]], mode).rgb, fixture.u8(name), "{name}");
        compared += 1;
    }
    assert_eq!(compared, 15);
}

/// Larger pictures than the fixture holds: FNV-1a hashes of what Pillow 13 (`resize`), torchvision 0.29 (v1
/// `resize` of a channels-last tensor) and its v2 make of the same pseudo-random bytes.
#[test]
fn resized_noise_has_the_reference_hashes() {
    type Case = ([usize; 2], [usize; 2], u64, u64, u64);
    let cases: [Case; 8] = [
        ([36, 64], [28, 56], 0x144927dc36bbd32b, 0xc3dc2caa7ad77175, 0xb1423fb52a45fe1c),
        ([20, 30], [56, 28], 0xf1e5449f8989b514, 0x576447d0a140e7f0, 0x895e9dea2b3c81de),
        ([90, 40], [28, 28], 0x27a9d00f67dc1a94, 0x2c990cdd3c3c816d, 0x7c995129698041ca),
        ([50, 60], [112, 140], 0xf5867871ddaa4a72, 0x1974bb098f589b01, 0x3f0642b2636d5c1e),
        ([61, 47], [28, 84], 0x3ddc97c1a74f49b6, 0xdd7e10a13fabb72d, 0x3ffdb06a26e1d92d),
        ([100, 31], [56, 31], 0x70c808ccb2a86ed9, 0x70c808ccb2a86ed9, 0xce18b42936a1f613),
        ([33, 100], [33, 56], 0x193ced8238b196f8, 0x98c2569e998eb441, 0x66f5512eba4e4d3d),
        ([97, 133], [84, 140], 0xd59830548a21fe28, 0xc8d4c2609a6636f3, 0xe6a945d958f05912),
    ];
    for ([height, width], size, pil, float, uint8) in cases {
        let source = Picture::new(height, width, noise(height * width * 3, (height * 1000 + width) as u64));
        for (mode, expected) in
            [(ResizeMode::Pil, pil), (ResizeMode::TorchFloat, float), (ResizeMode::TorchUint8, uint8)]
        {
            let actual = fnv(&resize(&source, size, mode).rgb);
            assert_eq!(actual, expected, "{mode:?} {height}x{width} to {size:?}");
        }
    }
}

/// High bytes of Knuth's linear congruential generator.
pub(super) fn noise(length: usize, mut state: u64) -> Vec<u8> {
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
