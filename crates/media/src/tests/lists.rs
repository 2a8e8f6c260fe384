//! Lists of pictures as videos: what is said about frames is followed or refused, never dropped.

use firsthand_base::{PixelLimits, Sampling, Span, VideoPart, VideoSource};
use firsthand_golden::media;

use super::{check_error, opener};
use crate::{Prepared, Result, SizeRule, inline_pictures};

const DEFAULTS: Span = Span { start_s: None, end_s: None };

fn open(count: usize, sampling: Sampling, span: Span, sample_fps: Option<f64>) -> Result<Prepared> {
    let part = VideoPart {
        source: VideoSource::Images(vec![media("small.png").display().to_string(); count]),
        sampling,
        span,
        limits: PixelLimits::default(),
        sample_fps,
        damaged: firsthand_base::Damaged::Refuse,
    };
    opener().video(&part, &SizeRule::qwen_vl_utils(28))
}

/// A name, how many pictures there are, what is asked, and the places, rate and times that are expected.
type Case = (&'static str, usize, Sampling, Span, Option<f64>, &'static [usize], f64, &'static [f64]);

#[test]
fn rules_choose_from_a_list_as_from_a_film_of_its_rate() {
    let rate = |fps, min_frames, max_frames| Sampling::Rate { fps, min_frames, max_frames };
    let between = |start_s, end_s| Span { start_s: Some(start_s), end_s: Some(end_s) };
    let times = Sampling::Timestamps(vec![0.0, 1.0, 5.0, 6.0]);
    let shuffled = |of: Sampling| Sampling::Shuffled(Box::new(of));
    let cases: [Case; 12] = [
        ("all", 4, Sampling::Every, DEFAULTS, None, &[0, 1, 2, 3], 2.0, &[0.0, 0.5, 1.0, 1.5]),
        (
            "all of a rate",
            4,
            Sampling::Every,
            DEFAULTS,
            Some(4.0),
            &[0, 1, 2, 3],
            4.0,
            &[0.0, 0.25, 0.5, 0.75],
        ),
        ("the end again", 3, Sampling::Every, DEFAULTS, None, &[0, 1, 2, 3], 2.0, &[0.0, 0.5, 1.0, 1.5]),
        ("a number", 8, Sampling::Frames(4), DEFAULTS, Some(1.0), &[0, 2, 5, 7], 0.5, &[0.0, 2.0, 5.0, 7.0]),
        (
            "a lower rate",
            8,
            rate(0.5, 4, 768),
            DEFAULTS,
            Some(1.0),
            &[0, 2, 5, 7],
            0.5,
            &[0.0, 2.0, 5.0, 7.0],
        ),
        (
            "its own rate",
            5,
            rate(2.0, 4, 768),
            DEFAULTS,
            None,
            &[0, 1, 2, 3, 4, 5],
            2.0,
            &[0.0, 0.5, 1.0, 1.5, 2.0, 2.5],
        ),
        ("no more than", 8, rate(2.0, 4, 4), DEFAULTS, None, &[0, 2, 5, 7], 1.0, &[0.0, 1.0, 2.5, 3.5]),
        ("a span", 8, Sampling::Every, between(1.0, 2.5), None, &[2, 3, 4, 5], 2.0, &[1.0, 1.5, 2.0, 2.5]),
        ("a number of a span", 8, Sampling::Frames(2), between(1.0, 2.5), None, &[2, 5], 1.0, &[1.0, 2.5]),
        (
            "a span of own times",
            4,
            times.clone(),
            between(0.5, 6.0),
            None,
            &[1, 2, 3, 4],
            0.5,
            &[1.0, 5.0, 6.0, 6.0],
        ),
        (
            "out of order",
            4,
            shuffled(Sampling::Every),
            DEFAULTS,
            None,
            &[2, 1, 0, 3],
            2.0,
            &[1.0, 0.5, 0.0, 1.5],
        ),
        ("times out of order", 4, shuffled(times), DEFAULTS, None, &[2, 1, 0, 3], 0.5, &[5.0, 1.0, 0.0, 6.0]),
    ];
    for (name, count, sampling, span, sample_fps, indices, fps, seconds) in cases {
        let opened =
            open(count, sampling, span, sample_fps).unwrap_or_else(|error| panic!("{name}: {error}"));
        let seen: Vec<_> = opened.frames.iter().map(|frame| (frame.index, frame.time.seconds())).collect();
        let expected: Vec<_> = indices.iter().copied().zip(seconds.iter().copied()).collect();
        assert_eq!(seen, expected, "{name}");
        assert_eq!((opened.sample_fps, opened.pictures.len()), (Some(fps), indices.len()), "{name}");
    }
}

#[test]
fn what_a_list_cannot_follow_is_refused() {
    let check = |count, sampling, span, sample_fps, expected: &str| {
        check_error(&open(count, sampling, span, sample_fps).unwrap_err(), "small.png", expected);
    };
    let late = Span { start_s: Some(9.0), end_s: None };
    check(4, Sampling::Every, late, None, "none was taken in the span; they cover 0 to 1.5 s");
    check(4, Sampling::Frames(6), DEFAULTS, None, "6 frames are wanted, 2 to 4 can be taken");
    check(4, Sampling::Frames(1), DEFAULTS, None, "(1 is rounded to 0: frames go in pairs)");
    check(4, Sampling::Timestamps(vec![1.0]), DEFAULTS, None, "1 timestamps for 4 images");
    check(2, Sampling::Timestamps(vec![1.0, 2.0]), DEFAULTS, Some(2.0), "both timestamps and sample_fps");
    check(4, Sampling::Every, DEFAULTS, Some(0.0), "sample_fps is 0");
}

#[test]
fn inline_lists_are_taken_apart() {
    let listed = |location: &str| inline_pictures(location);
    let two =
        |kind: &str| Some(["QQ==", "Qg=="].map(|body| format!("data:image/{kind};base64,{body}")).to_vec());
    for (location, expected) in [
        ("data:video/jpeg;base64,QQ==,Qg==", two("jpeg")),
        ("DATA:Video/JPEG;Base64,QQ==,Qg==", two("jpeg")),
        ("data:video/jpeg;base64,QQ==,Qg==,", two("jpeg")),
        ("data:video/jpeg;base64,QQ==,\n Qg==\n", two("jpeg")),
        ("data:video/png;base64,QQ==,Qg==", two("png")),
        ("data:image/webp;base64,QQ==,Qg==", two("webp")),
        ("data:video/jpeg;base64,QQ==", Some(vec!["data:image/jpeg;base64,QQ==".to_owned()])),
        ("data:video/mp4;base64,QQ==", None),
        ("data:video/mp4;base64,QQ==,", None),
        ("data:text/plain,a,b", None),
        ("a,b.jpg", None),
    ] {
        assert_eq!(listed(location), expected, "{location}");
    }
}
