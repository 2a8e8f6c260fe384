//! Answers found again from the truth of fresh frames, by other ways than the makers take.

use std::collections::BTreeMap;

use super::tests::made;
use super::*;
use crate::math::wrap;
use crate::things::Kind;
use crate::{ClipOptions, FrameTruth, Seen};

/// The truths of a question's frames.
fn truths(world: &World, q: &Question) -> Vec<FrameTruth> {
    let (day, start, seconds) = match q.medium {
        Medium::Frame { day, time_s } => (day, time_s, 0.25),
        Medium::Clip { day, start_s, seconds } => (day, start_s, seconds),
        Medium::Days { .. } => return Vec::new(),
    };
    let options = ClipOptions { rate: SAMPLE_RATE, ..ClipOptions::default() };
    world.clip(day, start, seconds, &options).unwrap().map(|(_, truth)| truth).collect()
}

/// The things in a frame that a text names, of those that the question could mean. "brown desk lamp" names no desk.
fn named<'a>(world: &World, truth: &'a FrameTruth, text: &str) -> Vec<&'a Seen> {
    let name = |thing: &crate::Thing| match (thing.kind, thing.colour) {
        (Kind::Person, Some(colour)) => format!("person in {}", colour.name()),
        (_, Some(colour)) => format!("{} {}", colour.name(), thing.name),
        _ => thing.name.clone(),
    };
    let said = |name: &String| format!(" {text} ").contains(&format!(" {name} "));
    let all: Vec<String> = world.card().things.iter().map(name).filter(said).collect();
    let meant = |seen: &&Seen| {
        let name = name(world.thing(seen.id).unwrap());
        all.contains(&name) && !all.iter().any(|longer| *longer != name && longer.starts_with(&name))
    };
    truth.things.iter().filter(meant).collect()
}

fn middle(bounds: [u32; 4]) -> [f32; 2] {
    [(bounds[0] + bounds[2]) as f32 / 2.0, (bounds[1] + bounds[3]) as f32 / 2.0]
}

/// The answer as the frames say it; `None` for kinds that are not checked here.
fn again(world: &World, q: &Question, frames: &[FrameTruth]) -> Option<String> {
    let first = frames.first()?;
    // Things in the order in which the question names them.
    let mut things: Vec<&Seen> = named(world, first, &q.question);
    let place = |seen: &&Seen| {
        let thing = world.thing(seen.id).unwrap();
        let word = thing.colour.map_or(thing.name.clone(), |c| match thing.kind {
            Kind::Person => format!("person in {}", c.name()),
            _ => format!("{} {}", c.name(), thing.name),
        });
        format!(" {} ", q.question).find(&format!(" {word} "))
    };
    things.sort_by_key(place);
    let option = |seen: &Seen| {
        q.options.iter().find(|option| named(world, first, option).iter().any(|o| o.id == seen.id))
    };
    let turn: f32 = frames.windows(2).map(|pair| wrap(pair[1].camera.yaw - pair[0].camera.yaw)).sum();
    match (q.kind.as_str(), &things[..]) {
        ("left or right", [a, b]) => {
            // "on which side of the b is the a" names b first.
            let swapped = q.question.starts_with("on which side") || q.question.contains("which side of the");
            let (a, b) = if swapped { (b, a) } else { (a, b) };
            Some(if middle(a.bounds)[0] < middle(b.bounds)[0] { "left" } else { "right" }.to_owned())
        }
        ("higher or lower", [a, b]) => {
            Some(if middle(a.bounds)[1] < middle(b.bounds)[1] { "higher" } else { "lower" }.to_owned())
        }
        ("nearer or farther", [a, b]) => {
            let far = q.question.contains("farther");
            option(if (a.depth < b.depth) != far { a } else { b }).cloned()
        }
        ("larger or smaller", [a, b]) => {
            let small = q.question.contains("smaller");
            option(if (a.pixels > b.pixels) != small { a } else { b }).cloned()
        }
        ("closer to a third", [_, _, _]) => {
            let third = things.iter().find(|seen| option(seen).is_none())?;
            let rest = things.iter().filter(|seen| seen.id != third.id);
            let near =
                rest.min_by(|a, b| (a.at - third.at).length().total_cmp(&(b.at - third.at).length()))?;
            option(near).cloned()
        }
        ("is it there", _) => Some(if things.is_empty() { "no" } else { "yes" }.to_owned()),
        ("part of the picture", [a]) => {
            let x = middle(a.bounds)[0] / 224.0;
            Some(
                if x < 0.33 {
                    "left"
                } else if x > 0.67 {
                    "right"
                } else {
                    "middle"
                }
                .to_owned(),
            )
        }
        ("letter", [a]) => a.sign.map(String::from),
        ("which hand", [a]) => {
            let hand = first.hands.iter().find(|hand| hand.contact == Some(a.id))?;
            Some(if hand.side == crate::Side::Left { "left" } else { "right" }.to_owned())
        }
        ("what is held", _) => {
            let held = first.hands.iter().find_map(|hand| hand.contact)?;
            let seen = first.things.iter().find(|seen| seen.id == held)?;
            option(seen).cloned()
        }
        ("holding anything", _) => {
            Some(if first.hands.iter().any(|hand| hand.contact.is_some()) { "yes" } else { "no" }.to_owned())
        }
        ("camera", _) => {
            let [a, b] = [first.feet, frames.last()?.feet];
            let gone = (a[0] - b[0]).hypot(a[1] - b[1]);
            Some(
                match () {
                    () if turn > 0.55 => "turn left",
                    () if turn < -0.55 => "turn right",
                    () if gone > 0.8 => "walk ahead",
                    () => "stand still",
                }
                .to_owned(),
            )
        }
        ("degrees", _) => Some(format!("{:.0}", (turn.abs().to_degrees() / 10.0).round() * 10.0)),
        ("comes into view" | "leaves view", _) => {
            let time = |option: &String| {
                let shows =
                    |truth: &FrameTruth| named(world, truth, option).iter().any(|seen| seen.pixels >= 120);
                let first = frames.iter().position(shows)?;
                let last = frames.iter().rposition(shows)?;
                Some(if q.kind == "leaves view" { last } else { first })
            };
            q.options.iter().min_by_key(|option| time(option)).cloned()
        }
        ("people", _) => {
            let shown = world.people().iter().filter(|person| {
                frames.iter().flat_map(|truth| &truth.things).any(|s| s.id == person.id && s.pixels >= 240)
            });
            Some(shown.count().to_string())
        }
        ("state", _) => {
            let text = &q.question;
            let seen = frames.iter().find_map(|truth| named(world, truth, text).first().copied())?;
            let (before, after) = (frames.first()?, frames.last()?);
            let is_on = |truth: &FrameTruth| world.is_on(seen.id, truth.day, truth.time_s);
            let held = |truth: &FrameTruth| truth.hands.iter().any(|hand| hand.contact == Some(seen.id));
            let opens = world.thing(seen.id)?.kind.states().is_some_and(|[first, _]| first == "closed");
            Some(
                match (is_on(before), is_on(after), opens) {
                    (false, true, true) => "opened",
                    (true, false, true) => "closed",
                    (false, true, false) => "turned on",
                    (true, false, false) => "turned off",
                    _ if held(after) => "taken up",
                    _ => "put down",
                }
                .to_owned(),
            )
        }
        ("room" | "room in words", _) => {
            let truth = if q.question.contains("start") { first } else { frames.last()? };
            Some(world.home.rooms[usize::from(truth.room)].kind.name().to_owned())
        }
        _ => None,
    }
}

