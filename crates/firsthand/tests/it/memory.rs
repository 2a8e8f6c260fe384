//! `memory`, `recall` and `forget`: from published files to answers, and from there to nothing.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::program::{assert_failure, files, program, stderr, stdout};

fn run(home: &Path, arguments: &[&str]) -> Output {
    program(home).args(arguments).output().unwrap()
}

fn good(home: &Path, arguments: &[&str]) -> String {
    let output = run(home, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

/// Two days of one wearer in the published form, imported.
fn imported(home: &Path) {
    let row = |text: &str, day: u32, start: u32, end: u32| json!({"generated_text": text, "date": day, "start_time": start, "end_time": end});
    let write = |ending: &str, rows: Value| {
        let file = home.join(format!("egolife/A1_JAKE/A1_JAKE_{ending}.json"));
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(file, rows.to_string()).unwrap();
    };
    write(
        "10min",
        json!([
            row("I put my keys on the shelf. Alice laughs.", 1, 11_090_000, 11_190_000),
            row("Tasha whispers the zanzibarcode to me.", 1, 11_190_000, 11_290_000),
            row("I put my keys in the drawer.", 2, 19_000_000, 19_100_000),
        ]),
    );
    write("1hour", json!([row("Keys, and the zanzibarcode.", 1, 11_090_000, 12_000_000)]));
    write("1day", json!([row("A shelf and the zanzibarcode.", 1, 11_090_000, 23_000_000)]));
    let said = good(home, &["memory", "import", "--memory", "days", "egolife"]);
    assert_eq!(said, "5 records from 3 files, 2 summaries joined to what they are made of\n");
}

#[test]
fn published_files_are_asked_and_written_back() {
    let home = tempfile::tempdir().unwrap();
    imported(home.path());
    let text = good(home.path(), &["recall", "--memory", "days", "where did I put my keys"]);
    assert!(text.starts_with("1. DAY2_19000000 to DAY2_19100000  10min, A1_JAKE, score "), "{text}");
    assert!(text.contains("\n   I put my keys in the drawer.\n"), "{text}");
    let recall = |arguments: &[&str]| -> Value {
        let text = good(home.path(), &[&["recall", "--memory", "days", "--json"], arguments].concat());
        serde_json::from_str(&text).unwrap()
    };
    let at = recall(&["where did I put my keys", "--at", "DAY1_12300000", "--top", "1"]);
    assert_eq!(at[0]["text"], "I put my keys on the shelf. Alice laughs.");
    assert_eq!(
        (&at[0]["level"], &at[0]["start"], &at[0]["state"]),
        (&json!("10min"), &json!("DAY1_11090000"), &json!("whole"))
    );
    assert!(at[0]["score"].as_f64().unwrap() > 0.0 && at[0]["parts"]["text"].is_f64());
    // The day that the clock cuts tells only what had happened.
    let cut = recall(&["what happened today", "--level", "day", "--at", "DAY1_11200000"]);
    assert_eq!((&cut[0]["state"], &cut[0]["end"]), (&json!("partial"), &json!("DAY1_11190000")));
    assert!(!cut.to_string().contains("zanzibarcode"), "{cut}");
    assert_eq!(recall(&["zanzibarcode", "--at", "DAY1_11200000"]), json!([]));
    assert_eq!(
        recall(&["put keys on Monday", "--day-one", "Sunday", "--top", "1"])[0]["start"],
        "DAY2_19000000"
    );
    good(home.path(), &["memory", "export", "--memory", "days", "out"]);
    for file in files(&home.path().join("egolife")) {
        let [old, new] = ["egolife", "out"].map(|folder| -> Value {
            serde_json::from_str(&fs_err::read_to_string(home.path().join(folder).join(&file)).unwrap())
                .unwrap()
        });
        assert_eq!(old, new, "{file}");
    }
    let stats: Value =
        serde_json::from_str(&good(home.path(), &["memory", "stats", "--memory", "days", "--json"])).unwrap();
    assert_eq!(
        (&stats["records"], &stats["levels"]["10min"], &stats["first"]),
        (&json!(5), &json!(3), &json!("DAY1_11090000"))
    );
    assert!(
        good(home.path(), &["memory", "stats", "--memory", "days"])
            .contains("no vectors: search is by words")
    );
    good(home.path(), &["memory", "export", "--memory", "days", "all", "--form", "records"]);
    good(home.path(), &["memory", "import", "--memory", "copy", "all"]);
    let [one, two] =
        ["days", "copy"].map(|folder| good(home.path(), &["recall", "--memory", folder, "keys", "--json"]));
    assert_eq!(one, two);
}

#[test]
fn what_is_forgotten_is_in_no_file() {
    let home = tempfile::tempdir().unwrap();
    imported(home.path());
    let bytes = || -> Vec<u8> {
        let folder = home.path().join("days");
        files(&folder).iter().flat_map(|file| fs_err::read(folder.join(file)).unwrap()).collect()
    };
    let holds =
        |word: &str| bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()));
    assert!(holds("zanzibarcod"));
    let dry = good(home.path(), &["forget", "--memory", "days", "--person", "tasha", "--dry-run"]);
    assert_eq!(dry, "meant: 1 10min; summaries above them would be put together anew\n");
    assert!(holds("zanzibarcod"));
    let said = good(home.path(), &["forget", "--memory", "days", "--person", "tasha"]);
    assert!(said.starts_with("forgot 1 10min; 2 summaries put together anew\nproof: none of "), "{said}");
    assert!(!holds("zanzibarcod") && !holds("tasha") && holds("drawer"));
    let text = good(home.path(), &["recall", "--memory", "days", "what happened on day 1", "--level", "day"]);
    assert!(text.contains(", open, ") && text.contains("I put my keys on the shelf."), "{text}");
    assert_eq!(good(home.path(), &["memory", "check", "--memory", "days"]), "the memory is whole\n");
    assert!(good(home.path(), &["memory", "stats", "--memory", "days"]).contains("2 summaries wait"));
}

