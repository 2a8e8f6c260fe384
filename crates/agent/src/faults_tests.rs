//! What the published system gets wrong, one row each, and a check that this one does not. The first column names the
//! part of it: search, visual tools, the agent, its training, its data.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use firsthand_tasks::format::ToolCall;
use serde_json::{Value, json};

use crate::footage::{Cut, Folder, Footage, Stretch};
use crate::routes::{Reply, Service};
use crate::scripted_tools::{Scripted, Speaker, call, echo, question};
use crate::tools::visual_tests::{looking, opener, recordings};
use crate::tools::{ImageTool, Rag, VideoTool};
use crate::{
    Budgets, CallRules, Context, Cost, Episode, Manner, Observation, Over, Prompt, Question, Said, Toolbox,
    Tools, Verdict, investigate, scripted_memory, summarize,
};

/// The published fault, and a check of what happens here.
const FAULTS: &[(&str, &str, fn())] = &[
    ("search", "the summary of the day of asking tells its evening", partial_days),
    ("search", "hours after the question are searched", later_hours),
    ("search", "the model's own query_time decides what is seen", clamped_query_time),
    ("search", "a list of start times breaks the server", list_of_starts),
    ("search", "a search that finds nothing changes the records for good", no_mark),
    ("search", "equal searches give different records", same_again),
    ("search", "times of short videos are scaled to a day of 24 hours", unscaled),
    ("search", "an unreadable reply of the searching model is a server error", always_records),
    ("search", "records finer than ten minutes cannot be reached", clips_reachable),
    ("search", "times come back in another form than they go in", times_feed_back),
    ("visual", "a clip from second 10 to 20 has 20 seconds", exact_length),
    ("visual", "a range that ends where a file begins gets the whole file", boundary),
    ("visual", "files that are no video slip into a range", only_videos),
    ("visual", "pictures are squeezed into squares", aspect),
    ("visual", "the frame looked at is named by digits of the hour", right_frame),
    ("visual", "where nothing was recorded a random frame is shown", nearest_is_fixed),
    ("visual", "frames of one wearer are shown for another", wearers_apart),
    ("visual", "no visual tool knows the time of the question", visual_clock),
    ("visual", "the range of a question is ignored", range_is_used),
    ("visual", "one failing item of a batch breaks all", batch_in_place),
    ("visual", "errors of the video service are unknown keys", infer_errors),
    ("agent", "true, false and null break a call", constants),
    ("agent", "nested braces break a call", nested),
    ("agent", "a dictionary in single quotes is no call", single_quotes),
    ("agent", "a call that cannot be read has an empty observation", unreadable_call),
    ("agent", "an unknown tool is only named", unknown_tool),
    ("agent", "a tool that fails has an empty observation", failing_tool),
    ("agent", "long results fill the context", long_results),
    ("agent", "a tool that never answers is waited for", endless_tool),
    ("agent", "the last turn asks for a prompt that does not exist", last_turn),
    ("agent", "the summary model's answer replaces the agent's", summary_apart),
    ("agent", "an answer over several lines is none", lines),
    ("agent", "\"Answer: B\" is read as A", announced),
    ("agent", "after failures the answer is A", failures_are_no_answer),
    ("agent", "the same call can be made for ever", loops_end),
    ("training", "calls reach the recordings of other wearers once one row is over", own_wearer),
    ("training", "rows that are over go on growing", over_is_over),
    ("training", "a cut observation loses its closing tag", closing_tag),
    ("training", "observations in training and in use differ", one_format),
    ("training", "the question falls out of a long context", question_stays),
    ("training", "groups of two wearers share an index", own_index),
    ("data", "ids of a benchmark are compared with another type", typed_ids),
    ("data", "rows are learned from without tools and history", system_and_history),
    ("data", "rows do not say whose they are", identity_kept),
];

#[test]
fn published_faults_are_not_repeated() {
    let mut failed = Vec::new();
    for (part, fault, check) in FAULTS {
        if catch_unwind(AssertUnwindSafe(check)).is_err() {
            failed.push(format!("{part}: {fault}"));
        }
    }
    assert!(failed.is_empty(), "still so:\n{}", failed.join("\n"));
}

