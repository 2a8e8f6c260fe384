//! Pictures to files: MP4 video through FFmpeg's encoders, and PNG. Every file is written beside its place and renamed
//! when whole, so that a killed program leaves no half file under a final name. Frames are tagged with the colours
//! they are stored in, and frame `i` is shown at exactly `i / rate`.
//!
//! Files are not forced to the disk before the rename: after a power cut they are made again. No sound, no scaling.

mod colour;
mod draft;
mod rate;

use std::path::Path;

use ffmpeg_next::codec::{self, encoder, threading};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::format::context::Output;
use ffmpeg_next::{self as ffmpeg, Dictionary, Packet, Rational, color, frame};
use image::ImageEncoder;

use crate::{Error, Result};
use draft::Draft;

pub use draft::draft_path;
pub use rate::Rate;

/// Widest and highest picture that H.264 encoders take.
const LARGEST_SIDE: usize = 16_384;
/// What FFmpeg calls one step of a quantiser (`FF_QP2LAMBDA`).
const LAMBDA: f32 = 118.0;

/// A video encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoCodec {
    /// H.264 by x264.
    X264,
    /// H.264 by Cisco's encoder, where x264 is left out for its licence.
    OpenH264,
    /// MPEG-4 part 2, which every FFmpeg has.
    Mpeg4,
}

impl VideoCodec {
    /// From the best on.
    pub const ALL: [VideoCodec; 3] = [VideoCodec::X264, VideoCodec::OpenH264, VideoCodec::Mpeg4];

    /// FFmpeg's name of it.
    pub fn name(self) -> &'static str {
        match self {
            VideoCodec::X264 => "libx264",
            VideoCodec::OpenH264 => "libopenh264",
            VideoCodec::Mpeg4 => "mpeg4",
        }
    }

    /// The best one that the system's FFmpeg has.
    pub fn best() -> Option<VideoCodec> {
        VideoCodec::ALL.into_iter().find(|codec| encoder::find_by_name(codec.name()).is_some())
    }
}

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quality {
    /// x264's constant rate factor, 0 (lossless) to 51; the other encoders take what comes near.
    Factor(u8),
    /// Bits per second on average.
    BitRate(u32),
}

/// How much time x264 takes to make files smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Preset {
    Ultrafast,
    Veryfast,
    Medium,
    Slow,
}

impl Preset {
    fn name(self) -> &'static str {
        match self {
            Preset::Ultrafast => "ultrafast",
            Preset::Veryfast => "veryfast",
            Preset::Medium => "medium",
            Preset::Slow => "slow",
        }
    }
}

/// How a video is encoded.
#[derive(Clone, Copy, Debug)]
pub struct VideoOptions {
    /// `None` takes [`VideoCodec::best`].
    pub codec: Option<VideoCodec>,
    /// How much is kept.
    pub quality: Quality,
    /// Speed against size.
    pub preset: Preset,
    /// Most frames from one key frame to the next.
    pub key_interval: u32,
    /// Encoder threads; with 1 the calling thread does all.
    pub threads: usize,
}

impl Default for VideoOptions {
    fn default() -> Self {
        VideoOptions {
            codec: None,
            quality: Quality::Factor(20),
            preset: Preset::Veryfast,
            key_interval: 60,
            threads: 1,
        }
    }
}

impl VideoOptions {
    /// For many short clips, where time counts more than bytes.
    pub fn short_clips() -> Self {
        VideoOptions { quality: Quality::Factor(18), preset: Preset::Ultrafast, ..VideoOptions::default() }
    }
}

/// A video under construction. Dropped before [`VideoWriter::finish`], it leaves nothing behind.
pub struct VideoWriter {
    name: String,
    codec: VideoCodec,
    size: [usize; 2],
    time_base: Rational,
    frames: i64,
    encoder: encoder::video::Encoder,
    /// `None` once the file is closed.
    output: Option<Output>,
    draft: Draft,
}

fn refused(name: &str, reason: impl Into<String>, remedy: &'static str) -> Error {
    Error::Encode { location: name.into(), reason: reason.into(), remedy }
}

fn fault(name: &str, error: ffmpeg::Error) -> Error {
    refused(name, error.to_string(), "check the free space, and choose a place that can be written")
}

