//! What a file is, by its bytes: pictures and films under any name, moving pictures as films, and what is refused.

use std::path::Path;

use firsthand_base::Sampling;
use firsthand_golden::media;

use super::{check_error, clip, image_part, opener, run_ffmpeg, video_part};
use crate::still::{StillOptions, decode};
use crate::{Format, Kind, SizeRule};

const OPTIONS: StillOptions = StillOptions { max_pixels: 1_000_000, exif_orientation: true };

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// Files that Pillow 13 wrote, and the pixels that it and qwen-vl-utils' `to_rgb` read from them.
#[test]
fn pictures_of_further_formats_open_as_in_pillow() {
    const RGB: &str = "0a141ec8643200ff80ffffff0102034d5863";
    const GREY: &str = "1212127c7c7ca4a4a4ffffff020202565656";
    const ON_WHITE: &str = "fffffff1d8cc7fffbfffffff383939fefefe";
    const TGA: &str = "000000000000000054525545564953494f4e2d5846494c452e00";
    let tga = |bytes: &str| format!("{bytes}{TGA}");
    // An image file directory of 10 or 11 entries, then the samples.
    let la = "49492a00080000000b00000104000100000003000000010104000100000002000000020103000200000008000800030103000100000001\
        00000006010300010000000100000011010400010000009200000015010300010000000200000016010400010000000200000017010400010000000c\
        0000001c01030001000000010000005201030001000000020000000000000012007c40a480ffff02c85601";
    let number = |kind: &str, samples: &str| {
        format!(
            "49492a00080000000a0000010400010000000300000001010400010000000200000002010300010000002000000003010300010000000100\
            0000060103000100000001000000110104000100000086000000160104000100000002000000170104000100000018000000\
            1c01030001000000010000005301030001000000{kind}00000000000000{samples}"
        )
    };
    let palette = [[10u8, 200, 0, 255, 1, 77], [20, 100, 255, 255, 2, 88], [30, 50, 128, 255, 3, 99]];
    let palette = palette.map(|shades| {
        let shades = (0..256).map(|i| shades.get(i).map_or("0000".to_owned(), |s| format!("00{s:02x}")));
        shades.collect::<String>()
    });
    let indexed = format!(
        "49492a00080000000a000001040001000000030000000101040001000000020000000201030001000000080000000301030001000000010000\
        000601030001000000030000001101040001000000860600001601040001000000020000001701040001000000060000001c0103000100000001\
        0000004001030000030000860000000000 0000{}000102030405",
        palette.concat()
    )
    .replace(' ', "");
    let cases: [(&str, Format, String, &str); 13] = [
        ("tga", Format::Tga, tga("000002000000000000000000030002001800ffffff03020163584d1e140a3264c880ff00"), RGB),
        (
            "packed tga with alpha",
            Format::Tga,
            tga("00000a00000000000000000003000200200802ffffffff030201c863584d01021e140a003264c84080ff0080"),
            ON_WHITE,
        ),
        ("grey tga", Format::Tga, tga("000003000000000000000000030002000800ff0256127ca4"), GREY),
        (
            "tga with a palette",
            Format::Tga,
            tga("000101000006001800000000030002000800ffffff80ff003264c863584d1e140a030201000503040201"),
            RGB,
        ),
        ("tga, grey with alpha", Format::Tga, tga("000003000000000000000000030002001008ffff02c8560112007c40a480"), GREY),
        ("tiff with a palette", Format::Tiff, indexed, RGB),
        ("tiff, grey with alpha", Format::Tiff, la.into(), GREY),
        (
            "tiff of floats",
            Format::Tiff,
            number("03", "000060c0cdcccc3e3333f33f66e67e430000964300004041"),
            "000000000000010101fefefeffffff0c0c0c",
        ),
        (
            "tiff of integers",
            Format::Tiff,
            number("02", "fdffffff0000000007000000ff000000701101000c000000"),
            "000000000000070707ffffffffffff0c0c0c",
        ),
        (
            "qoi",
            Format::Qoi,
            "716f696600000003000000020401ff0a141e00ffc8643240ff00ff8080ffffffffffff010203c8ff4d5863010000000000000001".into(),
            ON_WHITE,
        ),
        ("ppm", Format::Pnm, "50360a3320320a3235350a0a141ec8643200ff80ffffff0102034d5863".into(), RGB),
        ("pgm", Format::Pnm, "50350a3320320a3235350a127ca4ff0256".into(), GREY),
        ("pbm", Format::Pnm, "50340a3320320aa060".into(), "000000ffffff000000ffffff000000000000"),
    ];
    for (name, format, bytes, pixels) in cases {
        let bytes = hex(&bytes);
        assert_eq!(Kind::of_bytes(&bytes, ""), Kind::Picture(format), "{name}");
        let still = decode(&bytes, name, OPTIONS).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((still.picture.height, still.picture.width), (2, 3), "{name}");
        assert_eq!(*still.picture.rgb, hex(pixels), "{name}");
        assert_eq!(still.format, format.name());
    }
}

