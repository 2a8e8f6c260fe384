use std::sync::Arc;

use super::words::{content, keywords, overlap, read};
use super::*;
use crate::scripted_memory;
use crate::tools::Rag;
use crate::{CallRules, Manner, Question, Toolbox, Tools, Trace, Verdict, investigate};

fn asked(seeker: &Seeker, text: &str, options: &[&str], clock: &str) -> Trace {
    let folder = tempfile::tempdir().unwrap();
    let rag = Rag::new(scripted_memory::memories(folder.path()), 3);
    let tools: Arc<dyn Tools> = Arc::new(Toolbox::new(vec![Arc::new(rag)], CallRules::default()).unwrap());
    let question = Question {
        id: "1".into(),
        text: text.into(),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
        clock: clock.parse().unwrap(),
        wearer: "A1_JAKE".into(),
    };
    investigate(question, &tools, &mut seeker.clone(), &Manner::default(), &mut |_| true).unwrap()
}

#[test]
fn it_goes_down_the_records_and_answers_with_what_it_read() {
    let check = |text: &str, options: &[&str], clock: &str, expect: Verdict, at: &str| {
        let trace = asked(&Seeker::new(), text, options, clock);
        assert_eq!(trace.verdict, Some(expect), "{text}: {}", trace.to_json());
        let last = &trace.turns.last().unwrap().done.text;
        assert!(last.contains(at), "{text}: {last}");
    };
    let rooms = &["kitchen", "bedroom", "garage", "bathroom"][..];
    let noon = "DAY3_12000000";
    check("in which room did i last put the red cup ?", rooms, noon, Verdict::Option(1), "DAY2_10000000");
    check(
        "in which room did i last put the red cup ?",
        rooms,
        "DAY2_09000000",
        Verdict::Option(0),
        "DAY1_09000500",
    );
    check("in which room did i first put the red cup ?", rooms, noon, Verdict::Option(0), "DAY1_09000500");
    check("who did i give the drill to ?", &["Anna", "Ben"], noon, Verdict::Option(1), "DAY2_16300000");
    check("what did i put on the bench ?", &["red cup", "drill"], noon, Verdict::Option(1), "DAY2_10020000");
    // What happens later is unknown now, and unknown things are said to be so.
    check("in which room did i last put the submarine ?", rooms, noon, Verdict::NotInMemory, "does not say");
    // Without options it answers with the sentence.
    let words = Verdict::Words("I put the red cup on the table in the bedroom".into());
    check("where did i last put the red cup ?", &[], noon, words, "DAY2_10000000");
}

#[test]
fn a_teacher_looks_where_it_knows_and_says_only_what_it_read() {
    let target = "DAY1_09000500".parse().unwrap();
    let teacher = Seeker { target: Some(target), ..Seeker::new() };
    let trace = asked(&teacher, "where was the red cup ?", &["shelf", "table", "floor"], "DAY3_12000000");
    assert_eq!(trace.verdict, Some(Verdict::Option(0)));
    // Every moment that a turn names was shown before, or is the beginning of time or the question's own.
    let mut known = String::from("DAY1_00000000 DAY3_12000000");
    for turn in &trace.turns {
        for word in turn
            .done
            .text
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|word| word.starts_with("DAY"))
        {
            assert!(known.contains(word), "{word} in {}", turn.done.text);
        }
        if let crate::Said::Observation(text) = &turn.done.said {
            known.push_str(text);
        }
    }
    // A target whose record says nothing of the question is no answer.
    let teacher = Seeker { target: Some("DAY3_08000000".parse().unwrap()), ..Seeker::new() };
    let trace = asked(&teacher, "what colour is my submarine ?", &["red", "blue"], "DAY3_12000000");
    assert_eq!(trace.verdict, Some(Verdict::NotInMemory));
}

#[test]
fn words_that_matter() {
    assert_eq!(content("On what did I last put the red toy car ?"), ["put", "red", "toy", "car"]);
    let check = |text: &str, expect: &[&str]| assert_eq!(keywords(text), expect, "{text}");
    check("on what did i last put the red toy car ?", &["put", "red toy car"]);
    check("who told me about chess ?", &["chess"]);
    check("what is it ?", &[]);
    check("who gave Nguye\u{302}\u{303}n the ＵＳＢ stick on day 3 ?", &["give nguyen", "usb stick"]);
    assert_eq!(overlap(&["nguyen".into(), "杯子".into()], "NGUYỄN 拿杯子"), 2);
}

#[test]
fn a_sentence_speaks_for_one_option() {
    let check = |question: &str, options: &[&str], text: &str, expect: Option<usize>| {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let reading = read(question, &options, &[(Moment::START, text)]);
        assert_eq!(reading.and_then(|reading| reading.option), expect, "{text}");
    };
    let where_is = "where did i put the cup ?";
    check(where_is, &["table", "shelf"], "I put the cup on the shelf.", Some(1));
    check(where_is, &["table", "shelf"], "I put the cup on the shelf by the table.", None);
    check(where_is, &["table", "side table"], "I put the cup on the side table.", Some(1));
    check(where_is, &["the table", "the shelf"], "I put the cup on the table.", Some(0));
    check(where_is, &["table", "shelf"], "I walk to the table.", None);
    check("which did i take , the cup or the book ?", &["cup", "book"], "I take the book. I read.", Some(1));
    check(where_is, &[], "", None);
}

