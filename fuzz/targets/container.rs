//! Video containers: probing, choosing frames and decoding the few that are chosen.
#![no_main]

use std::io::Write;

use firsthand_base::{PixelLimits, Sampling, Span, VideoPart, VideoSource};
use firsthand_media::{Opener, OpenerOptions, SizeRule};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("room for a small file");
    let options = OpenerOptions { max_picture_pixels: 1 << 18, keep_bytes: 0, threads: 1, ..OpenerOptions::default() };
    let part = VideoPart {
        source: VideoSource::File(file.path().to_string_lossy().into_owned()),
        sampling: Sampling::Uniform(2),
        span: Span::default(),
        limits: PixelLimits { max_pixels: Some(56 * 56), ..PixelLimits::default() },
        sample_fps: None,
        damaged: firsthand_base::Damaged::Refuse,
    };
    let _ = Opener::new(options).video(&part, &SizeRule::qwen_vl_utils(28));
});
