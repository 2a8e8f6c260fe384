//! Runs over a small benchmark written here, with a model that answers by rote: rows, resumption, controls, figures,
//! comparisons.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use firsthand_base::{
    Conversation, Digest, Finish, FrameId, Generate, GenerateError, Generation, Manifest, MediaTime,
    MediumId, Part, PixelLimits, Sampling, SamplingOptions, StopRules, VideoSource,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::mark::View;
use super::*;
use crate::benchmark::{Benchmark, Item, Metric};
use crate::{Coordinates, Style};

const TOML: &str = r#"
name = "small"
title = "A small one"
headline = ["room"]

[source]
home = "here"
licence = "none"
documented = "here"
layout = "items.jsonl"

[[files]]
path = "items.jsonl"

[item]
id = "{id}"
question = "{question}"
options = "{options}"

[[media]]
path = "{clip}"
kind = "{medium}"

[answer]
type = "{type}"
gold = "{gold}"
coordinates = "unit"

[groups]
room = "{room}"

[prompt]
template = "{item.text}"

[also]
free-form = ["exact-match"]
"#;

/// Says what the question tells it to: the words after `say:`; fails on `fail`, panics on `panic`.
#[derive(Clone)]
struct Rote {
    answers_left: usize,
}

impl Generate for Rote {
    fn generate(
        &mut self,
        conversation: &Conversation,
        _: &SamplingOptions,
        _: &StopRules,
        _: &mut dyn FnMut(&str) -> bool,
    ) -> std::result::Result<Generation, GenerateError> {
        assert!(self.answers_left > 0, "killed");
        self.answers_left -= 1;
        let text = conversation.parts().find_map(|part| match part {
            Part::Text(text) => Some(text.clone()),
            _ => None,
        });
        let prompt = text.expect("a question");
        if prompt.contains("fail") {
            return Err(GenerateError::Request("cannot read it\nhint: do not".to_owned()));
        }
        let said = prompt.split("say:").nth(1).unwrap_or("").lines().next().unwrap_or("").trim().to_owned();
        let frame = |index: usize| FrameId {
            damaged: false,
            index,
            time: MediaTime::new(index as i64, 1, 1),
            hash: Digest([index as u8; 32]),
        };
        let media = conversation.parts().filter(|part| !matches!(part, Part::Text(_))).map(|_| MediumId {
            location: "clip".to_owned(),
            frames: vec![frame(1), frame(2)],
            size: [100, 200],
            grid: [1, 2, 2],
            sample_fps: None,
        });
        Ok(Generation {
            text: said,
            ids: vec![1, 2],
            new_tokens: 2,
            logprobs: vec![0.0; 2],
            finish: Finish::Stop,
            prompt_tokens: 7,
            cached_tokens: 0,
            media: media.collect(),
            prompt,
        })
    }
}

struct Bench;

impl Outside for Bench {
    fn size(&self, _: &str) -> std::result::Result<[usize; 2], String> {
        Ok([200, 400])
    }

    fn coordinates(&self, _: Style, _: [usize; 2], [height, width]: [usize; 2]) -> Coordinates {
        Coordinates::Pixels { height: height as f64, width: width as f64 }
    }

    fn judge(&self, _: &str, user: &str) -> Option<std::result::Result<String, String>> {
        match user.contains("unreachable") {
            true => Some(Err("no answer".to_owned())),
            false => Some(Ok("Here: {'a': 4, \"b\": 2}".to_owned())),
        }
    }
}

fn item(id: usize, kind: &str, gold: &Value, said: &str) -> Value {
    json!({
        "id": id, "question": format!("Number {id}? say:{said}\n"), "type": kind, "gold": gold,
        "options": ["a cup", "a key", "a door"], "clip": format!("clip{}.mp4", id / 2), "medium": "video",
        "room": if id.is_multiple_of(2) { "hall" } else { "kitchen" },
    })
}

fn choices(count: usize) -> Vec<Value> {
    (0..count).map(|id| item(id, "multiple-choice", &json!("B"), ["B", "C", "(B) a key"][id % 3])).collect()
}

struct Home {
    dir: tempfile::TempDir,
    plan: Plan,
}

fn home(toml: &str, rows: &[Value]) -> Home {
    let dir = tempfile::tempdir().unwrap();
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    fs_err::write(dir.path().join("items.jsonl"), text).unwrap();
    let plan = Plan {
        benchmarks: vec![(Benchmark::from_toml(toml).unwrap(), dir.path().to_owned())],
        frames: vec![Frames { name: "8".to_owned(), sampling: Sampling::Uniform(8) }],
        limits: PixelLimits::default(),
        style: None,
        limit: None,
        blind: false,
        shuffled: false,
        circular: false,
        sampling: SamplingOptions::default(),
        stop: StopRules::default(),
        retry_failed: false,
    };
    Home { dir, plan }
}