impl VideoWriter {
    /// Refuses sizes that cannot be stored: both sides must be even, as 4:2:0 colour has one sample for 2x2 pixels.
    pub fn check(path: &Path, width: usize, height: usize) -> Result<()> {
        let fits = |side: usize| (2..=LARGEST_SIDE).contains(&side) && side.is_multiple_of(2);
        if fits(width) && fits(height) {
            return Ok(());
        }
        let reason = format!("{height}x{width} (height x width) cannot be stored with 4:2:0 colour");
        Err(refused(&path.display().to_string(), reason, "choose even sides of 2 to 16384 pixels"))
    }

    /// Starts a video of `width` x `height` pixels.
    pub fn create(
        path: &Path,
        width: usize,
        height: usize,
        rate: Rate,
        options: &VideoOptions,
    ) -> Result<VideoWriter> {
        crate::video::quiet();
        VideoWriter::check(path, width, height)?;
        let name = path.display().to_string();
        let codec = options.codec.or_else(VideoCodec::best);
        let found = codec.and_then(|codec| Some((codec, encoder::find_by_name(codec.name())?)));
        let Some((codec, implementation)) = found else {
            let reason = "this FFmpeg has no such encoder".to_owned();
            return Err(refused(&name, reason, "install an FFmpeg with libx264"));
        };
        let draft = Draft::create(path)?;
        let (frames, seconds) = (rate.frames as i32, rate.seconds as i32);
        let time_base = Rational::new(seconds, frames);
        let mut context = codec::Context::new_with_codec(implementation);
        context.set_threading(threading::Config {
            count: options.threads,
            ..threading::Config::kind(threading::Type::Frame)
        });
        let mut flags = codec::Flags::GLOBAL_HEADER;
        let constant = matches!(options.quality, Quality::Factor(_)) && codec == VideoCodec::Mpeg4;
        flags.set(codec::Flags::QSCALE, constant);
        context.set_flags(flags);
        let broken = |error: ffmpeg::Error| fault(&name, error);
        let mut encoder = context.encoder().video().map_err(broken)?;
        encoder.set_width(width as u32);
        encoder.set_height(height as u32);
        encoder.set_format(Pixel::YUV420P);
        encoder.set_time_base(time_base);
        encoder.set_frame_rate(Some(Rational::new(frames, seconds)));
        encoder.set_gop(options.key_interval.clamp(1, i32::MAX as u32));
        encoder.set_colorspace(color::Space::BT709);
        encoder.set_color_range(color::Range::MPEG);
        encoder.set_color_primaries(color::Primaries::BT709);
        encoder.set_color_transfer_characteristic(color::TransferCharacteristic::BT709);
        let private = settings(&mut encoder, codec, options, [height, width], rate);
        let encoder = encoder.open_as_with(implementation, private).map_err(broken)?;
        let mut output = ffmpeg::format::output_as(&draft.url()?, "mp4").map_err(broken)?;
        let mut stream = output.add_stream(implementation).map_err(broken)?;
        stream.set_parameters(&encoder);
        stream.set_time_base(time_base);
        stream.set_avg_frame_rate(Rational::new(frames, seconds));
        let mut muxing = Dictionary::new();
        // The table of frames goes before them, so that a reader need not have the whole file.
        muxing.set("movflags", "+faststart");
        output.write_header_with(muxing).map_err(broken)?;
        Ok(VideoWriter {
            name,
            codec,
            size: [height, width],
            time_base,
            frames: 0,
            encoder,
            output: Some(output),
            draft,
        })
    }

    /// What encodes.
    pub fn codec(&self) -> VideoCodec {
        self.codec
    }

    /// Frames so far.
    pub fn frames(&self) -> usize {
        self.frames as usize
    }

    /// Adds a frame: `[height, width, 3]` RGB8, BT.709 transfer as screens show it. Panics on another number of bytes.
    pub fn push(&mut self, rgb: &[u8]) -> Result<()> {
        let [height, width] = self.size;
        assert_eq!(rgb.len(), height * width * 3, "bytes of a {height}x{width} frame");
        let mut frame = frame::Video::new(Pixel::YUV420P, width as u32, height as u32);
        let strides = [0, 1, 2].map(|plane| frame.stride(plane));
        let planes = colour::Planes::new(rgb, width);
        planes.luma(frame.data_mut(0), strides[0]);
        for (plane, chroma) in [(1, colour::Chroma::Blue), (2, colour::Chroma::Red)] {
            planes.chroma(chroma, frame.data_mut(plane), strides[plane]);
        }
        frame.set_pts(Some(self.frames));
        self.frames += 1;
        self.encoder.send_frame(&frame).map_err(|e| fault(&self.name, e))?;
        self.drain()
    }

