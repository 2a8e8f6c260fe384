//! A moment on a wearer's timeline: whole milliseconds since the midnight before day 1. Where one recording starts
//! is written in its name (`DAY3_11210217`: day 3, 11:21:02, frame 17 of 20); this file reads and prints that form
//! and the two 8-digit forms of published memory files. Time inside a medium is [`crate::MediaTime`], never this.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Frames a second of the recordings whose names carry a frame number.
const FRAMES_PER_SECOND: i64 = 20;
const FRAME_MS: i64 = 1000 / FRAMES_PER_SECOND;

/// Milliseconds since the midnight before day 1; never negative, never past the last moment of day 9,999,999.
///
/// Printed as `DAYd_HHMMSSFF`, which truncates to 1/20 s. Serialised as milliseconds, which loses nothing; the
/// printed form is read back as well.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment {
    ms: i64,
}

/// Why a text or number is not a moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a moment: {reason}; write DAYd_HHMMSSFF, for example DAY3_11210217")]
pub struct MomentError {
    /// What was read, shortened.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl MomentError {
    fn new(text: &str, reason: &'static str) -> Self {
        MomentError { text: text.chars().take(40).collect(), reason }
    }
}

impl Moment {
    /// Midnight before day 1.
    pub const START: Moment = Moment { ms: 0 };
    /// The last moment that can be named.
    pub const END: Moment = Moment { ms: Moment::LAST_DAY as i64 * Moment::DAY_MS };
    /// Milliseconds of a day.
    pub const DAY_MS: i64 = 86_400_000;
    /// The last day that can be named.
    pub const LAST_DAY: u32 = 9_999_999;

    /// A moment by its milliseconds; `None` outside [`Moment::START`]..=[`Moment::END`].
    pub fn from_ms(ms: i64) -> Option<Moment> {
        (0..=Moment::END.ms).contains(&ms).then_some(Moment { ms })
    }

    /// Milliseconds into a day (1 is the first); `ms_of_day` may be a whole day, which is the next midnight.
    pub fn on_day(day: u32, ms_of_day: i64) -> Option<Moment> {
        let known = (1..=Moment::LAST_DAY).contains(&day) && (0..=Moment::DAY_MS).contains(&ms_of_day);
        known.then(|| Moment { ms: i64::from(day - 1) * Moment::DAY_MS + ms_of_day })
    }

    /// A day and a wall clock: hours, minutes, seconds and the frame of the second (20 a second; a larger frame
    /// number reads as 0, as the published readers do).
    pub fn at(day: u32, hour: u32, minute: u32, second: u32, frame: u32) -> Option<Moment> {
        // 24:00:00 is how files write the end of a day.
        let end_of_day = hour == 24 && minute == 0 && second == 0;
        if !(hour < 24 || end_of_day) || minute > 59 || second > 59 {
            return None;
        }
        let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        let frame = if i64::from(frame) < FRAMES_PER_SECOND && !end_of_day { i64::from(frame) } else { 0 };
        Moment::on_day(day, seconds * 1000 + frame * FRAME_MS)
    }

    /// Milliseconds since the midnight before day 1.
    pub fn ms(self) -> i64 {
        self.ms
    }

    /// The day, 1 for the first.
    pub fn day(self) -> u32 {
        // The constructor bounds the days to LAST_DAY + 1 (whose midnight is END), which fits.
        (self.ms / Moment::DAY_MS) as u32 + 1
    }

    /// Milliseconds since the midnight of its day.
    pub fn ms_of_day(self) -> i64 {
        self.ms % Moment::DAY_MS
    }

    /// The midnight its day began with.
    pub fn midnight(self) -> Moment {
        Moment { ms: self.ms - self.ms_of_day() }
    }

    /// This moment moved by milliseconds, held inside [`Moment::START`]..=[`Moment::END`].
    pub fn plus_ms(self, ms: i64) -> Moment {
        Moment { ms: self.ms.saturating_add(ms).clamp(0, Moment::END.ms) }
    }

    /// The clock of its day as published memory files write it: `HHMMSSFF` as one number (11:09 is 11090000).
    pub fn clock_number(self) -> u32 {
        let seconds = self.ms_of_day() / 1000;
        let frame = self.ms_of_day() % 1000 / FRAME_MS;
        let [hours, minutes] = [seconds / 3600, seconds / 60 % 60];
        (((hours * 100 + minutes) * 100 + seconds % 60) * 100 + frame) as u32
    }

    /// The clock of its day as eight digits, `00003000` for half past midnight.
    pub fn clock_digits(self) -> String {
        format!("{:08}", self.clock_number())
    }

    /// Reads [`Moment::clock_number`] back.
    pub fn from_clock_number(day: u32, clock: u32) -> Result<Moment, MomentError> {
        let fault = |reason| MomentError::new(&clock.to_string(), reason);
        if clock > 99_999_999 {
            return Err(fault("a clock has eight digits"));
        }
        let [hour, minute, second] = [clock / 1_000_000, clock / 10_000 % 100, clock / 100 % 100];
        if !(1..=Moment::LAST_DAY).contains(&day) {
            return Err(fault("days count from 1 to 9999999"));
        }
        Moment::at(day, hour, minute, second, clock % 100)
            .ok_or_else(|| fault("there is no such time of day"))
    }

