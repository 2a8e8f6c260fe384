//! `remember` after something was mended: a transcript that came later, a caption that was corrected, time that was forgotten.

use std::path::Path;

use firsthand_memory::Level;
use serde_json::{Value, json};

use crate::chat_server::ChatServer;
use crate::program::{program, stderr, stdout};
use crate::remember::{clips, film, good, records, served};

/// A summary that quotes its notes; a caption of a clip says nothing of words.
fn quote(body: &Value) -> String {
    let content = &body["messages"][0]["content"];
    match content.as_str() {
        Some(text) => text.to_owned(),
        None => "I look at a room.".to_owned(),
    }
}

#[test]
fn a_transcript_that_comes_later_or_is_mended_is_read_by_the_next_run() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let film = film(home);
    let server = ChatServer::start(&[], 1, quote);
    let remember = || {
        let output = served(home, &server, &["--json", "--wearer", "W7"]).arg(&film).output().unwrap();
        let report: Value = serde_json::from_str(&good(&output)).unwrap();
        (report, stderr(&output))
    };
    let asked = || server.seen.lock().unwrap().asked.len();
    let (report, _) = remember();
    assert_eq!((&report["remembered"], &report["reworded"]), (&json!(3), &json!(0)));
    assert_eq!(asked(), 7);
    let before = records(&home.join("memory"));
    // It comes later, in another encoding, and one of its cues is damaged.
    let cues = b"1\r\n00:00:31,000 --> 00:00:33,000\r\nAnna: Un caf\xe9 cr\xe8me, s'il vous pla\xeet.\r\n\r\n2\r\n00:00:xx,000 --> 00:00:40,000\r\nlost\r\n";
    fs_err::write(film.with_extension("srt"), cues).unwrap();
    let (report, told) = remember();
    assert_eq!(
        (&report["remembered"], &report["known"], &report["reworded"]),
        (&json!(0), &json!(3), &json!(1))
    );
    assert!(told.contains(".srt: line 6: \"00:00:xx,000 --> 00:00:40,000\" has no times"), "{told}");
    assert_eq!(asked(), 11, "four summaries, and no clip is looked at again");
    let after = records(&home.join("memory"));
    let words = "Anna: Un café crème, s'il vous plaît.";
    let said: Vec<Option<&str>> = clips(&after).iter().map(|clip| clip.transcript.as_deref()).collect();
    assert_eq!(said, [None, Some(words), None]);
    let seen = |all: &[firsthand_memory::Record]| {
        let clips = clips(all).into_iter().map(|clip| (clip.id, clip.text.clone(), clip.evidence.clone()));
        clips.collect::<Vec<_>>()
    };
    assert_eq!(seen(&after), seen(&before));
    for level in &Level::ALL[1..] {
        let texts: Vec<&str> =
            after.iter().filter(|record| record.level == *level).map(|record| record.text.as_str()).collect();
        assert_eq!(texts.len(), 1);
        assert!(texts[0].contains(words), "{level}: {}", texts[0]);
    }
    // Mended: the second cue is heard, too.
    let mended = "1\n00:00:31,000 --> 00:00:33,000\nAnna: Tea, please.\n\n2\n00:01:05,000 --> 00:01:06,000\nBen: Here.\n";
    fs_err::write(film.with_extension("srt"), mended).unwrap();
    let (report, _) = remember();
    assert_eq!((&report["known"], &report["reworded"]), (&json!(3), &json!(2)));
    let all = records(&home.join("memory"));
    let said: Vec<Option<&str>> = clips(&all).iter().map(|clip| clip.transcript.as_deref()).collect();
    assert_eq!(said, [None, Some("Anna: Tea, please."), Some("Ben: Here.")]);
    assert!(all.iter().all(|record| !record.words().contains("crème")));
    // Without news nothing is asked.
    let count = asked();
    assert_eq!(remember().0["reworded"], 0);
    assert_eq!(asked(), count);
}

fn write(home: &Path, rows: &[(&str, &str)]) {
    let row = |(time, text): &(&str, &str)| json!({"view": "A1", "date": "DAY1", "time": time, "text": text});
    let rows: Vec<Value> = rows.iter().map(row).collect();
    fs_err::write(home.join("c.json"), json!(rows).to_string()).unwrap();
}

#[test]
fn captions_share_a_stretch_are_corrected_and_come_back_on_request() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let run = |arguments: &[&str]| {
        let output = program(home).args(arguments).args(["--memory", "memory"]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output) + &stderr(&output)
    };
    let (a, b) = ("09000000-09003000", "09001000-09002000");
    write(home, &[(a, "I water the chrysanthemums."), (a, "Bob holds a fork."), (b, "The kettle boils.")]);
    let told = run(&["remember", "--captions", "c.json"]);
    assert!(told.contains("3 clips remembered now, 0 were there"), "{told}");
    let told = run(&["remember", "--captions", "c.json"]);
    assert!(told.contains("0 clips remembered now, 3 were there"), "{told}");
    write(home, &[(a, "I water the rhododendrons."), (a, "Bob holds a fork.")]);
    let told = run(&["remember", "--captions", "c.json", "--replace"]);
    assert!(told.contains("1 clips remembered now, 1 were there"), "{told}");
    assert!(told.contains("1 captions replaced; proof: none of"), "{told}");
    for record in records(&home.join("memory")) {
        assert!(!record.words().contains("chrysanthemums"), "{record:?}");
        assert!(record.level == Level::Clip || record.words().contains("rhododendrons"), "{record:?}");
    }
    assert!(run(&["recall", "kettle"]).contains("kettle"));
    run(&["forget", "--from", "DAY1_09000000", "--to", "DAY1_09000500"]);
    let told = run(&["remember", "--captions", "c.json"]);
    assert!(told.contains("0 clips remembered now, 0 were there"), "{told}");
    assert!(told.contains("2 captions are of time that was forgotten on purpose and stay out, first A1 DAY1_09000000 to DAY1_09003000: --replace brings them back"), "{told}");
    let told = run(&["remember", "--captions", "c.json", "--replace"]);
    assert!(told.contains("2 clips remembered now, 0 were there"), "{told}");
    assert_eq!(clips(&records(&home.join("memory"))).len(), 3);
}
