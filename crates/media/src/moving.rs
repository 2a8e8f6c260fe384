//! How many frames GIF, PNG and WebP files hold, found by walking over their blocks. Nothing is decoded.

use std::io::{self, BufRead, Read, Seek};

/// Frames of a GIF, of which two are counted: more is not asked for.
pub(crate) fn gif_frames(source: &mut (impl BufRead + Seek)) -> io::Result<usize> {
    let header: [u8; 13] = array(source)?;
    skip(source, palette(header[10]))?;
    let mut frames = 0;
    while frames < 2 {
        match array::<1>(source) {
            Ok([0x21]) => {
                array::<1>(source)?;
            }
            Ok([0x2c]) => {
                let descriptor: [u8; 9] = array(source)?;
                // The palette, then the size of a code.
                skip(source, palette(descriptor[8]) + 1)?;
                frames += 1;
            }
            // The end of the file, with or without a mark.
            _ => break,
        }
        // What each of them holds, in pieces of up to 255 bytes.
        while let [length @ 1..=255] = array::<1>(source)? {
            skip(source, u64::from(length))?;
        }
    }
    Ok(frames)
}

/// Bytes of the palette that flags announce.
fn palette(flags: u8) -> u64 {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// Frames that a PNG announces before its pixels: 1 unless it is an animation.
pub(crate) fn png_frames(source: &mut (impl BufRead + Seek)) -> io::Result<usize> {
    skip(source, 8)?;
    loop {
        let length = u32::from_be_bytes(array(source)?);
        match &array::<4>(source)? {
            b"acTL" => return Ok(u32::from_be_bytes(array(source)?) as usize),
            b"IDAT" | b"IEND" => return Ok(1),
            _ => skip(source, u64::from(length) + 4)?,
        }
    }
}

/// How long each frame of a WebP animation is shown, in milliseconds as the file has it; none for a still picture.
pub(crate) fn webp_durations(source: &mut (impl BufRead + Seek)) -> io::Result<Vec<u32>> {
    skip(source, 12)?;
    let mut durations = Vec::new();
    loop {
        let name = match array::<4>(source) {
            Ok(name) => name,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(durations),
            Err(error) => return Err(error),
        };
        let length = u64::from(u32::from_le_bytes(array(source)?));
        let mut read = 0;
        match &name {
            // A still picture.
            b"VP8 " | b"VP8L" => return Ok(durations),
            b"ANMF" => {
                // Place and size take 12 bytes, 24 bits of time follow.
                let frame: [u8; 15] = array(source)?;
                durations.push(u32::from_le_bytes([frame[12], frame[13], frame[14], 0]));
                read = frame.len() as u64;
            }
            _ => {}
        }
        // Chunks have an even length.
        skip(source, (length + length % 2).saturating_sub(read))?;
    }
}

fn array<const N: usize>(source: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn skip(source: &mut (impl BufRead + Seek), bytes: u64) -> io::Result<()> {
    source.seek_relative(bytes as i64)
}
