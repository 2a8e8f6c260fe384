//! Every reward in both modes against worked values of the published code: each table is (solution, completion, what
//! compatible mode gives, what strict mode gives), `None` where a mode refuses the row.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn reward(name: &str, mode: Mode) -> Box<dyn Reward> {
    named(name, mode, &Map::new()).unwrap()
}

fn row(value: Value) -> Row {
    serde_json::from_value(value).unwrap()
}

/// One row in both modes: the reward, then the named parts.
fn check(name: &str, value: &Value, parts: &[&str], expect: [Option<&[f64]>; 2]) {
    for (mode, expect) in [Mode::Compatible, Mode::Strict].into_iter().zip(expect) {
        let scored = reward(name, mode).score(&row(value.clone())).ok();
        let found = scored.map(|scored| {
            let parts = parts.iter().map(|part| scored.parts[part]);
            std::iter::once(scored.reward).chain(parts).collect::<Vec<f64>>()
        });
        let near = match (&found, expect) {
            (Some(found), Some(expect)) => {
                found.len() == expect.len() && found.iter().zip(expect).all(|(a, b)| (a - b).abs() < 1e-9)
            }
            (None, None) => true,
            _ => false,
        };
        assert!(near, "{name} {mode:?} {value}: {found:?}, not {expect:?}");
    }
}

#[test]
fn video_r1_accuracy() {
    let case = |kind: &str, truth: &str, said: &str, compatible: f64, strict: Option<f64>| {
        let value = json!({"problem_type": kind, "solution": format!("<answer>{truth}</answer>"),
            "completion": format!("<think>t</think><answer>{said}</answer>")});
        for (mode, expect) in [(Mode::Compatible, Some(compatible)), (Mode::Strict, strict)] {
            let found = reward("video-r1", mode).score(&row(value.clone())).ok().map(|s| s.part("accuracy"));
            let near = match (found, expect) {
                (Some(found), Some(expect)) => (found - expect).abs() < 1e-9,
                (found, expect) => found == expect,
            };
            assert!(near, "{mode:?} {kind} {truth:?} {said:?}: {found:?}, not {expect:?}");
        }
    };
    let mc = "multiple choice";
    for (said, compatible, strict) in [
        ("A", 1.0, 1.0),
        (" A\n", 1.0, 1.0),
        ("A.", 0.0, 1.0),
        ("(A)", 0.0, 1.0),
        ("a", 0.0, 1.0),
        ("B", 0.0, 0.0),
        ("A cup", 0.0, 0.0),
        ("", 0.0, 0.0),
    ] {
        case(mc, "A", said, compatible, Some(strict));
    }
    case(mc, "", "", 1.0, None);
    case(mc, "cup", "cup", 1.0, None);
    for (truth, said, compatible, strict) in [
        ("5", "5", 1.0, 1.0),
        ("5", "5.0", 0.0, 1.0),
        ("1,000", "1000", 0.0, 1.0),
        ("1,000", "1000.0", 1.0, 1.0),
        ("3.14", "3.141", 1.0, 1.0),
        ("0.125", "0.12", 1.0, 1.0),
        ("0.375", "0.37", 0.0, 1.0),
        ("50%", "50", 0.0, 1.0),
        ("5", "5 cm", 0.0, 1.0),
        ("5", "six", 0.0, 0.0),
        ("1e3", "1000", 1.0, 1.0),
        ("5", "5 or 6", 0.0, 0.0),
    ] {
        case("numerical", truth, said, compatible, Some(strict));
    }
    case("numerical", "inf", "inf", 1.0, None);
    case("numerical", "nan", "nan", 0.0, None);
    case("OCR", "NO PARKING HERE", "NO PARKING", 2.0 / 3.0, Some(2.0 / 3.0));
    case("OCR", "stop", "please stop now", 0.0, Some(0.0));
    case("OCR", "", "", 1.0, None);
    case("free-form", "cup", "cup", 2.0 / 3.0, Some(1.0));
    case("free-form", "杯子", "杯子", 0.0, Some(1.0));
    case(
        "free-form",
        "the man picks up the cup",
        "the man picked up a cup",
        (0.833_333_333_333 * 2.0 + 0.6) / 3.0,
        Some((0.833_333_333_333 * 2.0 + 0.6) / 3.0),
    );
    case("regression", "10", "10", 1.0 - 1e-9 / (10.0 + 1e-9), Some(1.0));
    case("regression", "10", "15", 0.5, Some(0.5));
    case("regression", "10", "-50", 0.0, Some(0.0));
    case("regression", "0", "0", 0.0, Some(1.0));
    case("regression", "0", "1", 0.0, Some(0.0));
    case("regression", "10", "nan", 1.0, Some(0.0));
    case("regression", "10", "about 10 m", 0.0, Some(1.0));
    case("Regression", "10", "10", 0.0, None);
}

