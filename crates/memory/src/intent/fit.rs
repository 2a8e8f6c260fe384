//! How well a record's time fits what a question says about time, between 0 and 1.

use firsthand_base::Moment;

use super::{HOUR, Intent};

/// A record that merely touches the time meant.
const TOUCHES: f64 = 0.3;
/// The same hours of another day than the latest, when no day is named.
const OTHER_DAY: f64 = 0.6;

impl Intent {
    /// How well a stretch of time fits: 1 inside what is meant, falling with the share outside it, and further with the
    /// distance from it. 1 for a question that says nothing about when.
    pub fn fit(&self, start: Moment, end: Moment) -> f32 {
        if !self.says_when() {
            return 1.0;
        }
        let mut best = 0.0f64;
        for (from, to, worth) in self.windows(start, end) {
            best = best.max(worth * fit_one((start.ms(), end.ms()), (from, to), self.scale_ms()));
        }
        best as f32
    }

    /// How much of the time meant a stretch covers, for questions that ask about a time and nothing else: the record that
    /// fills the time best tells most about it.
    pub fn coverage(&self, start: Moment, end: Moment) -> f32 {
        let mut best = 0.0f64;
        for (from, to, worth) in self.windows(start, end) {
            let overlap = (end.ms().min(to) - start.ms().max(from)).max(0);
            // What has not happened yet cannot be covered.
            let length = (to.min(self.clock.ms().max(from + 1)) - from).max(1);
            best = best.max(worth * (overlap as f64 / length as f64).min(1.0));
        }
        best as f32
    }

    /// The earliest and latest moment meant, where both are known: where to look first.
    pub fn hull(&self) -> Option<(Moment, Moment)> {
        if let Some(span) = self.span {
            return Some(span);
        }
        let first = self.days.iter().map(|(first, _)| *first).min()?;
        let last = self.days.iter().map(|(_, last)| *last).max()?;
        let (from, to) = self.hours.unwrap_or((0, Moment::DAY_MS));
        let start = Moment::on_day(first, 0)?.plus_ms(from);
        let end = Moment::on_day(last.min(Moment::LAST_DAY), 0)?.plus_ms(to);
        Some((start, end))
    }

    /// The windows nearest to a stretch of time, each with its worth.
    fn windows(&self, start: Moment, end: Moment) -> Vec<(i64, i64, f64)> {
        let mut windows = Vec::new();
        if let Some((from, to)) = self.span {
            windows.push((from.ms(), to.ms(), 1.0));
        }
        let (from, to) = self.hours.unwrap_or((0, Moment::DAY_MS));
        let on = |day: u32| (i64::from(day) - 1) * Moment::DAY_MS;
        if self.days.is_empty() && self.hours.is_some() {
            let latest = self.latest_day(from);
            // A record may begin on the day after the one whose night it belongs to.
            for day in start.day().saturating_sub(1)..=end.day().min(start.day().saturating_add(8)) {
                let worth = if Some(day) == latest { 1.0 } else { OTHER_DAY };
                windows.push((on(day) + from, on(day) + to, worth));
            }
        }
        for &(first, last) in &self.days {
            if self.hours.is_none() {
                windows.push((on(first), on(last) + Moment::DAY_MS, 1.0));
                continue;
            }
            // Of the days meant, those the record touches or is next to.
            let low = start.day().saturating_sub(1).clamp(first, last);
            let high = end.day().min(start.day().saturating_add(8)).clamp(first, last);
            for day in low..=high.max(low) {
                windows.push((on(day) + from, on(day) + to, 1.0));
            }
        }
        windows
    }

    /// The latest day on which these hours had begun by the clock; `None` if there was none.
    fn latest_day(&self, from_ms: i64) -> Option<u32> {
        let today = self.clock.day();
        let day = if self.clock.ms_of_day() >= from_ms { today } else { today - 1 };
        (day > 0).then_some(day)
    }

    /// How far is far.
    fn scale_ms(&self) -> f64 {
        let scale = match (self.span, self.hours) {
            (Some((from, to)), _) => (to.ms() - from.ms()).max(HOUR / 2),
            (None, Some(_)) => HOUR,
            (None, None) => Moment::DAY_MS,
        };
        scale as f64
    }
}

fn fit_one((start, end): (i64, i64), (from, to): (i64, i64), scale: f64) -> f64 {
    let overlap = end.min(to) - start.max(from);
    if overlap >= 0 && start < to.max(from + 1) && end >= from {
        let share = if end > start { overlap as f64 / (end - start) as f64 } else { 1.0 };
        return TOUCHES + (1.0 - TOUCHES) * share;
    }
    let gap = (start - to).max(from - end).max(0) as f64;
    TOUCHES * 0.8 * (-gap / scale).exp()
}
