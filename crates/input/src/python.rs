//! What chat templates expect from Python: `json.dumps` spacing and number formats, and `strftime`.
//! Only what the reference library puts into a template's environment; the template engine does the rest.

use std::time::{SystemTime, UNIX_EPOCH};

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Error, ErrorKind};

/// Deepest value written. Python's own limit is about a thousand.
const DEEPEST: usize = 200;

/// The reference's `tojson`: Python's `json.dumps(value, ensure_ascii=False)` with its four options.
pub(crate) fn tojson(value: &Value, options: Kwargs) -> Result<String, Error> {
    let ensure_ascii = options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false);
    let sort_keys = options.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    let indent = match options.get::<Option<Value>>("indent")? {
        None => None,
        Some(value) if value.is_none() => None,
        Some(value) => Some(match value.as_str() {
            Some(text) => text.to_owned(),
            None => " ".repeat(usize::try_from(value)?.min(DEEPEST)),
        }),
    };
    let separators = options.get::<Option<Vec<String>>>("separators")?;
    options.assert_all_used()?;
    let (item, key) = match separators.as_deref() {
        Some([item, key]) => (item.clone(), key.clone()),
        Some(_) => return Err(Error::new(ErrorKind::InvalidOperation, "separators must be a pair")),
        // With an indent, Python ends lines without the space after the comma.
        None => (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()),
    };
    let mut writer = Writer { out: String::new(), ensure_ascii, sort_keys, indent, item, key };
    writer.value(value, 0)?;
    Ok(writer.out)
}

/// A value as Python's `json.dumps(value, ensure_ascii=False)` writes it, as far as it is not nested too deeply.
pub fn dumps(value: &serde_json::Value) -> String {
    let (item, key) = (", ".to_owned(), ": ".to_owned());
    let (ensure_ascii, sort_keys, indent) = (false, false, None);
    let mut writer = Writer { out: String::new(), ensure_ascii, sort_keys, indent, item, key };
    match writer.value(&Value::from_serialize(value), 0) {
        Ok(()) => writer.out,
        // What was read is nested less deeply than is written: readers stop at 128.
        Err(_) => value.to_string(),
    }
}