/// Routes over the small memory and recordings of A1 and A2.
fn with_service(check: impl FnOnce(&Service)) {
    let folder = tempfile::tempdir().unwrap();
    recordings(folder.path());
    let rag = Arc::new(Rag::new(scripted_memory::memories(&folder.path().join("memory")), 3));
    let footage: Arc<dyn Footage> = Arc::new(Folder::new(folder.path().to_owned(), opener()));
    let wearers = ["A1_JAKE", "A2_ALICE"].map(str::to_owned).to_vec();
    check(&Service {
        rag,
        video: Some(Arc::new(VideoTool::new(footage.clone(), looking()))),
        image: Some(Arc::new(ImageTool::new(footage, opener(), looking()))),
        watching: Some(looking()),
        roots: vec![folder.path().to_owned()],
        wearers,
        wearer: Some("A1_JAKE".to_owned()),
        clock: None,
    });
}

fn query(service: &Service, level: &str, words: &[&str], start: Value, now: Value) -> Value {
    let reply =
        service.query(&json!({"level": level, "keywords": words, "start_time": start, "query_time": now}));
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body["response"].clone()
}

fn watched(service: &Service, range: &str, more: Value) -> Value {
    let mut body = json!({"question": "what?", "range": range, "identity": "A1"});
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    service.video_llm(&body).body
}

fn partial_days() {
    with_service(|service| {
        let body = json!({"level": "week", "keywords": ["red cup", "garden"], "query_time": "DAY3_12000000"});
        let now = service.query(&body).body.to_string();
        assert!(!now.contains("bathroom"), "{now}");
        let later = json!({"level": "week", "keywords": ["bathroom"], "query_time": "DAY4_00000000"});
        assert!(service.query(&later).body.to_string().contains("bathroom"));
    });
}

fn later_hours() {
    with_service(|service| {
        for level in ["day", "hour", "10min"] {
            let found = query(service, level, &["bathroom"], json!("DAY3_11593000"), json!("DAY3_12000000"));
            assert!(!found.to_string().contains("bathroom"), "{level}: {found}");
        }
    });
}

fn clamped_query_time() {
    with_service(|service| {
        // The question's own clock, as the request names it, bounds what the model wrote.
        let body = json!({"level": "week", "keywords": ["bathroom"], "query_time": "DAY7_00000000", "clock": "DAY3_12000000"});
        assert!(!service.query(&body).body.to_string().contains("bathroom"));
        let own = Service { clock: Some("DAY3_12000000".parse().unwrap()), ..service.clone() };
        let body = json!({"level": "week", "keywords": ["bathroom"], "query_time": "DAY7_00000000"});
        assert!(!own.query(&body).body.to_string().contains("bathroom"));
        assert!(service.query(&body).body.to_string().contains("bathroom"));
    });
}

fn list_of_starts() {
    with_service(|service| {
        let found =
            query(service, "day", &["red cup"], json!(["DAY1_09000000", "DAY2_09000000"]), Value::Null);
        let days: Vec<_> =
            found.as_array().unwrap().iter().map(|record| record["date"].as_u64().unwrap()).collect();
        assert_eq!(days, [1, 2]);
        let later = query(service, "day", &["cup"], json!("DAY3_00000000"), json!("DAY2_00000000"));
        assert_eq!(later, "error: invalid search. start_time should not later than query_time");
    });
}

fn no_mark() {
    with_service(|service| {
        let find = |word: &str| query(service, "hour", &[word], json!("DAY2_10000000"), Value::Null);
        let (first, missed) = (find("drill"), find("submarine"));
        assert_eq!(
            (missed["exact_match"].as_bool(), first["exact_match"].as_bool()),
            (Some(false), Some(true))
        );
        assert_eq!((find("drill"), find("submarine")), (first, missed));
    });
}

fn same_again() {
    with_service(|service| {
        let find = || query(service, "week", &["cup", "book"], Value::Null, Value::Null);
        let first = find();
        assert!((0..5).all(|_| find() == first));
    });
}

fn unscaled() {
    with_service(|service| {
        // Nine o'clock is nine o'clock, though the recordings end at eleven.
        let body =
            json!({"level": "hour", "keywords": ["cup"], "start_time": "09000000", "vid_id": "A1_JAKE"});
        let found = service.query(&body).body["response"].clone();
        assert_eq!(
            (found["start_time"].as_str(), found["date"].as_u64()),
            (Some("09000000"), Some(1)),
            "{found}"
        );
        assert_eq!(
            watched(service, "DAY1_11000200-DAY1_11000400", json!({}))["answer"],
            "[11000000 40,60] what?"
        );
    });
}

