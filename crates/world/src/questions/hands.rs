//! Questions about the wearer's hands in a picture: which one holds, what it holds, and boxes around them.

use super::balance::wish;
use super::draft::Draft;
use super::question::{Gold, ProblemType};
use super::shot::Sight;
use super::singles::crossed;
use super::view::View;
use super::words::{self, say};
use crate::rng::Rng;
use crate::things::{Side, ThingId};
use crate::timeline::Place;

/// What a hand does: which hand holds, what is held, whether anything is.
pub(crate) fn reach(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    match rng.below(3) {
        0 => which_hand(view, rng),
        1 => what_is_held(view, rng),
        _ => holding_anything(view, rng),
    }
}

/// The thing held and seen in a hand.
fn held<'v, 'a>(view: &'v View<'a>, side: Side) -> Option<&'v Sight<'a>> {
    let hand = &view.truth.hands[crate::life::index(side)];
    let s = view.find(hand.contact?)?;
    (s.seen.place == Some(Place::Held(side)) && hand.pixels >= 40).then_some(s)
}

fn which_hand(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let side = wish(rng, &[(Side::Left, 1.0), (Side::Right, 0.3)]);
    let s = held(view, side)?;
    let right = words::side(side);
    let wrong = if side == Side::Left { "right" } else { "left" };
    let question = say(rng, &["which hand holds the {0} ?", "in which hand is the {0} ?"], &[&s.name]);
    let facts = format!("{} . {right} hand around it", s.at_cell());
    let draft = Draft::choice(rng, "which hand", question, right, &[wrong], &facts);
    Some(draft.things([s.id(), side.hand()]).link(side.hand(), "holding", s.id()))
}

fn what_is_held(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let side = if rng.chance(0.5) { Side::Left } else { Side::Right };
    let s = held(view, side)?;
    let question = say(rng, &["what do i hold ?", "what is in my hand ?", "which thing do i hold ?"], &[]);
    let wrong = crossed(view.world, rng, s.thing)?;
    let facts = format!("{} hand {} . it holds {}", words::side(side), s.cell, s.name);
    let draft = Draft::choice(rng, "what is held", question, &s.name, &wrong, &facts);
    Some(draft.things([s.id(), side.hand()]).link(side.hand(), "holding", s.id()))
}

fn holding_anything(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let holds = rng.chance(0.56);
    let hands = &view.truth.hands;
    let side = [Side::Left, Side::Right].into_iter().find(|side| held(view, *side).is_some());
    let (right, wrong, facts, things) = match (holds, side) {
        (true, Some(side)) => {
            let s = held(view, side)?;
            (
                "yes",
                "no",
                format!("{} hand {} . it holds {}", words::side(side), s.cell, s.name),
                vec![s.id(), side.hand()],
            )
        }
        (false, None) => {
            let empty = hands.iter().all(|hand| hand.contact.is_none());
            let open: Vec<&crate::truth::HandTruth> = hands.iter().filter(|hand| hand.pixels >= 60).collect();
            if !empty || (open.is_empty() && !rng.chance(0.12)) {
                return None;
            }
            match open.first() {
                Some(hand) => {
                    let cell = words::cell(words::cell_at(hand.bounds?, view.shot.size));
                    let facts = format!("{} hand {cell} . it is empty", words::side(hand.side));
                    ("no", "yes", facts, vec![hand.side.hand()])
                }
                None => ("no", "yes", "no hand is seen".to_owned(), Vec::new()),
            }
        }
        _ => return None,
    };
    let question = say(rng, &["do i hold anything ?", "is there anything in my hands ?"], &[]);
    let draft = Draft::choice(rng, "holding anything", question, right, &[wrong], &facts);
    let linked = things.len() == 2;
    let (first, second) = (things.first().copied(), things.get(1).copied());
    let draft = draft.things(things);
    Some(match (linked, first, second) {
        (true, Some(thing), Some(hand)) => draft.link(hand, "holding", thing),
        _ => draft,
    })
}

/// A box around a hand, or around what it holds.
pub(crate) fn hand_object(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let side = if rng.chance(0.5) { Side::Left } else { Side::Right };
    let hand = &view.truth.hands[crate::life::index(side)];
    let bounds = hand.bounds.filter(|_| hand.pixels >= 150)?;
    let grasped = held(view, side);
    let (kind, asked, thing, bounds) = match grasped {
        Some(s) if rng.chance(0.6) => {
            let hand = words::side(side);
            let asked = if rng.chance(0.5) { s.name.clone() } else { format!("thing in the {hand} hand") };
            ("held thing", asked, s.id(), s.seen.bounds)
        }
        _ => ("hand", format!("{} hand", words::side(side)), side.hand(), bounds),
    };
    let name = if thing == side.hand() { asked.clone() } else { view.find(thing)?.name.clone() };
    let (cell, size) = (words::cell(words::cell_at(bounds, view.shot.size)), view.shot.size);
    let facts = format!("{name} {cell} {}", words::area_word(bounds, size));
    let question = format!("the {asked}");
    let draft = Draft::open(kind, ProblemType::FreeForm, question, Gold::Box(bounds), 0.2, &facts);
    let draft = draft.things([thing, side.hand()]);
    let holds: Option<ThingId> = grasped.map(Sight::id).filter(|id| *id == thing);
    Some(match holds {
        Some(id) => draft.link(side.hand(), "holding", id),
        None => draft,
    })
}
