use serde_json::json;

use super::*;
use crate::memories::wearer_named;
use crate::scripted_memory;
use crate::{CallRules, Outcome, Toolbox, Tools};

/// What a search shows: the starts and texts of its records, and whether they match.
fn asked(
    tools: &Toolbox,
    level: &str,
    words: &[&str],
    start: &str,
    clock: &str,
    wearer: &str,
) -> Result<Value, ToolError> {
    let arguments = json!({"level": level, "keywords": words, "start_time": start, "query_time": clock});
    let call = firsthand_tasks::format::ToolCall {
        name: "rag".into(),
        arguments: arguments.as_object().unwrap().clone(),
    };
    let called = tools.call(&call, &Context::new(clock.parse().unwrap(), wearer));
    match called.outcome {
        Outcome::Found(observation) => Ok(observation.value),
        Outcome::Failed(error) => Err(error),
    }
}

fn tools(folder: &std::path::Path) -> Toolbox {
    let rag = Rag::new(scripted_memory::memories(folder), 3);
    Toolbox::new(vec![Arc::new(rag)], CallRules::default()).unwrap()
}

use std::sync::Arc;

#[test]
fn a_level_searches_its_time_and_gives_records_one_finer() {
    let folder = tempfile::tempdir().unwrap();
    let tools = tools(folder.path());
    let check = |level: &str, words: &[&str], start: &str, expect: &[(&str, &str)], exact: bool| {
        let found = asked(&tools, level, words, start, "DAY3_12000000", "A1_JAKE").unwrap();
        assert_eq!(
            (found["level"].as_str(), found["exact_match"].as_bool()),
            (Some(level), Some(exact)),
            "{found}"
        );
        let records = found["records"].as_array().unwrap();
        let spans: Vec<(&str, &str)> = records
            .iter()
            .map(|record| (record["start_time"].as_str().unwrap(), record["end_time"].as_str().unwrap()))
            .collect();
        assert_eq!(spans, expect, "{level} {words:?}: {found}");
    };
    let drill = &["drill"][..];
    check("week", drill, "DAY1_00000000", &[("DAY2_00000000", "DAY3_00000000")], true);
    check(
        "day",
        drill,
        "DAY2_15000000",
        &[("DAY2_16000000", "DAY2_17000000"), ("DAY2_10000000", "DAY2_11000000")],
        true,
    );
    check("hour", drill, "DAY2_10000000", &[("DAY2_10000000", "DAY2_10100000")], true);
    check("10min", drill, "DAY2_10000000", &[("DAY2_10020000", "DAY2_10023000")], true);
    // Another day is another day, another hour another hour.
    check(
        "day",
        drill,
        "DAY1_09000000",
        &[("DAY1_09000000", "DAY1_10000000"), ("DAY1_18000000", "DAY1_19000000")],
        false,
    );
    check("hour", drill, "DAY2_16000000", &[("DAY2_16300000", "DAY2_16400000")], true);
    // Where nothing was, the nearest of the day, told as no match.
    check("hour", drill, "DAY2_12000000", &[("DAY2_10000000", "DAY2_10100000")], false);
    check(
        "week",
        &["submarine"],
        "DAY1_00000000",
        &[("DAY2_00000000", "DAY3_00000000"), ("DAY1_00000000", "DAY2_00000000")],
        false,
    );
}

#[test]
fn the_future_and_other_wearers_stay_unseen() {
    let folder = tempfile::tempdir().unwrap();
    let tools = tools(folder.path());
    let text = |level: &str, start: &str, clock: &str, wearer: &str| {
        asked(&tools, level, &["red cup"], start, clock, wearer)
            .map_or_else(|error| error.message, |value| value.to_string())
    };
    // On day 3 at noon the evening has not happened, though the day's summary is stored whole.
    for (level, start) in [
        ("week", "DAY1_00000000"),
        ("day", "DAY3_08000000"),
        ("hour", "DAY3_11593000"),
        ("10min", "DAY3_11593000"),
    ] {
        let found = text(level, start, "DAY3_12000000", "A1_JAKE");
        assert!(!found.contains("bathroom") && !found.contains("attic"), "{level}: {found}");
    }
    assert!(text("week", "DAY1_00000000", "DAY3_12000000", "A1_JAKE").contains("bedroom"));
    assert!(text("week", "DAY1_00000000", "DAY4_00000000", "A1_JAKE").contains("bathroom"));
    assert!(text("week", "DAY1_00000000", "DAY3_12000000", "A2_ALICE").contains("attic"));
    assert!(text("day", "DAY1_00000000", "DAY1_00000000", "A1_JAKE").starts_with("there are no records"));
}

