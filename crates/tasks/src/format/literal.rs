//! Python literals as JSON values: what `ast.literal_eval` takes, as far as JSON can hold it. Dictionaries, lists,
//! tuples and sets, strings in every quotation, numbers, `True`, `False`, `None`. No expressions, no complex numbers,
//! no bytes.

use serde_json::{Map, Number, Value};

/// Deeper than any tool call; keeps the parser's own stack small.
const DEPTH: usize = 64;

/// The literal a text is; `None` if it is not one.
pub(crate) fn literal(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text.trim() };
    let value = reader.value(0)?;
    reader.blanks();
    reader.rest.is_empty().then_some(value)
}

/// A string as Python's `repr` shows it.
pub(crate) fn repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut shown = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if c == quote => shown.extend(['\\', c]),
            c if c.is_control() => shown.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown.push(quote);
    shown
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, mark: &str) -> bool {
        let found = self.rest.strip_prefix(mark);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH {
            return None;
        }
        self.blanks();
        match self.rest.chars().next()? {
            '{' => self.braces(depth),
            '[' => self.items(']', depth).map(|(items, _)| Value::Array(items)),
            '(' => {
                let (mut items, comma) = self.items(')', depth)?;
                // "(1)" is 1, "(1,)" a tuple.
                if items.len() == 1 && !comma { items.pop() } else { Some(Value::Array(items)) }
            }
            '\'' | '"' => self.strings(),
            '+' | '-' | '.' | '0'..='9' => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Option<Value> {
        let words = [("True", Value::Bool(true)), ("False", Value::Bool(false)), ("None", Value::Null)];
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if matches!(word, "u" | "U" | "r" | "R") && rest.starts_with(['\'', '"']) && !rest.contains('\\') {
            self.rest = rest;
            return self.strings();
        }
        let (_, value) = words.into_iter().find(|(name, _)| *name == word)?;
        self.rest = rest;
        Some(value)
    }

    /// What is between brackets, and whether a comma came last.
    fn items(&mut self, close: char, depth: usize) -> Option<(Vec<Value>, bool)> {
        self.rest = &self.rest[1..];
        let mut items = Vec::new();
        let mut comma = false;
        loop {
            self.blanks();
            if let Some(rest) = self.rest.strip_prefix(close) {
                self.rest = rest;
                return Some((items, comma));
            }
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(self.value(depth + 1)?);
            self.blanks();
            comma = self.eat(",");
        }
    }

    /// A dictionary, or a set as a list.
    fn braces(&mut self, depth: usize) -> Option<Value> {
        self.rest = &self.rest[1..];
        let mut entries = Map::new();
        let mut items = Vec::new();
        loop {
            self.blanks();
            if self.eat("}") {
                return Some(if items.is_empty() { Value::Object(entries) } else { Value::Array(items) });
            }
            let key = self.value(depth + 1)?;
            self.blanks();
            if self.eat(":") {
                let value = self.value(depth + 1)?;
                let key = match key {
                    Value::String(text) => text,
                    Value::Array(_) | Value::Object(_) => return None,
                    other => other.to_string(),
                };
                entries.insert(key, value);
            } else {
                items.push(key);
            }
            if !entries.is_empty() && !items.is_empty() {
                return None;
            }
            self.blanks();
            if !self.eat(",") && !self.rest.starts_with('}') {
                return None;
            }
        }
    }

    fn number(&mut self) -> Option<Value> {
        let digit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
        let signs = self.rest.len() - self.rest.trim_start_matches(['+', '-']).len();
        let (signs, rest) = self.rest.split_at(signs);
        let mut end = rest.find(|c| !digit(c)).unwrap_or(rest.len());
        // The sign of an exponent.
        if rest[..end].ends_with(['e', 'E']) && rest[end..].starts_with(['+', '-']) {
            end += 1 + rest[end + 1..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - end - 1);
        }
        let (token, rest) = rest.split_at(end);
        if !token.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None;
        }
        let negative = signs.matches('-').count() % 2 == 1;
        let number = match token.replace('_', "").parse::<i64>() {
            Ok(whole) => Number::from(if negative { -whole } else { whole }),
            Err(_) => {
                let value = super::python_float(token)?;
                Number::from_f64(if negative { -value } else { value })?
            }
        };
        self.rest = rest;
        Some(Value::Number(number))
    }

    /// One string, or several side by side, which Python joins.
    fn strings(&mut self) -> Option<Value> {
        let mut text = String::new();
        while self.rest.starts_with(['\'', '"']) {
            self.string(&mut text)?;
            self.blanks();
        }
        Some(Value::String(text))
    }

    fn string(&mut self, text: &mut String) -> Option<()> {
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| self.rest.starts_with(quote))?;
        self.rest = &self.rest[quote.len()..];
        loop {
            if self.eat(quote) {
                return Some(());
            }
            let mut chars = self.rest.chars();
            let c = chars.next()?;
            self.rest = chars.as_str();
            match c {
                '\\' => self.escape(text)?,
                '\n' if quote.len() == 1 => return None,
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Option<()> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        let plain = match c {
            '\n' => return Some(()),
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            '\\' | '\'' | '"' => c,
            'x' => self.code(2)?,
            'u' => self.code(4)?,
            'U' => self.code(8)?,
            '0'..='7' => {
                let more = self.rest.bytes().take(2).take_while(|b| (b'0'..=b'7').contains(b)).count();
                let octal = format!("{c}{}", &self.rest[..more]);
                self.rest = &self.rest[more..];
                char::from_u32(u32::from_str_radix(&octal, 8).ok()?)?
            }
            // Python keeps the backslash of what it does not know.
            other => {
                text.push('\\');
                other
            }
        };
        text.push(plain);
        Some(())
    }

    fn code(&mut self, digits: usize) -> Option<char> {
        let hex = self.rest.get(..digits).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
        self.rest = &self.rest[digits..];
        char::from_u32(u32::from_str_radix(hex, 16).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn literals() {
        let check = |text: &str, expect: Value| assert_eq!(literal(text), Some(expect), "{text}");
        check("{'a': 1, \"b\": [1.5, True, None,]}", json!({"a": 1, "b": [1.5, true, null]}));
        check("('x',)", json!(["x"]));
        check("('x')", json!("x"));
        check("()", json!([]));
        check("{}", json!({}));
        check("{1, 2}", json!([1, 2]));
        check("'it\\'s' \" so\"", json!("it's so"));
        check("'''a\nb'''", json!("a\nb"));
        check("'\\x41\\u00e9\\101\\q'", json!("Aé\u{41}\\q"));
        check("-1_000", json!(-1000));
        check("-1e-2", json!(-0.01));
        check("{1: 'x'}", json!({"1": "x"}));
        for bad in [
            "",
            "true",
            "[1, 2",
            "{'a'}: 1",
            "{'a': 1, 2}",
            "'a\nb'",
            "[1 2]",
            "__import__('os')",
            "1+2",
            "nan",
            "'\\x4'",
            "{'a': }",
            "1 1",
        ] {
            assert_eq!(literal(bad), None, "{bad}");
        }
        assert_eq!(literal(&"[".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn strings_survive_their_repr(text in "\\PC{0,20}|[\\\\'\"\n\t\u{1}]{0,10}") {
            prop_assert_eq!(literal(&repr(&text)), Some(Value::String(text)));
        }

        #[test]
        fn no_text_panics(text in "[\\[\\](){}'\",:\\\\0-9a-eTF.+é\n -]{0,30}") {
            literal(&text);
        }
    }
}