impl Home {
    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    /// Runs with so many models, each good for so many answers.
    fn run(&self, models: usize, answers_left: usize) -> Results {
        let manifest = Manifest { program: "test".to_owned(), ..Manifest::default() };
        let mut run = Run::open(&self.out(), &self.plan, &manifest, &Bench, None).unwrap();
        let mut models = vec![Rote { answers_left }; models];
        answer_all(&mut run, &self.plan, &mut models, &|_| {}, &mut |_| true).unwrap();
        run.finish().unwrap()
    }

    fn rows(&self) -> Vec<Record> {
        read(&self.out()).unwrap().rows
    }
}

fn mean_of(results: &Results) -> f64 {
    results.figures[0].mean.unwrap().mean
}

#[test]
fn answers_of_every_type_are_understood_and_scored() {
    let check = |kind: &str, gold: Value, said: &str, parsed: &str, score: f64| {
        let home = home(TOML, &[item(1, kind, &gold, said)]);
        home.run(1, 9);
        let row = home.rows().remove(0);
        assert_eq!(row.error, None, "{kind} {said}");
        let reply = row.reply.unwrap();
        assert_eq!(reply.parsed, parsed, "{kind} {said}");
        assert!((reply.score.unwrap() - score).abs() < 1e-9, "{kind} {said}: {:?}", reply.score);
    };
    check("multiple-choice", json!("B"), "the answer is (B)", "B", 1.0);
    check("multiple-choice", json!("B"), "<think>A.</think><answer>a key</answer>", "B", 1.0);
    check("multiple-choice", json!("B"), "C", "C", 0.0);
    check("multiple-choice", json!("B"), "nothing at all", "nothing at all", 0.0);
    check("numerical", json!(3), "3", "3", 1.0);
    check("numerical", json!("2.50"), "2.5 m", "2.5", 1.0);
    check("numerical", json!("2.50"), "2.4", "2.4", 0.0);
    check("regression", json!(10), "9", "9", 0.9);
    check("regression", json!(10), "far", "far", 0.0);
    check("ocr", json!("exit this way"), "exit that way", "exit that way", 2.0 / 3.0);
    check("free-form", json!("a red cup"), "a red cup", "a red cup", 1.0);
    check("interval", json!([2, 4]), "(2.0, 3.0)", "(2.00,3.00)", 0.5);
    check("interval", json!([2, 4]), "always", "always", 0.0);
    // Pixels of the pictures that were shown, 100 by 200; the gold answer is in fractions.
    check("box", json!([0.0, 0.0, 0.5, 0.5]), "[0, 0, 100, 25]", "[0.0, 0.0, 0.5, 0.25]", 0.5);
    check("box", json!([0.0, 0.0, 0.5, 0.5]), "[1, 1, 1, 1e999]", "[1, 1, 1, 1e999]", 0.0);
}

#[test]
fn one_bad_item_does_not_disturb_the_others() {
    let mut rows = choices(6);
    rows[1]["question"] = json!("fail");
    rows[2]["options"] = json!([]);
    rows[3]["gold"] = json!("E");
    rows[4]["id"] = json!(0);
    let home = home(TOML, &rows);
    let results = home.run(2, 99);
    assert_eq!((results.failed, results.unusable.len(), results.figures[0].rows), (1, 3, 3));
    assert!(!results.is_whole());
    let failed = home.rows().into_iter().find(|row| row.error.is_some()).unwrap();
    assert_eq!((failed.id.as_str(), failed.error.as_deref()), ("1", Some("cannot read it; hint: do not")));
    for (at, part) in [
        (0, "items.jsonl:3: no options"),
        (1, "items.jsonl:4: the gold answer"),
        (2, "items.jsonl:5: the id"),
    ] {
        assert!(results.unusable[at][1].contains(part), "{:?}", results.unusable[at]);
    }
    // Asked again only on request, and the later row counts.
    let text = fs_err::read_to_string(home.dir.path().join("items.jsonl")).unwrap();
    fs_err::write(home.dir.path().join("items.jsonl"), text.replace("\"fail\"", "\"say:B\\n\"")).unwrap();
    assert_eq!(home.run(1, 0).failed, 1);
    let again = Home { plan: Plan { retry_failed: true, ..home.plan }, ..home };
    assert_eq!(again.run(1, 1).failed, 0);
    assert_eq!(again.rows().len(), 3);
    assert_eq!(fs_err::read_to_string(again.out().join(ROWS)).unwrap().lines().count(), 4);
}