struct Writer {
    out: String,
    ensure_ascii: bool,
    sort_keys: bool,
    indent: Option<String>,
    item: String,
    key: String,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > DEEPEST {
            return Err(Error::new(ErrorKind::InvalidOperation, "tojson: value is nested too deeply"));
        }
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.number(value)?,
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.enclosed(['[', ']'], items, depth, |writer, item| writer.value(&item, depth + 1))?;
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sort_keys {
                    keys.sort();
                }
                self.enclosed(['{', '}'], keys, depth, |writer, key| {
                    writer.map_key(&key)?;
                    writer.out.push_str(&writer.key.clone());
                    writer.value(&value.get_item(&key)?, depth + 1)
                })?;
            }
            _ => {
                let what = format!("tojson: {} is not JSON serializable", value.kind());
                return Err(Error::new(ErrorKind::InvalidOperation, what));
            }
        }
        Ok(())
    }

    fn enclosed(
        &mut self,
        [open, close]: [char; 2],
        items: Vec<Value>,
        depth: usize,
        mut write: impl FnMut(&mut Self, Value) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.out.push(open);
        let empty = items.is_empty();
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.out.push_str(&self.item.clone());
            }
            self.line(depth + 1);
            write(self, item)?;
        }
        if !empty {
            self.line(depth);
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = &self.indent {
            self.out.push('\n');
            self.out.push_str(&indent.repeat(depth));
        }
    }

    /// Python writes keys that are numbers, booleans or none as strings.
    fn map_key(&mut self, key: &Value) -> Result<(), Error> {
        if key.as_str().is_some() {
            return self.value(key, 0);
        }
        self.out.push('"');
        self.value(key, 0)?;
        self.out.push('"');
        Ok(())
    }

    fn number(&mut self, value: &Value) -> Result<(), Error> {
        if value.is_integer() {
            self.out.push_str(&value.to_string());
        } else {
            self.out.push_str(&float(f64::try_from(value.clone())?));
        }
        Ok(())
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if c < ' ' || (self.ensure_ascii && !(' '..='~').contains(&c)) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        self.out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

/// A float as Python's `repr` writes it: shortest digits, exponent from 1e16 and below 1e-4.
fn float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').expect("the e format has an exponent");
        let exponent: i32 = exponent.parse().expect("the e format has a whole exponent");
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let text = value.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

/// The reference's `strftime_now`, in UTC: templates print dates with it, and this program reads no time zones.
pub(crate) fn strftime_now(format: &str) -> Result<String, Error> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    strftime(format, seconds)
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

fn strftime(format: &str, seconds: u64) -> Result<String, Error> {
    let (days, second) = ((seconds / 86_400) as i64, seconds % 86_400);
    let [year, month, day] = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let (month_name, weekday) = (MONTHS[month as usize - 1], WEEKDAYS[days.rem_euclid(7) as usize]);
    let new_year = (0..).map(|back| days - back).find(|&at| civil(at)[1..] == [1, 1]).unwrap_or(days);
    let mut out = String::new();
    let mut letters = format.chars();
    while let Some(c) = letters.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match letters.next() {
            Some('Y') => out.push_str(&format!("{year:04}")),
            Some('y') => out.push_str(&format!("{:02}", year.rem_euclid(100))),
            Some('m') => out.push_str(&format!("{month:02}")),
            Some('d') => out.push_str(&format!("{day:02}")),
            Some('e') => out.push_str(&format!("{day:2}")),
            Some('j') => out.push_str(&format!("{:03}", days - new_year + 1)),
            Some('B') => out.push_str(month_name),
            Some('b') => out.push_str(&month_name[..3]),
            Some('A') => out.push_str(weekday),
            Some('a') => out.push_str(&weekday[..3]),
            Some('H') => out.push_str(&format!("{hour:02}")),
            Some('I') => out.push_str(&format!("{:02}", (hour + 11) % 12 + 1)),
            Some('M') => out.push_str(&format!("{minute:02}")),
            Some('S') => out.push_str(&format!("{second:02}")),
            Some('p') => out.push_str(if hour < 12 { "AM" } else { "PM" }),
            Some('F') => out.push_str(&format!("{year:04}-{month:02}-{day:02}")),
            Some('T') => out.push_str(&format!("{hour:02}:{minute:02}:{second:02}")),
            Some('%') => out.push('%'),
            other => {
                let what =
                    format!("strftime_now: %{} is not supported", other.map_or(String::new(), String::from));
                return Err(Error::new(ErrorKind::InvalidOperation, what));
            }
        }
    }
    Ok(out)
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
fn civil(days: i64) -> [i64; 3] {
    // Years counted from March, so that the leap day is the last of its year; 146097 days in 400 years.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    [era * 400 + year_of_era + i64::from(month <= 2), month, day]
}

#[cfg(test)]
mod tests {
    use minijinja::Environment;

    use super::*;

    #[test]
    fn tojson_writes_what_python_writes() {
        let mut environment = Environment::new();
        environment.add_filter("tojson", tojson);
        // Expected values were printed by Python's json.dumps(ensure_ascii=False) with the same options.
        let cases = [
            ("{'a': 1, 'b': [true, none, 1.0]}|tojson", r#"{"a": 1, "b": [true, null, 1.0]}"#),
            ("'<é\"\\n\\t\\\\\\u0001\\u007f杯>'|tojson", "\"<é\\\"\\n\\t\\\\\\u0001\u{7f}杯>\""),
            ("'é😀'|tojson(ensure_ascii=true)", r#""\u00e9\ud83d\ude00""#),
            ("[1e16, 1e-5, 123456789.125, -0.0]|tojson", "[1e+16, 1e-05, 123456789.125, -0.0]"),
            ("{'b': 1, 'a': 2}|tojson(sort_keys=true)", r#"{"a": 2, "b": 1}"#),
            ("{'a': [1, 2], 'b': {}}|tojson(indent=2)", "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}"),
            ("{'a': [1, 2]}|tojson(separators=[',', ':'])", r#"{"a":[1,2]}"#),
            ("{1: 2}|tojson", r#"{"1": 2}"#),
        ];
        for (expression, expected) in cases {
            let found = environment.render_str(&format!("{{{{ {expression} }}}}"), ()).unwrap();
            assert_eq!(found, expected, "{expression}");
        }
        assert!(environment.render_str("{{ raise|tojson }}", ()).is_err(), "undefined is not JSON");
    }

    #[test]
    fn dates_are_right_around_leap_days_and_years() {
        let check = |seconds: u64, expected: &str| {
            assert_eq!(strftime("%a %d %b %Y %H:%M:%S %j %I%p", seconds).unwrap(), expected);
        };
        check(0, "Thu 01 Jan 1970 00:00:00 001 12AM");
        check(951_782_400, "Tue 29 Feb 2000 00:00:00 060 12AM");
        check(1_735_689_599, "Tue 31 Dec 2024 23:59:59 366 11PM");
        check(4_107_542_400, "Mon 01 Mar 2100 00:00:00 060 12AM");
        assert_eq!(
            strftime("%A %B %y %% %F %T", 1_700_000_000).unwrap(),
            "Tuesday November 23 % 2023-11-14 22:13:20"
        );
        assert!(strftime("%Q", 0).is_err());
    }
}
