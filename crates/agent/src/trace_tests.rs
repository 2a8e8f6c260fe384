use serde_json::json;

use super::*;
use crate::scripted_tools::{Scripted, Speaker, call, question};
use crate::{CallRules, Manner, Observation, Over, investigate, regenerate};

/// A trace with a finding, a failure, a malformed turn and an answer, from tools that are gone afterwards.
fn traced() -> Trace {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let tool = Scripted::new("look", move |arguments, _| {
        // Never the same twice: only the trace knows what was said.
        let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        match arguments["question"].as_str() {
            Some("fail") => Err(ToolError::failed("no")),
            _ => Ok(Observation::of(json!({"seen": number, "what": "ünïcode \" \\ \u{1}"}))),
        }
    });
    let look = |text: &str| call("look", json!({"question": text}));
    let turns = [
        format!("{}tail", look("cup")),
        look("fail"),
        "<think>nothing".into(),
        look("cup"),
        "<think>x</think><answer>B</answer>".into(),
    ];
    let tools: std::sync::Arc<dyn Tools> = tool.alone(CallRules::default());
    investigate(question(), &tools, &mut Speaker::new(&turns), &Manner::default(), &mut |_| true).unwrap()
}

#[test]
fn a_replay_has_the_bits_of_the_trace() {
    let text = traced().to_json();
    let trace = Trace::parse(&text, "t.json").unwrap();
    assert_eq!(trace.to_json(), text);
    assert_eq!(trace.replay().unwrap().to_json(), text);
    // Episodes that end without an answer too.
    let tools: std::sync::Arc<dyn Tools> = crate::scripted_tools::echo().alone(CallRules::default());
    for turns in [vec!["!down".to_owned()], vec![call("look", json!({"question": "a"})); 4]] {
        let trace =
            investigate(question(), &tools, &mut Speaker::new(&turns), &Manner::default(), &mut |_| true)
                .unwrap();
        assert!(matches!(&trace.end, Said::Over(Over::Broken(_) | Over::Repeated(_))));
        assert_eq!(trace.replay().unwrap().to_json(), trace.to_json());
    }
}

#[test]
fn a_replay_says_where_the_way_differs() {
    let check = |change: &dyn Fn(&mut Trace), expect: &str| {
        let mut trace = traced();
        change(&mut trace);
        let error = trace.replay().unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    let seen = |text: &str| Said::Observation(text.into());
    check(&|trace| trace.turns[0].done.said = seen("else"), "turn 1 of the replay differs: what came back");
    check(&|trace| trace.turns[3].done.called = None, "turn 4 of the replay differs");
    check(
        &|trace| {
            let called = trace.turns[0].done.called.as_mut().unwrap();
            called.outcome = Outcome::Found(Observation::of("something else"));
        },
        "what its tool found is not what the model read",
    );
    check(&|trace| trace.system.push('x'), "the system prompt is another");
    check(&|trace| trace.end = Said::Answer("A".into()), "it ends with");
}

#[test]
fn regeneration_compares_the_models_words() {
    let trace = traced();
    let texts: Vec<String> = trace.turns.iter().map(|turn| turn.done.text.clone()).collect();
    let again = regenerate(&trace, &mut Speaker::new(&texts), &Manner::default()).unwrap();
    assert_eq!(again.verdict, trace.verdict);
    let mut others = texts;
    others[4] = "<think>x</think><answer>A</answer>".into();
    let error = regenerate(&trace, &mut Speaker::new(&others), &Manner::default()).unwrap_err().to_string();
    assert!(
        error.starts_with("turn 5 of the replay differs: the model's words: from character 24"),
        "{error}"
    );
}

#[test]
fn what_is_no_trace_is_refused() {
    let check = |text: &str, expect: &str| {
        let error = Trace::parse(text, "t.json").unwrap_err().to_string();
        assert!(error.starts_with("t.json: ") && error.contains(expect), "{error}");
    };
    check("", "EOF");
    check("{}", "missing field");
    check(&traced().to_json().replace("\"format\": 1", "\"format\": 9"), "its format is 9");
    check(&traced().to_json().replace("\"format\": 1", "\"format\": 1, \"x\": 2"), "unknown field");
}