#[test]
fn a_run_that_was_killed_ends_like_one_that_was_not() {
    let whole = home(TOML, &choices(12));
    let expected = whole.run(3, 99);
    let torn = home(TOML, &choices(12));
    // A model that dies after two answers fails the rest of its rows, as a kill leaves them unasked: take those out.
    for _ in 0..2 {
        torn.run(1, 2);
        let path = torn.out().join(ROWS);
        let text = fs_err::read_to_string(&path).unwrap();
        let kept: String =
            text.lines().filter(|line| !line.contains("\"error\"")).map(|line| format!("{line}\n")).collect();
        fs_err::write(&path, kept + "{\"benchmark\":\"small\",\"id\":\"1").unwrap();
        fs_err::remove_file(torn.out().join(RESULTS)).unwrap();
    }
    assert_eq!(torn.rows().len(), 4);
    let resumed = torn.run(2, 99);
    let figures = |results: &Results| serde_json::to_string(results).unwrap();
    assert_eq!(figures(&resumed), figures(&expected));
    let written = |home: &Home| fs_err::read_to_string(home.out().join(RESULTS)).unwrap();
    assert_eq!(written(&torn), written(&whole));
    assert_eq!(mean_of(&expected), 8.0 / 12.0);
    assert_eq!(expected.figures[0].baseline.as_ref().unwrap().always["B"], 1.0);
    assert_eq!(expected.figures[0].mean.unwrap().clusters, 6);
    assert_eq!(whole.run(1, 0).failed, 0, "a complete run asks nothing");
}

#[test]
fn folders_that_do_not_fit_are_refused() {
    let home = home(TOML, &choices(2));
    home.run(1, 9);
    let open = |manifest: &Manifest| Run::open(&home.out(), &home.plan, manifest, &Bench, None).map(drop);
    let same = Manifest { program: "test".to_owned(), ..Manifest::default() };
    let with = |key: &str, value: &str| Manifest {
        options: BTreeMap::from([(key.to_owned(), value.to_owned())]),
        ..same.clone()
    };
    open(&with("limit", "3")).unwrap();
    let refused = open(&with("seed", "3")).unwrap_err().to_string();
    assert!(refused.contains("seed was nothing, is 3") && refused.contains("hint: "), "{refused}");
    let path = home.out().join(ROWS);
    let rows = fs_err::read_to_string(&path).unwrap();
    for (bad, part) in [("what\n", "rows.jsonl:1"), ("{\"id\":1}\n", "expected a string")] {
        fs_err::write(&path, format!("{bad}{rows}")).unwrap();
        let refused = open(&with("limit", "3")).unwrap_err().to_string();
        assert!(refused.contains(part), "{refused}");
    }
    fs_err::remove_file(home.out().join(MANIFEST)).unwrap();
    assert!(open(&same).unwrap_err().to_string().contains("without a manifest"));
    assert!(read(Path::new("no such folder")).unwrap_err().to_string().contains("hint: "));
}

#[test]
fn a_metric_that_cannot_score_its_type_is_refused() {
    let check = |more: &str, fits: bool| {
        let home = home(&format!("{TOML}\n{more}"), &choices(1));
        let opened = Run::open(&home.out(), &home.plan, &Manifest::default(), &Bench, None);
        assert_eq!(opened.is_ok(), fits, "{more}");
    };
    check("[metric]\nbox = \"iou\"", true);
    check("[metric]\nbox = \"temporal-iou\"", false);
    check("[metric]\ninterval = \"accuracy\"", false);
    check("[metric]\nfree-form = \"mra\"", false);
    check("[metric]\nmultiple-choice = \"exact-match\"", true);
}

