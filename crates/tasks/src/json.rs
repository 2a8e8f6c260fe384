//! JSON as Python's `json.loads` reads it: `NaN` and `Infinity` are numbers, numbers too large are infinite, the last
//! of equal keys counts, lone surrogates are let through. Measures that must agree with published Python code, and
//! strict readers that want to say what is wrong with a number, start here; everything else uses serde_json.

use std::borrow::Cow;

/// Lists and objects within each other. Python stops near 1000 less the calls that led to the reader.
const DEPTH: usize = 900;
/// Digits of the longest whole number that Python reads.
const DIGITS: usize = 4300;

/// A value. Numbers are the nearest `f64`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    /// In the order of the text, repeated keys included.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// The value a text is, blanks around it left out.
    pub(crate) fn parse(text: &'a str) -> Option<Json<'a>> {
        let mut reader = Reader { text, at: 0 };
        reader.blank();
        let value = reader.value(0)?;
        reader.blank();
        (reader.at == text.len()).then_some(value)
    }

    /// The member of an object.
    pub(crate) fn get(&self, key: &str) -> Option<&Json<'a>> {
        let Json::Object(members) = self else { return None };
        members.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// A text.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }

    /// The items of a list.
    pub(crate) fn list(&self) -> Option<&[Json<'a>]> {
        if let Json::List(items) = self { Some(items) } else { None }
    }

    /// Whether Python takes it for true.
    pub(crate) fn is_truthy(&self) -> bool {
        match self {
            Json::Null => false,
            Json::Bool(value) => *value,
            Json::Number(value) => *value != 0.0,
            Json::Text(text) => !text.is_empty(),
            Json::List(items) => !items.is_empty(),
            Json::Object(members) => !members.is_empty(),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Steps over a byte and the blanks before and after it.
    fn mark(&mut self, mark: u8) -> bool {
        self.blank();
        let found = self.peek() == Some(mark);
        if found {
            self.at += 1;
            self.blank();
        }
        found
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Option<Json<'a>> {
        self.rest().starts_with(word.as_bytes()).then(|| {
            self.at += word.len();
            value
        })
    }

    fn value(&mut self, depth: usize) -> Option<Json<'a>> {
        match self.peek()? {
            b'"' => self.string().map(Json::Text),
            b'{' | b'[' if depth >= DEPTH => None,
            b'{' => self.object(depth + 1),
            b'[' => self.list(depth + 1),
            b'n' => self.word("null", Json::Null),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'N' => self.word("NaN", Json::Number(f64::NAN)),
            b'I' => self.word("Infinity", Json::Number(f64::INFINITY)),
            b'-' if self.rest().starts_with(b"-I") => self.word("-Infinity", Json::Number(-f64::INFINITY)),
            _ => self.number().map(Json::Number),
        }
    }

    fn list(&mut self, depth: usize) -> Option<Json<'a>> {
        let mut items = Vec::new();
        self.mark(b'[');
        if self.mark(b']') {
            return Some(Json::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if !self.mark(b',') {
                break;
            }
        }
        self.mark(b']').then_some(Json::List(items))
    }

    fn object(&mut self, depth: usize) -> Option<Json<'a>> {
        let mut members = Vec::new();
        self.mark(b'{');
        if self.mark(b'}') {
            return Some(Json::Object(members));
        }
        loop {
            let key = self.string()?;
            if !self.mark(b':') {
                return None;
            }
            members.push((key, self.value(depth)?));
            if !self.mark(b',') {
                break;
            }
        }
        self.mark(b'}').then_some(Json::Object(members))
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        if self.peek()? != b'"' {
            return None;
        }
        self.at += 1;
        let mut owned = String::new();
        loop {
            let start = self.at;
            let plain = self.rest().iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < b' ')?;
            let piece = &self.text[start..start + plain];
            self.at += plain + 1;
            match self.text.as_bytes()[start + plain] {
                b'"' if owned.is_empty() => return Some(Cow::Borrowed(piece)),
                b'"' => {
                    owned.push_str(piece);
                    return Some(Cow::Owned(owned));
                }
                b'\\' => {
                    owned.push_str(piece);
                    owned.push(self.escape()?);
                }
                _ => return None,
            }
        }
    }

    /// What follows a backslash. Half of a surrogate pair becomes U+FFFD.
    fn escape(&mut self) -> Option<char> {
        let kind = self.peek()?;
        self.at += 1;
        Some(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                let after = self.at;
                if (0xd800..0xdc00).contains(&first) && self.rest().starts_with(b"\\u") {
                    self.at += 2;
                    let second = self.hex()?;
                    if (0xdc00..0xe000).contains(&second) {
                        return char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00));
                    }
                    self.at = after;
                }
                char::from_u32(first).unwrap_or('\u{fffd}')
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        self.at += 4;
        digits.iter().try_fold(0, |value, &byte| Some(value * 16 + char::from(byte).to_digit(16)?))
    }

    fn digits(&mut self) -> usize {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn number(&mut self) -> Option<f64> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let first = self.at;
        let whole = self.digits();
        if whole == 0 || (whole > 1 && self.text.as_bytes()[first] == b'0') {
            return None;
        }
        let mut is_whole = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            is_whole = false;
            if self.digits() == 0 {
                return None;
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            is_whole = false;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return None;
            }
        }
        if is_whole && whole > DIGITS {
            return None;
        }
        self.text[start..self.at].parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_python_reads() {
        let check = |text: &str, expect: Option<Json<'_>>| assert_eq!(Json::parse(text), expect, "{text:?}");
        let text = |text: &'static str| Json::Text(Cow::Borrowed(text));
        check(
            " [1, -2.5e-1,\t\"a\\u00e9\\ud83d\\ude00\\ud800\" , true,null]\r\n",
            Some(Json::List(vec![
                Json::Number(1.0),
                Json::Number(-0.25),
                text("a\u{e9}\u{1f600}\u{fffd}"),
                Json::Bool(true),
                Json::Null,
            ])),
        );
        check("{}", Some(Json::Object(vec![])));
        check("[ ]", Some(Json::List(vec![])));
        check("1e999", Some(Json::Number(f64::INFINITY)));
        check("-Infinity", Some(Json::Number(-f64::INFINITY)));
        assert!(matches!(Json::parse("NaN"), Some(Json::Number(number)) if number.is_nan()));
        let twice = Json::parse("{\"a\": 1, \"a\": 2}").unwrap();
        assert_eq!(twice.get("a"), Some(&Json::Number(2.0)));
        let long = "9".repeat(DIGITS);
        assert!(Json::parse(&long).is_some() && Json::parse(&format!("{long}9")).is_none());
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(&nested(DEPTH)).is_some() && Json::parse(&nested(DEPTH + 1)).is_none());
        for none in [
            "",
            " ",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\" 1}",
            "[1 2]",
            "\"\n\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"open",
            "[",
            "{\"a\":",
            "nul",
            "1 2",
            "\u{a0}1",
            "\u{feff}1",
            "'a'",
            "{,}",
        ] {
            check(none, None);
        }
    }

    fn same(ours: &Json<'_>, theirs: &serde_json::Value) -> bool {
        match (ours, theirs) {
            (Json::Null, serde_json::Value::Null) => true,
            (Json::Bool(a), serde_json::Value::Bool(b)) => a == b,
            (Json::Number(a), serde_json::Value::Number(b)) => Some(*a) == b.as_f64(),
            (Json::Text(a), serde_json::Value::String(b)) => a == b,
            (Json::List(a), serde_json::Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Json::Object(_), serde_json::Value::Object(b)) => {
                b.iter().all(|(key, b)| ours.get(key).is_some_and(|a| same(a, b)))
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn what_serde_reads_is_read_alike(text in "[\\[\\]{}:,\"0-9.e\\-a \\\\ntrufls]{0,24}") {
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
                prop_assert!(same(&Json::parse(&text).unwrap(), &value));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}", cut in 0..40usize) {
            Json::parse(&text);
            let quoted = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(Json::parse(&quoted), Some(Json::Text(Cow::Owned(text))));
            Json::parse(quoted.get(..cut).unwrap_or(""));
        }
    }
}
