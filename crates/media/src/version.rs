//! Which decoders this build found on the system. For manifests and for people who ask what is missing.

use ffmpeg_next::codec::{Id, decoder, version};

/// Library and version that video is decoded with, e.g. `libavcodec 59.37.100`.
pub fn decoder_version() -> String {
    let packed = version();
    format!("libavcodec {}.{}.{}", packed >> 16, packed >> 8 & 0xff, packed & 0xff)
}

/// Common video codecs that the system's FFmpeg cannot decode.
pub fn missing_decoders() -> Vec<&'static str> {
    let common = [
        ("H.264", Id::H264),
        ("HEVC", Id::HEVC),
        ("VP8", Id::VP8),
        ("VP9", Id::VP9),
        ("AV1", Id::AV1),
        ("MPEG-4", Id::MPEG4),
        ("MJPEG", Id::MJPEG),
    ];
    common.into_iter().filter(|(_, id)| decoder::find(*id).is_none()).map(|(name, _)| name).collect()
}