#[test]
fn controls_show_what_they_say() {
    let mut rows = choices(2);
    rows[1]["medium"] = json!("image");
    let mut home = home(TOML, &rows);
    home.plan.frames.push(Frames { name: "16".to_owned(), sampling: Sampling::Uniform(16) });
    (home.plan.blind, home.plan.shuffled) = (true, true);
    let manifest = Manifest { program: "test".to_owned(), ..Manifest::default() };
    let mut run = Run::open(&home.out(), &home.plan, &manifest, &Bench, None).unwrap();
    assert_eq!(run.progress().total, 8);
    let mut seen = Vec::new();
    while let Some(ask) = run.next_ask().unwrap() {
        // All that is left of the item at once.
        let videos = run.videos(&ask).len();
        assert_eq!(videos, if seen.len() < 4 { 4 - seen.len() } else { 0 });
        seen.push(ask.conversation.parts().find_map(|part| match part {
            Part::Video(video) => Some(format!("{:?}", video.sampling)),
            Part::Image(_) => Some("image".to_owned()),
            Part::Text(_) => None,
        }));
    }
    let expected = [
        Some("Uniform(8)"),
        Some("Shuffled(Uniform(8))"),
        Some("Uniform(16)"),
        Some("Shuffled(Uniform(16))"),
        None,
        Some("image"),
        Some("image"),
        None,
    ];
    assert_eq!(seen.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
    drop(run);
    let results = home.run(1, 99);
    let settings: Vec<_> =
        results.figures.iter().filter(|f| f.by.is_none()).map(|f| (f.shown, f.frames.as_str())).collect();
    let expected = [
        (Shown::Media, "8"),
        (Shown::Media, "16"),
        (Shown::Blind, "none"),
        (Shown::Shuffled, "8"),
        (Shown::Shuffled, "16"),
    ];
    assert_eq!(settings, expected);
    assert!(results.to_markdown().contains("| 16 frames, shuffled | 1 |"), "{}", results.to_markdown());
}

#[test]
fn every_place_of_the_right_option_is_asked_and_only_all_count() {
    let mut home = home(TOML, &choices(2)[..1]);
    home.plan.circular = true;
    let results = home.run(1, 9);
    // The model says B whatever stands there.
    assert_eq!((results.figures[0].rows, mean_of(&results)), (3, 1.0 / 3.0));
    assert_eq!(results.figures[0].together.unwrap().mean, 0.0);
    let golds: BTreeSet<String> = home.rows().into_iter().map(|row| row.gold).collect();
    assert_eq!(golds.into_iter().collect::<String>(), "ABC");
}

#[test]
fn a_folder_of_pictures_is_shown_as_a_video() {
    let mut rows = choices(1);
    (rows[0]["medium"], rows[0]["clip"]) = (json!("frames"), json!("pictures"));
    let mut home = home(TOML, &rows);
    home.plan.shuffled = true;
    let empty = home.run(1, 0);
    assert_eq!(empty.failed, 2, "no folder");
    fs_err::create_dir(home.dir.path().join("pictures")).unwrap();
    for number in 0..15 {
        fs_err::write(home.dir.path().join(format!("pictures/{number:03}.jpg")), "").unwrap();
    }
    home.plan.retry_failed = true;
    let manifest = Manifest { program: "test".to_owned(), ..Manifest::default() };
    let mut run = Run::open(&home.out(), &home.plan, &manifest, &Bench, None).unwrap();
    let mut shown = || {
        let ask = run.next_ask().unwrap().unwrap();
        let Some(Part::Video(video)) = ask.conversation.parts().next().cloned() else { panic!("a video") };
        let VideoSource::Images(pictures) = video.source else { panic!("pictures") };
        pictures
            .iter()
            .map(|path| path.rsplit('/').next().unwrap()[..3].parse().unwrap())
            .collect::<Vec<u32>>()
    };
    assert_eq!(shown(), [0, 2, 4, 6, 8, 10, 12, 14]);
    assert_eq!(shown(), [4, 10, 2, 8, 14, 0, 6, 12]);
}

#[test]
fn a_judge_scores_or_says_why_not() {
    let judge = r#"
[metric]
free-form = "judge"
[judge]
system = "s"
before = "{item.question}"
after = ""
scores = ["a", "b"]
most = 5.0
"#;
    let rows = [item(0, "free-form", &json!("x"), "y"), item(1, "free-form", &json!("x"), "unreachable")];
    let home = home(&format!("{}\n{judge}", TOML.split("[also]").next().unwrap()), &rows);
    let results = home.run(1, 9);
    assert_eq!((results.unjudged, results.figures[0].unjudged, mean_of(&results)), (1, 1, 0.6));
    let rows = home.rows();
    assert_eq!(rows[1].reply.as_ref().unwrap().unjudged.as_deref(), Some("no answer"));
}

#[test]
fn further_metrics_are_figures_of_their_own() {
    let rows = [
        item(0, "free-form", &json!("a red cup"), "A red cup."),
        item(1, "free-form", &json!("a key"), "a red key"),
    ];
    let results = home(TOML, &rows).run(1, 9);
    let means: Vec<_> = results.figures.iter().map(|f| (f.by, f.mean.unwrap().mean)).collect();
    assert_eq!(means[1], (Some(Metric::ExactMatch), 0.5));
    assert!(means[0].0.is_none() && means[0].1 > 0.5 && means[0].1 < 1.0, "{means:?}");
}

#[test]
fn a_comparison_names_what_was_changed() {
    let home = home(TOML, &choices(12));
    home.run(1, 99);
    let first = read(&home.out()).unwrap();
    let check = |change: &dyn Fn(&mut Recorded), expected: &[Cause]| {
        let mut second = first.clone();
        change(&mut second);
        let comparison = compare(&first, &second);
        let causes: Vec<Cause> = comparison.causes().into_iter().collect();
        assert_eq!(causes, expected, "{:?}", comparison.changes);
        comparison
    };
    let option = |key: &'static str| {
        move |run: &mut Recorded| drop(run.manifest.options.insert(key.to_owned(), "x".to_owned()))
    };
    let reply = |change: fn(&mut Reply)| {
        move |run: &mut Recorded| run.rows.iter_mut().for_each(|row| change(row.reply.as_mut().unwrap()))
    };
    check(&|_| (), &[]);
    check(&|run| run.manifest.weights = "w".to_owned(), &[Cause::Weights]);
    check(&|run| run.manifest.model = "elsewhere".to_owned(), &[]);
    check(&|run| run.manifest.decoder = "d".to_owned(), &[Cause::Decoder]);
    check(&option("temperature"), &[Cause::Sampling]);
    check(&option("max_pixels"), &[Cause::Frames]);
    check(&option("frames 8"), &[]);
    check(&option("limit"), &[]);
    check(&option("judge"), &[Cause::Judge]);
    check(&option("text_after"), &[Cause::Positions]);
    check(&option("benchmark other"), &[]);
    check(&option("circular"), &[Cause::Items]);
    check(&reply(|reply| reply.prompt.push(' ')), &[Cause::Prompt]);
    check(&reply(|reply| reply.media[0].frames[0].hash = Digest([9; 32])), &[Cause::Frames]);
    check(&reply(|reply| reply.media[0].location.push('x')), &[]);
    let renamed = |run: &mut Recorded| run.rows.iter_mut().for_each(|row| row.frames = "4".to_owned());
    let comparison = check(&renamed, &[Cause::Frames]);
    assert_eq!(comparison.matches[0].frames, ["8", "4"], "one setting each is compared whatever its name");
    let worse = |run: &mut Recorded| {
        run.rows.retain(|row| row.id != "0");
        run.rows[1].reply.as_mut().unwrap().score = Some(0.0);
    };
    let comparison = check(&worse, &[]);
    let matched = &comparison.matches[0];
    assert_eq!((matched.alone, matched.flips.len(), matched.difference.unwrap().items), ([1, 0], 1, 11));
    assert_eq!(
        (matched.flips[0].id.as_str(), matched.flips[0].before, matched.flips[0].after),
        ("2", 1.0, 0.0)
    );
}

