use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

#[test]
fn what_python_writes_is_read() {
    let check = |text: &str, expect: Value| {
        let value = read::<Value>(text.as_bytes()).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!(without_odd(value), expect, "{text}");
    };
    check("\u{feff}{\"a\": 1}", json!({"a": 1}));
    check("\u{feff} [1]\r\n", json!([1]));
    check("NaN", json!(null));
    check(" -Infinity ", json!(null));
    check("[NaN,Infinity,-Infinity,1e999,-1e999, 2]", json!([null, null, null, null, null, 2]));
    check(&format!("[{}]", "9".repeat(400)), json!([null]));
    check("{\"a\":NaN,\"b\":{\"c\":[-Infinity\n]}}", json!({"a": null, "b": {"c": [null]}}));
    // Words in texts stay words.
    check(
        r#"["NaN", "a \"NaN\" b\\", NaN, "Infinity, NaN"]"#,
        json!(["NaN", "a \"NaN\" b\\", null, "Infinity, NaN"]),
    );
    check(r#"{"NaN": NaN, "x": "1e999"}"#, json!({"NaN": null, "x": "1e999"}));
    let word = |text: &str| odd_word(&read(text.as_bytes()).unwrap()).map(str::to_owned);
    for odd in ["NaN", "Infinity", "-Infinity", "1e999", "-1E+400"] {
        assert_eq!(word(odd).as_deref(), Some(odd));
    }
    assert_eq!(word(&"9".repeat(400)).as_deref(), Some("too large a number"));
    for plain in ["1e300", "0", "null", "{}", "\"NaN\""] {
        assert_eq!(word(plain), None, "{plain}");
    }
    for none in [
        "nan",
        "-NaN",
        "+Infinity",
        "Inf",
        "NaNs",
        "[NaN",
        "{\"a\": NaN,}",
        "{NaN: 1}",
        "xNaN",
        "1e999x",
        "01e999",
        "",
    ] {
        assert!(read::<Value>(none.as_bytes()).is_err(), "{none}");
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Row {
    id: String,
    start: Option<f64>,
    #[serde(default)]
    words: Vec<Word>,
    media: Option<Media>,
    other: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Word {
    start: f64,
    #[serde(default)]
    count: u8,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "media: expected a location or a list of locations")]
#[allow(dead_code)]
enum Media {
    One(String),
    Several(Vec<String>),
}

#[test]
fn faults_say_what_and_where() {
    let check = |text: &str, expect: &str| {
        assert_eq!(read_object::<Row>(text.as_bytes()).unwrap_err().to_string(), expect, "{text}");
    };
    check(
        "{\"id\": \"a\", \"start\": Infinity}",
        "`start`: expected a number, found Infinity at line 1 column 22",
    );
    check("{\"id\":NaN}", "`id`: expected a string, found NaN at line 1 column 7");
    check("{\"id\": NaN}", "`id`: expected a string, found NaN at line 1 column 8");
    check(
        "{\"other\": NaN, \"id\": -Infinity}",
        "`id`: expected a string, found -Infinity at line 1 column 22",
    );
    check(
        "{\"id\": \"é\", \"other\": [NaN],\n \"words\": [{\"start\": 1},\n{\"start\": NaN}]}",
        "`words[1].start`: expected a number, found NaN at line 3 column 11",
    );
    check("\u{feff}{\"id\":\n 5}", "`id`: expected a string, found 5 at line 2 column 2");
    check("{\"other\": [NaN, Infinity], \"id\": 5}", "`id`: expected a string, found 5 at line 1 column 34");
    check(
        "{\"id\": \"a\", \"media\": [null]}",
        "media: expected a location or a list of locations at line 1 column 28",
    );
    check(
        "{\"id\": \"a\", \"media\": [1], \"start\": 1}",
        "media: expected a location or a list of locations at line 1 column 24",
    );
    check("{\"id\": \"a\", \"words\": {}}", "`words`: expected a list, found an object at line 1 column 22");
    check(
        "{\"id\": \"a\", \"words\": [{\"start\": 1, \"count\": 300}]}",
        "`words[0].count`: expected a whole number, found 300 at line 1 column 47",
    );
    check("{}", "missing field `id` at line 1 column 2");
    check("[1, 2]", "expected an object, found a list at line 1 column 1");
    check("\u{feff} \n NaN", "expected an object, found a number at line 2 column 2");
    check("[1, 2", "EOF while parsing a list at line 1 column 5");
    check("{\"other\": NaN, \"id\": }", "expected value at line 1 column 22");
    assert!(read::<Value>(&"[".repeat(100_000).into_bytes()).is_err());
    let deep = format!("{}NaN{}", "[".repeat(600), "]".repeat(600));
    assert!(read::<Value>(deep.as_bytes()).is_err());
}

#[test]
fn other_encodings_are_named() {
    let text = "{\"a\": 1}";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
    let check = |bytes: &[u8], name: &str| {
        let said = read::<Value>(bytes).unwrap_err().what;
        assert!(
            said.contains(&format!("the text is {name},")) && said.contains(&format!("iconv -f {name} ")),
            "{said}"
        );
        assert_eq!(read_object::<Value>(bytes).unwrap_err().what, said);
    };
    check(&marked(b"\xff\xfe", &little), "UTF-16");
    check(&marked(b"\xfe\xff", &big), "UTF-16");
    check(&little, "UTF-16LE");
    check(&big, "UTF-16BE");
    check(b"\xff\xfe\0\0{\0\0\0", "UTF-32");
    assert!(!read::<Value>(b"{\"a\": \"\xe9\"}").unwrap_err().what.contains("UTF-16"));
}

#[test]
fn a_reason_that_names_a_key_says_that_it_is_no_number() {
    let text = b"{\"other\": NaN, \"rows\": [{\"end_time\": NaN}, {\"time\": Infinity}]}";
    let check = |within: &str, reason: &str, expect: &str| {
        assert_eq!(explain(text, 3, within, reason.to_owned()), expect);
    };
    check("", "time is missing", "time is missing: `rows[1].time` is Infinity at line 3 column 53");
    check("", "no end_time", "no end_time: `rows[0].end_time` is NaN at line 3 column 38");
    check("rows[1]", "no end_time", "no end_time");
    check("", "no text", "no text");
}

proptest! {
    #[test]
    fn strict_json_is_read_alike(text in "[\\[\\]{}:,\"0-9.e\\-NaIinfty \\\\]{0,24}") {
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            prop_assert_eq!(read::<Value>(text.as_bytes()).unwrap(), value);
        }
    }

    /// Odd numbers anywhere in a value stand apart there, and nothing else changes.
    #[test]
    fn odd_numbers_stand_apart(keys in prop::collection::vec("[a-zN\\\\\"\n,:\\[{]{0,6}", 1..6), odd in prop::sample::select(vec!["NaN", "Infinity", "-Infinity", "1e400"])) {
        let pretty = serde_json::to_string_pretty(&keys.iter().map(|key| json!({ key.as_str(): [key, 1.5], "odd": 77777 })).collect::<Vec<_>>()).unwrap();
        let expect: Value = serde_json::from_str(&pretty.replace("77777", "null")).unwrap();
        prop_assert_eq!(without_odd(read::<Value>(pretty.replace("77777", odd).as_bytes()).unwrap()), expect);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(prop::sample::select(b"[]{},:\"\\ \na1NIe9\xff\xfe\0".to_vec()), 0..40)) {
        let _ = read::<Value>(&bytes);
        let _ = read_object::<Row>(&bytes);
        let _ = explain(&bytes, 1, "", "a1 is missing".to_owned());
    }
}
