//! Stretches of a wearer's time that were dealt with, merged where they touch. What was looked at once is not looked at
//! again: this is how a build resumes, how recordings that overlap are told apart, and why what was forgotten stays so.

use firsthand_base::Moment;
use serde::{Deserialize, Serialize};

/// Stretches by start, none touching another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spans(Vec<(Moment, Moment)>);

impl Spans {
    /// No stretch.
    pub fn new() -> Spans {
        Spans::default()
    }

    /// The stretches.
    pub fn iter(&self) -> impl Iterator<Item = (Moment, Moment)> {
        self.0.iter().copied()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a stretch.
    pub fn add(&mut self, start: Moment, end: Moment) {
        if end <= start {
            return;
        }
        let first = self.0.partition_point(|(_, known)| *known < start);
        let last = self.0.partition_point(|(known, _)| *known <= end);
        let merged =
            self.0[first..last].iter().fold((start, end), |(a, b), (from, to)| (a.min(*from), b.max(*to)));
        self.0.splice(first..last, [merged]);
    }

    /// Takes a stretch out.
    pub fn remove(&mut self, start: Moment, end: Moment) {
        if end <= start {
            return;
        }
        let kept = self.0.iter().flat_map(|(from, to)| [(*from, (*to).min(start)), ((*from).max(end), *to)]);
        self.0 = kept.filter(|(from, to)| from < to).collect();
    }

    /// Milliseconds of a stretch that are covered.
    pub fn covered_ms(&self, start: Moment, end: Moment) -> i64 {
        self.0.iter().map(|(from, to)| ((*to).min(end).ms() - (*from).max(start).ms()).max(0)).sum()
    }

    /// The parts of a stretch that are not covered.
    pub fn free(&self, start: Moment, end: Moment) -> Vec<(Moment, Moment)> {
        let mut left = Spans::new();
        left.add(start, end);
        for (from, to) in &self.0 {
            left.remove(*from, *to);
        }
        left.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against one flag per millisecond.
        #[test]
        fn spans_are_a_set_of_milliseconds(steps in prop::collection::vec((any::<bool>(), 0i64..60, 0i64..60), 0..30), ask in (0i64..60, 0i64..60)) {
            let at = |ms| Moment::from_ms(ms).unwrap();
            let (mut spans, mut flags) = (Spans::new(), [false; 60]);
            for (add, a, b) in steps {
                if add { spans.add(at(a), at(b)) } else { spans.remove(at(a), at(b)) }
                for ms in a..b {
                    flags[ms as usize] = add;
                }
            }
            let held: Vec<(Moment, Moment)> = spans.iter().collect();
            prop_assert!(held.iter().all(|(from, to)| from < to));
            prop_assert!(held.windows(2).all(|pair| pair[0].1 < pair[1].0), "{held:?}");
            let set: Vec<bool> = (0..60).map(|ms| held.iter().any(|(from, to)| (from.ms()..to.ms()).contains(&ms))).collect();
            prop_assert_eq!(&set[..], &flags[..]);
            let (a, b) = (ask.0.min(ask.1), ask.0.max(ask.1));
            let covered = (a..b).filter(|ms| flags[*ms as usize]).count() as i64;
            prop_assert_eq!(spans.covered_ms(at(a), at(b)), covered);
            let free: i64 = spans.free(at(a), at(b)).iter().map(|(from, to)| to.ms() - from.ms()).sum();
            prop_assert_eq!(free, b - a - covered);
        }
    }
}