#[test]
fn answers_are_found_again_in_fresh_frames() {
    let mut checked = BTreeMap::<&str, usize>::new();
    for (seed, questions) in made().iter().step_by(3) {
        let world = World::lived(*seed, 3).unwrap();
        for q in questions {
            let frames = truths(&world, q);
            let Some(found) = again(&world, q, &frames) else { continue };
            let told = match &q.answer {
                Gold::Option(i) => q.options[*i].clone(),
                _ => q.answer_text(),
            };
            assert_eq!(found, told, "{q:#?}");
            *checked.entry(q.kind.as_str()).or_default() += 1;
        }
    }
    println!("{checked:?}");
    assert!(checked.len() >= 14 && checked.values().sum::<usize>() > 400, "{checked:?}");
}

#[test]
fn questions_over_days_rest_on_the_past() {
    let mut found = 0;
    for (seed, questions) in made() {
        let world = World::lived(*seed, 3).unwrap();
        for q in questions {
            let Medium::Days { query, target } = q.medium else { continue };
            assert!((target.day, target.time_s) < (query.day, query.time_s), "{q:#?}");
            if q.kind != "place of a thing" && q.kind != "room of a thing" {
                continue;
            }
            // The same from where the thing is: it has not been moved since.
            let object = world
                .objects()
                .iter()
                .find(|object| format!("{} ", q.question).contains(&format!(" {} ", &object.phrase()[4..])))
                .unwrap();
            // At this very moment it may be on its way to another place.
            let Some(crate::Place::Resting(slot)) = world.place(object.id, query.day, query.time_s) else {
                continue;
            };
            let slot = &world.home.slots[slot];
            let there = match q.kind.as_str() {
                "room of a thing" => world.home.rooms[usize::from(slot.room)].kind.name().to_owned(),
                _ => world.thing(slot.support.unwrap()).unwrap().phrase()[4..].to_owned(),
            };
            assert!(q.think.ends_with(&there), "{there}: {q:#?}");
            found += 1;
        }
    }
    assert!(found > 20, "{found}");
}
