//! Laws of questions over many worlds.

use std::collections::BTreeMap;

use super::*;
use crate::ClipOptions;

/// Questions of frame families about random moments of spells.
fn frames(seeds: impl Iterator<Item = u64>, shots: usize, each: usize) -> Vec<Question> {
    let mut questions = Vec::new();
    for seed in seeds {
        let world = World::lived(seed, 1).unwrap();
        let mut rng = Rng::new(seed).branch("test");
        for _ in 0..shots {
            let spell = *rng.pick(&world.spells);
            let time_s = rng.span(spell.start_s, spell.end_s);
            let shot = Shot::frame(&world, spell.day, time_s, &ClipOptions::default()).unwrap();
            for family in Family::ALL {
                questions.extend((0..each).filter_map(|_| ask(&world, &shot, *family, &mut rng)));
            }
        }
    }
    questions
}

#[test]
#[ignore = "prints samples"]
fn show() {
    let questions = frames(0..12, 30, 1);
    let mut seen: BTreeMap<(Family, String), usize> = BTreeMap::new();
    for q in &questions {
        let n = seen.entry((q.family, q.kind.clone())).or_default();
        *n += 1;
        if *n <= 2 {
            println!("--- {} {}\n{}\n{}", q.family.name(), q.kind, q.prompt(), q.completion());
        }
    }
    println!("{seen:#?}");
}
