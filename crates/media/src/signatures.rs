//! The signatures of files: which bytes stand where, and what they say. A table, so that one line adds a kind. Every remedy
//! is a command of a common package that turns such a file into something that is shown.

use crate::kind::{Format, Kind};

/// Bytes from the start that are looked at.
pub(crate) const LONGEST_HEAD: usize = 4096;

const BY_FFMPEG: &str = "convert it with `ffmpeg -i IN OUT.png`";
const BY_MAGICK: &str = "convert it with ImageMagick: `convert IN -flatten OUT.png`";
const BY_HEIF: &str = "convert it with `heif-convert IN OUT.png` (libheif)";
const BY_AVIF: &str = "convert it with `avifdec IN OUT.png` (libavif)";
const SOUND: &str = "give the video or the pictures that the sound belongs to";
const UNPACK: &str = "unpack it and give what is inside";

const fn picture(what: &'static str, remedy: &'static str) -> Kind {
    Kind::Other(what, remedy)
}

/// Where bytes stand, the bytes, what they say. The first line that fits counts.
const SIGNATURES: &[(usize, &[u8], Kind)] = &[
    (0, b"\xff\xd8", Kind::Picture(Format::Jpeg)),
    (0, b"\x89PNG\r\n\x1a\n", Kind::Picture(Format::Png)),
    (0, b"GIF87a", Kind::Picture(Format::Gif)),
    (0, b"GIF89a", Kind::Picture(Format::Gif)),
    (0, b"II*\0", Kind::Picture(Format::Tiff)),
    (0, b"MM\0*", Kind::Picture(Format::Tiff)),
    (0, b"II+\0", Kind::Picture(Format::Tiff)),
    (0, b"MM\0+", Kind::Picture(Format::Tiff)),
    (0, b"qoif", Kind::Picture(Format::Qoi)),
    (0, b"farbfeld", Kind::Picture(Format::Farbfeld)),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", picture("a JPEG 2000 picture", BY_FFMPEG)),
    (0, b"\xff\x4f\xff\x51", picture("a JPEG 2000 picture", BY_FFMPEG)),
    (
        0,
        b"\0\0\0\x0cJXL \r\n\x87\n",
        picture("a JPEG XL picture", "convert it with `djxl IN OUT.png` (libjxl)"),
    ),
    (0, b"\xff\x0a", picture("a JPEG XL picture", "convert it with `djxl IN OUT.png` (libjxl)")),
    (0, b"\x76\x2f\x31\x01", picture("an OpenEXR picture", BY_FFMPEG)),
    (0, b"#?RADIANCE", picture("a Radiance HDR picture", BY_MAGICK)),
    (0, b"#?RGBE", picture("a Radiance HDR picture", BY_MAGICK)),
    (0, b"DDS ", picture("a DDS texture", BY_MAGICK)),
    (0, b"8BPS", picture("a Photoshop picture", BY_MAGICK)),
    (0, b"\x01\xda", picture("an SGI picture", BY_FFMPEG)),
    (0, b"SDPX", picture("a DPX picture", BY_FFMPEG)),
    (0, b"XPDS", picture("a DPX picture", BY_FFMPEG)),
    (0, b"icns", picture("an Apple icon", "convert it with `icns2png -x IN` (icnsutils)")),
    (0, b"SIMPLE  =", picture("a FITS picture", BY_MAGICK)),
    (
        0,
        b"%PDF-",
        picture("a PDF document", "turn its pages into pictures with `pdftoppm -png IN OUT` (poppler)"),
    ),
    (
        0,
        b"%!PS",
        picture("a PostScript document", "turn it into pictures with `gs -sDEVICE=png16m -o OUT%d.png IN`"),
    ),
    (
        0,
        b"\xc5\xd0\xd3\xc6",
        picture("a PostScript document", "turn it into pictures with `gs -sDEVICE=png16m -o OUT%d.png IN`"),
    ),
    (0, b"\x1a\x45\xdf\xa3", Kind::Film("Matroska or WebM")),
    (0, b"OggS", Kind::Film("Ogg")),
    (0, b"FLV\x01", Kind::Film("FLV")),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind::Film("WMV or ASF")),
    (0, b"\0\0\x01\xba", Kind::Film("MPEG")),
    (0, b"\0\0\x01\xb3", Kind::Film("MPEG")),
    (0, b".RMF", Kind::Film("RealMedia")),
    (0, b"DKIF", Kind::Film("IVF")),
    (0, b"YUV4MPEG2", Kind::Film("YUV4MPEG")),
    (0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01", Kind::Film("MXF")),
    (0, b"nut/multimedia container\0", Kind::Film("NUT")),
    (0, b"fLaC", Kind::Other("a FLAC sound file", SOUND)),
    (0, b"ID3", Kind::Other("an MP3 sound file", SOUND)),
    (0, b"\xff\xfb", Kind::Other("an MP3 sound file", SOUND)),
    (0, b"\xff\xf1", Kind::Other("an AAC sound file", SOUND)),
    (0, b"\xff\xf9", Kind::Other("an AAC sound file", SOUND)),
    (0, b"#!AMR", Kind::Other("an AMR sound file", SOUND)),
    (0, b"MThd", Kind::Other("a MIDI file", SOUND)),
    (0, b"PK\x03\x04", Kind::Other("a ZIP archive or an office document", UNPACK)),
    (0, b"\x1f\x8b", Kind::Other("a gzip archive", UNPACK)),
    (0, b"BZh", Kind::Other("a bzip2 archive", UNPACK)),
    (0, b"\xfd7zXZ\0", Kind::Other("an xz archive", UNPACK)),
    (0, b"\x28\xb5\x2f\xfd", Kind::Other("a Zstandard archive", UNPACK)),
    (0, b"7z\xbc\xaf\x27\x1c", Kind::Other("a 7z archive", UNPACK)),
    (0, b"Rar!\x1a\x07", Kind::Other("a RAR archive", UNPACK)),
    (257, b"ustar", Kind::Other("a tar archive", UNPACK)),
    (
        0,
        b"\x93NUMPY",
        Kind::Other("a NumPy array", "save it with `PIL.Image.fromarray(array).save(\"OUT.png\")`"),
    ),
    (0, b"SQLite format 3\0", Kind::Other("an SQLite database", "give a picture or a video")),
    (0, b"\x7fELF", Kind::Other("a program", "give a picture or a video")),
    (4, b"moov", Kind::Film(Kind::MP4)),
    (4, b"mdat", Kind::Film(Kind::MP4)),
    (4, b"wide", Kind::Film(Kind::MP4)),
    (4, b"free", Kind::Film(Kind::MP4)),
    (4, b"skip", Kind::Film(Kind::MP4)),
    (4, b"pnot", Kind::Film(Kind::MP4)),
];

