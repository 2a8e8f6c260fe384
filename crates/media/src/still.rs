//! Still pictures: bytes to upright RGB8 as PIL and the reference's `to_rgb` show them. Dimensions are checked
//! before pixels are decoded. JPEG has its own file; resizing and opening are elsewhere.

use std::borrow::Cow;
use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::{Error, Format, Kind, Picture, Probe, Result, jpeg, tiff};

/// What a picture may cost and how it is shown.
#[derive(Clone, Copy)]
pub(crate) struct StillOptions {
    pub(crate) max_pixels: usize,
    pub(crate) exif_orientation: bool,
}

/// A decoded still picture.
#[derive(Debug)]
pub(crate) struct Still {
    pub(crate) picture: Picture,
    pub(crate) format: &'static str,
    /// Clockwise degrees applied (mirrorings count as their rotation).
    pub(crate) rotation: u32,
}

const REMEDY: &str = "check that other programs open it, or convert it with `ffmpeg -i IN OUT.png`";

pub(crate) fn fault(name: &str, reason: impl Into<String>) -> Error {
    Error::Decode { location: name.into(), reason: reason.into(), remedy: REMEDY }
}

impl Still {
    /// What is told of a still picture.
    pub(crate) fn probe(&self) -> Probe {
        Probe {
            container: self.format.into(),
            codec: self.format.into(),
            size: [self.picture.height, self.picture.width],
            rotation: self.rotation,
            duration_s: 0.0,
            frames: 1,
            average_fps: 0.0,
            variable_rate: false,
            has_audio: false,
            created: None,
        }
    }
}

/// Decodes a picture; of a moving one the first frame. `name` is what errors call it.
pub(crate) fn decode(bytes: &[u8], name: &str, options: StillOptions) -> Result<Still> {
    if bytes.is_empty() {
        return Err(fault(name, "the file is empty"));
    }
    let kind = Kind::of_bytes(bytes, name);
    let (Kind::Picture(format) | Kind::Moving(format)) = kind else { return Err(kind.not_a_picture(name)) };
    let most = options.max_pixels;
    let picture = match format {
        Format::Jpeg => jpeg::decode(bytes, name, most),
        Format::Gif => gif_frame(bytes, name, most),
        Format::Png => decode_with(&with_end(bytes), name, ImageFormat::Png, most),
        // What the `image` crate leaves out is tried once more.
        Format::Tiff => decode_with(bytes, name, ImageFormat::Tiff, most)
            .or_else(|error| tiff::decode(bytes, name, most).map_err(|_| error)),
        Format::WebP => decode_with(bytes, name, ImageFormat::WebP, most),
        Format::Bmp => decode_with(bytes, name, ImageFormat::Bmp, most),
        Format::Pnm => decode_with(bytes, name, ImageFormat::Pnm, most),
        Format::Qoi => decode_with(bytes, name, ImageFormat::Qoi, most),
        Format::Tga => decode_with(bytes, name, ImageFormat::Tga, most),
        Format::Ico => decode_with(bytes, name, ImageFormat::Ico, most),
        Format::Farbfeld => decode_with(bytes, name, ImageFormat::Farbfeld, most),
    }?;
    let orientation = if options.exif_orientation { orientation(bytes) } else { 1 };
    let rotation = [0, 0, 0, 180, 180, 90, 90, 270, 270][orientation];
    Ok(Still { picture: orient(picture, orientation), format: format.name(), rotation })
}

/// A PNG with its end mark, which some writers forget and PIL does not miss. A file that breaks off elsewhere stays as it is.
fn with_end(png: &[u8]) -> Cow<'_, [u8]> {
    const END: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";
    let mut at = 8;
    while let Some(head) = png.get(at..at + 8) {
        if &head[4..] == b"IEND" {
            return Cow::Borrowed(png);
        }
        at += 12 + u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
    }
    if at == png.len() { Cow::Owned([png, END].concat()) } else { Cow::Borrowed(png) }
}

