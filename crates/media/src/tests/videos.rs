//! Video files: pixels and times against the reference and against `ffmpeg` itself, seeking against sequential
//! decoding, sampling on real files, and damaged files.

use std::path::Path;

use firsthand_base::{Damaged, Digest, PixelLimits, Sampling, Span, VideoPart, VideoSource};
use firsthand_golden::{Fixture, media};

use super::{check_error, clip, opener, run_ffmpeg, video_part};
use crate::{Opener, OpenerOptions, Prepared, SizeRule};

fn open(part: &VideoPart) -> crate::Result<Prepared> {
    opener().video(part, &SizeRule::qwen_vl_utils(28))
}

fn hashes(prepared: &Prepared) -> Vec<Digest> {
    prepared.frames.iter().map(|frame| frame.hash).collect()
}

const MOVING: &str = "testsrc2=size=96x64:rate=25:duration=6,noise=alls=20:allf=t";

#[test]
fn frames_times_and_rates_are_those_of_torchcodec() {
    let fixture = Fixture::table("decode");
    for name in ["clip.mp4", "odd.mp4", "rotated.mp4", "varied.mp4"] {
        let path = media(name);
        let indices = fixture.i64(&format!("{name}.indices"));
        let times = fixture.f64(&format!("{name}.times"));
        let probe = opener().probe(&path.display().to_string()).unwrap();
        assert_eq!(probe.frames as i64, fixture.i64(&format!("{name}.total"))[0], "{name}");
        assert_eq!(probe.average_fps, fixture.f64(&format!("{name}.fps"))[0], "{name}");
        assert_eq!(probe.variable_rate, name == "varied.mp4", "{name}");
        assert_eq!(probe.rotation != 0, name == "rotated.mp4", "{name}");
        let opened = open(&video_part(&path, Sampling::Timestamps(times.clone()))).unwrap();
        let chosen: Vec<i64> = opened.frames.iter().map(|f| f.index as i64).collect();
        assert_eq!(chosen, indices, "{name}");
        for (frame, time) in opened.frames.iter().zip(&times) {
            assert!((frame.time.seconds() - time).abs() < 1e-9, "{name}: {} {time}", frame.time.seconds());
        }
        let pixels: Vec<u8> = opened.originals.iter().flat_map(|p| p.rgb.iter().copied()).collect();
        assert!(pixels == fixture.u8(name), "{name}: pixels differ");
        assert_eq!(opened.original_size, probe.size, "{name}");
    }
}

#[test]
fn pixels_are_those_of_ffmpeg_for_every_pixel_format() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &[&str]); 7] = [
        ("plain.mp4", &["-c:v", "libx264", "-pix_fmt", "yuv420p"]),
        ("bt709.mp4", &["-c:v", "libx264", "-pix_fmt", "yuv420p", "-colorspace", "bt709"]),
        ("full.mp4", &["-vf", "scale=out_range=pc", "-c:v", "libx264", "-pix_fmt", "yuvj420p"]),
        ("ten.mp4", &["-c:v", "libx264", "-pix_fmt", "yuv420p10le", "-colorspace", "bt2020nc"]),
        ("full444.mp4", &["-c:v", "libx264", "-pix_fmt", "yuv444p"]),
        ("odd.mkv", &["-vf", "crop=95:63", "-c:v", "ffv1", "-pix_fmt", "yuv420p"]),
        ("rgb.mkv", &["-c:v", "ffv1", "-pix_fmt", "bgr0"]),
    ];
    for (name, arguments) in cases {
        let source = "testsrc2=size=96x64:rate=25:duration=0.4,noise=alls=20:allf=t";
        let path = clip(folder.path(), name, source, arguments);
        let opened = open(&video_part(&path, Sampling::Frames(10))).unwrap();
        let expected = run_ffmpeg(&[
            "-i",
            path.to_str().unwrap(),
            "-sws_flags",
            "bicubic",
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-",
        ]);
        let actual: Vec<u8> = opened.originals.iter().flat_map(|p| p.rgb.iter().copied()).collect();
        let worst = actual.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max();
        assert_eq!((actual.len(), worst), (expected.len(), Some(0)), "{name}");
    }
}

