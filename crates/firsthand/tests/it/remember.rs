//! `remember` and `world memory`: a simulated week survives twenty kills, records equal; films are looked at by a served
//! model with the frames as evidence; what is broken is told and passed over; a server that is away stops the work cleanly.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use firsthand_memory::build::Ledger;
use firsthand_memory::{Level, Memory, Query, Record};
use serde_json::{Value, json};

use crate::chat_server::ChatServer;
use crate::program::{assert_failure, program, stderr, stdout};

pub(crate) fn good(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    stdout(output)
}

pub(crate) fn records(folder: &Path) -> Vec<Record> {
    let mut memory = Memory::open(folder).unwrap();
    assert_eq!(memory.store().check(false).unwrap(), Vec::<String>::new());
    let mut records = Vec::new();
    memory
        .store()
        .walk(&mut |record| {
            records.push(record);
            Ok(())
        })
        .unwrap();
    records
}

pub(crate) fn clips(records: &[Record]) -> Vec<&Record> {
    records.iter().filter(|record| record.level == Level::Clip).collect()
}

/// The memory and the captions of a simulated week.
fn week(home: &Path) -> (PathBuf, PathBuf) {
    let arguments =
        ["world", "memory", "--seeds", "3..4", "--out", "weeks", "--captions", "--items", "12", "--json"];
    let report: Value =
        serde_json::from_str(&good(&program(home).args(arguments).output().unwrap())).unwrap();
    assert_eq!((&report["memories"], &report["held_out"]), (&json!(1), &json!(false)));
    // Nothing is made twice.
    let again = good(&program(home).args(arguments).output().unwrap());
    assert!(again.contains("\"clips\": 0"), "{again}");
    (home.join("weeks/memories/W3"), home.join("weeks/captions/W3.json"))
}

#[test]
fn a_week_is_remembered_through_twenty_kills_as_without_any() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (made, captions) = week(home);
    let remember = |memory: &str| {
        let mut command = program(home);
        command.args(["remember", "--memory", memory, "--captions"]).arg(&captions);
        command
    };
    let started = Instant::now();
    let told = good(&remember("whole").output().unwrap());
    let whole_s = started.elapsed().as_secs_f64();
    println!("an uninterrupted week: {whole_s:.1} s: {told}");
    let (mut killed, mut state) = (0, 0x2545_f491_4f6c_dd1du64);
    while killed < 20 {
        let mut child = remember("killed").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Spread over the work, so that twenty of them do not outlast it.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let wait_s = 0.03 + whole_s / 14.0 * (state >> 40) as f64 / f64::from(1 << 24);
        std::thread::sleep(Duration::from_secs_f64(wait_s));
        let over = child.try_wait().unwrap();
        assert!(over.is_none_or(|status| status.success()), "it failed by itself");
        // Even a run that has ended counts as a try; the clips below say whether enough was left to do.
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
    }
    let before = records(&home.join("killed")).len();
    let told = good(&remember("killed").output().unwrap());
    let (whole, survived) = (records(&home.join("whole")), records(&home.join("killed")));
    println!("{before} records when the last run began: {told}");
    assert!(clips(&whole).len() > 1000 && before > 0);
    assert_eq!(survived, whole);
    // Built clip by clip or ten minutes at a time, it says the same.
    let says = |records: &[Record]| {
        let mut all: Vec<_> = records
            .iter()
            .map(|record| (record.level, record.start, record.end, record.words(), record.people.clone()))
            .collect();
        all.sort();
        all
    };
    assert_eq!(says(&records(&made)), says(&whole));
    let notes =
        Memory::open(&home.join("killed")).map(|mut memory| Ledger::totals(memory.store()).unwrap()).unwrap();
    assert_eq!(notes["W3"].clips as usize, clips(&whole).len());
}

