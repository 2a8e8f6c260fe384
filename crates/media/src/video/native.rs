//! The few calls that the FFmpeg bindings do not wrap: pixel conversion with a chosen colour matrix, seeking in one
//! stream's own clock, and three fields. The only unsafe code of this room; no policy lives here.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};
use std::ptr;

use ffmpeg_next::ffi;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::frame;
use ffmpeg_next::packet::{Packet, Ref};
use ffmpeg_next::{self as ffmpeg};

/// What a frame must have in common with the last one for its converter to serve again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Source {
    width: c_int,
    height: c_int,
    format: c_int,
    matrix: ffi::AVColorSpace,
    range: ffi::AVColorRange,
}

/// Converts decoded frames to RGB8 as torchcodec does on a CPU: swscale's bicubic chroma, the frame's own matrix
/// and range, 4:2:0 chroma sited between the rows.
#[derive(Debug, Default)]
pub(super) struct Converter {
    context: Option<(Source, Scaler)>,
}

#[derive(Debug)]
struct Scaler(*mut ffi::SwsContext);

// SAFETY: the context is owned by this value alone and used by one thread at a time through `&mut`.
unsafe impl Send for Scaler {}

impl Drop for Scaler {
    fn drop(&mut self) {
        // SAFETY: the pointer came from sws_alloc_context and is freed once.
        unsafe { ffi::sws_freeContext(self.0) }
    }
}

impl Converter {
    /// The frame as RGB8, rows of `width * 3` bytes without gaps. `None` when swscale cannot convert it.
    pub(super) fn rgb(&mut self, input: &frame::Video) -> Option<Vec<u8>> {
        let (width, height) = (input.width() as usize, input.height() as usize);
        // SAFETY: `input` is a decoded frame, so its pointer is valid while it is borrowed.
        let source = unsafe {
            let raw = &*input.as_ptr();
            Source {
                width: raw.width,
                height: raw.height,
                format: raw.format,
                matrix: raw.colorspace,
                range: raw.color_range,
            }
        };
        if self.context.as_ref().is_none_or(|(known, _)| *known != source) {
            self.context = Some((source, scaler(source, input)?));
        }
        let scaler = &self.context.as_ref()?.1;
        let mut target = frame::Video::new(ffmpeg_next::format::Pixel::RGB24, input.width(), input.height());
        // SAFETY: both frames are allocated with the sizes and formats the context was made for.
        let rows = unsafe {
            ffi::sws_scale(
                scaler.0,
                (*input.as_ptr()).data.as_ptr().cast(),
                (*input.as_ptr()).linesize.as_ptr(),
                0,
                source.height,
                (*target.as_mut_ptr()).data.as_ptr(),
                (*target.as_mut_ptr()).linesize.as_ptr(),
            )
        };
        if rows != source.height {
            return None;
        }
        let stride = target.stride(0);
        let mut rgb = Vec::with_capacity(height * width * 3);
        for row in target.data(0).chunks(stride).take(height) {
            rgb.extend_from_slice(&row[..width * 3]);
        }
        Some(rgb)
    }
}

fn scaler(source: Source, input: &frame::Video) -> Option<Scaler> {
    let quarter_chroma =
        input.format().descriptor().is_some_and(|d| d.log2_chroma_w() == 1 && d.log2_chroma_h() == 1);
    let mut settings: Vec<(&CStr, i64)> = vec![
        (c"srcw", source.width.into()),
        (c"srch", source.height.into()),
        (c"src_format", source.format.into()),
        (c"dstw", source.width.into()),
        (c"dsth", source.height.into()),
        (c"dst_format", ffi::AVPixelFormat::AV_PIX_FMT_RGB24 as i64),
        (c"sws_flags", ffmpeg_next::software::scaling::Flags::BICUBIC.bits().into()),
    ];
    if quarter_chroma {
        settings.push((c"src_v_chr_pos", 128));
    }
    // SAFETY: the context is checked for null, owned by `Scaler` from its creation, and every pointer handed over
    // lives through the call; swscale keeps none of them.
    unsafe {
        let context = ffi::sws_alloc_context();
        if context.is_null() {
            return None;
        }
        let scaler = Scaler(context);
        for (name, value) in settings {
            if ffi::av_opt_set_int(context.cast(), name.as_ptr(), value, 0) < 0 {
                return None;
            }
        }
        if ffi::sws_init_context(context, ptr::null_mut(), ptr::null_mut()) < 0 {
            return None;
        }
        colours(context, source);
        Some(scaler)
    }
}