/// Sparse sampling seeks and skips; taking every frame does neither. Both must show the same frames.
#[test]
fn seeking_shows_what_sequential_decoding_shows() {
    let folder = tempfile::tempdir().unwrap();
    let x264 = |options: &'static str| vec!["-c:v", "libx264", "-preset", "faster", "-x264-params", options];
    let cases: [(&str, Vec<&str>); 8] = [
        ("pyramid.mp4", x264("keyint=40:bframes=5:b-pyramid=normal")),
        ("open.mkv", x264("keyint=25:bframes=3:open-gop=1")),
        ("refresh.mp4", x264("keyint=30:intra-refresh=1")),
        ("one_group.mp4", x264("keyint=1000")),
        ("stream.ts", x264("keyint=30")),
        ("bare.h264", x264("keyint=30:bframes=2")),
        ("xvid.avi", vec!["-c:v", "mpeg4", "-bf", "2", "-g", "20"]),
        ("dvd.mpg", vec!["-c:v", "mpeg2video", "-bf", "2", "-g", "12"]),
    ];
    for (name, arguments) in cases {
        let path = clip(folder.path(), name, MOVING, &arguments);
        let all = open(&video_part(&path, Sampling::Frames(150))).unwrap();
        assert_eq!(all.frames.len(), 150, "{name}");
        let all = hashes(&all);
        let mut distinct = all.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 150, "{name}: every frame is its own");
        for sampling in [Sampling::Frames(6), Sampling::Uniform(37), Sampling::Card(16)] {
            let opened = open(&video_part(&path, sampling.clone())).unwrap();
            for frame in &opened.frames {
                assert_eq!(frame.hash, all[frame.index], "{name} {sampling:?} frame {}", frame.index);
            }
        }
    }
}

#[test]
fn times_are_those_of_the_container() {
    let folder = tempfile::tempdir().unwrap();
    let keep = "select='not(mod(floor(n/7),3))'";
    let arguments = ["-vf", keep, "-vsync", "vfr", "-c:v", "libx264", "-output_ts_offset", "5"];
    let path = clip(folder.path(), "varied.mp4", MOVING, &arguments);
    let probe = opener().probe(path.to_str().unwrap()).unwrap();
    assert!(probe.variable_rate);
    // Kept: n / 7 in {0, 3, 6, ...}; the 8th kept frame is n = 21, at 0.84 s from the first.
    let opened = open(&video_part(&path, Sampling::Timestamps(vec![0.0, 0.5, 0.83, 0.84]))).unwrap();
    let chosen: Vec<(usize, f64)> = opened.frames.iter().map(|f| (f.index, f.time.seconds())).collect();
    assert_eq!(chosen, [(0, 0.0), (6, 0.24), (6, 0.24), (7, 0.84)]);
    assert_eq!(opened.frames[1].hash, opened.frames[2].hash);
}

#[test]
fn rotation_turns_frames_upright() {
    let folder = tempfile::tempdir().unwrap();
    let path = clip(folder.path(), "flat.mp4", MOVING, &["-c:v", "libx264", "-frames:v", "4"]);
    let flat = open(&video_part(&path, Sampling::Frames(4))).unwrap();
    for (angle, clockwise) in [("90", 270u32), ("180", 180), ("270", 90)] {
        let turned = folder.path().join(format!("{angle}.mp4"));
        let metadata = format!("rotate={angle}");
        run_ffmpeg(&[
            "-i",
            path.to_str().unwrap(),
            "-c",
            "copy",
            "-metadata:s:v:0",
            &metadata,
            turned.to_str().unwrap(),
        ]);
        let probe = opener().probe(turned.to_str().unwrap()).unwrap();
        let opened = open(&video_part(&turned, Sampling::Frames(4))).unwrap();
        assert_eq!([opened.originals[0].height, opened.originals[0].width], probe.size);
        let expected = crate::still::rotate(flat.originals[0].clone(), probe.rotation);
        assert_eq!(opened.originals[0], expected, "{angle}");
        // FFmpeg's `rotate` tag counts clockwise on reading and is stored as its inverse.
        assert!([clockwise, 360 - clockwise].contains(&probe.rotation), "{angle}: {}", probe.rotation);
    }
}

#[test]
fn spans_limits_and_the_cache_reach_the_frames() {
    let path = media("clip.mp4");
    let mut part = video_part(&path, Sampling::Frames(4));
    part.span = Span { start_s: Some(1.0), end_s: Some(2.0) };
    part.limits = PixelLimits { resized: Some([60, 80]), ..PixelLimits::default() };
    let opener = Opener::default();
    let rule = SizeRule::qwen_vl_utils(28);
    let first = opener.video(&part, &rule).unwrap();
    assert_eq!(first.frames.iter().map(|f| f.index).collect::<Vec<_>>(), [25, 33, 42, 50]);
    assert_eq!((first.pictures[0].height, first.pictures[0].width), (56, 84));
    assert!(first.originals.is_empty());
    let again = opener.video(&part, &rule).unwrap();
    assert!(std::sync::Arc::ptr_eq(&first.pictures[0].rgb, &again.pictures[0].rgb), "kept");
    part.sampling = Sampling::Frames(6);
    assert_eq!(opener.video(&part, &rule).unwrap().frames.len(), 6, "another question, another entry");
    let forgetful = Opener::new(OpenerOptions { keep_bytes: 0, ..OpenerOptions::default() });
    let one = forgetful.video(&part, &rule).unwrap();
    let two = forgetful.video(&part, &rule).unwrap();
    assert!(!std::sync::Arc::ptr_eq(&one.pictures[0].rgb, &two.pictures[0].rgb), "not kept");
}

