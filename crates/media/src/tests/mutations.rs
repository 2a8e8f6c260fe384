//! Damaged bytes: whatever is changed in a picture or a small container, the answer is a picture or an error in
//! bounded time and memory, never a panic. Numbers of cases are small; a longer run sets `PROPTEST_CASES`.

use firsthand_base::Sampling;
use firsthand_golden::media;
use image::ImageFormat;
use proptest::prelude::*;

use super::video_part;
use crate::still::{StillOptions, decode};
use crate::{Opener, OpenerOptions, SizeRule};

const MOST_PIXELS: usize = 1 << 16;

/// Up to six changes of a byte, mostly near the start where headers are, and a length to keep.
fn changes() -> impl Strategy<Value = (Vec<(u16, bool, u8)>, u16)> {
    let change = (any::<u16>(), prop::bool::weighted(0.7), any::<u8>());
    (prop::collection::vec(change, 0..6), prop_oneof![3 => Just(u16::MAX), 1 => any::<u16>()])
}

fn changed(bytes: &[u8], (changes, keep): &(Vec<(u16, bool, u8)>, u16)) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for &(place, in_header, value) in changes {
        let reach = if in_header { bytes.len().min(128) } else { bytes.len() };
        bytes[usize::from(place) % reach] = value;
    }
    let keep = bytes.len() * (usize::from(*keep) + 1) / (usize::from(u16::MAX) + 1);
    bytes.truncate(keep);
    bytes
}

fn pictures() -> Vec<Vec<u8>> {
    let photo = fs_err::read(media("photo.jpg")).unwrap();
    let opened = decode(&photo, "photo", StillOptions { max_pixels: MOST_PIXELS, exif_orientation: true });
    let picture = opened.unwrap().picture;
    let pixels = image::RgbImage::from_raw(picture.width as u32, picture.height as u32, picture.rgb.to_vec());
    let picture = image::DynamicImage::from(pixels.unwrap());
    let formats = [
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Gif,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::Pnm,
        ImageFormat::Qoi,
        ImageFormat::Tga,
        ImageFormat::Ico,
        ImageFormat::Farbfeld,
    ];
    let encoded = formats.map(|format| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        match format {
            // It holds 16-bit RGBA alone.
            ImageFormat::Farbfeld => picture.to_rgba16().write_to(&mut bytes, format),
            _ => picture.write_to(&mut bytes, format),
        }
        .unwrap();
        bytes.into_inner()
    });
    encoded.into_iter().chain([photo]).collect()
}

#[test]
fn damaged_pictures_never_panic() {
    let pictures = pictures();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(600)) };
    proptest!(config, |(which in 0..pictures.len(), change in changes())| {
        let bytes = changed(&pictures[which], &change);
        let options = StillOptions { max_pixels: MOST_PIXELS, exif_orientation: true };
        if let Ok(still) = decode(&bytes, "damaged.tga", options) {
            prop_assert!(still.picture.height * still.picture.width <= MOST_PIXELS);
        }
    });
}

#[test]
fn damaged_videos_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        OpenerOptions { max_picture_pixels: MOST_PIXELS, keep_bytes: 0, ..OpenerOptions::default() };
    let opener = Opener::new(options);
    let avi = folder.path().join("clip.avi");
    let mkv = folder.path().join("clip.mkv");
    let source = media("rotated.mp4").display().to_string();
    for target in [&avi, &mkv] {
        super::run_ffmpeg(&["-i", &source, "-c", "copy", target.to_str().unwrap()]);
    }
    let animation = folder.path().join("clip.webp");
    super::run_ffmpeg(&[
        "-i",
        &source,
        "-frames:v",
        "5",
        "-c:v",
        "libwebp_anim",
        animation.to_str().unwrap(),
    ]);
    let clips = [media("rotated.mp4"), avi, mkv, animation].map(|path| fs_err::read(path).unwrap());
    let target = folder.path().join("damaged.mp4");
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(120)) };
    proptest!(config, |(which in 0..clips.len(), change in changes())| {
        fs_err::write(&target, changed(&clips[which], &change)).unwrap();
        let part = video_part(&target, Sampling::Uniform(3));
        if let Ok(opened) = opener.video(&part, &SizeRule::qwen_vl_utils(28)) {
            prop_assert_eq!(opened.pictures.len(), 3);
        }
        let _ = opener.probe(&target.display().to_string());
    });
}

fn cases(default: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
