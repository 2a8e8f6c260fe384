use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::scripted_tools::{Scripted, call, echo, question};
use crate::{CallRules, Observation};

fn episode(budgets: Budgets) -> Episode {
    Episode::new(question(), echo().alone(CallRules::default()), budgets, Prompt::Full).unwrap()
}

fn look(question: &str) -> String {
    call("look", json!({"question": question}))
}

/// What comes back for each turn in order.
fn check(budgets: Budgets, turns: &[(&str, Said)]) {
    let mut episode = episode(budgets);
    for (turn, expect) in turns {
        assert_eq!(&episode.turn(turn, Cost { tokens: 10, seconds: 1.0 }), expect, "{turn}");
    }
}

fn seen(text: &str) -> Said {
    Said::Observation(text.into())
}

fn answer(text: &str) -> Said {
    Said::Answer(text.into())
}

#[test]
fn think_call_read_answer() {
    let budgets = Budgets::default;
    check(
        budgets(),
        &[(&look("cup"), seen("cup")), ("<think>x</think><answer>\nA.\n</answer>", answer("A."))],
    );
    check(budgets(), &[("<think>x</think> <answer>A\nbecause\nof it</answer>", answer("A\nbecause\nof it"))]);
    check(budgets(), &[(&call("terminate", json!({"answer": "B"})), answer("B"))]);
    // The published model's form: Python, with arguments as a JSON string; also with Python's own words.
    let python = "<think>x</think><tool>{'name': 'look', 'arguments': '{\"question\":\"cup\"}'}</tool>";
    check(budgets(), &[(python, seen("cup"))]);
    let words = "<tool>{'name': 'look', 'arguments': {'question': 'it is', 'more': {'a': {'b': None, 'c': True}}}}</tool>";
    check(budgets(), &[(words, seen("it is"))]);
    let words = r#"<tool>{"name":"look","arguments":{"question":"}{","more":{"a":{"b":null,"c":[true,false]}}}}</tool>"#;
    check(budgets(), &[(words, seen("}{"))]);
}

#[test]
fn what_follows_an_action_does_not_count() {
    let mut episode = episode(Budgets::default());
    let turn = format!("{}<information>made up</information><answer>A</answer>", look("cup"));
    assert_eq!(episode.turn(&turn, Cost::default()), seen("cup"));
    let texts: Vec<_> = episode.conversation().messages[2..].iter().map(|m| m.parts.clone()).collect();
    let text = |text: &str| vec![Part::Text(text.into())];
    assert_eq!(texts, [text(&look("cup")), text("<information>cup</information>")]);
    assert_eq!(Episode::kept(&turn), look("cup"));
    assert!(Episode::is_complete(&look("cup")) && !Episode::is_complete("<think>x</think><tool>{"));
}

#[test]
fn a_tag_that_a_thought_names_is_no_action() {
    for thought in [
        "<think>the letter goes inside <answer> and </answer> tags</think>",
        "<think>The format is <answer></answer>, or <tool>{}</tool>.</think>",
        "<think>Maybe <answer>A</answer>? <information> will tell.</think>",
    ] {
        let call = look("cup");
        let turn = format!("{thought}{}", call.trim_start_matches("<think>so</think>"));
        check(Budgets::default(), &[(&turn, seen("cup")), (&format!("{thought}<answer>B"), answer("B"))]);
        assert!(!Episode::is_complete(thought) && Episode::is_complete(&turn), "{turn}");
        // A thought that was cut off acts not, and the model is told why.
        let Said::Observation(told) =
            episode(Budgets::default()).turn(&thought.replace("</think>", ""), Cost::default())
        else {
            panic!("{thought}")
        };
        assert!(told.contains("the thought is not closed by </think>"), "{told}");
    }
}

#[test]
fn the_clock_is_the_questions() {
    let mut episode = episode(Budgets::default());
    let turn = call("look", json!({"question": "cup", "query_time": "DAY7_23000000"}));
    let told = "note: query_time: DAY7_23000000 is later than now; DAY3_12000000 was used\ncup";
    assert_eq!(episode.turn(&turn, Cost::default()), seen(told));
    assert_eq!(episode.done()[0].called.as_ref().unwrap().call.arguments["query_time"], "DAY3_12000000");
}

#[test]
fn budgets_end_an_episode() {
    let over = |over: Over| Said::Over(over);
    let turns = Budgets { turns: 2, ..Budgets::default() };
    let last = "b\nnote: no further call is possible; answer now";
    check(
        Budgets { turns: 3, ..turns.clone() },
        &[(&look("a"), seen("a")), (&look("b"), seen(last)), (&look("c"), over(Over::Turns))],
    );
    // An answer in the last turn counts.
    check(turns, &[(&look("b"), seen(last)), ("<answer>A</answer>", answer("A"))]);
    let tokens = Budgets { tokens: 20, ..Budgets::default() };
    check(
        tokens,
        &[(&look("a"), seen("a")), (&look("b"), over(Over::Tokens)), (&look("c"), over(Over::Tokens))],
    );
    let seconds = Budgets { seconds: 1.9, ..Budgets::default() };
    check(seconds, &[(&look("a"), seen("a")), (&look("b"), over(Over::Seconds))]);
}

