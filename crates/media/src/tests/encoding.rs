//! What is written is what is read back: times to the tick, colours to a few levels, and no half files. One test
//! measures nothing but is the place to see what a clip costs: run it with `--release --ignored --nocapture`.

use std::path::Path;

use firsthand_base::Sampling;

use super::{check_error, opener, video_part};
use crate::{
    Picture, Preset, Quality, Rate, SizeRule, VideoCodec, VideoOptions, VideoWriter, draft_path, write_png,
};

/// Smooth colours with a block that moves, so that frames differ and 4:2:0 colour loses little.
fn scene(width: usize, height: usize, index: usize) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let block = (x + width - 6 * index % width) % width < 32 && (16..64).contains(&y);
            let ground = [40 + 150 * x / width, 210 - 160 * y / height, 90 + 40 * ((x + y) / 64 % 2)];
            rgb.extend(if block { [220, 40, 60] } else { ground.map(|c| c as u8) });
        }
    }
    rgb
}

fn write(path: &Path, rate: f64, frames: usize, options: &VideoOptions) -> crate::Result<()> {
    let mut writer = VideoWriter::create(path, 128, 96, Rate::new(rate)?, options)?;
    for index in 0..frames {
        writer.push(&scene(128, 96, index))?;
    }
    writer.finish()
}

fn read(path: &Path, frames: usize) -> crate::Prepared {
    let part = video_part(path, Sampling::Frames(frames));
    opener().video(&part, &SizeRule::qwen_vl_utils(28)).unwrap()
}

/// Mean absolute difference per channel of all frames.
fn errors(pictures: &[Picture]) -> [f64; 3] {
    let mut sums = [0.0; 3];
    for (index, picture) in pictures.iter().enumerate() {
        for (a, b) in picture.rgb.chunks_exact(3).zip(scene(128, 96, index).chunks_exact(3)) {
            for channel in 0..3 {
                sums[channel] += f64::from(a[channel].abs_diff(b[channel]));
            }
        }
    }
    sums.map(|sum| sum / (pictures.len() * 128 * 96) as f64)
}

#[test]
fn frames_come_back_at_their_times_in_their_colours() {
    let folder = tempfile::tempdir().unwrap();
    let check = |rate: f64, frames: usize, options: VideoOptions, most: f64| {
        let path = folder.path().join("clip.mp4");
        write(&path, rate, frames, &options).unwrap();
        let read = read(&path, frames);
        let case = format!("{rate} {options:?}");
        assert_eq!(read.original_size, [96, 128], "{case}");
        assert_eq!(read.frames.len(), frames, "{case}");
        for (index, frame) in read.frames.iter().enumerate() {
            let off = (frame.time.seconds() - index as f64 / rate).abs();
            assert!(off < 1e-9, "{case}: frame {index} at {}", frame.time.seconds());
        }
        let probe = opener().probe(path.to_str().unwrap()).unwrap();
        assert!((probe.average_fps - rate).abs() < 1e-6 * rate, "{case}: {probe:?}");
        assert!((probe.duration_s - frames as f64 / rate).abs() < 1e-6, "{case}: {probe:?}");
        assert!(!probe.variable_rate, "{case}");
        let errors = errors(&read.originals);
        assert!(errors.iter().all(|error| *error < most), "{case}: {errors:?}");
        // A wrong matrix or range shifts whole areas; the middle of the block shows it.
        let at = 3 * (40 * 128 + 16);
        let (stored, meant) = (&read.originals[0].rgb[at..at + 3], [220u8, 40, 60]);
        assert!(stored.iter().zip(meant).all(|(a, b)| a.abs_diff(b) < 8), "{case}: {stored:?}");
    };
    // Lossless coding leaves 1 to 2: 4:2:0 colour at edges, and swscale rounds down on the way to RGB.
    let plain = VideoOptions::default();
    for rate in [2.0, 20.0, 29.97, 30_000.0 / 1001.0, 23.976, 7.3, 0.5] {
        check(rate, 14, plain, 3.0);
    }
    check(2.0, 8, VideoOptions::short_clips(), 3.0);
    let slow = VideoOptions { preset: Preset::Slow, key_interval: 5, threads: 2, ..plain };
    check(20.0, 44, slow, 3.0);
    check(20.0, 20, VideoOptions { quality: Quality::BitRate(400_000), ..plain }, 4.0);
    check(20.0, 20, VideoOptions { quality: Quality::Factor(0), ..plain }, 2.5);
    check(20.0, 20, VideoOptions { codec: Some(VideoCodec::Mpeg4), ..plain }, 4.0);
}

