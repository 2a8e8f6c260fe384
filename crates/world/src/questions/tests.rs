//! Laws of questions over many worlds: every answer is found again from the truth by another way, reasons end in it,
//! letters and answers are even, words are few, and nothing is given away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::blind::blind;
use super::*;

fn questions(seeds: impl Iterator<Item = u64>, plan: &Plan) -> Vec<Question> {
    sample(seeds, plan.clone()).flat_map(|batch| batch.unwrap().questions).collect()
}

/// Questions of some train and some held-out worlds, made once.
pub(super) fn made() -> &'static [(u64, Vec<Question>)] {
    static MADE: LazyLock<Vec<(u64, Vec<Question>)>> = LazyLock::new(|| {
        let plan = Plan { frames: 24, clips: 24, days: 24, lived: 3, questions: 6, ..Plan::default() };
        std::thread::scope(|scope| {
            let seeds = (0..8).map(for_training).chain((0..4).map(held_out));
            let runs: Vec<_> = seeds
                .map(|seed| {
                    let plan = &plan;
                    (seed, scope.spawn(move || questions(seed..=seed, plan)))
                })
                .collect();
            runs.into_iter().map(|(seed, run)| (seed, run.join().unwrap())).collect()
        })
    });
    &MADE
}

fn all() -> impl Iterator<Item = &'static Question> {
    made().iter().flat_map(|(_, questions)| questions)
}

#[test]
fn every_family_is_asked_and_every_question_is_whole() {
    let mut counts = BTreeMap::<Family, usize>::new();
    let mut types = BTreeSet::new();
    for q in all() {
        *counts.entry(q.family).or_default() += 1;
        types.insert(q.problem_type);
        let distinct: BTreeSet<&String> = q.options.iter().collect();
        assert_eq!(distinct.len(), q.options.len(), "{q:#?}");
        let said = match &q.answer {
            Gold::Option(i) => q.options[*i].clone(),
            Gold::Span([start, end]) => format!("{start:.2} to {end:.2}"),
            Gold::Box(sides) => sides.map(|side| side.to_string()).join(" "),
            _ => q.answer_text(),
        };
        assert!(q.think.ends_with(&format!(" . so {said}")), "{q:#?}");
        let mut parts = vec![q.question.as_str(), q.think.as_str()];
        parts.extend(q.options.iter().map(String::as_str));
        let text = parts.join(" ");
        assert!(!text.contains("  ") && !text.contains('{'), "{q:#?}");
        assert!(q.family == Family::Text || text.to_lowercase() == text, "{q:#?}");
        assert!((2..=60).contains(&q.think.split_whitespace().count()), "{q:#?}");
        assert_eq!(q.scene.is_some(), q.family.scope() == Scope::Frame);
        assert!(q.chance > 0.0 && q.chance <= 0.55, "{q:#?}");
    }
    let missing: Vec<_> = Family::ALL.iter().filter(|family| !counts.contains_key(family)).collect();
    assert!(missing.is_empty(), "{missing:?} never asked: {counts:?}");
    assert!(types.len() >= 5, "{types:?}");
}

#[test]
fn scene_graphs_are_of_the_published_form() {
    for q in all() {
        let Some(scene) = &q.scene else { continue };
        let ids: BTreeSet<&String> = scene.objects.iter().map(|node| &node.id).collect();
        assert_eq!(ids.len(), scene.objects.len(), "{q:#?}");
        for node in &scene.objects {
            let (name, number) = node.id.split_once('.').unwrap();
            assert!(name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_'), "{}", node.id);
            assert!(number.parse::<u32>().is_ok(), "{}", node.id);
            let [x1, y1, x2, y2] = node.bbox;
            assert!(x1 < x2 && y1 < y2 && x2 <= 224 && y2 <= 168, "{node:?}");
        }
        for link in &scene.relationships {
            assert!(ids.contains(&link.subject) && ids.contains(&link.object), "{q:#?}");
        }
    }
}

#[test]
fn words_are_few() {
    let mut words = BTreeSet::new();
    for q in all() {
        let graph = q.scene.as_ref().map(|scene| {
            let ids = scene.objects.iter().map(|node| node.id.as_str());
            ids.chain(scene.relationships.iter().map(|link| link.predicate.as_str()))
                .collect::<Vec<_>>()
                .join(" ")
        });
        let parts = [Some(&q.question), Some(&q.think), q.observe.as_ref(), graph.as_ref()];
        let options = q.options.join(" ");
        for text in parts.into_iter().flatten().chain([&options]) {
            let split = text.split(|c: char| !c.is_ascii_alphanumeric());
            words.extend(
                split.filter(|w| !w.is_empty() && !w.bytes().all(|b| b.is_ascii_digit())).map(str::to_owned),
            );
        }
    }
    println!("{} words: {}", words.len(), words.iter().cloned().collect::<Vec<_>>().join(" "));
    assert!(words.len() <= 500, "{}", words.len());
}

/// Share of each key among the counted.
fn shares<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, usize> {
    keys.fold(BTreeMap::new(), |mut counts, key| {
        *counts.entry(key).or_default() += 1;
        counts
    })
}

#[test]
fn letters_are_even() {
    let mut unlikely = 0.0;
    for options in 2..=5 {
        let counts = shares(all().filter(|q| q.options.len() == options).filter_map(Question::letter));
        let n: usize = counts.values().sum();
        for (letter, count) in counts {
            let p = 1.0 / options as f64;
            let off = (count as f64 - n as f64 * p) / (n as f64 * p * (1.0 - p)).sqrt();
            println!("{options} options {letter}: {count} of {n}");
            unlikely = f64::max(unlikely, off.abs());
        }
    }
    assert!(unlikely < 4.0, "a letter is {unlikely:.1} standard deviations from even");
}

#[test]
fn answers_cannot_be_guessed() {
    let of = |family: Family, kept: bool| -> Vec<&Question> {
        let side = made().iter().filter(|(seed, _)| is_held_out(*seed) == kept);
        side.flat_map(|(_, questions)| questions).filter(|q| q.family == family).collect()
    };
    for &family in Family::ALL {
        let result = blind(&of(family, false), &of(family, true));
        // Three standard deviations beside the five points that the large run of `blind_table` is held to.
        let slack = 0.05 + 3.0 * (0.25 / result.items.max(1) as f64).sqrt();
        println!(
            "{:20} {:4} blind {:.3} chance {:.3}",
            family.name(),
            result.items,
            result.right,
            result.chance
        );
        assert!(result.right < result.chance + slack, "{}: {:.3}", family.name(), result.right);
    }
}

#[test]
fn train_and_held_out_worlds_share_no_seed_and_no_question() {
    assert!((0..1000).all(|n| is_held_out(held_out(n)) && !is_held_out(for_training(n))));
    let ids: BTreeSet<&String> = all().map(|q| &q.id).collect();
    let mut seeds = BTreeSet::new();
    for (seed, questions) in made() {
        assert!(seeds.insert(*seed));
        assert!(questions.iter().all(|q| q.id.starts_with(&format!("{seed}-"))));
    }
    assert!(ids.len() * 10 > all().count() * 9, "{} ids of {} questions", ids.len(), all().count());
}