fn always_records() {
    with_service(|service| {
        for words in [&["```json [{"][..], &["\\xe9\u{0}"], &["a\"b'c"]] {
            let body = json!({"level": "week", "keywords": words});
            let Reply { status, body } = service.query(&body);
            assert!(status == 200 || body["detail"].is_string(), "{status} {body}");
            assert!(status == 200, "{body}");
        }
        for (body, status) in [
            (json!({"level": "month", "keywords": ["a"]}), 500),
            (json!({"keywords": ["a"]}), 422),
            (json!({"level": "day"}), 422),
            (json!({"level": "day", "keywords": "a"}), 422),
            (json!([]), 422),
        ] {
            let reply = service.query(&body);
            assert_eq!(reply.status, status, "{body}: {}", reply.body);
            assert!(!reply.body["detail"].is_null());
        }
    });
}

fn clips_reachable() {
    with_service(|service| {
        let found = query(service, "10min", &["drill"], json!("DAY2_10000000"), Value::Null);
        assert_eq!(found["start_time"], 10_020_000);
        let week = query(service, "week", &["drill"], Value::Null, Value::Null);
        assert_eq!(
            (week["day_label"].as_str(), week["level"].as_str(), week["exact_match"].as_bool()),
            (Some("DAY2"), Some("week"), Some(true))
        );
    });
}

fn times_feed_back() {
    let folder = tempfile::tempdir().unwrap();
    let rag = Rag::new(scripted_memory::memories(folder.path()), 3);
    let tools = Toolbox::new(vec![Arc::new(rag)], CallRules::default()).unwrap();
    let mut start = "DAY1_00000000".to_owned();
    for level in ["week", "day", "hour", "10min"] {
        let arguments = json!({"level": level, "keywords": ["drill"], "start_time": start, "query_time": "DAY3_12000000"});
        let call = ToolCall { name: "rag".into(), arguments: arguments.as_object().unwrap().clone() };
        let called = tools.call(&call, &Context::new("DAY3_12000000".parse().unwrap(), "A1_JAKE"));
        let found: Value = serde_json::from_str(&called.text).unwrap();
        start = found["records"][0]["start_time"].as_str().unwrap().to_owned();
    }
    assert_eq!(start, "DAY2_16300000");
}

fn exact_length() {
    with_service(|service| {
        let answer = watched(service, "DAY1_11000100-DAY1_11000310", json!({}));
        assert_eq!(answer["length"].as_f64(), Some(2.5), "{answer}");
        assert_eq!(answer["exact_match"], true);
        let across = watched(service, "DAY1_11001000-DAY1_11001400", json!({}));
        assert_eq!(across["length"].as_f64(), Some(4.0), "{across}");
    });
}

fn boundary() {
    with_service(|service| {
        let answer = watched(service, "DAY1_11001000-DAY1_11001200", json!({}));
        assert_eq!(answer["answer"], "[11000000 200,220] what?");
    });
}

fn only_videos() {
    with_service(|service| {
        let answer = watched(service, "DAY1_11000000-DAY1_11020000", json!({}));
        assert!(answer["answer"].as_str().unwrap().contains("[11010000"), "{answer}");
        assert_eq!((answer["exact_match"].as_bool(), answer["length"].as_f64()), (Some(false), Some(36.0)));
    });
}

fn aspect() {
    with_service(|service| {
        let answer =
            service.vlm(&json!({"question": "what?", "timestamp": "DAY1_11000000", "identity": "A1"}));
        assert!(answer.body["answer"].as_str().unwrap().contains("64x48"), "{}", answer.body);
    });
}

/// The grey that `vlm` saw.
fn grey(service: &Service, timestamp: &str) -> (i64, bool) {
    let reply = service.vlm(&json!({"question": "what?", "timestamp": timestamp, "identity": "A1"}));
    let answer = reply.body["answer"].as_str().unwrap_or_else(|| panic!("{}", reply.body)).to_owned();
    let level = answer.split_whitespace().nth(1).unwrap().parse().unwrap();
    (level, reply.body["exact_match"].as_bool().unwrap())
}

