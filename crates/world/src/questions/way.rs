//! Questions about the way that was walked: the room, the rooms in order, the turns, what was passed, and the same
//! for the way back. Reasons think the opposite direction first, as ST-R1's do.

use super::balance::wish;
use super::draft::Draft;
use super::film::Film;
use super::question::{Gold, ProblemType};
use super::singles::palette;
use super::words::{self, say};
use crate::rng::Rng;
use crate::route::{Direction, Landmark, Route};
use crate::things::{FixtureKind as F, Kind, RoomKind, Side, Thing};

/// How eagerly each room is asked for, and its share of the answers that come out.
const ROOMS: [(RoomKind, f32, f32); 7] = [
    (RoomKind::Living, 0.22, 0.18),
    (RoomKind::Kitchen, 0.23, 0.21),
    (RoomKind::Bedroom, 0.45, 0.19),
    (RoomKind::Bathroom, 0.8, 0.2),
    (RoomKind::Hall, 1.0, 0.08),
    (RoomKind::Study, 1.0, 0.1),
    (RoomKind::Playroom, 1.0, 0.04),
];

/// The room one is in, at the start or the end, as its furniture tells.
pub(crate) fn place(film: &Film<'_>, rng: &mut Rng) -> Option<Draft> {
    let wished = wish(rng, &ROOMS.map(|(room, weight, _)| (room, weight)));
    let end = rng.chance(0.5);
    let index = if end { film.views.len() - 1 } else { 0 };
    let (room, signs) = film.told_room(index)?;
    if room != wished {
        return None;
    }
    let when = if end { "end" } else { "start" };
    let facts = format!("at the {when} i see {}", signs.join(" , "));
    let question =
        say(rng, &["in which room am i at the {0} ?", "at the {0} , which room am i in ?"], &[when]);
    if rng.chance(0.3) {
        let answer = Gold::Text(room.name().to_owned());
        return Some(Draft::open(
            "room in words",
            ProblemType::FreeForm,
            question,
            answer,
            1.0 / 7.0,
            &facts,
        ));
    }
    // Wrong rooms are drawn as right ones come out, or the rare ones would always be wrong.
    let mut left: Vec<(RoomKind, f32)> =
        ROOMS.iter().filter(|(other, ..)| *other != room).map(|(other, _, share)| (*other, *share)).collect();
    let wrong: Vec<&str> = (0..3)
        .map(|_| {
            let drawn = wish(rng, &left);
            left.retain(|(other, _)| *other != drawn);
            drawn.name()
        })
        .collect();
    Some(Draft::choice(rng, "room", question, room.name(), &wrong, &facts))
}

fn walked(film: &Film<'_>) -> Option<Route> {
    film.world.route(film.shot.day, film.shot.start_s, film.shot.start_s + film.shot.seconds).ok()
}

/// `("way there", "way back")` in the order the reasons take: the one not asked first.
fn both_ways(reverse: bool, there: &str, back: &str) -> String {
    if reverse {
        format!("forward : {there} . reverse : {back}")
    } else {
        format!("reverse : {back} . forward : {there}")
    }
}