#[test]
fn video_r1_form() {
    let case = |completion: &str, compatible: f64, strict: f64| {
        let value = json!({"problem_type": "multiple choice", "solution": "<answer>B</answer>", "completion": completion});
        for (mode, expect) in [(Mode::Compatible, compatible), (Mode::Strict, strict)] {
            let scored = reward("video-r1", mode).score(&row(value.clone())).unwrap();
            assert_eq!(scored.part("format"), expect, "{mode:?} {completion:?}");
        }
    };
    case("<think>a</think>\n<answer>B</answer>", 1.0, 1.0);
    case("<think>a</think><answer>B</answer>\n", 0.0, 1.0);
    case("<think></think><answer></answer>", 1.0, 0.0);
    case("<think>a</think><answer>B</answer><think>c</think><answer>D</answer>", 1.0, 0.0);
    case("<answer>B</answer>", 0.0, 0.0);
    assert!(
        reward("video-r1", Mode::Compatible).score(&row(json!({"solution": "", "completion": ""}))).is_err()
    );
}

/// A perfect reply of 400 tokens to a video earns 1 + 1 + 0.3 + 0.2.
#[test]
fn video_r1_groups() {
    let case = |ordered: &[(&str, u64)], shuffled: &[&str], expect: &[[f64; 3]]| {
        let reply = |said: &str| format!("<think>t</think><answer>{said}</answer>");
        let common = json!({"problem_type": "multiple choice", "solution": "<answer>A</answer>", "group": 7});
        let made = |said: &str, key: &str, value: Value| {
            let mut object = common.clone();
            object["completion"] = reply(said).into();
            object[key] = value;
            row(object)
        };
        let rows: Vec<Row> = shuffled
            .iter()
            .map(|said| made(said, "shuffled", true.into()))
            .chain(ordered.iter().map(|(said, tokens)| made(said, "tokens", (*tokens).into())))
            .collect();
        let measure = reward("video-r1", Mode::Compatible);
        let mut scored: Vec<Scored> = rows.iter().map(|row| measure.score(row).unwrap()).collect();
        measure.group(&rows.iter().collect::<Vec<_>>(), &mut scored);
        let found: Vec<[f64; 3]> = scored[shuffled.len()..]
            .iter()
            .map(|s| [s.reward, s.part("temporal"), s.part("length")])
            .collect();
        assert_eq!(found, expect, "{ordered:?} {shuffled:?}");
        assert!(scored[..shuffled.len()].iter().all(|s| s.part("temporal") + s.part("length") == 0.0));
    };
    case(&[("A", 400), ("A", 320)], &["B"], &[[2.5, 0.3, 0.2], [2.5, 0.3, 0.2]]);
    case(&[("A", 319), ("A", 512), ("A", 513)], &[], &[[2.0, 0.0, 0.0], [2.2, 0.0, 0.2], [2.0, 0.0, 0.0]]);
    case(&[("A", 400), ("B", 400)], &["A", "B"], &[[2.3, 0.3, 0.0], [1.0, 0.0, 0.0]]);
    // 0.5 is more than 0.8 of 0.6, and less than 0.8 of 1.
    case(&[("A", 400), ("B", 400)], &["A", "B", "A", "B", "A"], &[[2.3, 0.3, 0.0], [1.0, 0.0, 0.0]]);
    case(&[("A", 400), ("B", 400)], &["A"], &[[2.0, 0.0, 0.0], [1.0, 0.0, 0.0]]);
    case(&[("B", 400)], &["B"], &[[1.0, 0.0, 0.0]]);
    case(&[], &[], &[]);
}

