//! The checkpoint inside the program: what answers when no other is named.

use serde_json::Value;

use crate::program::{program, stderr, stdout};

#[test]
fn without_a_model_the_one_inside_answers_about_its_own_world() {
    let home = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let output = program(home.path()).args(words).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        (stdout(&output), stderr(&output))
    };
    run(&["world", "make", "--seed", "7", "--minutes", "0.067", "--at", "07:00:25", "--out", "home"]);
    // At 07:00:27.9 the hand closes around it, says the film's own list of events.
    let events = fs_err::read_to_string(home.path().join("home/events.jsonl")).unwrap();
    assert!(events.contains("I pick up the red toy car from"), "{events}");
    let ask = [
        "ask",
        "home/DAY1/DAY1_07002500.mp4",
        "what do i do with my hand ?",
        "--options",
        "put down the red toy car|pick up the blue cup|pick up the red toy car|put down the blue cup",
    ];
    let (said, notes) = run(&ask);
    assert!(said.trim_end().ends_with("C. pick up the red toy car"), "{said}");
    assert!(notes.contains("firsthand-tiny knows only the simulated home"), "{notes}");
    let (json, _) = run(&[&ask[..], &["--json"]].concat());
    let reply: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(reply["manifest"]["model"], "firsthand-tiny", "{reply}");
    assert_eq!((&reply["answer"], &reply["option"]), (&"C".into(), &2.into()), "{reply}");
    assert_eq!(reply["answer_text"], "pick up the red toy car", "{reply}");
    // By its name it is a checkpoint as any other.
    let (named, _) = run(&[&ask[..], &["--model", "firsthand-tiny"]].concat());
    assert_eq!(named, said);
}