    /// Puts the whole file in its place. A video without frames is refused.
    pub fn finish(mut self) -> Result<()> {
        if self.frames == 0 {
            return Err(refused(&self.name, "there is no frame", "add at least one"));
        }
        self.encoder.send_eof().map_err(|e| fault(&self.name, e))?;
        self.drain()?;
        let mut output = self.output.take().expect("a video is finished once");
        output.write_trailer().map_err(|e| fault(&self.name, e))?;
        drop(output);
        self.draft.commit()
    }

    /// Moves what the encoder has ready to the file.
    fn drain(&mut self) -> Result<()> {
        let output = self.output.as_mut().expect("the file is open until the end");
        let mut packet = Packet::empty();
        while self.encoder.receive_packet(&mut packet).is_ok() {
            let clock = output.stream(0).expect("the stream was added on creation").time_base();
            packet.set_stream(0);
            // One tick of the encoder is one frame. MP4 keeps no length of the last one unless it is given here.
            packet.set_duration(1);
            packet.rescale_ts(self.time_base, clock);
            packet.write_interleaved(output).map_err(|e| fault(&self.name, e))?;
        }
        Ok(())
    }
}

impl Drop for VideoWriter {
    fn drop(&mut self) {
        // Closed before the draft is removed, which some systems demand.
        self.output = None;
    }
}

/// What each encoder calls quality and speed.
fn settings(
    encoder: &mut encoder::video::Video,
    codec: VideoCodec,
    options: &VideoOptions,
    [height, width]: [usize; 2],
    rate: Rate,
) -> Dictionary<'static> {
    let mut private = Dictionary::new();
    if codec == VideoCodec::X264 {
        private.set("preset", options.preset.name());
    }
    match (options.quality, codec) {
        (Quality::BitRate(bits), _) => encoder.set_bit_rate(bits as usize),
        (Quality::Factor(factor), VideoCodec::X264) => private.set("crf", &factor.min(51).to_string()),
        (Quality::Factor(factor), VideoCodec::Mpeg4) => {
            let quantiser = (f32::from(factor) / 5.0).clamp(1.0, 31.0);
            encoder.set_global_quality((quantiser * LAMBDA) as i32);
        }
        (Quality::Factor(factor), VideoCodec::OpenH264) => {
            // Six steps of the factor double the size; 0.12 bits per pixel is what 23 takes of plain scenes.
            let bits = 0.12 * 2f64.powf((23.0 - f64::from(factor)) / 6.0);
            let pixels = (width * height) as f64 * rate.per_second();
            encoder.set_bit_rate((bits * pixels).clamp(64e3, 200e6) as usize);
        }
    }
    private
}

/// Writes a picture (`[height, width, 3]` RGB8) as PNG. Panics on another number of bytes.
pub fn write_png(path: &Path, width: usize, height: usize, rgb: &[u8]) -> Result<()> {
    let bytes = png(&path.display().to_string(), width, height, rgb)?;
    let mut draft = Draft::create(path)?;
    draft.fill(&bytes)?;
    draft.commit()
}

/// A picture (`[height, width, 3]` RGB8) as PNG; errors call it by `name`. Panics on another number of bytes.
pub fn png(name: &str, width: usize, height: usize, rgb: &[u8]) -> Result<Vec<u8>> {
    assert_eq!(rgb.len(), height * width * 3, "bytes of a {height}x{width} picture");
    let remedy = "choose sides of at least one pixel, and check the free space";
    let side = |side: usize| u32::try_from(side).map_err(|e| refused(name, e.to_string(), remedy));
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(rgb, side(width)?, side(height)?, image::ExtendedColorType::Rgb8)
        .map_err(|e| refused(name, e.to_string(), remedy))?;
    Ok(bytes)
}
