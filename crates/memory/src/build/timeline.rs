//! When a recording was made. Names that carry day and time decide (`DAY3_11210217.mp4`, `DAY3_A1_JAKE_11210217.mp4`);
//! recordings without such a name stand where a first one starts, apart by the difference of their containers' clocks, or
//! one after the other where these say nothing. Reads no file: lengths and clocks are handed in.

use firsthand_base::Moment;

/// What is known of a recording's file.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The file.
    pub file: String,
    /// Its length.
    pub length_ms: i64,
    /// Milliseconds since 1970 at which the container says it was made.
    pub made_ms: Option<i64>,
}

/// A recording on the timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Its file.
    pub source: Source,
    /// Whose eyes.
    pub wearer: String,
    /// When it starts.
    pub start: Moment,
    /// When it ends.
    pub end: Moment,
    /// What is odd about it, a line each.
    pub notes: Vec<String>,
}

/// Day, time and wearer of a recording's name; `None` if it carries none.
pub fn named(file: &str) -> Option<(Moment, Option<String>)> {
    let name = file.rsplit(['/', '\\']).next()?;
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let (day, rest) = stem.split_once('_')?;
    let (middle, clock) = match rest.rsplit_once('_') {
        Some((middle, clock)) => (Some(middle), clock),
        None => (None, rest),
    };
    let moment = format!("{day}_{clock}").parse().ok()?;
    Some((moment, middle.filter(|middle| !middle.is_empty()).map(str::to_owned)))
}

/// Places recordings, in the order given, and puts them in order of wearer and time. `wearer` overrides what names say;
/// `start` is when the first recording without a name starts. What cannot be placed comes with the reason.
pub fn place(
    sources: Vec<Source>,
    wearer: Option<&str>,
    start: Option<Moment>,
) -> (Vec<Placed>, Vec<(Source, String)>) {
    let (mut placed, mut lost) = (Vec::new(), Vec::new());
    // Of the latest recording without a name: the clock of its container and its place.
    let mut last: Option<(Option<i64>, Moment, Moment)> = None;
    for source in sources {
        let mut notes = Vec::new();
        let (start, from_name) = match (named(&source.file), start, last) {
            (Some((moment, name)), _, _) => (moment, name),
            (None, None, _) => {
                let reason = "nothing says when it was made: its name is not like DAY1_08300000, and --start is not given";
                lost.push((source, reason.to_owned()));
                continue;
            }
            (None, Some(first), None) => (first, None),
            (None, Some(_), Some((made_ms, began, ended))) => match (made_ms, source.made_ms) {
                (Some(before), Some(now)) => {
                    let ms = began.ms() + (now - before);
                    let Some(moment) = Moment::from_ms(ms) else {
                        let reason =
                            "its container's clock puts it before day 1; give it alone, with its own --start";
                        lost.push((source, reason.to_owned()));
                        continue;
                    };
                    if moment < began {
                        notes.push(
                            "its clock is earlier than that of the recording given before it".to_owned(),
                        );
                    }
                    (moment, None)
                }
                _ => {
                    notes.push(
                        "its container does not say when it was made: placed after the one before it"
                            .to_owned(),
                    );
                    (ended, None)
                }
            },
        };
        let end = start.plus_ms(source.length_ms);
        if named(&source.file).is_none() {
            last = Some((source.made_ms, start, end));
        }
        let wearer = wearer.map(str::to_owned).or(from_name).unwrap_or_else(|| "me".to_owned());
        placed.push(Placed { source, wearer, start, end, notes });
    }
    placed.sort_by(|a, b| (&a.wearer, a.start, &a.source.file).cmp(&(&b.wearer, b.start, &b.source.file)));
    (placed, lost)
}

