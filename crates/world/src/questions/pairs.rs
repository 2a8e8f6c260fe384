//! Questions about two things in a picture: which is to the left, higher, nearer, larger, closer to a third.

use super::balance::{self, fair};
use super::draft::Draft;
use super::shot::Sight;
use super::view::View;
use super::words::{depth_rank, say};
use crate::rng::Rng;
use crate::things::{FixtureKind as F, Kind};
use crate::timeline::Place;

/// Least distances that count as different: squares across and down, ratios of area and of distance.
const ACROSS: f32 = 1.2;
const DOWN: f32 = 1.0;
const AREA: f32 = 1.8;
const FARTHER: f32 = 1.4;

/// Flat things and parts of walls have no one place in depth.
fn compact(sight: &Sight<'_>) -> bool {
    !matches!(sight.thing.kind, Kind::Fixture(F::Rug | F::Window | F::Picture | F::FrontDoor | F::Bathtub))
}

/// Relation: left or right, higher or lower, or what carries it.
pub(crate) fn relation(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    match rng.below(3) {
        0 => left_or_right(view, rng),
        1 => higher_or_lower(view, rng),
        _ => carried_by(view, rng),
    }
}

fn left_or_right(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let (a, b) = view.pair(rng, |a, b| (a.at[0] - b.at[0]).abs() >= ACROSS)?;
    let (right, wrong) = if a.at[0] < b.at[0] { ("left", "right") } else { ("right", "left") };
    let question = say(
        rng,
        &[
            "is the {0} to the left or to the right of the {1} ?",
            "on which side of the {1} is the {0} ?",
            "in the picture , which side of the {1} is the {0} on ?",
        ],
        &[&a.name, &b.name],
    );
    let columns = [a, b].map(|s| super::words::column(s.at[0]));
    let facts = format!("{} . {} . {} is {right} of {}", a.at_depth(), b.at_depth(), columns[0], columns[1]);
    let predicate = if right == "left" { "left of" } else { "right of" };
    let draft = Draft::choice(rng, "left or right", question, right, &[wrong], &facts);
    Some(draft.things([a.id(), b.id()]).link(a.id(), predicate, b.id()))
}

fn higher_or_lower(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let (a, b) = view.pair(rng, |a, b| (a.at[1] - b.at[1]).abs() >= DOWN)?;
    let (high, low) = if a.at[1] < b.at[1] { (a, b) } else { (b, a) };
    if !fair(rng, &balance::HIGHER, high.thing, low.thing) {
        return None;
    }
    let (right, wrong) = if a.at[1] < b.at[1] { ("higher", "lower") } else { ("lower", "higher") };
    let question = say(
        rng,
        &[
            "in the picture , is the {0} higher or lower than the {1} ?",
            "is the {0} higher or lower than the {1} ?",
        ],
        &[&a.name, &b.name],
    );
    let rows = [a, b].map(|s| s.cell[1..].to_owned());
    let facts = format!("{} . {} . {} is {right} than {}", a.at_cell(), b.at_cell(), rows[0], rows[1]);
    let predicate = if right == "higher" { "above" } else { "below" };
    let draft = Draft::choice(rng, "higher or lower", question, right, &[wrong], &facts);
    Some(draft.things([a.id(), b.id()]).link(a.id(), predicate, b.id()))
}

fn carried_by(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let world = view.world;
    let support = |sight: &Sight<'_>| match sight.seen.place? {
        Place::Resting(slot) => world.home.slots[slot].support,
        _ => None,
    };
    let a = view.one(rng, |s| support(s).is_some_and(|id| view.find(id).is_some()))?;
    let below = view.find(support(a)?)?;
    // Drawn as the answer is: what carries some other object of the home.
    let mut wrong: Vec<String> = Vec::new();
    for _ in 0..40 {
        let Some(Place::Resting(slot)) =
            world.place(rng.pick(world.objects()).id, view.truth.day, view.truth.time_s)
        else {
            continue;
        };
        let Some(other) = world.home.slots[slot].support.and_then(|id| world.thing(id)) else { continue };
        let name = super::words::name(other);
        if name != below.name && !wrong.contains(&name) {
            wrong.push(name);
        }
        if wrong.len() == 3 {
            break;
        }
    }
    if wrong.len() < 3 {
        return None;
    }
    let question = say(rng, &["what is the {0} on ?", "which thing is the {0} resting on ?"], &[&a.name]);
    let facts = format!("{} . under it {}", a.at_cell(), below.at_cell());
    let draft = Draft::choice(rng, "what is it on", question, &below.name, &wrong, &facts);
    Some(draft.things([a.id(), below.id()]).link(a.id(), "on", below.id()))
}

