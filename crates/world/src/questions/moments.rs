//! Which moments and stretches of a life are worth drawing: those in which something happens that families ask about.

use super::family::{Family, Scope};
use super::motion::camera_motion;
use super::shot::SAMPLE_RATE;
use crate::event::{Action, Event};
use crate::math::{Vec3, wrap};
use crate::render::Camera;
use crate::rng::Rng;
use crate::things::ThingId;
use crate::world::{World, absolute};

/// A stretch of a life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Day, from 1.
    pub day: u32,
    /// Seconds since midnight.
    pub start_s: f64,
    /// Length; 0 for one picture.
    pub seconds: f64,
}

/// What to look for.
#[derive(Clone, Copy, PartialEq)]
enum Search {
    /// Any time of a spell.
    Any,
    /// The wearer's hand gets to something.
    Deed,
    /// Something is turned on or off, opened or closed.
    Switch,
    /// The wearer holds something.
    Hold,
    /// The wearer walks.
    Walk,
    /// The wearer walks into another room.
    Door,
    /// A person walks before the wearer.
    Person,
    /// The camera moves in one way, each as often.
    Glide,
    /// The wearer is in a room, each as often.
    Room,
}

/// A moment (`seconds` 0) or stretch that suits a family more likely than not. Asking may still find nothing.
pub fn moment(world: &World, family: Family, seconds: f64, rng: &mut Rng) -> Option<Moment> {
    use Search as S;
    let searches: &[S] = match family {
        Family::Reach | Family::HandObject => &[S::Hold, S::Hold, S::Deed, S::Any],
        Family::Order | Family::Landmark => &[S::Walk, S::Door],
        Family::Tally => &[S::Deed, S::Person, S::Any, S::Hold],
        Family::Motion => &[S::Glide],
        Family::Movement => &[S::Person],
        Family::Change => &[S::Deed, S::Switch, S::Switch],
        Family::Action | Family::Grounding => &[S::Deed, S::Deed, S::Switch],
        Family::Place => &[S::Room],
        Family::Route => &[S::Door],
        Family::Direction => &[S::Walk, S::Walk, S::Any],
        _ if family.scope() == Scope::Days => return None,
        _ => &[S::Any, S::Any, S::Deed],
    };
    let search = *rng.pick(searches);
    let moment = find(world, search, seconds, rng)?;
    let start_s = (moment.start_s * 1000.0).round() / 1000.0;
    Some(Moment { start_s, ..moment }).filter(|m| m.start_s >= 0.0 && m.start_s + seconds.max(1.0) < 86_400.0)
}

fn find(world: &World, search: Search, seconds: f64, rng: &mut Rng) -> Option<Moment> {
    if search == Search::Any {
        let spell = *rng.pick(&world.spells);
        let start_s = rng.span(spell.start_s, (spell.end_s - seconds).max(spell.start_s));
        return Some(Moment { day: spell.day, start_s, seconds });
    }
    if search == Search::Glide {
        let wished = *rng.pick(&["turn left", "turn right", "walk ahead", "stand still"]);
        return (0..80).find_map(|_| {
            let m = find(world, if rng.chance(0.5) { Search::Any } else { Search::Walk }, seconds, rng)?;
            let poses: Vec<Camera> = (0..(seconds * SAMPLE_RATE) as usize)
                .map(|i| world.wearer(absolute(m.day, m.start_s + i as f64 / SAMPLE_RATE), 1.4).camera)
                .collect();
            (camera_motion(&poses) == Some(wished)).then_some(m)
        });
    }
    if search == Search::Room {
        let room = rng.below(world.home.rooms.len()) as crate::RoomId;
        return (0..80).find_map(|_| {
            let m = find(world, Search::Any, seconds, rng)?;
            let ends = [m.start_s, m.start_s + seconds];
            ends.iter().any(|t| world.room_of(ThingId::WEARER, m.day, *t) == Some(room)).then_some(m)
        });
    }
    let events = world.events();
    // Few walks of people are seen.
    let tries = if search == Search::Person { 6000 } else { 600 };
    (0..tries).find_map(|_| {
        let event = rng.pick(events);
        let mine = event.who == ThingId::WEARER;
        let (low, high) = match (search, event.action) {
            (Search::Deed, Action::PickUp | Action::PutDown)
            | (Search::Switch, Action::SwitchOn | Action::SwitchOff | Action::Open | Action::Close) => {
                let contact = event.contact_s?;
                (contact - seconds + 0.3, contact - 0.3)
            }
            (Search::Hold, Action::PickUp) => (event.contact_s? + 0.4, event.end_s + 3.0),
            (Search::Walk, Action::Walk) if mine => {
                (event.start_s - seconds * 0.4, event.end_s - seconds * 0.6)
            }
            (Search::Door, Action::Walk) if mine && event.room != event.to_room => {
                (event.start_s - seconds * 0.3, event.end_s - seconds * 0.5)
            }
            (Search::Person, Action::Walk) if !mine => {
                return seen_walking(world, event, seconds, rng);
            }
            _ => return None,
        };
        // A moment has no length to place around what it shows.
        let (low, high) = if seconds == 0.0 {
            (low.max(event.start_s), high.max(event.start_s + 0.1))
        } else {
            (low, high)
        };
        let start_s = rng.span(low.min(high), high.max(low));
        Some(Moment { day: event.day, start_s, seconds })
    })
}

/// A stretch in which a walking person is before the wearer, whose head hardly moves; furniture apart.
fn seen_walking(world: &World, event: &Event, seconds: f64, rng: &mut Rng) -> Option<Moment> {
    let start_s = rng.span(event.start_s - seconds * 0.5, (event.end_s - seconds * 0.5).max(event.start_s));
    let camera = |t: f64| world.wearer(absolute(event.day, t), 1.4).camera;
    let before = |t: f64| {
        let at = world.position(event.who, event.day, t)?;
        let now = camera(t);
        let ([x, _], depth) = now.project(Vec3 { z: 1.0, ..at }, 224, 168)?;
        let same = world.room_of(event.who, event.day, t) == world.room_of(ThingId::WEARER, event.day, t);
        let walking = (event.start_s..event.end_s).contains(&t);
        ((4.0..220.0).contains(&x) && depth < 6.0 && same && walking).then_some(now)
    };
    let times: Vec<f64> =
        (0..(seconds * SAMPLE_RATE) as usize).map(|i| start_s + i as f64 / SAMPLE_RATE).collect();
    let shown = times.windows(3).any(|three| {
        let [Some(a), Some(b), Some(c)] = [before(three[0]), before(three[1]), before(three[2])] else {
            return false;
        };
        [b, c].iter().all(|o| wrap(o.yaw - a.yaw).abs() < 0.25 && (o.at - a.at).length() < 0.35)
    });
    shown.then_some(Moment { day: event.day, start_s, seconds })
}