fn right_frame() {
    with_service(|service| {
        // Greys go up by 8 with each frame and begin again after thirty.
        for (timestamp, frame) in
            [("DAY1_11000000", 0), ("DAY1_11000105", 25), ("DAY1_11000119", 9), ("DAY1_11000700", 20)]
        {
            let (level, exact) = grey(service, timestamp);
            assert!((level - (8 + 8 * frame)).abs() <= 2 && exact, "{timestamp}: {level}");
        }
    });
}

fn nearest_is_fixed() {
    with_service(|service| {
        let first = grey(service, "DAY1_11003000");
        assert!(!first.1);
        assert!((0..4).all(|_| grey(service, "DAY1_11003000") == first));
        let far = service.vlm(&json!({"question": "what?", "timestamp": "DAY5_11000000", "identity": "A1"}));
        assert_eq!(far.status, 500, "{}", far.body);
        assert!(far.body["detail"].as_str().unwrap().starts_with("nothing was recorded"));
    });
}

fn wearers_apart() {
    with_service(|service| {
        let at = |identity: &str| {
            let body = json!({"question": "what?", "timestamp": "DAY1_11001000", "identity": identity});
            service.vlm(&body)
        };
        // A1 has a frame there; A2's film is over, and its last frame is shown, told.
        assert_eq!(
            (at("A1").body["exact_match"].as_bool(), at("A2").body["exact_match"].as_bool()),
            (Some(true), Some(false))
        );
        assert_eq!(at("A9").status, 500);
        let own = query(service, "week", &["red cup"], Value::Null, Value::Null).to_string();
        assert!(own.contains("red cup") && !own.contains("attic"), "{own}");
        let alice = json!({"level": "week", "keywords": ["red cup"], "identity": "A2"});
        assert!(service.query(&alice).body.to_string().contains("attic"));
    });
}

fn visual_clock() {
    with_service(|service| {
        let cut = watched(service, "DAY1_11000200-DAY1_11010000", json!({"clock": "DAY1_11000600"}));
        assert_eq!(
            (cut["answer"].as_str(), cut["length"].as_f64()),
            (Some("[11000000 40,60,80,100] what?"), Some(4.0))
        );
        let later = watched(service, "DAY1_11001200-DAY1_11001400", json!({"clock": "DAY1_11000600"}));
        assert!(later.as_str().unwrap().starts_with("error: the range is later than now"), "{later}");
        let body = json!({"question": "what?", "timestamp": "DAY1_11000700", "identity": "A1", "clock": "DAY1_11000600"});
        assert_eq!(service.vlm(&body).status, 500);
    });
}

fn range_is_used() {
    with_service(|service| {
        let short = json!({"vid_id": "A1_JAKE"});
        assert_eq!(watched(service, "11000200-11000400", short)["answer"], "[11000000 40,60] what?");
    });
}

fn batch_in_place() {
    with_service(|service| {
        let good = json!({"question": "what?", "range": "DAY1_11000200-DAY1_11000400", "identity": "A1"});
        let bad = json!({"question": "what?", "range": "DAY1_11000200-DAY1_12000400", "identity": "A1"});
        let reply = service.video_llm(&json!([null, good, "", bad, good]));
        let all = reply.body.as_array().unwrap();
        assert_eq!((reply.status, &all[0], &all[2]), (200, &Value::Null, &Value::Null));
        assert_eq!((all[1]["answer"].as_str(), &all[1]), (Some("[11000000 40,60] what?"), &all[4]));
        assert!(
            all[3].as_str().unwrap().starts_with("error: the range is longer than 10 minutes"),
            "{}",
            all[3]
        );
        assert_eq!(service.video_llm(&json!([{"question": "what?"}])).status, 422);
        assert_eq!(service.video_llm(&json!([])).body, json!([]));
    });
}