/// Refuses a picture of too many pixels before it is decoded.
pub(crate) fn check_pixels(name: &str, [height, width]: [usize; 2], most: usize) -> Result<()> {
    if height == 0 || width == 0 {
        return Err(fault(name, format!("the header says {height}x{width} pixels")));
    }
    match height.checked_mul(width) {
        Some(pixels) if pixels <= most => Ok(()),
        _ => Err(Error::Budget {
            location: name.into(),
            reason: format!("{height}x{width} (height x width) is more than {most} pixels"),
            remedy: "scale it down first",
        }),
    }
}

fn decode_with(bytes: &[u8], name: &str, format: ImageFormat, most: usize) -> Result<Picture> {
    let broken = |e: image::ImageError| match e {
        image::ImageError::Limits(_) => Error::Budget {
            location: name.into(),
            reason: format!("it takes more memory than {most} pixels do"),
            remedy: "scale it down first",
        },
        other => fault(name, other.to_string()),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(most as u64 * 20);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    check_pixels(name, [height as usize, width as usize], most)?;
    let decoded = DynamicImage::from_decoder(decoder).map_err(broken)?;
    // IHDR colour type: grey (0), RGB (2) and palette (3) have their transparency in a separate chunk, which
    // PIL's modes L, RGB and P leave out of account.
    let keyed = format == ImageFormat::Png && bytes.get(25).is_some_and(|&kind| kind & 4 == 0);
    to_rgb(decoded, keyed).ok_or_else(|| fault(name, "its sample format is not supported"))
}

/// PIL's `convert("RGB")`, except that RGBA is laid on white as qwen-vl-utils does. 16-bit grey clips at 255, as
/// PIL's `I;16` does; other 16-bit samples keep their high byte, and 16-bit grey with alpha is RGBA to PIL.
fn to_rgb(decoded: DynamicImage, keyed: bool) -> Option<Picture> {
    let (height, width) = (decoded.height() as usize, decoded.width() as usize);
    let high = |sample: u16| (sample >> 8) as u8;
    let shown = |pixel: [u8; 4]| if keyed { [pixel[0], pixel[1], pixel[2]] } else { flatten(pixel) };
    let rgb: Vec<u8> = match decoded {
        DynamicImage::ImageRgb8(p) => p.into_raw(),
        DynamicImage::ImageRgb16(p) => p.into_raw().into_iter().map(high).collect(),
        DynamicImage::ImageLuma8(p) => p.into_raw().into_iter().flat_map(|l| [l; 3]).collect(),
        DynamicImage::ImageLuma16(p) => {
            p.into_raw().into_iter().flat_map(|l| [l.min(255) as u8; 3]).collect()
        }
        DynamicImage::ImageLumaA8(p) => p.pixels().flat_map(|p| [p.0[0]; 3]).collect(),
        DynamicImage::ImageLumaA16(p) => p
            .pixels()
            .flat_map(|p| {
                let [grey, alpha] = p.0.map(high);
                shown([grey, grey, grey, alpha])
            })
            .collect(),
        DynamicImage::ImageRgba8(p) => p.pixels().flat_map(|p| shown(p.0)).collect(),
        DynamicImage::ImageRgba16(p) => p.pixels().flat_map(|p| shown(p.0.map(high))).collect(),
        _ => return None,
    };
    Some(Picture::new(height, width, rgb))
}

/// One RGBA pixel on white, with PIL's rounding of its mask arithmetic.
pub(crate) fn flatten([r, g, b, alpha]: [u8; 4]) -> [u8; 3] {
    let alpha = u32::from(alpha);
    [r, g, b].map(|sample| {
        let sum = u32::from(sample) * alpha + 255 * (255 - alpha) + 128;
        (((sum >> 8) + sum) >> 8) as u8
    })
}

/// The first frame of a GIF as PIL shows it: palette colours without transparency, on the transparent index where
/// there is one and index 0 else.
fn gif_frame(bytes: &[u8], name: &str, most: usize) -> Result<Picture> {
    let broken = |e: gif::DecodingError| fault(name, e.to_string());
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::Indexed);
    options.set_memory_limit(gif::MemoryLimit::Bytes(
        (most as u64).try_into().unwrap_or(std::num::NonZeroU64::MAX),
    ));
    let mut decoder = options.read_info(bytes).map_err(broken)?;
    let screen = [decoder.height() as usize, decoder.width() as usize];
    let info = decoder.next_frame_info().map_err(broken)?.ok_or_else(|| fault(name, "it has no frame"))?;
    let (left, top) = (info.left as usize, info.top as usize);
    let (columns, rows) = (info.width as usize, info.height as usize);
    let (height, width) = (screen[0].max(top + rows), screen[1].max(left + columns));
    check_pixels(name, [height, width], most)?;
    let transparent = info.transparent;
    let palette = info.palette.clone().or_else(|| decoder.global_palette().map(<[u8]>::to_vec));
    let mut indices = vec![0u8; rows * columns];
    decoder.read_into_buffer(&mut indices).map_err(broken)?;
    let colour = |index: u8| {
        let at = usize::from(index) * 3;
        match palette.as_ref().and_then(|p| p.get(at..at + 3)) {
            Some(rgb) => [rgb[0], rgb[1], rgb[2]],
            None => [index; 3],
        }
    };
    let mut rgb = colour(transparent.unwrap_or(0)).repeat(height * width);
    for (row, line) in indices.chunks_exact(columns.max(1)).enumerate() {
        let start = ((top + row) * width + left) * 3;
        for (target, &index) in rgb[start..start + columns * 3].chunks_exact_mut(3).zip(line) {
            target.copy_from_slice(&colour(index));
        }
    }
    Ok(Picture::new(height, width, rgb))
}

