//! Both modes over the same replies; the published arithmetic on hand-made rows; laws; and a measurement of speed,
//! which is printed and not judged.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::{Mode, Reward, Row, Scored, named};
use super::NAME;

const CUP: &str = r#"{"id": "cup.1", "bbox": [64, 48, 256, 240]}"#;
const TABLE: &str = r#"{"id": "table.1", "bbox": [0, 200, 640, 480]}"#;
const ON: &str = r#"{"subject": "cup.1", "predicate": "on", "object": "table.1"}"#;

fn graph(objects: &[&str], links: &[&str]) -> String {
    format!(r#"{{"objects": [{}], "relationships": [{}]}}"#, objects.join(", "), links.join(", "))
}

fn reply(scene: &str, answer: &str) -> String {
    format!(
        "<observe>a room</observe>\n<scene>\n{scene}\n</scene>\n<think>so</think>\n<answer>{answer}</answer>"
    )
}

fn row(completion: &str, scene: &str) -> Row {
    Row {
        completion: completion.to_owned(),
        solution: format!("<scene>{scene}</scene>\n<answer>(B) on top of</answer>"),
        problem: Some("<image> Look (well).\nImage size: (640 x 480)\nQ. where?".to_owned()),
        ..Row::default()
    }
}

fn reward(mode: Mode, settings: Value) -> Box<dyn Reward> {
    let Value::Object(settings) = settings else { panic!("settings are an object") };
    named(NAME, mode, &settings).unwrap()
}

fn score(mode: Mode, row: &Row) -> Scored {
    reward(mode, json!({})).score(row).unwrap()
}

/// Format, count, accuracy, spatial.
fn parts(scored: &Scored) -> [f64; 4] {
    ["format", "count", "accuracy", "spatial"].map(|name| scored.parts[name])
}

fn close(actual: [f64; 4], expect: [f64; 4], what: &str) {
    let apart = actual.iter().zip(expect).any(|(a, b)| (a - b).abs() > 1e-6);
    assert!(!apart, "{what}: {actual:?}, not {expect:?}");
}

#[test]
fn worked_totals() {
    let gold = graph(&[CUP, TABLE], &[ON]);
    let check = |reply: &str, compatible: f64, strict: f64| {
        let row = row(reply, &gold);
        let totals = [Mode::Compatible, Mode::Strict].map(|mode| score(mode, &row).reward);
        let apart = totals.iter().zip([compatible, strict]).any(|(a, b)| (a - b).abs() > 1e-5);
        assert!(!apart, "{reply}: {totals:?}, not {compatible} and {strict}");
    };
    check(&reply(&gold, "(B) on top of"), 1.0, 1.0);
    check(&reply(&gold, "(A) below"), 0.3, 0.3);
    check(&reply(&gold, "B"), 0.3, 1.0);
    check(&format!("Sure! {}", reply(&gold, "(B) on top of")), 1.0, 0.0);
    check(&reply("{", "(B) on top of"), 0.0, 0.0);
    check("(B) on top of", 0.0, 0.0);
    check("", 0.0, 0.0);
    // One thing of two, no relation: the count is 0.7 * 0.5; the cup is half of the things.
    let half = reply(&graph(&[CUP], &[]), "(B) on top of");
    check(&half, 0.1 + 0.2 * 0.35 + 0.5 + 0.2 * 0.5, 0.1 + 0.2 * 0.35 + 0.5 + 0.2 * 0.7 * 2.0 / 3.0);
}

#[test]
fn published_forms() {
    let check = |scene: &str, passes: bool| {
        let format = score(Mode::Compatible, &row(&reply(scene, "A"), "{}")).part("format");
        assert_eq!(format, f64::from(u8::from(passes)), "{scene}");
    };
    let box_of = |numbers: &str| graph(&[&format!(r#"{{"id": "a.1", "bbox": [{numbers}]}}"#)], &[]);
    let id = |id: &str| graph(&[&format!(r#"{{"id": "{id}", "bbox": [1, 2, 3, 4]}}"#)], &[]);
    for yes in [
        graph(&[], &[]),
        graph(&[CUP], &[ON]),
        box_of("true, -2, 1e999, NaN"),
        box_of("9, 9, 1, 1"),
        id("Fire_Hydrant.007"),
        id("a.\u{663}"),
        r#"{"relationships": []}"#.to_owned(),
        r#"{"note": {}}"#.to_owned(),
        graph(&[], &[&ON.replace('{', r#"{"sure": 1, "#)]),
    ] {
        check(&yes, true);
    }
    for no in [
        "".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "{'objects': []}".to_owned(),
        r#"{"objects": null}"#.to_owned(),
        r#"{"objects": [], "relationships": null}"#.to_owned(),
        box_of("1, 2, 3"),
        box_of("1, 2, 3, 4, 5"),
        box_of("1, 2, 3, \"4\""),
        id("cup"),
        id("cup1.1"),
        id("fire hydrant.1"),
        id("cup.1.2"),
        id("cup.1\\n"),
        id("cup.\u{b2}"),
        graph(&[CUP, CUP], &[]),
        graph(&[&CUP.replace('{', r#"{"sure": 1, "#)], &[]),
        graph(&[], &[&ON.replace("cup.1", "cup")]),
        graph(&[], &[&ON.replace("\"on\"", "1")]),
        graph(&[], &[&ON.replace("predicate", "relation")]),
    ] {
        check(&no, false);
    }
}

#[test]
fn published_quirks() {
    let check = |scene: &str, gold: &str, expect: [f64; 4]| {
        close(parts(&score(Mode::Compatible, &row(&reply(scene, "(b) ON top of "), gold))), expect, scene);
    };
    let both = graph(&[CUP, TABLE], &[ON]);
    let extra = r#"{"id": "dog.1", "bbox": [1, 2, 3, 4]}"#;
    // Things too many are free where they are placed, as are predicates and names.
    check(&graph(&[CUP, TABLE, extra], &[ON]), &both, [1.0, 0.65, 1.0, 1.0]);
    check(&both.replace("\"on\"", "\"under\""), &both, [1.0, 1.0, 1.0, 1.0]);
    check(&graph(&[&CUP.replace("cup", "zebra")], &[]), &graph(&[CUP], &[]), [1.0, 1.0, 1.0, 1.0]);
    // A true scene without things but with relations is met by any scene; without either, by an empty one.
    check(&graph(&[CUP], &[]), &graph(&[], &[ON]), [1.0, 0.0, 1.0, 1.0]);
    check(&graph(&[CUP], &[]), "{}", [1.0, 0.0, 1.0, 0.0]);
    check(&graph(&[], &[]), "no graph", [1.0, 0.0, 1.0, 1.0]);
    check(r#"{"relationships": []}"#, &graph(&[], &[]), [1.0, 0.0, 1.0, 1.0]);
    // Where the published code dies of a reply, its things have no place.
    check(&graph(&[&CUP.replace("64", "NaN")], &[]), &graph(&[CUP], &[]), [1.0, 1.0, 1.0, 0.0]);
    check(&graph(&[&CUP.replace("64", "1e200")], &[]), &graph(&[CUP], &[]), [1.0, 1.0, 1.0, 0.0]);
    // A box of infinite price is left out; if no other can take its place, there is no pairing.
    let endless = TABLE.replace("200", "Infinity");
    check(&graph(&[&endless, CUP], &[]), &graph(&[CUP], &[]), [1.0, 0.0, 1.0, 1.0]);
    check(&graph(&[&endless], &[]), &graph(&[CUP], &[]), [1.0, 1.0, 1.0, 0.0]);
    // Mapped CIoU of [0.6, 0.6, 0.9, 0.9] and [0.1, 0.1, 0.4, 0.5].
    let apart = CUP.replace("64, 48, 256, 240", "384, 288, 576, 432");
    check(&graph(&[&apart], &[]), &graph(&[CUP], &[]), [1.0, 1.0, 1.0, 0.323_209]);
    let gold_only = Row { solution: String::new(), ..row(&reply(&both, ""), "") };
    close(parts(&score(Mode::Compatible, &gold_only)), [1.0, 0.0, 1.0, 0.0], "no gold");
}

#[test]
fn rows_that_judge_nothing() {
    let whole = graph(&[CUP], &[]);
    let check = |change: fn(&mut Row), compatible: &str, strict: &str| {
        for (mode, expect) in [(Mode::Compatible, compatible), (Mode::Strict, strict)] {
            let mut row = row(&reply(&whole, "(B) on top of"), &whole);
            change(&mut row);
            let told =
                reward(mode, json!({})).score(&row).map_or_else(|error| error.to_string(), |_| String::new());
            assert!(told.contains(expect) && told.is_empty() == expect.is_empty(), "{mode:?}: {told}");
        }
    };
    check(|row| row.problem = None, "no \"Image size", "no \"Image size");
    check(
        |row| row.problem = Some("Image size: (a x b)".to_owned()),
        "not two whole numbers",
        "no \"Image size",
    );
    check(|row| row.problem = Some("Image size: (0 x 9)".to_owned()), "without pixels", "0 x 9 pixels");
    check(|row| row.solution = row.solution.replace("<answer>", ""), "", "no <answer>");
    check(|row| row.solution = row.solution.replace("<scene>", ""), "", "no <scene>");
    check(|row| row.solution = row.solution.replace("\"bbox\"", "\"box\""), "without an id", "missing field");
    check(|row| row.solution = row.solution.replace("64", "900"), "", "has no area");
}

#[test]
fn variants_and_settings() {
    let score = |settings: Value, scene: &str, gold: &str| {
        parts(&reward(Mode::Compatible, settings).score(&row(&reply(scene, "(B) on top of"), gold)).unwrap())
            [3]
    };
    let both = graph(&[CUP, TABLE], &[ON]);
    let bare = graph(&[CUP, TABLE], &[]);
    let close = |actual: f64, expect: f64| assert!((actual - expect).abs() < 1e-6, "{actual}, not {expect}");
    close(score(json!({"relation_gate": true}), &bare, &both), 0.0);
    close(score(json!({"relation_gate": true}), &both, &both), 1.0);
    let half = json!({"variant": "boxes-and-relations"});
    close(score(half.clone(), &both, &both), 1.0);
    close(score(half.clone(), &bare, &both), 0.5);
    close(score(half.clone(), &both.replace("\"on\"", "\"under\""), &both), 0.5 + 0.5 * 0.6);
    close(score(half, "{\"note\": 1}", "{}"), 1.0);
    // GIoU of two boxes of a tenth by a tenth, side by side with one between: -1/3, mapped 1/3.
    let at = |x: u32| graph(&[&CUP.replace("64, 48, 256, 240", &format!("{x}, 0, {}, 48", x + 64))], &[]);
    close(score(json!({"overlap": "generalised"}), &at(128), &at(0)), 1.0 / 3.0);
    // The same box in every frame.
    let unit = CUP.replace("64, 48, 256, 240", "0.1, 0.1, 0.4, 0.5");
    let thousand = CUP.replace("64, 48, 256, 240", "100, 100, 400, 500");
    for mode in [Mode::Compatible, Mode::Strict] {
        for (frame, cup) in
            [("original", CUP), ("unit", &unit), ("thousand", &thousand), ("resized", &thousand)]
        {
            let mut row = row(&reply(&graph(&[cup], &[]), "(B) on top of"), &graph(&[CUP], &[]));
            row.more.insert("resized_size".to_owned(), json!([1000, 1000]));
            close(reward(mode, json!({"coordinates": frame})).score(&row).unwrap().part("spatial"), 1.0);
        }
    }
    let weighted = reward(Mode::Compatible, json!({"format": 1, "spatial": 0, "count": 0, "accuracy": 0}));
    close(weighted.score(&row(&reply(&both, "A"), &both)).unwrap().reward, 1.0);
}

#[test]
fn settings_that_are_none() {
    let check = |mode: Mode, settings: Value, expect: &str| {
        let Value::Object(settings) = settings else { panic!("settings are an object") };
        let told = named(NAME, mode, &settings).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.contains(expect), "{settings:?}: {told}");
    };
    check(Mode::Compatible, json!({"wieght": 1}), "unknown field `wieght`");
    check(Mode::Compatible, json!({"format": -1}), "format is -1");
    check(Mode::Compatible, json!({"relation_share": 2}), "relation_share is 2");
    check(Mode::Compatible, json!({"variant": "best"}), "unknown variant `best`");
    check(Mode::Compatible, json!({"vectors": "no/such/file"}), "word vectors no/such/file");
    check(Mode::Strict, json!({"relation_gate": true}), "relation_gate varies the published code");
}

#[test]
fn strict_pays_for_nothing_unearned() {
    let gold = graph(&[CUP, TABLE], &[ON]);
    let spatial = |scene: &str| score(Mode::Strict, &row(&reply(scene, "B"), &gold)).part("spatial");
    let whole = |thing: &str| {
        let (id, _) = thing.split_once("\"bbox\"").unwrap();
        format!("{id}\"bbox\": [0, 0, 640, 480]}}")
    };
    let small = graph(&[CUP], &[]);
    let covered = score(Mode::Strict, &row(&reply(&graph(&[&whole(CUP)], &[]), "B"), &small)).part("spatial");
    assert!((0.0..0.01).contains(&covered), "a box over everything: {covered}");
    assert!(spatial(&gold) > 1.0 - 1e-9);
    for (what, scene, most) in [
        ("another predicate", gold.replace("\"on\"", "\"under\""), 0.71),
        (
            "the relation turned round",
            gold.replace(r#""cup.1", "pred"#, r#""table.1", "pred"#)
                .replace(r#"ct": "table.1"#, r#"ct": "cup.1"#),
            0.71,
        ),
        ("no relation", graph(&[CUP, TABLE], &[]), 0.71),
        ("a wrong name", gold.replace("cup", "zebra"), 0.36),
        ("a thing too many", graph(&[CUP, TABLE, r#"{"id": "dog.1", "bbox": [1, 2, 3, 4]}"#], &[ON]), 0.87),
        ("a missing thing", small.clone(), 0.47),
        ("nothing", graph(&[], &[]), 0.0),
    ] {
        let earned = spatial(&scene);
        assert!(earned <= most, "{what}: {earned}");
    }
    let swapped = format!("<scene>{gold}</scene><observe>o</observe><think>t</think><answer>B</answer>");
    assert_eq!(score(Mode::Strict, &row(&swapped, &gold)).reward, 0.0);
}

#[test]
fn boxes_are_measured_whatever_the_answer() {
    let gold = graph(&[CUP, TABLE], &[ON]);
    let check = |scene: &str, letter: &str, expect: f64| {
        let boxes = score(Mode::Strict, &row(&reply(scene, letter), &gold)).parts["boxes"];
        assert!((boxes - expect).abs() < 1e-9, "{scene} {letter}: {boxes}, not {expect}");
    };
    check(&gold, "B", 1.0);
    check(&gold, "A", 1.0);
    check(&graph(&[CUP], &[]), "B", 0.5);
    check(&gold.replace("cup", "zebra"), "B", 0.5);
    check("no graph", "B", 0.0);
    let paid = |letter: &str| score(Mode::Strict, &row(&reply(&gold, letter), &gold)).reward;
    assert!(paid("A") < paid("B"));
}

#[test]
fn vectors_replace_letters() {
    let file = std::env::temp_dir().join(format!("firsthand-vectors-{}.txt", std::process::id()));
    fs_err::write(&file, "sofa 1 0\ncouch 0.8 0.6\n").unwrap();
    let sofa = CUP.replace("cup", "sofa");
    let row = row(&reply(&graph(&[&CUP.replace("cup", "couch")], &[]), "B"), &graph(&[&sofa], &[]));
    let spatial = reward(Mode::Strict, json!({"vectors": file})).score(&row).unwrap().part("spatial");
    fs_err::remove_file(&file).unwrap();
    assert!((spatial - 0.8).abs() < 1e-6, "{spatial}");
    assert_eq!(score(Mode::Strict, &row).part("spatial"), 0.0);
}

/// Scenes. Their things are not small, since the published margin takes from those what they deserve.
fn things() -> impl Strategy<Value = String> {
    let thing =
        (prop::sample::select(vec!["cup", "mug", "table", "red_cup"]), prop::array::uniform4(40..400u32));
    let link = (0..4usize, prop::sample::select(vec!["on", "under", "left of"]), 0..4usize);
    (prop::collection::vec(thing, 1..5), prop::collection::vec(link, 0..4)).prop_map(|(things, links)| {
        let ids: Vec<_> = things.iter().enumerate().map(|(at, (name, _))| format!("{name}.{at}")).collect();
        let objects = things
            .iter()
            .zip(&ids)
            .map(|((_, [x, y, w, h]), id)| json!({"id": id, "bbox": [x, y, x + w, y + h]}));
        let end = |at: usize| &ids[at % ids.len()];
        let links =
            links.iter().map(|(a, on, b)| json!({"subject": end(*a), "predicate": on, "object": end(*b)}));
        json!({"objects": objects.collect::<Vec<_>>(), "relationships": links.collect::<Vec<_>>()})
            .to_string()
    })
}

proptest! {
    #[test]
    fn scores_are_bounded_and_the_truth_is_best(scene in things(), gold in things(), right in any::<bool>()) {
        let answer = if right { "(B) on top of" } else { "(A) no" };
        for mode in [Mode::Compatible, Mode::Strict] {
            let best = score(mode, &row(&reply(&gold, "(B) on top of"), &gold));
            prop_assert!((best.reward - 1.0).abs() < 1e-4, "{:?} {:?}", mode, best);
            let other = score(mode, &row(&reply(&scene, answer), &gold));
            prop_assert!(parts(&other).iter().all(|part| (0.0..=1.0 + 1e-9).contains(part)), "{:?} {:?}", mode, other);
            prop_assert!(other.reward <= best.reward + 1e-4);
            prop_assert!(right || other.reward <= 0.3 + 1e-9);
        }
    }

    #[test]
    fn the_order_of_things_is_free(scene in things(), gold in things()) {
        let turned = |text: &str| {
            let mut value: Value = serde_json::from_str(text).unwrap();
            for key in ["objects", "relationships"] {
                value[key].as_array_mut().unwrap().reverse();
            }
            value.to_string()
        };
        for mode in [Mode::Compatible, Mode::Strict] {
            let one = score(mode, &row(&reply(&scene, "(B) on top of"), &gold));
            let other = score(mode, &row(&reply(&turned(&scene), "(B) on top of"), &turned(&gold)));
            prop_assert!((one.part("count") - other.part("count")).abs() < 1e-12);
            prop_assert!((one.part("spatial") - other.part("spatial")).abs() < 1e-9);
        }
    }

    #[test]
    fn no_row_panics(pieces in prop::collection::vec(0..24usize, 0..24), problem in "(Image size: \\()?[0-9x() _+-]{0,12}") {
        let known = [
            "<observe>", "</observe>", "<scene>", "</scene>", "<think>", "</think>", "<answer>", "</answer>", "{\"objects\": [", "], ",
            "\"relationships\": [", "]}", CUP, TABLE, ON, ", ", "{", "1e999", "NaN", "\u{e9}", "null", "\"", "B", " ",
        ];
        let completion: String = pieces.iter().map(|&at| known[at]).collect();
        let solution: String = pieces.iter().rev().map(|&at| known[at]).collect();
        let row = Row { completion, solution, problem: Some(problem), ..Row::default() };
        for mode in [Mode::Compatible, Mode::Strict] {
            if let Ok(scored) = reward(mode, json!({})).score(&row) {
                prop_assert!(scored.reward.is_finite());
            }
        }
    }
}

/// `cargo test --release -p firsthand-tasks speed -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn speed_of_scoring() {
    let mut random = 1u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let names = ["cup", "table", "man", "dog", "tree", "bike", "window", "shelf"];
    let mut scene = |at: usize| {
        let objects = (0..2 + at % 7).map(|id| {
            let [x, y, w, h] = [next(500), next(400), 10 + next(130), 10 + next(80)];
            json!({"id": format!("{}.{id}", names[next(8) as usize]), "bbox": [x, y, x + w, y + h]})
        });
        let objects: Vec<_> = objects.collect();
        let links = objects
            .windows(2)
            .map(|two| json!({"subject": two[0]["id"], "predicate": "next to", "object": two[1]["id"]}));
        json!({"objects": objects, "relationships": links.collect::<Vec<_>>()}).to_string()
    };
    let prompt = "You see a picture (well). ".repeat(115) + "\nImage size: (640 x 480)\nQ. where?";
    let rows: Vec<_> = (0..4096)
        .map(|at| {
            let completion =
                reply(&scene(at), "(B) on top of").replace("so<", &("so it is ".repeat(60) + "<"));
            Row { problem: Some(prompt.clone()), ..row(&completion, &scene(at / 7)) }
        })
        .collect();
    for mode in [Mode::Compatible, Mode::Strict] {
        let reward = named(NAME, mode, &Map::new()).unwrap();
        let begin = std::time::Instant::now();
        let rounds = 10;
        std::thread::scope(|scope| {
            for half in rows.chunks(rows.len() / 2) {
                scope.spawn(|| {
                    (0..rounds).for_each(|_| {
                        half.iter().for_each(|row| assert!(reward.score(row).unwrap().reward >= 0.6 - 1e-9))
                    })
                });
            }
        });
        let rate = (rounds * rows.len()) as f64 / begin.elapsed().as_secs_f64();
        println!("{mode:?}: {rate:.0} scores per second on two threads");
    }
}