#[test]
fn st_r1() {
    let gold = "<think>Turn left. Hence, the correct answer is D</think> <answer>D</answer>";
    let case = |solution: &str, completion: &str, compatible: [f64; 2], strict: Option<[f64; 2]>| {
        let [c, s] = [Some(compatible), strict].map(|pair| pair.map(|[a, f]| [a, a, f]));
        let value = json!({"solution": solution, "completion": completion});
        check(
            "st-r1",
            &value,
            &["accuracy", "format"],
            [c.as_ref().map(|v| &v[..]), s.as_ref().map(|v| &v[..])],
        );
    };
    case(gold, "<think>x</think><answer>D</answer>", [1.0, 1.0], Some([1.0, 1.0]));
    case(gold, "<think>x</think><answer>Definitely A</answer> so", [1.0, 1.0], Some([0.0, 0.0]));
    case(gold, "<answer>d</answer>", [0.0, 0.0], Some([1.0, 0.0]));
    case(gold, "D", [0.0, 0.0], Some([0.0, 0.0]));
    case(gold, "<answer></answer>", [0.0, 0.0], Some([0.0, 0.0]));
    case(
        "<think>There are 2 chairs.</think> <answer>B</answer>",
        "I saw 2 chairs",
        [1.0, 0.0],
        Some([0.0, 0.0]),
    );
    case("D", "<answer>D</answer>", [1.0, 0.0], Some([1.0, 0.0]));
    case("", "<answer>D</answer>", [0.0, 0.0], None);
    case("<answer></answer>", "<answer></answer>", [0.0, 0.0], None);
}

#[test]
fn r1v_and_r1v_scene() {
    let case = |name: &str,
                solution: &str,
                completion: &str,
                compatible: [f64; 3],
                strict: Option<[f64; 3]>| {
        let value = json!({"solution": solution, "completion": completion});
        check(name, &value, &["accuracy", "format"], [Some(&compatible), strict.as_ref().map(|v| &v[..])]);
    };
    let gold = "(B) on top of";
    case(
        "r1v",
        gold,
        "<think>a</think> <answer> (B) on top of </answer>",
        [1.0, 1.0, 1.0],
        Some([1.0, 1.0, 1.0]),
    );
    case("r1v", gold, "<think>a</think><answer>B</answer>", [0.5, 0.0, 1.0], Some([1.0, 1.0, 1.0]));
    case(
        "r1v",
        gold,
        "<think>a</think><answer>\n(B) on top of\n</answer>",
        [0.5, 0.0, 1.0],
        Some([1.0, 1.0, 1.0]),
    );
    case("r1v", gold, "(b) on top of", [0.5, 1.0, 0.0], Some([0.0, 0.0, 0.0]));
    case(
        "r1v",
        "<answer>0.5</answer>",
        "<think>a</think><answer>1/2</answer>",
        [1.0, 1.0, 1.0],
        Some([1.0, 1.0, 1.0]),
    );
    case("r1v", "", "<think>a</think><answer>B</answer>", [0.5, 0.0, 1.0], None);
    let gold = "<scene>{}</scene>\n<answer>(B) on top of</answer>";
    let full = |answer: &str| {
        format!("<observe>o</observe>\n<scene>{{}}</scene><think>t</think><answer>{answer}</answer>")
    };
    case("r1v-scene", gold, &full(" (b) On top of"), [1.0, 1.0, 1.0], Some([1.0, 1.0, 1.0]));
    case("r1v-scene", gold, &full("B"), [0.5, 0.0, 1.0], Some([1.0, 1.0, 1.0]));
    case(
        "r1v-scene",
        gold,
        "<think>t</think><answer>(B) on top of</answer>",
        [0.0, 0.0, 0.0],
        Some([0.0, 0.0, 0.0]),
    );
    case("r1v-scene", "B", &full(""), [1.0, 1.0, 1.0], None);
}

