//! Bytes to text. A mark at the beginning decides, then whether it is UTF-8, then zero bytes between letters, then the
//! detector that browsers use for pages that do not say. In a UTF-8 file with a few lines of another encoding, only those
//! lines are detected.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE};

use super::Notes;

/// Bytes that are looked at to tell whether letters have two.
const LOOKED_AT: usize = 64 << 10;

/// The text, its line ends as line feeds and its invisible marks gone.
pub(super) fn decode(bytes: &[u8], notes: &mut Notes) -> Result<String, String> {
    let text = decoded(bytes, notes);
    let controls = text.chars().take(4096).filter(|letter| *letter == '\0' || *letter == '\u{fffd}').count();
    if controls * 10 > text.chars().take(4096).count() {
        return Err("it is no text; take it away, or put a transcript in its place".into());
    }
    // A file that went through the line ends of two systems has both for each line.
    let text = text.replace("\r\r\n", "\n").replace("\r\n", "\n");
    Ok(text.chars().filter_map(letter).collect())
}

/// A letter as it is kept: line ends are one, marks that show nothing go, and the controls that cp1252 has letters for
/// become these.
pub(super) fn letter(letter: char) -> Option<char> {
    match letter {
        '\r' => Some('\n'),
        '\u{80}'..='\u{9f}' => {
            let byte = [letter as u8];
            encoding_rs::WINDOWS_1252.decode_without_bom_handling(&byte).0.chars().next()
        }
        '\0' | '\u{feff}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' => None,
        '\u{2066}'..='\u{2069}' => None,
        _ => Some(letter),
    }
}

fn decoded(bytes: &[u8], notes: &mut Notes) -> String {
    if bytes.starts_with(&[0xff, 0xfe, 0, 0]) || bytes.starts_with(&[0, 0, 0xfe, 0xff]) {
        return utf_32(bytes);
    }
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding.decode(bytes).0.into_owned();
    }
    if let Some(encoding) = two_bytes(bytes) {
        return encoding.decode_without_bom_handling(bytes).0.into_owned();
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        // Escapes switch the alphabet of what looks like ASCII.
        if !bytes.contains(&0x1b) || detected(bytes) != ISO_2022_JP {
            return text.to_owned();
        }
    }
    let (mut as_utf_8, mut otherwise) = (0, Vec::new());
    for line in bytes.split(|byte| *byte == b'\n') {
        match std::str::from_utf8(line) {
            Ok(text) => as_utf_8 += usize::from(!text.is_ascii()),
            Err(_) => otherwise.push(line),
        }
    }
    if as_utf_8 <= otherwise.len() {
        let encoding = detected(bytes);
        if encoding != UTF_8 {
            notes.add(|| format!("it is not UTF-8; it was read as {}", encoding.name()));
        }
        return encoding.decode_without_bom_handling(bytes).0.into_owned();
    }
    let encoding = detected(&otherwise.join(&b'\n'));
    notes.add(|| {
        format!("{} of its lines are not UTF-8; they were read as {}", otherwise.len(), encoding.name())
    });
    let line = |line: &[u8]| match std::str::from_utf8(line) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding.decode_without_bom_handling(line).0.into_owned(),
    };
    bytes.split(|byte| *byte == b'\n').map(line).collect::<Vec<_>>().join("\n")
}

fn detected(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    detector.guess(None, Utf8Detection::Allow)
}

/// UTF-16 without a mark: digits, colons and line ends of a transcript have a zero byte each, always on the same side.
fn two_bytes(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(LOOKED_AT)];
    let zeros = |side: usize| head.iter().skip(side).step_by(2).filter(|byte| **byte == 0).count();
    let (first, second, pairs) = (zeros(0), zeros(1), head.len() / 2);
    if pairs < 2 {
        return None;
    }
    if second * 8 > pairs && first * 8 < second {
        Some(UTF_16LE)
    } else if first * 8 > pairs && second * 8 < first {
        Some(UTF_16BE)
    } else {
        None
    }
}

fn utf_32(bytes: &[u8]) -> String {
    let is_little = bytes[0] == 0xff;
    let letter = |four: &[u8]| {
        let four = [four[0], four[1], four[2], four[3]];
        let number = if is_little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) };
        char::from_u32(number).unwrap_or('\u{fffd}')
    };
    bytes.chunks_exact(4).map(letter).collect()
}