fn infer_errors() {
    with_service(|service| {
        let ask = |path: &str| {
            service.video_infer(
                &json!({"video_path": path, "prompt": "what?", "max_frames": 4, "frame_step": 1}),
            )
        };
        let file = service.roots[0].join("A1_JAKE/DAY1/DAY1_A1_JAKE_11000000.mp4");
        assert_eq!(ask(&file.display().to_string()).body["response"], "[11000000 0,79,159,239] what?");
        for path in ["/etc/passwd", "nowhere.mp4", "../../etc/passwd"] {
            let reply = ask(path);
            assert_eq!(
                (reply.status, reply.body["error"].as_str()),
                (200, Some(&*format!("no such file: {path}")))
            );
        }
        assert_eq!(service.video_infer(&json!({"prompt": "x"})).status, 422);
        let none = Service { watching: None, video: None, ..service.clone() };
        assert!(none.video_infer(&json!({"video_path": "x", "prompt": "y"})).body["error"].is_string());
        assert!(
            watched(&none, "DAY1_11000200-DAY1_11000400", json!({}))
                .as_str()
                .unwrap()
                .starts_with("error: no model")
        );
    });
}

/// What comes back for one turn of an episode with a tool that repeats its question.
fn said(turn: &str) -> Said {
    episode(echo(), Budgets::default()).turn(turn, Cost::default())
}

fn episode(tool: Scripted, budgets: Budgets) -> Episode {
    Episode::new(
        question(),
        tool.alone(CallRules { most_characters: 200, ..CallRules::default() }),
        budgets,
        Prompt::Brief,
    )
    .unwrap()
}

fn seen(text: &str) -> Said {
    Said::Observation(text.to_owned())
}

fn constants() {
    assert_eq!(
        said(
            r#"<tool>{"name": "look", "arguments": {"question": "q", "more": {"a": true, "b": null}}}</tool>"#
        ),
        seen("q")
    );
    assert_eq!(
        said("<tool>{'name': 'look', 'arguments': {'question': 'q', 'more': {'a': True, 'b': None}}}</tool>"),
        seen("q")
    );
}

fn nested() {
    assert_eq!(
        said(r#"<tool>{"name": "look", "arguments": {"question": "{}", "more": {"a": {"b": {}}}}}</tool>"#),
        seen("{}")
    );
}

fn single_quotes() {
    assert_eq!(said("<tool>{'name': 'look', 'arguments': {'question': 'q'}}</tool>"), seen("q"));
    assert_eq!(said("<tool>{'name': 'look', 'arguments': '{\"question\": \"q\"}'}</tool>"), seen("q"));
}

fn told(turn: &str) -> String {
    match said(turn) {
        Said::Observation(text) => text,
        other => panic!("{other:?}"),
    }
}

fn unreadable_call() {
    assert!(
        told("<think>x</think><tool>look(cup)</tool>").starts_with("error: not a tool call: no object in it")
    );
    let missing = told(&call("look", json!({})));
    assert!(missing.contains("\"question\\\" is missing") && missing.contains("remedy"), "{missing}");
}

fn unknown_tool() {
    let text = told(&call("rags", json!({"question": "q"})));
    let error: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (error["error"].as_str(), error["remedy"].as_str()),
        (Some("unknown_tool"), Some("the tools are look"))
    );
}