/// Two things, each with what tells them apart and its name again, and the one that it decides for: to find a name
/// behind the word that decides is one look.
fn told_apart(of: [(&Sight<'_>, &str); 2], asked: &str, right: &Sight<'_>) -> String {
    let [a, b] = of.map(|(s, what)| format!("{} {what} {}", s.at_cell(), s.name));
    let what = if of[0].0.id() == right.id() { of[0].1 } else { of[1].1 };
    format!("{a} . {b} . {asked} is {what} {}", right.name)
}

/// Squares between two things of a picture, and twice the distance words between them.
fn steps_between(a: &Sight<'_>, b: &Sight<'_>) -> usize {
    let [[column, row], [other_column, other_row]] = [a, b].map(|s| s.at.map(|side| side as usize));
    let depth = depth_rank(a.seen.depth).abs_diff(depth_rank(b.seen.depth));
    column.abs_diff(other_column) + row.abs_diff(other_row) + 2 * depth
}

/// Depth: which of two is nearer to, or farther from, the eye.
pub(crate) fn depth(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let apart = |a: &Sight<'_>, b: &Sight<'_>| {
        let (near, far) = (a.seen.depth.min(b.seen.depth), a.seen.depth.max(b.seen.depth));
        compact(a) && compact(b) && a.depth_word() != b.depth_word() && far / near >= FARTHER
    };
    let (a, b) = view.pair(rng, apart)?;
    let (near, far) = if a.seen.depth < b.seen.depth { (a, b) } else { (b, a) };
    if !fair(rng, &balance::NEARER, near.thing, far.thing) {
        return None;
    }
    let closer = rng.chance(0.5);
    let right = if closer { near } else { far };
    let wrong = if closer { far } else { near };
    let templates: &[&str] = if closer {
        &["which is closer to me , the {0} or the {1} ?", "which thing is nearer , the {0} or the {1} ?"]
    } else {
        &[
            "which is farther from me , the {0} or the {1} ?",
            "which thing is farther away , the {0} or the {1} ?",
        ]
    };
    let question = say(rng, templates, &[&a.name, &b.name]);
    let word = if closer { "closer" } else { "farther" };
    let facts = told_apart([(a, a.depth_word()), (b, b.depth_word())], word, right);
    let draft =
        Draft::choice(rng, "nearer or farther", question, &right.name, &[wrong.name.as_str()], &facts);
    Some(draft.things([a.id(), b.id()]).link(near.id(), "in front of", far.id()))
}

/// Size: which of two takes more of the picture.
pub(crate) fn size(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let area = |s: &Sight<'_>| {
        let [x1, y1, x2, y2] = s.seen.bounds;
        ((x2 - x1) * (y2 - y1)) as f32
    };
    let word_of = |s: &Sight<'_>| super::words::area_word(s.seen.bounds, view.shot.size);
    let whole = |s: &Sight<'_>| s.seen.pixels as f32 >= 0.3 * area(s);
    let differ = |a: &Sight<'_>, b: &Sight<'_>| {
        let ratio = |x: f32, y: f32| x.max(y) / x.min(y);
        let boxes = ratio(area(a), area(b));
        let pixels = ratio(a.seen.pixels as f32, b.seen.pixels as f32);
        let agree = (area(a) < area(b)) == (a.seen.pixels < b.seen.pixels) && word_of(a) != word_of(b);
        whole(a) && whole(b) && boxes >= AREA && pixels >= AREA && agree && boxes < 12.0
    };
    let (a, b) = view.pair(rng, differ)?;
    let (large, small) = if area(a) > area(b) { (a, b) } else { (b, a) };
    if !fair(rng, &balance::LARGER, large.thing, small.thing) {
        return None;
    }
    let larger = rng.chance(0.5);
    let (right, wrong) = if larger { (large, small) } else { (small, large) };
    let word = if larger { "larger" } else { "smaller" };
    let question = say(
        rng,
        &[
            "which looks {2} in the picture , the {0} or the {1} ?",
            "in the picture , which is {2} , the {0} or the {1} ?",
        ],
        &[&a.name, &b.name, word],
    );
    let facts = told_apart([(a, word_of(a)), (b, word_of(b))], word, right);
    let draft =
        Draft::choice(rng, "larger or smaller", question, &right.name, &[wrong.name.as_str()], &facts);
    Some(draft.things([a.id(), b.id()]).link(large.id(), "larger than", small.id()))
}

/// Distance: in a word from the eye, or which of two is nearer to a third.
pub(crate) fn distance(view: &View<'_>, rng: &mut Rng) -> Option<Draft> {
    let third = view.one(rng, compact)?;
    let gap = |s: &Sight<'_>| (s.seen.at - third.seen.at).length();
    let fine = |s: &Sight<'_>| s.id() != third.id() && s.is_object() && s.seen.place != third.seen.place;
    let resting = |s: &Sight<'_>| matches!(s.seen.place, Some(Place::Resting(_)));
    let steps = |s: &Sight<'_>| steps_between(s, third);
    let (a, b) = view.pair(rng, |a, b| {
        let (near, far) = if gap(a) < gap(b) { (a, b) } else { (b, a) };
        let clear =
            gap(far) / gap(near) >= 1.8 && gap(far) - gap(near) >= 0.5 && steps(far) >= steps(near) + 2;
        fine(a) && fine(b) && resting(a) && resting(b) && clear
    })?;
    let (near, far) = if gap(a) < gap(b) { (a, b) } else { (b, a) };
    if !fair(rng, &balance::CLOSER, near.thing, far.thing) {
        return None;
    }
    let question = say(
        rng,
        &[
            "which is closer to the {2} , the {0} or the {1} ?",
            "which thing is nearer to the {2} , the {0} or the {1} ?",
        ],
        &[&a.name, &b.name, &third.name],
    );
    let [of_a, of_b] = [a, b].map(|s| format!("{} {}", s.depth_word(), steps(s)));
    let facts = format!("{} . {}", third.at_depth(), told_apart([(a, &of_a), (b, &of_b)], "nearer", near));
    let draft = Draft::choice(rng, "closer to a third", question, &near.name, &[far.name.as_str()], &facts);
    Some(draft.things([a.id(), b.id(), third.id()]).link(near.id(), "near", third.id()))
}
