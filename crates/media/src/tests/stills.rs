//! Still pictures: formats, transparency, orientation, locations and damaged files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firsthand_base::{PixelLimits, Sampling, Span, VideoPart, VideoSource};
use firsthand_golden::{Fixture, media};
use image::{DynamicImage, GrayAlphaImage, ImageBuffer, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage};

use super::rules::noise;
use super::{check_error, image_part, opener};
use crate::still::{StillOptions, decode};
use crate::{Opener, OpenerOptions, Picture, SizeRule};

const OPTIONS: StillOptions = StillOptions { max_pixels: 1_000_000, exif_orientation: true };

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn shown(bytes: &[u8]) -> Picture {
    decode(bytes, "it", OPTIONS).unwrap().picture
}

fn rgb() -> RgbImage {
    RgbImage::from_raw(19, 13, noise(19 * 13 * 3, 7)).unwrap()
}

#[test]
fn pictures_open_as_the_reference_opens_them() {
    let fixture = Fixture::table("decode");
    for name in ["photo.jpg", "small.png", "tall.png"] {
        let opened = opener()
            .image(&image_part(media(name).display().to_string()), &SizeRule::qwen_vl_utils(28))
            .unwrap();
        let original = &opened.originals[0];
        assert_eq!(opened.original_size[..], fixture.shape(name)[..2], "{name}");
        assert_eq!(*original.rgb, fixture.u8(name), "{name}");
        assert_eq!(opened.frames[0].hash, original.hash());
    }
}

#[test]
fn lossless_formats_keep_every_pixel() {
    let picture = rgb();
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP] {
        let bytes = encoded(&picture.clone().into(), format);
        assert_eq!(*shown(&bytes).rgb, *picture.as_raw(), "{format:?}");
    }
}

#[test]
fn transparency_is_treated_as_the_reference_does() {
    // (255 (255 - a) + s a) / 255, rounded, for every sample and alpha.
    let rgba = RgbaImage::from_fn(256, 256, |x, y| Rgba([x as u8, 255 - x as u8, 9, y as u8]));
    let picture = shown(&encoded(&rgba.clone().into(), ImageFormat::Png));
    for (pixel, out) in rgba.pixels().zip(picture.rgb.chunks(3)) {
        let alpha = f64::from(pixel.0[3]);
        for (sample, &out) in pixel.0[..3].iter().zip(out) {
            let exact = (255.0 * (255.0 - alpha) + f64::from(*sample) * alpha) / 255.0;
            assert_eq!(f64::from(out), exact.round(), "{pixel:?}");
        }
    }
    let grey = GrayAlphaImage::from_fn(5, 4, |x, y| image::LumaA([40 * x as u8, 60 * y as u8]));
    let picture = shown(&encoded(&grey.clone().into(), ImageFormat::Png));
    let expected: Vec<u8> = grey.pixels().flat_map(|p| [p.0[0]; 3]).collect();
    assert_eq!(*picture.rgb, expected, "grey with alpha loses the alpha");
}

#[test]
fn deep_samples_become_bytes_as_in_pil() {
    let grey = ImageBuffer::<Luma<u16>, _>::from_raw(4, 1, vec![0u16, 200, 256, 65535]).unwrap();
    let picture = shown(&encoded(&grey.into(), ImageFormat::Png));
    assert_eq!(picture.rgb.chunks(3).map(|p| p[0]).collect::<Vec<_>>(), [0, 200, 255, 255], "grey clips");
    let colour = ImageBuffer::<Rgb<u16>, _>::from_raw(1, 1, vec![255u16, 256, 65535]).unwrap();
    assert_eq!(
        *shown(&encoded(&colour.into(), ImageFormat::Png)).rgb,
        [0, 1, 255],
        "colour keeps the high byte"
    );
}

#[test]
fn a_gif_shows_its_first_frame_on_its_transparent_colour() {
    let mut bytes = Vec::new();
    {
        let palette = [10, 20, 30, 200, 100, 50, 1, 2, 3, 255, 255, 255];
        let mut encoder = gif::Encoder::new(&mut bytes, 3, 2, &palette).unwrap();
        let mut frame = gif::Frame::from_indexed_pixels(2, 1, vec![1, 2], Some(2));
        (frame.left, frame.top) = (1, 1);
        encoder.write_frame(&frame).unwrap();
        encoder.write_frame(&gif::Frame::from_indexed_pixels(3, 2, vec![3; 6], None)).unwrap();
    }
    let (back, one) = ([1, 2, 3], [200, 100, 50]);
    assert_eq!(*shown(&bytes).rgb, [back, back, back, back, one, back].concat());
}

