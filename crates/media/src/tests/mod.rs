//! Tests of this room. Expected numbers come from the reference library (`golden/`); clips are made by the `ffmpeg`
//! binary in a temporary folder, pictures by the `image` crate.

mod damaged;
mod encoding;
mod fetching;
mod kinds;
mod lists;
mod mutations;
mod rules;
mod stills;
mod videos;

use std::path::{Path, PathBuf};
use std::process::Command;

use firsthand_base::{ImagePart, PixelLimits, Sampling, Span, VideoPart, VideoSource};

use crate::{Opener, OpenerOptions};

/// An opener that keeps pictures before resizing and shows images as the reference does.
fn opener() -> Opener {
    Opener::new(OpenerOptions { keep_originals: true, exif_orientation: false, ..OpenerOptions::default() })
}

fn image_part(location: impl Into<String>) -> ImagePart {
    ImagePart { location: location.into(), limits: PixelLimits::default() }
}

fn video_part(path: &Path, sampling: Sampling) -> VideoPart {
    VideoPart {
        source: VideoSource::File(path.display().to_string()),
        sampling,
        span: Span::default(),
        limits: PixelLimits { min_pixels: Some(784), ..PixelLimits::default() },
        sample_fps: None,
        damaged: firsthand_base::Damaged::Refuse,
    }
}

/// Runs `ffmpeg` with test pictures as its first input and returns the file it made.
fn clip(folder: &Path, name: &str, source: &str, arguments: &[&str]) -> PathBuf {
    let target = folder.join(name);
    run_ffmpeg(&[&["-f", "lavfi", "-i", source], arguments, &[target.to_str().unwrap()]].concat());
    target
}

/// Runs `ffmpeg` and returns what it wrote to standard output.
fn run_ffmpeg(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("ffmpeg").args(["-v", "error", "-y"]).args(arguments).output();
    let output = output.expect("the ffmpeg binary is installed (apt install ffmpeg, brew install ffmpeg)");
    assert!(output.status.success(), "ffmpeg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Asserts that an error is one line, names the medium and gives a remedy or a reason.
fn check_error(error: &crate::Error, location: &str, expected: &str) {
    let text = error.to_string();
    assert!(!text.contains('\n'), "one line: {text}");
    assert!(text.contains(location), "names {location}: {text}");
    assert!(text.contains(expected), "says {expected:?}: {text}");
}
