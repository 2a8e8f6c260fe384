//! Every built-in description against a hand-written file of the shape that its source documents: what the first item
//! becomes, and that nothing of it is refused.

use std::path::{Path, PathBuf};

use super::*;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn items(name: &str) -> Vec<Item> {
    find(name)
        .unwrap()
        .items(&folder(name), None)
        .map(|item| item.unwrap_or_else(|bad| panic!("{bad}")))
        .collect()
}

/// Number of items; then of the first: id, question, options, gold answer, media without the folder.
#[track_caller]
fn check(name: &str, count: usize, id: &str, question: &str, options: &str, gold: &str, media: &str) {
    let items = items(name);
    assert_eq!(items.len(), count, "{name}");
    let first = &items[0];
    let dir = format!("{}/", folder(name).display());
    let shown = |m: &MediaRef| {
        let part = match (m.start, m.end) {
            (None, None) => String::new(),
            (start, end) => format!(" {start:?}..{end:?}"),
        };
        format!("{:?} {}{part}", m.kind, m.path.replace(&dir, ""))
    };
    let shown: Vec<String> = first.media.iter().map(shown).collect();
    let got = [&first.id, &first.question, &first.options.join("|"), &first.gold.text(), &shown.join(", ")];
    assert_eq!(got, [id, question, options, gold, media], "{name}");
}

#[test]
fn videos_of_people_and_rooms() {
    check(
        "ego-st-mcq",
        10,
        "Part1_forward_mcq: 1",
        "Based on this video, which landmarks did you pass by?",
        "A. a red door|B. a bench",
        "B",
        "Video part1/clip_a.mp4",
    );
    check(
        "ego-st-qa",
        8,
        "Part1_forward_qa: 1",
        "Describe the route.",
        "",
        "Go straight, then left at the bench.",
        "Video part1/clip_a.mp4",
    );
    check(
        "ego-st-training",
        1,
        "total_test_mcq_630-1",
        "Please look. Based on this video, what directions do you need to go through to get to starting point ?",
        "left, then right|right",
        "B",
        "Video r1_video/way.mp4",
    );
    check("vsi-bench", 2, "0", "How many chairs are there?", "", "4", "Video scannet/scene_1.mp4");
    check("video-r1-eval", 2, "eval_vsibench-7", "How long is the table?", "", "1.5", "Video videos/a.mp4");
    check(
        "mvbench",
        20,
        "action_sequence-1",
        "What came first?",
        "The cup.|The plate.",
        "B",
        "Video video/star/Charades_v1_480/clip.mp4 Some(1.5)..Some(9.0)",
    );
    check(
        "tempcompass",
        3,
        "multi-choice: 11: speed: How fast is it?\nA. slow\nB. fast",
        "How fast is it?",
        "A. slow|B. fast",
        "B",
        "Video videos/11.mp4",
    );
    check("video-mme", 1, "001-1", "How many?", "A. 1.|B. 2.|C. 3.|D. 4.", "C", "Video data/abc.mp4");
    check(
        "video-mmmu",
        3,
        "Perception-validation_Art_1",
        "Which theorem?",
        "one|two|three",
        "B",
        "Video videos/validation_Art_1.mp4",
    );
    check(
        "mmvu",
        1,
        "validation_1",
        "Which salt?",
        "one|two|three|four|five",
        "E",
        "Video videos/Chemistry/0.mp4",
    );
}

