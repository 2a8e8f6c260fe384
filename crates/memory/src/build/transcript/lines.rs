//! Captions that roll: each shows the last lines of the one before and then what is new, as YouTube's automatic ones do.
//! Every line is kept once, where it is new. People who repeat themselves are not rolled away: only a file that rolls
//! throughout is read so.

use super::Said;

/// A cue as it is shown.
pub(super) struct Shown {
    pub start_ms: i64,
    pub end_ms: i64,
    /// Without marks, none blank.
    pub lines: Vec<String>,
}

/// A gap longer than this ends what rolls.
const GAP_MS: i64 = 500;
/// Nobody says a line in less.
const SHORTEST_MS: i64 = 100;
/// Most lines on a screen.
const MOST_LINES: usize = 8;

/// The cues as something said each, by start, each line once if they roll.
pub(super) fn once(mut cues: Vec<Shown>) -> Vec<Said> {
    cues.sort_by_key(|cue| (cue.start_ms, cue.end_ms));
    let touches = |pair: &&[Shown]| pair[1].start_ms <= pair[0].end_ms + GAP_MS;
    let touching = cues.windows(2).filter(touches).count();
    let rolling = cues.windows(2).filter(touches).filter(|pair| rolls(&pair[0], &pair[1])).count();
    let is_rolling = rolling > 0 && rolling * 3 >= touching;
    let mut said = Vec::with_capacity(cues.len());
    for (index, cue) in cues.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| &cues[before]).filter(|_| is_rolling);
        let known = before
            .filter(|before| cue.start_ms <= before.end_ms + GAP_MS)
            .map_or(0, |before| carried(before, cue));
        let text = cue.lines[known..].join(" ");
        said.push(Said { start_ms: cue.start_ms, end_ms: cue.end_ms, text });
    }
    said
}

/// Lines at the end of one cue that the next one shows again at its beginning.
fn carried(before: &Shown, cue: &Shown) -> usize {
    let most = before.lines.len().min(cue.lines.len()).min(MOST_LINES);
    (1..=most)
        .rev()
        .find(|count| before.lines[before.lines.len() - count..] == cue.lines[..*count])
        .unwrap_or(0)
}

/// Whether a cue goes on with lines of the one before: it has more of its own, or is too short to be said.
fn rolls(before: &Shown, cue: &Shown) -> bool {
    let carried = carried(before, cue);
    carried > 0 && (carried < cue.lines.len() || cue.end_ms - cue.start_ms < SHORTEST_MS)
}
