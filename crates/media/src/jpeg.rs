//! JPEG by libjpeg-turbo with its defaults (accurate integer DCT, smooth upsampling): the pixels PIL shows. Grey,
//! YCbCr, RGB, CMYK and YCCK; four-component files hold inverted values, as Adobe writes and PIL assumes.

use turbojpeg::{Colorspace, Decompressor, Image, PixelFormat};

use crate::still::{check_pixels, fault};
use crate::{Picture, Result};

/// A progressive file may ask for any number of passes over the picture; real ones have about ten.
const MOST_SCANS: u32 = 500;

pub(crate) fn decode(bytes: &[u8], name: &str, most_pixels: usize) -> Result<Picture> {
    let broken = |e: turbojpeg::Error| fault(name, e.to_string());
    let mut decoder = Decompressor::new().map_err(broken)?;
    decoder.set_scan_limit(MOST_SCANS).map_err(broken)?;
    let header = decoder.read_header(bytes).map_err(broken)?;
    let (height, width) = (header.height, header.width);
    check_pixels(name, [height, width], most_pixels)?;
    let inked = matches!(header.colorspace, Colorspace::CMYK | Colorspace::YCCK);
    let (format, samples) = if inked { (PixelFormat::CMYK, 4) } else { (PixelFormat::RGB, 3) };
    let mut pixels = vec![0u8; height * width * samples];
    let target = Image { pixels: &mut pixels[..], width, pitch: width * samples, height, format };
    match decoder.decompress(bytes, target) {
        Ok(()) => {}
        Err(e) if is_harmless(&e.to_string()) && is_complete(bytes) => {}
        Err(e) if is_harmless(&e.to_string()) => return Err(fault(name, "the file is cut short")),
        Err(e) => return Err(broken(e)),
    }
    let rgb = if inked { pixels.chunks_exact(4).flat_map(from_inverted_cmyk).collect() } else { pixels };
    Ok(Picture::new(height, width, rgb))
}

/// Warnings of libjpeg that PIL ignores. The library reports them like errors, but has written every pixel.
fn is_harmless(message: &str) -> bool {
    [
        "Corrupt JPEG data",
        "Premature end",
        "Inconsistent progression",
        "Unknown Adobe",
        "Invalid SOS",
        "Warning",
    ]
    .iter()
    .any(|start| message.contains(start))
}

/// Whether an end marker follows the last scan header.
fn is_complete(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|pair| pair == [0xff, marker]);
    matches!((last(0xda), last(0xd9)), (Some(scan), Some(end)) if end > scan)
}

/// One pixel of inverted CMYK, with PIL's rounding.
fn from_inverted_cmyk(pixel: &[u8]) -> [u8; 3] {
    let [c, m, y, k] = [0, 1, 2, 3].map(|i| 255 - u32::from(pixel[i]));
    let light = 255 - k;
    [c, m, y].map(|ink| {
        let product = ink * light + 128;
        light.saturating_sub(((product >> 8) + product) >> 8) as u8
    })
}
