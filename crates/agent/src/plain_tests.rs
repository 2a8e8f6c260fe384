use firsthand_base::Part;

use super::*;
use crate::scripted_memory;

fn asked(plain: Plain, text: &str, clock: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let memory = scripted_memory::make(folder.path());
    let question = Question {
        id: "1".into(),
        text: text.into(),
        options: vec!["kitchen".into(), "bedroom".into()],
        clock: clock.parse().unwrap(),
        wearer: "A1_JAKE".into(),
    };
    let mut memory = memory.lock().unwrap();
    let conversation = plain.conversation(&question, &mut memory, Prompt::Brief, (2, 200)).unwrap();
    let [system, user] = &conversation.messages[..] else { panic!("two turns") };
    assert_eq!((system.role, user.role), (Role::System, Role::User));
    let [Part::Text(text)] = &user.parts[..] else { panic!("words alone") };
    assert!(text.ends_with("\nA. kitchen\nB. bedroom"), "{text}");
    text.clone()
}

#[test]
fn what_stands_beside_a_question() {
    let check = |plain, text: &str, clock: &str, has: &[&str], has_not: &[&str]| {
        let shown = asked(plain, text, clock);
        for word in has {
            assert!(shown.contains(word), "{plain:?}: no {word:?} in {shown}");
        }
        for word in has_not {
            assert!(!shown.contains(word), "{plain:?}: {word:?} in {shown}");
        }
    };
    let cup = "where is the red cup ?";
    check(Plain::Blind, cup, "DAY3_12000000", &[cup], &["information", "shelf"]);
    check(Plain::Flat, cup, "DAY3_12000000", &["bedroom", "shelf"], &["bathroom", "attic", "blue book"]);
    // Asked earlier, less has happened; a question without a word to look for finds nothing.
    check(Plain::Flat, cup, "DAY1_12000000", &["shelf"], &["on the table in the bedroom"]);
    check(Plain::Flat, "what is it ?", "DAY3_12000000", &["<information></information>"], &["cup"]);
    // Days that are over as days, today as the hours that are over.
    check(Plain::Summaries, cup, "DAY3_12000000", &["DAY1_", "DAY2_", "garden"], &["bathroom", "attic"]);
    check(Plain::Summaries, cup, "DAY2_12000000", &["shelf", "garage"], &["I give the drill to Ben"]);
}