/// The rooms in order.
pub(crate) fn route(film: &Film<'_>, rng: &mut Rng) -> Option<Draft> {
    let walked = walked(film)?;
    let [from, to] = walked.rooms[..] else { return None };
    let (first, last) = (film.told_room(0)?, film.told_room(film.views.len() - 1)?);
    let rooms = &film.world.home.rooms;
    let kind_of = |id: crate::RoomId| rooms[usize::from(id)].kind;
    if (first.0, last.0) != (kind_of(from), kind_of(to)) {
        return None;
    }
    let others: Vec<_> = film
        .world
        .home
        .doors
        .iter()
        .filter(|door| !(door.rooms.contains(&from) && door.rooms.contains(&to)))
        .collect();
    // Rooms that are seldom recognised are seldom right; wrong ways are drawn alike.
    let known = |id: crate::RoomId| {
        let eager = ROOMS.iter().find(|(room, ..)| *room == kind_of(id)).map_or(1.0, |(_, eager, _)| *eager);
        1.0 / eager
    };
    let weighted: Vec<_> =
        others.iter().map(|door| (*door, known(door.rooms[0]) * known(door.rooms[1]))).collect();
    let other = if weighted.is_empty() { return None } else { wish(rng, &weighted) };
    let reverse = rng.chance(0.5);
    let way =
        |a: crate::RoomId, b: crate::RoomId| format!("{} then {}", kind_of(a).name(), kind_of(b).name());
    let (there, back) = (way(from, to), way(to, from));
    let (right, wrong) = if reverse { (&back, &there) } else { (&there, &back) };
    let [c, d] = other.rooms;
    let (kind, templates): (_, &[&str]) = if reverse {
        ("reverse", &["which way leads me back to the start ?", "through which rooms do i go back ?"])
    } else {
        ("forward", &["which way do i take ?", "through which rooms do i go ?"])
    };
    let question = say(rng, templates, &[]);
    let facts = format!(
        "at the start {} . at the end {} . {}",
        first.1.join(" , "),
        last.1.join(" , "),
        both_ways(reverse, &there, &back)
    );
    let wrong = [wrong.clone(), way(c, d), way(d, c)];
    Some(Draft::choice(rng, kind, question, right, &wrong, &facts))
}

fn turn_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Left => "left",
        Direction::Right => "right",
        Direction::Around => "around",
    }
}

/// The turns in order.
pub(crate) fn direction(film: &Film<'_>, rng: &mut Rng) -> Option<Draft> {
    let walked = walked(film)?;
    // A turn that the ends of the stretch cut off is seen in part.
    let margin = 0.7;
    let inside = |t: f64| t > walked.start_s + margin && t < walked.end_s - margin;
    if walked.metres < 0.8 || !walked.turns.iter().all(|turn| inside(turn.at_s)) {
        return None;
    }
    let words = |route: &Route| -> String {
        let list: Vec<&str> = route.turns.iter().map(|turn| turn_word(turn.direction)).collect();
        if list.is_empty() { "straight on".to_owned() } else { list.join(" then ") }
    };
    let (there, back) = (words(&walked), words(&walked.reversed()));
    let reverse = rng.chance(0.5);
    let (right, options): (_, Vec<String>) = match walked.turns.len() {
        0 | 1 => {
            let wished = wish(rng, &[("left", 0.5), ("right", 0.5), ("around", 2.5), ("straight on", 0.5)]);
            if there != wished || film.turned(0, film.views.len() - 1).abs() > 2.9 {
                return None;
            }
            (
                if reverse { &back } else { &there },
                ["left", "right", "around", "straight on"].map(str::to_owned).into(),
            )
        }
        2 if walked.turns.iter().all(|turn| turn.direction != Direction::Around) => {
            let two = ["left then left", "left then right", "right then left", "right then right"];
            let wished = wish(rng, &two.map(|turns| (turns, 1.0)));
            if there != wished {
                return None;
            }
            (if reverse { &back } else { &there }, two.map(str::to_owned).into())
        }
        _ => return None,
    };
    let (kind, templates): (_, &[&str]) = if reverse {
        ("reverse", &["which turn leads me back to the start ?", "on the way back , which way do i turn ?"])
    } else {
        ("forward", &["which turn do i take ?", "on my way , which way do i turn ?"])
    };
    let question = say(rng, templates, &[]);
    let seen: Vec<String> = walked
        .turns
        .iter()
        .map(|turn| {
            let time = ((turn.at_s - walked.start_s) * 2.0).round() / 2.0;
            let other = if turn.radians > 0.0 { "right" } else { "left" };
            let far = if turn.direction == Direction::Around { " far" } else { "" };
            format!("at {} things go{far} {other}", super::question::number(time))
        })
        .collect();
    let seen = if seen.is_empty() { "things come nearer".to_owned() } else { seen.join(" . ") };
    let facts = format!("{seen} . {}", both_ways(reverse, &there, &back));
    let wrong: Vec<String> = options.into_iter().filter(|option| option != right).collect();
    Some(Draft::choice(rng, kind, question, right, &wrong, &facts))
}