#[test]
fn questions_about_a_week_can_be_answered_from_its_clips() {
    let home = tempfile::tempdir().unwrap();
    let (made, _) = week(home.path());
    let all = records(&made);
    let clips = clips(&all);
    let text = fs_err::read_to_string(home.path().join("weeks/egolife-qa.json")).unwrap();
    let questions: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(questions.len() > 5);
    let at = |time: &Value| {
        let (day, clock) = (time["date"].as_str().unwrap(), time["time"].as_str().unwrap());
        format!("{day}_{clock}").parse::<firsthand_base::Moment>().unwrap()
    };
    for question in &questions {
        assert_eq!(question["identity"], "W3");
        let (target, query) = (at(&question["target_time"]), at(&question["query_time"]));
        // What never happened has no clip: "did i watch television on day 2" may be no.
        let watched = question["keywords"] == "watched";
        let near = clips.iter().find(|clip| clip.start <= target && target <= clip.end.plus_ms(1000));
        assert!(near.is_some() || watched, "{question}");
        assert!(near.is_none_or(|clip| clip.start <= query), "{question}");
    }
    // No clip tells what is over only later: what is put down is held at the end of the clip before.
    let mut memory = Memory::open(&made).unwrap();
    let hits = memory.recall(&Query::new("what did I put on the table")).unwrap();
    assert!(!hits.is_empty());
}

/// A film of 90 seconds in the place where `world make` puts it.
pub(crate) fn film(home: &Path) -> PathBuf {
    let arguments = ["world", "make", "--seed", "7", "--at", "08:00:00", "--minutes", "1.5", "--width", "64"];
    let more = ["--height", "48", "--fps", "5", "--samples", "1", "--out", "film"];
    good(&program(home).args(arguments).args(more).output().unwrap());
    home.join("film/DAY1/DAY1_08000000.mp4")
}

/// How many frames were sent, and whether a transcript was.
pub(crate) fn look(body: &Value) -> String {
    let content = &body["messages"][0]["content"];
    match content.as_array() {
        None => format!("A summary of {} bytes.", content.as_str().unwrap().len()),
        Some(parts) => {
            let frames = parts.iter().filter(|part| part["type"] == "image_url").count();
            let said = parts
                .iter()
                .any(|part| part["text"].as_str().is_some_and(|text| text.contains("What is said")));
            format!("I see {frames} frames{}.", if said { " and hear something" } else { "" })
        }
    }
}

pub(crate) fn served(home: &Path, server: &ChatServer, more: &[&str]) -> Command {
    let mut command = program(home);
    command.args(["remember", "--endpoint", &server.address, "--endpoint-model", "served"]);
    command
        .args(["--memory", "memory", "--patience", "0", "--parallel", "1", "--max-pixels", "6272"])
        .args(more);
    command
}

#[test]
fn a_film_is_looked_at_and_the_frames_are_its_evidence() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let film = film(home);
    fs_err::write(film.with_extension("srt"), "1\n00:00:31,000 --> 00:00:33,000\nAnna: Hello.\n").unwrap();
    let server = ChatServer::start(&[], 1, look);
    let output = served(home, &server, &["--json", "--wearer", "W7"]).arg(&film).output().unwrap();
    let report: Value = serde_json::from_str(&good(&output)).unwrap();
    assert_eq!(
        (&report["remembered"], &report["failed"], &report["ended"]),
        (&json!(3), &json!(0), &json!("done"))
    );
    let all = records(&home.join("memory"));
    let clips = clips(&all);
    let texts: Vec<&str> = clips.iter().map(|clip| clip.text.as_str()).collect();
    assert_eq!(texts, ["I see 30 frames.", "I see 30 frames and hear something.", "I see 30 frames."]);
    assert_eq!(clips[1].transcript.as_deref(), Some("Anna: Hello."));
    assert_eq!((clips[2].start.to_string().as_str(), clips[2].wearer.as_str()), ("DAY1_08010000", "W7"));
    let evidence = &clips[2].evidence[0];
    assert!(evidence.file.ends_with("DAY1_08000000.mp4") && evidence.frames.len() == 30);
    assert_eq!((evidence.start_s, evidence.end_s), (60.0, 90.0));
    assert!(evidence.frames.iter().all(|frame| (60.0..=90.0).contains(&frame.time.seconds())));
    assert!(all.iter().any(|record| record.level == Level::Week && record.text.starts_with("A summary of")));
    let cost = &report["cost"]["W7"];
    assert_eq!(
        (&cost["captions"]["prompt_tokens"], &cost["writing"]["new_tokens"]),
        (&json!(33), &json!(12))
    );
    assert_eq!(report["makers"][0]["captions"]["model"], "served");
    assert_eq!(report["recordings"][0]["file"], json!(film));
    // Again: nothing is asked.
    let asked = server.seen.lock().unwrap().asked.len();
    assert_eq!(asked, 7);
    let told = good(&served(home, &server, &["--wearer", "W7"]).arg(&film).output().unwrap());
    assert!(told.contains("0 clips remembered now, 3 were there"), "{told}");
    assert_eq!(server.seen.lock().unwrap().asked.len(), asked);
}