#[test]
fn a_png_without_its_end_mark_opens() {
    let whole = fs_err::read(media("small.png")).unwrap();
    let open = |bytes: &[u8]| decode(bytes, "it.png", OPTIONS).map(|still| still.picture);
    assert_eq!(open(&whole[..whole.len() - 12]).unwrap(), open(&whole).unwrap());
    assert!(open(&whole[..whole.len() - 40]).is_err(), "pixels are missing");
}

#[test]
fn names_do_not_decide_what_a_file_is() {
    let home = tempfile::tempdir().unwrap();
    let put = |name: &str, from: &Path| {
        let path = home.path().join(name);
        fs_err::copy(from, &path).unwrap();
        path
    };
    let rule = SizeRule::qwen_vl_utils(28);
    let clip_path = media("clip.mp4");
    for name in ["clip.jpg", "clip.gif", "clip", "clip.txt"] {
        let path = put(name, &clip_path);
        let location = path.display().to_string();
        assert_eq!(opener().kind(&location).unwrap(), Kind::Film(Kind::MP4), "{name}");
        assert_eq!(opener().video(&video_part(&path, Sampling::Frames(4)), &rule).unwrap().frames.len(), 4);
        let error = opener().image(&image_part(&location), &rule).unwrap_err();
        check_error(&error, name, "it is a video (MP4 or QuickTime), not a picture; give it as a video");
    }
    for name in ["photo.mp4", "photo.png", "photo.bin"] {
        let path = put(name, &media("photo.jpg"));
        let location = path.display().to_string();
        assert_eq!(opener().kind(&location).unwrap(), Kind::Picture(Format::Jpeg), "{name}");
        assert!(opener().image(&image_part(&location), &rule).is_ok());
        assert_eq!(opener().probe(&location).unwrap().codec, "jpeg");
        let error = opener().video(&video_part(&path, Sampling::Frames(4)), &rule).unwrap_err();
        check_error(&error, name, "it is a JPEG picture, not a video; give it as an image");
    }
}

