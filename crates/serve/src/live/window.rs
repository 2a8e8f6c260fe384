//! What a session has seen and not yet put into its memory: items in order of time, each a file whose name says all that
//! is known of it, so that the folder is the state and one rename is the write. And the rules: which items are the window,
//! which are due to become a clip. Values only.

use std::ops::Range;

use firsthand_media::{self as media, Format};
use firsthand_memory::build::CLIP_MS;

/// Longest time after a picture that still counts as seen.
const LINGERS_US: u64 = 2_000_000;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Jpeg,
    Png,
    Film,
}

impl Kind {
    const ALL: [(Kind, &str); 3] = [(Kind::Jpeg, "jpg"), (Kind::Png, "png"), (Kind::Film, "mp4")];

    /// The kind that bytes say; opening it is the media process's business.
    pub(crate) fn of(bytes: &[u8]) -> Option<Kind> {
        match media::Kind::of_bytes(bytes, "") {
            media::Kind::Picture(Format::Jpeg) => Some(Kind::Jpeg),
            media::Kind::Picture(Format::Png) | media::Kind::Moving(Format::Png) => Some(Kind::Png),
            media::Kind::Film(media::Kind::MP4) => Some(Kind::Film),
            _ => None,
        }
    }

    fn ending(self) -> &'static str {
        Kind::ALL.iter().find(|(kind, _)| *kind == self).map_or("bin", |(_, ending)| ending)
    }
}

/// A picture, or a piece of film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Counts from 0 over the session's life.
    pub(crate) number: u64,
    /// Microseconds since the session's start.
    pub(crate) start_us: u64,
    /// Where its last frame is.
    pub(crate) end_us: u64,
    /// Frames that are looked at.
    pub(crate) frames: usize,
    /// Height and width as it was sent.
    pub(crate) size: [usize; 2],
    pub(crate) kind: Kind,
    pub(crate) bytes: u64,
}

impl Item {
    /// The file's name.
    pub(crate) fn name(&self) -> String {
        let Item { number, start_us, end_us, frames, size: [height, width], kind, .. } = self;
        format!("{number:08}-{start_us}-{end_us}-{frames}-{height}x{width}.{}", kind.ending())
    }

    /// The item that a file of this name and size is.
    pub(crate) fn read(name: &str, bytes: u64) -> Option<Item> {
        let (stem, ending) = name.rsplit_once('.')?;
        let kind = Kind::ALL.iter().find(|(_, known)| *known == ending)?.0;
        let parts: Vec<&str> = stem.split('-').collect();
        let [number, start, end, frames, size] = parts[..] else { return None };
        let (height, width) = size.split_once('x')?;
        let item = Item {
            number: number.parse().ok()?,
            start_us: start.parse().ok()?,
            end_us: end.parse().ok()?,
            frames: frames.parse().ok()?,
            size: [height.parse().ok()?, width.parse().ok()?],
            kind,
            bytes,
        };
        (item.name() == name && item.start_us <= item.end_us && item.frames > 0).then_some(item)
    }

    pub(crate) fn start_s(&self) -> f64 {
        self.start_us as f64 / 1e6
    }

    pub(crate) fn end_s(&self) -> f64 {
        self.end_us as f64 / 1e6
    }

    fn cell(&self) -> u64 {
        self.start_us / (CLIP_MS as u64 * 1000)
    }
}

/// How much is kept as pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) frames: usize,
    pub(crate) bytes: u64,
}

impl Rule {
    /// How many of the oldest items have left the window: the newest that fit into it stay, and always the newest.
    pub(crate) fn left(&self, items: &[Item]) -> usize {
        let (mut frames, mut bytes) = (0, 0);
        let inside = items.iter().rev().enumerate().take_while(|(index, item)| {
            frames += item.frames;
            bytes += item.bytes;
            *index == 0 || frames <= self.frames && bytes <= self.bytes
        });
        items.len() - inside.count()
    }