#[test]
fn a_server_that_is_away_stops_the_work_and_the_next_run_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let film = film(home);
    let server = ChatServer::start(&[200, 503, 503, 503, 503, 400], 1, look);
    let output = served(home, &server, &[]).arg(&film).output().unwrap();
    assert_failure(
        &output,
        &["the memory is not finished: endpoint at", "status 503", "hint: run the same command again"],
    );
    assert_eq!(records(&home.join("memory")).len(), 1);
    // One request that is refused for good is a failure of that clip alone.
    let output = served(home, &server, &[]).arg(&film).output().unwrap();
    let told = good(&output);
    assert!(told.contains("1 clips remembered now, 1 were there, 1 failed"), "{told}");
    assert!(
        stderr(&output).contains("note: the clip at DAY1_08003000 cannot be remembered"),
        "{}",
        stderr(&output)
    );
    let told = good(&served(home, &server, &["--retry-failed"]).arg(&film).output().unwrap());
    assert!(told.contains("1 clips remembered now, 2 were there, 0 failed"), "{told}");
    assert_eq!(clips(&records(&home.join("memory"))).len(), 3);
}

#[test]
fn what_is_broken_is_told_and_the_rest_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let film = film(home);
    // The same film an hour later, its pictures from the middle on overwritten; a text file; and one that is not there.
    let broken = home.join("DAY1_09000000.mp4");
    let mut bytes = fs_err::read(&film).unwrap();
    let start = bytes.windows(4).position(|part| part == b"mdat").unwrap();
    let length = u32::from_be_bytes(bytes[start - 4..start].try_into().unwrap()) as usize;
    for (index, byte) in bytes[start + length * 2 / 5..start + length * 3 / 5].iter_mut().enumerate() {
        *byte = (index * 7) as u8;
    }
    fs_err::write(&broken, bytes).unwrap();
    fs_err::write(home.join("DAY1_10000000.mp4"), "no film").unwrap();
    let server = ChatServer::start(&[], 1, look);
    let files = [film.to_str().unwrap(), "DAY1_09000000.mp4", "DAY1_10000000.mp4", "gone.mp4"];
    let output =
        served(home, &server, &["--json", "--summaries", "extractive"]).args(files).output().unwrap();
    let report: Value = serde_json::from_str(&good(&output)).unwrap();
    println!("{}", report["failures"]);
    assert_eq!(report["not_opened"], 2);
    let (remembered, failed) = (report["remembered"].as_u64().unwrap(), report["failed"].as_u64().unwrap());
    assert!(remembered + failed == 6 && (1..=3).contains(&failed), "{report}");
    let told = stderr(&output);
    for name in ["DAY1_10000000.mp4", "gone.mp4", "the clip at DAY1_0900"] {
        assert!(told.contains(name), "{told}");
    }
    let failures = report["failures"].as_array().unwrap();
    assert_eq!(failures.len() as u64, 2 + failed);
    // Overlapping recordings: what the first shows is not looked at again.
    fs_err::copy(&film, home.join("DAY1_08002000.mp4")).unwrap();
    let output = served(home, &server, &["--json"]).args(["DAY1_08002000.mp4"]).output().unwrap();
    let report: Value = serde_json::from_str(&good(&output)).unwrap();
    assert_eq!((&report["known"], &report["remembered"]), (&json!(2), &json!(1)));
    assert!(report["notes"][0].as_str().unwrap().contains("are remembered from"), "{report}");
    // Nothing but what cannot be opened is a failure.
    let output = served(home, &server, &[]).args(["DAY1_10000000.mp4"]).output().unwrap();
    assert_failure(&output, &["none of 1 recordings can be remembered"]);
}