#[test]
fn what_is_not_shown_is_named_with_a_remedy() {
    fn ftyp(brands: &str) -> Vec<u8> {
        [&(8 + brands.len() as u32).to_be_bytes()[..], b"ftyp", brands.as_bytes()].concat()
    }
    let mut tar = vec![b'a'; 257];
    tar.extend(b"ustar\x0000");
    let cases: Vec<(Vec<u8>, &str, &str)> = vec![
        (ftyp("heic\0\0\0\0mif1heic"), "a HEIC picture", "heif-convert IN OUT.png"),
        (ftyp("mif1\0\0\0\0heicmif1"), "a HEIC picture", "heif-convert"),
        (ftyp("mif1\0\0\0\0mif1avif"), "an AVIF picture", "avifdec IN OUT.png"),
        (ftyp("avif\0\0\0\0mif1"), "an AVIF picture", "avifdec IN OUT.png"),
        (ftyp("M4A \0\0\0\0isom"), "an M4A sound file", "the video or the pictures"),
        (b"\xff\x0a\x00".to_vec(), "a JPEG XL picture", "djxl IN OUT.png"),
        (b"\0\0\0\x0cJXL \r\n\x87\n".to_vec(), "a JPEG XL picture", "djxl"),
        (b"\0\0\0\x0cjP  \r\n\x87\n".to_vec(), "a JPEG 2000 picture", "ffmpeg -i IN OUT.png"),
        (b"\xff\x4f\xff\x51\x00".to_vec(), "a JPEG 2000 picture", "ffmpeg"),
        (b"%PDF-1.7\n".to_vec(), "a PDF document", "pdftoppm -png IN OUT"),
        (b"<svg xmlns=\"x\"></svg>".to_vec(), "an SVG drawing", "rsvg-convert IN -o OUT.png"),
        ("\u{feff}<?xml version=\"1.0\"?>\n<!-- é --><svg>".into(), "an SVG drawing", "rsvg-convert"),
        (b"<?xml version=\"1.0\"?><a/>".to_vec(), "an XML file", "give a picture"),
        (b"\n <!DOCTYPE HTML><html>".to_vec(), "an HTML page", "download the file"),
        (b"version https://git-lfs.github.com/spec/v1\noid".to_vec(), "a Git LFS pointer", "git lfs pull"),
        (b"#EXTM3U\n".to_vec(), "a playlist", "give the video"),
        (b"{\"error\": 1}".to_vec(), "JSON", "give a picture"),
        (b"only words".to_vec(), "text", "give a picture"),
        (b"PK\x03\x04\x14".to_vec(), "a ZIP archive", "unpack it"),
        (tar, "a tar archive", "unpack it"),
        (b"RIFF\0\0\0\0WAVEfmt ".to_vec(), "a WAV sound file", "the video or the pictures"),
        (b"ID3\x04\0".to_vec(), "an MP3 sound file", "the video or the pictures"),
        (b"\x76\x2f\x31\x01\x02".to_vec(), "an OpenEXR picture", "ffmpeg -i IN OUT.png"),
        (b"8BPS\0\x01".to_vec(), "a Photoshop picture", "convert IN -flatten OUT.png"),
        (b"\x0a\x05\x01\x08\0".to_vec(), "a PCX picture", "ffmpeg"),
        (vec![0; 600], "nothing but zeros", "copy or download the file again"),
    ];
    let home = tempfile::tempdir().unwrap();
    let rule = SizeRule::qwen_vl_utils(28);
    for (bytes, what, remedy) in cases {
        let path = home.path().join("it.jpg");
        fs_err::write(&path, &bytes).unwrap();
        let location = path.display().to_string();
        for (error, not) in [
            (opener().image(&image_part(&location), &rule).unwrap_err(), "not a picture"),
            (opener().video(&video_part(&path, Sampling::default()), &rule).unwrap_err(), "not a video"),
            (opener().probe(&location).unwrap_err(), "not a kind"),
        ] {
            check_error(&error, "it.jpg", what);
            check_error(&error, not, remedy);
        }
    }
    let path = home.path().join("it.mp4");
    fs_err::write(&path, [0xfe, 0x01, 0x80, 0x02].repeat(99)).unwrap();
    let error = opener().probe(path.to_str().unwrap()).unwrap_err();
    check_error(&error, "it.mp4", "neither a picture nor a video of a kind that is known here");
}