/// What is passed: on which side, or which of a kind and colour.
pub(crate) fn landmark(film: &Film<'_>, rng: &mut Rng) -> Option<Draft> {
    let walked = walked(film)?;
    let world = film.world;
    let seen: Vec<(&Landmark, String, String)> = walked
        .landmarks
        .iter()
        .filter_map(|landmark| {
            let sight = film.views.iter().find_map(|view| view.find(landmark.id))?;
            let thing = world.thing(landmark.id)?;
            let before = film.index_at(landmark.at_s);
            let shown = (0..=before).any(|i| film.views[i].find(landmark.id).is_some());
            (shown && film.unmistakable(sight)).then(|| (landmark, words::name(thing), sight.cell.clone()))
        })
        .collect();
    let reverse = rng.chance(0.5);
    if seen.is_empty() {
        return None;
    }
    let (landmark, name, cell) = rng.pick(&seen);
    let (there, back) = match landmark.side {
        Side::Left => ("left", "right"),
        Side::Right => ("right", "left"),
    };
    if rng.chance(0.5) {
        let (right, wrong) = if reverse { (back, there) } else { (there, back) };
        let (kind, templates): (_, &[&str]) = if reverse {
            (
                "reverse side",
                &[
                    "on the way back , on which side do i pass the {0} ?",
                    "going back to the start , is the {0} on my left or right ?",
                ],
            )
        } else {
            (
                "forward side",
                &["on which side do i pass the {0} ?", "on my way , is the {0} on my left or right ?"],
            )
        };
        let question = say(rng, templates, &[name]);
        let facts = format!("{name} seen {cell} . {}", both_ways(reverse, there, back));
        return Some(Draft::choice(rng, kind, question, right, &[wrong], &facts));
    }
    let wrong = crossed_fixture(film, rng, world.thing(landmark.id)?)?;
    let side = if reverse { back } else { there };
    let (kind, templates): (_, &[&str]) = if reverse {
        (
            "reverse",
            &[
                "on the way back , what do i pass on the {0} ?",
                "going back to the start , which thing is on my {0} ?",
            ],
        )
    } else {
        ("forward", &["what do i pass on the {0} ?", "on my way , which thing do i pass on the {0} ?"])
    };
    let question = say(rng, templates, &[side]);
    let facts = format!("{name} seen {cell} . {}", both_ways(reverse, there, back));
    Some(Draft::choice(rng, kind, question, name, &wrong, &facts))
}

/// Another colour and another kind of furniture, crossed; none of the three is in view.
fn crossed_fixture(film: &Film<'_>, rng: &mut Rng, thing: &Thing) -> Option<Vec<String>> {
    let mine = thing.colour?;
    let colours = palette(thing);
    let kinds: Vec<&Thing> = film
        .world
        .things
        .iter()
        .filter(|t| matches!(t.kind, Kind::Fixture(kind) if !matches!(kind, F::Rug | F::Picture)))
        .filter(|t| t.name != thing.name && palette(t) == colours)
        .collect();
    if kinds.is_empty() || colours.len() < 2 {
        return None;
    }
    let other = *rng.pick(&kinds);
    let colour = (0..20).map(|_| *rng.pick(&colours)).find(|colour| *colour != mine)?;
    let named = |t: &Thing, colour| words::name(&Thing { colour: Some(colour), ..t.clone() });
    let wrong = vec![named(thing, colour), named(other, mine), named(other, colour)];
    let in_view = |name: &String| film.views.iter().flat_map(|view| &view.sights).any(|s| s.name == *name);
    (!wrong.iter().any(in_view)).then_some(wrong)
}