#[test]
fn vectors_come_from_an_encoder_on_this_machine() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let rows = json!([
        {"view": "A1", "date": "DAY1", "time": "09000000-09003000", "text": "I pick up the red cup."},
        {"view": "A1", "date": "DAY1", "time": "09003000-09010000", "text": "I buy milk."},
    ]);
    fs_err::write(home.join("c.json"), rows.to_string()).unwrap();
    let encoder = firsthand_golden::checkpoint("bert");
    let arguments = ["remember", "--memory", "memory", "--captions", "c.json", "--encoder"];
    good(&program(home).args(arguments).arg(&encoder).output().unwrap());
    let mut memory = Memory::open(&home.join("memory")).unwrap();
    let counts = memory.store().counts().unwrap();
    assert_eq!((counts.vectors, counts.records()), (6, 6));
    let kept = memory.store().encoder().unwrap().unwrap();
    assert!(kept.name.starts_with("bert-") && kept.dimensions == 32, "{kept}");
    drop(memory);
    let encoder = encoder.to_str().unwrap();
    let recall = ["recall", "--memory", "memory", "something red", "--by", "meaning", "--json"];
    let blind = program(home).args(recall).output().unwrap();
    assert_eq!(blind.status.code(), Some(2));
    assert!(stderr(&blind).contains("--by meaning needs --encoder"), "{}", stderr(&blind));
    let told = good(&program(home).args(recall).args(["--encoder", encoder]).output().unwrap());
    let hits: Value = serde_json::from_str(&told).unwrap();
    assert!(hits[0]["parts"]["vector"].is_f64() && hits[0]["parts"]["text"].is_null(), "{hits}");
    // Search alone is measured by what it compares.
    let question = json!([{"ID": 1, "identity": "A1", "question": "what did i buy", "choice_a": "milk", "choice_b": "tea",
        "answer": "A", "query_time": {"date": "DAY2", "time": "08000000"}, "target_time": {"date": "DAY1", "time": "09003100"}}]);
    fs_err::write(home.join("q.json"), question.to_string()).unwrap();
    let eval = ["eval", "memory", "memory", "--questions", "q.json", "--ways", "recall", "--json"];
    for (more, methods) in [(&[][..], 1), (&["--encoder", encoder][..], 3)] {
        let told = good(&program(home).args(eval).args(more).output().unwrap());
        let report: Value = serde_json::from_str(&told).unwrap();
        let rows = report["recall"].as_array().unwrap();
        assert_eq!(rows.len(), 5 * methods, "{report}");
        assert!(rows.iter().all(|row| row["recall"][2] == 1.0), "two clips are among ten: {report}");
    }
    // Vectors of no encoder, or of another one, are told before anything is asked.
    fs_err::write(home.join("plain.json"), rows.to_string()).unwrap();
    good(
        &program(home).args(["remember", "--memory", "plain", "--captions", "plain.json"]).output().unwrap(),
    );
    let eval = ["eval", "memory", "plain", "--questions", "q.json", "--ways", "recall", "--encoder", encoder];
    assert_failure(
        &program(home).args(eval).output().unwrap(),
        &["has vectors of bert-", "firsthand remember"],
    );
}

#[test]
fn what_cannot_be_asked_for_is_refused() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, expect) in [
        (&["a.mp4"][..], "say who looks at the recordings"),
        (&["a.mp4", "--summaries", "model", "--captions", "c.json"], "--summaries model needs"),
        (&["--fps", "0"], "--fps must be above 0"),
        (&["--start", "tomorrow"], "--start is no date"),
        (&["--captions", "c.json", "--model", "x"], "cannot be used with"),
        (&["a.mp4", "--replace"], "--captions <FILE.json>"),
    ] {
        let output =
            program(home.path()).args(["remember", "--memory", "memory"]).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(expect), "{}", stderr(&output));
    }
    let output =
        program(home.path()).args(["remember", "--memory", "m", "--captions", "none.json"]).output().unwrap();
    assert_failure(&output, &["none.json"]);
}
