//! Which frames damage reaches: those that the decoder refused or reports as damaged, and those that depend on them.
//! Pure arithmetic over the packet list; what the decoder said is collected elsewhere.

use std::collections::HashSet;

use super::Video;
use super::index::Index;
use crate::Error;

/// What the decoder found wrong with a run of packets, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Packets that were refused: no picture came of them.
    pub(super) refused: Vec<usize>,
    /// Packets whose picture is reported as damaged.
    pub(super) flagged: Vec<usize>,
    /// Packets to whose picture no other refers.
    pub(super) unreferenced: HashSet<usize>,
}

/// The damage that reaches a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// The packet where it begins.
    packet: usize,
    /// Whether it stays with that packet's frame.
    stays: bool,
}

impl Faults {
    /// Notes that a packet was refused.
    pub(super) fn refuse(&mut self, packet: usize) {
        if self.refused.last() != Some(&packet) {
            self.refused.push(packet);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.refused.is_empty() && self.flagged.is_empty()
    }

    /// The first damage that reaches a packet's frame, if any does.
    pub(super) fn reach(&self, index: &Index, packet: usize) -> Option<Damage> {
        let all = self.refused.iter().chain(&self.flagged);
        let damages = all.map(|&fault| Damage { packet: fault, stays: self.unreferenced.contains(&fault) });
        damages.filter(|damage| damage.reaches(index, packet)).min_by_key(|damage| damage.packet)
    }
}

impl Damage {
    /// A frame depends on the packets before it back to the key packet that it needs. Of those, frames that lead the
    /// key packet (decoded after it, shown before it) are no concern of the frames that follow it.
    fn reaches(&self, index: &Index, packet: usize) -> bool {
        if self.stays || self.packet == packet {
            return self.packet == packet;
        }
        let start = index.start_of(packet);
        (start..=packet).contains(&self.packet)
            && index.packets[self.packet].ticks >= index.packets[start].ticks
    }

    /// First and last frame that it reaches.
    fn frames(&self, index: &Index) -> (usize, usize) {
        let ticks = |packet: usize| index.packets[packet].ticks;
        let own_key = index.key_before(self.packet + 1, i64::MAX);
        // Frames shown before this are those that lead a key packet.
        let (mut keys, mut before) = (0, i64::MAX);
        if ticks(self.packet) < ticks(own_key) {
            before = ticks(own_key);
        }
        let (mut from, mut to) = (usize::MAX, 0);
        for packet in self.packet..index.packets.len() {
            let is_later = packet > self.packet;
            if is_later && index.packets[packet].is_key {
                keys += 1;
                before = before.min(ticks(packet));
            }
            let is_led = ticks(packet) < before;
            if is_later && (self.stays || keys > 1 || keys == 1 && !is_led && !index.packets[packet].is_key) {
                break;
            }
            if let Some(frame) = index.frame_of(packet).filter(|_| is_led) {
                (from, to) = (from.min(frame), to.max(frame));
            }
        }
        (from.min(to), to)
    }

    /// The refusal of a frame that it reaches.
    pub(super) fn refusal(&self, video: &Video, frame: usize) -> Error {
        let seconds = |frame: usize| video.time(frame).seconds();
        let (from, to) = self.frames(&video.index);
        let span = match from == to {
            true => format!("frame {from} at {:.3} s is damaged", seconds(from)),
            false => format!(
                "frames {from} to {to}, {:.3} to {:.3} s, are damaged, and frame {frame} at {:.3} s is wanted",
                seconds(from),
                seconds(to),
                seconds(frame)
            ),
        };
        Error::Decode { location: video.name.clone(), reason: span, remedy: REMEDY }
    }
}

const REMEDY: &str = "choose frames outside of that, or take what the decoder makes of it with --damaged show \
                      (\"damaged\": \"show\" in a request)";