/// What the first bytes say, if they are known.
pub(crate) fn signature(head: &[u8]) -> Option<Kind> {
    let has = |at: usize, bytes: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(bytes));
    if has(4, b"ftyp") {
        return Some(brand(head));
    }
    if has(0, b"RIFF") || has(0, b"FORM") {
        return chunked(head.get(8..12)?);
    }
    if let Some((.., kind)) = SIGNATURES.iter().find(|(at, bytes, _)| has(*at, bytes)) {
        return Some(*kind);
    }
    match head {
        // Short signatures count with what must follow them: the length of the header, or a number.
        [b'B', b'M', ..]
            if matches!(head.get(14..18), Some([12 | 16 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0])) =>
        {
            Some(Kind::Picture(Format::Bmp))
        }
        [b'P', b'1'..=b'6', rest @ ..]
            if rest.first().is_some_and(|b| b.is_ascii_whitespace() || *b == b'#') =>
        {
            let next = rest.trim_ascii_start().first();
            next.filter(|b| b.is_ascii_digit() || **b == b'#').map(|_| Kind::Picture(Format::Pnm))
        }
        // Type 1, a count, and a first entry whose spare byte is zero.
        [0, 0, 1, 0, count, 0, _, _, _, 0, ..] if *count > 0 => Some(Kind::Picture(Format::Ico)),
        [0x0a, 0 | 2..=5, 0 | 1, 1 | 2 | 4 | 8, ..] => Some(picture("a PCX picture", BY_FFMPEG)),
        // A transport stream repeats its mark every 188 bytes, on discs every 192.
        _ if [[0, 188, 376], [4, 196, 388]].iter().any(|marks| marks.iter().all(|&at| has(at, b"G"))) => {
            Some(Kind::Film("MPEG-TS"))
        }
        _ if head.len() >= 512 && head.iter().all(|&byte| byte == 0) => {
            Some(Kind::Other("nothing but zeros", "copy or download the file again"))
        }
        _ => None,
    }
}

