//! Questions about one thing in a picture: colour, presence, place, facing.

use super::balance::wish;
use super::draft::Draft;
use super::question::{Gold, ProblemType};
use super::shot::Sight;
use super::view::View;
use super::words::{self, say};
use crate::colour::Colour;
use crate::event::Action;
use crate::rng::Rng;
use crate::things::{Kind, Thing};
use crate::world::World;

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

/// `count` other colours of a palette.
fn other_colours(rng: &mut Rng, thing: &Thing, count: usize) -> Option<Vec<Colour>> {
    let mut options: Vec<Colour> =
        palette(thing).into_iter().filter(|colour| Some(*colour) != thing.colour).collect();
    rng.shuffle(&mut options);
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
        other_colours(rng, s.thing, 3)?.into_iter().map(|colour| colour.name().to_owned()).collect();
    let facts = format!("{noun} {} {} . it {word} {}", s.cell, s.depth_word(), right.name());
    Some(Draft::choice(rng, kind, question, right.name(), &wrong, &facts).things([s.id()]))
}

/// Whether a thing of a kind and colour is in view; when not, one of another colour is.
pub(crate) fn existence(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let s = view.one(rng, |s| s.thing.colour.is_some() && palette(s.thing).len() >= 2)?;
    let others = other_colours(rng, s.thing, 1)?;
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
    // The noun first, so that the colour is seen and not repeated from the question.
    let seen: Vec<String> = same
        .iter()
        .filter_map(|o| Some(format!("{} {} {}", noun(o.thing), o.cell, o.thing.colour?.name())))
        .collect();
    let (right, wrong) = if there { ("yes", "no") } else { ("no", "yes") };
    let end = if there { format!("{named} is there") } else { format!("no {named}") };
    let facts = format!("{} . {end}", seen.join(" . "));
    let draft = Draft::choice(rng, "is it there", question, right, &[wrong], &facts);
    Some(draft.things(same.iter().map(|o| o.id())))
}

/// The letter on a picture that hangs on a wall, seen from before it and large enough to be read.
pub(crate) fn text(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let s = view.one(rng, |s| {
        let [x1, y1, x2, y2] = s.seen.bounds;
        let whole = s.seen.pixels as f32 >= 0.8 * ((x2 - x1) * (y2 - y1)) as f32;
        let [width, height] = view.shot.size.map(|side| side as u32);
        let inside = x1 > 0 && y1 > 0 && x2 < width && y2 < height;
        s.seen.sign.is_some() && whole && inside && (y2 - y1) * 168 >= 26 * height && x2 - x1 > y2 - y1
    })?;
    let sign = s.seen.sign?.to_string();
    let question = say(
        rng,
        &["which letter is on the {0} ?", "what does the {0} say ?", "which letter does the {0} show ?"],
        &[&s.name],
    );
    let facts = format!("{} {sign}", s.at_cell());
    let draft = Draft::open("letter", ProblemType::Ocr, question, Gold::Text(sign), 0.1, &facts);
    Some(draft.things([s.id()]))
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
    let faces = |s: &Sight<'_>| match view.truth.facing(s.seen) {
        o if o.abs() < 30.0 => Some("toward me"),
        o if o.abs() > 150.0 => Some("away from me"),
        o if (60.0..120.0).contains(&o) => Some("to the right"),
        o if (-120.0..-60.0).contains(&o) => Some("to the left"),
        _ => None,
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
    let front = match wished {
        "toward me" => "toward",
        "away from me" => "away",
        "to the left" => "leftward",
        _ => "rightward",
    };
    let facts = format!("{} {front} . its front is turned {wished}", s.at_cell());
    Some(Draft::choice(rng, "facing", question, wished, &wrong, &facts).things([s.id()]))
}

/// Another kind and another colour, crossed with those of a thing that is handled: three names that are as likely as
/// its own, as the other kind is one that is handled too.
pub(crate) fn crossed(world: &World, rng: &mut Rng, thing: &Thing) -> Option<Vec<String>> {
    let mine = thing.colour?;
    let events = world.events();
    let handled = (0..400).filter_map(|_| {
        let event = rng.pick(events);
        event.object.filter(|_| event.action == Action::PickUp).and_then(|id| world.thing(id))
    });
    let other = { handled }.find(|other| noun(other) != noun(thing))?;
    let colour = (0..20).map(|_| *rng.pick(&Colour::ALL)).find(|colour| *colour != mine)?;
    let named = |t: &Thing, colour: Colour| words::name(&Thing { colour: Some(colour), ..t.clone() });
    Some(vec![named(thing, colour), named(other, mine), named(other, colour)])
}