/// Says of recordings, which come by wearer and time, where they overlap the one before by more than a second.
pub fn note_overlaps(placed: &mut [Placed]) {
    for index in 1..placed.len() {
        let (before, rest) = placed.split_at_mut(index);
        let this = &mut rest[0];
        let latest = before.iter().filter(|other| other.wearer == this.wearer).max_by_key(|other| other.end);
        let Some(other) = latest else { continue };
        let overlap_ms = other.end.min(this.end).ms() - this.start.ms();
        if overlap_ms > 1000 {
            this.notes.push(format!(
                "its first {:.1} s are also in {}, and are taken from there",
                overlap_ms as f64 / 1000.0,
                other.source.file
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_day_time_and_wearer() {
        for (file, expect) in [
            ("DAY3/DAY3_11210217.mp4", Some(("DAY3_11210217", None))),
            ("x/DAY1_A1_JAKE_11090000.MP4", Some(("DAY1_11090000", Some("A1_JAKE")))),
            ("DAY12_Ann_00000000.mkv", Some(("DAY12_00000000", Some("Ann")))),
            ("C:\\films\\DAY1_08300000.mp4", Some(("DAY1_08300000", None))),
            ("DAY1_08300000", Some(("DAY1_08300000", None))),
            ("DAY1_25000000.mp4", None),
            ("DAY1__0830000.mp4", None),
            ("day1_08300000.mp4", None),
            ("GOPR0001.mp4", None),
            ("", None),
        ] {
            let found = named(file).map(|(moment, name)| (moment.to_string(), name));
            assert_eq!(found, expect.map(|(at, name)| (at.to_owned(), name.map(str::to_owned))), "{file}");
        }
    }

    fn source(file: &str, seconds: i64, made_s: Option<i64>) -> Source {
        Source { file: file.into(), length_ms: seconds * 1000, made_ms: made_s.map(|s| s * 1000) }
    }

    fn shown(placed: &[Placed]) -> Vec<String> {
        placed
            .iter()
            .map(|one| {
                format!(
                    "{} {} {}-{} {}",
                    one.source.file,
                    one.wearer,
                    one.start,
                    one.end.clock_digits(),
                    one.notes.join("; ")
                )
            })
            .collect()
    }

    #[test]
    fn recordings_are_placed_by_name_by_clock_or_in_turn() {
        let start = "DAY2_08000000".parse().ok();
        let made = 1_700_000_000;
        let sources = vec![
            source("b.mp4", 60, Some(made)),
            source("c.mp4", 30, Some(made + 600)),
            source("DAY1_A2_ALICE_09000000.mp4", 30, None),
            source("d.mp4", 30, None),
            source("e.mp4", 30, Some(made - 60)),
            source("f.mp4", 30, Some(made - 600_000)),
        ];
        let (placed, lost) = place(sources.clone(), None, start);
        assert_eq!(
            shown(&placed),
            [
                "DAY1_A2_ALICE_09000000.mp4 A2_ALICE DAY1_09000000-09003000 ",
                "b.mp4 me DAY2_08000000-08010000 ",
                "c.mp4 me DAY2_08100000-08103000 ",
                "d.mp4 me DAY2_08103000-08110000 its container does not say when it was made: placed after the one before it",
                "e.mp4 me DAY2_08110000-08113000 its container does not say when it was made: placed after the one before it",
            ]
        );
        assert_eq!(lost.len(), 1);
        assert!(lost[0].1.contains("before day 1"), "{lost:?}");
        let (placed, lost) = place(sources, Some("A1"), None);
        assert_eq!(shown(&placed), ["DAY1_A2_ALICE_09000000.mp4 A1 DAY1_09000000-09003000 "]);
        assert_eq!(lost.len(), 5);
        assert!(lost[0].1.contains("--start"));
    }

    #[test]
    fn a_clock_that_runs_backwards_and_overlaps_are_told() {
        let start = "DAY2_08000000".parse().ok();
        let sources = vec![
            source("a.mp4", 600, Some(5000)),
            source("b.mp4", 600, Some(4700)),
            source("c.mp4", 60, Some(9000)),
        ];
        let (mut placed, _) = place(sources, None, start);
        note_overlaps(&mut placed);
        assert_eq!(
            shown(&placed),
            [
                "b.mp4 me DAY2_07550000-08050000 its clock is earlier than that of the recording given before it",
                "a.mp4 me DAY2_08000000-08100000 its first 300.0 s are also in b.mp4, and are taken from there",
                "c.mp4 me DAY2_09064000-09074000 ",
            ]
        );
    }
}
