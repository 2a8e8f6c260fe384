//! How long work will still take, from how long it took. Times come in from outside; nothing here reads a clock.

use std::time::Duration;

/// Longer estimates are not told: nobody plans by them, and the pace they stand on is not known that well.
const LONGEST: Duration = Duration::from_secs(100 * 86_400);
/// Before this much work was watched there is no pace.
const SHORTEST: Duration = Duration::from_secs(1);
/// The pace is that of the last part of the work, which is at least this long...
const PART: Duration = Duration::from_secs(60);
/// ...and at least this many times something was done in it.
const PART_TIMES: u32 = 32;

/// A moment of the work: how much of it was watched, and what was done by then.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    active: Duration,
    done: u64,
}

/// The pace of one piece of work. Times are since some fixed moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace {
    /// Watched so far, up to `since`.
    active: Duration,
    /// When it was last begun or taken up again; `None` in a pause.
    since: Option<Duration>,
    /// Done while it was watched.
    done: u64,
    /// Where the part begins that the pace is of, and where the next one will.
    from: Mark,
    next: Mark,
    /// How often something was done since `next`.
    times: u32,
}

impl Pace {
    /// Work that begins now.
    pub(crate) fn new(now: Duration) -> Pace {
        Pace { since: Some(now), ..Pace::default() }
    }

    /// Time that was spent on the work.
    fn active(&self, now: Duration) -> Duration {
        self.active + self.since.map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }

    /// So much more was done.
    pub(crate) fn done(&mut self, now: Duration, count: u64) {
        self.done = self.done.saturating_add(count);
        self.times = self.times.saturating_add(1);
        let mark = Mark { active: self.active(now), done: self.done };
        if self.times >= PART_TIMES && mark.active.saturating_sub(self.next.active) >= PART {
            (self.from, self.next, self.times) = (self.next, mark, 0);
        }
    }

    /// So much must be done again.
    pub(crate) fn undone(&mut self, count: u64) {
        self.done = self.done.saturating_sub(count);
    }

    /// The work waits for something that says nothing about its pace.
    pub(crate) fn pause(&mut self, now: Duration) {
        self.active = self.active(now);
        self.since = None;
    }

    /// The work goes on.
    pub(crate) fn resume(&mut self, now: Duration) {
        self.since.get_or_insert(now);
    }

    /// Time that `rest` more will take; `None` where nothing sensible can be said.
    pub(crate) fn left(&self, now: Duration, rest: u64) -> Option<Duration> {
        if rest == 0 {
            return Some(Duration::ZERO);
        }
        let active = self.active(now);
        // Work that was undone may leave the newer mark above what is done.
        let from = if self.done > self.from.done { self.from } else { Mark::default() };
        let done = self.done.saturating_sub(from.done);
        if done == 0 || active < SHORTEST {
            return None;
        }
        let seconds = active.saturating_sub(from.active).as_secs_f64() * (rest as f64 / done as f64);
        Duration::try_from_secs_f64(seconds).ok().filter(|left| *left <= LONGEST)
    }
}

/// A length of time in words: `40 s`, `3 min 20 s`, `2 h 05 min`, `4 days`.
pub(crate) fn words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        seconds @ 3600..172_800 => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What may happen to work.
    #[derive(Clone, Debug)]
    enum Event {
        /// Milliseconds pass.
        Wait(u64),
        Done(u64),
        Undone(u64),
        Pause,
        Resume,
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            prop_oneof![0u64..5_000, 0u64..5_000, Just(86_400_000), Just(u64::MAX / 4)].prop_map(Event::Wait),
            prop_oneof![0u64..3, 0u64..3, Just(u64::MAX / 3)].prop_map(Event::Done),
            (0u64..3).prop_map(Event::Undone),
            Just(Event::Pause),
            Just(Event::Resume),
        ];
        prop::collection::vec(event, 0..120)
    }

    proptest! {
        #[test]
        fn whatever_happens_an_estimate_is_bounded(events in events(), rest in prop_oneof![0u64..1_000, Just(u64::MAX)]) {
            let mut now = Duration::ZERO;
            let mut pace = Pace::new(now);
            for event in events {
                match event {
                    Event::Wait(ms) => now = now.saturating_add(Duration::from_millis(ms)),
                    Event::Done(count) => pace.done(now, count),
                    Event::Undone(count) => pace.undone(count),
                    Event::Pause => pace.pause(now),
                    Event::Resume => pace.resume(now),
                }
                let left = pace.left(now, rest);
                prop_assert!(left.is_none_or(|left| left <= LONGEST), "{left:?}");
            }
        }

        /// Steady work with pauses of any length anywhere: the estimate is what the rest takes, and a pause moves it by
        /// nothing.
        #[test]
        fn steady_work_is_told_what_it_takes(
            step_ms in 20u64..20_000, steps in 1u64..300, rest in 1u64..500,
            pauses in prop::collection::vec((0u64..300, 0u64..1_000_000_000), 0..6),
        ) {
            let mut now = Duration::ZERO;
            let mut pace = Pace::new(now);
            for step in 0..steps {
                now += Duration::from_millis(step_ms);
                pace.done(now, 1);
                for (_, ms) in pauses.iter().filter(|(at, _)| *at == step) {
                    let before = pace.left(now, rest);
                    pace.pause(now);
                    now += Duration::from_millis(*ms);
                    prop_assert_eq!(pace.left(now, rest), before);
                    pace.resume(now);
                    prop_assert_eq!(pace.left(now, rest), before);
                }
            }
            let expected = Duration::from_millis(step_ms * rest);
            match pace.left(now, rest) {
                Some(left) => prop_assert!(left.abs_diff(expected) <= expected / 100, "{left:?}, not {expected:?}"),
                None => prop_assert!(step_ms * steps < 1_000 || expected > LONGEST),
            }
        }
    }

    #[test]
    fn the_pace_follows_work_that_gets_slower() {
        let mut now = Duration::ZERO;
        let mut pace = Pace::new(now);
        for step in 0..1_000u32 {
            now += Duration::from_millis(if step < 500 { 100 } else { 4_000 });
            pace.done(now, 1);
        }
        let left = pace.left(now, 100).unwrap();
        assert!(left.abs_diff(Duration::from_secs(400)) < Duration::from_secs(4), "{left:?}");
    }

    #[test]
    fn times_are_told_in_words() {
        let check = |seconds: u64, expected: &str| assert_eq!(words(Duration::from_secs(seconds)), expected);
        check(0, "0 s");
        check(59, "59 s");
        check(200, "3 min 20 s");
        check(7_500, "2 h 05 min");
        check(400_000, "4 days");
    }
}