proptest! {
    /// Whatever a model says, of whatever is asked, is worth 0 to 1.
    #[test]
    fn any_text_has_a_score(text in "(\\PC{0,30}|[0-9.,:()\\[\\]%e+-]{0,20}|[A-D(). ]{0,8}|\\{'a': [0-9e]{1,4}, 'b': 1\\})") {
        thread_local!(static ITEMS: (Benchmark, Vec<Item>) = {
            let golds = [
                ("multiple-choice", json!("B")), ("numerical", json!("2.50")), ("regression", json!(0)),
                ("ocr", json!("exit")), ("free-form", json!("a cup")), ("interval", json!([2, 4])),
                ("box", json!([0.0, 0.0, 0.5, 0.5])),
            ];
            let rows: Vec<Value> =
                golds.iter().enumerate().map(|(id, (kind, gold))| item(id, kind, gold, "")).collect();
            let home = home(TOML, &rows);
            let benchmark = home.plan.benchmarks[0].0.clone();
            let items = benchmark.items(home.dir.path(), None).collect::<std::result::Result<Vec<_>, _>>().unwrap();
            (benchmark, items)
        });
        ITEMS.with(|(benchmark, items)| {
            prop_assert_eq!(items.len(), 7);
            let pixels = Coordinates::Pixels { height: 10.0, width: 20.0 };
            for item in items {
                let mark = super::mark::mark(benchmark, item, &text, Some(View { said: pixels, gold: Coordinates::Unit }), &Bench);
                for score in mark.score.iter().chain(mark.also.values()) {
                    prop_assert!((0.0..=1.0).contains(score), "{:?} {}", item.kind, score);
                }
            }
            Ok(())
        })?;
    }
}
