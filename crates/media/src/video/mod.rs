//! Video files through FFmpeg: what is in them, which packets their frames come from, and the chosen frames as
//! upright RGB8 pictures. Sampling rules and sizes are decided by the caller.

mod damage;
mod decode;
mod extent;
mod index;
mod nal;
mod native;
mod worker;

use std::io::Read;
use std::path::Path;
use std::sync::Once;

use ffmpeg_next::codec::packet::side_data;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{self as ffmpeg, Dictionary, media};
use firsthand_base::MediaTime;

use crate::{Error, Probe, Result, Timeline};

pub(crate) use decode::{Budget, Decoded, decode};

/// How the error begins when FFmpeg finds no container that it knows.
pub(crate) const NOT_KNOWN: &str = "it is not a video that FFmpeg knows";

const REMEDY: &str = "check that the file plays, or convert it with `ffmpeg -i IN -c:v libx264 OUT.mp4`";

/// Bytes from the start of a file within which its size is announced.
const HEAD: u64 = 4096;

/// A file whose packets have been listed. It holds no handle: whoever decodes opens the file anew.
#[derive(Debug)]
pub(crate) struct Video {
    path: String,
    name: String,
    index: index::Index,
    /// Quarter turns clockwise that show the pictures upright, in degrees.
    rotation: u32,
    /// `[height, width]` as coded, before rotation.
    coded_size: [usize; 2],
    codec: ffmpeg::codec::Id,
    container: String,
    has_audio: bool,
    created: Option<String>,
    fps: f64,
}

/// FFmpeg prints to standard error unless told otherwise; failures come back as errors instead.
pub(crate) fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Registers nothing on the FFmpeg versions in use; it cannot fail there.
        let _ = ffmpeg::init();
        ffmpeg::log::set_level(ffmpeg::log::Level::Quiet);
    });
}

fn fault(name: &str, reason: impl Into<String>) -> Error {
    Error::Decode { location: name.into(), reason: reason.into(), remedy: REMEDY }
}

/// Containers that are opened. Playlists and lists of files (HLS, DASH, concat, image sequences) are not among them:
/// they would show files that nobody named, and a hash of theirs would not be a hash of what was seen.
const CONTAINERS: &str = "mov,matroska,webm,avi,mp3,mpegts,mpeg,mpegvideo,m4v,flv,asf,ogg,ivf,h261,h263,h264,hevc,vvc,av1,obu,\
     mjpeg,gif,apng,vc1,mxf,nut,dv,rm,wtv,gxf,nsv,swf,cavsvideo,dirac,yuv4mpegpipe";

/// Opens a file by FFmpeg's `file` protocol only: a playlist cannot reach the network.
fn open_input(path: &str, name: &str) -> Result<Input> {
    let mut options = Dictionary::new();
    options.set("protocol_whitelist", "file");
    options.set("format_whitelist", CONTAINERS);
    ffmpeg::format::input_with_dictionary(&format!("file:{path}"), options)
        .map_err(|e| fault(name, format!("{NOT_KNOWN} ({e})")))
}

/// Refuses a file that announces more bytes than it has.
fn check_extent(path: &Path, name: &str, length: u64) -> Result<()> {
    let mut head = Vec::new();
    let file = fs_err::File::open(path).map_err(|e| Error::read(name, &e))?;
    file.take(HEAD).read_to_end(&mut head).map_err(|e| Error::read(name, &e))?;
    match extent::missing(&head, length) {
        Some(announced) => {
            Err(fault(name, format!("it is cut short: {length} of {announced} bytes are there")))
        }
        None => Ok(()),
    }
}