    /// Reads [`Moment::clock_digits`] back; exactly eight digits.
    pub fn from_clock_digits(day: u32, clock: &str) -> Result<Moment, MomentError> {
        if clock.len() != 8 || !clock.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(MomentError::new(clock, "a clock has eight digits"));
        }
        let number = clock.parse().map_err(|_| MomentError::new(clock, "a clock has eight digits"))?;
        Moment::from_clock_number(day, number)
    }
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Moment, MomentError> {
        let fault = |reason| MomentError::new(text, reason);
        let rest = text.strip_prefix("DAY").ok_or_else(|| fault("it does not begin with DAY"))?;
        let (day, clock) = rest.split_once('_').ok_or_else(|| fault("there is no _ after the day"))?;
        if day.is_empty() || day.len() > 7 || !day.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(fault("days count from 1 to 9999999"));
        }
        let day = day.parse().map_err(|_| fault("days count from 1 to 9999999"))?;
        Moment::from_clock_digits(day, clock).map_err(|error| fault(error.reason))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("DAY{}_{}", self.day(), self.clock_digits()))
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}+{}", self.ms % FRAME_MS)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_i64(self.ms)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Ms(i64),
            Text(String),
        }
        match Form::deserialize(d)? {
            Form::Ms(ms) => Moment::from_ms(ms).ok_or_else(|| {
                serde::de::Error::custom(format!("{ms} ms is outside the days that can be named"))
            }),
            Form::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: Result<i64, &str>) {
        let read = text.parse::<Moment>();
        match expect {
            Ok(ms) => assert_eq!(read.map(Moment::ms), Ok(ms), "{text}"),
            Err(reason) => {
                let error = read.expect_err(text);
                assert_eq!(error.reason, reason, "{text}");
                assert!(error.to_string().contains("write DAYd_HHMMSSFF"));
            }
        }
    }

    #[test]
    fn the_printed_form_is_read_and_its_faults_are_named() {
        let day = Moment::DAY_MS;
        check("DAY1_00000000", Ok(0));
        check("DAY3_11210217", Ok(2 * day + ((11 * 60 + 21) * 60 + 2) * 1000 + 17 * 50));
        check("DAY4_16062618", Ok(3 * day + ((16 * 60 + 6) * 60 + 26) * 1000 + 900));
        check("DAY1_00000019", Ok(950));
        check("DAY1_00000020", Ok(0));
        check("DAY1_00000199", Ok(1000));
        check("DAY1_24000000", Ok(day));
        check("DAY1_24000017", Ok(day));
        check("DAY12_01000000", Ok(11 * day + 3_600_000));
        check("DAY9999999_23595919", Ok(9_999_999 * day - 50));
        for text in
            ["DAY0_00000000", "DAY_00000000", "DAY-1_00000000", "DAY+1_00000000", "DAY99999999_00000000"]
        {
            check(text, Err("days count from 1 to 9999999"));
        }
        for text in [
            "DAY1_",
            "DAY1_1121021",
            "DAY1_112102171",
            "DAY1_+1210217",
            "DAY1_11:21:02",
            "DAY1_１１２１０２１７",
        ] {
            check(text, Err("a clock has eight digits"));
        }
        for text in ["DAY1_24000100", "DAY1_25000000", "DAY1_00600000", "DAY1_00006000"] {
            check(text, Err("there is no such time of day"));
        }
        check("day1_00000000", Err("it does not begin with DAY"));
        check("", Err("it does not begin with DAY"));
        check("DAY1-00000000", Err("there is no _ after the day"));
    }

    #[test]
    fn published_clocks_are_read_and_written() {
        let at = Moment::at(1, 11, 9, 0, 0).unwrap();
        assert_eq!((at.clock_number(), at.clock_digits().as_str()), (11_090_000, "11090000"));
        let half = Moment::from_clock_digits(1, "00003000").unwrap();
        assert_eq!((half.ms(), half.clock_number()), (30_000, 3000));
        assert_eq!(Moment::from_clock_number(2, 10_440_000).unwrap().to_string(), "DAY2_10440000");
        assert!(Moment::from_clock_number(0, 0).is_err());
        assert!(Moment::from_clock_number(1, u32::MAX).is_err());
        assert!(Moment::from_clock_digits(1, "3000").is_err());
    }

    proptest! {
        #[test]
        fn a_printed_moment_reads_back_truncated_to_a_frame(ms in 0..=Moment::END.ms - 1) {
            let moment = Moment::from_ms(ms).unwrap();
            let back: Moment = moment.to_string().parse().unwrap();
            prop_assert_eq!(back.ms(), ms / FRAME_MS * FRAME_MS);
            prop_assert_eq!(back.to_string(), moment.to_string());
            prop_assert_eq!(Moment::from_clock_number(moment.day(), moment.clock_number()).unwrap(), back);
            prop_assert_eq!(Moment::from_clock_digits(moment.day(), &moment.clock_digits()).unwrap(), back);
            prop_assert_eq!(moment.midnight().plus_ms(moment.ms_of_day()), moment);
            let json = serde_json::to_string(&moment).unwrap();
            prop_assert_eq!(serde_json::from_str::<Moment>(&json).unwrap(), moment);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(DAY)?[0-9]{0,9}_?.{0,10}") {
            if let Ok(moment) = text.parse::<Moment>() {
                prop_assert!(Moment::from_ms(moment.ms()) == Some(moment));
            }
        }
    }
}
