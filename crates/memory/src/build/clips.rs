//! Clips: pieces of a recording, 30 seconds each from where it starts, never across its end.

use firsthand_base::Moment;

/// Length of a clip.
pub const CLIP_MS: i64 = 30_000;
/// A rest shorter than this belongs to the clip before it: files cut at 30 seconds are a few frames longer.
const SHORTEST_MS: i64 = 5_000;

/// A piece of a wearer's time that becomes one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// Whose eyes.
    pub wearer: String,
    /// When it starts.
    pub start: Moment,
    /// When it ends.
    pub end: Moment,
    /// The file it can be seen in; `None` where there are captions but no video.
    pub file: Option<String>,
    /// Where it starts in the file, in seconds.
    pub start_s: f64,
    /// Where it ends there.
    pub end_s: f64,
    /// What is said in it.
    pub said: Option<String>,
    /// Its caption, where there is one already.
    pub text: Option<String>,
    /// Who is there, where that is known beforehand.
    pub people: Vec<String>,
}

impl Clip {
    /// A clip with its caption, without video.
    pub fn told(wearer: impl Into<String>, start: Moment, end: Moment, text: impl Into<String>) -> Clip {
        Clip {
            wearer: wearer.into(),
            start,
            end,
            file: None,
            start_s: 0.0,
            end_s: 0.0,
            said: None,
            text: Some(text.into()),
            people: Vec::new(),
        }
    }

    /// Its length.
    pub fn length_ms(&self) -> i64 {
        self.end.ms() - self.start.ms()
    }
}

/// Cuts a length into clips: `(start, end)` in milliseconds from its start.
pub fn cut(length_ms: i64) -> Vec<(i64, i64)> {
    let mut clips = Vec::new();
    let mut start = 0;
    while start < length_ms {
        let end = if length_ms - start < CLIP_MS + SHORTEST_MS { length_ms } else { start + CLIP_MS };
        clips.push((start, end));
        start = end;
    }
    clips
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_cut_from_their_start() {
        for (length, expect) in [
            (0, vec![]),
            (-5, vec![]),
            (3, vec![(0, 3)]),
            (30_000, vec![(0, 30_000)]),
            (30_050, vec![(0, 30_050)]),
            (34_999, vec![(0, 34_999)]),
            (35_000, vec![(0, 30_000), (30_000, 35_000)]),
            (64_000, vec![(0, 30_000), (30_000, 64_000)]),
        ] {
            assert_eq!(cut(length), expect, "{length}");
        }
    }
}