impl Video {
    /// Opens a file and lists its packets. `name` is what errors call it.
    pub(crate) fn open(path: &Path, name: &str) -> Result<Video> {
        quiet();
        let read = |reason: String| Error::Read { location: name.into(), reason };
        let metadata = fs_err::metadata(path).map_err(|e| Error::read(name, &e))?;
        if !metadata.is_file() {
            return Err(read("it is not a file".into()));
        }
        if metadata.len() == 0 {
            return Err(fault(name, "the file is empty"));
        }
        check_extent(path, name, metadata.len())?;
        let path = path
            .to_str()
            .filter(|p| !p.contains('\0'))
            .ok_or_else(|| read("its path is not UTF-8; rename it".into()))?
            .to_owned();
        let mut input = open_input(&path, name)?;
        let has_audio = input.streams().best(media::Type::Audio).is_some();
        let container = input.format().name().to_owned();
        let created = input.metadata().get("creation_time").map(str::to_owned);
        let (stream_index, rotation, parameters, header_rate) = {
            let stream = input
                .streams()
                .best(media::Type::Video)
                .filter(|s| !s.disposition().contains(ffmpeg::format::stream::Disposition::ATTACHED_PIC))
                .ok_or_else(|| {
                    let what = if has_audio { "it has sound but no pictures" } else { "it has no pictures" };
                    fault(name, what)
                })?;
            (stream.index(), rotation_of(&stream), stream.parameters(), f64::from(stream.rate()))
        };
        let index = index::Index::read(&mut input, stream_index, name)?;
        let context =
            ffmpeg::codec::Context::from_parameters(parameters).map_err(|e| fault(name, e.to_string()))?;
        let codec = context.id();
        let [height, width] = native::coded_size(&context);
        let fps = index.average_fps(header_rate);
        Ok(Video {
            path,
            name: name.to_owned(),
            index,
            rotation,
            coded_size: [height, width],
            codec,
            container,
            has_audio,
            created,
            fps,
        })
    }

    /// What the sampling rules need.
    pub(crate) fn timeline(&self) -> Timeline {
        Timeline {
            frames: self.index.frames(),
            fps: self.fps,
            seconds: (0..self.index.frames()).map(|i| self.time(i).seconds()).collect(),
            end_s: self.index.duration_s(),
        }
    }

    /// Presentation time of a frame from the first one.
    pub(crate) fn time(&self, frame: usize) -> MediaTime {
        let (numerator, denominator) = self.index.time_base;
        MediaTime::new(self.index.ticks(frame) - self.index.ticks(0), numerator, denominator)
    }

    /// What errors call the file.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.index.bytes()
    }

    /// `[height, width]` as shown.
    pub(crate) fn size(&self) -> [usize; 2] {
        let [height, width] = self.coded_size;
        if self.rotation.is_multiple_of(180) { [height, width] } else { [width, height] }
    }

    pub(crate) fn probe(&self) -> Probe {
        Probe {
            container: self.container.clone(),
            codec: self.codec.name().to_owned(),
            size: self.size(),
            rotation: self.rotation,
            duration_s: self.index.duration_s(),
            frames: self.index.frames(),
            average_fps: self.fps,
            variable_rate: self.index.variable_rate(),
            has_audio: self.has_audio,
            created: self.created.clone(),
        }
    }
}

/// Clockwise quarter turns by the display matrix, rounded to the nearest as torchcodec does; mirroring is ignored,
/// also as there.
fn rotation_of(stream: &ffmpeg::Stream<'_>) -> u32 {
    let Some(matrix) = stream.side_data().find(|d| d.kind() == side_data::Type::DisplayMatrix) else {
        return 0;
    };
    let entry = |i: usize| {
        matrix
            .data()
            .get(4 * i..4 * i + 4)
            .map_or(0.0, |b| f64::from(i32::from_ne_bytes([b[0], b[1], b[2], b[3]])))
    };
    // The matrix rotates by this angle clockwise: rows (a b u) (c d v) (x y w), scaled per column.
    let (column_a, column_b) = (entry(0).hypot(entry(3)), entry(1).hypot(entry(4)));
    if column_a == 0.0 || column_b == 0.0 {
        return 0;
    }
    let clockwise = (entry(1) / column_b).atan2(entry(0) / column_a).to_degrees();
    ((clockwise / 90.0).round() as i64).rem_euclid(4) as u32 * 90
}
