//! Questions about what moves in a stretch: the camera, people, and what comes into view or leaves it.

use super::balance::{self, fair, wish};
use super::draft::Draft;
use super::film::{Film, at};
use super::question::{Gold, ProblemType};
use super::shot::Sight;
use super::words::say;
use crate::math::wrap;
use crate::render::Camera;
use crate::rng::Rng;
use crate::things::ThingId;

/// Pictures between two moments that count as one after the other: 0.75 s and more.
const AFTER: usize = 2;
/// Radians that are a turn; less than `STEADY` is none.
const TURN: f32 = 0.6;
const STEADY: f32 = 0.14;

/// A thing clear in two pictures, the farther apart the better, with its two sights.
fn tracked<'f, 'a>(film: &'f Film<'a>) -> Option<(&'f Sight<'a>, &'f Sight<'a>)> {
    let n = film.views.len();
    (1..n).rev().find_map(|gap| {
        (0..n - gap).find_map(|i| {
            let steady = |s: &&Sight<'a>| !s.is_person() && held(s).is_none() && film.unmistakable(s);
            let a = film.views[i]
                .sights
                .iter()
                .filter(steady)
                .find_map(|a| film.views[i + gap].find(a.id()).map(|b| (a, b)))?;
            Some(a)
        })
    })
}

fn held(s: &Sight<'_>) -> Option<()> {
    matches!(s.seen.place, Some(crate::timeline::Place::Held(_) | crate::timeline::Place::With(_)))
        .then_some(())
}

/// What a camera with these poses does: turns one way, walks ahead, stands; `None` for a mixture.
pub(crate) fn camera_motion(poses: &[Camera]) -> Option<&'static str> {
    let headings: Vec<f32> = poses
        .windows(2)
        .scan(0.0, |sum, pair| {
            *sum += wrap(pair[1].yaw - pair[0].yaw);
            Some(*sum)
        })
        .collect();
    let (low, high) =
        headings.iter().fold((0.0f32, 0.0f32), |(low, high), turn| (low.min(*turn), high.max(*turn)));
    let turn = *headings.last()?;
    let away = |camera: &Camera| {
        let (x, y) = (camera.at.x - poses[0].at.x, camera.at.y - poses[0].at.y);
        (x * x + y * y).sqrt()
    };
    let oneway = turn.abs() >= 0.85 * (high - low);
    match () {
        () if turn >= TURN && oneway => Some("turn left"),
        () if turn <= -TURN && oneway => Some("turn right"),
        () if high - low <= 0.25 && away(poses.last()?) >= 1.2 => Some("walk ahead"),
        () if high - low <= STEADY && poses.iter().all(|camera| away(camera) < 0.12) => Some("stand still"),
        () => None,
    }
}

/// How the camera moves.
pub(crate) fn motion(film: &Film<'_>, rng: &mut Rng) -> Option<Draft> {
    let n = film.views.len();
    let turn = film.turned(0, n - 1);
    let (low, high) = film.headings();
    if rng.chance(0.12) {
        return turn_angle(film, rng, turn, low, high);
    }
    let poses: Vec<Camera> = film.views.iter().map(|view| view.truth.camera).collect();
    let kind = camera_motion(&poses)?;
    let wished =
        wish(rng, &[("turn left", 0.16), ("turn right", 0.16), ("walk ahead", 1.0), ("stand still", 1.0)]);
    if wished != kind {
        return None;
    }
    let question =
        say(rng, &["how does the camera move ?", "how do i move ?", "what does my body do ?"], &[]);
    let wrong: Vec<&str> = ["turn left", "turn right", "walk ahead", "stand still"]
        .into_iter()
        .filter(|option| *option != kind)
        .collect();
    let facts = match tracked(film) {
        Some((a, b)) if kind == "walk ahead" => {
            format!("{} {} . then {} . it comes nearer", a.at_cell(), a.depth_word(), b.depth_word())
        }
        Some((a, b)) if kind == "stand still" => format!("{} . then {} . it stays", a.at_cell(), b.cell),
        Some((a, b)) if (b.at[0] - a.at[0]) * turn > 0.0 => {
            let way = if turn > 0.0 { "right" } else { "left" };
            format!("{} . then {} . it goes {way}", a.at_cell(), b.cell)
        }
        _ => "all things pass fast".to_owned(),
    };
    Some(Draft::choice(rng, "camera", question, kind, &wrong, &facts))
}

fn turn_angle(film: &Film<'_>, rng: &mut Rng, turn: f32, low: f32, high: f32) -> Option<Draft> {
    let degrees = (turn.abs().to_degrees() / 10.0).round() * 10.0;
    if turn.abs() < 0.85 * (high - low) {
        return None;
    }
    // Small and large turns as often as each other.
    let bin = wish(rng, &[(30.0, 1.0), (60.0, 1.0), (90.0, 1.0), (120.0, 1.0), (150.0, 1.0)]);
    if (degrees - bin).abs() > 15.0 {
        return None;
    }
    let way = if turn > 0.0 { "left" } else { "right" };
    let question = say(
        rng,
        &["by how many degrees do i turn to the {0} ?", "how many degrees does the camera turn {0} ?"],
        &[way],
    );
    let facts = match tracked(film) {
        Some((a, b)) => format!("{} . then {} . i turn {way}", a.at_cell(), b.cell),
        None => format!("no thing stays in view . i turn {way}"),
    };
    let answer = Gold::Number(f64::from(degrees));
    Some(Draft::open("degrees", ProblemType::Regression, question, answer, 0.3, &facts))
}

