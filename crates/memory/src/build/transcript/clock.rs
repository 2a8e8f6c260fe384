//! Times of cues as people and programs write them: `01:02:03,450`, `02:03.45`, `1:2:3`, `-0:00:01.5`, `00: 00: 01 ,5`.

use super::LONGEST_MS;

/// A time at the beginning of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// Milliseconds; what lies before the start of the recording is its start.
    pub ms: i64,
    /// Bytes of the text that it takes.
    pub length: usize,
    /// Whether it is written as a clock, not as a bare number of seconds.
    pub has_colon: bool,
    /// Whether nothing else is written like it: a clock with hours or with a fraction.
    pub is_full: bool,
}

/// The whole of a text as a time.
pub(super) fn read(text: &str) -> Option<Read> {
    let read = begin(text.trim())?;
    (read.length == text.trim().len()).then_some(read)
}

/// The time that a text begins with. Blanks may stand around its colons and its comma.
pub(super) fn begin(text: &str) -> Option<Read> {
    let mut reader = Reader { text, at: 0 };
    let mut is_negative = reader.sign();
    let mut parts = vec![reader.number()?.0];
    while parts.len() < 4 && reader.separator(&[':', '：']) {
        is_negative |= reader.sign();
        parts.push(reader.number()?.0);
    }
    let has_colon = parts.len() > 1;
    let mut is_full = parts.len() > 2;
    let mut fraction = 0;
    if parts.len() == 4 {
        // `00:00:01:500`: of frames, which have two digits, nobody knows how long they are.
        let (ms, digits) = (parts.pop()?, reader.last_digits());
        if digits != 3 {
            return None;
        }
        fraction = ms;
    } else if reader.separator(&[',', '.', ';', '，', '．']) {
        is_negative |= reader.sign();
        is_full = has_colon;
        fraction = reader.fraction();
    }
    let seconds = parts.iter().try_fold(0i64, |sum, part| sum.checked_mul(60)?.checked_add(*part))?;
    let ms = seconds.checked_mul(1000)?.checked_add(fraction)?;
    if ms as f64 > LONGEST_MS {
        return None;
    }
    Some(Read { ms: if is_negative { 0 } else { ms }, length: reader.at, has_colon, is_full })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn sign(&mut self) -> bool {
        match self.rest().chars().next() {
            Some(sign @ ('-' | '−')) => {
                self.at += sign.len_utf8();
                true
            }
            _ => false,
        }
    }

    /// A number of at most nine digits.
    fn number(&mut self) -> Option<(i64, usize)> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || digits > 9 {
            return None;
        }
        let number = self.rest()[..digits].parse().ok()?;
        self.at += digits;
        Some((number, digits))
    }

    fn last_digits(&self) -> usize {
        self.text[..self.at].bytes().rev().take_while(u8::is_ascii_digit).count()
    }

    /// One of the signs with blanks around it, but only where a number follows or the sign stands at a number.
    fn separator(&mut self, signs: &[char]) -> bool {
        let blanks = |text: &str| text.len() - text.trim_start().len();
        let before = blanks(self.rest());
        let mut letters = self.rest()[before..].chars();
        let Some(sign) = letters.next().filter(|letter| signs.contains(letter)) else { return false };
        let after_sign = self.at + before + sign.len_utf8();
        let after = after_sign + blanks(&self.text[after_sign..]);
        let follows = self.text[after..].trim_start_matches(['-', '−']);
        let is_number = follows.starts_with(|letter: char| letter.is_ascii_digit());
        if is_number {
            self.at = after;
        } else if before == 0 && !signs.contains(&':') {
            // `00:00:01,` has no milliseconds.
            self.at = after_sign;
        } else {
            return false;
        }
        true
    }

    /// Milliseconds of the digits after the comma; there may be none, and those after the third do not count.
    fn fraction(&mut self) -> i64 {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let padded = format!("{:0<3}", &self.rest()[..digits]);
        self.at += digits;
        padded[..3].parse().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for (text, expect) in [
            ("01:02:03,450", Some(3_723_450)),
            ("02:03.45", Some(123_450)),
            ("3", Some(3000)),
            ("3.5", Some(3500)),
            ("1:2:3", Some(3_723_000)),
            ("00:00:01", Some(1000)),
            ("00:00:01,", Some(1000)),
            ("00:00:01,5", Some(1500)),
            ("00:00:01,05", Some(1050)),
            ("00:00:01.123456789", Some(1123)),
            ("100:00:00,000", Some(360_000_000)),
            ("00:75:00,000", Some(4_500_000)),
            ("00: 00: 01 , 500", Some(1500)),
            ("00 : 00 : 01.5", Some(1500)),
            ("00:00:01:500", Some(1500)),
            ("00：00：01，5", Some(1500)),
            ("-00:00:01,000", Some(0)),
            ("00:00:-1,500", Some(0)),
            ("−0:01", Some(0)),
            ("00:00:01:12", None),
            ("00:00:xx,000", None),
            ("00:00:01,x", None),
            ("999999:00:00", None),
            ("12345678901:00", None),
            (":01", None),
            ("", None),
        ] {
            assert_eq!(read(text).map(|read| read.ms), expect, "{text}");
        }
    }
}