    /// How many of the oldest items are to become a clip now: those of one half minute, once all of it has left the window,
    /// or as many as a window holds where it is filled faster.
    pub(crate) fn due(&self, items: &[Item]) -> Option<usize> {
        let out = &items[..self.left(items)];
        let first = out.first()?;
        let cell = out.iter().take_while(|item| item.cell() == first.cell()).count();
        let is_whole = items.get(cell).is_some_and(|next| next.cell() != first.cell());
        let (mut frames, mut bytes) = (0, 0);
        let fits = out[..cell].iter().take_while(|item| {
            frames += item.frames;
            bytes += item.bytes;
            frames <= self.frames && bytes <= self.bytes
        });
        let fits = fits.count().max(1);
        (is_whole || frames >= self.frames || bytes >= self.bytes).then_some(fits)
    }

    /// What a question is shown: all that is not remembered, the newest of twice a window where remembering is behind.
    pub(crate) fn shown(&self, items: &[Item]) -> Range<usize> {
        let twice = Rule { frames: self.frames * 2, bytes: self.bytes * 2 };
        twice.left(items)..items.len()
    }
}

/// When a clip of the first `count` items ends: with its last frame, or when the next is seen soon after.
pub(crate) fn end_us(items: &[Item], count: usize) -> u64 {
    let last = items[..count].last().map_or(0, |item| item.end_us);
    items.get(count).map_or(last, |next| next.start_us.min(last + LINGERS_US).max(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(number: u64, second: f64) -> Item {
        let at = (second * 1e6) as u64;
        let (size, kind) = ([48, 64], Kind::Jpeg);
        Item { number, start_us: at, end_us: at, frames: 1, size, kind, bytes: 1000 }
    }

    #[test]
    fn a_name_says_all() {
        let item = Item { end_us: 17_250_000, frames: 9, kind: Kind::Film, ..picture(3, 12.5) };
        assert_eq!(item.name(), "00000003-12500000-17250000-9-48x64.mp4");
        assert_eq!(Item::read(&item.name(), 1000), Some(item));
        for wrong in
            ["session.json", "1-2-3-4-5x6.jpg", "00000003-9-8-1-48x64.jpg", "00000003-1-8-0-48x64.jpg"]
        {
            assert_eq!(Item::read(wrong, 5), None, "{wrong}");
        }
    }

    #[test]
    fn half_minutes_leave_the_window_whole() {
        let rule = Rule { frames: 20, bytes: 1 << 20 };
        let items: Vec<Item> = (0..100).map(|n| picture(n, n as f64)).collect();
        assert_eq!(rule.left(&items[..20]), 0);
        assert_eq!(rule.due(&items[..20]), None);
        // Out of the window, but more of its half minute may come out of it: it waits, and is shown.
        assert_eq!((rule.left(&items[..35]), rule.due(&items[..35])), (15, None));
        assert_eq!(rule.shown(&items[..35]), 0..35);
        // A window's worth waits: no more of it is let wait.
        assert_eq!(rule.due(&items[..40]), Some(20));
        assert_eq!(end_us(&items, 20), 20_000_000);
        let slow: Vec<Item> = (0..60).map(|n| picture(n, n as f64 * 2.0)).collect();
        assert_eq!(rule.due(&slow[..34]), None);
        assert_eq!(rule.due(&slow[..35]), Some(15), "all of the half minute has left");
        assert_eq!(rule.shown(&items), 60..100);
        // Heavy pictures leave sooner, and the newest never.
        let heavy = Rule { frames: 20, bytes: 2500 };
        assert_eq!((heavy.left(&items[..5]), heavy.due(&items[..5])), (3, Some(2)));
        assert_eq!(Rule { frames: 1, bytes: 1 }.left(&items[..1]), 0);
        assert_eq!(rule.due(&[]), None);
    }

    #[test]
    fn a_gap_is_not_part_of_a_clip() {
        let items = [picture(0, 1.0), picture(1, 2.0), picture(2, 90.0)];
        assert_eq!(end_us(&items, 2), 4_000_000);
        assert_eq!(end_us(&items, 3), 90_000_000);
        let rule = Rule { frames: 1, bytes: 1 << 20 };
        assert_eq!(rule.due(&items), Some(1), "a window's worth at a time");
    }
}
