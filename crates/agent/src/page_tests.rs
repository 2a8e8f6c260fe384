use serde_json::json;

use super::*;
use crate::scripted_tools::{Scripted, Speaker, call, question};
use crate::{CallRules, Manner, Observation, Question, Tools, investigate};

#[test]
fn a_page_stands_alone_and_strangers_texts_are_escaped() {
    let tool = Scripted::new("look", |_, _| {
        let moment = |text: &str| text.parse().unwrap();
        let seen = vec![crate::Seen { file: "a<b>.mp4".into(), start_s: 1.0, end_s: 2.0 }];
        let evidence = Evidence {
            start: moment("DAY1_11000000"),
            end: moment("DAY1_11003000"),
            text: "<script>alert(1)</script>".into(),
            tool: "vlm".into(),
            seen,
        };
        Ok(Observation { value: json!({"text": "<img src=x>"}), evidence: vec![evidence] })
    });
    let tools: std::sync::Arc<dyn Tools> = tool.alone(CallRules::default());
    let asked = Question { text: "who's \"<b>\" & {{body}}?".into(), ..question() };
    let turns =
        [call("look", json!({"question": "</pre>"})), "<think><i>x</i></think><answer>A</answer>".into()];
    let trace =
        investigate(asked, &tools, &mut Speaker::new(&turns), &Manner::default(), &mut |_| true).unwrap();
    let pictures =
        |_: &Evidence| vec!["data:image/png;base64,AAAA".to_owned(), "http://elsewhere/x.png".to_owned()];
    let html = page(&trace, &pictures).unwrap();
    for raw in ["<script", "<img src=x", "<b>", "<i>", "a<b>", "http://elsewhere", "{{"] {
        let found = html.contains(raw) && !(raw == "{{" && html.contains("{{body}}?"));
        assert!(!found, "{raw} is in the page");
    }
    for part in [
        "&lt;script&gt;",
        "A. table",
        "data:image/png;base64,AAAA",
        "DAY1_11000000",
        "1.00-2.00 s",
        "look(question:",
    ] {
        assert!(html.contains(part), "{part} is not in the page");
    }
    assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
}

#[test]
fn a_question_without_an_answer_says_why() {
    let tools: std::sync::Arc<dyn Tools> = crate::scripted_tools::echo().alone(CallRules::default());
    let told = |turn: &str| {
        let mut model = Speaker::new(&[turn.to_owned()]);
        let trace = investigate(question(), &tools, &mut model, &Manner::default(), &mut |_| true).unwrap();
        page(&trace, &|_| Vec::new()).unwrap()
    };
    assert!(told("!the server is down").contains("no answer: the model could not go on: the server is down"));
    assert!(told("<think>x</think><answer>N/A</answer>").contains("not in memory"));
}