fn failing_tool() {
    let tool = Scripted::new("look", |_, _| Err(crate::ToolError::failed("the disk is gone")));
    let said =
        episode(tool, Budgets::default()).turn(&call("look", json!({"question": "q"})), Cost::default());
    assert_eq!(said, seen(r#"{"error":"failed","message":"the disk is gone"}"#));
}

fn long_results() {
    let tool = Scripted::new("look", |_, _| Ok(Observation::of("x".repeat(10 << 20))));
    let Said::Observation(text) =
        episode(tool, Budgets::default()).turn(&call("look", json!({"question": "q"})), Cost::default())
    else {
        panic!("an observation");
    };
    assert!(text.len() < 300 && text.contains("200 of 10485760 characters"), "{text}");
}

fn endless_tool() {
    let tool = Scripted::new("look", |_, context| {
        while !context.is_late() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        Ok(Observation::of("too late"))
    });
    let mut episode = episode(tool.patient(std::time::Duration::from_millis(20)), Budgets::default());
    let Said::Observation(text) = episode.turn(&call("look", json!({"question": "q"})), Cost::default())
    else {
        panic!("an observation");
    };
    assert!(text.contains("timed_out") && text.contains("no result within 0.02 s"), "{text}");
}

fn last_turn() {
    let mut episode = episode(echo(), Budgets { turns: 2, ..Budgets::default() });
    let said = episode.turn(&call("look", json!({"question": "q"})), Cost::default());
    assert_eq!(said, seen("q\nnote: no further call is possible; answer now"));
    assert_eq!(episode.turn("<answer>B</answer>", Cost::default()), Said::Answer("B".into()));
}

fn asked(turns: &[String]) -> crate::Trace {
    let tools: Arc<dyn Tools> = echo().alone(CallRules::default());
    investigate(question(), &tools, &mut Speaker::new(turns), &Manner::default(), &mut |_| true).unwrap()
}

fn summary_apart() {
    let mut trace = asked(&["<think>x</think><answer>B</answer>".to_owned()]);
    let other = summarize(&trace, &mut Speaker::new(&["<answer>A</answer>".to_owned()]), &Manner::default());
    trace.summary = Some(other.unwrap().unwrap());
    assert_eq!(trace.verdict, Some(Verdict::Option(1)));
    assert_eq!(trace.summary.unwrap().verdict, Verdict::Option(0));
}

fn lines() {
    assert_eq!(
        asked(&["<think>x</think><answer>\nB.\nThe shelf.\n</answer>".to_owned()]).verdict,
        Some(Verdict::Option(1))
    );
}

fn announced() {
    assert_eq!(question().read("Answer: B"), Verdict::Option(1));
}

fn failures_are_no_answer() {
    let trace = asked(&["!the server is down".to_owned()]);
    assert_eq!((trace.verdict, trace.end), (None, Said::Over(Over::Broken("the server is down".into()))));
}

fn loops_end() {
    let trace = asked(&vec![call("look", json!({"question": "q"})); 50]);
    assert!(matches!(trace.end, Said::Over(Over::Repeated(_))));
    assert_eq!(trace.turns.len(), 3);
}

fn own_wearer() {
    // Six episodes of two wearers in one batch; some are over long before the others.
    let tool = Scripted::new("look", |_, context| Ok(Observation::of(context.wearer.clone())));
    let tools = tool.alone(CallRules::default());
    let wearers = ["A1", "A2", "A1", "A2", "A2", "A1"];
    let start = |wearer: &&str| {
        let question = Question { wearer: (*wearer).to_owned(), ..question() };
        Episode::new(question, tools.clone(), Budgets::default(), Prompt::Brief).unwrap()
    };
    let mut episodes: Vec<Episode> = wearers.iter().map(start).collect();
    for round in 0..4 {
        for (index, episode) in episodes.iter_mut().enumerate() {
            if index < round {
                episode.turn("<answer>A</answer>", Cost::default());
            } else {
                let said =
                    episode.turn(&call("look", json!({"question": round.to_string()})), Cost::default());
                assert_eq!(said, seen(wearers[index]));
            }
        }
    }
}

fn over_is_over() {
    let mut episode = episode(echo(), Budgets::default());
    episode.turn("<think>x</think><answer>A</answer>", Cost::default());
    let before = (episode.conversation().clone(), episode.spent());
    for _ in 0..3 {
        assert_eq!(
            episode.turn(&call("look", json!({"question": "q"})), Cost { tokens: 9, seconds: 1.0 }),
            Said::Answer("A".into())
        );
    }
    assert_eq!((episode.conversation().clone(), episode.spent()), before);
}

fn closing_tag() {
    let tool = Scripted::new("look", |_, _| Ok(Observation::of("y".repeat(5000))));
    let mut episode = episode(tool, Budgets::default());
    episode.turn(&call("look", json!({"question": "q"})), Cost::default());
    let last = format!("{:?}", episode.conversation().messages.last().unwrap());
    assert_eq!((last.matches("<information>").count(), last.matches("</information>").count()), (1, 1));
}

fn one_format() {
    // A trace of use, the rows made of it and an episode that is driven by hand hold the same user turns.
    let turns = [call("look", json!({"question": "q"})), "<think>x</think><answer>B</answer>".to_owned()];
    let trace = asked(&turns);
    let mut by_hand =
        Episode::new(question(), echo().alone(CallRules::default()), Budgets::default(), Prompt::Full)
            .unwrap();
    by_hand.turn(&turns[0], Cost::default());
    let asked = crate::cott::Asked { question: question(), gold: 1, target: None, kind: String::new() };
    let row = crate::cott::share_gpt(&crate::cott::Record::of(&asked, trace));
    let learned = row["conversations"][2]["value"].as_str().unwrap().to_owned();
    assert!(format!("{:?}", by_hand.conversation().messages.last().unwrap()).contains(&learned));
}

fn question_stays() {
    let look = |text: &str| call("look", json!({"question": text}));
    let mut model = Speaker::new(&[
        look("aaaaaaaaaaaaaaaaaaaa"),
        look("bbbbbbbbbbbbbbbbbbbb"),
        "<answer>A</answer>".to_owned(),
    ]);
    model.room = 60;
    let tools: Arc<dyn Tools> = echo().alone(CallRules::default());
    investigate(question(), &tools, &mut model, &Manner::default(), &mut |_| true).unwrap();
    let last = model.seen.last().unwrap();
    assert!(
        last.contains("where is the cup ?")
            && last.contains("<information>bbbb")
            && !last.contains("<information>aaaa")
    );
}

/// Rows of two wearers with ids that are alike.
fn two() -> Vec<crate::cott::Asked> {
    ["A1_JAKE", "A2_ALICE"]
        .map(|wearer| crate::cott::Asked {
            question: Question { wearer: wearer.to_owned(), ..question() },
            gold: 0,
            target: None,
            kind: String::new(),
        })
        .to_vec()
}

fn own_index() {
    let rows: Vec<Value> = two()
        .iter()
        .enumerate()
        .map(|(index, asked)| crate::cott::rl_rows(asked, "", index, "train"))
        .collect();
    assert_ne!(rows[0]["extra_info"]["index"], rows[1]["extra_info"]["index"]);
    assert_ne!(rows[0]["id"], rows[1]["id"]);
}

fn typed_ids() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("benchmark.json");
    fs_err::write(&path, "[{\"ID\": 1}]").unwrap();
    let filter =
        crate::cott::Filter { excluded: crate::cott::read_ids(&path).unwrap(), ..Default::default() };
    let trace = asked(&["<think>x</think><answer>A</answer>".to_owned()]);
    let record = crate::cott::Record::of(&two()[0], trace);
    assert_eq!((record.id.as_str(), filter.rejects(&record)), ("1", Some(crate::cott::Rejected::Benchmark)));
}

fn system_and_history() {
    let turns = [call("look", json!({"question": "q"})), "<think>x</think><answer>B</answer>".to_owned()];
    let record = crate::cott::Record::of(&two()[0], asked(&turns));
    let rows = crate::cott::alpaca(&record);
    assert!(rows.iter().all(|row| row["system"].as_str().unwrap().contains("\"name\": \"look\"")));
    assert_eq!(rows[1]["history"], json!([[record.trace.question.prompt(), turns[0]]]));
    assert!(crate::cott::share_gpt(&record)["system"].as_str().unwrap().contains("\"name\": \"look\""));
}

fn identity_kept() {
    let record = crate::cott::Record::of(&two()[1], asked(&["<answer>A</answer>".to_owned()]));
    assert_eq!(json!(record)["identity"], "A2_ALICE");
    let row = crate::cott::rl_rows(&two()[1], "", 0, "train");
    assert_eq!((row["identity"].as_str(), row["clock"].as_str()), (Some("A2_ALICE"), Some("DAY3_12000000")));
}

/// A check that would have failed in the published cutting: what one stretch shows is not shown again by the next.
#[test]
fn overlapping_files_show_each_moment_once() {
    let stretch = |start: &str, end: &str, file: &str| Stretch {
        start: start.parse().unwrap(),
        end: end.parse().unwrap(),
        file: file.to_owned(),
        start_s: 0.0,
    };
    let found =
        [stretch("DAY1_10000000", "DAY1_10003000", "a"), stretch("DAY1_10002000", "DAY1_10005000", "b")];
    let cut = Cut::of(&found, "DAY1_10001000".parse().unwrap(), "DAY1_10004000".parse().unwrap());
    let parts: Vec<_> = cut.stretches.iter().map(|part| (part.file.as_str(), part.start_s)).collect();
    assert_eq!((parts, cut.ms(), cut.gaps.len()), (vec![("a", 10.0), ("b", 10.0)], 30_000, 0));
}