#[test]
fn first_person_videos() {
    check("egoschema", 1, "u2", "What does c do?", "a|b|c|d|e", "E", "Video videos/u2.mp4");
    check("egolife-qa", 1, "EgoLifeQA_A1_JAKE-1", "Who came in?", "Ann|Ben|Cas|Dee", "B", "Days A1_JAKE");
    check("ego-r1-bench", 1, "A1_JAKE-3", "Who came in?", "Ann|Ben|Cas|Dee", "D", "Days A1_JAKE");
    check(
        "egotaskqa",
        1,
        "k-1|P2|10|99: What is on the plate?",
        "What is on the plate?",
        "a pan|bread|a fork",
        "B",
        "Video egotaskqa/k-1|P2|10|99.mp4",
    );
    check(
        "egoplan2",
        1,
        "aa-bb_12",
        "Considering the progress shown in the video and my current observation in the last \
        frame, what action should I take next in order to bake bread?",
        "wash|knead|cut|wait",
        "B",
        "Video egoplan2/aa-bb.mp4 Some(10.0)..Some(30.0)",
    );
    check("qaego4d", 1, "s_3", "Where are my keys?", "", "on the table", "Video clips/v1.mp4");
    check(
        "egomcq",
        1,
        "egomcq-1",
        "Which describes it?",
        "cuts|pours",
        "A",
        "Video egomcq/v.mp4 Some(1.0)..Some(4.5)",
    );
    check(
        "vlnqa",
        1,
        "left/1_frame2.mp4",
        "This follows: \"Go left.\" What is next?",
        "Stop|Turn left and move forward",
        "B",
        "Video vlnqa/left/1_frame2.mp4",
    );
    check("visor", 1, "P01/1.jpg: left hand", "left hand", "", "[0.1, 0.2, 0.5, 0.6]", "Image P01/1.jpg");
    check(
        "egoexolearn",
        1,
        "videos/e.mp4: open the lid: 2.5",
        "open the lid",
        "",
        "(2.50,4.00)",
        "Video videos/e.mp4",
    );
    check(
        "charades-sta",
        2,
        "AB12: a person sits.: 0.0",
        "a person sits.",
        "",
        "(0.00,5.50)",
        "Video Charades_v1_480/AB12.mp4",
    );
}

#[test]
fn pictures() {
    let png = "Image data:image/jpeg;base64,iVBORw0KGgo=";
    check("cv-bench", 2, "2D-0", "How many cups?", "1|2", "B", "Image img/2D/count/a.png");
    check("blink", 2, "val_Spatial_Relation_1", "Is it left?", "yes|no", "A", png);
    check("3dsrbench", 3, "VIN6MS3J", "Which is higher?", "the cup|the lamp", "B", png);
    check("mmvp", 3, "1", "Is it open, or not?", "Open|Closed", "A", "Image MMVP Images/1.jpg");
    check("realworldqa", 2, "test-1", "Which way?", "left|right", "B", png);
    check("spatialbench", 5, "existence-1", "Is there a cup?", "", "Yes", "Image existence/1.jpg");
    check("stvqa", 1, "55: Where is the cup?", "Where is the cup?", "left|right", "A", png);
}

#[test]
fn the_simulated_home() {
    check("world", 5, "1-a", "what colour is it ?", "black|grey", "B", "Image media/1/0000.png");
    check("world-video-r1", 1, "0", "what colour is it ?", "A. black|B. grey", "B", "Image media/1/0000.png");
    check(
        "world-st-r1",
        1,
        "st-r1-1",
        "Please take a egocentric view to understand the following questions. which way ?",
        "left|right",
        "A",
        "Video media/1/0001.mp4",
    );
    check("world-stvqa", 1, "1-0", "Where is the cup?", "left|right", "A", "Image media/1/0000.png");
    check(
        "world-egoexo",
        1,
        "media/1/0001.mp4: drinks tea",
        "drinks tea",
        "",
        "(1.00,2.50)",
        "Video media/1/0001.mp4",
    );
    check(
        "world-visor",
        1,
        "media/1/0000.png: left hand",
        "left hand",
        "",
        "[1.0, 2.0, 30.0, 40.0]",
        "Image media/1/0000.png",
    );
    check("world-egolife", 1, "9", "Who came in?", "Ann|Ben", "B", "");
    let world = items("world");
    let golds: Vec<(String, &str)> = world.iter().map(|item| (item.gold.text(), item.kind.name())).collect();
    let expect = [
        ("B", "multiple-choice"),
        ("(1.00,2.50)", "interval"),
        ("[1.0, 2.0, 30.0, 40.0]", "box"),
        ("3", "numerical"),
        ("tea", "ocr"),
    ];
    assert_eq!(golds, expect.map(|(gold, kind)| (gold.to_owned(), kind)));
    assert_eq!((world[3].asked_at.as_deref(), world[3].media.len()), (Some("DAY3 36000.0"), 0));
}

#[test]
fn every_built_in_benchmark_has_a_fixture_and_a_name_of_its_own() {
    let all = list().unwrap();
    for (index, benchmark) in all.iter().enumerate() {
        let check = benchmark.check_folder(&folder(&benchmark.name), None);
        assert!(check.items > 0 && check.bad.is_empty(), "{}: {:?}", benchmark.name, check.bad);
        assert!(all[..index].iter().all(|other| other.name != benchmark.name), "{}", benchmark.name);
        for item in items(&benchmark.name) {
            if let Err(error) = item.prompt(benchmark, None, Some([480, 640])) {
                panic!("{} {}: {error}", benchmark.name, item.id);
            }
        }
        for headline in benchmark.headline.iter().flat_map(|headline| headline.split('/')) {
            assert!(check.groups.contains_key(headline), "{}: no item has a {headline}", benchmark.name);
        }
    }
    assert!(find("mvbanch").unwrap_err().to_string().contains("choose one of 3dsrbench, blink, "));
}

