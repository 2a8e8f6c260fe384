//! Measurements that take minutes, run by hand: what questions give away, and the tables that keep it small. `SEEDS`
//! and `SCOPE` (`Frame`, `Clip`, `Days`) in the environment choose how much of what.

use std::collections::BTreeMap;

use super::blind::blind;
use super::*;

fn questions(seeds: impl Iterator<Item = u64>, plan: &Plan) -> Vec<Question> {
    sample(seeds, plan.clone()).flat_map(|batch| batch.unwrap().questions).collect()
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn plan() -> Plan {
    let scope = std::env::var("SCOPE").unwrap_or_default();
    let families: Vec<Family> =
        Family::ALL.iter().copied().filter(|f| format!("{:?}", f.scope()).contains(&scope)).collect();
    let lived = if scope.is_empty() || scope == "Days" { 7 } else { 1 };
    Plan { families, frames: 30, clips: 30, days: 20, lived, questions: 6, ..Plan::default() }
}

#[test]
#[ignore = "prints the blind baseline of every family and kind"]
fn blind_table() {
    let (start, seeds, plan) = (std::time::Instant::now(), setting("SEEDS", 20) as u64, plan());
    let train = questions(0..seeds, &plan);
    let test = questions((0..seeds / 2).map(held_out), &plan);
    println!("{} train, {} test in {:?}", train.len(), test.len(), start.elapsed());
    for &family in Family::ALL {
        let of = |all: &'_ [Question], kind: Option<&str>| -> Vec<Question> {
            let same = |q: &&Question| q.family == family && kind.is_none_or(|kind| q.kind == kind);
            all.iter().filter(same).cloned().collect()
        };
        let mut kinds: Vec<Option<String>> = of(&train, None).iter().map(|q| Some(q.kind.clone())).collect();
        kinds.sort();
        kinds.dedup();
        kinds.insert(0, None);
        for kind in kinds {
            let (a, b) = (of(&train, kind.as_deref()), of(&test, kind.as_deref()));
            let result = blind(&a.iter().collect::<Vec<_>>(), &b.iter().collect::<Vec<_>>());
            let mut answers = BTreeMap::<String, usize>::new();
            for q in a.iter().chain(&b) {
                let answer = q.letter().map_or_else(|| q.answer_text(), |l| format!("{l}"));
                *answers.entry(answer).or_default() += 1;
            }
            let mut texts = BTreeMap::<String, usize>::new();
            for q in a.iter().chain(&b) {
                if let Gold::Option(i) = q.answer {
                    *texts.entry(q.options[i].clone()).or_default() += 1;
                }
            }
            if answers.len() > 8 {
                answers.clear();
            }
            if texts.len() > 8 {
                texts.clear();
            }
            println!(
                "{:20} {:22} {:5}/{:5} blind {:.3} chance {:.3} {:+.3} {answers:?} {texts:?}",
                family.name(),
                kind.unwrap_or_default(),
                a.len(),
                result.items,
                result.right,
                result.chance,
                result.right - result.chance
            );
        }
    }
}

/// Fits the tables of `strengths.rs` and prints them. What is recorded is what would be asked without them.
#[test]
#[ignore = "prints the tables of strengths"]
fn strengths_of_kinds() {
    use super::balance::{self, KINDS, RECORD};
    let families = [Family::Relation, Family::Size, Family::Depth, Family::Distance, Family::Order];
    let plan = Plan { families: families.to_vec(), frames: 60, clips: 20, lived: 1, ..plan() };
    questions(0..setting("SEEDS", 20) as u64, &plan);
    let tables = [
        ("NEARER", &balance::NEARER),
        ("LARGER", &balance::LARGER),
        ("HIGHER", &balance::HIGHER),
        ("CLOSER", &balance::CLOSER),
        ("SOONER", &balance::SOONER),
        ("GONE", &balance::GONE),
    ];
    let record = RECORD.take();
    for (name, table) in tables {
        let pairs: Vec<(usize, usize)> =
            record.iter().filter(|(of, ..)| std::ptr::eq(*of, table)).map(|(_, a, b)| (*a, *b)).collect();
        let mut s = [0.0f64; KINDS];
        for _ in 0..400 {
            let mut slope = s.map(|s| -0.5 * s);
            for &(a, b) in &pairs {
                let surprise = 1.0 / (1.0 + (s[a] - s[b]).exp());
                slope[a] += surprise;
                slope[b] -= surprise;
            }
            let mut weight = [4.0f64; KINDS];
            pairs.iter().for_each(|&(a, b)| (weight[a] += 0.25, weight[b] += 0.25).0);
            (0..KINDS).for_each(|k| s[k] += slope[k] / weight[k]);
        }
        println!("// {} pairs", pairs.len());
        println!("pub(crate) static {name}: Strengths = {:?};", s.map(|s| (s * 10.0).round() as i8));
    }
}