#[test]
fn what_is_prepared_together_equals_what_is_opened_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = clip(folder.path(), "clip.mp4", MOVING, &["-c:v", "libx264", "-g", "25"]);
    let shuffled = Sampling::Shuffled(Box::new(Sampling::Frames(6)));
    let rules =
        [Sampling::Frames(6), shuffled, Sampling::Uniform(9), Sampling::Frames(10_000), Sampling::Card(4)];
    let parts: Vec<VideoPart> = rules.into_iter().map(|sampling| video_part(&path, sampling)).collect();
    let together = opener();
    let rule = SizeRule::qwen_vl_utils(28);
    together.prepare(&parts.iter().collect::<Vec<_>>(), &rule);
    for part in &parts {
        let (ours, alone) = (together.video(part, &rule), open(part));
        match (ours, alone) {
            (Ok(ours), Ok(alone)) => {
                assert_eq!((&ours.frames, ours.sample_fps), (&alone.frames, alone.sample_fps));
                assert!(ours.pictures == alone.pictures, "{:?}", part.sampling);
                assert!(ours.originals == alone.originals, "{:?}", part.sampling);
            }
            (ours, alone) => assert_eq!(ours.unwrap_err().to_string(), alone.unwrap_err().to_string()),
        }
    }
}

#[test]
fn a_changed_file_is_not_taken_from_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let opener = Opener::default();
    let rule = SizeRule::qwen_vl_utils(28);
    let path = clip(folder.path(), "clip.mp4", MOVING, &["-c:v", "libx264", "-frames:v", "8"]);
    let before = opener.video(&video_part(&path, Sampling::Frames(4)), &rule).unwrap();
    clip(folder.path(), "clip.mp4", MOVING, &["-c:v", "libx264", "-frames:v", "12"]);
    let after = opener.video(&video_part(&path, Sampling::Frames(4)), &rule).unwrap();
    assert_eq!((before.frames[3].index, after.frames[3].index), (7, 11));
}

#[test]
fn images_make_a_video() {
    let fixture = Fixture::frames("frames");
    let cases = firsthand_golden::messages("qwen2_vl", "frames");
    let item = cases.pointer("/0/content/0").unwrap();
    let locations: Vec<String> = serde_json::from_value(item["video"].clone()).unwrap();
    let number = |key: &str| item.get(key).and_then(serde_json::Value::as_u64).map(|n| n as usize);
    let part = VideoPart {
        source: VideoSource::Images(locations),
        sampling: Sampling::default(),
        span: Span::default(),
        limits: PixelLimits {
            min_pixels: number("min_pixels"),
            max_pixels: number("max_pixels"),
            total_pixels: number("total_pixels"),
            resized: number("resized_height").map(|h| [h, number("resized_width").unwrap()]),
        },
        sample_fps: item.get("sample_fps").and_then(serde_json::Value::as_f64),
        damaged: Damaged::Refuse,
    };
    let opened = open(&part).unwrap();
    let pixels: Vec<u8> = opened.pictures.iter().flat_map(|p| p.rgb.iter().copied()).collect();
    assert!(pixels == fixture.u8("video.0"), "pixels differ");
    assert_eq!(
        opened.frames.iter().map(|f| f.index as i64).collect::<Vec<_>>(),
        fixture.i64("video.0.indices")
    );
    assert_eq!(opened.sample_fps, Some(fixture.f64("video.0.sample_fps")[0]));
    let uneven = VideoPart {
        source: VideoSource::Images(vec![
            media("small.png").display().to_string(),
            media("tall.png").display().to_string(),
        ]),
        ..part.clone()
    };
    let limits = PixelLimits::default();
    check_error(&open(&VideoPart { limits, ..uneven }).unwrap_err(), "tall.png", "images of one size");
    let none = VideoPart { source: VideoSource::Images(vec![]), ..part };
    check_error(&open(&none).unwrap_err(), "video", "at least one image");
}

