//! What Python means by a digit and a whole number, for measures that must agree with published Python code on every
//! input. Blanks are in `format::tags`.

use crate::format::tags::strip;

/// First digit of every run of ten decimal digits (Unicode 14, general category Nd; all runs are ten long).
const ZEROS: [u32; 66] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50,
    0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40,
    0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066,
    0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950,
    0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6,
    0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];

/// The value of a decimal digit of any script, as `\d` and `int` know them.
pub(crate) fn digit(c: char) -> Option<u32> {
    if c.is_ascii() {
        return c.to_digit(10);
    }
    let code = u32::from(c);
    let at = ZEROS.partition_point(|&zero| zero <= code);
    Some(code - ZEROS[at.checked_sub(1)?]).filter(|&value| value < 10)
}

/// `int` of a text: blanks around, a sign, digits with single underscores between them. As the nearest `f64`.
pub(crate) fn int(text: &str) -> Option<f64> {
    let text = strip(text);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut plain = String::with_capacity(digits.len());
    let mut between = false;
    for c in digits.chars() {
        match digit(c) {
            Some(value) => plain.push(char::from(b'0' + value as u8)),
            None if c == '_' && between => {}
            None => return None,
        }
        between = c != '_';
    }
    between.then(|| plain.parse::<f64>().ok().map(|value| sign * value))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers() {
        let check = |text: &str, expect: Option<f64>| assert_eq!(int(text), expect, "{text:?}");
        check("640", Some(640.0));
        check(" -6_40\u{1c}", Some(-640.0));
        check("+0012", Some(12.0));
        check("\u{664}\u{1d7d7}", Some(49.0));
        for none in ["", " ", "-", "+-1", "6__4", "_6", "6_", "6.0", "1e3", "six", "\u{b2}"] {
            check(none, None);
        }
    }

    #[test]
    fn digits_of_every_script() {
        let digits = (0..=0x10_ffff).filter_map(char::from_u32).filter(|&c| digit(c).is_some()).count();
        assert_eq!(digits, 660);
        assert_eq!((digit('\u{2f}'), digit('\u{669}'), digit('\u{66a}')), (None, Some(9), None));
    }
}
