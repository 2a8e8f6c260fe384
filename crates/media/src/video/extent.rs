//! How long a container says it is: Matroska and AVI files that were cut play up to the cut, and FFmpeg says nothing.
//! MP4 files are told by their sample table, where the packets are listed; other containers announce nothing.

/// Bytes a file may lack of what it announces: writers round and pad in different ways.
const SLACK: u64 = 1024;

/// Bytes announced by a file that starts with `head` and has `length` bytes, if that is more than there are.
pub(super) fn missing(head: &[u8], length: u64) -> Option<u64> {
    let announced = riff(head).or_else(|| segment(head))?;
    (announced > length.saturating_add(SLACK)).then_some(announced)
}

/// `RIFF`, the size of what follows, `AVI `. 0 and all ones stand for an unknown size.
fn riff(head: &[u8]) -> Option<u64> {
    if !head.starts_with(b"RIFF") || head.get(8..12) != Some(b"AVI ") {
        return None;
    }
    let size = u32::from_le_bytes(head.get(4..8)?.try_into().ok()?);
    (size != 0 && size != u32::MAX).then(|| u64::from(size) + 8)
}

/// The EBML header, then a segment that holds everything else.
fn segment(head: &[u8]) -> Option<u64> {
    let rest = head.strip_prefix(&[0x1a, 0x45, 0xdf, 0xa3])?;
    let (size, width) = size(rest)?;
    let start = 4 + width + usize::try_from(size).ok()?;
    let rest = head.get(start..)?.strip_prefix(&[0x18, 0x53, 0x80, 0x67])?;
    let (size, width) = self::size(rest)?;
    (start as u64 + 4 + width as u64).checked_add(size)
}

/// An EBML size and its own bytes: leading zeros of the first byte count those that follow. All ones are unknown.
fn size(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let width = first.leading_zeros() as usize + 1;
    let bytes = bytes.get(..width).filter(|_| width <= 8)?;
    let raw = bytes.iter().fold(0u64, |sum, &byte| sum << 8 | u64::from(byte));
    let most = (1u64 << (7 * width)) - 1;
    let value = raw & most;
    (value != most).then_some((value, width))
}
