//! Questions about one thing in a picture, or about all of them: colour, presence, number, place, facing.

use super::balance::wish;
use super::draft::Draft;
use super::question::{Gold, ProblemType};
use super::shot::Sight;
use super::view::View;
use super::words::{self, say};
use crate::colour::Colour;
use crate::math::{PI, atan2, wrap};
use crate::rng::Rng;
use crate::things::{Kind, Thing, ThingId};
use crate::timeline::Place;

/// Colours that a thing of this kind may have.
pub(crate) fn palette(thing: &Thing) -> Vec<Colour> {
    match thing.kind {
        Kind::Fixture(kind) => kind.facts().colours.to_vec(),
        _ => Colour::ALL.to_vec(),
    }
}

/// The noun without a colour: `cup`, `person`.
pub(crate) fn noun(thing: &Thing) -> &str {
    if thing.kind == Kind::Person { "person" } else { &thing.name }
}

/// `count` other colours of a palette, those in view first half of the time.
fn other_colours(view: &View<'_>, rng: &mut Rng, thing: &Thing, count: usize) -> Option<Vec<Colour>> {
    let mut options: Vec<Colour> =
        palette(thing).into_iter().filter(|colour| Some(*colour) != thing.colour).collect();
    rng.shuffle(&mut options);
    let _ = view;
    options.truncate(count);
    (options.len() == count).then_some(options)
}

/// Colour of the only thing of its kind in view.
pub(crate) fn colour(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let only = |s: &Sight<'_>| {
        let same = |seen: &&crate::truth::Seen| {
            view.world.thing(seen.id).is_some_and(|other| noun(other) == noun(s.thing))
        };
        s.thing.colour.is_some() && view.truth.things.iter().filter(same).count() == 1
    };
    let s = view.one(rng, |s| only(s) && palette(s.thing).len() >= 4)?;
    let right = s.thing.colour?;
    let noun = noun(s.thing);
    let (question, kind, word) = if s.is_person() {
        (
            say(rng, &["what colour does the person wear ?", "which colour is the person in ?"], &[]),
            "clothes",
            "wears",
        )
    } else {
        (
            say(
                rng,
                &[
                    "what colour is the {0} ?",
                    "which colour does the {0} have ?",
                    "the {0} is of what colour ?",
                ],
                &[noun],
            ),
            "colour",
            "is",
        )
    };
    let wrong: Vec<String> =
        other_colours(view, rng, s.thing, 3)?.into_iter().map(|colour| colour.name().to_owned()).collect();
    let facts = format!("{noun} {} {} . it {word} {}", s.cell, s.depth_word(), right.name());
    Some(Draft::choice(rng, kind, question, right.name(), &wrong, &facts).things([s.id()]))
}

/// Whether a thing of a kind and colour is in view; when not, one of another colour is.
pub(crate) fn existence(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let s = view.one(rng, |s| s.thing.colour.is_some() && palette(s.thing).len() >= 2)?;
    let others = other_colours(view, rng, s.thing, 1)?;
    let there = rng.chance(0.5);
    let asked = if there { s.thing.colour? } else { others[0] };
    let hidden = |seen: &crate::truth::Seen| {
        view.world.thing(seen.id).is_some_and(|t| noun(t) == noun(s.thing) && t.colour == Some(asked))
    };
    if !there && view.truth.things.iter().any(hidden) {
        return None;
    }
    let named = words::name(&Thing { colour: Some(asked), ..s.thing.clone() });
    let question = say(
        rng,
        &["is there {0} in the picture ?", "can {0} be seen ?", "does the picture show {0} ?"],
        &[&words::one(&named)],
    );
    let same: Vec<&Sight<'_>> = view.sights.iter().filter(|o| noun(o.thing) == noun(s.thing)).collect();
    let seen: Vec<String> = same.iter().map(|o| o.at_cell()).collect();
    let (right, wrong) = if there { ("yes", "no") } else { ("no", "yes") };
    let end = if there { format!("{named} is there") } else { format!("no {named}") };
    let facts = format!("{} . {end}", seen.join(" . "));
    let draft = Draft::choice(rng, "is it there", question, right, &[wrong], &facts);
    Some(draft.things(same.iter().map(|o| o.id())))
}

/// In which part of the picture a thing is.
pub(crate) fn location(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let part = |x: f32| match x {
        x if x < 2.2 => Some("left"),
        x if (3.1..4.9).contains(&x) => Some("middle"),
        x if x > 5.8 => Some("right"),
        _ => None,
    };
    let wished = wish(rng, &[("left", 1.0), ("middle", 0.7), ("right", 1.0)]);
    let s = view.one(rng, |s| part(s.at[0]) == Some(wished))?;
    let question = say(
        rng,
        &["in which part of the picture is the {0} ?", "where in the picture is the {0} ?"],
        &[&s.name],
    );
    let wrong: Vec<String> =
        ["left", "middle", "right"].iter().filter(|p| **p != wished).map(|p| (*p).to_owned()).collect();
    let facts = format!("{} . {} is {wished}", s.at_depth(), words::column(s.at[0]));
    Some(Draft::choice(rng, "part of the picture", question, wished, &wrong, &facts).things([s.id()]))
}

