//! Descriptions that are none, rows that cannot be used, and the turns of a question.

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Kind, Style};

/// A benchmark as a user adds one.
const OWN: &str = r#"
name = "my-kitchen"
title = "Questions about my kitchen"
headline = ["room"]

[source]
home = "my desk"
licence = "mine"
documented = "here"
layout = "items.jsonl; clips in clips"

[[files]]
path = "items.*"

[item]
id = "{id}"
question = "{question}"
options = "{options}"

[[media]]
path = "clips/{clip}.mp4"

[answer]
gold = "{answer}"

[groups]
room = "{room}"

[prompt]
template = "{item.question}\n{item.options}\nOne letter."
"#;

fn own() -> Benchmark {
    Benchmark::from_toml(OWN).unwrap()
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs_err::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn read(benchmark: &Benchmark, dir: &Path) -> Vec<Result<String, String>> {
    let prefix = format!("{}/", dir.display());
    let items = benchmark.items(dir, None);
    items.map(|item| item.map(|item| item.id).map_err(|bad| bad.to_string().replace(&prefix, ""))).collect()
}

#[test]
fn a_benchmark_is_a_file() {
    let rows = "{\"id\": 1, \"question\": \"Where?\", \"options\": [\"here\", \"there\"], \"clip\": \"a\", \"answer\": \"(b)\", \"room\": \"hall\"}";
    let dir = folder(&[("items.jsonl", rows)]);
    let benchmark = own();
    let item = benchmark.items(dir.path(), None).next().unwrap().unwrap();
    assert_eq!((item.gold.clone(), item.kind, item.line), (Gold::Choice(1), Kind::MultipleChoice, 1));
    assert_eq!(item.cluster, dir.path().join("clips/a.mp4").to_string_lossy());
    let prompt = item.prompt(&benchmark, None, None).unwrap();
    assert_eq!(prompt.user, "Where?\nA. here\nB. there\nOne letter.");
    let styled = item.prompt(&benchmark, Some(Style::Plain), None).unwrap();
    assert_eq!(styled.user, "Where?\nA. here\nB. there");
    assert_eq!(benchmark.metric(item.kind), Metric::Accuracy);
    let check = benchmark.check_folder(dir.path(), None);
    assert_eq!((check.items, check.media, check.missing.len(), check.is_whole()), (1, 1, 1, false));
}

#[test]
fn the_example_of_the_contributors_page_is_one() {
    let page = include_str!("../../../../CONTRIBUTING.md");
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let benchmark = Benchmark::from_toml(example).unwrap();
    let table = "id,question,a,b,c,d,clip,from_s,to_s,answer,room\n7,\"Which, please?\",cup,bowl,,,k1,1.5,4,B,kitchen\n";
    let dir = folder(&[("items.csv", table)]);
    let item = benchmark.items(dir.path(), None).next().unwrap().unwrap();
    assert_eq!((item.options.len(), item.gold, item.media[0].end), (2, Gold::Choice(1), Some(4.0)));
    assert_eq!(item.groups["room"], "kitchen");
}

#[test]
fn what_cannot_be_used_is_named_and_the_rest_goes_on() {
    let row = |change: serde_json::Value| {
        let mut row = json!({"id": 0, "question": "q", "options": ["x", "y"], "clip": "a", "answer": "A"});
        row.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        row.to_string()
    };
    let lines = [
        row(json!({"id": "first"})),
        "{\"id\": ".to_owned(),
        row(json!({"id": "first"})),
        row(json!({"id": "e", "options": ["x", " "]})),
        row(json!({"id": "f", "options": []})),
        row(json!({"id": "g", "answer": "C"})),
        row(json!({"id": "h", "answer": null})),
        row(json!({"id": "i", "clip": "../../etc/passwd"})),
        row(json!({"id": "j", "question": " "})),
        row(json!({"id": "k", "options": "x"})),
        row(json!({"id": null})),
        row(json!({"id": "last"})),
    ];
    let dir = folder(&[("items.jsonl", &lines.join("\n"))]);
    let expect = [
        Ok("first"),
        Err("items.jsonl:2: not JSON: EOF while parsing a value"),
        Err("items.jsonl:3: the id \"first\" is at items.jsonl:1 already"),
        Err("items.jsonl:4: option B is empty"),
        Err("items.jsonl:5: no options"),
        Err("items.jsonl:6: the gold answer \"C\" is not among the 2 options"),
        Err("items.jsonl:7: answer: nothing there"),
        Err("items.jsonl:8: \"clips/../../etc/passwd.mp4\": expected a path within the folder"),
        Err("items.jsonl:9: the question is empty"),
        Err("items.jsonl:10: {options}: expected a list of options, found \"x\""),
        Err("items.jsonl:11: id: nothing there"),
        Ok("last"),
    ];
    assert_eq!(read(&own(), dir.path()), expect.map(|row| row.map(str::to_owned).map_err(str::to_owned)));
    let check = own().check_folder(dir.path(), None);
    assert_eq!((check.items, check.bad.len()), (2, 10));
}

#[test]
fn folders_without_the_files_say_what_is_expected() {
    let dir = folder(&[("other.json", "[]")]);
    assert_eq!(
        read(&own(), dir.path()),
        [Err("items.*: not there; expected: items.jsonl; clips in clips".to_owned())]
    );
    let dir = folder(&[("items.parquet", "")]);
    assert_eq!(
        read(&own(), dir.path()),
        [Err("items.parquet: a parquet file, and no reader of those was given".to_owned())]
    );
    let open = |_: &Path, columns: &[&str]| {
        assert_eq!(columns, ["answer", "clip", "id", "item", "options", "question", "room"]);
        let row = json!({"id": 5, "question": "q", "options": ["x"], "clip": "a", "answer": "A"});
        Ok(Box::new(std::iter::once(Ok(row))) as TableRows)
    };
    let benchmark = own();
    let ids: Vec<_> = benchmark.items(dir.path(), Some(&open)).map(|item| item.unwrap().id).collect();
    assert_eq!(ids, ["5"]);
}

#[test]
fn descriptions_are_refused_with_the_remedy() {
    let check = |from: &str, to: &str, part: &str| {
        assert!(OWN.contains(from), "{from}");
        let error = Benchmark::from_toml(&OWN.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(part) && !error.contains('\n'), "{to}: {error}");
    };
    check("my-kitchen", "My Kitchen", "use small letters");
    check("title = ", "titel = ", "line 3: unknown field `titel`");
    check("\"{id}\"", "\"{id\"", "a lone \"{\"");
    check("{clip}", "{clip|upper}", "unknown filter \"upper\"");
    check("[\"room\"]", "[\"floor\"]", "no group \"floor\"; known: room, type");
    check("items.*", "*/items.json", "one * in the last part");
    check("items.*", "/items.json", "expected a path within the folder");
    check("\"{options}\"", "3", "options: expected \"{key}\"");
    check("[groups]", "[metric]\nfree-form = \"bleu\"\n[groups]", "unknown variant `bleu`");
    check("[groups]", "[metric]\nfree-form = \"judge\"\n[groups]", "needs a [judge]");
    check("[groups]", "[groups]\ntype = \"x\"", "the answer's type already");
    check("template =", "style = \"plain\"\nsystem = \"s\"\ntemplate =", "without a style");
    check("[[media]]", "[[media]]\nper_second = 0.0", "per_second must be above 0");
    assert!(Benchmark::from_toml("name = ").is_err());
}

#[test]
fn options_turn_and_the_right_one_with_them() {
    let row = "{\"id\": 1, \"question\": \"q\", \"options\": [\"A. x\", \"B. y\", \"C. z\"], \"clip\": \"a\", \"answer\": \"B\"}";
    let dir = folder(&[("items.jsonl", row)]);
    let item = own().items(dir.path(), None).next().unwrap().unwrap();
    let check = |by: usize, options: [&str; 3], right: usize, id: &str| {
        let turned = item.turned(by).unwrap();
        assert_eq!(
            (turned.options.as_slice(), turned.gold),
            (options.map(str::to_owned).as_slice(), Gold::Choice(right))
        );
        assert_eq!((turned.id.as_str(), turned.together.as_deref()), (id, Some("1")));
    };
    check(0, ["x", "y", "z"], 1, "1~0");
    check(1, ["z", "x", "y"], 2, "1~1");
    check(2, ["y", "z", "x"], 0, "1~2");
    check(3, ["x", "y", "z"], 1, "1~0");
    let mut open = item.clone();
    open.gold = Gold::Text("y".into());
    assert_eq!(open.turned(1), None);
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
        any::<f64>().prop_map(|n| json!(n)),
        "[A-Da-d().:\\[\\]0-9, /-]{0,12}".prop_map(|s| json!(s)),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|v| json!(v)),
            prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|m| json!(m)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_row_panics(values in prop::collection::vec(value(), 8), which in 0..64usize) {
        let all = list().unwrap();
        let benchmark = &all[which % all.len()];
        let keys = benchmark.columns();
        let row = keys.into_iter().zip(values.iter().cycle().cloned()).collect();
        let place = row::Place { benchmark, dir: Path::new("d"), file: Path::new("f"), line: 1 };
        if let Ok(item) = row::read(&place, row) {
            prop_assert!(!item.question.is_empty());
            let _ = item.prompt(benchmark, None, Some([3, 4]));
            if let Some(turned) = item.turned(which) {
                prop_assert_eq!(turned.options.len(), item.options.len());
            }
        }
    }

    #[test]
    fn no_description_panics(text in "[a-z\\[\\]{}=\"\n. ]{0,60}") {
        let _ = Benchmark::from_toml(&text);
    }
}
