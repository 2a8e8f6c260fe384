//! H.264 and HEVC packets as their units (ITU-T H.264 and H.265, annex B; ISO/IEC 14496-15): whether a picture is one
//! that no other refers to, and how to take out what only describes a picture. Nothing here decodes.

use ffmpeg_next::codec::Id;

/// How the units of a stream are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Units {
    /// Each behind its length, in this many bytes, as in MP4 and Matroska.
    Lengths(usize),
    /// Each behind the bytes 0, 0, 1, as in transport streams.
    StartCodes,
}

impl Units {
    /// Read from what the container keeps beside the stream; `None` for other codecs.
    pub(super) fn of(codec: Id, beside: &[u8]) -> Option<Units> {
        let at = match codec {
            Id::H264 => 4,
            Id::HEVC => 21,
            _ => return None,
        };
        // A configuration record begins with its version, 1; start codes with 0.
        let is_record = beside.first() == Some(&1) && beside.len() > at;
        Some(if is_record { Units::Lengths(usize::from(beside[at] & 3) + 1) } else { Units::StartCodes })
    }

    /// Where the units of a packet begin, after their lengths or start codes; `None` where they do not add up.
    fn places(self, data: &[u8]) -> Option<Vec<usize>> {
        let mut places = Vec::new();
        match self {
            Units::Lengths(width) => {
                let mut at = 0;
                while at < data.len() {
                    let length =
                        data.get(at..at + width)?.iter().fold(0, |sum, &b| sum << 8 | usize::from(b));
                    places.push(at + width);
                    at = at.checked_add(width)?.checked_add(length).filter(|_| length > 0)?;
                }
                (at == data.len()).then_some(places)
            }
            Units::StartCodes => {
                let codes = data.windows(4).enumerate().filter(|(_, four)| four[..3] == [0, 0, 1]);
                places.extend(codes.map(|(at, _)| at + 3));
                (!places.is_empty()).then_some(places)
            }
        }
    }

    /// Whether an H.264 packet is one picture to which no other refers, with nothing besides that others need.
    pub(super) fn is_unreferenced(self, data: &[u8]) -> bool {
        let Some(places) = self.places(data) else { return false };
        let mut slices = places.iter().map(|&at| data[at]).filter(|header| (1..=5).contains(&(header & 31)));
        let beside = |header: u8| matches!(header & 31, 1..=5 | 6 | 9 | 12);
        slices.next().is_some_and(|header| header & 0x60 == 0)
            && slices.all(|header| header & 0x60 == 0)
            && places.iter().all(|&at| beside(data[at]))
    }

    /// Makes filler of the units of an HEVC packet that no pixel depends on: supplemental information (39 and 40) and
    /// the video parameter set (32). Cameras write them wrongly, and pictures do not suffer.
    pub(super) fn blank_descriptions(self, data: &mut [u8]) {
        const FILLER: u8 = 38;
        for at in self.places(data).unwrap_or_default() {
            if matches!(data[at] >> 1 & 63, 32 | 39 | 40) {
                data[at] = data[at] & 0x81 | FILLER << 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_say_whether_others_refer_to_a_picture() {
        let lengths = Units::Lengths(2);
        let cases: [(Units, &[u8], bool); 10] = [
            (lengths, &[0, 2, 0x01, 9], true),
            (lengths, &[0, 2, 0x41, 9], false),
            (lengths, &[0, 1, 0x06, 0, 2, 0x01, 9], true),
            (lengths, &[0, 1, 0x68, 0, 2, 0x01, 9], false),
            (lengths, &[0, 2, 0x01, 9, 0, 2, 0x61, 9], false),
            (lengths, &[0, 3, 0x01, 9], false),
            (lengths, &[0, 0, 0, 0], false),
            (lengths, &[], false),
            (Units::StartCodes, &[0, 0, 0, 1, 0x09, 5, 0, 0, 1, 0x01, 7], true),
            (Units::StartCodes, &[0, 0, 1, 0x65, 7, 7], false),
        ];
        for (units, data, expected) in cases {
            assert_eq!(units.is_unreferenced(data), expected, "{units:?} {data:?}");
        }
        assert_eq!(Units::of(Id::H264, &[1, 0, 0, 0, 0xff, 0]), Some(Units::Lengths(4)));
        assert_eq!(Units::of(Id::H264, &[0, 0, 0, 1, 0x67]), Some(Units::StartCodes));
        assert_eq!(Units::of(Id::VP9, &[1; 30]), None);
    }

    #[test]
    fn descriptions_become_filler_and_pictures_stay() {
        let mut data = vec![0, 3, 0x4e, 1, 9, 0, 3, 0x02, 1, 9, 0, 2, 0x40, 1];
        Units::Lengths(2).blank_descriptions(&mut data);
        assert_eq!(data, [0, 3, 0x4c, 1, 9, 0, 3, 0x02, 1, 9, 0, 2, 0x4c, 1]);
    }
}
