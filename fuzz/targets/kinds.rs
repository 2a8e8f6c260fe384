//! What bytes are told to be, and bytes inside locations: base64 in every dialect, `data:` URIs, inline lists of pictures.
#![no_main]

use firsthand_media::{Kind, base64, inline_bytes, inline_pictures};
use libfuzzer_sys::fuzz_target;

const MOST_BYTES: u64 = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    let kind = Kind::of_bytes(bytes, "it.tga");
    assert_eq!(kind, Kind::of_bytes(bytes, "it.tga"), "the same bytes are the same");
    if let Ok(read) = base64(bytes) {
        assert!(read.len() <= bytes.len() / 4 * 3 + 2, "{} bytes from {}", read.len(), bytes.len());
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let location = format!("data:{text}");
    let _ = inline_bytes(&location, MOST_BYTES);
    for picture in inline_pictures(&location).into_iter().flatten() {
        assert!(picture.starts_with("data:image/"), "{picture}");
        let _ = inline_bytes(&picture, MOST_BYTES);
    }
});
