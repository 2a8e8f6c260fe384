//! Counting in a picture: small things of a colour, and things on a piece of furniture.

use super::balance::wish;
use super::draft::Draft;
use super::question::{Gold, ProblemType};
use super::shot::Sight;
use super::view::View;
use super::words::say;
use crate::colour::Colour;
use crate::rng::Rng;
use crate::things::{FixtureKind as F, Kind, Thing, ThingId};
use crate::timeline::Place;
use crate::truth::Seen;

/// How many.
pub(crate) fn count(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    if rng.chance(0.5) { of_a_colour(view, rng) } else { on_furniture(view, rng) }
}

/// The objects of a picture that belong to a group; `None` unless there are so many, all of them clear.
fn group(view: &View<'_>, wished: usize, belongs: impl Fn(&Thing, &Seen) -> bool) -> Option<Vec<ThingId>> {
    let members: Vec<(&Thing, &Seen)> = view
        .truth
        .things
        .iter()
        .filter_map(|seen| view.world.thing(seen.id).map(|thing| (thing, seen)))
        .filter(|(thing, seen)| {
            seen.pixels > 12 && matches!(thing.kind, Kind::Object(_)) && belongs(thing, seen)
        })
        .collect();
    let clear = members.iter().all(|(thing, _)| view.find(thing.id).is_some());
    (clear && members.len() == wished).then(|| members.iter().map(|(thing, _)| thing.id).collect())
}

fn of_a_colour(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let wished = wish(rng, &[(0usize, 0.057), (1, 0.077), (2, 1.0)]);
    let mut colours = Colour::ALL;
    rng.shuffle(&mut colours);
    let (colour, members) = colours
        .iter()
        .find_map(|colour| group(view, wished, |t, _| t.colour == Some(*colour)).map(|m| (*colour, m)))?;
    let question = say(
        rng,
        &["how many small {0} things are in the picture ?", "how many small things are {0} ?"],
        &[colour.name()],
    );
    Some(counted(view, rng, "how many of a colour", question, members, 0..=2))
}

fn on_furniture(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let wished = wish(rng, &[(1usize, 0.5), (2, 0.8), (3, 0.9), (4, 1.5)]);
    let slots = &view.world.home.slots;
    // On a chair there is never more than one thing, and shelves show books that are no things.
    let roomy = |s: &&Sight<'_>| {
        let shelf = matches!(s.thing.kind, Kind::Fixture(F::Bookshelf | F::ToyShelf));
        !shelf && slots.iter().filter(|slot| slot.support == Some(s.id())).count() >= 4
    };
    let mut supports: Vec<&Sight<'_>> = view.sights.iter().filter(roomy).collect();
    rng.shuffle(&mut supports);
    let on = |seen: &Seen, id: ThingId| match seen.place {
        Some(Place::Resting(slot)) => slots[slot].support == Some(id),
        _ => false,
    };
    let (s, members) =
        supports.iter().find_map(|s| group(view, wished, |_, seen| on(seen, s.id())).map(|m| (*s, m)))?;
    let question = say(
        rng,
        &["how many things are seen on the {0} ?", "how many things can be seen on the {0} ?"],
        &[&s.name],
    );
    Some(counted(view, rng, "how many on it", question, members, 1..=4))
}

/// A choice among the numbers of a range, or now and then the number itself; the reasons list what they count.
fn counted(
    view: &View<'_>,
    rng: &mut Rng,
    kind: &'static str,
    question: String,
    members: Vec<ThingId>,
    range: std::ops::RangeInclusive<usize>,
) -> Draft {
    // From left to right, so that the next one is beside the last.
    let mut sights: Vec<&Sight<'_>> = members.iter().filter_map(|id| view.find(*id)).collect();
    sights.sort_by(|a, b| a.at[0].total_cmp(&b.at[0]));
    let list: Vec<String> =
        sights.iter().enumerate().map(|(i, s)| format!("{} {}", i + 1, s.at_cell())).collect();
    let facts = if list.is_empty() { "none is seen".to_owned() } else { list.join(" . ") };
    let right = members.len();
    let draft = if rng.chance(0.7) {
        let wrong: Vec<String> = range.filter(|n| *n != right).map(|n| n.to_string()).collect();
        Draft::choice(rng, kind, question, &right.to_string(), &wrong, &facts)
    } else {
        let chance = 1.0 / range.count() as f64;
        Draft::open(kind, ProblemType::Numerical, question, Gold::Number(right as f64), chance, &facts)
    };
    draft.things(members)
}