#[test]
fn equal_searches_give_equal_records_and_the_memory_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let rag = Rag::new(scripted_memory::memories(folder.path()), 3);
    let find = |words: &str| {
        let found = rag.search(
            RagLevel::Hour,
            &[words.to_owned()],
            "DAY2_12000000".parse().unwrap(),
            Moment::END,
            "A1_JAKE",
        );
        let found = found.unwrap();
        (found.exact, found.matches.iter().map(|one| one.hit.record.clone()).collect::<Vec<_>>())
    };
    // A search that falls back leaves no mark for the next one.
    let (first, missed) = (find("red cup"), find("submarine"));
    assert_eq!((find("red cup"), find("submarine")), (first, missed));
}

#[test]
fn what_cannot_be_searched_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let tools = tools(folder.path());
    let check = |level: &str, words: &[&str], start: &str, trouble: Trouble| {
        let error = asked(&tools, level, words, start, "DAY2_12000000", "A1_JAKE").unwrap_err();
        assert_eq!(error.error, trouble, "{error:?}");
        assert!(error.remedy.is_some(), "{error:?}");
    };
    check("month", &["cup"], "DAY1_00000000", Trouble::BadArgument);
    check("day", &[], "DAY1_00000000", Trouble::BadArgument);
    check("day", &["?"], "DAY1_00000000", Trouble::BadArgument);
    check("day", &["cup", "3 days ago"], "DAY1_00000000", Trouble::NotFound);
    check("day", &["cup"], "DAY3_00000000", Trouble::LaterThanNow);
    check("day", &["cup"], "yesterday", Trouble::BadArgument);
    // The model may look back from an earlier time than the question's, not search after it.
    let arguments = json!({"level": "day", "keywords": ["cup"], "start_time": "DAY2_10000000", "query_time": "DAY1_10000000"});
    let call = firsthand_tasks::format::ToolCall {
        name: "rag".into(),
        arguments: arguments.as_object().unwrap().clone(),
    };
    let called = tools.call(&call, &Context::new("DAY2_12000000".parse().unwrap(), "A1_JAKE"));
    assert!(called.text.contains("start_time is later than query_time"), "{}", called.text);
}

#[test]
fn a_summary_that_leaves_out_is_found_by_its_clips() {
    let folder = tempfile::tempdir().unwrap();
    let memories = scripted_memory::memories(folder.path());
    // A day's summary as a model might write it.
    {
        let mut memory = memories.of("A1_JAKE").unwrap().lock().unwrap();
        let scope = Scope { level: Some(Level::Day), wearer: Some("A1_JAKE".into()), ..Scope::default() };
        let mut day = memory.store().range(&scope, 9).unwrap().remove(1);
        day.text = "A day of tidying up.".into();
        memory.write(&[firsthand_memory::Change::put(day)]).unwrap();
    }
    let tools = Toolbox::new(vec![Arc::new(Rag::new(memories, 3))], CallRules::default()).unwrap();
    let found =
        asked(&tools, "week", &["drill", "ben"], "DAY1_00000000", "DAY3_12000000", "A1_JAKE").unwrap();
    let record = &found["records"][0];
    assert_eq!(
        (&record["start_time"], &record["relevant_content"]),
        (&json!("DAY2_00000000"), &json!("A day of tidying up."))
    );
    assert_eq!(
        record["clips"][0],
        json!({"start_time": "DAY2_16300000", "text": "I give the drill to Ben."})
    );
    assert_eq!(found["exact_match"], true);
}

#[test]
fn what_is_relevant_of_a_text() {
    let text =
        "I walk. I put the red cup on the shelf. I read the red book.\nAnna: Where is the cup? I sleep.";
    let check = |words: &[&str], most: usize, expect: &str| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(relevant(text, &words, most), expect, "{words:?}");
    };
    check(&["red cups"], 99, "I put the red cup on the shelf.");
    check(&["book"], 99, "I read the red book.");
    check(&["cup"], 99, "I put the red cup on the shelf. Anna: Where is the cup? I sleep.");
    check(&["submarine"], 6, "I walk… [cut]");
    check(&["red cup"], 5, "I put… [cut]");
}

#[test]
fn wearers_go_by_their_names() {
    let known = ["A1_JAKE", "A2_ALICE", "W7", "B_1", "B_2"].map(str::to_owned);
    let check = |name: &str, expect: Option<&str>| {
        assert_eq!(wearer_named(known.iter(), name).as_deref(), expect, "{name}");
    };
    check("A1", Some("A1_JAKE"));
    check("A1_JAKE", Some("A1_JAKE"));
    check("A1_OTHER", Some("A1_JAKE"));
    check("W7", Some("W7"));
    check("B_2", Some("B_2"));
    check("B", None);
    check("A", None);
    check("", None);
}
