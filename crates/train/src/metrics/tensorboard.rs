//! TensorBoard's event files: protocol buffers inside TFRecords, each with masked CRC-32C. Only scalars. Written
//! from the published formats (tensorflow/core/lib/io/record_writer.h, util/event.proto, framework/summary.proto).

use std::io::{BufWriter, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::Result;

/// An event file, open for appending.
pub(super) struct Events {
    writer: BufWriter<fs_err::File>,
}

impl Events {
    /// Continues a file, or begins an empty one with its version.
    pub(super) fn new(mut writer: BufWriter<fs_err::File>) -> Result<Events> {
        use std::io::Seek;
        let is_new = writer.get_mut().stream_position()? == 0;
        let mut events = Events { writer };
        if is_new {
            // Event.file_version = 3
            let mut version = Message::default();
            version.bytes(3, b"brain.Event:2");
            events.record(0, version)?;
        }
        Ok(events)
    }

    /// Writes the scalars of one step.
    pub(super) fn write(&mut self, step: u64, scalars: &[(String, f64)]) -> Result<()> {
        let mut summary = Message::default();
        for (tag, value) in scalars {
            // Summary.Value: tag = 1, simple_value = 2
            let mut scalar = Message::default();
            scalar.bytes(1, tag.as_bytes());
            scalar.fixed32(2, (*value as f32).to_le_bytes());
            summary.bytes(1, &scalar.0);
        }
        // Event.summary = 5
        let mut body = Message::default();
        body.bytes(5, &summary.0);
        self.record(step, body)
    }

    pub(super) fn writer(&mut self) -> &mut BufWriter<fs_err::File> {
        &mut self.writer
    }

    /// Event: wall_time = 1, step = 2, and what `body` adds; framed with lengths and checksums.
    fn record(&mut self, step: u64, body: Message) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let mut event = Message::default();
        event.fixed64(1, now.to_le_bytes());
        event.varint(2, step);
        event.0.extend_from_slice(&body.0);
        let length = (event.0.len() as u64).to_le_bytes();
        self.writer.write_all(&length)?;
        self.writer.write_all(&masked(&length).to_le_bytes())?;
        self.writer.write_all(&event.0)?;
        self.writer.write_all(&masked(&event.0).to_le_bytes())?;
        self.writer.flush()?;
        Ok(())
    }
}

/// Fields of a protocol buffer.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn varint(&mut self, field: u64, value: u64) {
        self.number(field << 3);
        self.number(value);
    }

    fn fixed64(&mut self, field: u64, bytes: [u8; 8]) {
        self.number(field << 3 | 1);
        self.0.extend_from_slice(&bytes);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.number(field << 3 | 2);
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn fixed32(&mut self, field: u64, bytes: [u8; 4]) {
        self.number(field << 3 | 5);
        self.0.extend_from_slice(&bytes);
    }
}

/// CRC-32C, rotated and shifted as TFRecords want it.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), a bit at a time: an event is a few hundred bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// Reads an event file back, checking every checksum: `(step, tag, value)` of all scalars.
#[cfg(test)]
pub(super) fn read(mut bytes: &[u8]) -> Vec<(u64, String, f32)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        assert_eq!(masked(&bytes[..8]).to_le_bytes(), bytes[8..12]);
        let event = &bytes[12..12 + length];
        assert_eq!(masked(event).to_le_bytes(), bytes[12 + length..16 + length]);
        bytes = &bytes[16 + length..];
        let fields = fields(event);
        let step = fields.iter().find(|(number, _)| *number == 2).map_or(0, |(_, value)| number(value).0);
        for (_, summary) in fields.iter().filter(|(number, _)| *number == 5) {
            for (_, scalar) in self::fields(summary) {
                let scalar = self::fields(&scalar);
                let tag = String::from_utf8(scalar[0].1.clone()).unwrap();
                found.push((step, tag, f32::from_le_bytes(scalar[1].1.as_slice().try_into().unwrap())));
            }
        }
    }
    found
}

/// A varint and its length.
#[cfg(test)]
fn number(bytes: &[u8]) -> (u64, usize) {
    let length = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let value = bytes[..length].iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
    (value, length)
}

#[cfg(test)]
fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (key, used) = number(bytes);
        bytes = &bytes[used..];
        let length = match key & 7 {
            0 => number(bytes).1,
            1 => 8,
            5 => 4,
            _ => {
                let (length, used) = number(bytes);
                bytes = &bytes[used..];
                length as usize
            }
        };
        found.push((key >> 3, bytes[..length].to_vec()));
        bytes = &bytes[length..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_the_published_ones() {
        // RFC 3720, B.4: 32 zeros, 32 ones, and the common check value.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