#[test]
fn equal_frames_give_equal_bytes_and_a_table_before_the_frames() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |name: &str| {
        let path = folder.path().join(name);
        write(&path, 20.0, 30, &VideoOptions::default()).unwrap();
        fs_err::read(path).unwrap()
    };
    let one = bytes("one.mp4");
    assert!(one == bytes("two.mp4"));
    let place = |name: &[u8]| one.windows(4).position(|window| window == name).unwrap();
    assert!(place(b"moov") < place(b"mdat"));
}

#[test]
fn key_frames_are_as_near_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = [10, 250].map(|key_interval| {
        let path = folder.path().join("clip.mp4");
        write(&path, 20.0, 60, &VideoOptions { key_interval, ..VideoOptions::default() }).unwrap();
        let listed = super::run_ffmpeg(&[
            "-skip_frame",
            "nokey",
            "-i",
            path.to_str().unwrap(),
            "-fps_mode",
            "passthrough",
            "-f",
            "framecrc",
            "-",
        ]);
        String::from_utf8(listed).unwrap().lines().filter(|line| !line.starts_with('#')).count()
    });
    assert_eq!(sizes, [6, 1]);
}

#[test]
fn what_is_not_finished_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let left = || fs_err::read_dir(folder.path()).unwrap().count();
    let mut writer =
        VideoWriter::create(&path, 128, 96, Rate::new(20.0).unwrap(), &VideoOptions::default()).unwrap();
    writer.push(&scene(128, 96, 0)).unwrap();
    assert!(draft_path(&path).is_file() && !path.exists());
    drop(writer);
    assert_eq!(left(), 0);
    fs_err::write(&path, "an older file").unwrap();
    let error = write(&path, 20.0, 0, &VideoOptions::default()).unwrap_err();
    check_error(&error, "clip.mp4", "there is no frame");
    assert_eq!((fs_err::read(&path).unwrap().as_slice(), left()), (b"an older file".as_slice(), 1));
    write(&path, 20.0, 2, &VideoOptions::default()).unwrap();
    assert_eq!((read(&path, 2).frames.len(), left()), (2, 1));
}

#[test]
fn what_cannot_be_written_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let create = |path: &Path, width, height| {
        VideoWriter::create(path, width, height, Rate::new(20.0).unwrap(), &VideoOptions::default())
            .map(|_| ())
            .unwrap_err()
    };
    let place = folder.path().join("clip.mp4");
    for (width, height) in [(127, 96), (128, 95), (0, 96), (128, 1 << 20)] {
        check_error(&create(&place, width, height), "clip.mp4", "even sides");
    }
    check_error(&create(&folder.path().join("none/clip.mp4"), 128, 96), "clip.mp4", "no such folder");
    check_error(&create(folder.path(), 128, 96), folder.path().to_str().unwrap(), "it is a folder");
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9, 1e-9] {
        check_error(&Rate::new(rate).unwrap_err(), "video", "frames per second");
    }
    let error = write_png(&folder.path().join("none/a.png"), 1, 1, &[1, 2, 3]).unwrap_err();
    check_error(&error, "a.png", "no such folder");
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn pictures_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let rgb = scene(57, 33, 3);
    write_png(&path, 57, 33, &rgb).unwrap();
    let part = super::image_part(path.to_str().unwrap());
    let read = opener().image(&part, &SizeRule::qwen_vl_utils(28)).unwrap();
    assert_eq!((read.originals[0].height, read.originals[0].width), (33, 57));
    assert!(*read.originals[0].rgb == rgb);
}

#[test]
#[ignore = "a measurement"]
fn short_clips_per_second() {
    let folder = tempfile::tempdir().unwrap();
    let frames: Vec<_> = (0..8).map(|index| scene(224, 168, index)).collect();
    let start = std::time::Instant::now();
    for index in 0..400 {
        let path = folder.path().join(format!("{index}.mp4"));
        let rate = Rate::new(2.0).unwrap();
        let mut writer = VideoWriter::create(&path, 224, 168, rate, &VideoOptions::short_clips()).unwrap();
        for frame in &frames {
            writer.push(frame).unwrap();
        }
        writer.finish().unwrap();
    }
    println!("{:.0} clips of 8 frames at 224x168 per second", 400.0 / start.elapsed().as_secs_f64());
}
