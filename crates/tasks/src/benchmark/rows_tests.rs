//! Files as they are published, and files as they arrive.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(name: &str, bytes: &[u8], steps: &[Step]) -> Result<Vec<Valued>, Reason> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs_err::write(&path, bytes).unwrap();
    let rows = open(&path, steps, None)?;
    Ok(rows.map(|row| row.map(|(line, row)| (line, Value::Object(row)))).collect())
}

type Expected<'a> = Result<(usize, Value), (usize, &'a str)>;

#[track_caller]
fn check(name: &str, text: &str, steps: &[Step], expect: &[Expected<'_>]) {
    let rows = read(name, text.as_bytes(), steps).unwrap();
    let rows: Vec<_> =
        rows.iter().map(|row| row.as_ref().map_err(|(line, what)| (*line, what.as_str()))).collect();
    let expect: Vec<_> = expect.iter().map(|row| row.as_ref().map_err(|bad| *bad)).collect();
    assert_eq!(rows, expect, "{text}");
}

const EACH: &[Step] = &[Step::Each];

#[test]
fn lists_give_their_elements_with_the_lines_they_begin_on() {
    let a = json!({"a": "]}, \"x"});
    check(
        "a.json",
        "[\n {\"a\": \"]}, \\\"x\"},\n\n {\"a\": 2}\n]",
        EACH,
        &[Ok((2, a)), Ok((4, json!({"a": 2})))],
    );
    check("a.json", "\u{feff} []", EACH, &[]);
    check(
        "a.json",
        "{\"x\": [1], \"data\": [{\"a\": 1}]}",
        &[Step::Member("data".into()), Step::Each],
        &[Ok((1, json!({"a": 1})))],
    );
    let key = [Step::Key("id".into())];
    check(
        "a.json",
        "{\"k\": {\"a\": 1},\n\"l\": {\"a\": 2}}",
        &key,
        &[Ok((1, json!({"a": 1, "id": "k"}))), Ok((2, json!({"a": 2, "id": "l"})))],
    );
    let zip = [Step::Zip(vec!["a".into()])];
    check(
        "a.json",
        "{\"a\": [1, 2], \"b\": 0}",
        &zip,
        &[Ok((1, json!({"b": 0, "a": 1}))), Ok((1, json!({"b": 0, "a": 2})))],
    );
}

#[test]
fn one_bad_row_does_not_take_the_rest() {
    check(
        "a.json",
        "\u{feff}[{\"a\": 1},\n{\"a\": x},\n{\"a\":\n3 4},\n{\"a\": 5, \"b\": NaN}]",
        EACH,
        &[
            Ok((1, json!({"a": 1}))),
            Err((2, "not JSON: expected value")),
            Err((4, "not JSON: expected `,` or `}`")),
            Ok((5, json!({"a": 5, "b": {"not a number": "NaN"}}))),
        ],
    );
    check(
        "a.json",
        "[{\"a\": 1}, {\"a\": ",
        EACH,
        &[
            Ok((1, json!({"a": 1}))),
            Err((1, "the file ends within a row, or a bracket is missing; the rest of the file is lost")),
        ],
    );
    check(
        "a.jsonl",
        "\u{feff}{\"a\": 1}\n\n{\"a\": \n[2]\n{\"a\": 3, \"b\": [-Infinity]}",
        &[],
        &[
            Ok((1, json!({"a": 1}))),
            Err((3, "not JSON: EOF while parsing a value")),
            Err((4, "expected an object, found a list of 1")),
            Ok((5, json!({"a": 3, "b": [{"not a number": "-Infinity"}]}))),
        ],
    );
    check(
        "a.csv",
        "a,b\n1,2\n3\n\"4\n\",\"5\"\"\"\n6,\"7",
        &[],
        &[
            Ok((2, json!({"a": "1", "b": "2"}))),
            Err((3, "1 cells under 2 column names")),
            Ok((4, json!({"a": "4\n", "b": "5\""}))),
            Err((6, "a quoted cell does not end; the rest of the file is lost")),
        ],
    );
    check("a.tsv", "\u{feff}a\tb\r\nx, \"y\"\t\r\n", &[], &[Ok((2, json!({"a": "x, \"y\"", "b": ""})))]);
}

#[test]
fn a_file_that_is_none_of_this_says_so() {
    let refuse = |name: &str, text: &str, part: &str| {
        let error = read(name, text.as_bytes(), EACH).unwrap_err();
        assert!(error.contains(part), "{name}: {error}");
    };
    refuse("a.json", "{}", "expected a list");
    refuse("a.json", "", "expected a list");
    refuse("a.csv", "", "an empty file");
    refuse("a.txt", "", "unknown ending \"txt\"; known: json, jsonl, csv, tsv, parquet");
    refuse("a.parquet", "", "no reader of those was given");
    let member = read("a.json", b"{\"a\": 1}", &[Step::Member("data".into()), Step::Each]).unwrap_err();
    assert_eq!(member, "data: nothing there");
}

#[test]
fn tables_are_opened_by_the_caller() {
    let open_table = |path: &Path, columns: &[&str]| {
        assert_eq!((path.to_str(), columns), (Some("x.parquet"), ["a"].as_slice()));
        let rows: TableRows = Box::new([Ok(json!({"a": 1})), Err("torn".to_owned())].into_iter());
        Ok(rows)
    };
    let rows: Vec<_> = open(Path::new("x.parquet"), &[], Some((&open_table, &["a"]))).unwrap().collect();
    assert_eq!(rows[0].as_ref().unwrap().0, 1);
    assert_eq!(rows[1], Err((2, "torn".to_owned())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_bytes_panic(text in "[\\[\\]{}\",:a1\\\\\n ]{0,40}", which in 0..4usize, keyed in any::<bool>()) {
        let name = ["a.json", "a.jsonl", "a.csv", "a.tsv"][which];
        let steps = if keyed { vec![Step::Key("k".into()), Step::Each] } else { vec![Step::Member("a".into())] };
        for steps in [&steps[..], EACH, &[]] {
            let _ = read(name, text.as_bytes(), steps);
        }
    }
}