/// How a person moves while the camera hardly does.
pub(crate) fn movement(film: &Film<'_>, rng: &mut Rng) -> Option<Draft> {
    let mut people: Vec<ThingId> = film.world.people().iter().map(|person| person.id).collect();
    rng.shuffle(&mut people);
    let (first, last, a, b) = people.into_iter().find_map(|id| longest_sight(film, id))?;
    let gone = b.seen.at - a.seen.at;
    let camera = &film.views[first].truth.camera;
    let (s, c) = crate::math::sin_cos(camera.yaw);
    // Metres along the view and to the right of it.
    let (ahead, right) = (gone.x * c + gone.y * s, gone.x * s - gone.y * c);
    let across = b.at[0] - a.at[0];
    // The words of the reasons must show it as well: another column, or another word for the distance.
    let (da, db) = (a.depth_word(), b.depth_word());
    let aside = right.abs() > 1.7 * ahead.abs() && a.cell[..1] != b.cell[..1];
    let along = ahead.abs() > 1.7 * right.abs() && da != db;
    let (way, shown) = match () {
        () if gone.length() < 0.05 && across.abs().max((b.at[1] - a.at[1]).abs()) < 0.8 && da == db => {
            ("stands still", "it stays")
        }
        () if gone.length() < 0.6 => return None,
        () if aside && across >= 0.9 && right > 0.0 => ("to the right", "it goes right"),
        () if aside && across <= -0.9 && right < 0.0 => ("to the left", "it goes left"),
        () if along && b.seen.depth < 0.85 * a.seen.depth => ("toward me", "it comes nearer"),
        () if along && b.seen.depth > 1.15 * a.seen.depth => ("away from me", "it goes farther"),
        () => return None,
    };
    let all = [
        ("to the left", 1.0),
        ("to the right", 1.0),
        ("toward me", 1.0),
        ("away from me", 1.0),
        ("stands still", 0.6),
    ];
    if wish(rng, &all) != way {
        return None;
    }
    let question = say(rng, &["how does the {0} move ?", "which way does the {0} go ?"], &[&a.name]);
    let wrong: Vec<&str> = all.iter().map(|(option, _)| *option).filter(|option| *option != way).collect();
    let facts = format!("{} {da} {} . then {} {db} {} . {shown}", a.at_cell(), at(first), b.cell, at(last));
    Some(Draft::choice(rng, "person", question, way, &wrong, &facts).things([a.id()]))
}

/// First and last picture of the longest stretch that shows a person before a steady camera, with both sights.
fn longest_sight<'f, 'a>(
    film: &'f Film<'a>,
    id: ThingId,
) -> Option<(usize, usize, &'f Sight<'a>, &'f Sight<'a>)> {
    let n = film.views.len();
    (AFTER..n).rev().find_map(|gap| {
        (0..n - gap).find_map(|first| {
            let last = first + gap;
            let steady =
                (first..=last).all(|i| film.turned(first, i).abs() < 0.3 && film.moved(first, i) < 0.35);
            let shown = (first..=last).all(|i| film.views[i].find(id).is_some());
            if !steady || !shown {
                return None;
            }
            Some((first, last, film.views[first].find(id)?, film.views[last].find(id)?))
        })
    })
}

/// What comes into view first, or leaves it first.
pub(crate) fn order(film: &Film<'_>, rng: &mut Rng) -> Option<Draft> {
    let entering = rng.chance(0.6);
    let n = film.views.len();
    let mut changes: Vec<(usize, &Sight<'_>)> = Vec::new();
    for view in &film.views {
        for sight in &view.sights {
            if changes.iter().any(|(_, known)| known.id() == sight.id()) || !film.unmistakable(sight) {
                continue;
            }
            let clear: Vec<usize> = (0..n).filter(|&i| film.views[i].find(sight.id()).is_some()).collect();
            let (from, to) = (clear[0], clear[clear.len() - 1]);
            let absent = |mut range: std::ops::Range<usize>| range.all(|i| film.pixels(i, sight.id()) < 12);
            if entering && from > 0 && absent(0..from) {
                changes.push((from, sight));
            } else if !entering && to + 1 < n && absent(to + 1..n) {
                let last = film.views[to].find(sight.id())?;
                changes.push((to, last));
            }
        }
    }
    if changes.len() < 2 {
        return None;
    }
    let (a, b) = (0..24).find_map(|_| {
        let (a, b) = (*rng.pick(&changes), *rng.pick(&changes));
        (a.0.abs_diff(b.0) >= AFTER).then_some((a, b))
    })?;
    let (first, second) = if a.0 < b.0 { (a, b) } else { (b, a) };
    let table = if entering { &balance::SOONER } else { &balance::GONE };
    if !fair(rng, table, first.1.thing, second.1.thing) {
        return None;
    }
    let (kind, templates, word): (_, &[&str], _) = if entering {
        (
            "comes into view",
            &[
                "which comes into view first , the {0} or the {1} ?",
                "what do i see first , the {0} or the {1} ?",
                "which is seen earlier , the {0} or the {1} ?",
            ],
            "seen",
        )
    } else {
        (
            "leaves view",
            &[
                "which leaves the view first , the {0} or the {1} ?",
                "which is gone first , the {0} or the {1} ?",
            ],
            "gone",
        )
    };
    let question = say(rng, templates, &[&a.1.name, &b.1.name]);
    let when = |(index, s): (usize, &Sight<'_>)| {
        let index = if entering { index } else { index + 1 };
        format!("{} {word} {}", s.name, at(index))
    };
    let facts = format!("{} . {} . {} is first", when(first), when(second), first.1.name);
    let wrong = [second.1.name.as_str()];
    Some(Draft::choice(rng, kind, question, &first.1.name, &wrong, &facts))
}
