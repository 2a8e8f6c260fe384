//! Published memory files, moments, and the time in questions: whatever is read keeps its promise, nothing else is
//! accepted.
#![no_main]

use std::path::Path;

use firsthand_base::Moment;
use firsthand_memory::published::{FileName, read};
use firsthand_memory::{Intent, Weekday, stem, terms};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    moment(text);
    for name in ["A1_JAKE_10min.json", "A1_JAKE_1day.json", "abc.json", "records.jsonl"] {
        if let Ok(found) = read(text, &FileName::of(Path::new(name)), name) {
            for record in found.records {
                record.validate().expect("what is read is a record that can be");
            }
        }
    }
    for clock in [Moment::START, Moment::from_ms(400_000_000).unwrap_or_default(), Moment::END] {
        let intent = Intent::read(text, clock, Some(Weekday::Saturday));
        assert!(intent.days.iter().all(|(first, last)| *first >= 1 && first <= last));
        assert!(intent.span.is_none_or(|(from, to)| from <= to));
        let fit = intent.fit(clock, clock.plus_ms(30_000));
        assert!((0.0..=1.0).contains(&fit));
        let _ = (intent.coverage(clock, clock), intent.hull());
    }
    for term in terms(text) {
        assert!(!term.is_empty() && !stem(&term).is_empty());
    }
});

fn moment(text: &str) {
    if let Ok(moment) = text.parse::<Moment>() {
        let again: Moment = moment.to_string().parse().expect("what is printed can be read");
        assert_eq!(again, moment);
        assert_eq!(Moment::from_clock_number(moment.day(), moment.clock_number()), Ok(moment));
    }
}
