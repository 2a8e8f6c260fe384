//! `world`: films with their truths, contact sheets, and what is refused. Small pictures at few frames, so that the
//! encoder and the renderer run for real without taking long.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{assert_failure, files, program, stderr, stdout};

/// Options that make a film of 4 seconds in no time.
const SMALL: [&str; 12] =
    ["--seed", "7", "--minutes", "0.0666", "--width", "64", "--height", "48", "--fps", "5", "--samples", "1"];

fn make(home: &Path, arguments: &[&str]) -> Output {
    program(home).args(["world", "make"]).args(arguments).output().unwrap()
}

fn lines(path: &Path) -> Vec<Value> {
    fs_err::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_film_comes_with_everything_that_is_true_of_it() {
    let home = tempfile::tempdir().unwrap();
    let arguments = [&SMALL[..], &["--out", "out", "--json", "--at", "08:00:00"]].concat();
    let output = make(home.path(), &arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["films"], &summary["kept"], &summary["frames"]), (&1.into(), &0.into(), &20.into()));
    assert_eq!(summary["files"][0], "out/DAY1/DAY1_08000000.mp4");
    let out = home.path().join("out");
    let expected = [
        ".lock",
        "DAY1/DAY1_08000000.frames.jsonl",
        "DAY1/DAY1_08000000.mp4",
        "DAY1/DAY1_08000000.srt",
        "card.json",
        "events.jsonl",
        "recipe.json",
    ];
    assert_eq!(files(&out), expected);
    let truths = lines(&out.join(expected[1]));
    assert_eq!(truths.len(), 20);
    for (index, truth) in truths.iter().enumerate() {
        assert_eq!(truth["index"], index);
        let time_s = truth["time_s"].as_f64().unwrap();
        assert!((time_s - (8.0 * 3600.0 + index as f64 / 5.0)).abs() < 1e-6, "{time_s}");
    }
    // The film is what `inspect` finds: one frame for each truth, at its time.
    let seen = program(home.path())
        .args(["inspect", "--json", "--frames", "4"])
        .arg(out.join(expected[2]))
        .output()
        .unwrap();
    assert!(seen.status.success(), "{}", stderr(&seen));
    let seen: Value = serde_json::from_slice(&seen.stdout).unwrap();
    assert_eq!((&seen["frames"], &seen["average_fps"]), (&20.into(), &5.0.into()));
    assert_eq!(seen["size"], serde_json::json!([48, 64]));
    let card: Value = serde_json::from_slice(&fs_err::read(out.join("card.json")).unwrap()).unwrap();
    let things = card["things"].as_array().unwrap().len() as u64;
    assert!(truths.iter().all(|truth| {
        truth["things"].as_array().unwrap().iter().all(|seen| seen["id"].as_u64().unwrap() < things)
    }));
    let events = lines(&out.join("events.jsonl"));
    assert!(events.len() > 500 && events.iter().all(|event| event["day"] == 1), "{}", events.len());
}

#[test]
fn the_same_command_again_makes_only_what_is_missing_and_the_same_bytes() {
    let home = tempfile::tempdir().unwrap();
    let arguments = [&SMALL[..], &["--out", "out", "--json"]].concat();
    let film = |output: &Output| {
        assert!(output.status.success(), "{}", stderr(output));
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        (summary["kept"].as_u64().unwrap(), summary["files"][0].as_str().unwrap().to_owned())
    };
    let (kept, name) = film(&make(home.path(), &arguments));
    let path = home.path().join(&name);
    let bytes = fs_err::read(&path).unwrap();
    assert_eq!((kept, film(&make(home.path(), &arguments)).0), (0, 1));
    fs_err::remove_file(&path).unwrap();
    let half = path.with_file_name(".DAY1_x.mp4.99.part");
    fs_err::write(&half, "left by a killed run").unwrap();
    assert_eq!(film(&make(home.path(), &arguments)).0, 0);
    assert!(!half.exists() && fs_err::read(&path).unwrap() == bytes);
    let other = [&arguments[..], &["--day", "2"]].concat();
    assert_failure(&make(home.path(), &other), &["other settings: out", "recipe.json"]);
}

