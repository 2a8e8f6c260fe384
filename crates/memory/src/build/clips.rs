//! Clips: pieces of a recording, 30 seconds each from where it starts, never across its end.

use firsthand_base::Moment;

use super::transcript::{Said, lines_of, said_in};

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
    /// What is said in it, in milliseconds from its start.
    pub said: Vec<Said>,
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
            said: Vec::new(),
            text: Some(text.into()),
            people: Vec::new(),
        }
    }

    /// What is said in it all through, a line each; nobody knows when.
    pub fn saying(self, text: Option<String>) -> Clip {
        let end_ms = self.length_ms();
        let said = text.filter(|text| !text.is_empty()).map(|text| Said { start_ms: 0, end_ms, text });
        Clip { said: said.into_iter().collect(), ..self }
    }

    /// What is said in it as a text, a line each.
    pub fn words(&self) -> Option<String> {
        lines_of(&self.said)
    }

    /// When it ends, or the first moment after its start.
    pub(super) fn after(&self) -> Moment {
        self.end.max(self.start.plus_ms(1))
    }

    /// A piece of it, with what is said in that piece.
    pub fn piece(&self, start: Moment, end: Moment) -> Clip {
        let [from_ms, to_ms] = [start, end].map(|moment| moment.ms() - self.start.ms());
        Clip {
            start_s: self.start_s + from_ms as f64 / 1000.0,
            end_s: self.end_s - (self.end.ms() - end.ms()) as f64 / 1000.0,
            said: said_in(&self.said, (from_ms, to_ms), start <= self.start, end >= self.end),
            start,
            end,
            ..self.clone()
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
