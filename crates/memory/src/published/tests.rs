//! Published shapes, read and written back as they were.

use std::path::Path;

use firsthand_base::Moment;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{FileName, Form, export, import, read};
use crate::{Change, Evidence, Level, Memory, Query, Record, RecordId};

fn scratch() -> (tempfile::TempDir, Memory) {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::create(&folder.path().join("memory")).unwrap();
    (folder, memory)
}

fn write(path: &Path, value: &Value) {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, value.to_string()).unwrap();
}

fn value(path: &Path) -> Value {
    serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn egolife_files_come_back_as_they_were() {
    let (folder, mut memory) = scratch();
    let root = folder.path().join("egolife");
    let ten = json!([
        {"generated_text": "I enter the yard.", "date": 1, "start_time": 11_090_000, "end_time": 11_190_000},
        {"generated_text": "I assemble a shelf.", "date": 1, "start_time": 11_190_000, "end_time": 11_290_000},
        {"generated_text": "Past midnight.", "date": 1, "start_time": 23_550_000, "end_time": 50_000},
    ]);
    let hour =
        json!([{"generated_text": "A shelf.", "date": 1, "start_time": 11_090_000, "end_time": 12_000_017}]);
    let day = json!([
        {"generated_text": "Day one.", "date": 1, "start_time": 11_090_000, "end_time": 24_000_000},
        {"generated_text": "Day two.", "date": 2, "start_time": 10_440_000, "end_time": 23_000_000},
    ]);
    for (ending, rows) in [("10min", &ten), ("1hour", &hour), ("1day", &day)] {
        write(&root.join(format!("A1_JAKE/A1_JAKE_{ending}.json")), rows);
    }
    let imported = import(&mut memory, std::slice::from_ref(&root), None, None).unwrap();
    assert_eq!((imported.files, imported.records, imported.linked), (3, 6, 2));
    let hits = memory.recall(&Query { level: Some(Level::Hour), ..Query::new("shelf") }).unwrap();
    let hour_record = &hits[0].record;
    assert_eq!(
        (hour_record.wearer.as_str(), hour_record.start.to_string()),
        ("A1_JAKE", "DAY1_11090000".into())
    );
    let sources = memory.store().children(hour_record.id).unwrap();
    assert_eq!(
        sources.iter().map(|source| source.text.as_str()).collect::<Vec<_>>(),
        ["I enter the yard.", "I assemble a shelf."]
    );
    let out = folder.path().join("out");
    let exported = export(&mut memory, &out, Form::EgoLife).unwrap();
    assert_eq!((exported.files, exported.records, exported.shortened, exported.left_out), (3, 6, 0, 0));
    for (ending, rows) in [("10min", &ten), ("1hour", &hour), ("1day", &day)] {
        assert_eq!(&value(&out.join(format!("A1_JAKE/A1_JAKE_{ending}.json"))), rows);
    }
    let again = import(&mut memory, &[root], None, None).unwrap_err().to_string();
    assert!(again.contains("the memory has such already"), "{again}");
}

#[test]
fn video_files_come_back_as_they_were() {
    let (folder, mut memory) = scratch();
    let rows = json!([
        {"generated_text": ["49:#C C takes scissors", "58:#C C puts down a cup of tea"], "date": 1,
         "start_time": "00003000", "end_time": "00010000"},
        {"generated_text": [], "date": 1, "start_time": "00010000", "end_time": "00012929"},
    ]);
    let file = folder.path().join("in/0074f737-11cb.json");
    write(&file, &rows);
    import(&mut memory, &[file], None, None).unwrap();
    let hit = memory.recall(&Query::new("scissors")).unwrap().remove(0);
    assert_eq!((hit.record.level, hit.record.wearer.as_str()), (Level::Clip, "0074f737-11cb"));
    assert_eq!(hit.record.start.ms(), 30_000);
    let out = folder.path().join("out");
    export(&mut memory, &out, Form::EgoSchema).unwrap();
    assert_eq!(value(&out.join("0074f737-11cb.json")), rows);

    let (folder, mut memory) = scratch();
    let long =
        json!([{"generated_text": "A match.", "date": 1, "start_time": "00000000", "end_time": "00100000"}]);
    let short =
        json!([{"generated_text": "Kick-off.", "date": 1, "start_time": "00000000", "end_time": "00003000"}]);
    write(&folder.path().join("in/10min/abc.json"), &long);
    write(&folder.path().join("in/30sec/abc.json"), &short);
    let imported = import(&mut memory, &[folder.path().join("in")], None, None).unwrap();
    assert_eq!((imported.records, imported.linked), (2, 1));
    let out = folder.path().join("out");
    export(&mut memory, &out, Form::VideoMme).unwrap();
    assert_eq!(value(&out.join("10min/abc.json")), long);
    assert_eq!(value(&out.join("30sec/abc.json")), short);
}

#[test]
fn our_own_form_loses_nothing() {
    let (folder, mut memory) = scratch();
    let at = |s: i64| Moment::from_ms(s * 1000 + 7).unwrap();
    let mut clip = Record::new(Level::Clip, "A1_JAKE", at(0), at(30), "takes a cup");
    clip.transcript = Some("here".into());
    clip.people = vec!["Alice".into()];
    clip.evidence = vec![Evidence { file: "a.mp4".into(), start_s: 0.0, end_s: 30.0, frames: Vec::new() }];
    let mut hour = Record::new(Level::Hour, "A1_JAKE", at(0), at(3600), "drinks");
    hour.sources = vec![RecordId::of_change(1)];
    memory
        .write(&[Change::put(clip.clone()), Change::put(clip.clone()), Change::put(hour)])
        .unwrap_or_default();
    let exported = export(&mut memory, &folder.path().join("out"), Form::Records).unwrap();
    assert_eq!(exported.records, 3);
    let (_other, mut copy) = scratch();
    import(&mut copy, &[folder.path().join("out")], None, None).unwrap();
    let all = |memory: &mut Memory| {
        let mut all = Vec::new();
        memory
            .store()
            .walk(&mut |record| {
                all.push(record);
                Ok(())
            })
            .unwrap();
        all
    };
    assert_eq!(all(&mut copy), all(&mut memory));
    let lossy = export(&mut memory, &folder.path().join("lossy"), Form::VideoMme).unwrap();
    assert_eq!((lossy.shortened, lossy.left_out), (2, 1));
}

#[test]
fn faults_name_the_file_and_the_row() {
    let name = |file: &str| FileName::of(Path::new(file));
    let row = |key: &str, value: Value| {
        let mut row =
            json!({"generated_text": "x", "date": 1, "start_time": 11_090_000, "end_time": 11_190_000});
        row[key] = value;
        json!([row]).to_string()
    };
    for (text, expect) in [
        ("{}".into(), "F: it is not a JSON list"),
        ("[".into(), "F: it is not a JSON list"),
        ("[1]".into(), "F, record 1: it is not an object"),
        (row("generated_text", json!(1)), "generated_text is neither a string nor a list"),
        (row("generated_text", json!([1])), "generated_text holds something else than strings"),
        (row("date", json!(0)), "date is not a day number"),
        (row("date", json!("1")), "date is not a day number"),
        (row("start_time", Value::Null), "start_time: it is neither"),
        (row("start_time", json!(99_000_000)), "start_time: there is no such time of day"),
        (row("start_time", json!(-1)), "start_time: it is not a clock"),
        (row("start_time", json!("1109000")), "start_time: it is not a clock"),
        (row("start_time", json!("110900é")), "start_time: it is not a clock"),
        (row("end_time", json!(11_080_000)), "it ends before it starts"),
        (
            row("end_time", json!(7)).replace("\"end_time\":7", "\"end_time\":NaN"),
            "F, record 1: end_time: it is neither a number nor a string of eight digits: `[0].end_time` is NaN at line 1",
        ),
    ] {
        let error = read(&text, &name("A1_JAKE_10min.json"), "F").unwrap_err().to_string();
        assert!(error.contains(expect) && !error.contains('\n'), "{text}: {error}");
    }
    // NaN in a key that nobody asks for is passed over.
    let beside = row("score", json!(7)).replace("\"score\":7", "\"score\":NaN");
    assert_eq!(
        read(&format!("\u{feff}{beside}"), &name("A1_JAKE_10min.json"), "F").unwrap().records.len(),
        1
    );
    let lines = |text: &str| read(text, &name("a.jsonl"), "F").unwrap_err().to_string();
    assert!(lines("\n{}").contains("F, line 2: it is not a record"));
    let found = read(&row("video", json!("v")), &name("A1_JAKE_10min.json"), "F").unwrap();
    assert_eq!(found.passed_over.into_iter().collect::<Vec<_>>(), ["video"]);
    assert_eq!(
        name("A1_JAKE_1day.json"),
        FileName { wearer: "A1_JAKE".into(), level: Some(Level::Day), lines: false }
    );
    assert_eq!(name("_1day.json").wearer, "_1day");
    assert!("parquet".parse::<Form>().unwrap_err().to_string().contains("forms are egolife"));
    let (folder, mut memory) = scratch();
    let empty = folder.path().join("empty");
    fs_err::create_dir(&empty).unwrap();
    assert!(import(&mut memory, &[empty], None, None).unwrap_err().to_string().contains("there is no .json"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Any bytes are read or refused; what is read is a record that can be.
    #[test]
    fn any_text_is_read_or_refused(
        text in "(\\[\\{\"generated_text\":\"a\",\"date\":[0-9]{1,2},\"start_time\":\"?[0-9]{1,9}\"?,\"end_time\":\"?[0-9]{1,9}\"?\\}\\]|.{0,20})",
        file in "(A1_1day|x|_10min)\\.jsonl?",
    ) {
        if let Ok(found) = read(&text, &FileName::of(Path::new(&file)), "F") {
            for record in found.records {
                prop_assert!(record.validate().is_ok());
            }
        }
    }
}