/// EXIF orientation 1 to 8; 1 where there is none or it is nonsense.
fn orientation(bytes: &[u8]) -> usize {
    exif::Reader::new()
        .read_from_container(&mut Cursor::new(bytes))
        .ok()
        .and_then(|exif| {
            exif.get_field(exif::Tag::Orientation, exif::In::PRIMARY).and_then(|f| f.value.get_uint(0))
        })
        .filter(|value| (1..=8).contains(value))
        .unwrap_or(1) as usize
}

/// Turns a picture stored with EXIF orientation `code` upright.
fn orient(picture: Picture, code: usize) -> Picture {
    let (h, w) = (picture.height, picture.width);
    match code {
        2 => rearrange(&picture, [h, w], |y, x| (y, w - 1 - x)),
        3 => rearrange(&picture, [h, w], |y, x| (h - 1 - y, w - 1 - x)),
        4 => rearrange(&picture, [h, w], |y, x| (h - 1 - y, x)),
        5 => rearrange(&picture, [w, h], |y, x| (x, y)),
        6 => rearrange(&picture, [w, h], |y, x| (h - 1 - x, y)),
        7 => rearrange(&picture, [w, h], |y, x| (h - 1 - x, w - 1 - y)),
        8 => rearrange(&picture, [w, h], |y, x| (x, w - 1 - y)),
        _ => picture,
    }
}

/// Turns a picture clockwise by 90, 180 or 270 degrees.
pub(crate) fn rotate(picture: Picture, degrees: u32) -> Picture {
    orient(picture, [1, 6, 3, 8][(degrees / 90 % 4) as usize])
}

/// A picture of `[height, width]` whose pixel at `(y, x)` is the source's at `from(y, x)`.
fn rearrange(
    source: &Picture,
    [height, width]: [usize; 2],
    from: impl Fn(usize, usize) -> (usize, usize),
) -> Picture {
    let mut rgb = vec![0u8; height * width * 3];
    for (y, row) in rgb.chunks_exact_mut(width * 3).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
            let (sy, sx) = from(y, x);
            let at = (sy * source.width + sx) * 3;
            pixel.copy_from_slice(&source.rgb[at..at + 3]);
        }
    }
    Picture::new(height, width, rgb)
}