#[test]
fn math() {
    let case = |solution: &str, completion: &str, compatible: [f64; 3], strict: Option<[f64; 3]>| {
        let value = json!({"solution": solution, "completion": completion});
        check("math", &value, &["accuracy", "format"], [Some(&compatible), strict.as_ref().map(|v| &v[..])]);
    };
    case("\\frac{1}{2}", "<think>a</think> so \\boxed{0.5}.", [1.0, 1.0, 1.0], Some([1.0, 1.0, 1.0]));
    case("2", "\\boxed{1} then \\boxed{\\frac{4}{2}}", [0.0, 0.0, 0.0], Some([0.0, 0.0, 0.0]));
    case("2", "< think >a< / think >\\boxed{2}", [1.0, 1.0, 1.0], Some([0.9, 1.0, 0.0]));
    case("2", "<think>a</think>2", [0.0, 0.0, 0.0], Some([0.0, 0.0, 0.0]));
    case("None", "2", [0.9, 1.0, 0.0], Some([0.0, 0.0, 0.0]));
    case("2", "\\boxed{2", [0.0, 0.0, 0.0], Some([0.0, 0.0, 0.0]));
    case("", "\\boxed{}", [0.9, 1.0, 0.0], None);
}

#[test]
fn egothinker() {
    let case = |name: &str, solution: &str, answer: &str, compatible: f64, strict: Option<f64>| {
        let value = json!({"solution": solution, "completion": format!("<think>t</think><answer>{answer}</answer>\n")});
        let part = name.strip_prefix("egothinker-").unwrap();
        check(
            name,
            &value,
            &[part],
            [Some(&[compatible; 2]), strict.map(|v| [v; 2]).as_ref().map(|v| &v[..])],
        );
    };
    let iou = "egothinker-iou";
    case(iou, "[0, 0, 2, 2]", "[1,0, 3 ,2]", 1.0 / 3.0, Some(1.0 / 3.0));
    case(iou, "[0, 0, 2, 2]", "[0.0, 0, 2, 2]", 0.0, Some(1.0));
    case(iou, "[0, 0, 2, 2]", "the cup is at (0,0),(2,2)", 0.0, Some(1.0));
    case(iou, "[0, 0, 2, 2]", "[0, 0, 2]", 0.0, Some(0.0));
    case(iou, "[0, 0, 2, 2]", "[١, ０, 3, 2]", 1.0 / 3.0, Some(0.0));
    // Both differences negative: the area is positive again.
    case(iou, "[0, 0, 4, 4]", "[2, 2, 0, 0]", 0.0, Some(0.0));
    case(iou, "[0, 0, 0, 0]", "[0, 0, 0, 0]", 0.0, None);
    let tiou = "egothinker-tiou";
    case(tiou, "(0,2)", "(1.0, 3)", 1.0 / 3.0, Some(1.0 / 3.0));
    case(tiou, "[0, 2]", "1 to 3 seconds", 0.0, Some(1.0 / 3.0));
    case(tiou, "(0,2)", "(3,1)", 0.0, Some(0.0));
    case(tiou, "(0,2)", "(+.5,2)", 0.75, Some(0.75));
    case(tiou, "(1,1)", "(1,1)", 0.0, None);
    case("egothinker-format", "", "", 1.0, Some(0.0));
    case("egothinker-format", "", "x", 1.0, Some(1.0));
    let other = json!({"solution": "[0, 0, 1, 1]", "completion": "<answer>[0, 0, 1, 1]</answer>", "problem_type": "egoexo"});
    check(iou, &other, &["iou"], [Some(&[0.0; 2]); 2]);
    let list = json!({"solution": [0, 0, 1, 1], "completion": "<answer>[0, 0, 1, 1]</answer>", "problem_type": "visor"});
    check(iou, &list, &["iou"], [Some(&[1.0; 2]); 2]);
    let bad = json!({"solution": "left", "completion": ""});
    check(iou, &bad, &["iou"], [None; 2]);
    check(tiou, &bad, &["tiou"], [None; 2]);
}

