//! The packet list of a video stream: which packet shows when, and where decoding may start. Read by demuxing
//! the whole file once, without decoding, as torchcodec's exact mode does; so frame counts and rates agree.

use ffmpeg_next::Packet;
use ffmpeg_next::format::context::Input;

use super::{fault, native};
use crate::Result;

/// One packet, in the order of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Presentation time in ticks, or decoding time where the container has none.
    pub(super) ticks: i64,
    pub(super) is_key: bool,
    /// Byte position in the file; -1 where the demuxer does not say.
    pub(super) position: i64,
}

/// The packets of one stream.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) stream: usize,
    pub(super) time_base: (i32, i32),
    /// In file order, which is decoding order.
    pub(super) packets: Vec<Entry>,
    /// Packets of the shown frames, in presentation order.
    shown: Vec<usize>,
    /// Packets that are never shown, in file order.
    hidden: Vec<usize>,
    /// Whether every frame says when it is shown. Where one does not (AVI, MPEG program streams, bare H.264),
    /// frames are found by counting from the start of the file.
    pub(super) is_timed: bool,
    first_ticks: i64,
    end_ticks: i64,
}

impl Index {
    pub(super) fn read(input: &mut Input, stream: usize, name: &str) -> Result<Index> {
        let time_base = input.stream(stream).expect("the caller found this stream").time_base();
        let time_base = (time_base.numerator(), time_base.denominator());
        if time_base.0 <= 0 || time_base.1 <= 0 {
            return Err(fault(name, "its clock has no unit"));
        }
        native::keep_only(input, stream);
        let mut index = Index {
            stream,
            time_base,
            packets: Vec::new(),
            shown: Vec::new(),
            hidden: Vec::new(),
            is_timed: true,
            first_ticks: i64::MAX,
            end_ticks: i64::MIN,
        };
        loop {
            match native::next_packet(input, stream) {
                Ok(Some(packet)) => index.push(&packet),
                Ok(None) => break,
                Err(e) => {
                    let frames = index.shown.len();
                    return Err(fault(
                        name,
                        format!("it is cut short or damaged after frame {frames} ({e})"),
                    ));
                }
            }
        }
        let promised = native::listed_samples(input, stream);
        if promised > index.packets.len() {
            let found = index.packets.len();
            return Err(fault(name, format!("it is cut short: {found} of {promised} frames are there")));
        }
        if index.shown.is_empty() {
            return Err(fault(name, "it has no frames"));
        }
        let packets = &index.packets;
        index.shown.sort_by_key(|&p| packets[p].ticks);
        // Two frames of one time cannot be told apart by it.
        index.is_timed &= index.shown.windows(2).all(|w| packets[w[0]].ticks < packets[w[1]].ticks);
        index.packets.shrink_to_fit();
        index.shown.shrink_to_fit();
        Ok(index)
    }

    fn push(&mut self, packet: &Packet) {
        let ticks = packet.pts().or(packet.dts()).unwrap_or(self.end_ticks.max(0));
        if native::is_discarded(packet) {
            self.hidden.push(self.packets.len());
        } else {
            self.is_timed &= packet.pts().is_some();
            self.shown.push(self.packets.len());
            self.first_ticks = self.first_ticks.min(ticks);
            self.end_ticks = self.end_ticks.max(ticks.saturating_add(packet.duration()));
        }
        self.packets.push(Entry { ticks, is_key: packet.is_key(), position: packet.position() as i64 });
    }

    pub(super) fn frames(&self) -> usize {
        self.shown.len()
    }

    /// The packet a frame comes from.
    pub(super) fn packet_of(&self, frame: usize) -> usize {
        self.shown[frame]
    }

    /// The frame that a packet shows; `None` where it is never shown.
    pub(super) fn frame_of(&self, packet: usize) -> Option<usize> {
        let mut same = self.shown_at(self.packets[packet].ticks);
        same.find(|&frame| self.shown[frame] == packet)
    }

    /// Frames of one time of the stream's clock: one, or several where times repeat.
    fn shown_at(&self, ticks: i64) -> impl Iterator<Item = usize> {
        let at = |frame: usize| self.packets[self.shown[frame]].ticks;
        let first = self.shown.partition_point(|&p| self.packets[p].ticks < ticks);
        (first..self.shown.len()).take_while(move |&frame| at(frame) == ticks)
    }

    /// The last packet that some frames need; of the whole stream where frames are counted.
    pub(super) fn last_of(&self, frames: &[usize]) -> usize {
        let last = frames.iter().map(|&frame| self.packet_of(frame)).max().filter(|_| self.is_timed);
        last.unwrap_or(self.packets.len() - 1)
    }

    /// The packet of the frame that is shown at a time of the stream's clock.
    pub(super) fn packet_at(&self, ticks: i64) -> Option<usize> {
        let found = self.shown.binary_search_by_key(&ticks, |&p| self.packets[p].ticks).ok()?;
        Some(self.shown[found])
    }

    pub(super) fn ticks(&self, frame: usize) -> i64 {
        self.packets[self.shown[frame]].ticks
    }

    fn seconds(&self, ticks: i64) -> f64 {
        ticks as f64 * f64::from(self.time_base.0) / f64::from(self.time_base.1)
    }

    pub(super) fn duration_s(&self) -> f64 {
        self.seconds(self.end_ticks) - self.seconds(self.first_ticks)
    }

    /// Frames over the time they cover; the header's rate where they cover none.
    pub(super) fn average_fps(&self, header_rate: f64) -> f64 {
        let duration = self.duration_s();
        if duration > 0.0 { self.frames() as f64 / duration } else { header_rate }
    }

    /// Bytes of memory that the list takes.
    pub(super) fn bytes(&self) -> usize {
        self.packets.len() * size_of::<Entry>() + self.shown.len() * size_of::<usize>()
    }

    /// Whether frames stay for clearly different times: more than a fifth of the mean apart, which the rounding of
    /// coarse clocks does not reach.
    pub(super) fn variable_rate(&self) -> bool {
        let steps = || (1..self.frames()).map(|i| self.ticks(i) - self.ticks(i - 1));
        let (Some(least), Some(most)) = (steps().min(), steps().max()) else {
            return false;
        };
        let mean = steps().sum::<i64>() as f64 / steps().len() as f64;
        (most - least) as f64 > mean * 0.2
    }

    /// The packet decoding must start from to show a frame: the last key packet before it in the file that is not
    /// shown after it. A frame that leads an open group needs the group before.
    pub(super) fn start_of(&self, packet: usize) -> usize {
        let ticks = self.packets[packet].ticks;
        self.key_before(packet + 1, ticks)
    }

    /// The last key packet among the first `limit` that is shown no later than `ticks`; 0 where there is none.
    pub(super) fn key_before(&self, limit: usize, ticks: i64) -> usize {
        let is_start = |e: &Entry| e.is_key && e.ticks <= ticks;
        self.packets[..limit].iter().rposition(is_start).unwrap_or(0)
    }

    /// The list position of a packet read after a seek.
    pub(super) fn find(&self, packet: &Packet) -> Option<usize> {
        let position = packet.position() as i64;
        let ticks = packet.pts().or(packet.dts())?;
        let is_it = |p: usize| {
            let entry = &self.packets[p];
            entry.ticks == ticks && (entry.position == position || position < 0)
        };
        let shown = self.shown_at(ticks).map(|frame| self.shown[frame]);
        let mut found = shown.chain(self.hidden.iter().copied()).filter(|&p| is_it(p));
        // Two packets that look alike leave the place unknown.
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }
}