/// Sets the frame's matrix and range. Formats without a matrix (RGB) refuse it, which is right for them.
///
/// # Safety
/// `context` is an initialised swscale context.
unsafe fn colours(context: *mut ffi::SwsContext, source: Source) {
    let (mut inverse, mut table) = (ptr::null_mut(), ptr::null_mut());
    let [mut from_full, mut to_full, mut brightness, mut contrast, mut saturation] = [0; 5];
    // SAFETY: all out-pointers are to locals of the type asked for; the coefficient tables are static.
    unsafe {
        let known = ffi::sws_getColorspaceDetails(
            context,
            &mut inverse,
            &mut from_full,
            &mut table,
            &mut to_full,
            &mut brightness,
            &mut contrast,
            &mut saturation,
        );
        if known < 0 {
            return;
        }
        match source.range {
            ffi::AVColorRange::AVCOL_RANGE_JPEG => from_full = 1,
            ffi::AVColorRange::AVCOL_RANGE_MPEG => from_full = 0,
            _ => {}
        }
        let matrix = ffi::sws_getCoefficients(source.matrix as c_int);
        ffi::sws_setColorspaceDetails(
            context, matrix, from_full, table, to_full, brightness, contrast, saturation,
        );
    }
}

/// Moves to the last key packet of a stream at or before `ticks` of its clock.
pub(super) fn seek(input: &mut Input, stream: usize, ticks: i64) -> bool {
    // SAFETY: the input is open and the stream exists in it.
    unsafe { ffi::avformat_seek_file(input.as_mut_ptr(), stream as c_int, i64::MIN, ticks, ticks, 0) >= 0 }
}

/// The next packet of a stream; `None` at the end of the file. Each is a value of its own: `Packet::read` takes a new
/// buffer without releasing the one it holds, so one packet read into again and again keeps the whole film.
pub(super) fn next_packet(input: &mut Input, stream: usize) -> Result<Option<Packet>, ffmpeg::Error> {
    loop {
        let mut packet = Packet::empty();
        match packet.read(input) {
            Ok(()) if packet.stream() == stream => return Ok(Some(packet)),
            Ok(()) => {}
            Err(ffmpeg::Error::Eof) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// Tells the demuxer that only one stream is wanted.
pub(super) fn keep_only(input: &mut Input, stream: usize) {
    for other in 0..input.nb_streams() as usize {
        if other != stream {
            // SAFETY: `other` is less than the number of streams, each of which is allocated.
            unsafe {
                (**(*input.as_mut_ptr()).streams.add(other)).discard = ffi::AVDiscard::AVDISCARD_ALL;
            }
        }
    }
}

/// Whether the container says that a packet is decoded but never shown (cut off by an edit list).
pub(super) fn is_discarded(packet: &Packet) -> bool {
    // SAFETY: a packet's pointer is valid while it is borrowed.
    unsafe { (*packet.as_ptr()).flags & ffi::AV_PKT_FLAG_DISCARD != 0 }
}

/// Whether the decoder says of a frame that it is damaged or that it made up a part of it.
pub(super) fn is_flagged(frame: &frame::Video) -> bool {
    // SAFETY: a frame's pointer is valid while it is borrowed.
    let (flags, errors) = unsafe { ((*frame.as_ptr()).flags, (*frame.as_ptr()).decode_error_flags) };
    errors != 0 || flags & ffi::AV_FRAME_FLAG_CORRUPT != 0
}

/// What a container keeps beside a stream for its decoder.
pub(super) fn beside(parameters: &ffmpeg::codec::Parameters) -> Vec<u8> {
    // SAFETY: FFmpeg keeps `extradata_size` bytes at `extradata`, which is null where there are none.
    unsafe {
        let parameters = &*parameters.as_ptr();
        match usize::try_from(parameters.extradata_size) {
            Ok(length) if !parameters.extradata.is_null() => {
                std::slice::from_raw_parts(parameters.extradata, length).to_vec()
            }
            _ => Vec::new(),
        }
    }
}

/// `[height, width]` that the container states.
pub(super) fn coded_size(context: &ffmpeg_next::codec::Context) -> [usize; 2] {
    // SAFETY: a codec context's pointer is valid while it is borrowed.
    let (height, width) = unsafe { ((*context.as_ptr()).height, (*context.as_ptr()).width) };
    [height.max(0) as usize, width.max(0) as usize]
}

/// How many packets of a stream the header of an MP4 or MOV file lists; 0 for containers without such a list.
pub(super) fn listed_samples(input: &Input, stream: usize) -> usize {
    if !input.format().name().contains("mp4") {
        return 0;
    }
    // SAFETY: the input is open and the caller's stream exists in it.
    let listed = unsafe { ffi::avformat_index_get_entries_count(*(*input.as_ptr()).streams.add(stream)) };
    listed.max(0) as usize
}