#[test]
fn groups_and_rows_that_count_together() {
    let check = |name: &str, index: usize, group: &str, expect: &str| {
        let items = items(name);
        assert_eq!(items[index].groups.get(group).map(String::as_str), Some(expect), "{name}");
    };
    check("vsi-bench", 1, "task", "object_rel_direction");
    check("vsi-bench", 0, "type", "regression");
    check("ego-st-mcq", 0, "category", "landmark");
    check("ego-st-mcq", 4, "category", "action");
    check("ego-st-mcq", 9, "direction", "reverse");
    check("ego-st-training", 0, "direction", "reverse");
    check("ego-st-training", 0, "category", "direction");
    check("egotaskqa", 0, "view", "P2");
    check("video-r1-eval", 0, "benchmark", "vsibench");
    check("3dsrbench", 0, "part", "height");
    check("tempcompass", 2, "task", "caption_matching");
    let together =
        |name: &str| -> Vec<String> { items(name).into_iter().filter_map(|item| item.together).collect() };
    assert_eq!(together("3dsrbench"), ["VIN6MS3J"; 3]);
    assert_eq!(together("mmvp"), ["1", "1", "2"]);
    let frames = items("mvbench").into_iter().find(|item| item.media[0].kind == MediaKind::Frames).unwrap();
    assert_eq!((frames.media[0].fps, frames.media[0].end), (Some(3.0), Some(9.0)));
}

#[test]
fn questions_are_put_as_their_authors_put_them() {
    let check = |name: &str, system: Option<&str>, user: &str| {
        let prompt = items(name)[0].prompt(&find(name).unwrap(), None, Some([480, 640])).unwrap();
        assert_eq!((prompt.system.as_deref(), prompt.user.as_str()), (system, user), "{name}");
    };
    let assistant = Some("You are a helpful assistant.");
    check(
        "mvbench",
        None,
        "Question:What came first?\nOption:\n(A) The cup.\n(B) The plate.\nOnly give the best option.\n",
    );
    check(
        "egoplan2",
        None,
        "\n    Select the best answer to the following multiple-choice question based on the video. \
        Respond with only the letter (A, B, C, or D) of the correct option.\n\n    Considering the progress shown in the \
        video and my current observation in the last frame, what action should I take next in order to bake bread?\n\n    \
        A. wash\n    B. knead\n    C. cut\n    D. wait.\nOnly give the best option.\n    ",
    );
    check(
        "vlnqa",
        assistant,
        "Select.\nQuestion: This follows: \"Go left.\" What is next?\nOption:\nA: Stop\nB: Turn left \
        and move forward\nOnly give the best option.",
    );
    check(
        "visor",
        None,
        "Bounding box coordinates are specified in the format [x min, y min, x max, y max]. All values are \
        floating point numbers bounded between 0 and 1. Please provide the bounding box coordinate of the left hand.",
    );
    check(
        "egolife-qa",
        None,
        "Who came in? <timestamp>DAY1_11210217</timestamp>\nA. Ann\nB. Ben\nC. Cas\nD. Dee",
    );
    check("vsi-bench", None, "How many chairs are there?");
    check("world", None, "what colour is it ?\nA. black\nB. grey");
    assert_eq!(items("world")[3].own_prompt.as_ref().unwrap().user, "how many ?");
    let egotaskqa = items("egotaskqa")[0].prompt(&find("egotaskqa").unwrap(), None, None).unwrap();
    assert!(egotaskqa.user.ends_with("Option:\nA: a pan\nB: bread\nC: a fork\nOnly give the best option."));
    let [before, after] = items("ego-st-qa")[4].judge.clone().unwrap();
    assert!(before.contains(
        "(Reverse: from point B to point A):\n\nReverse Question: Describe the route.\nReverse Correct"
    ));
    assert!(
        before.ends_with("Reverse Predicted Answer: ")
            && after.starts_with("\n\nProvide your evaluation strictly")
    );
}
