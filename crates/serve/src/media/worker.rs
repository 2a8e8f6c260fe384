//! The process that opens media: reads requests from stdin, opens one medium each, writes its pictures to stdout.
//! It knows no network and no model; whatever a file does to it, the server kills it and starts another.

use std::io::{Read, Write};

use firsthand_base::{FrameId, ImagePart, VideoPart};
use firsthand_media::{Opener, OpenerOptions, Picture, Prepared, SizeRule};
use serde::{Deserialize, Serialize};

/// Most bytes of a header.
const LARGEST_HEADER: u64 = 2 << 30;
/// Prepared videos that one process keeps for the next question, in bytes.
const KEEP_BYTES: usize = 128 << 20;

/// A medium to open.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) medium: Medium,
    pub(crate) rule: SizeRule,
    pub(crate) most_frames: usize,
    pub(crate) most_picture_pixels: usize,
    pub(crate) most_bytes: u64,
}

/// An image or a video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Medium {
    Image(ImagePart),
    Video(VideoPart),
}

/// What is told of an opened medium before its pixels.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Opened {
    Well {
        frames: Vec<FrameId>,
        size: [usize; 2],
        pictures: usize,
        sample_fps: Option<f64>,
        original_size: [usize; 2],
    },
    Badly(String),
}

/// Serves one server until it goes away. `memory_mib` bounds this process.
pub fn open_media(memory_mib: u64) -> std::io::Result<()> {
    let most = memory_mib.saturating_mul(1 << 20);
    rlimit::setrlimit(rlimit::Resource::AS, most, most)?;
    // A crash is expected of hostile files; nobody reads the image of its memory.
    rlimit::setrlimit(rlimit::Resource::CORE, 0, 0)?;
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut opener: Option<(u64, Opener)> = None;
    while let Some(text) = read_header(&mut input)? {
        let wanted: Wanted = serde_json::from_slice(&text).map_err(std::io::Error::other)?;
        let budget =
            wanted.most_bytes ^ ((wanted.most_frames as u64) << 40) ^ wanted.most_picture_pixels as u64;
        if opener.as_ref().is_none_or(|(known, _)| *known != budget) {
            opener = Some((budget, Opener::new(options(&wanted))));
        }
        let (_, opener) = opener.as_ref().expect("it was made above");
        let prepared = match &wanted.medium {
            Medium::Image(part) => opener.image(part, &wanted.rule),
            Medium::Video(part) => opener.video(part, &wanted.rule),
        };
        match prepared {
            Ok(prepared) => write_pictures(&mut output, &prepared)?,
            Err(error) => write_header(&mut output, &Opened::Badly(error.to_string()))?,
        }
        output.flush()?;
    }
    Ok(())
}

fn options(wanted: &Wanted) -> OpenerOptions {
    OpenerOptions {
        cache_dir: None,
        remote: false,
        max_image_bytes: wanted.most_bytes,
        max_picture_pixels: wanted.most_picture_pixels,
        max_frames: wanted.most_frames,
        keep_bytes: KEEP_BYTES,
        threads: 1,
        ..OpenerOptions::default()
    }
}

fn read_header(input: &mut impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut length = [0u8; 8];
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u64::from_le_bytes(length);
    if length > LARGEST_HEADER {
        return Err(std::io::Error::other("a request of impossible length"));
    }
    let mut text = Vec::new();
    input.take(length).read_to_end(&mut text)?;
    Ok(Some(text))
}

/// A value as it goes over the pipe: its length in 8 bytes, little-endian, then JSON.
pub(crate) fn framed(value: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let text = serde_json::to_vec(value)?;
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text);
    Ok(bytes)
}

fn write_header(output: &mut impl Write, opened: &Opened) -> std::io::Result<()> {
    output.write_all(&framed(opened)?)
}

/// The header, then the pixels of all pictures, which are of one size.
fn write_pictures(output: &mut impl Write, prepared: &Prepared) -> std::io::Result<()> {
    let first = &prepared.pictures[0];
    let opened = Opened::Well {
        frames: prepared.frames.clone(),
        size: [first.height, first.width],
        pictures: prepared.pictures.len(),
        sample_fps: prepared.sample_fps,
        original_size: prepared.original_size,
    };
    write_header(output, &opened)?;
    prepared.pictures.iter().try_for_each(|picture| output.write_all(&picture.rgb))
}

/// The medium that a header and its pixels are.
pub(crate) fn prepared(
    frames: Vec<FrameId>,
    [height, width]: [usize; 2],
    sample_fps: Option<f64>,
    original_size: [usize; 2],
    pixels: &[u8],
) -> Prepared {
    let pictures =
        pixels.chunks_exact(height * width * 3).map(|rgb| Picture::new(height, width, rgb.to_vec()));
    Prepared { frames, pictures: pictures.collect(), originals: Vec::new(), sample_fps, original_size }
}