#[test]
fn whether_something_happened_is_yes_or_no() {
    let check = |text: &str, expect: usize| {
        let trace = asked(&Seeker::new(), text, &["no", "yes"], "DAY3_12000000");
        assert_eq!(trace.verdict, Some(Verdict::Option(expect)), "{text}: {}", trace.to_json());
    };
    check("did i give the drill to ben on day 2 ?", 1);
    check("did i give the drill to ben on day 1 ?", 0);
    check("was the blue book read on day 1 ?", 1);
}

/// The turns of a question whose searches show these clips, one list after the other.
fn turns(text: &str, options: &[&str], clock: &str, shown: &[&[(&str, &str)]]) -> Vec<String> {
    let say = |role, text: String| firsthand_base::Message::new(role, vec![firsthand_base::Part::Text(text)]);
    let options: String =
        ('A'..='Z').zip(options).map(|(letter, option)| format!("\n{letter}. {option}")).collect();
    let asked = format!("{text} <timestamp>{clock}</timestamp>{options}");
    let mut messages = vec![
        say(firsthand_base::Role::System, "call one tool ( rag )".into()),
        say(firsthand_base::Role::User, asked),
    ];
    let mut said = Vec::new();
    for clips in shown.iter().map(Some).chain([None]) {
        let past = Past::of(&Conversation { messages: messages.clone() }, true).unwrap();
        let turn = Seeker::new().turn(&past);
        said.push(turn.clone());
        let Some(clips) = clips else { break };
        let clips: Vec<_> = clips.iter().map(|(at, text)| json!({"start_time": at, "text": text})).collect();
        let record = json!({"start_time": "DAY1_00000000", "end_time": "DAY1_23000000", "relevant_content": "", "clips": clips});
        messages.push(say(firsthand_base::Role::Assistant, turn));
        let found = format!("<information>{}</information>", json!({"records": [record]}));
        messages.push(say(firsthand_base::Role::User, found));
    }
    said
}

#[test]
fn searches_say_which_of_several_unless_told_not_to() {
    let asked =
        "in which room did i last put the cup ? <timestamp>DAY3_12000000</timestamp>\nA. hall\nB. study";
    let parts = vec![firsthand_base::Part::Text(asked.to_owned())];
    let conversation =
        Conversation { messages: vec![firsthand_base::Message::new(firsthand_base::Role::User, parts)] };
    for says_which in [true, false] {
        let mut seeker = Seeker { says_which, ..Seeker::new() };
        let (sampling, stop) = (SamplingOptions::default(), StopRules::default());
        let turn = seeker.generate(&conversation, &sampling, &stop, &mut |_| true).unwrap().text;
        assert_eq!(turn.contains("\"last\""), says_which, "{turn}");
        assert!(turn.contains("\"cup\""), "{turn}");
    }
}

#[test]
fn what_came_first_what_came_next_and_what_is_usual() {
    let check = |text: &str, options: &[&str], shown: &[&[(&str, &str)]], calls: &[&str], letter: &str| {
        let said = turns(text, options, "DAY3_12000000", shown);
        for (turn, call) in said.iter().zip(calls) {
            assert!(turn.contains(call), "{text}: no {call} in {turn}");
        }
        let last = said.last().unwrap();
        assert!(last.ends_with(&format!("<answer>{letter}</answer>")), "{text}: {last}");
    };
    let cup = ("DAY2_10000000", "I pick up the red cup from the shelf. I walk to the hall.");
    let pan = ("DAY2_09000000", "I pick up the pan from the stove.");
    check(
        "on day 2 , which did i pick up first , the red cup or the pan ?",
        &["red cup", "pan"],
        &[&[cup], &[pan]],
        &["\"red cup\",\"first\"", "\"pan\",\"first\""],
        "B",
    );
    let put = ("DAY2_10003000", "I put the red cup on the table.");
    let next = ("DAY2_10150000", "I open the door. I pick up the blue book from the bench.");
    let books = &["red book", "blue book", "blue key", "red key"];
    check(
        "the last time i put down the red cup , what did i pick up next ?",
        books,
        // Nothing in the first hour, something in the second.
        &[&[put, pan], &[cup], &[next]],
        &["week", "DAY2_10003000", "DAY2_11003000"],
        "B",
    );
    let before = ("DAY2_09400000", "I put the red key on the bench.");
    check(
        "the last time i picked up the red cup , what did i put down just before ?",
        books,
        &[&[cup], &[before, put]],
        &["week", "DAY2_09000000"],
        "D",
    );
    // Not what is done at any time of such an hour; where the week shows nothing, each hour is looked at.
    let water = ("DAY2_17003000", "I walk to the hall. I water the fern with the red can.");
    let late = ("DAY1_16400000", "I water the fern with the red can.");
    let hours = &["16", "17"];
    let usual = "at what hour do i water the fern ?";
    check(usual, hours, &[&[late, water]], &["\"water\",\"fern\""], "B");
    check(usual, hours, &[&[late], &[late], &[water]], &["week", "DAY2_16000000", "DAY2_17000000"], "B");
}