/// A person of eight scripts: how she is asked for, sentences that name her in other spellings, a sentence that only shares
/// letters with the name, and the bytes that must be nowhere.
const PEOPLE: [(&str, [&str; 2], &str, &[&str]); 9] = [
    (
        "Nguyen",
        ["Nguyễn opens it", "NGUYE\u{302}\u{303}N laughs"],
        "Nguyet opens it",
        &["Nguyễn", "NGUYE\u{302}\u{303}N", "nguyen"],
    ),
    (
        "СЕРГЕЙ",
        ["Сергей спит", "Серге\u{438}\u{306} ест"],
        "Сергеев спит",
        &["Сергей", "Серге\u{438}\u{306}", "сергей"],
    ),
    (
        "Ελένη",
        ["Η ΕΛΕΝΗ τρώει", "η Ελε\u{301}νη πλένει"],
        "Η Ελένια τρώει",
        &["ΕΛΕΝΗ", "Ελε\u{301}νη", "ελενη"],
    ),
    ("فاطمة", ["جاءت فَاطِمَة", "أكلت فاطمه"], "جاء فاطن", &["فَاطِمَة", "فاطمه"]),
    ("फ़राह", ["फराह आई", "\u{95e}राह गई"], "फरहान आया", &["फराह", "\u{95e}राह"]),
    ("แก้ว", ["แก้วเปิดประตู", "น้องแก\u{e49}วนอน"], "ก้าวเปิดประตู", &["แก้ว"]),
    (
        "지훈",
        ["지훈이가 잔다", "\u{110c}\u{1175}\u{1112}\u{116e}\u{11ab}은 먹는다"],
        "지후가 잔다",
        &["지훈", "\u{110c}\u{1175}\u{1112}\u{116e}\u{11ab}"],
    ),
    ("ﾏﾘ", ["マリが寝る", "ﾏﾘさんが来る"], "マリンが寝る", &["マリが", "ﾏﾘ"]),
    ("王芳", ["王芳拿杯子", "我看见王芳"], "王方拿杯子", &["王芳"]),
];

#[test]
fn a_person_is_forgotten_in_every_spelling_and_script() {
    let home = tempfile::tempdir().unwrap();
    let sentences = PEOPLE.iter().flat_map(|(_, named, other, _)| named.iter().chain([other]));
    let captions: Vec<serde_json::Value> = sentences
        .enumerate()
        .map(|(place, text)| json!({"view": "A1", "date": 1, "time": format!("09{place:02}0000-09{place:02}3000"), "text": text}))
        .collect();
    fs_err::write(home.path().join("told.json"), serde_json::to_string(&captions).unwrap()).unwrap();
    good(home.path(), &["remember", "--captions", "told.json", "--memory", "days"]);
    let bytes = || -> Vec<u8> {
        let folder = home.path().join("days");
        files(&folder).iter().flat_map(|file| fs_err::read(folder.join(file)).unwrap()).collect()
    };
    let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    for (asked, named, _, spellings) in &PEOPLE {
        let before = bytes();
        assert!(named.iter().all(|text| holds(&before, text)), "{asked}");
        let said = good(home.path(), &["forget", "--memory", "days", "--person", asked]);
        assert!(said.contains("forgot 2 clip; ") && said.contains("proof: none of "), "{asked}: {said}");
        let after = bytes();
        for spelling in *spellings {
            assert!(!holds(&after, spelling), "{spelling:?} is left of {asked}");
        }
        assert!(PEOPLE.iter().all(|(_, _, other, _)| holds(&after, other)), "{asked}");
        // There is nobody of that name any more: no records are meant, and that is a failure.
        let arguments = ["forget", "--memory", "days", "--person", asked];
        assert_failure(
            &run(home.path(), &arguments),
            &["nothing is meant", "hint: see how the name is written: firsthand recall"],
        );
    }
    assert_eq!(good(home.path(), &["memory", "check", "--memory", "days"]), "the memory is whole\n");
    let left: serde_json::Value =
        serde_json::from_str(&good(home.path(), &["memory", "stats", "--memory", "days", "--json"])).unwrap();
    assert_eq!(left["levels"]["clip"], json!(PEOPLE.len()));
    let nobody = ["forget", "--memory", "days", "--person", "Zoe", "--dry-run", "--json"];
    let output = run(home.path(), &nobody);
    assert_eq!((output.status.code(), stdout(&output).trim()), (Some(1), "{\"meant\":{}}"));
}