#[test]
fn what_a_thought_names_is_no_answer() {
    let check = |name: &str, solution: &str, kind: &str, answer: &str| {
        let thought = "<think>put it in <answer>x</answer> tags, like <ANSWER>9</ANSWER></think>";
        let value = json!({"solution": solution, "completion": format!("{thought}<answer>{answer}</answer>"), "problem_type": kind});
        let scored = reward(name, Mode::Strict).score(&row(value)).unwrap();
        assert!(!scored.unread && scored.reward > 0.99, "{name}: {scored:?}");
    };
    check("video-r1", "<answer>B</answer>", "multiple choice", "B");
    check("video-r1", "<answer>4</answer>", "numerical", "four");
    check("video-r1", "<answer>2.5</answer>", "regression", "2 1/2");
    check("st-r1", "<answer>B</answer>", "", "（B）");
    check("r1v", "<answer>B</answer>", "", "\\text{B}");
    check("egothinker-iou", "[0, 0, 2, 2]", "visor", "[0, 0, 2, 2]");
    check("egothinker-format", "", "", "x");
    check("ego-r1", "B", "", "B");
    for (name, solution, kind) in [
        ("video-r1", "<answer>B</answer>", "multiple choice"),
        ("video-r1", "<answer>3</answer>", "numerical"),
        ("st-r1", "<answer>B</answer>", ""),
        ("egothinker-tiou", "(0,2)", "egoexo"),
        ("ego-r1", "B", ""),
    ] {
        let completion = "<think>t</think><answer>A or B, 3 or 4</answer>";
        let value = json!({"solution": solution, "completion": completion, "problem_type": kind});
        let scored = reward(name, Mode::Strict).score(&row(value)).unwrap();
        assert!(scored.unread, "{name}: {scored:?}");
    }
}

#[test]
fn ego_r1() {
    let case = |completion: &str, compatible: [f64; 3], strict: [f64; 3]| {
        let value = json!({"solution": "B", "completion": completion});
        check("ego-r1", &value, &["accuracy", "format"], [Some(&compatible), Some(&strict)]);
    };
    case("<think>a</think><answer>B</answer>", [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]);
    case("<think>a</think><answer>C</answer>", [0.1, 0.0, 1.0], [0.1, 0.0, 1.0]);
    case("<answer>C</answer>", [0.0; 3], [0.0; 3]);
    case("<think>a</think><answer>\nB.\n</answer>", [0.0; 3], [1.0, 1.0, 1.0]);
    case("<think>a</think><answer>Answer: B</answer>", [0.1, 0.0, 1.0], [1.0, 1.0, 1.0]);
    case("<answer>A</answer> <answer>B</answer>", [1.0, 1.0, 0.0], [1.0, 1.0, 0.0]);
    case("<think>a</think> B", [0.0; 3], [0.0; 3]);
    // Tags after the answer cost the published form; a model's second answer is its last one.
    case("<think>t</think><answer>C</answer><answer>C</answer>", [0.0; 3], [0.1, 0.0, 1.0]);
    case("<think>t</think><answer>C</answer></think>", [0.0; 3], [0.1, 0.0, 1.0]);
    case("<think>t</think><answer>C</answer> so </information>", [0.1, 0.0, 1.0], [0.1, 0.0, 1.0]);
    for solution in ["a", " a\n", "A"] {
        let value = json!({"solution": solution, "completion": "<think>t</think><answer>A</answer>"});
        check("ego-r1", &value, &["accuracy", "format"], [Some(&[1.0, 1.0, 1.0]); 2]);
    }
    let call = "{'name': 'vlm', 'arguments': '{\"question\":\"q\",\"timestamp\":\"DAY1_11210217\"}'}";
    let turns = format!(
        "<think>a</think> <tool>{call}</tool><|im_end|>\n<|im_start|>user\n<information>i</information><|im_end|>\n<|im_start|>assistant\n<think>b</think> <answer>C</answer>"
    );
    case(&turns, [0.0; 3], [0.1, 0.0, 1.0]);
    check(
        "ego-r1",
        &json!({"solution": ["B"], "completion": "<answer>B</answer>"}),
        &["accuracy"],
        [Some(&[1.0; 2]); 2],
    );
    check(
        "ego-r1",
        &json!({"solution": "yes", "completion": "<answer>B</answer>"}),
        &["accuracy"],
        [Some(&[0.0; 2]), None],
    );
}