#[test]
fn exif_orientation_turns_pictures_upright() {
    // The upright picture is "12" over "34"; each code stores it as a camera held that way would.
    let stored: [(u16, [[u8; 2]; 2]); 8] = [
        (1, [[1, 2], [3, 4]]),
        (2, [[2, 1], [4, 3]]),
        (3, [[4, 3], [2, 1]]),
        (4, [[3, 4], [1, 2]]),
        (5, [[1, 3], [2, 4]]),
        (6, [[2, 4], [1, 3]]),
        (7, [[4, 2], [3, 1]]),
        (8, [[3, 1], [4, 2]]),
    ];
    for (code, pixels) in stored {
        let grey = image::GrayImage::from_raw(2, 2, pixels.concat()).unwrap();
        let bytes = with_exif(&encoded(&grey.into(), ImageFormat::Png), code);
        let values = |bytes: &[u8], options| {
            let picture = decode(bytes, "it", options).unwrap().picture;
            picture.rgb.chunks(3).map(|p| p[0]).collect::<Vec<_>>()
        };
        assert_eq!(values(&bytes, OPTIONS), [1, 2, 3, 4], "code {code}");
        let off = StillOptions { exif_orientation: false, ..OPTIONS };
        assert_eq!(values(&bytes, off), pixels.concat(), "code {code}, switched off");
    }
}

/// Puts an `eXIf` chunk with one orientation entry after the header of a PNG.
fn with_exif(png: &[u8], code: u16) -> Vec<u8> {
    let mut exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
    exif.extend_from_slice(&code.to_be_bytes());
    exif.extend_from_slice(&[0; 6]);
    let mut chunk = b"eXIf".to_vec();
    chunk.extend_from_slice(&exif);
    let checksum = crc32(&chunk).to_be_bytes();
    let header = 8 + 25;
    [&png[..header], &(exif.len() as u32).to_be_bytes(), &chunk, &checksum, &png[header..]].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0xedb8_8320 } else { c >> 1 })
    })
}

#[test]
fn jpegs_of_every_colour_model_open() {
    let picture = rgb();
    let pixels = turbojpeg::Image {
        pixels: &picture.as_raw()[..],
        width: 19,
        pitch: 57,
        height: 13,
        format: turbojpeg::PixelFormat::RGB,
    };
    for subsampling in [turbojpeg::Subsamp::None, turbojpeg::Subsamp::Sub2x2, turbojpeg::Subsamp::Gray] {
        let bytes = turbojpeg::compress(pixels, 95, subsampling).unwrap();
        assert_eq!(shown(&bytes).width, 19, "{subsampling:?}");
        let cut = decode(&bytes[..bytes.len() - 40], "cut.jpg", OPTIONS).unwrap_err();
        check_error(&cut, "cut.jpg", "cut short");
    }
    // Inverted CMYK: c' = 255 - c, so white paper is 255 255 255 255 and black ink alone is 255 255 255 0.
    let ink = [[255, 255, 255, 255], [255, 255, 255, 0], [0, 255, 255, 255]].map(|p| p.repeat(64)).concat();
    let cmyk = turbojpeg::Image {
        pixels: &ink[..],
        width: 8,
        pitch: 32,
        height: 24,
        format: turbojpeg::PixelFormat::CMYK,
    };
    let bytes = turbojpeg::compress(cmyk, 100, turbojpeg::Subsamp::None).unwrap();
    let picture = shown(&bytes);
    let near = |row: usize, expected: [u8; 3]| {
        let pixel = &picture.rgb[(row * 8 + 4) * 3..][..3];
        assert!(pixel.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 3), "row {row}: {pixel:?}");
    };
    near(4, [255, 255, 255]);
    near(12, [0, 0, 0]);
    near(20, [0, 255, 255]);
}

#[test]
fn every_kind_of_location_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a picture.png");
    let bytes = encoded(&rgb().into(), ImageFormat::Png);
    fs_err::write(&path, &bytes).unwrap();
    let text = STANDARD.encode(&bytes);
    let plain = path.display().to_string();
    let locations = [
        plain.clone(),
        format!("file://{plain}"),
        format!("file://{}", plain.replace(' ', "%20")),
        format!("data:image/png;base64,{text}"),
        format!("data:image;base64,{}", text.trim_end_matches('=')),
        format!("DATA:application/octet-stream;base64,{}\n{}", &text[..20], &text[20..]),
        format!("data:image/png;base64,{}", text.replace('+', "-").replace('/', "_")),
    ];
    for location in locations {
        let opened = opener().image(&image_part(&location), &SizeRule::qwen_vl_utils(28)).unwrap();
        assert_eq!(*opened.originals[0].rgb, *rgb().as_raw(), "{location}");
        assert_eq!((opened.pictures[0].height, opened.pictures[0].width), (56, 84), "{location}");
    }
}