#[test]
fn a_loop_is_told_and_then_ended() {
    let again = seen("note: this call was made before, 2 times now; it says the same\na");
    let named = Over::Repeated(r#"{"name":"look","arguments":{"question":"a"}}"#.into());
    check(
        Budgets::default(),
        &[
            (&look("a"), seen("a")),
            (&look("b"), seen("b")),
            (&look("a"), again),
            (&look("a"), Said::Over(named)),
        ],
    );
}

#[test]
fn turns_that_do_nothing_are_told_why() {
    let told = |reason: &str| {
        seen(&format!(
            "error: {reason}. Write <think>...</think>, then one <tool>...</tool> or <answer>...</answer>."
        ))
    };
    let neither = "neither a <tool> nor an <answer> section";
    check(
        Budgets::default(),
        &[
            ("", told(neither)),
            ("<tool>{}</tool>", told("not a tool call: no \"name\"")),
            (&look("a"), seen("a")),
            (
                "<think>x</think><information>A</information><answer>A</answer>",
                told("it writes <information> itself; only tools do"),
            ),
            ("<tool>{\"name\":\"look\"", told(neither)),
            ("B", Said::Over(Over::Malformed(neither.into()))),
            ("<answer>A</answer>", Said::Over(Over::Malformed(neither.into()))),
        ],
    );
}

#[test]
fn the_prompts() {
    let episode = episode(Budgets::default());
    let [system, user] = &episode.conversation().messages[..] else { panic!("two messages") };
    assert_eq!((system.role, user.role), (Role::System, Role::User));
    let Part::Text(text) = &user.parts[0] else { panic!("text") };
    assert_eq!(text, "where is the cup ? <timestamp>DAY3_12000000</timestamp>\nA. table\nB. shelf");
    let Part::Text(text) = &system.parts[0] else { panic!("text") };
    for part in [
        "\"name\": \"look\"",
        "\"type\": \"str\"",
        "\"required\": [\n      \"question\"\n    ]",
        "<tool>{\"name\":\"look\",\"arguments\":{\"question\":\"where is the cup?\"}}</tool>",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let tools = echo().alone(CallRules::default());
    let brief = Prompt::Brief.system(&tools.descriptions()).unwrap();
    assert_eq!(brief, "think , then call one tool ( look ) or answer .");
}

#[test]
fn answers_are_read() {
    use crate::Verdict::{NotInMemory, Option as Of, Words};
    let check =
        |answer: &str, expect: crate::Verdict| assert_eq!(question().read(answer), expect, "{answer}");
    check("B", Of(1));
    check("\nB.\n", Of(1));
    check("Answer: B", Of(1));
    check("B. shelf", Of(1));
    check("shelf", Of(1));
    check("N/A", NotInMemory);
    check("not in memory.", NotInMemory);
    check("C", Words("C".into()));
    check("under the bed", Words("under the bed".into()));
    let free = Question { options: Vec::new(), ..question() };
    assert_eq!(free.read("A"), Words("A".into()));
}

#[test]
fn episodes_cross_threads() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&episode(Budgets::default()));
}

proptest! {
    #[test]
    fn equal_turns_give_equal_episodes(
        turns in prop::collection::vec("(<think>|</think>|<tool>|</tool>|<answer>|</answer>|<information>|\\{\"name\":\"look\",\"arguments\":\\{\"question\":\"[ab]\"\\}\\}|[a-c{}]){0,7}", 0..8),
        most in 1usize..6,
    ) {
        let run = || {
            let mut episode = episode(Budgets { turns: most, ..Budgets::default() });
            let said: Vec<Said> = turns.iter().map(|turn| episode.turn(turn, Cost::default())).collect();
            (said, episode)
        };
        let ((said, episode), (again, other)) = (run(), run());
        prop_assert_eq!(&said, &again);
        prop_assert_eq!(episode.conversation(), other.conversation());
        prop_assert!(episode.spent().turns <= most);
        // Nothing follows the end.
        let mut ended = said.iter().skip_while(|said| matches!(said, Said::Observation(_)));
        if let Some(end) = ended.next() {
            prop_assert!(ended.all(|said| said == end));
        }
        // The user and the model take turns.
        for (index, message) in episode.conversation().messages.iter().enumerate().skip(1) {
            prop_assert_eq!(message.role, if index % 2 == 1 { Role::User } else { Role::Assistant });
        }
    }
}

#[test]
fn structures_are_read_as_json() {
    let tool = Scripted::new("look", |_, _| Ok(Observation::of(json!({"records": [{"x": 1}]}))));
    let tools = tool.alone(CallRules::default());
    let mut episode = Episode::new(question(), tools, Budgets::default(), Prompt::Brief).unwrap();
    let Said::Observation(text) = episode.turn(&look("a"), Cost::default()) else { panic!("an observation") };
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["records"][0]["x"], 1);
}
