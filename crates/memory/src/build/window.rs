//! Stretches of the clock that summaries stand for: ten minutes, hours, days from midnight, and weeks of seven days
//! from day 1. Each lies within one of the next level.

use firsthand_base::Moment;

use crate::Level;

/// Days of a week.
const WEEK_DAYS: i64 = 7;

/// A stretch of the clock, its end not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// Where it starts.
    pub start: Moment,
    /// Where the next one starts.
    pub end: Moment,
}

impl Window {
    /// Whether a moment lies in it.
    pub fn holds(&self, moment: Moment) -> bool {
        self.start <= moment && moment < self.end
    }
}

/// The window of a level that a moment lies in; for clips, which have none, the moment itself.
pub fn window(level: Level, moment: Moment) -> Window {
    let length = match level {
        Level::Clip => return Window { start: moment, end: moment.plus_ms(1) },
        Level::TenMinutes => 600_000,
        Level::Hour => 3_600_000,
        Level::Day => Moment::DAY_MS,
        Level::Week => WEEK_DAYS * Moment::DAY_MS,
    };
    let start = moment.ms() / length * length;
    let start = Moment::START.plus_ms(start);
    Window { start, end: start.plus_ms(length) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn windows_stand_on_the_clock() {
        for (level, at, start, end) in [
            (Level::TenMinutes, "DAY3_11211700", "DAY3_11200000", "DAY3_11300000"),
            (Level::TenMinutes, "DAY3_11300000", "DAY3_11300000", "DAY3_11400000"),
            (Level::Hour, "DAY3_23595919", "DAY3_23000000", "DAY4_00000000"),
            (Level::Day, "DAY3_11210217", "DAY3_00000000", "DAY4_00000000"),
            (Level::Week, "DAY7_23595919", "DAY1_00000000", "DAY8_00000000"),
            (Level::Week, "DAY8_00000000", "DAY8_00000000", "DAY15_00000000"),
        ] {
            let found = window(level, at.parse().unwrap());
            assert_eq!(
                (found.start.to_string().as_str(), found.end.to_string().as_str()),
                (start, end),
                "{at}"
            );
        }
    }

    proptest! {
        #[test]
        fn each_window_holds_its_moment_and_lies_in_one_of_the_next_level(ms in 0..=Moment::END.ms() - 1) {
            let at = Moment::from_ms(ms).unwrap();
            for level in &Level::ALL[1..] {
                let inner = window(*level, at);
                prop_assert!(inner.holds(at));
                if let Some(coarser) = level.coarser() {
                    let outer = window(coarser, at);
                    prop_assert!(outer.start <= inner.start && inner.end <= outer.end);
                    prop_assert_eq!(window(coarser, inner.start), outer);
                }
            }
        }
    }
}