/// Which way a thing with a front faces.
pub(crate) fn orientation(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let faces = |s: &Sight<'_>| {
        let [dx, dy] = [view.truth.camera.at.x - s.seen.at.x, view.truth.camera.at.y - s.seen.at.y];
        let off = wrap(s.seen.yaw - atan2(dy, dx)) * 180.0 / PI;
        // Off to the left seen from the thing is to the right of the picture.
        match off {
            o if o.abs() < 30.0 => Some("toward me"),
            o if o.abs() > 150.0 => Some("away from me"),
            o if (60.0..120.0).contains(&o) => Some("to the right"),
            o if (-120.0..-60.0).contains(&o) => Some("to the left"),
            _ => None,
        }
    };
    let fixture = rng.chance(0.5);
    let options: &[(&str, f32)] = if fixture {
        &[("toward me", 0.12), ("to the left", 1.0), ("to the right", 1.0)]
    } else {
        &[("toward me", 0.12), ("to the left", 0.8), ("to the right", 0.8), ("away from me", 1.0)]
    };
    let wished = wish(rng, options);
    let s = view.one(rng, |s| {
        let kind = matches!(s.thing.kind, Kind::Fixture(_)) == fixture;
        kind && s.thing.kind.has_front()
            && s.seen.pixels >= 4 * view.shot.least(s.thing.kind) / 2
            && faces(s) == Some(wished)
    })?;
    let question =
        say(rng, &["which way does the {0} face ?", "where does the front of the {0} point ?"], &[&s.name]);
    let wrong: Vec<String> =
        options.iter().filter(|(o, _)| *o != wished).map(|(o, _)| (*o).to_owned()).collect();
    let facts = format!("{} . its front is turned {wished}", s.at_depth());
    Some(Draft::choice(rng, "facing", question, wished, &wrong, &facts).things([s.id()]))
}

/// Another kind and another colour, crossed with those of a thing: three names that are as likely as its own.
pub(crate) fn crossed(view_world: &crate::World, rng: &mut Rng, thing: &Thing) -> Option<Vec<String>> {
    let mine = thing.colour?;
    let other = (0..20).map(|_| rng.pick(view_world.objects())).find(|o| noun(o) != noun(thing))?;
    let colour = (0..20).map(|_| *rng.pick(&Colour::ALL)).find(|colour| *colour != mine)?;
    let named = |t: &Thing, colour: Colour| words::name(&Thing { colour: Some(colour), ..t.clone() });
    Some(vec![named(thing, colour), named(other, mine), named(other, colour)])
}

/// How many things of a colour, people, or things on a piece of furniture.
pub(crate) fn count(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let wished = wish(rng, &[(1usize, 0.1), (2, 0.3), (3, 1.1), (4, 3.5)]);
    let small = |seen: &crate::truth::Seen, thing: &Thing| {
        seen.pixels > 12 && !view.shot.clear(thing.kind, seen, view.truth)
    };
    let group = |of: &dyn Fn(&Thing, &crate::truth::Seen) -> bool| {
        let all = || view.truth.things.iter().filter_map(|seen| view.world.thing(seen.id).map(|t| (t, seen)));
        let unclear = all().any(|(thing, seen)| of(thing, seen) && small(seen, thing));
        let members: Vec<ThingId> = all()
            .filter(|(t, seen)| of(t, seen) && view.shot.clear(t.kind, seen, view.truth))
            .map(|(t, _)| t.id)
            .collect();
        (!unclear && members.len() == wished && members.iter().all(|id| view.find(*id).is_some()))
            .then_some(members)
    };
    let object = |thing: &Thing| matches!(thing.kind, Kind::Object(_));
    let (question, members) = if rng.chance(0.5) {
        let mut colours = Colour::ALL;
        rng.shuffle(&mut colours);
        let found = colours.iter().find_map(|colour| {
            group(&|t: &Thing, _: &_| object(t) && t.colour == Some(*colour))
                .map(|members| (*colour, members))
        });
        let (colour, members) = found?;
        (
            say(
                rng,
                &["how many small {0} things are in the picture ?", "how many small things are {0} ?"],
                &[colour.name()],
            ),
            members,
        )
    } else {
        // On a chair there is never more than one thing.
        let slots = &view.world.home.slots;
        let carries = |id: ThingId| slots.iter().filter(|slot| slot.support == Some(id)).count();
        let support = |seen: &crate::truth::Seen| match seen.place {
            Some(Place::Resting(slot)) => view.world.home.slots[slot].support,
            _ => None,
        };
        let mut supports: Vec<&Sight<'_>> = view.sights.iter().filter(|s| carries(s.id()) >= 4).collect();
        rng.shuffle(&mut supports);
        let found = supports.iter().find_map(|s| {
            group(&|t: &Thing, seen: &_| object(t) && support(seen) == Some(s.id())).map(|m| (*s, m))
        });
        let (s, members) = found?;
        (
            say(
                rng,
                &["how many things are on the {0} ?", "how many things does the {0} carry ?"],
                &[&s.name],
            ),
            members,
        )
    };
    let list: Vec<String> = members
        .iter()
        .enumerate()
        .filter_map(|(i, id)| view.find(*id).map(|s| format!("{} {}", i + 1, s.at_cell())))
        .collect();
    let facts = list.join(" . ");
    let wrong: Vec<String> = (1..=4).filter(|n| *n != wished).map(|n| n.to_string()).collect();
    let draft = if rng.chance(0.7) {
        Draft::choice(rng, "how many", question, &wished.to_string(), &wrong, &facts)
    } else {
        Draft::open("how many", ProblemType::Numerical, question, Gold::Number(wished as f64), 0.25, &facts)
    };
    Some(draft.things(members))
}