/// The same nine frames as GIF, APNG and WebP.
#[test]
fn moving_pictures_are_pictures_and_films() {
    let home = tempfile::tempdir().unwrap();
    let rule = SizeRule::qwen_vl_utils(28);
    // Every frame is another, or an encoder joins two.
    let source =
        "nullsrc=size=60x40:rate=10:duration=0.9,format=rgb24,geq=r='mod(X*4+N*25,256)':g='Y*6':b='255-X*4'";
    let lossless = ["-c:v", "libwebp_anim", "-lossless", "1"];
    for (name, format, arguments) in [
        ("it.gif", Format::Gif, &[][..]),
        ("it.png", Format::Png, &["-f", "apng"][..]),
        ("it.webp", Format::WebP, &lossless[..]),
    ] {
        let path = clip(home.path(), name, source, arguments);
        let location = path.display().to_string();
        assert_eq!(opener().kind(&location).unwrap(), Kind::Moving(format), "{name}");
        let probe = opener().probe(&location).unwrap();
        assert_eq!((probe.frames, probe.size), (9, [40, 60]), "{name}");
        assert!((probe.average_fps - 10.0).abs() < 1e-6, "{name}: {probe:?}");
        let film = opener().video(&video_part(&path, Sampling::Uniform(3)), &rule).unwrap();
        let seen: Vec<_> = film.frames.iter().map(|frame| (frame.index, frame.time.seconds())).collect();
        assert_eq!(seen, [(0, 0.0), (4, 0.4), (8, 0.8)], "{name}");
        let one = opener().image(&image_part(&location), &rule).unwrap();
        assert_eq!(one.frames.len(), 1, "{name}");
        if format != Format::Gif {
            let raw = run_ffmpeg(&["-f", "lavfi", "-i", source, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
            for (at, picture) in [(0, &film.originals[0]), (4, &film.originals[1]), (8, &film.originals[2])] {
                let expected = &raw[at * 7200..(at + 1) * 7200];
                let worst = picture.rgb.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max();
                assert!(worst <= Some(3), "{name} {at}: {worst:?}");
            }
            assert_eq!(one.originals[0], film.originals[0], "{name}");
        }
        let still =
            clip(home.path(), &format!("still.{name}"), source, &[&["-frames:v", "1"], arguments].concat());
        assert_eq!(opener().kind(&still.display().to_string()).unwrap(), Kind::Picture(format), "{name}");
    }
}

#[test]
fn base64_is_read_in_every_dialect() {
    let bytes: Vec<u8> = (0..=255).chain([0xfb, 0xff, 0xbf]).chain(250..=252).collect();
    let standard = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &bytes);
    let split = |text: &str, by: &str| {
        text.as_bytes().chunks(7).map(|c| std::str::from_utf8(c).unwrap()).collect::<Vec<_>>().join(by)
    };
    let plain = standard.trim_end_matches('=').to_owned();
    let url_safe = standard.replace('+', "-").replace('/', "_");
    let escaped = standard.replace('+', "%2B").replace('/', "%2f").replace('=', "%3D");
    assert!(plain.len() < standard.len() && url_safe != standard);
    for text in [
        &standard,
        &plain,
        &url_safe,
        &escaped,
        &split(&url_safe, "\r\n"),
        &split(&plain, " "),
        &format!("\n{standard}\t"),
    ] {
        assert_eq!(crate::base64(text.as_bytes()).unwrap(), bytes, "{text}");
    }
    assert_eq!(crate::base64(b"").unwrap(), b"");
    for (text, what) in [
        ("AAA!", "byte 3 is '!'"),
        ("AAAAA", "it is cut short"),
        ("AA==AA", "byte 4 follows the padding"),
        ("AA%", "byte 2 is '%'"),
        ("AA%zz", "byte 2 is '%'"),
        ("b'AAAA'", "byte 1 is '\\''"),
    ] {
        assert_eq!(crate::base64(text.as_bytes()).unwrap_err(), what, "{text}");
    }
}

#[test]
fn films_come_inline_too() {
    let rule = SizeRule::qwen_vl_utils(28);
    let path = media("clip.mp4");
    let text =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, fs_err::read(&path).unwrap());
    let mut part = video_part(&path, Sampling::Frames(4));
    let there = opener().video(&part, &rule).unwrap();
    for head in ["data:video/mp4;base64", "DATA:VIDEO/MP4;BASE64", "data:;base64", "data:image/png;base64"] {
        part.source = firsthand_base::VideoSource::File(format!("{head},{text}"));
        let here = opener().video(&part, &rule).unwrap();
        assert_eq!((here.frames, here.pictures), (there.frames.clone(), there.pictures.clone()), "{head}");
    }
    let probe = opener().probe(&format!("data:video/mp4;base64,{text}")).unwrap();
    assert_eq!(probe, opener().probe(path.to_str().unwrap()).unwrap());
}