#[test]
fn what_lies_before_the_first_day_is_nothing() {
    let home = tempfile::tempdir().unwrap();
    let captions: Vec<serde_json::Value> = (1..=3)
        .map(|day| json!({"view": "A1", "date": day, "time": "09000000-09003000", "text": "I wash the cup."}))
        .collect();
    fs_err::write(home.path().join("told.json"), serde_json::to_string(&captions).unwrap()).unwrap();
    good(home.path(), &["remember", "--captions", "told.json", "--memory", "days"]);
    for (at, words, expect) in [
        ("DAY1_20000000", "cup yesterday", "note: nothing found: \"yesterday\" is before the first day"),
        ("DAY3_20000000", "cup 3 days ago", "note: nothing found: \"3 days ago\" is before the first day"),
        ("DAY1_20000000", "cup tomorrow", "note: nothing found: \"tomorrow\" is later than the question"),
    ] {
        for more in [&["--json"][..], &[]] {
            let output =
                run(home.path(), &[&["recall", "--memory", "days", words, "--at", at], more].concat());
            assert!(
                output.status.success() && stderr(&output).contains(expect),
                "{words}: {}",
                stderr(&output)
            );
            assert!(matches!(stdout(&output).trim(), "" | "[]"), "{words}: {}", stdout(&output));
        }
    }
    let asked = ["ask", "--memory", "days", "where was the cup yesterday ?", "--at", "DAY1_20000000"];
    let said = good(home.path(), &asked);
    assert!(said.contains("is before the first day") && said.contains("not in memory"), "{said}");
    assert!(!said.contains("Evidence:"), "{said}");
}

#[test]
fn wrong_questions_and_wrong_folders_are_one_line() {
    let home = tempfile::tempdir().unwrap();
    imported(home.path());
    let check = |arguments: &[&str], parts: &[&str]| assert_failure(&run(home.path(), arguments), parts);
    check(
        &["recall", "--memory", "nowhere", "keys"],
        &["nowhere", "there is no such folder", "hint: give --memory"],
    );
    check(&["recall", "--memory", "egolife", "keys"], &["egolife", "there is no memory.json"]);
    check(&["recall", "--memory", "days", ""], &["the question is empty"]);
    check(&["recall", "--memory", "days", "* ^ \" ?"], &["no word to look for"]);
    check(&["recall", "--memory", "days", "keys", "--top", "0"], &["ask for 1 or more"]);
    check(
        &["recall", "--memory", "days", "keys", "--from", "DAY2_00000000", "--to", "DAY1_00000000"],
        &["is not before"],
    );
    check(&["forget", "--memory", "days"], &["nothing is chosen to forget"]);
    check(&["memory", "import", "--memory", "days", "egolife"], &["the memory has such already"]);
    fs_err::write(home.path().join("bad.json"), "[{}]").unwrap();
    check(&["memory", "import", "--memory", "fresh", "bad.json"], &["bad.json, record 1: generated_text"]);
    for arguments in [
        ["recall", "--memory", "days", "keys", "--level", "minute"],
        ["recall", "--memory", "days", "keys", "--at", "tomorrow"],
        ["recall", "--memory", "days", "keys", "--at", "DAY1_99000000"],
        ["memory", "export", "--memory", "days", "--form", "csv"],
    ] {
        let output = run(home.path(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    }
    // A damaged database says so, and what cannot be repaired is not called repaired.
    let database = home.path().join("days/memory.db");
    let mut bytes = fs_err::read(&database).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0x5a);
    fs_err::write(&database, &bytes).unwrap();
    check(&["memory", "check", "--memory", "days"], &["days"]);
}