#[test]
fn bad_pictures_are_one_line_errors() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        fs_err::write(folder.path().join(name), bytes).unwrap();
        folder.path().join(name).display().to_string()
    };
    let png = encoded(&rgb().into(), ImageFormat::Png);
    let check = |location: String, expected: &str| {
        let opener = Opener::new(OpenerOptions { max_image_bytes: 1 << 20, ..OpenerOptions::default() });
        let error = opener.image(&image_part(&location), &SizeRule::qwen_vl_utils(28)).unwrap_err();
        check_error(&error, &crate::display_location(&location), expected);
    };
    check(file("empty.png", b""), "the file is empty");
    check(file("text.jpg", b"only words"), "not a picture");
    check(file("cut.png", &png[..png.len() / 2]), "cannot decode");
    check(file("head.jpg", &[0xff, 0xd8, 0xff]), "cannot decode");
    check(file("large.png", &[&png[..8], &[1; 1 << 20]].concat()), "more than 1048576 bytes");
    check(folder.path().join("none.png").display().to_string(), "there is no such file");
    check(folder.path().display().to_string(), "it is a folder");
    check("data:image/png;base64,!!!".into(), "bad base64");
    check("data:image/png,abc".into(), "not base64");
    check("data:nothing".into(), "no comma");
    check(file("thin.png", &encoded(&RgbImage::new(700, 3).into(), ImageFormat::Png)), "crop it");
    check("ftp://somewhere/a.png".into(), "ftp:// is not supported");
    let mut endless = encoded(&rgb().into(), ImageFormat::Png);
    endless[16..24].fill(0x7f);
    let checksum = crc32(&endless[12..29]).to_be_bytes();
    endless[29..33].copy_from_slice(&checksum);
    check(file("endless.png", &endless), "is too large");
    for (name, bytes) in huge_headers() {
        check(file(name, &bytes), "20000x20000 (height x width) is more than");
    }
}

#[test]
fn a_size_that_no_memory_holds_is_refused_before_it_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.png");
    fs_err::write(&path, encoded(&rgb().into(), ImageFormat::Png)).unwrap();
    let opener = Opener::new(OpenerOptions { max_picture_pixels: 1_000_000, ..OpenerOptions::default() });
    let rule = SizeRule::qwen_vl_utils(28);
    let mut part = image_part(path.display().to_string());
    part.limits.min_pixels = Some(990_000);
    check_error(&opener.image(&part, &rule).unwrap_err(), "it.png", "resized it would be 840x1204");
    part.limits.min_pixels = Some(900_000);
    assert_eq!(opener.image(&part, &rule).unwrap().pictures[0].width, 1148);
    part.limits =
        PixelLimits { min_pixels: Some(1 << 40), max_pixels: Some(1 << 41), ..PixelLimits::default() };
    check_error(&opener.image(&part, &rule).unwrap_err(), "it.png", "resized it would be");
    part.limits = PixelLimits { resized: Some([0, 28]), ..PixelLimits::default() };
    check_error(&opener.image(&part, &rule).unwrap_err(), "it.png", "0x28 (height x width) has no pixels");
    let images = |count: usize| VideoPart {
        source: VideoSource::Images(vec![part.location.clone(); count]),
        sampling: Sampling::default(),
        span: Span::default(),
        limits: PixelLimits { resized: Some([952, 952]), ..PixelLimits::default() },
        sample_fps: None,
        damaged: firsthand_base::Damaged::Refuse,
    };
    assert_eq!(opener.video(&images(4), &rule).unwrap().pictures.len(), 4);
    let error = opener.video(&images(6), &rule).unwrap_err();
    check_error(&error, "it.png", "6 frames of 952x952");
}

/// Headers of 20,000-pixel pictures, without the pixels.
fn huge_headers() -> Vec<(&'static str, Vec<u8>)> {
    const SIDE: u32 = 20_000;
    let side = SIDE.to_be_bytes();
    let mut header = [b"IHDR".as_slice(), &side, &side, &[8, 2, 0, 0, 0]].concat();
    header.extend(crc32(&header).to_be_bytes());
    let png = [b"\x89PNG\r\n\x1a\n\0\0\0\x0d".as_slice(), &header, b"\0\0\0\0IDAT\x35\xaf\x06\x1e"].concat();
    let mut bmp = encoded(&rgb().into(), ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&SIDE.to_le_bytes());
    bmp[22..26].copy_from_slice(&SIDE.to_le_bytes());
    let mut gif = Vec::new();
    {
        let mut encoder = gif::Encoder::new(&mut gif, SIDE as u16, SIDE as u16, &[0; 6]).unwrap();
        encoder.write_frame(&gif::Frame::from_indexed_pixels(1, 1, vec![0], None)).unwrap();
    }
    let pixels = turbojpeg::Image {
        pixels: &[9u8; 192][..],
        width: 8,
        pitch: 24,
        height: 8,
        format: turbojpeg::PixelFormat::RGB,
    };
    let mut jpeg = turbojpeg::compress(pixels, 80, turbojpeg::Subsamp::None).unwrap().to_vec();
    let start = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    jpeg[start + 5..start + 7].copy_from_slice(&(SIDE as u16).to_be_bytes());
    jpeg[start + 7..start + 9].copy_from_slice(&(SIDE as u16).to_be_bytes());
    vec![("huge.png", png), ("huge.bmp", bmp), ("huge.gif", gif), ("huge.jpg", jpeg)]
}