#[test]
fn bad_videos_are_one_line_errors() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let good = clip(folder, "good.mp4", MOVING, &["-c:v", "libx264", "-movflags", "+faststart"]);
    let bytes = fs_err::read(&good).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        fs_err::write(folder.join(name), bytes).unwrap();
        folder.join(name)
    };
    let check = |path: &Path, expected: &str| {
        let error = open(&video_part(path, Sampling::default())).unwrap_err();
        check_error(&error, path.to_str().unwrap(), expected);
    };
    check(&file("empty.mp4", b""), "the file is empty");
    check(&file("text.mp4", b"These are words and not a video.\n".repeat(99).as_slice()), "not a video");
    check(&file("cut.mp4", &bytes[..bytes.len() / 2]), "cut short");
    for (name, codec) in [("whole.mkv", "libx264"), ("whole.webm", "libvpx-vp9"), ("whole.avi", "mpeg4")] {
        let whole = clip(folder, name, MOVING, &["-c:v", codec, "-t", "1"]);
        let bytes = fs_err::read(&whole).unwrap();
        assert!(bytes.len() > 4096, "{name}: long enough to be cut by more than the slack");
        assert!(open(&video_part(&whole, Sampling::Uniform(3))).is_ok(), "{name}");
        check(&file(&name.replace("whole", "cut"), &bytes[..bytes.len() / 2]), "cut short");
    }
    let live = clip(folder, "live.mkv", MOVING, &["-c:v", "libx264", "-t", "1", "-live", "1"]);
    assert!(open(&video_part(&live, Sampling::Uniform(3))).is_ok(), "a stream that announces no size");
    check(&file("head.mp4", &bytes[..40]), "it has no pictures");
    check(&folder.join("none.mp4"), "there is no such file");
    check(folder, "it is a folder");
    let sound = clip(folder, "sound.mp4", "sine=duration=1", &["-c:a", "aac"]);
    check(&sound, "sound but no pictures");
    let cover = folder.join("cover.mp3");
    let art = media("photo.jpg").display().to_string();
    run_ffmpeg(&[
        "-f",
        "lavfi",
        "-i",
        "sine=duration=1",
        "-i",
        &art,
        "-map",
        "0",
        "-map",
        "1",
        "-c:v",
        "copy",
        "-disposition:v",
        "attached_pic",
        cover.to_str().unwrap(),
    ]);
    check(&cover, "it is an MP3 sound file, not a video");
    let single = clip(folder, "single.mp4", MOVING, &["-c:v", "libx264", "-frames:v", "1"]);
    check(&single, "1 frame is there, and a video needs 2");
    assert_eq!(open(&video_part(&single, Sampling::Uniform(2))).unwrap().frames.len(), 2);
    let mut part = video_part(&good, Sampling::Uniform(5000));
    let error = open(&part).unwrap_err();
    check_error(&error, "good.mp4", "5000 frames are more than 4096");
    part.sampling = Sampling::Frames(4);
    let small = Opener::new(OpenerOptions { max_picture_pixels: 96 * 64 - 1, ..OpenerOptions::default() });
    let error = small.video(&part, &SizeRule::qwen_vl_utils(28)).unwrap_err();
    check_error(&error, "good.mp4", "more than 6143 pixels");
    part.limits = PixelLimits { min_pixels: Some(5000), max_pixels: Some(4000), ..PixelLimits::default() };
    check_error(&open(&part).unwrap_err(), "good.mp4", "max_pixels 4000 is less than min_pixels 5000");
    part.source = VideoSource::File("data:video/mp4;base64,AAAA".into());
    check_error(&open(&part).unwrap_err(), "data:", "neither a picture nor a video");
}

#[test]
fn a_playlist_shows_no_file_that_nobody_named() {
    let home = tempfile::tempdir().unwrap();
    let segment = home.path().join("private.ts");
    run_ffmpeg(&["-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=1", segment.to_str().unwrap()]);
    assert!(open(&video_part(&segment, Sampling::Frames(2))).is_ok());
    for (name, text) in [
        (
            "clip.m3u8",
            format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n", segment.display()),
        ),
        ("clip.mp4", "ffconcat version 1.0\nfile private.ts\n".to_owned()),
    ] {
        let list = home.path().join(name);
        fs_err::write(&list, text).unwrap();
        let error = open(&video_part(&list, Sampling::Frames(2))).unwrap_err();
        check_error(&error, name, "it is a playlist, not a video; give the video that it names");
    }
}
