//! Image files of any format, from their headers on, with a small pixel budget.
#![no_main]

use std::io::Write;

use firsthand_base::{ImagePart, PixelLimits};
use firsthand_media::{Opener, OpenerOptions, SizeRule};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("room for a small file");
    let opener = Opener::new(OpenerOptions { max_picture_pixels: 1 << 20, ..OpenerOptions::default() });
    let location = file.path().to_string_lossy().into_owned();
    let part = ImagePart { location, limits: PixelLimits { max_pixels: Some(56 * 56), ..PixelLimits::default() } };
    let _ = opener.image(&part, &SizeRule::qwen_vl_utils(28));
});
