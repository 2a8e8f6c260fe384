//! What a file is, told by its bytes: names lie, and a refusal helps only where it knows what came. Formats without a
//! signature (TGA) are told by their end, or by the name as the last resort. Nothing is decoded here.

use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};

use crate::moving;
use crate::signatures::{LONGEST_HEAD, foreign_text, signature};
use crate::{Error, display_location};

/// Formats of still pictures that are decoded here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG; with an animation (APNG) it is moving.
    Png,
    /// GIF; with several frames it is moving.
    Gif,
    /// WebP; with an animation it is moving.
    WebP,
    /// Windows bitmap.
    Bmp,
    /// TIFF; its first page.
    Tiff,
    /// PBM, PGM and PPM.
    Pnm,
    /// Quite OK Image.
    Qoi,
    /// Truevision TGA.
    Tga,
    /// Windows icon; its largest picture.
    Ico,
    /// Farbfeld.
    Farbfeld,
}

impl Format {
    /// As a probe names it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Jpeg => "jpeg",
            Format::Png => "png",
            Format::Gif => "gif",
            Format::WebP => "webp",
            Format::Bmp => "bmp",
            Format::Tiff => "tiff",
            Format::Pnm => "pnm",
            Format::Qoi => "qoi",
            Format::Tga => "tga",
            Format::Ico => "ico",
            Format::Farbfeld => "farbfeld",
        }
    }

    /// As people write it, with its article.
    fn with_article(self) -> String {
        let name = match self {
            Format::WebP => "WebP".to_owned(),
            Format::Farbfeld => "farbfeld".to_owned(),
            other => other.name().to_uppercase(),
        };
        let article = if matches!(self, Format::Ico) { "an" } else { "a" };
        format!("{article} {name}")
    }
}

/// What bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A still picture that is decoded here.
    Picture(Format),
    /// A picture format that holds several frames: one picture or a film, as it is asked for.
    Moving(Format),
    /// A film in a container that FFmpeg is asked to open.
    Film(&'static str),
    /// Something that this program does not show: what it is, with its article, and what to do.
    Other(&'static str, &'static str),
    /// Nothing that is known. FFmpeg may know it.
    Unknown,
}

impl Kind {
    /// The container of MP4, MOV and 3GP files.
    pub const MP4: &str = "MP4 or QuickTime";

    /// Whether frames can be chosen from it.
    pub fn has_frames(self) -> bool {
        matches!(self, Kind::Moving(_) | Kind::Film(_) | Kind::Unknown)
    }

    /// What whole bytes are. `name` is asked only where bytes do not say.
    pub fn of_bytes(bytes: &[u8], name: &str) -> Kind {
        Kind::of(&mut Cursor::new(bytes), name).unwrap_or(Kind::Unknown)
    }

    /// What a source is, read from its start; only as much is read as it takes to know.
    pub(crate) fn of(source: &mut (impl Read + Seek), name: &str) -> io::Result<Kind> {
        let mut head = Vec::with_capacity(LONGEST_HEAD);
        source.seek(SeekFrom::Start(0))?;
        source.by_ref().take(LONGEST_HEAD as u64).read_to_end(&mut head)?;
        let kind = match signature(&head) {
            Some(kind) => kind,
            None if is_tga(source, &head, name)? => Kind::Picture(Format::Tga),
            None => foreign_text(&head).unwrap_or(Kind::Unknown),
        };
        let Kind::Picture(format) = kind else { return Ok(kind) };
        let mut source = BufReader::new(source);
        source.seek(SeekFrom::Start(0))?;
        // What breaks off while its frames are counted is as still as the frames that are there.
        let frames = match format {
            Format::Gif => moving::gif_frames(&mut source),
            Format::Png => moving::png_frames(&mut source),
            Format::WebP => moving::webp_durations(&mut source).map(|durations| durations.len()),
            _ => Ok(1),
        };
        Ok(if frames.is_ok_and(|frames| frames > 1) { Kind::Moving(format) } else { kind })
    }

    /// Why this is not the picture that was asked for.
    pub(crate) fn not_a_picture(self, location: &str) -> Error {
        match self {
            Kind::Film(container) => refusal(
                location,
                format!("it is a video ({container}), not a picture"),
                "give it as a video: the part's type is video or video_url",
            ),
            Kind::Other(what, remedy) => refusal(location, format!("it is {what}, not a picture"), remedy),
            Kind::Picture(_) | Kind::Moving(_) | Kind::Unknown => refusal(
                location,
                "it is not a picture of a kind that is known here".into(),
                "check the file, or convert it with `ffmpeg -i IN OUT.png`",
            ),
        }
    }

    /// Why this is nothing that can be shown.
    pub(crate) fn not_a_medium(self, location: &str) -> Error {
        match self {
            Kind::Other(what, remedy) => refusal(
                location,
                format!("it is {what}, not a kind of picture or video that is shown here"),
                remedy,
            ),
            other => other.not_a_film(location),
        }
    }

    /// Why this is not the film that was asked for.
    pub(crate) fn not_a_film(self, location: &str) -> Error {
        match self {
            Kind::Picture(format) | Kind::Moving(format) => refusal(
                location,
                format!("it is {} picture, not a video", format.with_article()),
                "give it as an image, or as a list with other pictures",
            ),
            Kind::Other(what, remedy) => refusal(location, format!("it is {what}, not a video"), remedy),
            Kind::Film(_) | Kind::Unknown => refusal(
                location,
                "it is neither a picture nor a video of a kind that is known here".into(),
                "check the file, or convert it with `ffmpeg -i IN OUT.mp4`",
            ),
        }
    }
}

fn refusal(location: &str, reason: String, remedy: &'static str) -> Error {
    Error::Decode { location: display_location(location), reason, remedy }
}

/// Whether a source ends as TGA files do since 1989, or begins like an older one and is called so.
fn is_tga(source: &mut (impl Read + Seek), head: &[u8], name: &str) -> io::Result<bool> {
    const FOOTER: &[u8] = b"TRUEVISION-XFILE.\0";
    const HEADER: usize = 18;
    if head.len() < HEADER {
        return Ok(false);
    }
    let mut end = Vec::new();
    source.seek(SeekFrom::End(-(FOOTER.len() as i64)))?;
    source.take(FOOTER.len() as u64).read_to_end(&mut end)?;
    if end == FOOTER {
        return Ok(true);
    }
    let ending = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    // Palette or none; mapped, true colour or grey, packed or not; bits of a pixel.
    let is_plausible =
        head[1] <= 1 && matches!(head[2], 1..=3 | 9..=11) && matches!(head[16], 8 | 15 | 16 | 24 | 32);
    Ok(is_plausible && ["tga", "icb", "vda", "vst"].contains(&&ending[..]))
}
