use firsthand_base::Finish;
use serde_json::json;

use super::*;
use crate::scripted_tools::{Scripted, Speaker, call, echo, question};
use crate::{CallRules, Observation, Over, Verdict};

fn tools(most_characters: usize) -> Arc<dyn Tools> {
    let found = Scripted::new("look", |arguments, _| {
        let start = "DAY1_11000000".parse().unwrap();
        let end = "DAY1_11003000".parse().unwrap();
        let text = arguments["question"].as_str().unwrap().repeat(20);
        let evidence =
            crate::Evidence { start, end, text: text.clone(), tool: "look".into(), seen: Vec::new() };
        Ok(Observation { value: text.into(), evidence: vec![evidence] })
    });
    found.alone(CallRules { most_characters, ..CallRules::default() })
}

fn asked(turns: &[String]) -> Trace {
    let mut model = Speaker::new(turns);
    investigate(question(), &tools(8000), &mut model, &Manner::default(), &mut |_| true).unwrap()
}

#[test]
fn a_model_looks_and_answers() {
    let look = call("look", json!({"question": "cup"}));
    let trace = asked(&[
        format!("{look}<information>mine</information>"),
        "<think>x</think><answer>B</answer>".into(),
    ]);
    assert_eq!(trace.verdict, Some(Verdict::Option(1)));
    assert_eq!((trace.turns.len(), trace.spent.turns, trace.spent.tokens), (2, 2, 2 * Speaker::TOKENS));
    assert_eq!(trace.turns[0].done.text, look);
    assert_eq!(trace.turns[0].whole.as_deref(), Some(&*format!("{look}<information>mine</information>")));
    assert_eq!(trace.decisive().len(), 1);
    assert_eq!(trace.turns[0].finish, Finish::Stop);
}

#[test]
fn what_is_not_in_memory_has_no_evidence() {
    let look = call("look", json!({"question": "cup"}));
    let trace = asked(&[look.clone(), "<think>x</think><answer>N/A</answer>".into()]);
    assert_eq!((trace.verdict.clone(), trace.evidence().len()), (Some(Verdict::NotInMemory), 1));
    assert_eq!((trace.decisive().len(), trace.searched().len()), (0, 1));
    let trace = asked(&[look, "!broken".into()]);
    assert_eq!((trace.evidence().len(), trace.decisive().len()), (1, 0));
}

#[test]
fn a_model_that_breaks_or_is_stopped_leaves_a_trace() {
    let look = call("look", json!({"question": "cup"}));
    let trace = asked(&[look.clone(), "!broken".into()]);
    assert_eq!(trace.end, Said::Over(Over::Broken("broken".into())));
    assert_eq!((trace.turns.len(), trace.verdict.clone()), (1, None));
    let mut model = Speaker::new(&[look.clone(), look]);
    let stop = |event: Event<'_>| !matches!(event, Event::Turn(_));
    let trace = investigate(question(), &tools(8000), &mut model, &Manner::default(), &mut { stop }).unwrap();
    assert_eq!(trace.end, Said::Over(Over::Broken("cancelled".into())));
    assert_eq!(trace.turns.len(), 1);
}

#[test]
fn a_turn_is_stopped_when_its_action_is_whole() {
    // The speaker gives a piece for each character, and says how many were taken.
    let look = call("look", json!({"question": "cup"}));
    let mut model = Speaker::new(&[format!("{look} and so on and on"), "<answer>A</answer>".into()]);
    investigate(question(), &tools(8000), &mut model, &Manner::default(), &mut |_| true).unwrap();
    assert_eq!(model.taken[0], look.chars().count());
}

#[test]
fn what_no_longer_fits_is_left_out_from_the_oldest_on_and_the_question_never() {
    let look = |text: &str| call("look", json!({"question": text}));
    let mut model = Speaker::new(&[look("aa"), look("bb"), look("cc"), "<answer>A</answer>".into()]);
    model.room = 70;
    let trace = investigate(question(), &tools(8000), &mut model, &Manner::default(), &mut |_| true).unwrap();
    assert_eq!(trace.verdict, Some(Verdict::Option(0)));
    let last = model.seen.last().unwrap();
    assert!(last.contains("where is the cup ?") && !last.contains("aaaa") && last.contains("cccc"), "{last}");
    assert!(last.contains("<information>[left out: there is no more room]</information>"));
    // With no room at all the episode ends, it does not loop.
    let mut model = Speaker::new(&[look("aa")]);
    model.room = 0;
    let trace = investigate(question(), &tools(8000), &mut model, &Manner::default(), &mut |_| true).unwrap();
    assert!(matches!(trace.end, Said::Over(Over::Broken(_))));
}

#[test]
fn the_summary_stands_apart_and_never_takes_the_answers_place() {
    let look = call("look", json!({"question": "cup"}));
    let mut trace = asked(&[look, "<think>x</think><answer>B</answer>".into()]);
    let mut model = Speaker::new(&["<think>so</think><answer>A</answer>".into()]);
    let summary = summarize(&trace, &mut model, &Manner::default()).unwrap().unwrap();
    assert_eq!(summary.verdict, Verdict::Option(0));
    // It sees what was found and not what was answered.
    assert!(model.seen[0].contains("cupcup") && !model.seen[0].contains("<answer>B"), "{}", model.seen[0]);
    trace.summary = Some(summary);
    assert_eq!(trace.verdict, Some(Verdict::Option(1)));
    // A summary model that fails changes nothing and is no answer.
    let failed = summarize(&trace, &mut Speaker::new(&["!down".into()]), &Manner::default()).unwrap();
    assert_eq!(failed.unwrap_err(), "down");
}

#[test]
fn the_tokens_of_all_turns_are_bounded() {
    let manner = Manner {
        budgets: Budgets { tokens: Speaker::TOKENS + 3, ..Budgets::default() },
        ..Manner::default()
    };
    let look = call("look", json!({"question": "cup"}));
    let mut model = Speaker::new(&[look, "<answer>A</answer>".into()]);
    investigate(question(), &echo_tools(), &mut model, &manner, &mut |_| true).unwrap();
    assert_eq!(model.allowed, [Speaker::TOKENS + 3, 3]);
}

fn echo_tools() -> Arc<dyn Tools> {
    echo().alone(CallRules::default())
}