#[test]
fn reverse_consistency() {
    let case = |replies: &[(&str, &str, &str, Value)], expect: &[[f64; 2]]| {
        let rows: Vec<Row> = replies
            .iter()
            .map(|(direction, solution, said, means)| {
                row(json!({"direction": direction, "solution": solution, "completion": format!("<answer>{said}</answer>"), "means": means}))
            })
            .collect();
        let measure = reward("reverse-consistency", Mode::Strict);
        let mut scored: Vec<Scored> = rows.iter().map(|row| measure.score(row).unwrap()).collect();
        measure.group(&rows.iter().collect::<Vec<_>>(), &mut scored);
        let found: Vec<[f64; 2]> = scored.iter().map(|s| [s.reward, s.part("agreement")]).collect();
        assert_eq!(found, expect, "{replies:?}");
    };
    let none = Value::Null;
    let means = json!({"A": "C", "B": "D"});
    case(
        &[("forward", "A", "A", none.clone()), ("reverse", "C", "C", none.clone())],
        &[[1.5, 0.5], [1.5, 0.5]],
    );
    case(
        &[("forward", "A", "A", none.clone()), ("reverse", "C", "B", none.clone())],
        &[[1.0, 0.0], [0.0, 0.0]],
    );
    case(
        &[("forward", "A", "B", none.clone()), ("reverse", "C", "D", none.clone())],
        &[[0.0, 0.0], [0.0, 0.0]],
    );
    // Both wrong, and both the same way round.
    case(
        &[("forward", "A", "B", means.clone()), ("reverse", "C", "D", none.clone())],
        &[[0.5, 0.5], [0.5, 0.5]],
    );
    let two = [
        ("forward", "A", "A", means),
        ("reverse", "C", "C", none.clone()),
        ("reverse", "C", "D", none.clone()),
    ];
    case(&two, &[[1.25, 0.25], [1.5, 0.5], [0.0, 0.0]]);
    case(&[("forward", "A", "A", none)], &[[1.0, 0.0]]);
    let undirected = row(json!({"solution": "A", "completion": ""}));
    assert!(reward("reverse-consistency", Mode::Compatible).score(&undirected).is_err());
}

#[test]
fn names_and_settings() {
    for (name, _) in NAMES {
        for mode in ["compatible", "strict"] {
            assert!(named(name, Mode::named(mode).unwrap(), &Map::new()).is_ok(), "{name}");
        }
        let typo = json!({"weigth": 1.0}).as_object().cloned().unwrap();
        let error = named(name, Mode::Strict, &typo).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("weigth") && error.contains("expected"), "{error}");
    }
    let error =
        named("video", Mode::Strict, &Map::new()).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("unknown reward \"video\"") && error.contains("video-r1, st-r1"), "{error}");
    assert!(Mode::named("loose").is_err());
    let weighted = json!({"format": 0.5}).as_object().cloned().unwrap();
    let measure = named("st-r1", Mode::Compatible, &weighted).unwrap();
    let scored = measure
        .score(&row(json!({"solution": "B", "completion": "<think>a</think><answer>B</answer>"})))
        .unwrap();
    assert_eq!(
        serde_json::to_value(&scored).unwrap(),
        json!({"reward": 1.5, "parts": {"accuracy": 1.0, "format": 1.0}})
    );
    assert!(serde_json::from_value::<Row>(json!({"solution": null, "completion": ""})).is_err());
}

proptest! {
    #[test]
    fn every_reward_is_bounded_and_none_panics(
        completion in "(<think>|</think>|<answer>|</answer>|\\\\boxed\\{|\\}|<tool>|</tool>|\\{|[A-D]|[0-9]{1,3}|[.,%()\\[\\]/^é=-]| |\n|answer){0,14}",
        solution in "(<answer>|</answer>|\\[0, 0, 2, 3\\]|\\(1,2\\)|[A-D]|[0-9]{1,3}|[.,%/^é-]| ){0,8}",
        kind in prop::sample::select(vec!["multiple choice", "numerical", "OCR", "free-form", "regression", "visor", "other"]),
    ) {
        for (name, _) in NAMES {
            for mode in [Mode::Compatible, Mode::Strict] {
                let row = row(json!({"completion": completion, "solution": solution, "problem_type": kind, "direction": "forward"}));
                if let Ok(scored) = reward(name, mode).score(&row) {
                    prop_assert!((-1e-12..=2.0 + 1e-12).contains(&scored.reward), "{} {}", name, scored.reward);
                    prop_assert!(scored.parts.values().all(|part| (0.0..=1.0).contains(part)), "{}: {:?}", name, scored);
                }
            }
        }
    }
}