/// What an ISO file is, by the brands of its `ftyp` box: the main one decides, or a picture's among the others where that is
/// a general one.
fn brand(head: &[u8]) -> Kind {
    let length = head.get(..4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize);
    let brands = head.get(8..length.clamp(8, head.len())).unwrap_or_default();
    let main = head.get(8..12).unwrap_or_default();
    let others = || brands.get(8..).unwrap_or_default().chunks_exact(4);
    let has = |wanted: &[u8]| {
        main == wanted || (matches!(main, b"mif1" | b"msf1") && others().any(|b| b == wanted))
    };
    if has(b"avif") {
        return picture("an AVIF picture", BY_AVIF);
    }
    if [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"].iter().any(|b| main == *b) {
        return picture("a HEIC picture", BY_HEIF);
    }
    match main {
        b"jp2 " | b"jpx " | b"jpm " => picture("a JPEG 2000 picture", BY_FFMPEG),
        b"M4A " | b"M4B " | b"M4P " => Kind::Other("an M4A sound file", SOUND),
        _ => Kind::Film(Kind::MP4),
    }
}

/// What a RIFF or IFF file is.
fn chunked(kind: &[u8]) -> Option<Kind> {
    Some(match kind {
        b"WEBP" => Kind::Picture(Format::WebP),
        b"AVI " | b"AVIX" => Kind::Film("AVI"),
        b"WAVE" => Kind::Other("a WAV sound file", SOUND),
        b"AIFF" | b"AIFC" => Kind::Other("an AIFF sound file", SOUND),
        _ => return None,
    })
}

/// What a text is that stands where a picture or a video should: a page, a drawing, a list, the pointer to a file.
pub(crate) fn foreign_text(head: &[u8]) -> Option<Kind> {
    let whole = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    // The last character may be cut.
    let text = match std::str::from_utf8(whole) {
        Ok(text) => text,
        Err(error) if whole.len() - error.valid_up_to() < 4 => {
            std::str::from_utf8(&whole[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    if text.is_empty() || text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace()) {
        return None;
    }
    let text = text.trim_start().to_ascii_lowercase();
    let starts = |words: &[&str]| words.iter().any(|word| text.starts_with(word));
    let (what, remedy) = if starts(&["version https://git-lfs.github.com/"]) {
        ("a Git LFS pointer", "run `git lfs pull` in its repository")
    } else if starts(&["<svg"]) || (starts(&["<?xml", "<!doctype svg", "<!--"]) && text.contains("<svg")) {
        ("an SVG drawing", "convert it with `rsvg-convert IN -o OUT.png` (librsvg)")
    } else if starts(&["<!doctype html", "<html", "<head", "<body"]) || text.contains("<html") {
        ("an HTML page", "download the file that the page is about")
    } else if starts(&["<?xml", "<"]) {
        ("an XML file", "give a picture or a video")
    } else if starts(&["#extm3u", "ffconcat", "[playlist]"]) {
        ("a playlist", "give the video that it names")
    } else if starts(&["data:image/", "data:video/"]) {
        ("a data: URI in a text file", "give its text as the location, or decode it with `base64 -d`")
    } else if starts(&["{", "["]) {
        ("JSON", "give a picture or a video")
    } else {
        ("text", "give a picture or a video")
    };
    Some(Kind::Other(what, remedy))
}
