//! Dates as people and containers write them, `2026-03-01T08:00:00.5Z`, as milliseconds since 1970. Without a zone the
//! wall clock is meant; what becomes of a zone is the caller's business.

/// Milliseconds since 1970 by the wall clock of the text, and minutes that this clock is ahead of UTC where it says so.
pub fn read_date(text: &str) -> Option<(i64, Option<i64>)> {
    let (date, clock) = text.trim().split_once(['T', ' '])?;
    let numbers = |text: &str, by: char, lengths: &[usize]| -> Option<Vec<i64>> {
        let parts: Vec<&str> = text.split(by).collect();
        let fits = parts.len() == lengths.len()
            && parts.iter().zip(lengths).all(|(part, length)| {
                part.len() == *length && part.bytes().all(|byte| byte.is_ascii_digit())
            });
        fits.then(|| parts.iter().filter_map(|part| part.parse().ok()).collect())
    };
    let [year, month, day] = numbers(date, '-', &[4, 2, 2])?[..] else { return None };
    let (clock, zone) = match clock.find(['Z', '+', '-']) {
        Some(at) => (&clock[..at], Some(&clock[at..])),
        None => (clock, None),
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let (hour, minute, second) =
        match &numbers(clock, ':', &[2, 2, 2]).or_else(|| numbers(clock, ':', &[2, 2]))?[..] {
            [hour, minute] => (*hour, *minute, 0),
            [hour, minute, second] => (*hour, *minute, *second),
            _ => return None,
        };
    let lengths = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let in_month =
        lengths.get(usize::try_from(month - 1).ok()?).is_some_and(|days| (1..=*days).contains(&day));
    if !in_month || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ms: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let zone = match zone {
        None => None,
        Some("Z") => Some(0),
        Some(zone) => {
            let [hours, minutes] = numbers(&zone[1..], ':', &[2, 2])?[..] else { return None };
            Some((hours * 60 + minutes) * if zone.starts_with('-') { -1 } else { 1 })
        }
    };
    let days = days_before(year) + lengths[..(month - 1) as usize].iter().sum::<i64>() + day - 1;
    Some(((days * 86_400 + hour * 3600 + minute * 60 + second) * 1000 + ms, zone))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days from 1970 to the first day of a year.
fn days_before(year: i64) -> i64 {
    let leaps = |year: i64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_with_and_without_a_zone() {
        for (text, expect) in [
            ("1970-01-01T00:00", Some((0, None))),
            ("2026-03-01T08:00", Some((1_772_352_000_000, None))),
            ("2026-03-01 08:00:01.5", Some((1_772_352_001_500, None))),
            ("2026-03-01T08:00:00.000000Z", Some((1_772_352_000_000, Some(0)))),
            ("2024-02-29T23:59:59-07:30", Some((1_709_251_199_000, Some(-450)))),
            ("1969-12-31T23:59:59+01:00", Some((-1000, Some(60)))),
            ("2000-12-31T00:00", Some((978_220_800_000, None))),
            ("2026-02-29T08:00", None),
            ("2026-13-01T08:00", None),
            ("2026-00-01T08:00", None),
            ("2026-03-01T24:00", None),
            ("2026-03-01", None),
            ("26-03-01T08:00", None),
            ("2026-03-01T08", None),
            ("2026-03-01T08:00:00.x", None),
            ("2026-03-01T08:00+1", None),
            ("", None),
        ] {
            assert_eq!(read_date(text), expect, "{text}");
        }
    }
}
