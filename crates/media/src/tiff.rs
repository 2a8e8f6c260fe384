//! TIFF files that the `image` crate leaves out: with a palette, with grey and transparency, with grey samples of other types.
//! Pixels are those of PIL's `convert("RGB")`: palettes lose half of their 16 bits, transparency of grey is dropped, numbers
//! are cut to 0 to 255.

use std::borrow::Cow;
use std::io::Cursor;

use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use crate::still::{check_pixels, fault};
use crate::{Picture, Result};

/// Decodes the first page.
pub(crate) fn decode(bytes: &[u8], name: &str, most: usize) -> Result<Picture> {
    let broken = |error: TiffError| fault(name, error.to_string());
    let mut limits = Limits::default();
    limits.decoding_buffer_size = most.saturating_mul(8);
    let bytes = indices_as_grey(bytes);
    let mut decoder = Decoder::new(Cursor::new(&*bytes)).map_err(broken)?.with_limits(limits);
    let (width, height) = decoder.dimensions().map_err(broken)?;
    let (width, height) = (width as usize, height as usize);
    check_pixels(name, [height, width], most)?;
    let colour = decoder.colortype().map_err(broken)?;
    let unsupported = || fault(name, format!("TIFF with {colour:?} samples is not supported"));
    let channels = match colour {
        ColorType::Gray(_) => 1,
        ColorType::GrayA(8) | ColorType::Multiband { bit_depth: 8, num_samples: 2 } => 2,
        _ => return Err(unsupported()),
    };
    let palette = match bytes {
        Cow::Owned(_) => decoder.get_tag_u16_vec(Tag::ColorMap).map_err(broken)?,
        Cow::Borrowed(_) => Vec::new(),
    };
    let samples = grey(decoder.read_image().map_err(broken)?).ok_or_else(unsupported)?;
    if samples.len() < height * width * channels {
        return Err(fault(name, "it is cut short"));
    }
    // A palette is all red values, then all green, then all blue.
    let shades = palette.len() / 3;
    let rgb = |sample: &u8| match shades {
        0 => [*sample; 3],
        _ => [0, 1, 2].map(|i| palette.get(i * shades + usize::from(*sample)).map_or(0, |v| (v >> 8) as u8)),
    };
    let pixels = samples.iter().step_by(channels).take(height * width);
    Ok(Picture::new(height, width, pixels.flat_map(rgb).collect()))
}

/// A file whose first page has a palette, said to be grey: the decoder gives indices only so. Others stay as they are.
fn indices_as_grey(bytes: &[u8]) -> Cow<'_, [u8]> {
    const PHOTOMETRIC: u16 = 262;
    const PALETTE: u16 = 3;
    const BLACK_IS_ZERO: u16 = 1;
    let is_little = bytes.starts_with(b"II*\0");
    let short = |at: usize| {
        let two = [*bytes.get(at)?, *bytes.get(at + 1)?];
        Some(if is_little { u16::from_le_bytes(two) } else { u16::from_be_bytes(two) })
    };
    let long = |at: usize| {
        let (first, second) = (u32::from(short(at)?), u32::from(short(at + 2)?));
        Some(if is_little { second << 16 | first } else { first << 16 | second })
    };
    let entry = || {
        let page = long(4)? as usize;
        let entries = (0..usize::from(short(page)?)).map(|entry| page + 2 + 12 * entry);
        entries.into_iter().find(|at| short(*at) == Some(PHOTOMETRIC) && short(at + 8) == Some(PALETTE))
    };
    if !is_little && !bytes.starts_with(b"MM\0*") {
        return Cow::Borrowed(bytes);
    }
    entry().map_or(Cow::Borrowed(bytes), |at| {
        let grey = if is_little { BLACK_IS_ZERO.to_le_bytes() } else { BLACK_IS_ZERO.to_be_bytes() };
        let mut changed = bytes.to_vec();
        changed[at + 8..at + 10].copy_from_slice(&grey);
        Cow::Owned(changed)
    })
}

/// Samples of any type as PIL makes bytes of them.
fn grey(samples: DecodingResult) -> Option<Vec<u8>> {
    Some(match samples {
        DecodingResult::U8(all) => all,
        DecodingResult::U16(all) => all.into_iter().map(|v| v.min(255) as u8).collect(),
        DecodingResult::I16(all) => all.into_iter().map(|v| v.clamp(0, 255) as u8).collect(),
        DecodingResult::U32(all) => all.into_iter().map(|v| v.min(255) as u8).collect(),
        DecodingResult::I32(all) => all.into_iter().map(|v| v.clamp(0, 255) as u8).collect(),
        // A cast cuts off, and what is no number is 0.
        DecodingResult::F32(all) => all.into_iter().map(|v| v as u8).collect(),
        DecodingResult::F64(all) => all.into_iter().map(|v| v as u8).collect(),
        _ => return None,
    })
}