#[test]
fn what_people_say_lies_beside_the_film() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    let arguments = [
        "--seed",
        "7",
        "--minutes",
        "90",
        "--at",
        "07:00",
        "--width",
        "16",
        "--height",
        "16",
        "--fps",
        "0.2",
    ];
    let output = make(home.path(), &[&arguments[..], &["--out", "out"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let said: Vec<_> = lines(&out.join("events.jsonl"))
        .into_iter()
        .filter(|event| event["action"] == "say" && event["start_s"].as_f64().unwrap() < 8.5 * 3600.0)
        .collect();
    let subtitles = fs_err::read_to_string(out.join("DAY1/DAY1_07000000.srt")).unwrap();
    assert!(said.len() > 2, "{said:?}");
    assert_eq!(subtitles.matches(" --> ").count(), said.len(), "{subtitles}");
    assert!(said.iter().all(|event| subtitles.contains(event["transcript"].as_str().unwrap())));
    let first = said[0]["start_s"].as_f64().unwrap() - 7.0 * 3600.0;
    let stamp = format!("00:{:02}:{:02}", first as u64 / 60, first as u64 % 60);
    assert!(subtitles.starts_with(&format!("1\n{stamp}")), "{stamp} {subtitles}");
}

#[test]
fn a_log_of_days_has_day_and_time_in_every_name() {
    let home = tempfile::tempdir().unwrap();
    let arguments = ["--seed", "3", "--days", "2", "--width", "16", "--height", "16", "--samples", "1"];
    let output = make(home.path(), &[&arguments[..], &["--fps", "0.05", "--out", "out"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let out = home.path().join("out");
    let films: Vec<_> = files(&out).into_iter().filter(|name| name.ends_with(".mp4")).collect();
    for day in ["DAY1", "DAY2"] {
        let of_day: Vec<_> = films.iter().filter(|name| name.starts_with(day)).collect();
        assert!(of_day.len() > 10, "{films:?}");
        for name in of_day {
            let time = name.strip_prefix(&format!("{day}/{day}_")).and_then(|rest| rest.strip_suffix(".mp4"));
            let time: u64 = time.unwrap().parse().unwrap();
            assert!((7_000_000..23_000_000).contains(&time), "{name}");
            assert!(!lines(&out.join(name.replace("mp4", "frames.jsonl"))).is_empty(), "{name}");
        }
    }
}

#[test]
fn a_contact_sheet_shows_the_frames_and_what_happens() {
    let home = tempfile::tempdir().unwrap();
    let show = |extra: &[&str]| {
        let fixed = ["world", "show", "--seed", "7", "--frames", "4", "--samples", "1", "--minutes", "0.2"];
        let output = program(home.path()).args(fixed).args(extra).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let text = show(&["--out", "sheet.png"]);
    assert!(text.starts_with("sheet.png: 4 frames, day 1") && text.contains("I pick up "), "{text}");
    show(&["--out", "plain.png", "--plain"]);
    let picture = |name: &str| image::open(home.path().join(name)).unwrap().to_rgb8();
    let (drawn, plain) = (picture("sheet.png"), picture("plain.png"));
    assert_eq!(drawn.dimensions(), plain.dimensions());
    let differing = drawn.pixels().zip(plain.pixels()).filter(|(a, b)| a != b).count();
    let share = differing as f64 / f64::from(drawn.width() * drawn.height());
    assert!((0.001..0.5).contains(&share), "names and boxes cover {share}");
}

#[test]
fn what_cannot_be_made_is_refused_before_anything_is_written() {
    let home = tempfile::tempdir().unwrap();
    fs_err::create_dir(home.path().join("full")).unwrap();
    fs_err::write(home.path().join("full/letter.txt"), "mine").unwrap();
    fs_err::write(home.path().join("file"), "mine").unwrap();
    let usage = |arguments: &[&str]| {
        let output = make(home.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    };
    usage(&["--seed", "seven", "--out", "o"]);
    usage(&["--seed", "-1", "--out", "o"]);
    usage(&["--seed", "7", "--out", "o", "--minutes", "-2"]);
    usage(&["--seed", "7", "--out", "o", "--minutes", "NaN"]);
    usage(&["--seed", "7", "--out", "o", "--at", "25:00"]);
    usage(&["--seed", "7", "--out", "o", "--days", "0"]);
    usage(&["--seed", "7", "--out", "o", "--days", "2", "--minutes", "3"]);
    usage(&["--seed", "7", "--out", "o", "--truth-fps", "0"]);
    let check = |arguments: &[&str], parts: &[&str]| {
        assert_failure(&make(home.path(), &[&["--seed", "7"], arguments].concat()), parts);
    };
    check(&["--out", "o", "--width", "65"], &["even sides"]);
    check(&["--out", "o", "--width", "9999"], &["width out of range: 9999"]);
    check(&["--out", "o", "--samples", "9"], &["samples out of range: 9"]);
    check(&["--out", "o", "--fps", "0"], &["rate out of range: 0"]);
    check(&["--out", "o", "--fps", "1e-9"], &["frames per second"]);
    check(&["--out", "o", "--day", "900"], &["days out of range"]);
    check(&["--out", "o", "--day", "0"], &["there is no day 0"]);
    check(&["--out", "full"], &["holds something else: full"]);
    check(&["--out", "file"], &["file"]);
    check(&["--out", "file/o"], &["file/o"]);
    assert_eq!(files(home.path()), ["file", "full/letter.txt"]);
}

#[test]
fn questions_come_as_files_of_every_schema() {
    let home = tempfile::tempdir().unwrap();
    let ask = |extra: &[&str]| {
        let fixed =
            ["world", "questions", "--items", "2", "--families", "relation,order,EventRecall", "--json"];
        program(home.path()).args(fixed).args(extra).output().unwrap()
    };
    let output = ask(&["--seeds", "5..7", "--out", "q"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let out = home.path().join("q");
    let questions = lines(&out.join("questions.jsonl"));
    assert!(questions.len() > 3, "{report}");
    assert_eq!((&report["worlds"], &report["questions"]), (&2.into(), &questions.len().into()));
    for question in &questions {
        let family = question["family"].as_str().unwrap();
        assert!(["relation", "order", "EventRecall"].contains(&family), "{question}");
        match question["media"].as_str() {
            Some(media) => assert!(out.join(media).is_file(), "{question}"),
            None => assert_eq!(family, "EventRecall"),
        }
    }
    for (name, rows) in report["files"].as_object().unwrap() {
        assert!(out.join(name).is_file() && rows.as_u64().unwrap() <= questions.len() as u64, "{name}");
    }
    // The same again finds everything done, another world of held-out seeds is another.
    let bytes = fs_err::read(out.join("questions.jsonl")).unwrap();
    assert!(ask(&["--seeds", "5..7", "--out", "q"]).status.success());
    assert!(fs_err::read(out.join("questions.jsonl")).unwrap() == bytes);
    assert!(ask(&["--seeds", "5..7", "--held-out", "--out", "h"]).status.success());
    assert!(fs_err::read(home.path().join("h/questions.jsonl")).unwrap() != bytes);
    assert_failure(&ask(&["--seeds", "5..7", "--out", "q", "--questions", "9"]), &["q"]);
    fs_err::create_dir(home.path().join("full")).unwrap();
    fs_err::write(home.path().join("full/letter.txt"), "mine").unwrap();
    assert_failure(&ask(&["--seeds", "5..7", "--out", "full"]), &["holds something else: full"]);
    for wrong in [["--seeds", "7..5"], ["--seeds", "five"], ["--items", "0"], ["--families", "taste"]] {
        let output = ask(&[&wrong[..], &["--out", "w"]].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", stderr(&output));
    }
    assert!(!home.path().join("w").exists());
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_whole_films_only_and_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let sizes = ["--width", "32", "--height", "24", "--fps", "0.5", "--samples", "1"];
    let arguments = [&["--seed", "3", "--days", "1", "--out", "out"][..], &sizes].concat();
    let child = program(home.path())
        .args(["world", "make"])
        .args(&arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = home.path().join("out");
    let films = || -> Vec<String> {
        let all = if out.is_dir() { files(&out) } else { Vec::new() };
        all.into_iter().filter(|name| name.ends_with(".mp4") && !name.contains("/.")).collect()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while films().is_empty() {
        assert!(Instant::now() < deadline, "it never finished a film");
        std::thread::sleep(Duration::from_millis(5));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(files(&out).iter().all(|name| !name.ends_with(".part")), "{:?}", files(&out));
    let begun = films().len();
    let output = make(home.path(), &[&arguments[..], &["--json"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["kept"].as_u64(), Some(begun as u64));
    assert_eq!(films().len() as u64, summary["films"].as_u64().unwrap());
}
